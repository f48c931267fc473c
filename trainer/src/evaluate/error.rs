//! What can go wrong with an evaluation.

use std::io;
use std::path::PathBuf;

use beltwatch_vision::inspect::InspectError;
use beltwatch_vision::picture::PictureError;
use beltwatch_vision::preprocess::PreprocessError;
use beltwatch_vision::recipe::RecipeError;

use super::report::ReportError;
use crate::dataset::DatasetError;
use crate::quantise::QuantiseError;

/// Why there is no evaluation.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum EvaluateError {
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("{path}: {source}")]
    Inspect { path: PathBuf, source: InspectError },
    #[error("{path}: the mask is {mask}, its picture {picture}: they must be of one size")]
    MaskSize {
        path: PathBuf,
        mask: String,
        picture: String,
    },
    #[error("{path}: {source}")]
    Preprocess { path: PathBuf, source: PreprocessError },
    #[error("{path}: {source}")]
    Float {
        /// The model's file, or the picture that it failed on.
        path: PathBuf,
        source: QuantiseError,
    },
    #[error("standard output: {0}")]
    Output(io::Error),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("{path}: cannot be written: {source}")]
    Json { path: PathBuf, source: io::Error },
}
