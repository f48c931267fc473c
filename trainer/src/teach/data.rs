//! The teaching pictures: read, checked, split.

use std::path::PathBuf;

use beltwatch::picture::{Picture, PictureError};
use beltwatch::preprocess::{PreprocessError, Preprocessor};

use crate::train::rng::Rng;

/// Fewer good pictures than this teach nothing.
pub const LEAST_PICTURES: usize = 10;
/// One picture in this many is held out.
const HELD_OUT_ONE_IN: usize = 10;
/// But at least so many, where that leaves three quarters to teach on.
const LEAST_HELD_OUT: usize = 8;
/// A recipe names at most this many picture sizes.
const MOST_SIZES: usize = 16;

/// Why the pictures cannot be taught on.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// too few
    #[error("{found} good pictures are too few to teach on: at least {LEAST_PICTURES} are needed, 100 to 300 are good")]
    TooFew {
        /// How many there were.
        found: usize,
    },
    /// one cannot be read
    #[error("{0}. Remove or replace the file, then teach again")]
    Picture(#[from] PictureError),
    /// shapes differ
    #[error("{path}: {source}; all teaching pictures must have one shape")]
    Shape {
        /// The picture.
        path: PathBuf,
        /// How it differs from the first one.
        source: PreprocessError,
    },
    /// sizes differ
    #[error(
        "the pictures come in more than {MOST_SIZES} sizes; a line's camera has one. Resize or crop them to one size"
    )]
    Sizes,
}

/// Pictures of good parts, as the camera gave them and as the network sees them.
#[derive(Clone, Debug)]
pub struct TeachingSet {
    /// Taught on, preprocessed.
    pub train: Vec<Picture>,
    /// Never taught on: file and picture as the camera gave it.
    pub held_out: Vec<(PathBuf, Picture)>,
    /// 1 where every picture is grey, else 3.
    pub channels: usize,
    /// The sizes `[width, height]` that occur.
    pub sizes: Vec<[usize; 2]>,
}

/// How many of `count` pictures are held out.
pub fn held_out_count(count: usize) -> usize {
    (count / HELD_OUT_ONE_IN).max(LEAST_HELD_OUT.min(count / 4))
}

impl TeachingSet {
    /// Reads the pictures and holds out a share of them, the same ones for the same seed. `size` is the side of the
    /// network's picture.
    pub fn load(files: &[PathBuf], size: usize, seed: u64) -> Result<Self, DataError> {
        if files.len() < LEAST_PICTURES {
            return Err(DataError::TooFew { found: files.len() });
        }
        let pictures = files.iter().map(|f| Picture::open(f)).collect::<Result<Vec<_>, _>>()?;
        let channels = if pictures.iter().all(|p| p.channels == 1) { 1 } else { 3 };
        let mut sizes: Vec<[usize; 2]> = pictures.iter().map(|p| [p.width, p.height]).collect();
        let first = sizes[..1].to_vec();
        sizes.sort_unstable();
        sizes.dedup();
        if sizes.len() > MOST_SIZES {
            return Err(DataError::Sizes);
        }
        let mut preprocessor = Preprocessor::new(size, channels, &first);
        let order = Rng::new(&[seed, u64::from_le_bytes(*b"held-out")]).permutation(files.len());
        let held = held_out_count(files.len());
        let (mut train, mut held_out) = (Vec::new(), Vec::new());
        for (place, (file, picture)) in files.iter().zip(pictures).enumerate() {
            let mut input = Picture::default();
            let shape = |source| DataError::Shape { path: file.clone(), source };
            preprocessor.apply(&picture, &mut input).map_err(shape)?;
            if order[place] < held {
                held_out.push((file.clone(), picture));
            } else {
                train.push(input);
            }
        }
        Ok(Self { train, held_out, channels, sizes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn write(dir: &Path, count: usize, channels: usize, width: usize) -> Vec<PathBuf> {
        let files: Vec<PathBuf> = (0..count).map(|i| dir.join(format!("{channels}-{width}-{i:03}.png"))).collect();
        for (i, file) in files.iter().enumerate() {
            Picture::filled(width, 40, channels, i as u8).save_png(file).expect("writable");
        }
        files
    }

    #[test]
    fn a_tenth_is_held_out_and_the_same_one_each_time() {
        assert_eq!([10, 35, 80, 300].map(held_out_count), [2, 8, 8, 30]);
        let dir = tempfile::tempdir().expect("a temporary folder");
        let files = write(dir.path(), 40, 1, 40);
        let load = |seed| TeachingSet::load(&files, 32, seed).expect("readable");
        let names = |set: &TeachingSet| set.held_out.iter().map(|h| h.0.clone()).collect::<Vec<_>>();
        assert_eq!((load(1).train.len(), load(1).held_out.len(), load(1).channels), (32, 8, 1));
        assert_eq!(names(&load(1)), names(&load(1)));
        assert_ne!(names(&load(1)), names(&load(2)));
    }

    #[test]
    fn bad_sets_say_what_is_wrong() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut files = write(dir.path(), 12, 3, 40);
        let error = |files: &[PathBuf]| TeachingSet::load(files, 32, 0).expect_err("bad").to_string();
        assert!(error(&files[..9]).contains("9 good pictures are too few"));
        files.extend(write(dir.path(), 1, 3, 90));
        assert!(error(&files).contains("3-90-000.png"), "{}", error(&files));
        std::fs::write(&files[12], b"not a picture").expect("writable");
        assert!(error(&files).contains("3-90-000.png"), "{}", error(&files));
    }
}
