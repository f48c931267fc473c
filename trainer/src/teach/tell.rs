//! What is said of a recipe that was written: its threshold and promise, and which pictures to look at.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::judge::promise::Promise;
use beltwatch_vision::judge::score::Score;
use beltwatch_vision::picture::{Picture, heatmap};
use beltwatch_vision::recipe::{FLOAT_MODEL_FILE, MANIFEST_FILE, Recipe, ScoreSettings};

use super::export::error::ExportError;
use super::{TeachError, remove};
use crate::say;

/// In a run's folder: taught pictures that stand out.
const LOOK_AT: &str = "look-at-these";
/// In a run's folder: the held-out pictures that the threshold stands on.
const THRESHOLD_BY: &str = "threshold-by";

/// Where it lies, its threshold and what that stands on.
pub(super) fn written(folder: &Path, score: &ScoreSettings, took: Duration) {
    let float = if folder.join(FLOAT_MODEL_FILE).exists() {
        format!("; {FLOAT_MODEL_FILE} is for evaluation only, a device does not need it")
    } else {
        String::new()
    };
    let (manifest, threshold) = (folder.join(MANIFEST_FILE), score.threshold);
    say::error(format_args!(
        "{}: threshold {threshold}, in {:.0} s{float}",
        manifest.display(),
        took.as_secs_f64()
    ));
    say::error(format_args!("{}", score.threshold_basis));
}

/// That the promise is weaker than what was asked for, and what makes it stronger; `folds` are those that
/// cross-fitting had, `pictures` all that could have been held out.
pub(super) fn promise(score: &ScoreSettings, asked: f64, folds: usize, pictures: usize) {
    let promise = Promise::of(&score.held_out_scores, score.threshold);
    if let Some(Promise { at_most, .. }) = promise.filter(|promise| promise.at_most > asked) {
        let more = if folds == 0 {
            format!("; `teach --folds 5` would set the threshold with all {pictures}, in six times the time")
        } else {
            String::new()
        };
        say::error(format_args!(
            "so few pictures cannot promise the {} % that were asked for, only {:.1} %: `calibrate` takes \
             more pictures of good parts at any time{more}",
            100.0 * asked,
            100.0 * at_most,
        ));
    }
}

/// Those that the threshold stands on and those that stand out, with a picture of what the recipe makes of
/// each.
pub(super) fn pictures(
    recipe: &Path,
    run_folder: &Path,
    threshold: Score,
    highest: &[(PathBuf, Score)],
    suspicious: &[(PathBuf, Score)],
) -> Result<(), TeachError> {
    // the folder of an earlier run would be taken for this one's
    let [look_at, threshold_by] = [LOOK_AT, THRESHOLD_BY].map(|folder| run_folder.join(folder));
    remove(&look_at)?;
    remove(&threshold_by)?;
    let stands_on_one = highest.first().is_some_and(|&(_, highest)| highest == threshold);
    if !stands_on_one && suspicious.is_empty() {
        return Ok(());
    }
    let loaded = Recipe::load(recipe).map_err(ExportError::from)?;
    let mut inspector = Inspector::untested(&loaded).map_err(ExportError::from)?;
    if stands_on_one {
        show(&mut inspector, &threshold_by, highest)?;
        let named: Vec<String> = highest
            .iter()
            .map(|(path, score)| format!("{} {score}", path.display()))
            .collect();
        say::error(format_args!(
            "the threshold is the score of one held-out picture, the highest of {}: look at {}; if it is of \
             no good part, give the same command with --force --leave-out and the picture, which takes no \
             new training",
            named.join(", "),
            threshold_by.display()
        ));
    }
    if !suspicious.is_empty() {
        show(&mut inspector, &look_at, suspicious)?;
        for (path, score) in suspicious {
            say::error(format_args!(
                "stands out: {}: score {score}; neither noise map nor threshold use it",
                path.display()
            ));
        }
        say::error(format_args!(
            "look at {} before you trust the recipe; the promise counts those that were held out: what is of \
             no good part is left out of it by the same command with --force --leave-out and the picture",
            look_at.display()
        ));
    }
    Ok(())
}

/// Puts teaching pictures into a new folder, each beside what the recipe makes of it.
fn show(inspector: &mut Inspector, folder: &Path, pictures: &[(PathBuf, Score)]) -> Result<(), TeachError> {
    fs::create_dir_all(folder).map_err(|source| TeachError::Write {
        path: folder.to_owned(),
        source,
    })?;
    for (number, (path, _)) in pictures.iter().enumerate() {
        let picture = Picture::open(path).map_err(ExportError::from)?;
        inspector.inspect(&picture).map_err(ExportError::from)?;
        let input = inspector.input();
        let views = [
            input.clone(),
            inspector.reconstruction().clone(),
            heatmap::overlay(input, &inspector.heat()),
        ];
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        heatmap::beside(&views)
            .save_png(&folder.join(format!("{:02}-{stem}.png", number + 1)))
            .map_err(ExportError::from)?;
    }
    Ok(())
}
