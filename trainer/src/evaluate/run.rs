//! Runs a recipe over a test set: the int8 network through the device's own code, the float network beside it.

use std::path::PathBuf;
use std::{fs, io};

use beltwatch::inspect::{InspectError, Inspector};
use beltwatch::picture::PictureError;
use beltwatch::preprocess::PreprocessError;
use beltwatch::recipe::{FLOAT_MODEL_FILE, Recipe, RecipeError};

use super::json::{COMPARISON_ROWS, Evaluation, RecipeFacts, Results};
use super::report::{self, PictureScore, Report, ReportError};
use super::rows::{FloatNetwork, Row, cases, pass};
use super::table::table;
use super::{Counts, panels};
use crate::dataset::{Dataset, DatasetError};
use crate::quantise::QuantiseError;

/// What to evaluate.
#[derive(Clone, Debug)]
pub struct EvaluateArgs {
    /// The recipe's folder.
    pub recipe: PathBuf,
    /// A data set with test pictures.
    pub data: PathBuf,
    /// The JSON file to write the results to.
    pub json: Option<PathBuf>,
    /// The folder to write the report to.
    pub report: Option<PathBuf>,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The results.
    pub evaluation: Evaluation,
    /// What a reader should know, such as why a row is empty.
    pub notes: Vec<String>,
    /// The page of the report, if one was written.
    pub page: Option<PathBuf>,
}

/// Why there is no evaluation.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// the data set
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// the recipe
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// a picture or a mask
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// {path}: {source}
    #[error("{path}: {source}")]
    Inspect {
        /// The picture.
        path: PathBuf,
        /// What is wrong with it.
        source: InspectError,
    },
    /// {path}: the mask is not of the picture's size
    #[error("{path}: the mask is {mask}, its picture {picture}: they must be of one size")]
    MaskSize {
        /// The mask.
        path: PathBuf,
        /// Its size.
        mask: String,
        /// The size of the picture.
        picture: String,
    },
    /// {path}: {source}
    #[error("{path}: {source}")]
    Preprocess {
        /// The picture.
        path: PathBuf,
        /// What is wrong with it.
        source: PreprocessError,
    },
    /// {path}: {source}
    #[error("{path}: {source}")]
    Float {
        /// The model's file, or the picture that it failed on.
        path: PathBuf,
        /// What is wrong.
        source: QuantiseError,
    },
    /// the report
    #[error(transparent)]
    Report(#[from] ReportError),
    /// {path}: cannot be written: {source}
    #[error("{path}: cannot be written: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Evaluates a recipe, writes what was asked for, and prints the table.
pub fn run(args: &EvaluateArgs) -> Result<Outcome, EvaluateError> {
    let outcome = evaluate(args)?;
    let counts = outcome.evaluation.counts;
    println!("{} test pictures: {} good, {} bad\n", counts.pictures, counts.good, counts.bad);
    print!("{}", table(&outcome.evaluation));
    for note in &outcome.notes {
        println!("\n{note}");
    }
    if let Some(page) = &outcome.page {
        println!("\nreport: {}", page.display());
    }
    Ok(outcome)
}

/// Evaluates a recipe and writes what was asked for.
pub fn evaluate(args: &EvaluateArgs) -> Result<Outcome, EvaluateError> {
    let dataset = Dataset::open(&args.data)?;
    let recipe = Recipe::load(&args.recipe)?;
    let cases = cases(dataset.for_testing()?, recipe.manifest.input.size)?;
    let mut inspector = Inspector::new(&recipe)?;
    let mut notes = Vec::new();
    let score = &recipe.manifest.score;
    let [float_raw, float_hee, int8_raw] = COMPARISON_ROWS.map(|row| score.comparison_thresholds.get(row).copied());

    let [raw, hee] = pass("int8", &cases, &mut inspector, Row::pair(&recipe, [int8_raw, Some(score.threshold)]))?;
    let scored = hee.scored;
    let mut results = Results { int8_raw: raw.metrics, int8_hee: hee.metrics, ..Results::default() };
    if let Some(mut network) = FloatNetwork::open(&recipe)? {
        let [raw, hee] = pass("float", &cases, &mut network, Row::pair(&recipe, [float_raw, float_hee]))?;
        (results.float_raw, results.float_hee) = (raw.metrics, hee.metrics);
    } else {
        notes.push(format!("The recipe has no {FLOAT_MODEL_FILE}, so the float rows were not run."));
    }

    let evaluation = Evaluation {
        dataset: args.data.clone(),
        recipe: facts(&recipe),
        counts: Counts::of(&scored),
        threshold: score.threshold.to_f64(),
        results,
    };
    if let Some(path) = &args.json {
        let written = fs::write(path, evaluation.to_json());
        written.map_err(|source| EvaluateError::Json { path: path.clone(), source })?;
    }
    let page = match &args.report {
        None => None,
        Some(folder) => {
            let sections = panels::sections(&dataset.root, &scored, &mut inspector)?;
            let scores: Vec<PictureScore> =
                scored.iter().map(|s| PictureScore { score: s.score, good: s.good() }).collect();
            let report = Report { evaluation: &evaluation, scores: &scores, sections: &sections, notes: &notes };
            Some(report::write(folder, &report)?)
        }
    };
    Ok(Outcome { evaluation, notes, page })
}

fn facts(recipe: &Recipe) -> RecipeFacts {
    let (training, score) = (&recipe.manifest.training, &recipe.manifest.score);
    let unfinished = if training.finished { "" } else { ", stopped early" };
    RecipeFacts {
        path: recipe.folder.clone(),
        sha256: recipe.sha256.clone(),
        product: recipe.manifest.product.clone(),
        network: training.network.clone(),
        training: format!(
            "{}: {} good pictures taught, {} held out, seed {}, {} steps{unfinished}",
            training.program, training.pictures, training.held_out, training.seed, training.steps
        ),
        false_reject_target: score.false_reject_target,
        threshold_basis: score.threshold_basis.clone(),
    }
}
