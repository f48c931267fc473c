//! `beltwatch-train calibrate`: sets a recipe's threshold anew, with more pictures of good parts than it was
//! taught with.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::judge::promise::Promise;
use beltwatch_vision::judge::score::Score;
use beltwatch_vision::picture::{Picture, PictureError};
use beltwatch_vision::recipe::{
    self, FLOAT_MODEL_FILE, MANIFEST_FILE, Manifest, Recipe, RecipeError, is_false_reject_target, sha256_hex,
};

use crate::dataset::{Dataset, DatasetError, file_name};
use crate::say;
use crate::thresholds::outliers::outliers;
use crate::thresholds::threshold;

/// What to do.
#[derive(Clone, Debug)]
pub struct CalibrateArgs {
    /// The recipe's folder.
    pub recipe: PathBuf,
    /// A plain folder of pictures of good parts, none of them taught on; none where only the target changes.
    pub pictures: Option<PathBuf>,
    /// Share of good parts that may be rejected; `None` for what the recipe was taught with.
    pub false_reject: Option<f64>,
    /// Take the pictures for good parts whatever the recipe's promise says.
    pub force: bool,
}

/// The recipe's description as it was before.
pub const BEFORE: &str = "recipe.toml.before";
/// Pictures that a message names.
const NAMED: usize = 5;

/// Why the recipe stays as it was.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CalibrateError {
    #[error("nothing to do: give a folder of pictures of good parts, a --false-reject, or both")]
    Nothing,
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(
        "{path} is a data set: its train/good was taught on, and its test pictures are there to measure \
         with; give a folder of other pictures of good parts"
    )]
    IsDataset { path: PathBuf },
    #[error("{path}: {why}; take it out of the folder")]
    Picture { path: PathBuf, why: String },
    #[error("{0}; take it out of the folder")]
    Unreadable(PictureError),
    #[error(
        "{path}: no new picture is left: the recipe was taught or calibrated with all of them already. Give \
         others; to change the target alone give --false-reject without a folder"
    )]
    NothingNew { path: PathBuf },
    #[error(
        "{above} of {of} pictures are above the threshold, {threshold}, which was to reject {at_most:.1} % \
         of good parts at most: are these good parts? Look at {highest}. --force takes them for good ones"
    )]
    NotGood {
        /// So many are,
        above: usize,
        /// of so many.
        of: usize,
        threshold: Score,
        /// What it promised, in percent.
        at_most: f64,
        /// The highest ones with their scores.
        highest: String,
    },
    #[error("{path}: cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("these pictures scatter too much: nothing would ever be rejected. The recipe stays as it was")]
    NoThreshold,
    #[error("--false-reject {0} must be above 0 and below 0.5")]
    Target(f64),
}

impl CalibrateError {
    /// The program's: 2 where an option is out of range or missing, else 1.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Target(_) | Self::Nothing) {
            2
        } else {
            1
        }
    }
}

/// A picture of a good part that the recipe has not seen.
struct New {
    path: PathBuf,
    sha256: String,
    score: Score,
}

/// Scores the pictures, adds them to those by which the threshold was found, and writes the recipe with the
/// new one.
pub fn calibrate(args: &CalibrateArgs) -> Result<Manifest, CalibrateError> {
    if let Some(target) = args.false_reject.filter(|&t| !is_false_reject_target(t)) {
        return Err(CalibrateError::Target(target));
    }
    if args.pictures.is_none() && args.false_reject.is_none() {
        return Err(CalibrateError::Nothing);
    }
    let loaded = Recipe::load(&args.recipe)?;
    let mut manifest = loaded.manifest.clone();
    let new = match &args.pictures {
        Some(folder) => new_pictures(folder, &loaded, args.force)?,
        None => Vec::new(),
    };
    let score = &mut manifest.score;
    let (old, known) = (score.threshold, score.held_out_scores.len());
    score.held_out_scores.extend(new.iter().map(|new| new.score));
    score.false_reject_target = args.false_reject.unwrap_or(score.false_reject_target);
    let odd = if args.force {
        Vec::new()
    } else {
        outliers(&score.held_out_scores)
    };
    for New {
        path, score: found, ..
    } in odd.iter().filter_map(|place| new.get(place.checked_sub(known)?))
    {
        say::error(format_args!(
            "stands out: {}: score {found}; it does not set the threshold, but the promise counts it. Look \
             at it: if it is of no good part, take it out of the folder, put {BEFORE} back and calibrate \
             again; if it is, --force lets it set the threshold",
            path.display()
        ));
    }
    let scores = |are_odd: bool| -> Vec<Score> {
        let all = score.held_out_scores.iter().enumerate();
        all.filter(|(at, _)| odd.contains(at) == are_odd)
            .map(|(_, &score)| score)
            .collect()
    };
    let found = threshold(
        &scores(false),
        &scores(true),
        &score.taught_scores,
        score.false_reject_target,
    );
    if found.score == Score(u16::MAX) {
        return Err(CalibrateError::NoThreshold);
    }
    (score.threshold, score.threshold_basis) = (found.score, found.basis);
    // found with other pictures than the new threshold: no comparison any more
    score.comparison_thresholds.clear();
    manifest.training.held_out = score.held_out_scores.len();
    manifest
        .pictures
        .extend(new.iter().map(|new| (new.sha256.clone(), file_name(&new.path))));
    // a copy for a device may have been left without the network before quantisation
    let there = |name: &&String| *name != FLOAT_MODEL_FILE || args.recipe.join(name).exists();
    let names: Vec<String> = manifest.files.keys().filter(there).cloned().collect();
    let before = args.recipe.join(BEFORE);
    fs::copy(args.recipe.join(MANIFEST_FILE), &before).map_err(|source| CalibrateError::Write {
        path: before.clone(),
        source,
    })?;
    let manifest = recipe::write(&args.recipe, manifest, &names)?;
    for (word, limit) in [("was", old), ("is", manifest.score.threshold)] {
        if let Some(promise) = Promise::of(&manifest.score.held_out_scores, limit) {
            say::error(format_args!("the threshold {word} {limit}: {promise}"));
        }
    }
    say::error(format_args!(
        "{}: calibrated with {} more pictures ({}); as it was before: {}",
        args.recipe.join(MANIFEST_FILE).display(),
        new.len(),
        manifest.score.threshold_basis,
        before.display()
    ));
    Ok(manifest)
}

