//! From a trained network to a recipe: quantise, calibrate on held-out pictures, write, check.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use beltwatch::difference::Form;
use beltwatch::difference::deviation::NoiseMap;
use beltwatch::inspect::{InspectError, Inspector};
use beltwatch::picture::{Picture, PictureError};
use beltwatch::preprocess::{PreprocessError, Preprocessor};
use beltwatch::recipe::{
    self, DifferenceSettings, FLOAT_MODEL_FILE, FORMAT, Golden, Input, MODEL_FILE, Manifest, Recipe, RecipeError,
    ScoreSettings, Training,
};
use beltwatch::reconstruct::{InputShape, ReconstructError, Reconstructor};

use super::data::TeachingSet;
use crate::calibrate::noise::NoiseStatistics;
use crate::calibrate::scoring::{Redrawn, Scoring};
use crate::calibrate::{noise_map, threshold};
use crate::network::folded::{FoldedNetwork, FoldedNetworks};
use crate::quantise::{self, FloatReconstructor, QuantiseError};
use crate::train::defects;
use crate::train::rng::Rng;

/// Pictures that set the quantisation's ranges.
const CALIBRATION_PICTURES: usize = 64;
/// Golden pictures of each kind.
const GOLDEN: usize = 2;

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
    /// a golden picture gets no score
    #[error(transparent)]
    Inspect(#[from] InspectError),
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
type Draw<'a> = &'a mut dyn FnMut(Picture) -> Result<Redrawn, ExportError>;

/// Writes the recipe to `folder`, which must not exist or be empty, and returns its manifest.
pub fn export(
    networks: &FoldedNetworks,
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
    let defective = with_defects(&normals, &set.train, settings.training.seed);
    let quantised = quantise::quantise(networks, &normals, &defective)?;
    let model = quantise::export(&quantised);
    quantise::verify(&model, &quantised, &normals[..normals.len().min(4)])?;
    let float = quantise::export_float(networks);

    let FoldedNetwork { size, channels, .. } = networks.reconstruction;
    let form = if networks.head.is_some() { Form::Learned } else { Form::Absolute };
    let shape = InputShape { size, channels };
    let mut int8 = Reconstructor::load(&model, shape)?;
    let mut draw_int8 = |picture: Picture| {
        let mut reconstruction = picture.clone();
        int8.reconstruct(&picture.data, &mut reconstruction.data)?;
        Ok(Redrawn { picture, reconstruction, learned: int8.learned().to_vec() })
    };
    let float_network = FloatReconstructor::load(&float)?;
    let mut draw_float = |picture: Picture| {
        let mut reconstruction = picture.clone();
        let learned = float_network.reconstruct(&picture.data, &mut reconstruction.data)?;
        Ok(Redrawn { picture, reconstruction, learned })
    };

    let mut preprocessor = Preprocessor::new(size, channels, &set.sizes);
    let mut held_out = Vec::new();
    for (_, picture) in &set.held_out {
        let mut input = Picture::default();
        preprocessor.apply(picture, &mut input)?;
        held_out.push(input);
    }
    let noise = settings.noise_map.then(|| measure_noise(form, &set.train, size, &mut draw_int8)).transpose()?;
    let redraw = |draw: Draw<'_>| held_out.iter().cloned().map(draw).collect::<Result<Vec<_>, _>>();
    let (int8_drawn, float_drawn) = (redraw(&mut draw_int8)?, redraw(&mut draw_float)?);
    let scoring = Scoring::calibrated(form, settings.smoothing_sigma, noise, size, &int8_drawn);
    let threshold =
        |drawn: &[Redrawn], with_hee| threshold(&scoring.scores(drawn, with_hee), settings.false_reject_target);
    let deployed = threshold(&int8_drawn, true);
    let comparison_thresholds = BTreeMap::from([
        ("int8_raw".to_owned(), threshold(&int8_drawn, false).score),
        ("float_hee".to_owned(), threshold(&float_drawn, true).score),
        ("float_raw".to_owned(), threshold(&float_drawn, false).score),
    ]);

    let mut names = vec![MODEL_FILE.to_owned()];
    write(&folder.join(MODEL_FILE), &model)?;
    if settings.float_model {
        write(&folder.join(FLOAT_MODEL_FILE), &float)?;
        names.push(FLOAT_MODEL_FILE.to_owned());
    }
    if let Some(noise) = &scoring.noise {
        names.extend(recipe::save_noise_map(folder, noise, size)?);
    }
    let mut manifest = Manifest {
        format: FORMAT,
        product: settings.product.clone(),
        input: Input { size, channels, pictures: set.sizes.clone() },
        difference: DifferenceSettings {
            form: scoring.settings.form,
            noise_map: scoring.noise.is_some(),
            fraction_bits: scoring.noise.as_ref().map_or(0, |n| n.fraction_bits),
        },
        hee: scoring.settings.hee,
        score: ScoreSettings {
            smoothing_sigma: settings.smoothing_sigma,
            pooling: scoring.settings.pooling,
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

/// The noise map of the teaching pictures; one of them is in memory at a time.
fn measure_noise(form: Form, pictures: &[Picture], size: usize, draw: Draw<'_>) -> Result<NoiseMap, ExportError> {
    let mut judge = Scoring::uncapped(form, 0.0, None, size).judge();
    let mut statistics = NoiseStatistics::new(size, size);
    for picture in pictures {
        draw(picture.clone())?.judge(&mut judge);
        statistics.add(judge.difference());
    }
    Ok(noise_map(&statistics))
}

/// The pictures, each with a procedural defect.
fn with_defects(pictures: &[Picture], others: &[Picture], seed: u64) -> Vec<Picture> {
    let paste = |(number, picture): (usize, &Picture)| {
        let mut picture = picture.clone();
        let key = [seed, number as u64, u64::from_le_bytes(*b"quantise")];
        defects::paste(&mut Rng::new(&key), &mut picture, others);
        picture
    };
    pictures.iter().enumerate().map(paste).collect()
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
            let score = inspector.inspect(picture)?.score;
            manifest.golden.push(Golden { file: file.clone(), shows: shows.to_owned(), score });
            names.push(file);
        }
    }
    let manifest = recipe::write(folder, manifest, names)?;
    // the recipe that was written must load as a device loads it
    Inspector::new(&Recipe::load(folder)?)?;
    Ok(manifest)
}
