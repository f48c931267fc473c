//! The teaching pictures: read, checked, split.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use beltwatch_vision::picture::{Picture, PictureError};
use beltwatch_vision::preprocess::{PictureShape, Pose, PreprocessError, Preprocessor};
use beltwatch_vision::recipe::sha256_hex;
use sha2::{Digest, Sha256};

use super::position::Places;
use crate::dataset::file_name;
use crate::rng::Rng;
use crate::thresholds::quantile::median;

/// Fewer good pictures than this teach nothing.
pub const LEAST_PICTURES: usize = 10;
/// One picture in this many is held out.
const HELD_OUT_ONE_IN: usize = 10;
/// But at least so many, where that leaves three quarters to teach on.
const LEAST_HELD_OUT: usize = 8;
/// One picture in this many may be unreadable.
const UNREADABLE_ONE_IN: usize = 20;
/// Channels that differ by no more levels than this, as after JPEG, show no colour.
const GREY: u8 = 6;
/// A picture with less than this share of the usual sharpness is blurred.
const BLURRED: f64 = 0.5;
/// So many pictures are for the self-test.
const GOLDEN: usize = 2;
/// A recipe names at most this many picture sizes.
const MOST_SIZES: usize = 16;

/// Why the pictures cannot be taught on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DataError {
    #[error(
        "{found} good pictures are too few to teach on: at least {LEAST_PICTURES} are needed, 100 to 300 are \
         good"
    )]
    TooFew { found: usize },
    #[error("{} pictures cannot be read, more than one in {UNREADABLE_ONE_IN}. Remove or replace them, then \
             teach again:\n{}",
        .0.len(), list(.0))]
    Unreadable(Vec<PictureError>),
    #[error("{path}: {source}; all teaching pictures must have one shape")]
    Shape {
        path: PathBuf,
        /// How it differs from the first one.
        source: PreprocessError,
    },
    #[error(
        "the pictures come in more than {MOST_SIZES} sizes; a line's camera has one. Resize or crop them to \
         one size"
    )]
    Sizes,
}