/// The folder's pictures that the recipe has not seen, with their scores.
fn new_pictures(folder: &Path, recipe: &Recipe, force: bool) -> Result<Vec<New>, CalibrateError> {
    let dataset = Dataset::open(folder)?;
    if dataset.train_good.is_empty() || !dataset.test.is_empty() || folder.join("train").is_dir() {
        return Err(CalibrateError::IsDataset {
            path: folder.to_owned(),
        });
    }
    let mut new = scores(&dataset.train_good, recipe)?;
    let settings = &recipe.manifest.score;
    let known = &settings.held_out_scores;
    // a recipe of before pictures were kept: one of them may happen to score like another, not all
    let all_alike = recipe.manifest.pictures.is_empty() && new.iter().all(|new| known.contains(&new.score));
    if new.is_empty() || all_alike {
        return Err(CalibrateError::NothingNew {
            path: folder.to_owned(),
        });
    }
    let above = new.iter().filter(|new| new.score > settings.threshold).count();
    let promise =
        Promise::of(known, settings.threshold).filter(|promise| promise.is_broken_by(above, new.len()));
    if let (Some(Promise { at_most, .. }), false) = (promise, force) {
        let of = new.len();
        new.sort_by_key(|new| std::cmp::Reverse(new.score));
        let named = new
            .iter()
            .take(NAMED.min(above))
            .map(|new| format!("{} ({})", new.path.display(), new.score));
        let highest = named.collect::<Vec<_>>().join(", ");
        let (threshold, at_most) = (settings.threshold, 100.0 * at_most);
        return Err(CalibrateError::NotGood {
            above,
            of,
            threshold,
            at_most,
            highest,
        });
    }
    Ok(new)
}

/// The score of each picture that the recipe has not seen, of equal files the first one's only.
fn scores(files: &[PathBuf], recipe: &Recipe) -> Result<Vec<New>, CalibrateError> {
    let mut inspector = Inspector::new(recipe)?;
    let (mut seen, mut seen_before) = (HashSet::new(), 0);
    let mut new = Vec::new();
    for path in files {
        let bad = |why: String| CalibrateError::Picture {
            path: path.clone(),
            why,
        };
        let bytes = Picture::read(path).map_err(CalibrateError::Unreadable)?;
        let sha256 = sha256_hex(&bytes);
        if recipe.manifest.pictures.contains_key(&sha256) {
            seen_before += 1;
            continue;
        }
        if !seen.insert(sha256.clone()) {
            say::error(format_args!(
                "left out: {}: the same picture as another one",
                path.display()
            ));
            continue;
        }
        let picture = Picture::decode(&bytes, path).map_err(CalibrateError::Unreadable)?;
        let score = inspector.inspect(&picture).map_err(|e| bad(e.to_string()))?.score;
        new.push(New {
            path: path.clone(),
            sha256,
            score,
        });
    }
    if seen_before > 0 {
        say::error(format_args!(
            "left out: {seen_before} pictures that the recipe was taught or calibrated with already"
        ));
    }
    Ok(new)
}
