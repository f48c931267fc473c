//! Histogram error estimation in fixed point, after Xing and Li (2023).
//!
//! Most pixels of a part are normal, so the peak of the difference image's histogram is the error that the
//! reconstruction makes on normal pixels of *this* picture. HEE finds it and takes it off, at the cost of one
//! pass. The cap is ours: without it a defect that covers most of a part is itself the peak, and erases
//! itself.

use serde::{Deserialize, Serialize};

/// How the error is read off the histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Estimator {
    /// Upper edge of the highest bin of the histogram smoothed over 3 bins.
    #[default]
    Mode,
    /// Upper edge of the bin at which this many thousandths of the pixels are reached.
    Quantile(u16),
    /// The bin farthest below the line from the peak to the last used bin (Zack, Rogers and Latt, 1977).
    Triangle,
    /// Always this value; `Fixed` at the map's zero level switches HEE off.
    Fixed(u8),
}

/// HEE's settings in a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hee {
    /// How the error is estimated.
    pub estimator: Estimator,
    /// The error is never taken larger than this, in the map's unit.
    pub cap: u8,
}

impl Hee {
    /// The reconstruction error of this map, in its unit. Any number of pixels up to 2^31.
    pub fn error(&self, map: &[u8]) -> u8 {
        self.error_beside(map, 0)
    }

    /// The same of a map of which so many pixels are not looked at, and 0.
    pub fn error_beside(&self, map: &[u8], ignored: u32) -> u8 {
        let mut histogram = histogram(map, |&v| v);
        histogram[0] -= ignored;
        self.estimator.error(&histogram).min(self.cap)
    }
}

impl Estimator {
    /// The error before the cap, from a histogram; 0 for an empty one.
    pub fn error(self, histogram: &[u32; 256]) -> u8 {
        match self {
            Self::Mode => mode(histogram),
            Self::Quantile(thousandths) => quantile(histogram, thousandths),
            Self::Triangle => triangle(histogram),
            Self::Fixed(value) => value,
        }
    }
}

/// The cap from the uncapped errors of held-out normal pictures: the largest seen, and half as far again from
/// the map's zero level.
pub fn cap(errors: &[u8], zero: u8) -> u8 {
    let largest = errors.iter().copied().max().unwrap_or(zero);
    largest.saturating_add(largest.saturating_sub(zero).div_ceil(2))
}

/// The cap of a map of the learned difference alone: the least of those errors. Such a map has no error that
/// the light makes, for the network was taught to see none in it; where its peak lies higher than on any good
/// part, much of the part looks bad, and that is to stay. With a higher cap more is taken off some good parts
/// than off others, and they change places with bad ones.
pub fn cap_of_learned(errors: &[u8], zero: u8) -> u8 {
    errors.iter().copied().min().unwrap_or(zero)
}

/// Counts of the values' bytes. Four tables, so that runs of one byte do not wait for each other.
pub fn histogram<V>(values: &[V], byte: impl Fn(&V) -> u8) -> [u32; 256] {
    let mut tables = [[0u32; 256]; 4];
    let (chunks, rest) = values.as_chunks::<4>();
    for chunk in chunks {
        for (table, v) in tables.iter_mut().zip(chunk) {
            table[usize::from(byte(v))] += 1;
        }
    }
    for v in rest {
        tables[0][usize::from(byte(v))] += 1;
    }
    std::array::from_fn(|i| tables.iter().map(|t| t[i]).sum())
}

/// The upper edge of bin `i`, the first value above it.
fn upper_edge(i: usize) -> u8 {
    (i + 1).min(255) as u8
}

/// The highest bin of the 3-bin sum (of equals the one that is higher itself, then the lower one); the
/// outermost bins are counted twice at the ends. The value 0 of an empty map, or of one that is all zero, is
/// no error.
fn mode(histogram: &[u32; 256]) -> u8 {
    let smoothed = |i: usize| {
        u64::from(histogram[i.saturating_sub(1)])
            + u64::from(histogram[i])
            + u64::from(histogram[(i + 1).min(255)])
    };
    let peak = (0..256)
        .rev()
        .max_by_key(|&i| (smoothed(i), histogram[i]))
        .unwrap_or(0);
    if histogram[1..].iter().all(|&n| n == 0) {
        0
    } else {
        upper_edge(peak)
    }
}

fn quantile(histogram: &[u32; 256], thousandths: u16) -> u8 {
    let total: u64 = histogram.iter().map(|&n| u64::from(n)).sum();
    let mut below = 0;
    for (i, &n) in histogram.iter().enumerate() {
        below += u64::from(n) * 1000;
        if below >= total * u64::from(thousandths) {
            return if total == 0 { 0 } else { upper_edge(i) };
        }
    }
    255
}

