//! `recipe.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::RecipeError;
use crate::judge::JudgeSettings;
use crate::judge::difference::Form;
use crate::judge::difference::deviation::MAX_FRACTION_BITS;
use crate::judge::hee::{Estimator, Hee};
use crate::judge::region::Regions;
use crate::judge::score::{Pooling, Score};
use crate::judge::smooth::MAX_SIGMA;
use crate::preprocess::{MOST_SHIFT_ONE_IN, MOST_TURN, PositionLimits};

/// The version of the format that this program reads and writes.
pub const FORMAT: i64 = 2;

/// All of `recipe.toml`. Unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: i64,
    /// The product, as an operator calls it.
    pub product: String,
    /// What the network takes.
    pub input: Input,
    /// Position correction; the reference is `position.png`. Missing where parts come as they were taught.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<PositionLimits>,
    /// What of the picture counts; missing where all of it does.
    #[serde(default, skip_serializing_if = "Regions::is_everything")]
    pub regions: Regions,
    /// The difference image.
    pub difference: DifferenceSettings,
    /// Histogram error estimation.
    pub hee: Hee,
    /// From map to verdict.
    pub score: ScoreSettings,
    /// How the recipe came about; nothing reads it but people.
    pub training: Training,
    /// SHA-256 of every file of the recipe, by its path in the folder.
    pub files: BTreeMap<String, String>,
    /// The self-test.
    #[serde(default)]
    pub golden: Vec<Golden>,
    /// SHA-256 of every picture that went into the recipe, with its name in its folder: none of them can
    /// measure it. Missing where nobody kept them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pictures: BTreeMap<String, String>,
}

/// `[input]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Width and height of the network's picture in pixels: 32 to 1024, a multiple of 32.
    pub size: usize,
    /// 1 (grey) or 3 (RGB).
    pub channels: usize,
    /// The sizes `[width, height]` of the pictures that were taught on.
    pub pictures: Vec<[usize; 2]>,
}

/// `[difference]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferenceSettings {
    /// The forms of the difference image, each at most once; several are averaged and need a noise map.
    pub forms: Vec<Form>,
    /// Whether the difference is measured in spreads of the noise map.
    pub noise_map: bool,
    /// Fractional bits of a spread, 0 to 4.
    pub fraction_bits: u8,
}

/// `[score]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreSettings {
    /// In pixels of the network's picture, 0 to 8.
    pub smoothing_sigma: f64,
    /// How the map becomes a score.
    pub pooling: Pooling,
    /// A part is rejected above it.
    pub threshold: Score,
    /// The share of good parts that the threshold was set to reject, 0 to 1.
    pub false_reject_target: f64,
    /// How the threshold was found.
    pub threshold_basis: String,
    /// The scores of the good pictures by which the threshold was found, none of them taught on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_out_scores: Vec<Score>,
    /// The scores of those that were taught on: lower, but as scattered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taught_scores: Vec<Score>,
    /// The same for the rows of the evaluation table that are not deployed.
    pub comparison_thresholds: BTreeMap<String, Score>,
}

/// `[training]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// The program and its version.
    pub program: String,
    /// Pictures that were taught on.
    pub pictures: usize,
    /// Normal pictures held out for calibration and threshold.
    pub held_out: usize,
    /// Where chance came from.
    pub seed: u64,
    /// Steps done.
    pub steps: usize,
    /// Whether the run came to its end, or was stopped and exported early.
    pub finished: bool,
    /// The loss of the last steps; missing where the recipe was made of a checkpoint without another step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_loss: Option<f64>,
    /// The network in one line.
    pub network: String,
}

/// `[[golden]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// Path in the folder; it must stand under `files` too.
    pub file: String,
    /// What is on it: `good` or `synthetic defect`.
    pub shows: String,
    /// The score that every machine must compute, exactly.
    pub score: Score,
}

/// Whether a network's picture can have this side, in pixels.
pub fn is_size(size: usize) -> bool {
    (32..=1024).contains(&size) && size.is_multiple_of(32)
}

/// Whether this share of good parts can be a recipe's target: above 0 and below 0.5.
pub fn is_false_reject_target(share: f64) -> bool {
    share > 0.0 && share < 0.5
}

