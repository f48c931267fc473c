//! What can go wrong between a trained network and a recipe.

use std::path::PathBuf;

use beltwatch_vision::inspect::InspectError;
use beltwatch_vision::picture::PictureError;
use beltwatch_vision::recipe::RecipeError;
use beltwatch_vision::reconstruct::ReconstructError;

use crate::quantise::QuantiseError;

/// Why no recipe was made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ExportError {
    #[error(transparent)]
    Quantise(#[from] QuantiseError),
    #[error("the exported network failed: {0}")]
    Reconstruct(#[from] ReconstructError),
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error("{path}: cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
}