fn triangle(histogram: &[u32; 256]) -> u8 {
    let peak = (0..256).rev().max_by_key(|&i| histogram[i]).unwrap_or(0);
    let last = (0..256).rev().find(|&i| histogram[i] > 0).unwrap_or(0);
    // the distance below the line times its length, in integers
    let below = |i: usize| {
        let (dx, run) = ((i - peak) as i64, (last - peak) as i64);
        let (top, end) = (i64::from(histogram[peak]), i64::from(histogram[last]));
        top * run + (end - top) * dx - i64::from(histogram[i]) * run
    };
    let knee = (peak..=last).rev().max_by_key(|&i| below(i)).unwrap_or(peak);
    if last == 0 { 0 } else { upper_edge(knee) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(pairs: &[(usize, u32)]) -> [u32; 256] {
        let mut h = [0; 256];
        pairs.iter().for_each(|&(i, n)| h[i] = n);
        h
    }

    #[test]
    fn mode_is_the_upper_edge_of_the_smoothed_peak() {
        // 9, 10 and 11 together beat the single high bin 40
        let h = counts(&[(9, 50), (10, 60), (11, 50), (40, 120)]);
        assert_eq!(Estimator::Mode.error(&h), 11);
        // a tie goes to the lower bin
        assert_eq!(Estimator::Mode.error(&counts(&[(20, 9), (80, 9)])), 21);
    }

    #[test]
    fn nothing_wrong_is_no_error() {
        for estimator in [Estimator::Mode, Estimator::Quantile(500), Estimator::Triangle] {
            assert_eq!(estimator.error(&[0; 256]), 0, "{estimator:?}");
        }
        assert_eq!(
            Hee {
                estimator: Estimator::Mode,
                cap: 255
            }
            .error(&[0; 64]),
            0
        );
    }

    #[test]
    fn quantile_counts_pixels() {
        let h = counts(&[(3, 50), (7, 40), (200, 10)]);
        let at = |q| Estimator::Quantile(q).error(&h);
        assert_eq!((at(500), at(501), at(900), at(901)), (4, 8, 8, 201));
    }

    #[test]
    fn triangle_finds_the_knee() {
        let h = counts(&[
            (10, 100),
            (11, 60),
            (12, 20),
            (13, 6),
            (14, 5),
            (15, 4),
            (16, 3),
            (20, 1),
        ]);
        assert_eq!(Estimator::Triangle.error(&h), 14);
    }

    #[test]
    fn a_defect_over_the_whole_part_does_not_erase_itself() {
        let hee = Hee {
            estimator: Estimator::Mode,
            cap: cap(&[5, 8, 6], 0),
        };
        assert_eq!(hee.cap, 12);
        assert_eq!(hee.error(&[200; 4096]), 12);
    }

    #[test]
    fn the_cap_leaves_room_only_above_zero() {
        assert_eq!(cap(&[36, 40], 32), 44);
        assert_eq!(cap(&[20, 25], 32), 25);
        assert_eq!(cap(&[250], 0), 255);
        assert_eq!(cap(&[], 32), 32);
        assert_eq!(
            [cap_of_learned(&[90, 30, 36, 28], 32), cap_of_learned(&[], 32)],
            [28, 32]
        );
    }

    proptest! {
        #[test]
        fn histogram_counts_each_pixel_once(map in proptest::collection::vec(any::<u8>(), 0..999)) {
            let h = histogram(&map, |&v| v);
            for v in 0..=255u8 {
                prop_assert_eq!(h[usize::from(v)] as usize, map.iter().filter(|&&p| p == v).count());
            }
        }

        #[test]
        fn order_of_pixels_does_not_matter_and_the_cap_holds(
            mut map in proptest::collection::vec(any::<u8>(), 1..500),
            cap in 0u8..,
        ) {
            let quantile = Estimator::Quantile(700);
            for estimator in [Estimator::Mode, quantile, Estimator::Triangle, Estimator::Fixed(77)] {
                let hee = Hee { estimator, cap };
                let before = hee.error(&map);
                map.sort_unstable();
                prop_assert_eq!(before, hee.error(&map));
                prop_assert!(before <= cap);
            }
        }

        #[test]
        fn a_lift_of_all_pixels_lifts_the_mode_as_much(
            map in proptest::collection::vec(1u8..100, 1..500),
            lift in 0u8..100,
        ) {
            let lifted: Vec<u8> = map.iter().map(|v| v + lift).collect();
            let hee = Hee { estimator: Estimator::Mode, cap: 255 };
            prop_assert_eq!(hee.error(&map) + lift, hee.error(&lifted));
        }
    }
}
