//! From a trained network to a recipe: quantise, calibrate on held-out pictures, write, check.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use beltwatch::difference::Form;
use beltwatch::difference::deviation::NoiseMap;
use beltwatch::hee::{self, Estimator, Hee};
use beltwatch::inspect::Inspector;
use beltwatch::judge::{Judge, Settings};
use beltwatch::picture::{Picture, PictureError};
use beltwatch::preprocess::{PreprocessError, Preprocessor};
use beltwatch::recipe::{
    self, DifferenceSettings, FLOAT_MODEL_FILE, FORMAT, Golden, Input, MODEL_FILE, Manifest, Recipe, RecipeError,
    ScoreSettings, Training,
};
use beltwatch::reconstruct::{InputShape, ReconstructError, Reconstructor};
use beltwatch::verdict::{Pooling, Score};

use super::data::TeachingSet;
use crate::calibrate::noise::NoiseStatistics;
use crate::calibrate::{noise_map, threshold};
use crate::network::folded::FoldedNetwork;
use crate::quantise::{self, FloatReconstructor, QuantiseError};
use crate::train::defects;
use crate::train::rng::Rng;

/// Pictures that set the quantisation's ranges.
const CALIBRATION_PICTURES: usize = 64;
/// Golden pictures of each kind.
const GOLDEN: usize = 2;
/// Held-out scores stay below this share of the range, so that defects have room above them.
const MOST_NORMAL_SCORE: u16 = u16::MAX / 2;

