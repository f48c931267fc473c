//! From a picture and its reconstruction to a score: difference, noise map, HEE, smoothing.
//!
//! One implementation for the device, the trainer's calibration and evaluation, and the tests. All of it is integer
//! arithmetic, so that the same pictures give the same score on every target. Nothing is allocated after `new`.

use serde::{Deserialize, Serialize};

pub use crate::difference::Seen;

use crate::difference::Form;
use crate::difference::deviation::{Deviation, NoiseMap};
use crate::hee::{Estimator, Hee};
use crate::smooth::Kernel;
use crate::verdict::{Pooling, Score};

/// What a judge needs to know, from the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The difference image.
    pub form: Form,
    /// The error to take off.
    pub hee: Hee,
    /// Smoothing in pixels of the network's picture.
    pub smoothing_sigma: f64,
    /// How the map becomes a score.
    pub pooling: Pooling,
}

/// What the judge says of one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How different the part is.
    pub score: Score,
    /// What HEE took off, in the deviation map's unit.
    pub error: u8,
}

/// Scores pictures of one size.
#[derive(Clone, Debug)]
pub struct Judge {
    form: Form,
    deviation: Deviation,
    hee: Hee,
    kernel: Kernel,
    pooling: Pooling,
    width: usize,
    error: u8,
    difference: Vec<u16>,
    map: Vec<u8>,
    residual: Vec<i16>,
    anomaly: Vec<i32>,
    smoothed_rows: Vec<i32>,
    unsmoothed: Vec<u16>,
}

impl Judge {
    /// A judge of `width` x `height` pictures.
    pub fn new(settings: &Settings, noise: Option<&NoiseMap>, width: usize, height: usize) -> Self {
        let pixels = width * height;
        Self {
            form: settings.form,
            deviation: Deviation::new(noise),
            hee: settings.hee,
            kernel: Kernel::gaussian(settings.smoothing_sigma),
            pooling: settings.pooling,
            width,
            error: 0,
            difference: vec![0; pixels],
            map: vec![0; pixels],
            residual: vec![0; pixels],
            anomaly: vec![0; pixels],
            smoothed_rows: vec![0; pixels],
            unsmoothed: vec![0; pixels],
        }
    }

    /// The same judge with HEE switched off: the error is the map's zero level.
    pub fn without_hee(&self) -> Self {
        let zero = self.deviation.zero();
        Self { hee: Hee { estimator: Estimator::Fixed(zero), cap: 255 }, ..self.clone() }
    }

    /// Scores a picture against what the network made of it.
    ///
    /// # Panics
    /// Where either is not `width * height * channels` long, or the learned difference is asked for and not
    /// `width * height` long.
    pub fn judge(&mut self, seen: &Seen<'_>) -> Judgement {
        let pixels = self.map.len();
        assert_eq!([seen.picture.len(), seen.reconstruction.len()], [pixels * seen.channels; 2]);
        assert!(self.form != Form::Learned || seen.learned.len() == pixels, "a network with a head");
        self.form.difference(seen, self.width, &mut self.difference, &mut self.unsmoothed);
        self.deviation.apply(&self.difference, &mut self.map);
        self.error = self.hee.error(&self.map);
        for (residual, &v) in self.residual.iter_mut().zip(&self.map) {
            *residual = i16::from(v.saturating_sub(self.error));
        }
        self.kernel.apply(&self.residual, self.width, &mut self.smoothed_rows, &mut self.anomaly);
        let score = self.pooling.score(&self.anomaly, &mut self.smoothed_rows);
        Judgement { score, error: self.error }
    }

    /// The last difference image in Q8.8 levels.
    pub fn difference(&self) -> &[u16] {
        &self.difference
    }

    /// The last deviation map, before HEE.
    pub fn deviation(&self) -> &[u8] {
        &self.map
    }

    /// The value of the deviation map that stands for "as the normal mean".
    pub fn zero(&self) -> u8 {
        self.deviation.zero()
    }

    /// The last anomaly map in Q8.8, from which the score came; never negative.
    pub fn anomaly(&self) -> &[i32] {
        &self.anomaly
    }

    /// The last anomaly map without the cut at zero, for pixel metrics: signed Q8.8.
    pub fn signed_anomaly(&mut self) -> Vec<i32> {
        let signed: Vec<i16> = self.map.iter().map(|&v| i16::from(v) - i16::from(self.error)).collect();
        let mut out = vec![0; signed.len()];
        self.kernel.apply(&signed, self.width, &mut self.smoothed_rows, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey<'a>(picture: &'a [u8], reconstruction: &'a [u8]) -> Seen<'a> {
        Seen { picture, reconstruction, learned: &[], channels: 1 }
    }

    fn settings(cap: u8) -> Settings {
        let hee = Hee { estimator: Estimator::Mode, cap };
        Settings { form: Form::Absolute, hee, smoothing_sigma: 0.0, pooling: Pooling::Max }
    }

    fn art(judge: &Judge) -> Vec<String> {
        let shade = |&v: &i32| b" .:-=+*#%@"[(v / 256 / 8).clamp(0, 9) as usize] as char;
        judge.anomaly().chunks(judge.width).map(|row| row.iter().map(shade).collect()).collect()
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
        let mut judge = Judge::new(&settings(255), None, 9, 5);
        let judgement = judge.judge(&grey(&lifted_with_a_defect(), &[100; 45]));
        // the mode is 8, its upper edge 9; the centre of the defect keeps 88 - 9 levels
        assert_eq!(judgement, Judgement { score: Score(79 * 256), error: 9 });
        let golden = ["     .:. ", "    .+#+.", "    :#@#:", "    .+#+.", "     .:. "];
        assert_eq!(art(&judge), golden, "{:#?}", art(&judge));
        let mut raw = judge.without_hee();
        assert_eq!(raw.judge(&grey(&lifted_with_a_defect(), &[100; 45])).score, Score(88 * 256));
        assert!(raw.anomaly().iter().all(|&v| v >= 8 * 256));
    }

    #[test]
    fn the_cap_limits_what_is_taken_off() {
        let mut judge = Judge::new(&settings(3), None, 9, 5);
        assert_eq!(judge.judge(&grey(&[200; 45], &[100; 45])), Judgement { score: Score(97 * 256), error: 3 });
    }

    #[test]
    fn a_noisy_edge_counts_less_than_a_quiet_place() {
        let noise = NoiseMap { mean: vec![256; 25], spread: vec![256; 25], fraction_bits: 4 };
        let mut noisy = noise.clone();
        noisy.mean[12] = 20 * 256;
        noisy.spread[12] = 8 * 256;
        let mut picture = [100u8; 25];
        picture[12] = 140;
        let score =
            |noise: &NoiseMap| Judge::new(&settings(40), Some(noise), 5, 5).judge(&grey(&picture, &[100; 25])).score;
        assert!(score(&noisy) < score(&noise));
    }

    #[test]
    fn the_signed_map_keeps_what_the_cut_loses() {
        let noise = NoiseMap { mean: vec![4 * 256; 25], spread: vec![256; 25], fraction_bits: 4 };
        let mut judge = Judge::new(
            &Settings { hee: Hee { estimator: Estimator::Fixed(32), cap: 255 }, ..settings(0) },
            Some(&noise),
            5,
            5,
        );
        judge.judge(&grey(&[103; 25], &[100; 25]));
        assert!(judge.anomaly().iter().all(|&v| v == 0));
        assert!(judge.signed_anomaly().iter().all(|&v| v == -16 * 256));
    }
}
