//! Why nothing was taught.

use std::path::PathBuf;

use super::data::DataError;
use super::export::error::ExportError;
use super::mask::MaskError;
use crate::dataset::DatasetError;
use crate::train::{DeviceError, TrainConfigError, TrainError};

/// Why nothing was taught.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum TeachError {
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("{path}: {message}")]
    Config {
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    #[error(transparent)]
    Settings(#[from] TrainConfigError),
    #[error("{path} exists already; choose another --out, or add --force to replace it")]
    Exists { path: PathBuf },
    #[error(
        "{path} holds `{other}`, which is no part of a recipe: only recipes are replaced; choose another \
         --out"
    )]
    NotARecipe { path: PathBuf, other: String },
    #[error("--out {path}: give a folder of its own, outside of the pictures and not around them")]
    Out { path: PathBuf },
    #[error("there is no checkpoint in {run} to make a recipe of")]
    NoCheckpoint { run: PathBuf },
    #[error(
        "{run} holds a run that was begun with other settings: {keys}. To go on with it give the same ones \
         (or --config {run}/teach.toml); to begin anew choose another --out, or remove the folder"
    )]
    OtherRun { run: PathBuf, keys: String },
    #[error(
        "{held_out} held-out pictures scatter too much to promise a false-reject share of {target}: nothing \
         would ever be rejected. Collect more pictures of good parts (100 to 300), or allow a larger \
         --false-reject"
    )]
    NoThreshold {
        held_out: usize,
        /// The share.
        target: f64,
    },
    #[error("{path}: cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error(
        "stopped after step {step}; the same command goes on from there, and with --export-now it makes a \
         recipe of what is learned so far"
    )]
    Stopped { step: usize },
    #[error("the network's size is {size} pixels: a recipe takes a multiple of 32 from 32 to 1024")]
    Size {
        /// As configured.
        size: usize,
    },
    #[error(
        "recipe.forms [{forms}] with this noise and network: give at least one form and none twice, several \
         only with noise `pixel` or `even`, `learned` only where train.network.head has levels"
    )]
    Forms {
        /// As configured.
        forms: String,
    },
    #[error(transparent)]
    Mask(#[from] MaskError),
    #[error(
        "recipe.regions: polygons have three corners or more, in whole pixels of the network's picture from \
         0 to {size}, and leave something to look at"
    )]
    Regions {
        /// Width and height of the network's picture.
        size: usize,
    },
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
    #[error("--leave-out {path}: is none of the pictures that are taught with")]
    LeaveOut { path: PathBuf },
    #[error("--false-reject {0} must be above 0 and below 0.5")]
    Target(f64),
    #[error("--folds {0} must be from 2 to 10")]
    Folds(usize),
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
