//! Pixel metrics: all pixels of all test pictures ranked once, for pixel AUROC, pixel AP and AU-PRO.

use super::mask::Mask;
use super::metrics::{Curve, Step};

/// The false-positive rate up to which AU-PRO is taken (Bergmann et al., 2021).
pub const AUPRO_LIMIT: f64 = 0.3;

/// The pixels of a test set by score, the highest first.
#[derive(Clone, Debug, Default)]
pub struct RankedPixels {
    /// Score and region of each pixel, packed so that a plain sort puts the highest score first.
    pixels: Vec<u64>,
    /// 1 / area of each region, by its number; number 0 is "no defect" and weighs nothing.
    weights: Vec<f64>,
}

impl RankedPixels {
    /// Takes the signed anomaly map of each picture with its mask (`None`: a good part), both of one size.
    pub fn new<'a>(pictures: impl IntoIterator<Item = (&'a [i32], Option<&'a Mask>)>) -> Self {
        let mut ranked = Self {
            pixels: Vec::new(),
            weights: vec![0.0],
        };
        for (map, mask) in pictures {
            let Some(mask) = mask else {
                ranked.pixels.extend(map.iter().map(|&score| packed(score, 0)));
                continue;
            };
            let (labels, areas) = mask.regions();
            let first = ranked.weights.len() as u32 - 1;
            let number = |label: u32| if label == 0 { 0 } else { label + first };
            ranked.pixels.extend(
                map.iter()
                    .zip(labels)
                    .map(|(&score, label)| packed(score, number(label))),
            );
            ranked
                .weights
                .extend(areas.iter().map(|&area| 1.0 / f64::from(area)));
        }
        ranked.pixels.sort_unstable();
        ranked
    }

    fn thresholds(&self) -> impl Iterator<Item = &[u64]> {
        self.pixels.chunk_by(|a, b| a >> 32 == b >> 32)
    }

    /// The curve of the single pixels.
    pub fn curve(&self) -> Curve {
        let mut at = Step::default();
        let steps = self.thresholds().map(|tied| {
            let good = tied.iter().filter(|&&p| region(p) == 0).count() as u64;
            at.false_positives += good;
            at.true_positives += tied.len() as u64 - good;
            at
        });
        Curve {
            steps: steps.collect(),
        }
    }

    /// Area under the per-region overlap curve up to a false-positive rate of `limit` (above 0, at most 1),
    /// divided by `limit`: 0 to 1 (Bergmann et al., 2021). The false-positive rate is over all pixels without
    /// defect, the overlap is the mean over regions of the share that is found; between thresholds, and at
    /// the limit, both are interpolated. `None` where there is no region or no good pixel.
    pub fn aupro(&self, limit: f64) -> Option<f64> {
        let regions = (self.weights.len() - 1) as f64;
        let good = self.pixels.iter().filter(|&&p| region(p) == 0).count() as f64;
        if regions == 0.0 || good == 0.0 {
            return None;
        }
        let (mut false_positives, mut found, mut area) = (0.0, 0.0, 0.0);
        let (mut rate, mut overlap) = (0.0, 0.0);
        for tied in self.thresholds() {
            false_positives += tied.iter().filter(|&&p| region(p) == 0).count() as f64;
            found += tied.iter().map(|&p| self.weights[region(p)]).sum::<f64>();
            let (next_rate, next_overlap) = (false_positives / good, found / regions);
            if next_rate >= limit {
                let at_limit = overlap + (next_overlap - overlap) * (limit - rate) / (next_rate - rate);
                return Some((area + (limit - rate) * (overlap + at_limit) / 2.0) / limit);
            }
            area += (next_rate - rate) * (overlap + next_overlap) / 2.0;
            (rate, overlap) = (next_rate, next_overlap);
        }
        None
    }
}

fn packed(score: i32, region: u32) -> u64 {
    let falling = !(score as u32 ^ (1 << 31));
    u64::from(falling) << 32 | u64::from(region)
}

fn region(pixel: u64) -> usize {
    pixel as u32 as usize
}

