//! Why nothing was taught.

use std::path::PathBuf;

use super::data::DataError;
use super::export::error::ExportError;
use super::mask::MaskError;
use crate::dataset::DatasetError;
use crate::train::{DeviceError, TrainConfigError, TrainError};

/// Why nothing was taught.
#[derive(Debug, thiserror::Error)]
pub enum TeachError {
    /// the data set
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// the pictures
    #[error(transparent)]
    Data(#[from] DataError),
    /// the device
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// the training
    #[error(transparent)]
    Train(#[from] TrainError),
    /// the export
    #[error(transparent)]
    Export(#[from] ExportError),
    /// the configuration file
    #[error("{path}: {message}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    /// the settings
    #[error(transparent)]
    Settings(#[from] TrainConfigError),
    /// something is there already
    #[error("{path} exists already; choose another --out, or add --force to replace it")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// something is there that --force must not delete
    #[error(
        "{path} holds `{other}`, which is no part of a recipe: only recipes are replaced; choose another \
         --out"
    )]
    NotARecipe {
        /// The folder.
        path: PathBuf,
        /// What lies in it.
        other: String,
    },
    /// the recipe would lie in the data, or the data in the recipe
    #[error("--out {path}: give a folder of its own, outside of the pictures and not around them")]
    Out {
        /// As given.
        path: PathBuf,
    },
    /// nothing was taught yet
    #[error("there is no checkpoint in {run} to make a recipe of")]
    NoCheckpoint {
        /// The run's folder.
        run: PathBuf,
    },
    /// the run that is there was begun otherwise
    #[error(
        "{run} holds a run that was begun with other settings: {keys}. To go on with it give the same ones \
         (or --config {run}/teach.toml); to begin anew choose another --out, or remove the folder"
    )]
    OtherRun {
        /// Its folder.
        run: PathBuf,
        /// What differs.
        keys: String,
    },
    /// the threshold came out at the end of the scale
    #[error(
        "{held_out} held-out pictures scatter too much to promise a false-reject share of {target}: nothing \
         would ever be rejected. Collect more pictures of good parts (100 to 300), or allow a larger \
         --false-reject"
    )]
    NoThreshold {
        /// How many there were.
        held_out: usize,
        /// The share.
        target: f64,
    },
    /// a file or folder
    #[error("{path}: cannot be written: {source}")]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// the user stopped it
    #[error(
        "stopped after step {step}; the same command goes on from there, and with --export-now it makes a \
         recipe of what is learned so far"
    )]
    Stopped {
        /// Steps done.
        step: usize,
    },
    /// a size that no recipe has
    #[error("the network's size is {size} pixels: a recipe takes a multiple of 32 from 32 to 1024")]
    Size {
        /// As configured.
        size: usize,
    },
    /// forms that do not go together
    #[error(
        "recipe.forms [{forms}] with this noise and network: give at least one form and none twice, several \
         only with noise `pixel` or `even`, `learned` only where train.network.head has levels"
    )]
    Forms {
        /// As configured.
        forms: String,
    },
    /// the mask picture
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// polygons that do not fit
    #[error(
        "recipe.regions: polygons have three corners or more, in whole pixels of the network's picture from \
         0 to {size}, and leave something to look at"
    )]
    Regions {
        /// Width and height of the network's picture.
        size: usize,
    },
    /// a size beside a file that has one
    #[error(
        "--size {size}: the --config has a network for {configured} pixels; change the file or leave --size \
         out"
    )]
    TwoSizes {
        /// The option's.
        size: usize,
        /// The file's.
        configured: usize,
    },
    /// a picture that is not there
    #[error("--leave-out {path}: is none of the pictures that are taught with")]
    LeaveOut {
        /// As given.
        path: PathBuf,
    },
    /// a share out of range
    #[error("--false-reject {0} must be above 0 and below 0.5")]
    Target(f64),
    /// a number of folds out of range
    #[error("--folds {0} must be from 2 to 10")]
    Folds(usize),
    /// a smoothing out of range
    #[error("--smoothing {0} must be from 0 to 8 pixels")]
    Smoothing(f64),
}

impl TeachError {
    /// The program's: 130 where the user stopped it, 2 where an option or a setting is out of range, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Stopped { .. } => 130,
            Self::Target(_)
            | Self::Folds(_)
            | Self::Smoothing(_)
            | Self::Forms { .. }
            | Self::LeaveOut { .. }
            | Self::Regions { .. }
            | Self::Settings(_)
            | Self::Size { .. }
            | Self::TwoSizes { .. }
            | Self::Out { .. } => 2,
            _ => 1,
        }
    }
}
