//! `beltwatch-train synth`: rendered parts as a data set in MVTec layout.

use std::fs;
use std::path::{Path, PathBuf};

use beltwatch_vision::picture::{Picture, PictureError};
use beltwatch_vision::rendered::{DefectKind, SIZES, render};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

/// Pictures of each purpose start at a multiple of this index, so that no part serves two purposes.
const STRIDE: u64 = 1 << 32;

/// What is rendered.
#[derive(Clone, Debug)]
pub struct SynthArgs {
    /// A folder that does not exist or is empty.
    pub out: PathBuf,
    /// The series of parts.
    pub seed: u64,
    /// Width and height in pixels.
    pub size: usize,
    /// Good parts to teach on.
    pub train: usize,
    /// Good parts to test on.
    pub test_good: usize,
    /// Defective parts of each kind.
    pub test_defects: usize,
}

/// Why no data set was written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SynthError {
    #[error("{path} is not empty; choose a folder that does not exist yet")]
    NotEmpty { path: PathBuf },
    #[error("--size {0} must be from {min} to {max} pixels", min = SIZES.start(), max = SIZES.end())]
    Size(usize),
    #[error("{path}: cannot be written: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// One picture to render.
struct Task {
    folder: PathBuf,
    masks: Option<PathBuf>,
    number: usize,
    index: u64,
    defect: Option<DefectKind>,
    strength: f32,
}

/// Writes `train/good`, `test/good`, `test/<kind>` and `ground_truth/<kind>`. The defects of a kind run
/// evenly from the faintest to the plainest.
pub fn synth(args: &SynthArgs) -> Result<(), SynthError> {
    if !SIZES.contains(&args.size) {
        return Err(SynthError::Size(args.size));
    }
    if fs::read_dir(&args.out).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(SynthError::NotEmpty {
            path: args.out.clone(),
        });
    }
    let tasks = tasks(args);
    for folder in tasks
        .iter()
        .flat_map(|t| std::iter::once(&t.folder).chain(&t.masks))
    {
        fs::create_dir_all(folder).map_err(|source| SynthError::Folder {
            path: folder.clone(),
            source,
        })?;
    }
    let style = ProgressStyle::with_template("rendering {bar:40} {pos}/{len}, {eta} left")
        .expect("the template is fixed");
    let bar = ProgressBar::new(tasks.len() as u64).with_style(style);
    tasks.par_iter().try_for_each(|task| {
        let part = render(args.seed, task.index, args.size, task.defect, task.strength);
        save(&part.picture, &task.folder, &format!("{:03}.png", task.number))?;
        if let Some(masks) = &task.masks {
            save(&part.mask, masks, &format!("{:03}_mask.png", task.number))?;
        }
        bar.inc(1);
        Ok(())
    })
}

fn save(picture: &Picture, folder: &Path, name: &str) -> Result<(), SynthError> {
    Ok(picture.save_png(&folder.join(name))?)
}

fn tasks(args: &SynthArgs) -> Vec<Task> {
    let good = |folder: PathBuf, count: usize, purpose: u64| {
        (0..count).map(move |number| Task {
            folder: folder.clone(),
            masks: None,
            number,
            index: purpose * STRIDE + number as u64,
            defect: None,
            strength: 0.0,
        })
    };
    let mut tasks: Vec<Task> = good(args.out.join("train/good"), args.train, 0).collect();
    tasks.extend(good(args.out.join("test/good"), args.test_good, 1));
    for (kind, purpose) in DefectKind::ALL.iter().copied().zip(2..) {
        tasks.extend((0..args.test_defects).map(|number| Task {
            folder: args.out.join("test").join(kind.name()),
            masks: Some(args.out.join("ground_truth").join(kind.name())),
            number,
            index: purpose * STRIDE + number as u64,
            defect: Some(kind),
            strength: number as f32 / (args.test_defects.max(2) - 1) as f32,
        }));
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Dataset;

    fn args(out: &Path) -> SynthArgs {
        SynthArgs {
            out: out.to_owned(),
            seed: 4,
            size: 64,
            train: 3,
            test_good: 2,
            test_defects: 2,
        }
    }

    #[test]
    fn a_data_set_that_the_trainer_reads() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("parts");
        synth(&args(&out)).unwrap();
        let dataset = Dataset::open(&out).unwrap();
        assert_eq!(dataset.train_good.len(), 3);
        assert_eq!(dataset.test.iter().filter(|t| t.label == "good").count(), 2);
        assert_eq!(
            dataset.test.iter().filter(|t| t.mask.is_some()).count(),
            2 * DefectKind::ALL.len()
        );
        let mut pictures: Vec<Vec<u8>> = dataset
            .train_good
            .iter()
            .chain(dataset.test.iter().map(|t| &t.path))
            .map(|p| fs::read(p).unwrap())
            .collect();
        let all = pictures.len();
        pictures.sort();
        pictures.dedup();
        assert_eq!(pictures.len(), all, "no part serves twice");
        let defective = Picture::open(&out.join("test/stain/001.png")).unwrap();
        assert_eq!(
            (defective.width, defective.height, defective.channels),
            (64, 64, 3)
        );
        for part in dataset.test.iter().filter_map(|t| t.mask.as_ref()) {
            assert!(
                Picture::open(part).unwrap().data.contains(&255),
                "{}",
                part.display()
            );
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine.txt"), "keep").unwrap();
        assert!(matches!(
            synth(&args(dir.path())),
            Err(SynthError::NotEmpty { .. })
        ));
        assert!(matches!(
            synth(&SynthArgs {
                size: 9,
                ..args(dir.path())
            }),
            Err(SynthError::Size(9))
        ));
    }
}
