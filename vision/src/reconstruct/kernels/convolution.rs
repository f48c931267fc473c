//! A quantised convolution as plain numbers, and the arithmetic that every kernel must equal.

/// Rows and columns added around the input; they hold the input's zero point, which stands for the value 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns to the left.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the right.
    pub right: usize,
}

/// An int8 convolution with its requantisation; activations are NHWC with N = 1.
///
/// ```text
/// acc[o] = bias[o] + sum over the window of (x - input_zero) * weight[o]
/// y[o]   = clamp(round_ties_even(acc[o] * multiplier[o]) + output_zero, -128, 127)
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Convolution {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Rows and columns of the window.
    pub window: [usize; 2],
    /// Step of the window, the same in both directions.
    pub stride: usize,
    /// Padding of the input.
    pub padding: Padding,
    /// `[outputs][rows][columns][inputs]`, each in -127..=127 (two products must fit an i16).
    pub weight: Vec<i8>,
    /// `[outputs]`.
    pub bias: Vec<i32>,
    /// `[outputs]`, finite: input scale * weight scale / output scale.
    pub multiplier: Vec<f32>,
    /// The input's zero point.
    pub input_zero: i8,
    /// The output's zero point.
    pub output_zero: i8,
}

impl Convolution {
    /// Height and width of the output for an input of `height` x `width`; `None` where the window does not
    /// fit.
    pub fn output_size(&self, height: usize, width: usize) -> Option<[usize; 2]> {
        let rows = (height + self.padding.top + self.padding.bottom).checked_sub(self.window[0])?;
        let columns = (width + self.padding.left + self.padding.right).checked_sub(self.window[1])?;
        Some([rows / self.stride + 1, columns / self.stride + 1])
    }

    /// Weights of all outputs, without places of the window whose weights are all zero for an output.
    pub(crate) fn used_taps(&self) -> usize {
        let is_used = |place: &&[i8]| place.iter().any(|&weight| weight != 0);
        self.inputs * self.weight.chunks_exact(self.inputs).filter(is_used).count()
    }

    /// Values in one output's window.
    pub(super) fn taps(&self) -> usize {
        self.window[0] * self.window[1] * self.inputs
    }
}

/// Scales an accumulator to the output's steps. The sum is clamped as a float, so products beyond the range
/// of an i32 saturate like all others.
pub fn requantise(accumulator: i32, multiplier: f32, zero: i8) -> i8 {
    ((accumulator as f32 * multiplier).round_ties_even() + f32::from(zero)).clamp(-128.0, 127.0) as i8
}

#[cfg(test)]
mod tests {
    use super::requantise;

    #[test]
    fn rounds_ties_to_even_and_saturates() {
        assert_eq!([5, 7, -5, -7].map(|a| requantise(a, 0.5, 0)), [2, 4, -2, -4]);
        assert_eq!(requantise(3, 1.0, -128), -125);
        assert_eq!(requantise(i32::MAX, f32::MAX, -128), 127);
        assert_eq!(requantise(i32::MIN, f32::MAX, 127), -128);
        assert_eq!(requantise(300, 1.0, -128), 127);
        assert_eq!(requantise(-1, 1.0, -128), -128);
    }
}
