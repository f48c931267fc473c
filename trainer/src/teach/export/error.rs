//! What can go wrong between a trained network and a recipe.

use std::path::PathBuf;

use beltwatch_vision::inspect::InspectError;
use beltwatch_vision::picture::PictureError;
use beltwatch_vision::recipe::RecipeError;
use beltwatch_vision::reconstruct::ReconstructError;

use crate::quantise::QuantiseError;

/// Why no recipe was made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// quantisation failed, or the written model is not what was meant
    #[error(transparent)]
    Quantise(#[from] QuantiseError),
    /// the network failed on a teaching picture
    #[error("the exported network failed: {0}")]
    Reconstruct(#[from] ReconstructError),
    /// the folder
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// a golden picture
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// a golden picture gets no score
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// a file
    #[error("{path}: cannot be written: {source}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
