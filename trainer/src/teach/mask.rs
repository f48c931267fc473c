//! A mask picture that says what of a part counts.

use std::path::{Path, PathBuf};

use beltwatch::picture::{Picture, PictureError};
use beltwatch::preprocess::{PreprocessError, Preprocessor};
use beltwatch::region::Regions;

/// Why a mask is of no use.
#[derive(Debug, thiserror::Error)]
pub enum MaskError {
    /// the file
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// another shape
    #[error("{path}: {source}. Draw the mask over a picture of the part")]
    Shape {
        /// The mask.
        path: PathBuf,
        /// What does not fit.
        source: PreprocessError,
    },
    /// black, or as ragged as noise
    #[error("{path}: paint white what is to be looked at, and black what is not, in areas with plain outlines")]
    Nothing {
        /// The mask.
        path: PathBuf,
    },
}

/// The regions of a mask picture, white where the part is looked at, black where it is not: drawn over a picture as the
/// camera gives it (`taught` sizes), or over one as the network sees it.
pub fn regions(path: &Path, size: usize, taught: &[[usize; 2]]) -> Result<Regions, MaskError> {
    let picture = Picture::open(path)?;
    let sizes: Vec<[usize; 2]> = taught.iter().copied().chain([[size, size]]).collect();
    let mut mask = Picture::default();
    Preprocessor::new(size, 1, &sizes)
        .apply(&picture, &mut mask)
        .map_err(|source| MaskError::Shape { path: path.to_owned(), source })?;
    let regions = Regions::trace(&mask.data, size);
    if !regions.is_everything() && regions.fit(size) {
        return Ok(regions);
    }
    Err(MaskError::Nothing { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_in_the_cameras_size_is_traced_in_the_networks() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("mask.png");
        let mut mask = Picture::filled(128, 64, 3, 0);
        for row in mask.data[16 * 128 * 3..48 * 128 * 3].chunks_mut(128 * 3) {
            row[64 * 3..].fill(255);
        }
        mask.save_png(&path).expect("writable");
        let found = regions(&path, 32, &[[256, 128]]).expect("a mask");
        let mut corners = found.look.concat();
        corners.sort_unstable();
        assert_eq!(corners, [[16, 8], [16, 24], [32, 8], [32, 24]]);
        assert!(matches!(regions(&path, 32, &[[100, 100]]), Err(MaskError::Shape { .. })));
        Picture::filled(32, 32, 1, 0).save_png(&path).expect("writable");
        assert!(matches!(regions(&path, 32, &[]), Err(MaskError::Nothing { .. })));
    }
}
