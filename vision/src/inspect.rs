//! One picture in, one verdict out: preprocess, reconstruct, judge.

use std::time::{Duration, Instant};

use crate::judge::difference::{Form, Seen};
use crate::judge::score::{Score, Verdict};
use crate::judge::{Judge, Judgement};
use crate::picture::Picture;
use crate::preprocess::{Pose, PreprocessError, Preprocessor};
use crate::processor::Team;
use crate::recipe::{MANIFEST_FILE, MODEL_FILE, Recipe, RecipeError};
use crate::reconstruct::{InputShape, Kernel, ReconstructError, Reconstructor};

/// A picture that got no verdict.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum InspectError {
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    #[error("the network failed: {0}")]
    Reconstruct(#[from] ReconstructError),
}

/// How long each stage of a frame took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Channels, size and position.
    pub preprocess: Duration,
    /// The network.
    pub reconstruct: Duration,
    /// Difference, noise map, HEE, smoothing, score.
    pub judge: Duration,
}

impl StageTimes {
    /// All stages.
    pub fn total(&self) -> Duration {
        self.preprocess + self.reconstruct + self.judge
    }
}

/// What was found on a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Pass, or reject for a defect.
    pub verdict: Verdict,
    /// How different the part is.
    pub score: Score,
    /// What HEE took off.
    pub error: u8,
    /// Where the time went.
    pub times: StageTimes,
}

/// Inspects pictures by one recipe. One a camera.
///
/// ```
/// use beltwatch_vision::inspect::Inspector;
/// use beltwatch_vision::judge::score::Verdict;
/// use beltwatch_vision::recipe::Recipe;
/// use beltwatch_vision::rendered::{DefectKind, render};
///
/// let recipe = Recipe::load("../models/demo".as_ref())?;
/// // every golden picture of the recipe gets exactly its score here, or this is an error
/// let mut inspector = Inspector::new(&recipe)?;
/// let (good, bad) = (render(1, 2, 256, None, 0.0), render(1, 2, 256, Some(DefectKind::Stain), 1.0));
/// assert_eq!(inspector.inspect(&good.picture)?.verdict, Verdict::Pass);
/// let found = inspector.inspect(&bad.picture)?;
/// assert!(found.score > inspector.threshold() && found.verdict != Verdict::Pass);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Inspector {
    team: Team,
    preprocessor: Preprocessor,
    reconstructor: Reconstructor,
    judge: Judge,
    threshold: Score,
    input: Picture,
    reconstruction: Picture,
}

impl Inspector {
    /// Builds the network and runs the self-test: every golden picture must get exactly its score.
    pub fn new(recipe: &Recipe) -> Result<Self, RecipeError> {
        Self::with(recipe, Kernel::best(), Team::alone())
    }

    /// The same with a kernel of choice, by a team.
    pub fn with(recipe: &Recipe, kernel: Kernel, team: Team) -> Result<Self, RecipeError> {
        let mut inspector = Self::build(recipe, kernel, team)?;
        if recipe.manifest.golden.is_empty() {
            return Err(RecipeError::NoGolden {
                path: recipe.folder.join(MANIFEST_FILE),
            });
        }
        for golden in &recipe.manifest.golden {
            let path = recipe.folder.join(&golden.file);
            let found = match inspector.inspect(&Picture::open(&path)?) {
                Ok(inspection) => inspection.score,
                Err(InspectError::Preprocess(source)) => {
                    return Err(RecipeError::GoldenPicture { path, source });
                }
                Err(InspectError::Reconstruct(source)) => return Err(RecipeError::Model { path, source }),
            };
            if found != golden.score {
                return Err(RecipeError::GoldenMismatch {
                    path,
                    expected: golden.score,
                    found,
                });
            }
        }
        Ok(inspector)
    }

    /// The same without the self-test, for the trainer, which sets the golden scores with it.
    pub fn untested(recipe: &Recipe) -> Result<Self, RecipeError> {
        Self::build(recipe, Kernel::best(), Team::alone())
    }

    fn build(recipe: &Recipe, kernel: Kernel, team: Team) -> Result<Self, RecipeError> {
        let input = &recipe.manifest.input;
        let shape = InputShape {
            size: input.size,
            channels: input.channels,
        };
        let reconstructor = Reconstructor::load_with(&recipe.model, shape, kernel)
            .and_then(|network| {
                network.with_head_if(recipe.manifest.difference.forms.contains(&Form::Learned))
            })
            .map_err(|source| RecipeError::Model {
                path: recipe.folder.join(MODEL_FILE),
                source,
            })?;
        Ok(Self {
            team,
            preprocessor: recipe.preprocessor(),
            reconstructor,
            judge: Judge::new(
                &recipe.manifest.judge_settings(),
                &recipe.noise,
                input.size,
                input.size,
            ),
            threshold: recipe.manifest.score.threshold,
            input: Picture::filled(input.size, input.size, input.channels, 0),
            reconstruction: Picture::filled(input.size, input.size, input.channels, 0),
        })
    }

    /// Judges a picture as the camera gave it.
    pub fn inspect(&mut self, picture: &Picture) -> Result<Inspection, InspectError> {
        let start = Instant::now();
        self.preprocessor
            .apply_by(&mut self.team, picture, &mut self.input)?;
        let preprocessed = Instant::now();
        self.reconstructor
            .reconstruct_by(&mut self.team, &self.input.data, &mut self.reconstruction.data)?;
        let reconstructed = Instant::now();
        let seen = Seen::new(
            &self.input,
            &self.reconstruction,
            self.reconstructor.learned(),
            self.preprocessor.pose(),
        );
        let Judgement { score, error } = self.judge.judge(&seen);
        let times = StageTimes {
            preprocess: preprocessed - start,
            reconstruct: reconstructed - preprocessed,
            judge: reconstructed.elapsed(),
        };
        Ok(Inspection {
            verdict: score.judge(self.threshold),
            score,
            error,
            times,
        })
    }

    /// The threads that it works with.
    pub fn team(&mut self) -> &mut Team {
        &mut self.team
    }

    /// The threshold in force.
    pub fn threshold(&self) -> Score {
        self.threshold
    }

    /// Another threshold than the recipe's, from the next picture on.
    pub fn set_threshold(&mut self, threshold: Score) {
        self.threshold = threshold;
    }

    /// Where the last part lay; the zero pose without position correction.
    pub fn pose(&self) -> Pose {
        self.preprocessor.pose()
    }

    /// The last picture as the network saw it.
    pub fn input(&self) -> &Picture {
        &self.input
    }

    /// How the network drew it.
    pub fn reconstruction(&self) -> &Picture {
        &self.reconstruction
    }

    /// All that the judge took of it.
    pub fn seen(&self) -> Seen<'_> {
        Seen::new(
            &self.input,
            &self.reconstruction,
            self.reconstructor.learned(),
            self.pose(),
        )
    }

    /// The judge with the maps of the last picture.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// The last anomaly map as a picture-sized u8 map for people: the threshold stands at half of the range.
    pub fn heat(&self) -> Vec<u8> {
        let full = (2 * u32::from(self.threshold.0)).max(1);
        self.judge
            .anomaly()
            .iter()
            .map(|&v| (u32::from(v).min(full) * 255 / full) as u8)
            .collect()
    }

    /// The network.
    pub fn reconstructor(&self) -> &Reconstructor {
        &self.reconstructor
    }

    /// Name of the convolution kernel that this CPU runs.
    pub fn kernel_name(&self) -> &'static str {
        self.reconstructor.kernel_name()
    }
}
