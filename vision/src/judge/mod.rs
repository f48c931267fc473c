//! From a picture and its reconstruction to a score: difference, noise map, HEE, smoothing.
//!
//! One implementation for the device, the trainer's calibration and evaluation, and the tests. All of it is
//! integer arithmetic, so that the same pictures give the same score on every target. Nothing is allocated
//! after `new`.

pub mod difference;
pub mod hee;
pub mod promise;
pub mod region;
pub mod score;
pub mod smooth;

use serde::{Deserialize, Serialize};

use crate::preprocess::Pose;
use difference::Form;
use difference::deviation::{Deviation, NoiseMap};
use hee::{Estimator, Hee};
use region::{LOOK, Regions};
use score::{Pooling, Score};
use smooth::Gaussian;

pub use difference::Seen;

/// What a judge needs to know, from the recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgeSettings {
    /// The difference images, at least one. The map that HEE reads is their mean, each measured against its
    /// noise map.
    pub forms: Vec<Form>,
    /// The error to take off.
    pub hee: Hee,
    /// Smoothing in pixels of the network's picture.
    pub smoothing_sigma: f64,
    /// How the map becomes a score.
    pub pooling: Pooling,
    /// What of the picture counts.
    pub regions: Regions,
}

impl JudgeSettings {
    /// HEE by the mode and without a cap.
    pub fn uncapped(forms: &[Form], smoothing_sigma: f64, pooling: Pooling, regions: &Regions) -> Self {
        let hee = Hee {
            estimator: Estimator::Mode,
            cap: u8::MAX,
        };
        let (forms, regions) = (forms.to_vec(), regions.clone());
        Self {
            forms,
            hee,
            smoothing_sigma,
            pooling,
            regions,
        }
    }
}

/// What the judge says of one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How different the part is.
    pub score: Score,
    /// What HEE took off, in the deviation map's unit.
    pub error: u8,
}

/// One of the difference images.
#[derive(Clone, Debug)]
struct Layer {
    form: Form,
    deviation: Deviation,
    difference: Vec<u16>,
}

/// Scores pictures of one size.
#[derive(Clone, Debug)]
pub struct Judge {
    layers: Vec<Layer>,
    hee: Hee,
    gaussian: Gaussian,
    pooling: Pooling,
    width: usize,
    /// What is looked at, if that is not everything, and how many pixels are not.
    mask: Option<(Vec<u8>, u32)>,
    error: u8,
    map: Vec<u8>,
    sums: Vec<u16>,
    residual: Vec<u8>,
    anomaly: Vec<u16>,
    difference_scratch: difference::Scratch,
    smooth_scratch: smooth::Scratch,
}

impl Judge {
    /// A judge of `width` x `height` pictures. `noise` has a noise map for each form, or none at all.
    ///
    /// # Panics
    /// Where there is no form, more than 256 of them, or another number of noise maps.
    pub fn new(settings: &JudgeSettings, noise: &[NoiseMap], width: usize, height: usize) -> Self {
        let (pixels, forms) = (width * height, settings.forms.len());
        assert!(
            (1..=256).contains(&forms) && (noise.is_empty() || noise.len() == forms),
            "a noise map a form"
        );
        let layer = |(place, &form): (usize, &Form)| Layer {
            form,
            deviation: Deviation::new(noise.get(place)),
            difference: vec![0; pixels],
        };
        let mask = (!settings.regions.is_everything()).then(|| settings.regions.mask(width, height));
        let gaussian = Gaussian::new(settings.smoothing_sigma);
        Self {
            mask: mask.map(|mask| {
                let ignored = mask.iter().filter(|&&v| v != LOOK).count() as u32;
                (mask, ignored)
            }),
            layers: settings.forms.iter().enumerate().map(layer).collect(),
            hee: settings.hee,
            smooth_scratch: gaussian.scratch(width, height),
            gaussian,
            pooling: settings.pooling,
            width,
            error: 0,
            map: vec![0; pixels],
            sums: vec![0; pixels],
            residual: vec![0; pixels],
            anomaly: vec![0; pixels],
            difference_scratch: difference::Scratch::new(width, height),
        }
    }

