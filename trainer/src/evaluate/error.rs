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
    /// standard output
    #[error("standard output: {0}")]
    Output(io::Error),
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
