//! Separable integer smoothing of the anomaly map.

/// The widest smoothing, in pixels of the map.
pub const MAX_SIGMA: f64 = 8.0;

/// A Gaussian in 8-bit fixed point: the taps sum to 256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Half of the symmetric kernel, the centre first.
    half: Vec<u16>,
}

impl Kernel {
    /// `sigma` in pixels, 0 (no smoothing) to [`MAX_SIGMA`], outside of which it is brought to the nearer end.
    pub fn gaussian(sigma: f64) -> Self {
        let sigma = if sigma.is_finite() { sigma.clamp(0.0, MAX_SIGMA) } else { 0.0 };
        let radius = libm::ceil(3.0 * sigma) as usize;
        let weight = |i: usize| if i == 0 { 1.0 } else { libm::exp(-((i * i) as f64) / (2.0 * sigma * sigma)) };
        let total: f64 = weight(0) + 2.0 * (1..=radius).map(weight).sum::<f64>();
        let mut half: Vec<u16> = (0..=radius).map(|i| libm::round(weight(i) / total * 256.0) as u16).collect();
        // the centre takes what rounding left over, so that a flat map keeps its value
        half[0] = 256 - 2 * half[1..].iter().sum::<u16>();
        while half.len() > 1 && half.last() == Some(&0) {
            half.pop();
        }
        Self { half }
    }

    /// Smooths `map` (rows of `width` values, -255 to 255) in both directions, borders repeated. The result is in
    /// signed Q8.8, rounded down; `scratch` and `out` take one value a pixel.
    pub fn apply(&self, map: &[i16], width: usize, scratch: &mut [i32], out: &mut [i32]) {
        let height = map.len() / width;
        for (row, to) in map.chunks_exact(width).zip(scratch.chunks_exact_mut(width)) {
            for (x, to) in to.iter_mut().enumerate() {
                *to = self.tap(x, width, |x| i32::from(row[x]));
            }
        }
        for y in 0..height {
            for x in 0..width {
                let pick = |y: usize| scratch[y * width + x];
                // an arithmetic shift rounds down on every target
                out[y * width + x] = self.tap(y, height, pick) >> 8;
            }
        }
    }

    fn tap(&self, at: usize, length: usize, pick: impl Fn(usize) -> i32) -> i32 {
        let mut sum = i32::from(self.half[0]) * pick(at);
        for (i, &weight) in self.half.iter().enumerate().skip(1) {
            sum += i32::from(weight) * (pick(at.saturating_sub(i)) + pick((at + i).min(length - 1)));
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn smooth(sigma: f64, map: &[i16], width: usize) -> Vec<i32> {
        let (mut scratch, mut out) = (vec![0; map.len()], vec![0; map.len()]);
        Kernel::gaussian(sigma).apply(map, width, &mut scratch, &mut out);
        out
    }

    #[test]
    fn kernels_are_the_same_numbers_on_every_target() {
        assert_eq!(Kernel::gaussian(0.0).half, [256]);
        assert_eq!(Kernel::gaussian(1.0).half, [102, 62, 14, 1]);
        assert_eq!(Kernel::gaussian(2.0).half, [50, 45, 31, 17, 7, 2, 1]);
        assert_eq!(Kernel::gaussian(f64::NAN), Kernel::gaussian(0.0));
    }

    #[test]
    fn a_point_becomes_the_kernel() {
        let mut map = [0i16; 49];
        map[24] = 64;
        let art: Vec<String> = smooth(1.0, &map, 7)
            .chunks(7)
            .map(|row| row.iter().map(|&v| b" .:-=+*#%@"[(v / 300).min(9) as usize] as char).collect())
            .collect();
        assert_eq!(art, ["       ", "   .   ", "  -+-  ", " .+%+. ", "  -+-  ", "   .   ", "       "], "{art:#?}");
    }

    proptest! {
        #[test]
        fn a_flat_map_keeps_its_value(sigma in 0.0..MAX_SIGMA, value in -255i16..=255, width in 1usize..20, height in 1usize..20) {
            let out = smooth(sigma, &vec![value; width * height], width);
            prop_assert!(out.iter().all(|&v| v == i32::from(value) * 256));
        }

        #[test]
        fn stays_within_the_range_and_turns_with_the_map(sigma in 0.0..4.0, map in proptest::collection::vec(-255i16..=255, 144)) {
            let out = smooth(sigma, &map, 12);
            let (low, high) = (map.iter().min().map_or(0, |&v| i32::from(v)), map.iter().max().map_or(0, |&v| i32::from(v)));
            prop_assert!(out.iter().all(|&v| (low * 256..=high * 256).contains(&v)));
            let turned: Vec<i16> = map.iter().rev().copied().collect();
            let mut back = smooth(sigma, &turned, 12);
            back.reverse();
            prop_assert_eq!(out, back);
        }
    }
}
