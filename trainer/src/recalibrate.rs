//! `beltwatch-train calibrate`: sets a recipe's threshold anew, with more pictures of good parts than it was taught with.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use beltwatch::inspect::Inspector;
use beltwatch::picture::Picture;
use beltwatch::promise::Promise;
use beltwatch::recipe::{
    self, FLOAT_MODEL_FILE, MANIFEST_FILE, Manifest, Recipe, RecipeError, is_false_reject_target, sha256_hex,
};
use beltwatch::say;
use beltwatch::verdict::Score;

use crate::calibrate::outliers::outliers;
use crate::calibrate::threshold;
use crate::dataset::{Dataset, DatasetError};

/// What to do.
#[derive(Clone, Debug)]
pub struct CalibrateArgs {
    /// The recipe's folder.
    pub recipe: PathBuf,
    /// A plain folder of pictures of good parts, none of them taught on.
    pub pictures: PathBuf,
    /// Share of good parts that may be rejected; `None` for what the recipe was taught with.
    pub false_reject: Option<f64>,
}

/// Why the recipe stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// the recipe
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// the folder of pictures
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// pictures with defects among them, or taught ones
    #[error(
        "{path} is a data set: its train/good was taught on, and its test pictures are there to measure with; give a folder \
         of other pictures of good parts"
    )]
    IsDataset {
        /// The folder.
        path: PathBuf,
    },
    /// a picture that has no score
    #[error("{path}: {why}; take it out of the folder")]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// no new picture
    #[error("{path}: the recipe was calibrated with these pictures already: all their scores are known to it")]
    NothingNew {
        /// The folder.
        path: PathBuf,
    },
    /// the threshold came out at the end of the scale
    #[error("these pictures scatter too much: nothing would ever be rejected. The recipe stays as it was")]
    NoThreshold,
    /// a share out of range
    #[error("--false-reject {0} must be above 0 and below 0.5")]
    Target(f64),
}

impl CalibrateError {
    /// The program's: 2 where an option is out of range, else 1.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Target(_)) { 2 } else { 1 }
    }
}

/// Scores the pictures, adds them to those by which the threshold was found, and writes the recipe with the new one.
pub fn calibrate(args: &CalibrateArgs) -> Result<Manifest, CalibrateError> {
    if let Some(target) = args.false_reject.filter(|&t| !is_false_reject_target(t)) {
        return Err(CalibrateError::Target(target));
    }
    let loaded = Recipe::load(&args.recipe)?;
    let mut inspector = Inspector::new(&loaded)?;
    let dataset = Dataset::open(&args.pictures)?;
    if dataset.train_good.is_empty() || !dataset.test.is_empty() || args.pictures.join("train").is_dir() {
        return Err(CalibrateError::IsDataset { path: args.pictures.clone() });
    }
    let mut manifest = loaded.manifest.clone();
    let found = scores(&dataset.train_good, &mut inspector)?;
    let score = &mut manifest.score;
    let old = score.threshold;
    let known = std::mem::take(&mut score.held_out_scores);
    let all: Vec<Score> = known.iter().copied().chain(found.iter().map(|(_, score)| *score)).collect();
    let odd: Vec<usize> = outliers(&all).into_iter().filter_map(|place| place.checked_sub(known.len())).collect();
    for &(ref path, score) in odd.iter().map(|&place| &found[place]) {
        say::error(format_args!(
            "stands out: {}: score {score}; left out. Look at it: is it a good part?",
            path.display()
        ));
    }
    let new = (0..found.len()).filter(|place| !odd.contains(place)).map(|place| found[place].1);
    let new: Vec<Score> = new.collect();
    // one picture may happen to score like another, not all of them
    if new.iter().all(|score| known.contains(score)) {
        return Err(CalibrateError::NothingNew { path: args.pictures.clone() });
    }
    let added = new.len();
    let kept = [known, new].concat();
    score.false_reject_target = args.false_reject.unwrap_or(score.false_reject_target);
    let new = threshold(&kept, &score.taught_scores, score.false_reject_target);
    if new.score == Score(u16::MAX) {
        return Err(CalibrateError::NoThreshold);
    }
    (score.threshold, score.threshold_basis, score.held_out_scores) = (new.score, new.basis, kept);
    // found with other pictures than the new threshold: no comparison any more
    score.comparison_thresholds.clear();
    manifest.training.held_out = score.held_out_scores.len();
    // a copy for a device may have been left without the network before quantisation
    let there = |name: &&String| *name != FLOAT_MODEL_FILE || args.recipe.join(name).exists();
    let names: Vec<String> = manifest.files.keys().filter(there).cloned().collect();
    let manifest = recipe::write(&args.recipe, manifest, &names)?;
    for (word, limit) in [("was", old), ("is", manifest.score.threshold)] {
        if let Some(promise) = Promise::of(&manifest.score.held_out_scores, limit) {
            say::error(format_args!("the threshold {word} {limit}: {promise}"));
        }
    }
    say::error(format_args!(
        "{}: calibrated with {added} more pictures ({})",
        args.recipe.join(MANIFEST_FILE).display(),
        manifest.score.threshold_basis
    ));
    Ok(manifest)
}

/// The score of each picture, of equal files the first one's only.
fn scores(files: &[PathBuf], inspector: &mut Inspector) -> Result<Vec<(PathBuf, Score)>, CalibrateError> {
    let mut seen = HashSet::new();
    let mut scores = Vec::new();
    for path in files {
        let bad = |why: String| CalibrateError::Picture { path: path.clone(), why };
        let bytes = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
        if !seen.insert(sha256_hex(&bytes)) {
            say::error(format_args!("left out: {}: the same picture as another one", path.display()));
            continue;
        }
        let picture = Picture::open(Path::new(path)).map_err(|e| bad(e.to_string()))?;
        scores.push((path.clone(), inspector.inspect(&picture).map_err(|e| bad(e.to_string()))?.score));
    }
    Ok(scores)
}
