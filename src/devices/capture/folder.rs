//! A camera that plays the pictures of a folder.

use std::path::{Path, PathBuf};

use beltwatch_vision::picture::{Picture, is_picture_file};

use super::{CaptureError, PartCamera, Shown, Truth};

/// The pictures below a folder, each once, ordered by path. A picture in a sub-folder `good` is good, one in
/// a sub-folder of another name has the defect of that name (the layout of MVTec AD's `test`), and of one
/// directly in the folder nothing is known.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    files: Vec<PathBuf>,
}

impl Folder {
    /// Lists the folder and its sub-folders, one level deep.
    pub fn open(root: &Path) -> Result<Self, CaptureError> {
        let mut files = pictures(root)?;
        for folder in entries(root)?.into_iter().filter(|p| p.is_dir()) {
            files.extend(pictures(&folder)?);
        }
        files.sort();
        if files.is_empty() {
            return Err(CaptureError::NoPictures {
                path: root.to_owned(),
            });
        }
        Ok(Self {
            root: root.to_owned(),
            files,
        })
    }

    /// The pictures in the order of the belt.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    fn truth(&self, file: &Path) -> Truth {
        match file
            .parent()
            .filter(|p| *p != self.root)
            .and_then(Path::file_name)
        {
            None => Truth::Unknown,
            Some(name) if name == "good" => Truth::Good,
            Some(name) => Truth::Defect(name.to_string_lossy().into_owned()),
        }
    }
}

impl PartCamera for Folder {
    fn show(&mut self, index: u64) -> Result<Shown, CaptureError> {
        let file = &self.files[(index % self.files.len() as u64) as usize];
        let picture = Picture::open(file)?;
        Ok(Shown {
            name: file.display().to_string(),
            truth: self.truth(file),
            picture,
        })
    }

    fn parts(&self) -> Option<u64> {
        Some(self.files.len() as u64)
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, CaptureError> {
    let list = |source| CaptureError::List {
        path: folder.to_owned(),
        source,
    };
    std::fs::read_dir(folder)
        .map_err(list)?
        .map(|entry| entry.map(|e| e.path()).map_err(list))
        .collect()
}

fn pictures(folder: &Path) -> Result<Vec<PathBuf>, CaptureError> {
    Ok(entries(folder)?
        .into_iter()
        .filter(|path| is_picture_file(path))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_folders_tell_the_truth() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (folder, name) in [("good", "b.png"), ("scratch", "a.png"), (".", "c.PNG")] {
            std::fs::create_dir_all(dir.path().join(folder)).expect("writable");
            Picture::filled(4, 4, 1, 9)
                .save_png(&dir.path().join(folder).join(name))
                .expect("writable");
        }
        std::fs::write(dir.path().join("notes.txt"), "no picture").expect("writable");
        let mut folder = Folder::open(dir.path()).expect("three pictures");
        assert_eq!(folder.parts(), Some(3));
        let mut truths: Vec<Truth> = (0..3).map(|i| folder.show(i).expect("readable").truth).collect();
        truths.sort_by_key(|t| format!("{t:?}"));
        assert_eq!(
            truths,
            [Truth::Defect("scratch".into()), Truth::Good, Truth::Unknown]
        );
    }

    #[test]
    fn a_folder_without_pictures_says_so() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let error = Folder::open(dir.path()).expect_err("empty").to_string();
        assert!(error.contains("holds no PNG"), "{error}");
        assert!(matches!(
            Folder::open(&dir.path().join("nowhere")),
            Err(CaptureError::List { .. })
        ));
    }
}
