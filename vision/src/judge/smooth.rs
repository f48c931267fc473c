//! Separable integer smoothing of the anomaly map.

use crate::processor::vectorised;

/// The widest smoothing, in pixels of the map.
pub const MAX_SIGMA: f64 = 8.0;
/// Neighbouring values that are summed together.
const LANES: usize = 32;

/// A Gaussian in 8-bit fixed point: the taps sum to 256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gaussian {
    /// Half of the symmetric kernel, the centre first.
    half: Vec<u16>,
}

/// Planes to work in, allocated once.
#[derive(Clone, Debug)]
pub struct Scratch {
    /// A row with its border repeated on both sides.
    row: Vec<u8>,
    /// Sums of a row or of a column of rows.
    sums: [Vec<u16>; 2],
    /// The upper and the lower byte of each value smoothed along its row.
    bytes: [Vec<u8>; 2],
}

impl Gaussian {
    /// `sigma` in pixels, 0 (no smoothing) to [`MAX_SIGMA`], outside of which it is brought to the nearer
    /// end.
    pub fn new(sigma: f64) -> Self {
        let sigma = if sigma.is_finite() {
            sigma.clamp(0.0, MAX_SIGMA)
        } else {
            0.0
        };
        let radius = libm::ceil(3.0 * sigma) as usize;
        let weight = |i: usize| {
            if i == 0 {
                1.0
            } else {
                libm::exp(-((i * i) as f64) / (2.0 * sigma * sigma))
            }
        };
        let total: f64 = weight(0) + 2.0 * (1..=radius).map(weight).sum::<f64>();
        let mut half: Vec<u16> = (0..=radius)
            .map(|i| libm::round(weight(i) / total * 256.0) as u16)
            .collect();
        // the centre takes what rounding left over, so that a flat map keeps its value
        half[0] = 256 - 2 * half[1..].iter().sum::<u16>();
        while half.len() > 1 && half.last() == Some(&0) {
            half.pop();
        }
        Self { half }
    }

    /// What [`Self::apply`] needs for maps of `width` x `height`.
    pub fn scratch(&self, width: usize, height: usize) -> Scratch {
        let (sums, plane) = (vec![0; width], vec![0; width * height]);
        let row = vec![0; width + 2 * self.radius()];
        Scratch {
            row,
            sums: [sums.clone(), sums],
            bytes: [plane.clone(), plane],
        }
    }

    fn radius(&self) -> usize {
        self.half.len() - 1
    }

    /// Smooths `map` (rows of `width` values) in both directions, borders repeated, into Q8.8, rounded down;
    /// `out` takes one value a pixel.
    ///
    /// # Panics
    /// Where `scratch` was made for another kernel or size.
    pub fn apply(&self, map: &[u8], width: usize, scratch: &mut Scratch, out: &mut [u16]) {
        smooth(&self.half, map, width, scratch, out);
    }

    /// The same of values from -255 to 255, in signed Q8.8 rounded down: for evaluation, which has time.
    pub fn signed(&self, map: &[i16], width: usize) -> Vec<i32> {
        let height = map.len() / width;
        let along = |i: usize| self.tap(i % width, width, |x| i32::from(map[i / width * width + x]));
        let rows: Vec<i32> = (0..map.len()).map(along).collect();
        // an arithmetic shift rounds down on every target
        (0..map.len())
            .map(|i| self.tap(i / width, height, |y| rows[y * width + i % width]) >> 8)
            .collect()
    }

    fn tap(&self, at: usize, length: usize, pick: impl Fn(usize) -> i32) -> i32 {
        let mut sum = i32::from(self.half[0]) * pick(at);
        for (i, &weight) in self.half.iter().enumerate().skip(1) {
            sum += i32::from(weight) * (pick(at.saturating_sub(i)) + pick((at + i).min(length - 1)));
        }
        sum
    }
}

vectorised! {
    /// See [`Gaussian::apply`].
    fn smooth(half: &[u16], map: &[u8], width: usize, scratch: &mut Scratch, out: &mut [u16]) {
        let (radius, height) = (half.len() - 1, map.len() / width);
        let Scratch { row: padded, sums: [sums, lower_sums], bytes: [upper, lower] } = scratch;
        let lines = upper.chunks_exact_mut(width).zip(lower.chunks_exact_mut(width));
        for (row, (upper, lower)) in map.chunks_exact(width).zip(lines) {
            let (before, rest) = padded.split_at_mut(radius);
            let (middle, after) = rest.split_at_mut(width);
            before.fill(row[0]);
            middle.copy_from_slice(row);
            after.fill(row[width - 1]);
            sum(half, sums, |i| [&padded[radius - i..][..width], &padded[radius + i..][..width]]);
            for ((upper, lower), sum) in upper.iter_mut().zip(lower).zip(&*sums) {
                (*upper, *lower) = ((sum >> 8) as u8, *sum as u8);
            }
        }
        // the sum of the upper bytes counts 256 times as much, so nothing is lost of what is rounded down at
        // the end
        for (y, out) in out.chunks_exact_mut(width).enumerate() {
            for (bytes, sums) in [(&*upper, &mut *sums), (&*lower, &mut *lower_sums)] {
                let line = |y: usize| &bytes[y * width..][..width];
                sum(half, sums, |i| [line(y.saturating_sub(i)), line((y + i).min(height - 1))]);
            }
            for ((out, upper), lower) in out.iter_mut().zip(&*sums).zip(&*lower_sums) {
                *out = upper + (lower >> 8);
            }
        }
    }
}

