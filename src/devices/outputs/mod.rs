//! The line's outputs: gate, READY, FAULT, heartbeat. Every back end drives them to their safe levels before
//! anything else.

mod file;
mod gpio;
mod none;
mod rppal;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use beltwatch_core::OutputLine;

use crate::board::{OutputBackEnd, OutputsConfig};
use crate::devices::gpio_lines::GpioError;
use none::NoOutputs;

pub use file::FileOutputs;
pub use gpio::GpioOutputs;
pub use rppal::RppalOutputs;

/// Why outputs cannot be driven.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum OutputError {
    #[error("outputs: {path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("outputs: {0}: another program has them; end it (is another beltwatch running?)")]
    Claimed(String),
    #[error("outputs: {0}")]
    Gpio(#[from] GpioError),
    #[error("outputs: {0}, but the others are on {1}: all outputs must be on one chip")]
    TwoChips(String, PathBuf),
    #[error("outputs: rppal: {0}. It works on a Raspberry Pi, for users of the group `gpio`")]
    Rppal(String),
}

/// The outputs of one back end.
pub trait Outputs: Send {
    /// Asserts an output or not.
    ///
    /// # Errors
    /// The back end is gone.
    fn set(&mut self, line: OutputLine, on: bool) -> Result<(), OutputError>;

    /// What another process can switch them by, without claiming them anew; `None` where there is nothing to
    /// claim.
    ///
    /// # Errors
    /// The process has no more room for it.
    fn handle(&self) -> std::io::Result<Option<OwnedFd>> {
        Ok(None)
    }
}

/// How long the outputs may stay claimed by a process that is about to be gone.
const PATIENCE: Duration = Duration::from_millis(500);

/// Claims the outputs; every one is at its safe level then, and again when they are dropped.
///
/// # Errors
/// The back end refuses, or another process has the outputs and does not go.
pub fn open(config: &OutputsConfig) -> Result<Box<dyn Outputs>, OutputError> {
    let start = Instant::now();
    let outputs = loop {
        match claim(config) {
            Err(OutputError::Claimed(_)) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_micros(200));
            }
            result => break result?,
        }
    };
    let mut outputs = SafeInTheEnd {
        outputs,
        config: config.clone(),
    };
    make_safe(&mut outputs, config)?;
    Ok(Box::new(outputs))
}

/// The outputs as another process has claimed them, by its [`Outputs::handle`]; they stay as they are.
///
/// # Errors
/// The back end refuses.
pub fn share(config: &OutputsConfig, handle: OwnedFd) -> Result<Box<dyn Outputs>, OutputError> {
    Ok(match &config.back_end {
        OutputBackEnd::Simulated => Box::new(NoOutputs),
        OutputBackEnd::File(path) => Box::new(FileOutputs::share(handle, path, config)),
        OutputBackEnd::Gpio(_) => Box::new(GpioOutputs::share(handle, config)),
        OutputBackEnd::Rppal => Box::new(RppalOutputs::share(handle, config)?),
    })
}

fn claim(config: &OutputsConfig) -> Result<Box<dyn Outputs>, OutputError> {
    Ok(match &config.back_end {
        OutputBackEnd::Simulated => Box::new(NoOutputs),
        OutputBackEnd::File(path) => Box::new(FileOutputs::claim(path, config)?),
        OutputBackEnd::Gpio(chip) => Box::new(GpioOutputs::claim(chip, config)?),
        OutputBackEnd::Rppal => Box::new(RppalOutputs::claim(config)?),
    })
}

/// Outputs that are made safe when nobody wants them any more.
struct SafeInTheEnd {
    outputs: Box<dyn Outputs>,
    config: OutputsConfig,
}

impl Outputs for SafeInTheEnd {
    fn set(&mut self, line: OutputLine, on: bool) -> Result<(), OutputError> {
        self.outputs.set(line, on)
    }

    fn handle(&self) -> std::io::Result<Option<OwnedFd>> {
        self.outputs.handle()
    }
}

impl Drop for SafeInTheEnd {
    fn drop(&mut self) {
        if let Err(e) = make_safe(self.outputs.as_mut(), &self.config) {
            log::error!("outputs may not be safe: {e}");
        }
    }
}

/// Drives every output to its safe level.
///
/// # Errors
/// The back end is gone; the outputs that it still took are safe.
pub fn make_safe(outputs: &mut dyn Outputs, config: &OutputsConfig) -> Result<(), OutputError> {
    // the gate first, and every one of them even where one fails
    let safe = |result: Result<(), _>, &line| result.and(outputs.set(line, config.safe(line)));
    OutputLine::ALL.iter().fold(Ok(()), safe)
}

/// Claims the outputs, leaves them safe and gives them back.
///
/// # Errors
/// As [`open`].
pub fn drive_safe(config: &OutputsConfig) -> Result<(), OutputError> {
    open(config).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::outputs::tests::config;

    #[test]
    fn a_file_shows_the_levels_and_opening_makes_safe() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("levels");
        let config = config(path.clone());
        let levels = || std::fs::read_to_string(&path).expect("levels");
        let mut outputs = open(&config).expect("a file");
        // READY off, FAULT on, the gate's low level asserts it
        assert_eq!(levels(), "011");
        for (line, on) in [
            (OutputLine::Gate, true),
            (OutputLine::Ready, true),
            (OutputLine::Heartbeat, true),
        ] {
            outputs.set(line, on).expect("a file");
        }
        assert_eq!(levels(), "110");
        let handle = outputs.handle().expect("room").expect("a file");
        let mut shared = share(&config, handle).expect("claimed");
        assert_eq!(levels(), "110", "sharing changes nothing");
        make_safe(shared.as_mut(), &config).expect("a file");
        assert_eq!(levels(), "011", "while the owner lives");
        outputs.set(OutputLine::Gate, true).expect("a file");
        drop(outputs);
        assert_eq!(levels(), "011", "dropping makes safe");
        assert!(open(&config).is_err(), "who shares holds them too");
        drop(shared);
        drive_safe(&config).expect("a file");
    }

    #[test]
    fn outputs_have_one_owner_and_the_next_one_waits_for_its_end() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let config = config(dir.path().join("levels"));
        let mut owner = open(&config).expect("a file");
        let error = open(&config).err().expect("claimed").to_string();
        assert!(
            error.contains("levels") && error.contains("another program"),
            "{error}"
        );
        owner.set(OutputLine::Gate, true).expect("a file");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(PATIENCE / 10);
                drop(owner);
            });
            drive_safe(&config).expect("the owner goes in time");
        });
        assert_eq!(
            std::fs::read_to_string(dir.path().join("levels")).expect("levels"),
            "011"
        );
    }

    #[test]
    fn a_back_end_that_is_gone_is_an_error() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let error = open(&config(dir.path().join("none/levels")))
            .err()
            .expect("no folder")
            .to_string();
        assert!(error.contains("none/levels"), "{error}");
        assert!(
            drive_safe(&config(dir.path().to_owned())).is_err(),
            "a folder is no file"
        );
    }
}
