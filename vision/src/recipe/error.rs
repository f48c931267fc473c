//! What can be wrong with a recipe.

use std::path::PathBuf;

use crate::judge::score::Score;
use crate::picture::PictureError;
use crate::preprocess::PreprocessError;
use crate::reconstruct::ReconstructError;

/// Why a recipe was refused. The device goes on with the one it has.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// nothing to test the machine with
    #[error(
        "{path}: there is no [[golden]] picture, so nothing shows that this machine computes what was \
         taught; teach again"
    )]
    NoGolden {
        /// `recipe.toml`.
        path: PathBuf,
    },
    /// a file cannot be read
    #[error("{path}: cannot be read: {source}. Is this a recipe folder?")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// a file cannot be written
    #[error("{path}: cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// recipe.toml is not as it should be
    #[error("{path}: {message}")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    /// another version of the format
    #[error(
        "{path}: recipe format {found} is not supported, this version reads format {supported}. Teach the \
         recipe again, or update beltwatch"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// In the file.
        found: i64,
        /// By this program.
        supported: i64,
    },
    /// a setting out of its range
    #[error("{path}: {key} = {value} is not allowed: {allowed}")]
    Range {
        /// The file.
        path: PathBuf,
        /// The key, with its table.
        key: &'static str,
        /// The value found.
        value: String,
        /// What would be.
        allowed: &'static str,
    },
    /// a file that is not the one that was written
    #[error(
        "{path}: SHA-256 is {found}, the manifest says {expected}: the file was changed or cut short. Copy \
         the recipe folder again"
    )]
    Hash {
        /// The file.
        path: PathBuf,
        /// In the manifest.
        expected: String,
        /// Of the file.
        found: String,
    },
    /// a picture of the recipe
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// the noise map does not fit
    #[error("{path}: the noise map must be a 16-bit grey picture of {size}x{size}")]
    NoiseMap {
        /// The file.
        path: PathBuf,
        /// Width and height of the network's picture.
        size: usize,
    },
    /// the reference of position correction does not fit
    #[error("{path}: the reference of position correction must be an 8-bit grey picture of {size}x{size}")]
    Reference {
        /// The file.
        path: PathBuf,
        /// Width and height of the network's picture.
        size: usize,
    },
    /// the network
    #[error("{path}: {source}")]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ReconstructError,
    },
    /// a golden picture that does not fit its own recipe
    #[error("{path}: {source}")]
    GoldenPicture {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PreprocessError,
    },
    /// the self-test
    #[error(
        "{path}: self-test failed: the score is {found}, the recipe promises {expected}. Either recipe.toml \
         was changed by hand, or this machine does not compute what the recipe was taught with; do not use it"
    )]
    GoldenMismatch {
        /// The golden picture.
        path: PathBuf,
        /// In the manifest.
        expected: Score,
        /// Computed here.
        found: Score,
    },
}
