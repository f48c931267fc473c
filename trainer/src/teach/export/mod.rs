//! From a trained network to a recipe: quantise, calibrate on held-out pictures, write, check.

mod calibration;
mod differences;
pub mod error;
mod redraw;
pub mod settings;
mod unseen;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::judge::score::Score;
use beltwatch_vision::picture::Picture;
use beltwatch_vision::recipe::{
    self, DifferenceSettings, FLOAT_MODEL_FILE, FORMAT, Golden, Input, MODEL_FILE, Manifest, POSITION_FILE,
    Recipe, ScoreSettings,
};

use super::data::TeachingSet;
use crate::network::folded::{FoldedNetwork, FoldedNetworks};
use crate::rng::Rng;
use crate::train::defects;
use calibration::Calibration;
use error::ExportError;
use settings::ExportSettings;
use unseen::Quantised;

/// What was made.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The recipe.
    pub manifest: Manifest,
    /// Teaching pictures that stand out above the others: neither noise map nor threshold was measured on
    /// them.
    pub suspicious: Vec<(PathBuf, Score)>,
    /// The held-out pictures that score highest, the highest first.
    pub highest: Vec<(PathBuf, Score)>,
}

/// Writes the recipe to `folder`, which must not exist or be empty. With cross-fitting, `folds` are the
/// networks that were taught without a share of the pictures each.
pub fn export(
    networks: &FoldedNetworks,
    folds: &[FoldedNetworks],
    set: &TeachingSet,
    settings: &ExportSettings,
    folder: &Path,
) -> Result<Exported, ExportError> {
    let write = |path: &Path, bytes: &[u8]| {
        fs::write(path, bytes).map_err(|source| ExportError::Write {
            path: path.to_owned(),
            source,
        })
    };
    let golden_folder = folder.join("golden");
    fs::create_dir_all(&golden_folder).map_err(|source| ExportError::Write {
        path: golden_folder,
        source,
    })?;

    let seed = settings.training.seed;
    let deployed = Quantised::of(networks, &set.train, seed)?;
    let without = |(fold, networks)| {
        let taught: Vec<Picture> = set
            .split(fold)
            .0
            .into_iter()
            .map(|place| set.train[place].clone())
            .collect();
        Quantised::of(networks, &taught, seed)
    };
    let further = folds
        .iter()
        .enumerate()
        .map(without)
        .collect::<Result<Vec<_>, _>>()?;

    let FoldedNetwork { size, channels, .. } = networks.reconstruction;
    let calibration = Calibration::make(set, &deployed, &further, settings)?;
    let Calibration {
        scoring, threshold, ..
    } = &calibration;

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
        input: Input {
            size,
            channels,
            pictures: set.sizes.clone(),
        },
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
    Ok(Exported {
        manifest,
        suspicious: calibration.suspicious,
        highest: calibration.highest,
    })
}

/// Adds the self-test: held-out good pictures, and the same with defects pasted on, with the scores that the
/// device's own code gives them.
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
            manifest.golden.push(Golden {
                file: file.clone(),
                shows: shows.to_owned(),
                score,
            });
            names.push(file);
        }
    }
    let manifest = recipe::write(folder, manifest, names)?;
    // the recipe that was written must load as a device loads it
    Inspector::new(&Recipe::load(folder)?)?;
    Ok(manifest)
}