    /// The same judge with HEE switched off: the error is the map's zero level.
    pub fn without_hee(&self) -> Self {
        let zero = self.zero();
        Self {
            hee: Hee {
                estimator: Estimator::Fixed(zero),
                cap: 255,
            },
            ..self.clone()
        }
    }

    /// Scores a picture against what the network made of it.
    ///
    /// # Panics
    /// Where either is not `width * height * channels` long, or the learned difference is asked for and not
    /// `width * height` long.
    pub fn judge(&mut self, seen: &Seen<'_>) -> Judgement {
        let pixels = self.map.len();
        assert_eq!(
            [seen.picture.len(), seen.reconstruction.len()],
            [pixels * seen.channels; 2]
        );
        for layer in &mut self.layers {
            assert!(
                layer.form != Form::Learned || seen.learned.len() == pixels,
                "a network with a head"
            );
            layer.form.difference(
                seen,
                self.width,
                &mut layer.difference,
                &mut self.difference_scratch,
            );
        }
        self.combine();
        let mut ignored = self.blank_beyond(seen.pose);
        if let Some((mask, count)) = &self.mask {
            self.map.iter_mut().zip(mask).for_each(|(v, mask)| *v &= mask);
            ignored += count;
        }
        self.error = self.hee.error_beside(&self.map, ignored);
        for (residual, &v) in self.residual.iter_mut().zip(&self.map) {
            *residual = v.saturating_sub(self.error);
        }
        self.gaussian.apply(
            &self.residual,
            self.width,
            &mut self.smooth_scratch,
            &mut self.anomaly,
        );
        let score = self.pooling.score(&self.anomaly);
        Judgement {
            score,
            error: self.error,
        }
    }

    /// Takes out of the map what lies beyond the camera's frame; so many of those pixels would be looked at.
    fn blank_beyond(&mut self, pose: Pose) -> u32 {
        if pose.is_in_place() {
            return 0;
        }
        let mut blanked = 0;
        for (row, view) in pose
            .view(self.width)
            .enumerate()
            .take(self.map.len() / self.width)
        {
            let row = row * self.width;
            for beyond in [row..row + view.start, row + view.end..row + self.width] {
                self.map[beyond.clone()].fill(0);
                blanked += match &self.mask {
                    Some((mask, _)) => mask[beyond].iter().filter(|&&v| v == LOOK).count(),
                    None => beyond.len(),
                };
            }
        }
        blanked as u32
    }

    /// The mean of all deviation maps, rounded down.
    fn combine(&mut self) {
        if let [only] = self.layers.as_slice() {
            return only.deviation.apply(&only.difference, &mut self.map);
        }
        self.sums.fill(0);
        for layer in &self.layers {
            layer.deviation.apply(&layer.difference, &mut self.map);
            self.sums
                .iter_mut()
                .zip(&self.map)
                .for_each(|(sum, &v)| *sum += u16::from(v));
        }
        let forms = self.layers.len() as u16;
        self.map
            .iter_mut()
            .zip(&self.sums)
            .for_each(|(v, sum)| *v = (sum / forms) as u8);
    }

    /// The last difference images in Q8.8 levels, in the order of the forms.
    pub fn differences(&self) -> impl Iterator<Item = &[u16]> {
        self.layers.iter().map(|layer| layer.difference.as_slice())
    }

    /// The last deviation map, before HEE.
    pub fn deviation(&self) -> &[u8] {
        &self.map
    }

    /// The value of the deviation map that stands for "as the normal mean".
    pub fn zero(&self) -> u8 {
        self.layers[0].deviation.zero()
    }

