//! Data sets on disk: the MVTec AD layout, or a plain folder of pictures of good parts.
//!
//! ```text
//! bottles/train/good/000.png                        taught on
//! bottles/test/good/000.png                         tested
//! bottles/test/scratch/000.png                      tested; the folder names the defect
//! bottles/ground_truth/scratch/000_mask.png         where the defect is (not black); for all or none
//! ```
//!
//! Either of `train` and `test` may be missing. Files are taken in the order of their names, so that the same
//! folder is the same data set on every machine; names that start with a dot and files that are no pictures
//! are passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use beltwatch_vision::picture::is_picture_file;

/// The folder, and the label, of good parts.
pub const GOOD: &str = "good";

/// Pictures to teach and to test on; none is opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The folder.
    pub root: PathBuf,
    /// Good parts to teach on, by name; empty where the folder holds test pictures only.
    pub train_good: Vec<PathBuf>,
    /// Test pictures by label, then name; empty for a plain folder.
    pub test: Vec<TestPicture>,
}

/// A picture to test on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPicture {
    /// The picture.
    pub path: PathBuf,
    /// [`GOOD`] or the name of the defect.
    pub label: String,
    /// The mask of the defect, where there is one.
    pub mask: Option<PathBuf>,
}

/// Why a folder is not a data set.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DatasetError {
    #[error("{path}: cannot be read: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: holds no pictures (PNG, JPEG, BMP or TIFF){hint}")]
    NoPictures {
        path: PathBuf,
        /// Empty, or what may have been meant.
        hint: String,
    },
    #[error("{path}: only good parts are taught, in train/good; move this folder to test/")]
    BadInTrain { path: PathBuf },
    #[error(
        "{picture}: has no mask in {masks}, though other pictures of this defect have one: add \
         {stem}_mask.png, or take the folder of masks away"
    )]
    MissingMask {
        picture: PathBuf,
        /// Where its mask should be.
        masks: PathBuf,
        /// The name of the picture without its extension.
        stem: String,
    },
    #[error("{path}: there is no folder of this name in test/, so these masks belong to no picture")]
    StrayMasks { path: PathBuf },
    #[error("{path}: has no pictures in {folder}/, so there is nothing to {purpose}")]
    Lacks {
        path: PathBuf,
        folder: &'static str,
        /// What it would be for.
        purpose: &'static str,
    },
}

impl Dataset {
    /// Lists a folder in one of the two layouts.
    pub fn open(path: &Path) -> Result<Self, DatasetError> {
        let folders = subfolders(path)?;
        let mut dataset = Self {
            root: path.to_owned(),
            train_good: Vec::new(),
            test: Vec::new(),
        };
        if !folders.contains_key("train") && !folders.contains_key("test") {
            dataset.train_good = pictures(path)?;
            let hint = hint(&folders);
            return if dataset.train_good.is_empty() {
                Err(no_pictures(path, hint))
            } else {
                Ok(dataset)
            };
        }
        if let Some(train) = folders.get("train") {
            dataset.train_good = train_pictures(train)?;
        }
        if let Some(test) = folders.get("test") {
            dataset.test = test_pictures(test, folders.get("ground_truth").map(PathBuf::as_path))?;
        }
        Ok(dataset)
    }

    /// The name of the folder, for people.
    pub fn name(&self) -> String {
        let whole = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        file_name(&whole)
    }

    /// Pictures to teach on, at least one.
    pub fn for_teaching(&self) -> Result<&[PathBuf], DatasetError> {
        let lacks = DatasetError::Lacks {
            path: self.root.clone(),
            folder: "train/good",
            purpose: "teach",
        };
        if self.train_good.is_empty() {
            Err(lacks)
        } else {
            Ok(&self.train_good)
        }
    }

    /// Pictures to test on, at least one.
    pub fn for_testing(&self) -> Result<&[TestPicture], DatasetError> {
        let lacks = DatasetError::Lacks {
            path: self.root.clone(),
            folder: "test",
            purpose: "evaluate",
        };
        if self.test.is_empty() {
            Err(lacks)
        } else {
            Ok(&self.test)
        }
    }
}

