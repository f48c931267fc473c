//! `beltwatch-train teach`: from a folder of good pictures to a recipe.

pub mod data;
pub mod recipe;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use beltwatch::recipe::{FLOAT_MODEL_FILE, MANIFEST_FILE, Manifest, Training};

use crate::dataset::{Dataset, DatasetError};
use crate::train::{self, Device, DeviceError, ProgressLine, TrainConfig, TrainConfigError, TrainError, Wanted};
use data::{DataError, TeachingSet};
use recipe::{ExportError, ExportSettings};

/// Length and size of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// 128 px, about 5 minutes on 2 cores
    Quick,
    /// 256 px, for a GPU or a night
    #[default]
    Standard,
}

/// What `teach` is told.
#[derive(Clone, Debug)]
pub struct TeachOptions {
    /// A category in MVTec layout, or a folder of good pictures.
    pub data: PathBuf,
    /// The recipe's folder.
    pub out: PathBuf,
    /// Length and size.
    pub preset: Preset,
    /// A training configuration in place of the preset.
    pub config: Option<PathBuf>,
    /// In place of the preset's.
    pub size: Option<usize>,
    /// In place of the preset's.
    pub steps: Option<usize>,
    /// Where chance comes from.
    pub seed: u64,
    /// CPU, CUDA or whatever there is.
    pub device: Wanted,
    /// Share of good parts that may be rejected.
    pub false_reject_target: f64,
    /// Whether the difference is measured against a noise map.
    pub noise_map: bool,
    /// In pixels of the network's picture; `None`: by its size.
    pub smoothing_sigma: Option<f64>,
    /// Whether the network before quantisation is written too.
    pub float_model: bool,
    /// Replace a recipe that is there.
    pub force: bool,
    /// Export the last checkpoint instead of training on.
    pub export_now: bool,
}

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
        "stopped after step {step}; the same command goes on from there, and with --export-now it makes a recipe of what is learned so far"
    )]
    Stopped {
        /// Steps done.
        step: usize,
    },
    /// a share out of range
    #[error("--false-reject {0} must be above 0 and below 0.5")]
    Target(f64),
    /// a smoothing out of range
    #[error("--smoothing {0} must be from 0 to 8 pixels")]
    Smoothing(f64),
}

/// Teaches and returns the manifest of the recipe that was written. `stop` ends the run at the next step, with a checkpoint.
pub fn teach(options: &TeachOptions, stop: &AtomicBool) -> Result<Manifest, TeachError> {
    let started = Instant::now();
    let target = options.false_reject_target;
    if !(target > 0.0 && target < 0.5) {
        return Err(TeachError::Target(target));
    }
    if options.out.exists() && !options.force {
        return Err(TeachError::Exists { path: options.out.clone() });
    }
    let dataset = Dataset::open(&options.data)?;
    let mut config = configuration(options)?;
    let set = TeachingSet::load(dataset.for_teaching()?, config.network.size, options.seed)?;
    config.network.channels = set.channels;
    let sigma = options.smoothing_sigma.unwrap_or(config.network.size as f64 / 64.0);
    if !(0.0..=8.0).contains(&sigma) {
        return Err(TeachError::Smoothing(sigma));
    }
    let (device, why) = Device::choose(options.device)?;
    let product = dataset.name();
    eprintln!("teaching {product} on {} pictures, {} held out; {why}", set.train.len(), set.held_out.len());

    let run_folder = beside(&options.out, ".run");
    let export_now = AtomicBool::new(true);
    let mut line = ProgressLine::new();
    let halt = if options.export_now { &export_now } else { stop };
    let outcome = train::train(&config, &set.train, &run_folder, device, halt, &mut |p| line.show(p))?;
    drop(line);
    if !outcome.finished && !options.export_now {
        return Err(TeachError::Stopped { step: outcome.steps_done });
    }
    eprintln!("taught {} steps in {:.0} s; quantising and calibrating", outcome.steps_done, outcome.seconds);
    let settings = ExportSettings {
        product,
        false_reject_target: target,
        noise_map: options.noise_map,
        smoothing_sigma: sigma,
        float_model: options.float_model,
        training: Training {
            program: concat!("beltwatch-train ", env!("CARGO_PKG_VERSION")).to_owned(),
            pictures: set.train.len(),
            held_out: set.held_out.len(),
            seed: options.seed,
            steps: outcome.steps_done,
            finished: outcome.finished,
            final_loss: outcome.final_loss.map(|l| (f64::from(l) * 1e6).round() / 1e6),
            network: config.network.to_string(),
        },
    };
    let partial = beside(&options.out, ".partial");
    remove(&partial)?;
    let manifest = recipe::export(&outcome.network, &set, &settings, &partial)?;
    let written =
        toml::to_string(&config).map_err(|e| TeachError::Config { path: partial.clone(), message: e.to_string() })?;
    let write = |path: &Path, source| TeachError::Write { path: path.to_owned(), source };
    fs::write(run_folder.join("train.toml"), written).map_err(|e| write(&run_folder, e))?;
    remove(&options.out)?;
    fs::rename(&partial, &options.out).map_err(|e| write(&options.out, e))?;
    eprintln!(
        "{}: threshold {} ({}) in {:.0} s{}",
        options.out.join(MANIFEST_FILE).display(),
        manifest.score.threshold,
        manifest.score.threshold_basis,
        started.elapsed().as_secs_f64(),
        if options.float_model {
            format!("; {FLOAT_MODEL_FILE} is for evaluation only, a device does not need it")
        } else {
            String::new()
        }
    );
    Ok(manifest)
}

fn configuration(options: &TeachOptions) -> Result<TrainConfig, TeachError> {
    // how many channels there are the pictures say, later
    let channels = 3;
    let mut config = match (&options.config, options.preset) {
        (Some(path), _) => {
            let bad = |message: String| TeachError::Config { path: path.clone(), message };
            let text = fs::read_to_string(path).map_err(|e| bad(format!("cannot be read: {e}")))?;
            toml::from_str(&text).map_err(|e| bad(e.to_string()))?
        }
        (None, Preset::Quick) => TrainConfig::quick(channels),
        (None, Preset::Standard) => TrainConfig::standard(channels),
    };
    if let Some(size) = options.size {
        config = config.with_size(size);
    }
    config.steps = options.steps.unwrap_or(config.steps);
    config.seed = options.seed;
    config.validate()?;
    Ok(config)
}

/// `folder` with an ending added to its name.
fn beside(folder: &Path, ending: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    folder.with_file_name(name)
}

fn remove(folder: &Path) -> Result<(), TeachError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(TeachError::Write { path: folder.to_owned(), source })
        }
        _ => Ok(()),
    }
}
