//! The trainings of a run: the network that is deployed, and with cross-fitting further ones.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use beltwatch_vision::picture::Picture;

use super::TeachError;
use super::data::TeachingSet;
use crate::network::FoldedNetworks;
use crate::say;
use crate::train::{self, Device, Outcome, ProgressLine, TrainConfig};

/// What all of them have in common.
pub(super) struct Learn<'a> {
    pub(super) config: &'a TrainConfig,
    pub(super) run_folder: &'a Path,
    pub(super) device: Device,
    pub(super) stop: &'a AtomicBool,
    /// No more steps: what the last checkpoints hold.
    pub(super) export_now: bool,
}

impl Learn<'_> {
    /// The network that is deployed.
    pub(super) fn all(&self, set: &TeachingSet) -> Result<Outcome, TeachError> {
        let outcome = self.train(&set.train, self.run_folder)?;
        let time = if self.export_now {
            String::new()
        } else {
            format!(" in {:.0} s", outcome.seconds)
        };
        say::error(format_args!("taught {} steps{time}", outcome.steps_done));
        Ok(outcome)
    }

    /// `count` networks, each without the pictures of a fold.
    pub(super) fn folds(&self, set: &TeachingSet, count: usize) -> Result<Vec<FoldedNetworks>, TeachError> {
        let mut networks = Vec::new();
        for fold in 0..count {
            let (taught, held_out) = set.split(fold);
            say::error(format_args!(
                "fold {} of {count}: without {} pictures",
                fold + 1,
                held_out.len()
            ));
            let pictures: Vec<Picture> = taught.into_iter().map(|place| set.train[place].clone()).collect();
            let folder = self.run_folder.join(format!("fold-{}", fold + 1));
            networks.push(self.train(&pictures, &folder)?.networks);
        }
        Ok(networks)
    }

    fn train(&self, pictures: &[Picture], folder: &Path) -> Result<Outcome, TeachError> {
        match train::steps_saved(folder) {
            None if self.export_now => {
                return Err(TeachError::NoCheckpoint {
                    run: folder.to_owned(),
                });
            }
            Some(steps) if !self.export_now => {
                say::error(format_args!(
                    "goes on after step {steps} of {}: {}",
                    self.config.steps,
                    folder.display()
                ));
            }
            _ => {}
        }
        let stop = AtomicBool::new(true);
        let stop = if self.export_now { &stop } else { self.stop };
        let mut line = ProgressLine::new();
        let outcome = train::train(self.config, pictures, folder, self.device, stop, &mut |p| {
            line.show(p)
        })?;
        drop(line);
        if !outcome.finished && !self.export_now {
            return Err(TeachError::Stopped {
                step: outcome.steps_done,
            });
        }
        Ok(outcome)
    }
}