fn train_pictures(train: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let folders = subfolders(train)?;
    if let Some((_, path)) = folders.iter().find(|(name, _)| *name != GOOD) {
        return Err(DatasetError::BadInTrain { path: path.clone() });
    }
    let good = folders
        .get(GOOD)
        .ok_or_else(|| no_pictures(&train.join(GOOD), String::new()))?;
    some_pictures(good)
}

fn test_pictures(test: &Path, masks: Option<&Path>) -> Result<Vec<TestPicture>, DatasetError> {
    let labels = subfolders(test)?;
    if labels.is_empty() {
        return Err(no_pictures(
            test,
            format!(": it takes a folder a label, {GOOD}/ and one for each defect"),
        ));
    }
    let masks = masks.map_or(Ok(BTreeMap::new()), subfolders)?;
    if let Some((_, path)) = masks.iter().find(|(name, _)| !labels.contains_key(*name)) {
        return Err(DatasetError::StrayMasks { path: path.clone() });
    }
    let mut found = Vec::new();
    for (label, folder) in labels {
        let masks = masks.get(&label).filter(|_| label != GOOD);
        let by_stem = masks.map_or(Ok(BTreeMap::new()), |folder| masks_by_stem(folder))?;
        for path in some_pictures(&folder)? {
            let stem = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let mask = by_stem.get(&stem).cloned();
            if let (None, Some(masks), false) = (&mask, masks, by_stem.is_empty()) {
                return Err(DatasetError::MissingMask {
                    picture: path,
                    masks: masks.clone(),
                    stem,
                });
            }
            found.push(TestPicture {
                path,
                label: label.clone(),
                mask,
            });
        }
    }
    Ok(found)
}

fn masks_by_stem(folder: &Path) -> Result<BTreeMap<String, PathBuf>, DatasetError> {
    let stem = |path: &PathBuf| {
        Some(
            path.file_stem()?
                .to_string_lossy()
                .strip_suffix("_mask")?
                .to_owned(),
        )
    };
    Ok(pictures(folder)?
        .into_iter()
        .filter_map(|path| Some((stem(&path)?, path)))
        .collect())
}

fn some_pictures(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let found = pictures(folder)?;
    if found.is_empty() {
        Err(no_pictures(folder, String::new()))
    } else {
        Ok(found)
    }
}

/// The pictures of a folder by name.
fn pictures(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let mut found = entries(folder)?;
    found.retain(|path| is_picture_file(path));
    Ok(found)
}

fn subfolders(folder: &Path) -> Result<BTreeMap<String, PathBuf>, DatasetError> {
    Ok(entries(folder)?
        .into_iter()
        .filter(|path| path.is_dir())
        .map(|path| (file_name(&path), path))
        .collect())
}

/// What a folder holds, by name, without what starts with a dot.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let read = |source| DatasetError::Read {
        path: folder.to_owned(),
        source,
    };
    let entries = fs::read_dir(folder).map_err(read)?;
    let mut found: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, _>>()
        .map_err(read)?;
    found.retain(|path| !file_name(path).starts_with('.'));
    found.sort();
    Ok(found)
}

/// The last part of a path, for people.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn no_pictures(path: &Path, hint: String) -> DatasetError {
    DatasetError::NoPictures {
        path: path.to_owned(),
        hint,
    }
}

