//! What can be wrong with a recipe.

use std::path::PathBuf;

use crate::judge::score::Score;
use crate::picture::PictureError;
use crate::preprocess::PreprocessError;
use crate::reconstruct::ReconstructError;

/// Why a recipe was refused. The device goes on with the one it has.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum RecipeError {
    #[error(
        "{path}: there is no [[golden]] picture, so nothing shows that this machine computes what was \
         taught; teach again"
    )]
    NoGolden {
        /// `recipe.toml`.
        path: PathBuf,
    },
    #[error("{path}: cannot be read: {source}. Is this a recipe folder?")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path}: {message}")]
    Manifest {
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    #[error(
        "{path}: recipe format {found} is not supported, this version reads format {supported}. Teach the \
         recipe again, or update beltwatch"
    )]
    Version {
        path: PathBuf,
        /// In the file.
        found: i64,
        /// By this program.
        supported: i64,
    },
    #[error("{path}: {key} = {value} is not allowed: {allowed}")]
    Range {
        path: PathBuf,
        /// The key, with its table.
        key: &'static str,
        value: String,
        /// What would be.
        allowed: &'static str,
    },
    #[error(
        "{path}: SHA-256 is {found}, the manifest says {expected}: the file was changed or cut short. Copy \
         the recipe folder again"
    )]
    Hash {
        path: PathBuf,
        /// In the manifest.
        expected: String,
        found: String,
    },
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("{path}: the noise map must be a 16-bit grey picture of {size}x{size}")]
    NoiseMap {
        path: PathBuf,
        /// Width and height of the network's picture.
        size: usize,
    },
    #[error("{path}: the reference of position correction must be an 8-bit grey picture of {size}x{size}")]
    Reference {
        path: PathBuf,
        /// Width and height of the network's picture.
        size: usize,
    },
    #[error("{path}: {source}")]
    Model { path: PathBuf, source: ReconstructError },
    #[error("{path}: {source}")]
    GoldenPicture { path: PathBuf, source: PreprocessError },
    #[error(
        "{path}: self-test failed: the score is {found}, the recipe promises {expected}. Either recipe.toml \
         was changed by hand, or this machine does not compute what the recipe was taught with; do not use it"
    )]
    GoldenMismatch {
        path: PathBuf,
        /// In the manifest.
        expected: Score,
        /// Computed here.
        found: Score,
    },
}
