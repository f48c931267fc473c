//! The numbers of int8 tensors.

/// Adding 1.5 * 2^23 rounds a small number to the nearest integer, ties to even, without a call: the low bits
/// are the integer.
pub(super) const ROUND: f32 = 12_582_912.0;

/// The scale and zero point of an int8 tensor: `value = scale * (stored - zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantisation {
    /// Value of a step, positive.
    pub scale: f32,
    /// What stands for 0.
    pub zero_point: i8,
}

impl Quantisation {
    /// The value of a stored number.
    #[inline(always)]
    pub fn value(self, stored: i8) -> f32 {
        self.scale * f32::from(i16::from(stored) - i16::from(self.zero_point))
    }

    /// The nearest stored number, ties to even, saturating.
    #[inline(always)]
    pub fn store(self, value: f32) -> i8 {
        let zero = f32::from(self.zero_point);
        let steps = (value / self.scale).clamp(-128.0 - zero, 127.0 - zero);
        ((steps + ROUND).to_bits() as i8).wrapping_add(self.zero_point)
    }
}