/// One a line.
fn list(errors: &[PictureError]) -> String {
    errors
        .iter()
        .map(PictureError::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A file that the engineer should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// The file.
    pub path: PathBuf,
    /// What is odd about it, and what was done.
    pub why: String,
}

/// Pictures of good parts, as the network sees them.
#[derive(Clone, Debug)]
pub struct TeachingSet {
    /// Taught on, preprocessed.
    pub train: Vec<Picture>,
    /// The files of `train`.
    pub train_files: Vec<PathBuf>,
    /// Where the parts of `train` lay before they were brought to one place.
    pub poses: Vec<Pose>,
    /// Never taught on: file and preprocessed picture. With cross-fitting those of `train`, in the same
    /// order: each is held out from the network of its fold.
    pub held_out: Vec<(PathBuf, Picture)>,
    /// Where the parts of `held_out` lay.
    pub held_out_poses: Vec<Pose>,
    /// The first of `held_out` as the camera gave them, for the recipe's self-test.
    pub golden: Vec<Picture>,
    /// With cross-fitting, the fold of each picture.
    folds: Vec<usize>,
    /// 1 where every picture is grey, else 3.
    pub channels: usize,
    /// The sizes `[width, height]` that occur.
    pub sizes: Vec<[usize; 2]>,
    /// Unreadable, repeated and blurred pictures.
    pub odd: Vec<Odd>,
    /// SHA-256 of all readable files, with their names.
    pub sha256: BTreeMap<String, String>,
}

/// How many of `count` pictures are held out.
pub fn held_out_count(count: usize) -> usize {
    (count / HELD_OUT_ONE_IN).max(LEAST_HELD_OUT.min(count / 4))
}

impl TeachingSet {
    /// Reads the pictures and holds out a share of them, the same ones for the same seed; with `folds`, that
    /// many shares in turn. `size` is the side of the network's picture. A few unreadable pictures, and those
    /// that come twice, are left out and listed as odd.
    pub fn load(files: &[PathBuf], size: usize, seed: u64, folds: Option<usize>) -> Result<Self, DataError> {
        if files.len() < LEAST_PICTURES {
            return Err(DataError::TooFew { found: files.len() });
        }
        let Readable {
            files,
            inputs,
            channels,
            sizes,
            sha256,
            mut odd,
        } = readable(files, size)?;
        let sizes = sizes.into_iter().collect();
        let order = Rng::new(&[seed, u64::from_le_bytes(*b"held-out")]).permutation(files.len());
        let held = if folds.is_some() {
            files.len()
        } else {
            held_out_count(files.len())
        };
        let sharpness: Vec<f64> = inputs.iter().map(sharpness_of).collect();
        let (mut train, mut train_files, mut held_out) = (Vec::new(), Vec::new(), Vec::new());
        for (place, (file, input)) in files.iter().zip(inputs).enumerate() {
            let is_held_out = order[place] < held;
            if is_held_out {
                held_out.push((file.clone(), input.clone()));
            }
            if folds.is_some() || !is_held_out {
                train.push(input);
                train_files.push(file.clone());
            }
        }
        let golden = held_out.iter().take(GOLDEN).map(|(file, _)| Picture::open(file));
        let golden = golden
            .collect::<Result<_, _>>()
            .map_err(|e| DataError::Unreadable(vec![e]))?;
        odd.extend(blurred(&sharpness).into_iter().map(|place| Odd {
            path: files[place].clone(),
            why: "far less sharp than the others; taught on all the same".to_owned(),
        }));
        let [poses, held_out_poses] = [train.len(), held_out.len()].map(|count| vec![Pose::default(); count]);
        let folds = folds.map_or(Vec::new(), |folds| {
            order.iter().map(|place| place % folds).collect()
        });
        Ok(Self {
            train,
            train_files,
            poses,
            held_out,
            held_out_poses,
            golden,
            folds,
            channels,
            sizes,
            odd,
            sha256,
        })
    }

    /// Brings the parts of all pictures to one place.
    pub fn correct(&mut self, places: &Places) {
        self.poses = places.correct(self.train.iter_mut());
        self.held_out_poses = places.correct(self.held_out.iter_mut().map(|(_, picture)| picture));
    }

    /// A picture that is taught on, and where its part lay.
    pub fn taught_at(&self, place: usize) -> (&Picture, Pose) {
        (&self.train[place], self.poses[place])
    }

    /// A picture that is held out, and where its part lay.
    pub fn held_out_at(&self, place: usize) -> (&Picture, Pose) {
        (&self.held_out[place].1, self.held_out_poses[place])
    }

    /// The shape by which the device corrects positions.
    pub fn shape(&self) -> PictureShape {
        PictureShape::of_taught(&self.sizes)
    }

    /// The picture's file as the set names it.
    pub fn file(&self, path: &Path) -> Option<&PathBuf> {
        let wanted = path.canonicalize().ok()?;
        let mut files = self
            .train_files
            .iter()
            .chain(self.held_out.iter().map(|(file, _)| file));
        files.find(|file| file.canonicalize().is_ok_and(|file| file == wanted))
    }

    /// With cross-fitting: places of the pictures that the network of `fold` is taught on, and of those that
    /// it is not.
    pub fn split(&self, fold: usize) -> (Vec<usize>, Vec<usize>) {
        (0..self.folds.len()).partition(|&place| self.folds[place] != fold)
    }
}

/// What is there to teach on.
#[derive(Default)]
struct Readable {
    files: Vec<PathBuf>,
    /// As the network sees them: the camera's, all at once, would not fit into memory.
    inputs: Vec<Picture>,
    channels: usize,
    sizes: BTreeSet<[usize; 2]>,
    sha256: BTreeMap<String, String>,
    odd: Vec<Odd>,
}

/// Opens the files for a network of `size` pixels. One in twenty may be unreadable, and of equal pictures the
/// first is taken.
fn readable(files: &[PathBuf], size: usize) -> Result<Readable, DataError> {
    let mut readable = Readable::default();
    let mut seen: HashMap<[u8; 32], usize> = HashMap::new();
    let (mut unreadable, mut unlike) = (Vec::new(), None);
    let (mut preprocessors, mut all_grey) = (None, true);
    let mut grey = Vec::new();
    for file in files {
        let read =
            Picture::read(file).and_then(|bytes| Ok((sha256_hex(&bytes), Picture::decode(&bytes, file)?)));
        let (sha256, picture) = match read {
            Ok(read) => read,
            Err(error) => {
                readable.odd.push(Odd {
                    path: file.clone(),
                    why: format!("left out: {error}"),
                });
                unreadable.push(error);
                continue;
            }
        };
        readable.sha256.insert(sha256, file_name(file));
        let shape = [picture.width, picture.height, picture.channels].map(|v| v as u64);
        let hash = Sha256::new()
            .chain_update(shape.map(u64::to_le_bytes).concat())
            .chain_update(&picture.data);
        match seen.entry(hash.finalize().into()) {
            Entry::Occupied(first) => {
                let first = &readable.files[*first.get()];
                let why = format!("left out: the same picture as {}", first.display());
                readable.odd.push(Odd {
                    path: file.clone(),
                    why,
                });
                continue;
            }
            Entry::Vacant(place) => place.insert(readable.files.len()),
        };
        let size_of = [picture.width, picture.height];
        let [in_grey, in_colour] = preprocessors
            .get_or_insert_with(|| [1, 3].map(|channels| Preprocessor::new(size, channels, &[size_of])));
        all_grey &= is_grey(&picture);
        let mut apply = |preprocessor: &mut Preprocessor| {
            let mut input = Picture::default();
            if let Err(source) = preprocessor.apply(&picture, &mut input) {
                unlike.get_or_insert(DataError::Shape {
                    path: file.clone(),
                    source,
                });
            }
            input
        };
        if all_grey {
            grey.push(apply(in_grey));
        }
        readable.inputs.push(apply(in_colour));
        readable.files.push(file.clone());
        readable.sizes.insert(size_of);
    }
    if unreadable.len() * UNREADABLE_ONE_IN > files.len() {
        return Err(DataError::Unreadable(unreadable));
    }
    if readable.files.len() < LEAST_PICTURES {
        return Err(DataError::TooFew {
            found: readable.files.len(),
        });
    }
    if readable.sizes.len() > MOST_SIZES {
        return Err(DataError::Sizes);
    }
    if let Some(unlike) = unlike {
        return Err(unlike);
    }
    readable.channels = if all_grey { 1 } else { 3 };
    if all_grey {
        readable.inputs = grey;
    }
    Ok(readable)
}

/// Whether a picture has no colour, however many channels it has.
fn is_grey(picture: &Picture) -> bool {
    let alike = |pixel: &[u8]| pixel.iter().all(|v| v.abs_diff(pixel[0]) <= GREY);
    picture.channels == 1 || picture.data.chunks_exact(picture.channels).all(alike)
}

/// Mean absolute Laplacian of the channels, in levels.
fn sharpness_of(picture: &Picture) -> f64 {
    let Picture {
        width,
        height,
        channels,
        ..
    } = *picture;
    let mut sum = 0;
    for (y, x) in
        (1..height.saturating_sub(1)).flat_map(|y| (1..width.saturating_sub(1)).map(move |x| (y, x)))
    {
        for c in 0..channels {
            let at = |x, y| i64::from(picture.at(x, y, c));
            sum += (4 * at(x, y) - at(x - 1, y) - at(x + 1, y) - at(x, y - 1) - at(x, y + 1)).abs();
        }
    }
    sum as f64 / (width * height * channels).max(1) as f64
}

/// Places of the pictures that have less than half of the usual sharpness.
fn blurred(sharpness: &[f64]) -> Vec<usize> {
    let usual = median(&mut sharpness.to_vec()).unwrap_or(0.0);
    (0..sharpness.len())
        .filter(|&i| sharpness[i] < BLURRED * usual)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, count: usize, channels: usize, width: usize) -> Vec<PathBuf> {
        let files: Vec<PathBuf> = (0..count)
            .map(|i| dir.join(format!("{channels}-{width}-{i:03}.png")))
            .collect();
        for (i, file) in files.iter().enumerate() {
            Picture::filled(width, 40, channels, i as u8)
                .save_png(file)
                .expect("writable");
        }
        files
    }

    #[test]
    fn a_tenth_is_held_out_and_the_same_one_each_time() {
        assert_eq!([10, 35, 80, 300].map(held_out_count), [2, 8, 8, 30]);
        let dir = tempfile::tempdir().expect("a temporary folder");
        let files = write(dir.path(), 40, 1, 40);
        let load = |seed| TeachingSet::load(&files, 32, seed, None).expect("readable");
        let names = |set: &TeachingSet| set.held_out.iter().map(|h| h.0.clone()).collect::<Vec<_>>();
        assert_eq!(
            (load(1).train.len(), load(1).held_out.len(), load(1).channels),
            (32, 8, 1)
        );
        assert_eq!(names(&load(1)), names(&load(1)));
        assert_ne!(names(&load(1)), names(&load(2)));
    }

    #[test]
    fn with_cross_fitting_each_picture_is_held_out_from_one_fold() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let files = write(dir.path(), 14, 1, 40);
        let set = TeachingSet::load(&files, 32, 1, Some(4)).expect("readable");
        assert!(set.train_files == files && set.held_out.iter().map(|h| &h.0).eq(&files));
        let mut unseen = Vec::new();
        for fold in 0..4 {
            let (taught, held_out) = set.split(fold);
            assert!(taught.len() + held_out.len() == 14 && [3, 4].contains(&held_out.len()));
            assert!(held_out.iter().all(|place| !taught.contains(place)));
            unseen.extend(held_out);
        }
        unseen.sort_unstable();
        assert!(unseen.into_iter().eq(0..14));
    }

    #[test]
    fn odd_pictures_are_listed_and_do_no_harm() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut rng = Rng::new(&[8]);
        let mut files = Vec::new();
        for i in 0..40 {
            let mut picture = Picture::filled(32, 32, 3, 0);
            // grey in three channels; one of them without any detail
            let mut levels = (0..1024).map(|_| if i == 5 { 90 } else { 60 + rng.below(60) as u8 });
            picture
                .data
                .chunks_exact_mut(3)
                .for_each(|p| p.fill(levels.next().unwrap_or(0)));
            files.push(dir.path().join(format!("{i:02}.png")));
            picture.save_png(&files[i]).expect("writable");
        }
        std::fs::copy(&files[3], &files[20]).expect("writable");
        std::fs::write(&files[30], b"not a picture").expect("writable");
        let set = TeachingSet::load(&files, 32, 1, None).expect("good enough");
        let odd: Vec<_> = set.odd.iter().map(|o| (o.path.clone(), o.why.as_str())).collect();
        assert_eq!(odd.len(), 3, "{odd:?}");
        assert!(odd[0].0 == files[20] && odd[0].1.contains("03.png"), "{odd:?}");
        assert!(
            odd[1].0 == files[30] && odd[1].1.starts_with("left out"),
            "{odd:?}"
        );
        assert!(odd[2].0 == files[5] && odd[2].1.contains("sharp"), "{odd:?}");
        assert_eq!(
            (
                set.channels,
                set.train.len() + set.held_out.len(),
                set.train_files.len()
            ),
            (1, 38, set.train.len())
        );
        (31..34).for_each(|i| std::fs::write(&files[i], b"not a picture").expect("writable"));
        let error = TeachingSet::load(&files, 32, 1, None)
            .expect_err("too many are broken")
            .to_string();
        assert!(error.contains("32.png"), "{error}");
    }

    #[test]
    fn bad_sets_say_what_is_wrong() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut files = write(dir.path(), 12, 3, 40);
        let error = |files: &[PathBuf]| {
            TeachingSet::load(files, 32, 0, None)
                .expect_err("bad")
                .to_string()
        };
        assert!(error(&files[..9]).contains("9 good pictures are too few"));
        files.extend(write(dir.path(), 1, 3, 90));
        assert!(error(&files).contains("3-90-000.png"), "{}", error(&files));
        std::fs::write(&files[12], b"not a picture").expect("writable");
        assert!(error(&files).contains("3-90-000.png"), "{}", error(&files));
    }
}
