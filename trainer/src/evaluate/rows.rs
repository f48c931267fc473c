//! The rows of the table: one pass of a network over the test set fills two, without and with HEE.

use std::fs;
use std::path::Path;

use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::judge::score::{Score, Verdict};
use beltwatch_vision::judge::{Judge, Seen};
use beltwatch_vision::picture::Picture;
use beltwatch_vision::preprocess::{Pose, Preprocessor};
use beltwatch_vision::recipe::{FLOAT_MODEL_FILE, Recipe, RecipeError};
use indicatif::{ProgressBar, ProgressStyle};

use super::error::EvaluateError;
use super::mask::Mask;
use super::{Metrics, Scored, summarise};
use crate::dataset::TestPicture;
use crate::quantise::FloatReconstructor;

/// Something that preprocesses and reconstructs pictures as the device does.
pub(super) trait Network {
    /// Takes a picture file.
    fn see(&mut self, path: &Path) -> Result<(), EvaluateError>;
    /// All that a judge takes of it.
    fn seen(&self) -> Seen<'_>;
    /// Where the part lay.
    fn pose(&self) -> Pose;
}

impl Network for Inspector {
    fn see(&mut self, path: &Path) -> Result<(), EvaluateError> {
        let inspect = |source| EvaluateError::Inspect {
            path: path.to_owned(),
            source,
        };
        self.inspect(&Picture::open(path)?).map_err(inspect)?;
        Ok(())
    }

    fn seen(&self) -> Seen<'_> {
        self.seen()
    }

    fn pose(&self) -> Pose {
        self.pose()
    }
}

/// The network before quantisation, between the device's own preprocessing and judging.
pub(super) struct FloatNetwork {
    preprocessor: Preprocessor,
    reconstructor: FloatReconstructor,
    input: Picture,
    reconstruction: Picture,
    learned: Vec<u8>,
}

impl FloatNetwork {
    /// Loads it from a recipe; `None` where the recipe has none.
    pub(super) fn open(recipe: &Recipe) -> Result<Option<Self>, EvaluateError> {
        let path = recipe.folder.join(FLOAT_MODEL_FILE);
        // only a listed file was compared with its hash
        if !recipe.manifest.files.contains_key(FLOAT_MODEL_FILE) || !path.exists() {
            return Ok(None);
        }
        let model = fs::read(&path).map_err(|source| RecipeError::Read {
            path: path.clone(),
            source,
        })?;
        let reconstructor =
            FloatReconstructor::load(&model).map_err(|source| EvaluateError::Float { path, source })?;
        let input = &recipe.manifest.input;
        let empty = Picture::filled(input.size, input.size, input.channels, 0);
        Ok(Some(Self {
            preprocessor: recipe.preprocessor(),
            reconstructor,
            input: empty.clone(),
            reconstruction: empty,
            learned: Vec::new(),
        }))
    }
}

impl Network for FloatNetwork {
    fn see(&mut self, path: &Path) -> Result<(), EvaluateError> {
        let preprocess = |source| EvaluateError::Preprocess {
            path: path.to_owned(),
            source,
        };
        let float = |source| EvaluateError::Float {
            path: path.to_owned(),
            source,
        };
        self.preprocessor
            .apply(&Picture::open(path)?, &mut self.input)
            .map_err(preprocess)?;
        self.learned = self
            .reconstructor
            .reconstruct(&self.input.data, &mut self.reconstruction.data)
            .map_err(float)?;
        Ok(())
    }

    fn seen(&self) -> Seen<'_> {
        Seen::new(
            &self.input,
            &self.reconstruction,
            &self.learned,
            self.preprocessor.pose(),
        )
    }

    fn pose(&self) -> Pose {
        self.preprocessor.pose()
    }
}

/// A test picture as it came and its mask, in the size of the maps.
pub(super) type Case = (TestPicture, Option<Mask>);

