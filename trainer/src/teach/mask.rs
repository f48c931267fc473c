//! A mask picture that says what of a part counts.

use std::path::{Path, PathBuf};

use beltwatch_vision::judge::region::{Regions, WHITE};
use beltwatch_vision::picture::{Picture, PictureError};
use beltwatch_vision::preprocess::Preprocessor;

/// Why a mask is of no use.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum MaskError {
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("{path}: the mask is {found}, a teaching picture {taught}: draw it over one of them")]
    Shape {
        path: PathBuf,
        found: String,
        /// A teaching picture's.
        taught: String,
    },
    #[error(
        "{path}: the mask is {found}, but parts are brought to one place first: draw it over position.png of \
         a recipe that was taught without it, {size}x{size}"
    )]
    Corrected {
        path: PathBuf,
        found: String,
        /// The network's.
        size: usize,
    },
    #[error("{path}: is all {colour}: paint white what is to be looked at, and black what is not")]
    Plain {
        path: PathBuf,
        /// White or black.
        colour: &'static str,
    },
    #[error(
        "{path}: its areas are too many or too ragged: paint white what is to be looked at, with plain \
         outlines"
    )]
    Ragged { path: PathBuf },
}

/// The regions of a mask picture, white where the part is looked at, black where it is not: drawn over a
/// picture as the camera gives it (`taught` sizes; none where positions are corrected), or over one as the
/// network sees it.
pub fn regions(path: &Path, size: usize, taught: &[[usize; 2]]) -> Result<Regions, MaskError> {
    let picture = Picture::open(path)?;
    let sizes: Vec<[usize; 2]> = taught.iter().copied().chain([[size, size]]).collect();
    let mut mask = Picture::default();
    let path = path.to_owned();
    // a square camera's picture has the shape of the network's, but not its places
    let is_elsewhere = taught.is_empty() && [picture.width, picture.height] != [size; 2];
    if is_elsewhere
        || Preprocessor::new(size, 1, &sizes)
            .apply(&picture, &mut mask)
            .is_err()
    {
        let named = |[width, height]: [usize; 2]| format!("{width}x{height}");
        let found = named([picture.width, picture.height]);
        return Err(match taught.first() {
            Some(&taught) => MaskError::Shape {
                path,
                found,
                taught: named(taught),
            },
            None => MaskError::Corrected { path, found, size },
        });
    }
    let white = mask.data.iter().filter(|&&level| level >= WHITE).count();
    let plain = [(0, "black"), (mask.data.len(), "white")]
        .into_iter()
        .find(|(count, _)| *count == white);
    if let Some((_, colour)) = plain {
        return Err(MaskError::Plain { path, colour });
    }
    let regions = Regions::trace(&mask.data, size);
    if regions.fit(size) {
        Ok(regions)
    } else {
        Err(MaskError::Ragged { path })
    }
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
        assert!(matches!(
            regions(&path, 32, &[[100, 100]]),
            Err(MaskError::Shape { .. })
        ));
        // of a part that is not in its place yet, drawn over pictures of a wide camera and of a square one
        assert!(matches!(
            regions(&path, 32, &[]),
            Err(MaskError::Corrected { .. })
        ));
        Picture::filled(48, 48, 1, 255).save_png(&path).expect("writable");
        assert!(matches!(
            regions(&path, 32, &[]),
            Err(MaskError::Corrected { .. })
        ));
        for (level, colour) in [(0, "all black"), (255, "all white")] {
            Picture::filled(32, 32, 1, level)
                .save_png(&path)
                .expect("writable");
            let error = regions(&path, 32, &[]).expect_err("nothing to trace").to_string();
            assert!(error.contains(colour), "{error}");
        }
    }
}