impl Manifest {
    /// Reads the text of a `recipe.toml`; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, RecipeError> {
        let bad = |message: String| RecipeError::Manifest {
            path: path.to_owned(),
            message,
        };
        let table: toml::Table = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        let found = table.get("format").and_then(toml::Value::as_integer);
        let found = found.ok_or_else(|| {
            bad(format!(
                "the key `format` is missing or no whole number; this version writes format = {FORMAT}"
            ))
        })?;
        if found != FORMAT {
            return Err(RecipeError::Version {
                path: path.to_owned(),
                found,
                supported: FORMAT,
            });
        }
        let manifest: Self = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        manifest.check(path)?;
        Ok(manifest)
    }

    fn check(&self, path: &Path) -> Result<(), RecipeError> {
        let range = |good: bool, key, value: String, allowed| {
            if good {
                Ok(())
            } else {
                Err(RecipeError::Range {
                    path: path.to_owned(),
                    key,
                    value,
                    allowed,
                })
            }
        };
        let (size, bits, sigma) = (
            self.input.size,
            self.difference.fraction_bits,
            self.score.smoothing_sigma,
        );
        range(
            is_size(size),
            "input.size",
            size.to_string(),
            "a multiple of 32 from 32 to 1024",
        )?;
        range(
            matches!(self.input.channels, 1 | 3),
            "input.channels",
            self.input.channels.to_string(),
            "1 or 3",
        )?;
        let good_pictures = self
            .input
            .pictures
            .iter()
            .flatten()
            .all(|s| (1..=16_384).contains(s));
        range(
            good_pictures,
            "input.pictures",
            format!("{:?}", self.input.pictures),
            "sides of 1 to 16384",
        )?;
        if let Some(PositionLimits { shift, turn }) = self.position {
            let most_shift = (size / MOST_SHIFT_ONE_IN) as f64;
            range(
                (0.0..=most_shift).contains(&shift),
                "position.shift",
                shift.to_string(),
                "0 to an eighth of the size",
            )?;
            range(
                (0.0..=MOST_TURN).contains(&turn),
                "position.turn",
                turn.to_string(),
                "0 to 180",
            )?;
        }
        range(
            self.regions.fit(size),
            "regions",
            format!("{} polygons", self.regions.look.len() + self.regions.ignore.len()),
            "polygons of three corners or more within the network's picture, that leave something to look at",
        )?;
        let forms = &self.difference.forms;
        range(
            Form::go_together(forms, self.difference.noise_map),
            "difference.forms",
            format!("{forms:?}"),
            "one form, or several with noise_map = true",
        )?;
        range(
            bits <= MAX_FRACTION_BITS,
            "difference.fraction_bits",
            bits.to_string(),
            "0 to 4",
        )?;
        range(
            (0.0..=MAX_SIGMA).contains(&sigma),
            "score.smoothing_sigma",
            sigma.to_string(),
            "0 to 8",
        )?;
        if let Estimator::Quantile(thousandths) = self.hee.estimator {
            range(
                thousandths <= 1000,
                "hee.estimator",
                thousandths.to_string(),
                "0 to 1000 thousandths",
            )?;
        }
        let (target, threshold) = (self.score.false_reject_target, self.score.threshold);
        range(
            is_false_reject_target(target),
            "score.false_reject_target",
            target.to_string(),
            "above 0 and below 0.5",
        )?;
        range(
            threshold > Score(0),
            "score.threshold",
            threshold.to_string(),
            "above 0: else every part is rejected",
        )?;
        for name in self.files.keys() {
            let plain = !name.contains('\\')
                && name
                    .split('/')
                    .all(|part| !part.is_empty() && !part.starts_with('.'));
            range(plain, "files", name.clone(), "paths inside the recipe folder")?;
        }
        for golden in &self.golden {
            let listed = self.files.contains_key(&golden.file);
            range(
                listed,
                "golden.file",
                golden.file.clone(),
                "a path that stands under [files]",
            )?;
        }
        Ok(())
    }

    /// What the judge needs.
    pub fn judge_settings(&self) -> JudgeSettings {
        JudgeSettings {
            forms: self.difference.forms.clone(),
            hee: self.hee,
            smoothing_sigma: self.score.smoothing_sigma,
            pooling: self.score.pooling,
            regions: self.regions.clone(),
        }
    }
}
