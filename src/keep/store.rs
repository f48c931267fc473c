//! What outlives a run: counters and latencies in one file that is always whole, and the log of operators'
//! actions.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use beltwatch_core::Counters;
use beltwatch_vision::judge::score::Score;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::clock::wall_seconds;

/// The version of the file's format.
pub const FORMAT: u32 = 1;
const COUNTERS: &str = "counters.json";
const ACTIONS: &str = "actions.jsonl";
const LOCK: &str = "lock";

/// Everything that is saved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// [`FORMAT`].
    pub format: u32,
    /// Wall time, seconds since 1970: a label.
    pub saved_at: u64,
    /// Whether parts may be on the belt: the line that saved it had not ended.
    #[serde(default)]
    pub running: bool,
    /// Where an operator moved the threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<SavedThreshold>,
    /// What the line counted.
    pub counters: Counters,
    /// Latencies a stage: microseconds and how often.
    pub latencies: BTreeMap<String, Vec<(u64, u64)>>,
}

/// A threshold that an operator set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedThreshold {
    /// SHA-256 of the manifest of the recipe that it was set for; no other one takes it.
    pub recipe: String,
    /// In place of the taught one.
    pub threshold: Score,
}

/// Why the state cannot be kept.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum StoreError {
    #[error("{path}: {source}")]
    System { path: PathBuf, source: std::io::Error },
    #[error("{path} is in use by another beltwatch: two cannot keep their counters in one folder")]
    InUse { path: PathBuf },
}

/// A folder that belongs to this process.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    _lock: File,
}

impl Store {
    /// Takes the folder, which is made where there is none, and reads what an earlier run saved. A file that
    /// cannot be understood is kept under another name, and counting starts at zero.
    ///
    /// # Errors
    /// The folder cannot be made or read, or is in use.
    pub fn open(folder: &Path) -> Result<(Self, Saved), StoreError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::System { path, source }
        };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let path = folder.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed(&path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| StoreError::InUse {
            path: folder.to_owned(),
        })?;
        let path = folder.join(COUNTERS);
        let saved = match fs::read(&path) {
            Ok(bytes) => Self::parse(&bytes, &path)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Saved::default(),
            Err(source) => return Err(StoreError::System { path, source }),
        };
        Ok((
            Self {
                folder: folder.to_owned(),
                _lock: lock,
            },
            saved,
        ))
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Saved, StoreError> {
        let why = match serde_json::from_slice::<Saved>(bytes) {
            Ok(saved) if saved.format == FORMAT => return Ok(saved),
            Ok(saved) => format!("it has format {}", saved.format),
            Err(e) => e.to_string(),
        };
        let aside = path.with_extension(format!("json.unreadable-{}", wall_seconds()));
        log::error!(
            "{}: {why}; it is kept as {} and counting starts at zero",
            path.display(),
            aside.display()
        );
        fs::rename(path, &aside).map_err(|source| StoreError::System {
            path: path.to_owned(),
            source,
        })?;
        Ok(Saved::default())
    }

    /// Replaces what was saved: whoever reads it, even after the power went, finds the old or the new file
    /// whole.
    ///
    /// # Errors
    /// The disk is full, read-only or gone; what was saved before is still there.
    pub fn save(&self, saved: &Saved) -> Result<(), StoreError> {
        let path = self.folder.join(COUNTERS);
        let new = path.with_extension("json.new");
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec(saved)?)?;
            file.sync_data()?;
            fs::rename(&new, &path)
        };
        write().map_err(|source| StoreError::System {
            path: new.clone(),
            source,
        })
    }

    /// Adds a line to the log of what operators did.
    ///
    /// # Errors
    /// The disk is full, read-only or gone.
    pub fn log_action(&self, action: &str, counters: &Counters) -> Result<(), StoreError> {
        let path = self.folder.join(ACTIONS);
        let write = || {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            let line = serde_json::json!({ "at": wall_seconds(), "action": action, "counters": counters });
            writeln!(file, "{line}")
        };
        write().map_err(|source| StoreError::System {
            path: path.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(triggers: u64) -> Saved {
        let counters = Counters {
            triggers,
            ..Counters::default()
        };
        Saved {
            format: FORMAT,
            saved_at: 1,
            running: true,
            threshold: Some(SavedThreshold {
                recipe: "ab".to_owned(),
                threshold: Score(300),
            }),
            counters,
            latencies: [("gate".to_owned(), vec![(7, 2)])].into(),
        }
    }

    #[test]
    fn what_was_saved_is_there_again() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = dir.path().join("state");
        let (store, first) = Store::open(&folder).expect("a new folder");
        assert_eq!(first, Saved::default());
        store.save(&saved(7)).expect("room");
        store.save(&saved(8)).expect("room");
        assert!(matches!(Store::open(&folder), Err(StoreError::InUse { .. })));
        drop(store);
        assert_eq!(Store::open(&folder).expect("free again").1, saved(8));
    }

    #[test]
    fn a_file_that_was_damaged_is_kept_aside() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for text in [
            "",
            "{",
            "{\"format\":9,\"saved_at\":0,\"counters\":{},\"latencies\":{}}",
        ] {
            fs::write(dir.path().join(COUNTERS), text).expect("room");
            assert_eq!(Store::open(dir.path()).expect("it goes on").1, Saved::default());
            let kept = fs::read_dir(dir.path()).expect("a folder").flatten();
            assert!(
                kept.map(|e| e.file_name())
                    .any(|n| n.to_string_lossy().contains("unreadable"))
            );
        }
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (store, _) = Store::open(dir.path()).expect("a folder");
        store.save(&saved(3)).expect("room");
        fs::create_dir(dir.path().join("counters.json.new")).expect("in the way");
        let error = store
            .save(&saved(4))
            .expect_err("no file can be there")
            .to_string();
        assert!(error.contains("counters.json.new"), "{error}");
        drop(store);
        assert_eq!(Store::open(dir.path()).expect("a folder").1, saved(3));
    }
}
