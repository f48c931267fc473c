//! Evaluation: how well a recipe tells good parts from bad, by the same rules every time.

pub mod aupro;
pub mod error;
pub mod json;
pub mod mask;
pub mod metrics;
mod panels;
pub mod report;
mod rows;
pub mod run;
pub mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::dataset::GOOD;
use aupro::{AUPRO_LIMIT, RankedPixels};
use mask::Mask;
use metrics::{Curve, ordered};

/// What came out for one test picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The picture.
    pub path: PathBuf,
    /// `good` or the name of the defect.
    pub label: String,
    /// Where the defect is, in the size of `map`. A good part needs none: it has no defect anywhere.
    pub mask: Option<Mask>,
    /// How different the part is.
    pub score: f64,
    /// The verdict.
    pub rejected: bool,
    /// The signed anomaly map, row by row.
    pub map: Vec<i32>,
}

impl Scored {
    /// Whether the part is good in truth.
    pub fn good(&self) -> bool {
        self.label == GOOD
    }
}

/// Results on a test set. A value is `None` where it has no meaning, or, all of them, where nothing was run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// Area under the ROC curve of the pictures' scores, 0 to 1.
    pub image_auroc: Option<f64>,
    /// Average precision of the pictures' scores, step definition, 0 to 1.
    pub image_ap: Option<f64>,
    /// Area under the ROC curve of the pixels. The three pixel metrics are over good pictures and those with
    /// a mask, and `None` where no picture has a mask.
    pub pixel_auroc: Option<f64>,
    /// Average precision of the pixels.
    pub pixel_ap: Option<f64>,
    /// AU-PRO up to a false-positive rate of 0.3.
    pub aupro: Option<f64>,
    /// The share of good parts that are rejected.
    pub false_reject_rate: Option<f64>,
    /// The share of bad parts that pass.
    pub miss_rate: Option<f64>,
    /// The threshold that the two rates are at: each row of a table has its own, set by the same rule.
    pub threshold: Option<f64>,
    /// The same for each kind of defect, by name.
    pub per_defect: Vec<DefectRate>,
    /// The ROC curve of the pictures, from (0, 0) to (1, 1), for drawing.
    #[serde(skip)]
    pub roc: Vec<(f64, f64)>,
}

/// How many parts with one kind of defect are found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DefectRate {
    /// The name of the defect.
    pub label: String,
    /// Test pictures with it.
    pub pictures: usize,
    /// Those that are rejected.
    pub found: usize,
    /// Area under the ROC curve of these pictures against all good ones.
    pub image_auroc: Option<f64>,
}

/// How many test pictures there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub pictures: usize,
    /// Good parts.
    pub good: usize,
    /// Bad parts.
    pub bad: usize,
    /// Bad parts with a mask.
    pub masks: usize,
}

impl Counts {
    /// Counts test pictures.
    pub fn of(scored: &[Scored]) -> Self {
        let good = scored.iter().filter(|s| s.good()).count();
        let masks = scored.iter().filter(|s| !s.good() && s.mask.is_some()).count();
        Self {
            pictures: scored.len(),
            good,
            bad: scored.len() - good,
            masks,
        }
    }
}

/// The metrics of a test set whose verdicts were made at `threshold`. With none, nothing that hangs on
/// verdicts is given.
pub fn summarise(scored: &[Scored], threshold: Option<f64>) -> Metrics {
    let counts = Counts::of(scored);
    let images = curve(scored.iter());
    let rate = |of: usize, all: usize| (threshold.is_some() && all > 0).then(|| of as f64 / all as f64);
    let false_rejects = scored.iter().filter(|s| s.good() && s.rejected).count();
    let misses = scored.iter().filter(|s| !s.good() && !s.rejected).count();
    let mut metrics = Metrics {
        image_auroc: images.auroc(),
        image_ap: images.average_precision(),
        false_reject_rate: rate(false_rejects, counts.good),
        miss_rate: rate(misses, counts.bad),
        threshold,
        per_defect: threshold.map_or(Vec::new(), |_| per_defect(scored)),
        roc: images.roc(),
        ..Metrics::default()
    };
    if counts.masks > 0 {
        // where a bad picture has no mask, the truth about its pixels is not known
        let known = scored.iter().filter(|s| s.good() || s.mask.is_some());
        let pixels = RankedPixels::new(known.map(|s| (&s.map[..], s.mask.as_ref().filter(|_| !s.good()))));
        let curve = pixels.curve();
        metrics.pixel_auroc = curve.auroc();
        metrics.pixel_ap = curve.average_precision();
        metrics.aupro = pixels.aupro(AUPRO_LIMIT);
    }
    metrics
}