    /// The last anomaly map in Q8.8, from which the score came.
    pub fn anomaly(&self) -> &[u16] {
        &self.anomaly
    }

    /// The last anomaly map without the cut at zero, for pixel metrics: signed Q8.8.
    pub fn signed_anomaly(&self) -> Vec<i32> {
        let signed: Vec<i16> = self
            .map
            .iter()
            .map(|&v| i16::from(v) - i16::from(self.error))
            .collect();
        self.gaussian.signed(&signed, self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey<'a>(picture: &'a [u8], reconstruction: &'a [u8]) -> Seen<'a> {
        Seen {
            picture,
            reconstruction,
            learned: &[],
            channels: 1,
            pose: Pose::default(),
        }
    }

    fn settings(cap: u8) -> JudgeSettings {
        let hee = Hee {
            estimator: Estimator::Mode,
            cap,
        };
        JudgeSettings {
            forms: vec![Form::Absolute],
            hee,
            smoothing_sigma: 0.0,
            pooling: Pooling::Max,
            regions: Regions::default(),
        }
    }

    fn art(judge: &Judge) -> Vec<String> {
        let shade = |&v: &u16| b" .:-=+*#%@"[usize::from(v / 256 / 8).min(9)] as char;
        judge
            .anomaly()
            .chunks(judge.width)
            .map(|row| row.iter().map(shade).collect())
            .collect()
    }

    /// A 9 x 5 picture whose reconstruction is 8 levels off everywhere, and 88 in a 3 x 3 defect.
    fn lifted_with_a_defect() -> Vec<u8> {
        let mut picture = vec![108u8; 45];
        for y in 1..4 {
            picture[y * 9 + 5..y * 9 + 8].fill(188);
        }
        picture
    }

    #[test]
    fn hee_takes_off_the_common_error_and_leaves_the_defect() {
        let mut judge = Judge::new(&settings(255), &[], 9, 5);
        let judgement = judge.judge(&grey(&lifted_with_a_defect(), &[100; 45]));
        // the mode is 8, its upper edge 9; the centre of the defect keeps 88 - 9 levels
        assert_eq!(
            judgement,
            Judgement {
                score: Score(79 * 256),
                error: 9
            }
        );
        let golden = ["     .:. ", "    .+#+.", "    :#@#:", "    .+#+.", "     .:. "];
        assert_eq!(art(&judge), golden, "{:#?}", art(&judge));
        let mut raw = judge.without_hee();
        assert_eq!(
            raw.judge(&grey(&lifted_with_a_defect(), &[100; 45])).score,
            Score(88 * 256)
        );
        assert!(raw.anomaly().iter().all(|&v| v >= 8 * 256));
    }

    #[test]
    fn the_cap_limits_what_is_taken_off() {
        let mut judge = Judge::new(&settings(3), &[], 9, 5);
        assert_eq!(
            judge.judge(&grey(&[200; 45], &[100; 45])),
            Judgement {
                score: Score(97 * 256),
                error: 3
            }
        );
    }

    #[test]
    fn a_noisy_edge_counts_less_than_a_quiet_place() {
        let noise = NoiseMap {
            mean: vec![256; 25],
            spread: vec![256; 25],
            fraction_bits: 4,
        };
        let mut noisy = noise.clone();
        noisy.mean[12] = 20 * 256;
        noisy.spread[12] = 8 * 256;
        let mut picture = [100u8; 25];
        picture[12] = 140;
        let score = |noise: &NoiseMap| {
            Judge::new(&settings(40), std::slice::from_ref(noise), 5, 5)
                .judge(&grey(&picture, &[100; 25]))
                .score
        };
        assert!(score(&noisy) < score(&noise));
    }

    #[test]
    fn two_forms_are_averaged_in_their_own_spreads() {
        let noise = |spread: u16| NoiseMap {
            mean: vec![0; 25],
            spread: vec![spread * 256; 25],
            fraction_bits: 4,
        };
        let forms = vec![Form::Absolute, Form::Learned];
        let settings = JudgeSettings {
            forms,
            hee: Hee {
                estimator: Estimator::Fixed(32),
                cap: 255,
            },
            ..settings(0)
        };
        let mut judge = Judge::new(&settings, &[noise(2), noise(4)], 5, 5);
        let seen = Seen {
            learned: &[24; 25],
            ..grey(&[108; 25], &[100; 25])
        };
        judge.judge(&seen);
        // 8 levels are 4 spreads of 2, 24 are 6 spreads of 4: 5 on average, above 2 at zero
        assert_eq!(judge.deviation(), [(5 + 2) * 16; 25]);
        assert_eq!(
            judge.differences().map(|d| d[0] / 256).collect::<Vec<_>>(),
            [8, 24]
        );
        assert!(judge.anomaly().iter().all(|&v| v == 5 * 16 * 256));
    }

    #[test]
    fn what_is_ignored_is_neither_a_defect_nor_an_error() {
        let ignored = Regions {
            look: Vec::new(),
            ignore: vec![vec![[4, 0], [9, 0], [9, 5], [4, 5]]],
        };
        let mut picture = lifted_with_a_defect();
        picture
            .chunks_mut(9)
            .for_each(|row| row[4..].iter_mut().for_each(|v| *v = 190));
        let mut judge = Judge::new(
            &JudgeSettings {
                regions: ignored,
                ..settings(255)
            },
            &[],
            9,
            5,
        );
        // the left part is 8 levels off, where it is not smoothed over the border; the larger right one 90
        assert_eq!(judge.judge(&grey(&picture, &[100; 45])).error, 9);
        assert!(
            judge
                .anomaly()
                .chunks(9)
                .all(|row| row[4..].iter().all(|&v| v == 0))
        );
        assert_ne!(
            Judge::new(&settings(255), &[], 9, 5)
                .judge(&grey(&picture, &[100; 45]))
                .error,
            9
        );
    }

    #[test]
    fn what_lies_beyond_the_frame_is_neither_a_defect_nor_an_error() {
        // the part lay four pixels to the right: the last four columns were made up
        let pose = Pose::new(4.0, 0.0, 0.0);
        let mut picture = [108u8; 81];
        picture.chunks_mut(9).for_each(|row| row[5..].fill(190));
        let seen = Seen {
            pose,
            ..grey(&picture, &[100; 81])
        };
        let regions = Regions {
            look: Vec::new(),
            ignore: vec![vec![[0, 0], [9, 0], [9, 3], [0, 3]]],
        };
        for regions in [Regions::default(), regions] {
            let mut judge = Judge::new(
                &JudgeSettings {
                    regions,
                    ..settings(255)
                },
                &[],
                9,
                9,
            );
            assert_eq!(judge.judge(&seen).error, 9);
            assert!(
                judge
                    .anomaly()
                    .chunks(9)
                    .all(|row| row[5..].iter().all(|&v| v == 0))
            );
            assert!(
                judge
                    .judge(&Seen {
                        pose: Pose::default(),
                        ..seen
                    })
                    .score
                    > Score(70 * 256)
            );
        }
    }

    #[test]
    fn the_signed_map_keeps_what_the_cut_loses() {
        let noise = NoiseMap {
            mean: vec![4 * 256; 25],
            spread: vec![256; 25],
            fraction_bits: 4,
        };
        let mut judge = Judge::new(
            &JudgeSettings {
                hee: Hee {
                    estimator: Estimator::Fixed(32),
                    cap: 255,
                },
                ..settings(0)
            },
            &[noise],
            5,
            5,
        );
        judge.judge(&grey(&[103; 25], &[100; 25]));
        assert!(judge.anomaly().iter().all(|&v| v == 0));
        assert!(judge.signed_anomaly().iter().all(|&v| v == -16 * 256));
    }
}