#[cfg(test)]
mod tests {
    use super::super::mask::tests::drawn;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // two regions, of 1 and 2 pixels, and five good pixels
        let mask = drawn(&["#...##.."]);
        let map = [50, 80, 10, -4, 90, 10, -4, -4];
        let pixels = RankedPixels::new([(&map[..], Some(&mask))]);
        // curve: (0, 1/4) (1/5, 1/4) (1/5, 3/4) (2/5, 1)
        let by_hand = (0.2 * 0.25 + 0.1 * (0.75 + 0.875) / 2.0) / 0.3;
        let found = pixels.aupro(0.3).expect("two regions");
        assert!((found - by_hand).abs() < 1e-12, "{found} {by_hand}");
        let whole = pixels.aupro(1.0).expect("two regions");
        assert!((whole - (0.05 + 0.2 * 0.875 + 0.6)).abs() < 1e-12, "{whole}");
    }

    #[test]
    fn perfect_and_absent() {
        let mask = drawn(&["#..", "..#"]);
        let map = [9, 0, 0, 0, 0, 9];
        assert_eq!(
            RankedPixels::new([(&map[..], Some(&mask)), (&[0; 6], None)]).aupro(0.3),
            Some(1.0)
        );
        assert_eq!(RankedPixels::new([(&map[..], None)]).aupro(0.3), None);
        assert_eq!(
            RankedPixels::new([(&[1, 2][..], Some(&drawn(&["##"])))]).aupro(0.3),
            None
        );
        assert_eq!(RankedPixels::default().curve().auroc(), None);
    }

    /// Two pictures of 24 x 16 with five regions and many ties; the first without defect, from a small
    /// generator.
    fn golden() -> [(Vec<i32>, Mask); 2] {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as i32 % 40 - 10
        };
        let inside = |x: usize, y: usize| (x / 6 + y / 5) % 3 == 1 && x % 6 < 4 && y % 5 < 3;
        [false, true].map(|bad| {
            let places = || (0..16 * 24).map(|i| bad && inside(i % 24, i / 24));
            let map = places().map(|d| next() + if d { 9 } else { 0 }).collect();
            (
                map,
                Mask {
                    width: 24,
                    height: 16,
                    defect: places().collect(),
                },
            )
        })
    }

    #[test]
    fn as_scikit_learn_1_9_and_scipy() {
        let golden = golden();
        let pixels = RankedPixels::new(golden.iter().map(|(map, mask)| (&map[..], Some(mask))));
        let curve = pixels.curve();
        let found = [
            curve.auroc(),
            curve.average_precision(),
            pixels.aupro(0.3),
            pixels.aupro(0.05),
        ]
        .map(|m| m.expect("a mask"));
        let expected = [
            0.672_432_316_287_064_9,
            0.245_356_291_802_246_02,
            0.302_037_554_314_090_7,
            0.209_730_697_607_792_6,
        ];
        assert!(
            found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-12),
            "{found:?}"
        );
    }

    /// The definition, threshold by threshold.
    fn slow(pictures: &[(Vec<i32>, Mask)], limit: f64) -> Option<f64> {
        let mut thresholds: Vec<i32> = pictures.iter().flat_map(|p| p.0.clone()).collect();
        thresholds.sort_unstable_by(|a, b| b.cmp(a));
        thresholds.dedup();
        thresholds.first()?;
        let mut points = vec![(0.0, 0.0)];
        for threshold in thresholds {
            let (mut good, mut false_positives, mut overlaps) = (0.0, 0.0, Vec::new());
            for (map, mask) in pictures {
                let (labels, areas) = mask.regions();
                let share = |label: u32| {
                    let of = || labels.iter().zip(map).filter(move |&(&l, _)| l == label);
                    (
                        of().filter(|&(_, &s)| s >= threshold).count() as f64,
                        of().count() as f64,
                    )
                };
                good += share(0).1;
                false_positives += share(0).0;
                overlaps.extend((1..=areas.len() as u32).map(|l| share(l).0 / share(l).1));
            }
            if overlaps.is_empty() || good == 0.0 {
                return None;
            }
            points.push((
                false_positives / good,
                overlaps.iter().sum::<f64>() / overlaps.len() as f64,
            ));
        }
        let mut area = 0.0;
        for pair in points.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            if x0 < limit && x1 > x0 {
                let x = x1.min(limit);
                area += (x - x0) * (y0 + y0 + (y1 - y0) * (x - x0) / (x1 - x0)) / 2.0;
            }
        }
        Some(area / limit)
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            pixels in proptest::collection::vec((-3i32..6, any::<bool>()), 0..120),
            width in 1usize..7,
            limit in prop_oneof![Just(0.3), Just(1.0), 0.01f64..1.0],
        ) {
            let pictures: Vec<(Vec<i32>, Mask)> = pixels.chunks_exact(4 * width).map(|chunk| {
                let (map, defect) = chunk.iter().copied().unzip();
                (map, Mask { width, height: 4, defect })
            }).collect();
            let ranked = RankedPixels::new(pictures.iter().map(|(map, mask)| (&map[..], Some(mask))));
            match (ranked.aupro(limit), slow(&pictures, limit)) {
                (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 1e-9, "{} \
                    {}", found, expected),
                (found, expected) => prop_assert_eq!(found, expected),
            }
            let flat = pictures.iter();
            let flat = flat.flat_map(|(map, mask)| map.iter().copied().zip(mask.defect.iter().copied()));
            prop_assert_eq!(ranked.curve(), Curve::new(flat.collect()));
        }

        #[test]
        fn packing_keeps_the_order(
            a in any::<i32>(),
            b in any::<i32>(),
            region_a in any::<u32>(),
            region_b in any::<u32>(),
        ) {
            prop_assert_eq!(region(packed(a, region_a)), region_a as usize);
            if a > b { prop_assert!(packed(a, region_a) < packed(b, region_b)); }
        }
    }
}
