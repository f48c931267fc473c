//! From a trained network to a recipe: quantise, calibrate on held-out pictures, write, check.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use beltwatch_vision::inspect::{InspectError, Inspector};
use beltwatch_vision::judge::Settings;
use beltwatch_vision::judge::difference::Form;
use beltwatch_vision::judge::region::Regions;
use beltwatch_vision::judge::score::{Pooling, Score};
use beltwatch_vision::picture::{Picture, PictureError};
use beltwatch_vision::preprocess::Limits;
use beltwatch_vision::recipe::{
    self, DifferenceSettings, FLOAT_MODEL_FILE, FORMAT, Golden, Input, MODEL_FILE, Manifest, POSITION_FILE, Recipe,
    RecipeError, ScoreSettings, Training,
};
use beltwatch_vision::reconstruct::ReconstructError;

use super::calibration::Calibration;
use super::data::TeachingSet;
use super::unseen::Quantised;
use crate::calibrate::Noise;
use crate::network::folded::{FoldedNetwork, FoldedNetworks};
use crate::quantise::QuantiseError;
use crate::train::defects;
use crate::train::rng::Rng;

/// Why no recipe was made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// quantisation failed, or the written model is not what was meant
    #[error(transparent)]
    Quantise(#[from] QuantiseError),
    /// the network failed on a teaching picture
    #[error("the exported network failed: {0}")]
    Reconstruct(#[from] ReconstructError),
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
    /// The reference of position correction and how far it goes, where there is one.
    pub position: Option<(Picture, Limits)>,
    /// What of the picture counts.
    pub regions: Regions,
    /// Share of good parts that may be rejected.
    pub false_reject_target: f64,
    /// The difference images, at least one, several with noise maps only.
    pub forms: Vec<Form>,
    /// What they are measured against.
    pub noise: Noise,
    /// Smoothing in pixels of the network's picture.
    pub smoothing_sigma: f64,
    /// How the anomaly map becomes a score.
    pub pooling: Pooling,
    /// Whether `float.onnx` is written too, for `evaluate`.
    pub float_model: bool,
    /// Files of the set on which nothing is measured.
    pub leave_out: Vec<PathBuf>,
    /// How the network came about.
    pub training: Training,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The recipe.
    pub manifest: Manifest,
    /// Teaching pictures that stand out above the others: neither noise map nor threshold was measured on them.
    pub suspicious: Vec<(PathBuf, Score)>,
    /// The held-out pictures that score highest, the highest first.
    pub highest: Vec<(PathBuf, Score)>,
}

impl ExportSettings {
    /// How differences are judged, as long as HEE has no cap yet.
    pub(super) fn uncapped(&self) -> Settings {
        Settings::uncapped(&self.forms, self.smoothing_sigma, self.pooling, &self.regions)
    }
}

/// Writes the recipe to `folder`, which must not exist or be empty. With cross-fitting, `folds` are the networks that were
/// taught without a share of the pictures each.
pub fn export(
    networks: &FoldedNetworks,
    folds: &[FoldedNetworks],
    set: &TeachingSet,
    settings: &ExportSettings,
    folder: &Path,
) -> Result<Exported, ExportError> {
    let write = |path: &Path, bytes: &[u8]| {
        fs::write(path, bytes).map_err(|source| ExportError::Write { path: path.to_owned(), source })
    };
    let golden_folder = folder.join("golden");
    fs::create_dir_all(&golden_folder).map_err(|source| ExportError::Write { path: golden_folder, source })?;

    let seed = settings.training.seed;
    let deployed = Quantised::of(networks, &set.train, seed)?;
    let without = |(fold, networks)| {
        let taught: Vec<Picture> = set.split(fold).0.into_iter().map(|place| set.train[place].clone()).collect();
        Quantised::of(networks, &taught, seed)
    };
    let further = folds.iter().enumerate().map(without).collect::<Result<Vec<_>, _>>()?;

    let FoldedNetwork { size, channels, .. } = networks.reconstruction;
    let calibration = Calibration::make(set, &deployed, &further, settings)?;
    let Calibration { scoring, threshold, .. } = &calibration;

    let mut names = vec![MODEL_FILE.to_owned()];
    write(&folder.join(MODEL_FILE), &deployed.model)?;
    if settings.float_model {
        write(&folder.join(FLOAT_MODEL_FILE), &deployed.float_model)?;
        names.push(FLOAT_MODEL_FILE.to_owned());
    }
    if let Some((reference, _)) = &settings.position {
        reference.save_png(&folder.join(POSITION_FILE))?;
        names.push(POSITION_FILE.to_owned());
    }
    for (&form, noise) in settings.forms.iter().zip(&scoring.noise) {
        names.extend(recipe::save_noise_map(folder, form, noise, size)?);
    }
    let mut manifest = Manifest {
        format: FORMAT,
        product: settings.product.clone(),
        input: Input { size, channels, pictures: set.sizes.clone() },
        position: settings.position.as_ref().map(|(_, limits)| *limits),
        regions: settings.regions.clone(),
        difference: DifferenceSettings {
            noise_map: !scoring.noise.is_empty(),
            fraction_bits: scoring.noise.first().map_or(0, |n| n.fraction_bits),
            forms: settings.forms.clone(),
        },
        hee: scoring.settings.hee,
        score: ScoreSettings {
            smoothing_sigma: settings.smoothing_sigma,
            pooling: scoring.settings.pooling,
            threshold: threshold.score,
            false_reject_target: settings.false_reject_target,
            threshold_basis: threshold.basis.clone(),
            held_out_scores: calibration.held_out.clone(),
            taught_scores: calibration.taught.clone(),
            comparison_thresholds: calibration.comparison_thresholds.clone(),
        },
        training: settings.training.clone(),
        files: BTreeMap::new(),
        golden: Vec::new(),
        pictures: set.sha256.clone(),
    };
    manifest = recipe::write(folder, manifest, &names)?;
    let manifest = add_golden(folder, manifest, &mut names, set, seed)?;
    Ok(Exported { manifest, suspicious: calibration.suspicious, highest: calibration.highest })
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
    for (number, picture) in set.golden.iter().enumerate() {
        let mut defective = picture.clone();
        defects::paste(
            &mut Rng::new(&[seed, number as u64, u64::from_le_bytes(*b"golden--")]),
            &mut defective,
            &set.golden,
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
