//! Outputs as characters in a file, written with one call each: another process sees every level, and the
//! guard process can set them after this one is gone.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use beltwatch_core::OutputLine;

use super::{OutputError, Outputs};
use crate::board::{OutputWiring, OutputsConfig};

/// Characters in a file.
#[derive(Debug)]
pub struct FileOutputs {
    file: File,
    path: PathBuf,
    wiring: [Option<(OutputWiring, u32)>; OutputLine::ALL.len()],
}

impl FileOutputs {
    /// Opens the file, or makes it, and claims it: like a GPIO line it has one owner, until that one's end.
    ///
    /// # Errors
    /// It cannot be written, or another process has it.
    pub fn claim(path: &Path, config: &OutputsConfig) -> Result<Self, OutputError> {
        let failed = |source| OutputError::File {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(failed)?;
        file.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => OutputError::Claimed(path.display().to_string()),
            TryLockError::Error(source) => failed(source),
        })?;
        Ok(Self::new(file, path, config))
    }

    /// The file as another process has claimed it.
    pub fn share(handle: OwnedFd, path: &Path, config: &OutputsConfig) -> Self {
        Self::new(File::from(handle), path, config)
    }

    fn new(file: File, path: &Path, config: &OutputsConfig) -> Self {
        let numbered = |wiring: OutputWiring| {
            let number = wiring.line.number().unwrap_or_default();
            (wiring, number)
        };
        Self {
            file,
            path: path.to_owned(),
            wiring: std::array::from_fn(|i| config.wiring(OutputLine::ALL[i]).map(numbered)),
        }
    }
}

impl Outputs for FileOutputs {
    fn set(&mut self, line: OutputLine, on: bool) -> Result<(), OutputError> {
        let Some((wiring, number)) = &self.wiring[line as usize] else {
            return Ok(());
        };
        let level = if wiring.level(on) { b"1" } else { b"0" };
        self.file
            .write_all_at(level, u64::from(*number))
            .map_err(|source| OutputError::File {
                path: self.path.clone(),
                source,
            })
    }

    fn handle(&self) -> std::io::Result<Option<OwnedFd>> {
        self.file.try_clone().map(|file| Some(file.into()))
    }
}