/// Why no recipe was made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// quantisation failed, or the written model is not what was meant
    #[error(transparent)]
    Quantise(#[from] QuantiseError),
    /// the network failed on a teaching picture
    #[error("the exported network failed: {0}")]
    Reconstruct(#[from] ReconstructError),
    /// a held-out picture
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// the folder
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// a golden picture
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// a file
    #[error("{path}: cannot be written: {source}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What a recipe is made with.
#[derive(Clone, Debug)]
pub struct ExportSettings {
    /// As an operator calls it.
    pub product: String,
    /// Share of good parts that may be rejected.
    pub false_reject_target: f64,
    /// Whether the difference is measured against a noise map.
    pub noise_map: bool,
    /// Smoothing in pixels of the network's picture.
    pub smoothing_sigma: f64,
    /// Whether `float.onnx` is written too, for `evaluate`.
    pub float_model: bool,
    /// How the network came about.
    pub training: Training,
}

/// Something that draws pictures as good parts would look.
type Draw<'a> = &'a mut dyn FnMut(&Picture) -> Result<Picture, ExportError>;

/// Writes the recipe to `folder`, which must not exist or be empty, and returns its manifest.
pub fn export(
    network: &FoldedNetwork,
    set: &TeachingSet,
    settings: &ExportSettings,
    folder: &Path,
) -> Result<Manifest, ExportError> {
    let write = |path: &Path, bytes: &[u8]| {
        fs::write(path, bytes).map_err(|source| ExportError::Write { path: path.to_owned(), source })
    };
    let golden_folder = folder.join("golden");
    fs::create_dir_all(&golden_folder).map_err(|source| ExportError::Write { path: golden_folder, source })?;

    let normals: Vec<Picture> = set.train.iter().take(CALIBRATION_PICTURES).cloned().collect();
    let quantised = quantise::quantise(network, &normals)?;
    let model = quantise::export(&quantised);
    quantise::verify(&model, &quantised, &normals[..normals.len().min(4)])?;
    let float = quantise::export_float(network);

    let shape = InputShape { size: network.size, channels: network.channels };
    let mut int8 = Reconstructor::load(&model, shape)?;
    let mut draw_int8 = |input: &Picture| {
        let mut out = input.clone();
        int8.reconstruct(&input.data, &mut out.data)?;
        Ok(out)
    };
    let float_network = FloatReconstructor::load(&float)?;
    let mut draw_float = |input: &Picture| {
        let mut out = input.clone();
        float_network.reconstruct(&input.data, &mut out.data)?;
        Ok(out)
    };

    let mut preprocessor = Preprocessor::new(network.size, network.channels, &set.sizes);
    let mut held_out = Vec::new();
    for (_, picture) in &set.held_out {
        let mut input = Picture::default();
        preprocessor.apply(picture, &mut input)?;
        held_out.push(input);
    }
    let noise = if settings.noise_map { Some(measure_noise(&set.train, &mut draw_int8)?) } else { None };
    let calibration = calibrate(settings, noise, &held_out, &mut draw_int8)?;
    let float_scores = [true, false].map(|with_hee| calibration.scores(&held_out, with_hee, &mut draw_float));
    let [float_hee, float_raw] = float_scores;
    let set_threshold = |scores: &[Score]| threshold(scores, settings.false_reject_target);
    let deployed = set_threshold(&calibration.scores(&held_out, true, &mut draw_int8)?);
    let comparison_thresholds = BTreeMap::from([
        ("int8_raw".to_owned(), set_threshold(&calibration.scores(&held_out, false, &mut draw_int8)?).score),
        ("float_hee".to_owned(), set_threshold(&float_hee?).score),
        ("float_raw".to_owned(), set_threshold(&float_raw?).score),
    ]);

    let mut names = vec![MODEL_FILE.to_owned()];
    write(&folder.join(MODEL_FILE), &model)?;
    if settings.float_model {
        write(&folder.join(FLOAT_MODEL_FILE), &float)?;
        names.push(FLOAT_MODEL_FILE.to_owned());
    }
    if let Some(noise) = &calibration.noise {
        names.extend(recipe::save_noise_map(folder, noise, network.size)?);
    }
    let mut manifest = Manifest {
        format: FORMAT,
        product: settings.product.clone(),
        input: Input { size: network.size, channels: network.channels, pictures: set.sizes.clone() },
        difference: DifferenceSettings {
            form: calibration.settings.form,
            noise_map: calibration.noise.is_some(),
            fraction_bits: calibration.noise.as_ref().map_or(0, |n| n.fraction_bits),
        },
        hee: calibration.settings.hee,
        score: ScoreSettings {
            smoothing_sigma: settings.smoothing_sigma,
            pooling: calibration.settings.pooling,
            threshold: deployed.score,
            false_reject_target: settings.false_reject_target,
            threshold_basis: deployed.basis,
            comparison_thresholds,
        },
        training: settings.training.clone(),
        files: BTreeMap::new(),
        golden: Vec::new(),
    };
    manifest = recipe::write(folder, manifest, &names)?;
    add_golden(folder, manifest, &mut names, set, settings.training.seed)
}

/// Noise map, HEE's cap: all that scores depend on but the threshold.
struct Calibration {
    settings: Settings,
    noise: Option<NoiseMap>,
    size: usize,
}

impl Calibration {
    fn judge(&self) -> Judge {
        Judge::new(&self.settings, self.noise.as_ref(), self.size, self.size)
    }

    fn scores(&self, pictures: &[Picture], with_hee: bool, draw: Draw<'_>) -> Result<Vec<Score>, ExportError> {
        let mut judge = if with_hee { self.judge() } else { self.judge().without_hee() };
        let score = |p: &Picture| draw(p).map(|r| judge.judge(&p.data, &r.data, p.channels).score);
        pictures.iter().map(score).collect()
    }
}

fn measure_noise(pictures: &[Picture], draw: Draw<'_>) -> Result<NoiseMap, ExportError> {
    let size = pictures.first().map_or(1, |p| p.width);
    let settings = judge_settings(0.0, 255);
    let (mut judge, mut statistics) = (Judge::new(&settings, None, size, size), NoiseStatistics::new(size, size));
    for picture in pictures {
        judge.judge(&picture.data, &draw(picture)?.data, picture.channels);
        statistics.add(judge.difference());
    }
    Ok(noise_map(&statistics))
}

fn judge_settings(smoothing_sigma: f64, cap: u8) -> Settings {
    let hee = Hee { estimator: Estimator::Mode, cap };
    Settings { form: Form::Absolute, hee, smoothing_sigma, pooling: Pooling::Max }
}

/// The finest unit of the noise map that leaves defects room above the held-out pictures, and HEE's cap with it.
fn calibrate(
    settings: &ExportSettings,
    noise: Option<NoiseMap>,
    held_out: &[Picture],
    draw: Draw<'_>,
) -> Result<Calibration, ExportError> {
    let size = held_out.first().map_or(1, |p| p.width);
    let mut calibration = Calibration { settings: judge_settings(settings.smoothing_sigma, 255), noise, size };
    loop {
        calibration.settings.hee.cap = 255;
        let mut judge = calibration.judge();
        let mut errors = Vec::new();
        for picture in held_out {
            errors.push(judge.judge(&picture.data, &draw(picture)?.data, picture.channels).error);
        }
        calibration.settings.hee.cap = hee::cap(errors, judge.zero());
        let largest = calibration.scores(held_out, true, draw)?.into_iter().max().unwrap_or_default();
        match &mut calibration.noise {
            Some(noise) if noise.fraction_bits > 0 && largest.0 > MOST_NORMAL_SCORE => noise.fraction_bits -= 1,
            _ => return Ok(calibration),
        }
    }
}

/// Adds the self-test: held-out good pictures, and the same with defects pasted on, with the scores that the device's own
/// code gives them.
fn add_golden(
    folder: &Path,
    mut manifest: Manifest,
    names: &mut Vec<String>,
    set: &TeachingSet,
    seed: u64,
) -> Result<Manifest, ExportError> {
    let mut inspector = Inspector::untested(&Recipe::load(folder)?)?;
    let others: Vec<Picture> = set.held_out.iter().map(|(_, picture)| picture.clone()).collect();
    for (number, picture) in others.iter().take(GOLDEN).enumerate() {
        let mut defective = picture.clone();
        defects::paste(
            &mut Rng::new(&[seed, number as u64, u64::from_le_bytes(*b"golden--")]),
            &mut defective,
            &others,
        );
        for (shows, picture) in [("good", picture), ("synthetic defect", &defective)] {
            let file = format!("golden/{}-{number}.png", shows.replace(' ', "-"));
            picture.save_png(&folder.join(&file))?;
            let score = inspector.inspect(picture).map_err(|e| match e {
                beltwatch::inspect::InspectError::Preprocess(e) => ExportError::Preprocess(e),
                beltwatch::inspect::InspectError::Reconstruct(e) => ExportError::Reconstruct(e),
            })?;
            manifest.golden.push(Golden { file: file.clone(), shows: shows.to_owned(), score: score.score });
            names.push(file);
        }
    }
    let manifest = recipe::write(folder, manifest, names)?;
    // the recipe that was written must load as a device loads it
    Inspector::new(&Recipe::load(folder)?)?;
    Ok(manifest)
}