/// Sums lines of values that lie at distance `i` on either side, weighted: 255 * 256 at most.
#[inline(always)]
fn sum<'a>(half: &[u16], sums: &mut [u16], beside: impl Fn(usize) -> [&'a [u8]; 2]) {
    let mut from = 0;
    while from + LANES <= sums.len() {
        sum_some::<LANES>(half, sums, from, &beside);
        from += LANES;
    }
    while from < sums.len() {
        sum_some::<1>(half, sums, from, &beside);
        from += 1;
    }
}

#[inline(always)]
fn sum_some<'a, const N: usize>(
    half: &[u16],
    sums: &mut [u16],
    from: usize,
    beside: &impl Fn(usize) -> [&'a [u8]; 2],
) {
    let some = |line: &'a [u8]| -> &'a [u8; N] { line[from..].first_chunk().expect("as long as the sums") };
    let centre = some(beside(0)[0]);
    let mut kept: [u16; N] = std::array::from_fn(|x| half[0] * u16::from(centre[x]));
    for (i, &weight) in half.iter().enumerate().skip(1) {
        let [a, b] = beside(i).map(some);
        for x in 0..N {
            kept[x] += weight * (u16::from(a[x]) + u16::from(b[x]));
        }
    }
    sums[from..from + N].copy_from_slice(&kept);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn smooth(sigma: f64, map: &[u8], width: usize) -> Vec<u16> {
        let kernel = Gaussian::new(sigma);
        let (mut scratch, mut out) = (kernel.scratch(width, map.len() / width), vec![0; map.len()]);
        kernel.apply(map, width, &mut scratch, &mut out);
        out
    }

    #[test]
    fn kernels_are_the_same_numbers_on_every_target() {
        assert_eq!(Gaussian::new(0.0).half, [256]);
        assert_eq!(Gaussian::new(1.0).half, [102, 62, 14, 1]);
        assert_eq!(Gaussian::new(2.0).half, [50, 45, 31, 17, 7, 2, 1]);
        assert_eq!(Gaussian::new(f64::NAN), Gaussian::new(0.0));
    }

    #[test]
    fn a_point_becomes_the_kernel() {
        let mut map = [0; 49];
        map[24] = 64;
        let art: Vec<String> = smooth(1.0, &map, 7)
            .chunks(7)
            .map(|row| {
                row.iter()
                    .map(|&v| b" .:-=+*#%@"[usize::from(v / 300).min(9)] as char)
                    .collect()
            })
            .collect();
        assert_eq!(
            art,
            [
                "       ", "   .   ", "  -+-  ", " .+%+. ", "  -+-  ", "   .   ", "       "
            ],
            "{art:#?}"
        );
    }

    proptest! {
        #[test]
        fn a_flat_map_keeps_its_value(
            sigma in 0.0..MAX_SIGMA,
            value: u8,
            width in 1usize..70,
            height in 1usize..20,
        ) {
            let out = smooth(sigma, &vec![value; width * height], width);
            prop_assert!(out.iter().all(|&v| v == u16::from(value) * 256));
        }

        #[test]
        fn equals_the_definition(
            sigma in 0.0..MAX_SIGMA,
            map in proptest::collection::vec(any::<u8>(), 600),
            width in prop::sample::select(vec![1usize, 12, 40, 75]),
        ) {
            let signed: Vec<i16> = map.iter().map(|&v| i16::from(v)).collect();
            let found: Vec<i32> = smooth(sigma, &map, width).into_iter().map(i32::from).collect();
            prop_assert_eq!(found, Gaussian::new(sigma).signed(&signed, width));
        }

        #[test]
        fn stays_within_the_range_and_turns_with_the_map(
            sigma in 0.0..4.0,
            map in proptest::collection::vec(-255i16..=255, 144),
        ) {
            let out = Gaussian::new(sigma).signed(&map, 12);
            let low = map.iter().min().map_or(0, |&v| i32::from(v));
            let high = map.iter().max().map_or(0, |&v| i32::from(v));
            prop_assert!(out.iter().all(|&v| (low * 256..=high * 256).contains(&v)));
            let turned: Vec<i16> = map.iter().rev().copied().collect();
            let mut back = Gaussian::new(sigma).signed(&turned, 12);
            back.reverse();
            prop_assert_eq!(out, back);
        }
    }
}