/// Opens the masks of test pictures and brings them to `size` x `size`, as the pictures are.
pub(super) fn cases(pictures: &[TestPicture], size: usize) -> Result<Vec<Case>, EvaluateError> {
    let case = |test: &TestPicture| {
        let Some(path) = &test.mask else {
            return Ok((test.clone(), None));
        };
        let (mask, picture) = (Mask::open(path)?, Picture::open(&test.path)?);
        if (mask.width, mask.height) != (picture.width, picture.height) {
            return Err(EvaluateError::MaskSize {
                path: path.clone(),
                mask: format!("{}x{}", mask.width, mask.height),
                picture: format!("{}x{}", picture.width, picture.height),
            });
        }
        Ok((test.clone(), Some(mask.resized(size, size))))
    };
    pictures.iter().map(case).collect()
}

/// A row under way.
pub(super) struct Row {
    judge: Judge,
    size: usize,
    threshold: Option<Score>,
    scored: Vec<Scored>,
}

impl Row {
    /// The rows of one network: without HEE, with HEE. Each has a threshold of its own.
    pub(super) fn pair(recipe: &Recipe, thresholds: [Option<Score>; 2]) -> [Self; 2] {
        let size = recipe.manifest.input.size;
        let hee = Judge::new(&recipe.manifest.judge_settings(), &recipe.noise, size, size);
        let [raw_threshold, hee_threshold] = thresholds;
        let row = |judge, threshold| Self {
            judge,
            size,
            threshold,
            scored: Vec::new(),
        };
        [row(hee.without_hee(), raw_threshold), row(hee, hee_threshold)]
    }

    fn add(&mut self, (test, mask): &Case, network: &dyn Network, keep_map: bool) {
        let score = self.judge.judge(&network.seen()).score;
        let rejected = self
            .threshold
            .is_some_and(|threshold| score.judge(threshold) != Verdict::Pass);
        self.scored.push(Scored {
            path: test.path.clone(),
            label: test.label.clone(),
            mask: mask.clone(),
            score: score.to_f64(),
            rejected,
            map: if keep_map {
                as_it_came(&self.judge.signed_anomaly(), network.pose(), self.size)
            } else {
                Vec::new()
            },
        });
    }

    fn finish(mut self) -> Finished {
        let metrics = summarise(&self.scored, self.threshold.map(Score::to_f64));
        self.scored.iter_mut().for_each(|s| s.map = Vec::new());
        Finished {
            metrics,
            scored: self.scored,
        }
    }
}

/// A map of `size` x `size` as the picture lay before its position was corrected; what was moved out of view
/// was not looked at, and is found last.
fn as_it_came(map: &[i32], pose: Pose, size: usize) -> Vec<i32> {
    pose.inverse()
        .places(size)
        .map(|place| place.map_or(i32::MIN, |place| map[place]))
        .collect()
}

/// A row that is done.
pub(super) struct Finished {
    /// Its numbers.
    pub(super) metrics: Metrics,
    /// What each picture got, without the maps.
    pub(super) scored: Vec<Scored>,
}

/// Takes a network over all cases and fills its rows.
pub(super) fn pass(
    name: &'static str,
    cases: &[Case],
    network: &mut dyn Network,
    mut rows: [Row; 2],
) -> Result<[Finished; 2], EvaluateError> {
    let style = ProgressStyle::with_template("{msg:>5} network {bar:40} {pos}/{len} pictures, {eta} left");
    let bar = ProgressBar::new(cases.len() as u64).with_message(name);
    bar.set_style(style.expect("the template is a constant and valid"));
    // without masks nobody asks for the maps, which take far more memory than all else
    let keep_maps = cases.iter().any(|(_, mask)| mask.is_some());
    for case in cases {
        network.see(&case.0.path)?;
        for row in &mut rows {
            row.add(case, network, keep_maps);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(rows.map(Row::finish))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_view_is_found_last() {
        let map: Vec<i32> = (0..16).collect();
        assert_eq!(as_it_came(&map, Pose::default(), 4), map);
        // the part lay a pixel to the right, and the first column was moved out of view
        let least = i32::MIN;
        let shifted = [least, 0, 1, 2, least, 4, 5, 6, least, 8, 9, 10, least, 12, 13, 14];
        assert_eq!(as_it_came(&map, Pose::new(1.0, 0.0, 0.0), 4), shifted);
        let upside_down: Vec<i32> = (0..16).rev().collect();
        assert_eq!(as_it_came(&map, Pose::new(0.0, 0.0, 180.0), 4), upside_down);
    }
}