/// What may have been meant by a folder of folders.
fn hint(folders: &BTreeMap<String, PathBuf>) -> String {
    let names = |names: Vec<&str>| names.join(", ");
    let datasets: Vec<&str> = folders
        .iter()
        .filter(|(_, path)| path.join("train").is_dir())
        .map(|(name, _)| name.as_str())
        .collect();
    match (datasets.is_empty(), folders.is_empty()) {
        (false, _) => format!("; name one of the data sets in it: {}", names(datasets)),
        (true, false) => {
            let found = names(folders.keys().map(String::as_str).collect());
            format!(
                "; it holds the folders {found}, but neither train/ nor test/: put good parts in train/{GOOD}"
            )
        }
        (true, true) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn folder(files: &[&str]) -> TempDir {
        let root = tempfile::tempdir().expect("a temporary folder");
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("inside the root")).expect("writable");
            fs::write(path, []).expect("writable");
        }
        root
    }

    fn error(files: &[&str]) -> String {
        let root = folder(files);
        Dataset::open(root.path())
            .expect_err("not a data set")
            .to_string()
    }

    fn relative<'a>(root: &TempDir, paths: impl IntoIterator<Item = &'a PathBuf>) -> Vec<String> {
        let inside = |p: &PathBuf| {
            p.strip_prefix(root.path())
                .expect("inside the root")
                .to_string_lossy()
                .into_owned()
        };
        paths.into_iter().map(inside).collect()
    }

    #[test]
    fn mvtec_layout() {
        let root = folder(&[
            "train/good/b.PNG",
            "train/good/a.jpg",
            "train/good/readme.txt",
            "train/good/.hidden.png",
            "test/good/1.tiff",
            "test/dent/2.bmp",
            "test/dent/1.png",
            "test/stain/1.jpeg",
            "ground_truth/dent/1_mask.png",
            "ground_truth/dent/2_mask.png",
        ]);
        let set = Dataset::open(root.path()).expect("a data set");
        assert_eq!(
            relative(&root, &set.train_good),
            ["train/good/a.jpg", "train/good/b.PNG"]
        );
        let tests = relative(&root, set.test.iter().map(|t| &t.path));
        assert_eq!(
            tests,
            [
                "test/dent/1.png",
                "test/dent/2.bmp",
                "test/good/1.tiff",
                "test/stain/1.jpeg"
            ]
        );
        let labels: Vec<&str> = set.test.iter().map(|t| t.label.as_str()).collect();
        assert_eq!(labels, ["dent", "dent", "good", "stain"]);
        let masks = relative(&root, set.test.iter().filter_map(|t| t.mask.as_ref()));
        assert_eq!(
            masks,
            ["ground_truth/dent/1_mask.png", "ground_truth/dent/2_mask.png"]
        );
        assert!(set.for_teaching().is_ok() && set.for_testing().is_ok());
    }

    #[test]
    fn a_plain_folder_is_all_good() {
        let root = folder(&["10.png", "2.png", "note.txt"]);
        let set = Dataset::open(root.path()).expect("a data set");
        assert_eq!(relative(&root, &set.train_good), ["10.png", "2.png"]);
        assert!(
            set.for_testing()
                .expect_err("no test pictures")
                .to_string()
                .contains("test/")
        );
    }

    #[test]
    fn only_test_pictures_can_be_evaluated_but_not_taught() {
        let root = folder(&["test/good/1.png", "test/dent/1.png"]);
        let set = Dataset::open(root.path()).expect("a data set");
        assert_eq!(set.test.len(), 2);
        assert!(
            set.for_teaching()
                .expect_err("nothing to teach")
                .to_string()
                .contains("train/good")
        );
    }

    #[test]
    fn errors_say_what_to_do() {
        let missing = Dataset::open(Path::new("no/such/folder"))
            .expect_err("missing")
            .to_string();
        assert!(missing.starts_with("no/such/folder: cannot be read"), "{missing}");
        assert!(error(&["note.txt"]).contains("holds no pictures"));
        let categories = error(&["bottle/train/good/1.png", "nut/train/good/1.png"]);
        assert!(
            categories.ends_with("name one of the data sets in it: bottle, nut"),
            "{categories}"
        );
        let other = error(&["bad/1.png", "good/1.png"]);
        assert!(
            other.contains("the folders bad, good") && other.contains("train/good"),
            "{other}"
        );
        assert!(error(&["train/good/1.txt"]).contains("holds no pictures"));
        assert!(error(&["train/1.png"]).contains("train/good: holds no pictures"));
        assert!(error(&["train/good/1.png", "train/dent/1.png"]).contains("move this folder to test/"));
        assert!(error(&["test/1.png"]).contains("a folder a label"));
        assert!(
            error(&["test/good/1.png", "ground_truth/dents/1_mask.png"]).contains("belong to no picture")
        );
        let masks = [
            "test/dent/1.png",
            "test/dent/2.png",
            "ground_truth/dent/1_mask.png",
        ];
        let missing_mask = error(&masks);
        assert!(missing_mask.contains("test/dent/2.png: has no mask") && missing_mask.contains("2_mask.png"));
    }
}