fn curve<'a>(scored: impl Iterator<Item = &'a Scored>) -> Curve {
    Curve::new(scored.map(|s| (ordered(s.score), !s.good())).collect())
}

fn per_defect(scored: &[Scored]) -> Vec<DefectRate> {
    let mut by_label: BTreeMap<&str, Vec<&Scored>> = BTreeMap::new();
    for picture in scored.iter().filter(|s| !s.good()) {
        by_label.entry(&picture.label).or_default().push(picture);
    }
    let rate = |(label, bad): (&str, Vec<&Scored>)| DefectRate {
        label: label.to_owned(),
        pictures: bad.len(),
        found: bad.iter().filter(|s| s.rejected).count(),
        image_auroc: curve(scored.iter().filter(|s| s.good()).chain(bad)).auroc(),
    };
    by_label.into_iter().map(rate).collect()
}

#[cfg(test)]
mod tests {
    use super::mask::tests::drawn;
    use super::*;

    fn scored(label: &str, score: f64, map: [i32; 4], mask: Option<Mask>) -> Scored {
        Scored {
            path: PathBuf::new(),
            label: label.to_owned(),
            mask,
            score,
            rejected: score > 2.0,
            map: map.to_vec(),
        }
    }

    fn test_set() -> Vec<Scored> {
        vec![
            scored("good", 1.0, [0, 1, 2, 3], None),
            scored("good", 2.5, [0, 9, 0, 0], None),
            scored("dent", 3.0, [7, 7, 0, 0], Some(drawn(&["##", ".."]))),
            scored("dent", 1.5, [0, 4, 0, 0], Some(drawn(&[".#", ".."]))),
            scored("cut", 4.0, [8, 0, 0, 0], Some(drawn(&["#.", ".."]))),
        ]
    }

    #[test]
    fn by_hand() {
        let set = test_set();
        assert_eq!(
            Counts::of(&set),
            Counts {
                pictures: 5,
                good: 2,
                bad: 3,
                masks: 3
            }
        );
        let metrics = summarise(&set, Some(2.0));
        assert_eq!(metrics.image_auroc, Some(5.0 / 6.0));
        assert_eq!(
            (metrics.false_reject_rate, metrics.miss_rate),
            (Some(0.5), Some(1.0 / 3.0))
        );
        let dent = DefectRate {
            label: "dent".to_owned(),
            pictures: 2,
            found: 1,
            image_auroc: Some(0.75),
        };
        let cut = DefectRate {
            label: "cut".to_owned(),
            pictures: 1,
            found: 1,
            image_auroc: Some(1.0),
        };
        assert_eq!(metrics.per_defect, [cut, dent]);
        // one good pixel of 16 is above all four defect pixels
        assert_eq!(metrics.pixel_auroc, Some(15.0 / 16.0));
        assert_eq!(
            metrics.pixel_ap,
            Some((1.0 / 2.0 + 2.0 * 3.0 / 4.0 + 4.0 / 5.0) / 4.0)
        );
        assert!(metrics.aupro.is_some_and(|a| a > 0.7 && a < 1.0));
    }

    #[test]
    fn no_pixel_metrics_without_masks() {
        let mut set = test_set();
        set.iter_mut().for_each(|s| s.mask = None);
        let metrics = summarise(&set, Some(2.0));
        assert_eq!(
            (metrics.pixel_auroc, metrics.pixel_ap, metrics.aupro),
            (None, None, None)
        );
        assert_eq!(metrics.image_auroc, Some(5.0 / 6.0));
    }

    #[test]
    fn pictures_without_a_mask_stay_out_of_the_pixel_metrics() {
        let mut set = test_set();
        let before = summarise(&set, Some(2.0));
        set.push(scored("stain", 9.0, [99, 99, 99, -99], None));
        let after = summarise(&set, Some(2.0));
        assert_eq!(
            (before.pixel_auroc, before.aupro),
            (after.pixel_auroc, after.aupro)
        );
        assert_ne!(before.image_auroc, after.image_auroc);
    }

    #[test]
    fn nothing_to_rate() {
        assert_eq!(
            summarise(&[], Some(1.0)),
            Metrics {
                threshold: Some(1.0),
                ..Metrics::default()
            }
        );
        let good = summarise(&test_set()[..2], Some(2.0));
        let no_verdicts = summarise(&test_set(), None);
        assert!(no_verdicts.per_defect.is_empty() && no_verdicts.image_auroc.is_some());
        assert_eq!(
            (no_verdicts.false_reject_rate, no_verdicts.miss_rate),
            (None, None)
        );
        assert_eq!(
            (good.image_auroc, good.false_reject_rate, good.miss_rate),
            (None, Some(0.5), None)
        );
    }
}
