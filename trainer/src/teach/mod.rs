//! `beltwatch-train teach`: from a folder of good pictures to a recipe.

pub mod data;
pub mod recipe;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use beltwatch::recipe::{FLOAT_MODEL_FILE, MANIFEST_FILE, MODEL_FILE, Manifest, Training};
use beltwatch::say;
use beltwatch::verdict::Score;

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
    /// something is there that --force must not delete
    #[error(
        "{path} holds `{other}`, which is no part of a recipe: --force replaces recipes only; choose another --out"
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
    /// the threshold came out at the end of the scale
    #[error(
        "{held_out} held-out pictures scatter too much to promise a false-reject share of {target}: nothing would ever be \
         rejected. Collect more pictures of good parts (100 to 300), or allow a larger --false-reject"
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
        "stopped after step {step}; the same command goes on from there, and with --export-now it makes a recipe of what is learned so far"
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
    check_out(options)?;
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
    say::error(format_args!(
        "teaching {product} on {} pictures, {} held out; {why}",
        set.train.len(),
        set.held_out.len()
    ));

    let run_folder = beside(&options.out, ".run");
    if options.export_now && !train::has_checkpoint(&run_folder) {
        return Err(TeachError::NoCheckpoint { run: run_folder });
    }
    let export_now = AtomicBool::new(true);
    let mut line = ProgressLine::new();
    let halt = if options.export_now { &export_now } else { stop };
    let outcome = train::train(&config, &set.train, &run_folder, device, halt, &mut |p| line.show(p))?;
    drop(line);
    if !outcome.finished && !options.export_now {
        return Err(TeachError::Stopped { step: outcome.steps_done });
    }
    say::error(format_args!(
        "taught {} steps in {:.0} s; quantising and calibrating",
        outcome.steps_done, outcome.seconds
    ));
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
    let manifest = recipe::export(&outcome.networks, &set, &settings, &partial)?;
    if manifest.score.threshold == Score(u16::MAX) {
        return Err(TeachError::NoThreshold { held_out: set.held_out.len(), target });
    }
    let written =
        toml::to_string(&config).map_err(|e| TeachError::Config { path: partial.clone(), message: e.to_string() })?;
    let write = |path: &Path, source| TeachError::Write { path: path.to_owned(), source };
    fs::write(run_folder.join("train.toml"), written).map_err(|e| write(&run_folder, e))?;
    // whoever is killed here leaves the old recipe or the new one, whole, under one of three names
    let old = beside(&options.out, ".old");
    remove(&old)?;
    if options.out.exists() {
        fs::rename(&options.out, &old).map_err(|e| write(&old, e))?;
    }
    fs::rename(&partial, &options.out).map_err(|e| write(&options.out, e))?;
    remove(&old)?;
    say::error(format_args!(
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
    ));
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
    let size = config.network.size;
    if !(32..=1024).contains(&size) || !size.is_multiple_of(32) {
        return Err(TeachError::Size { size });
    }
    Ok(config)
}

/// What lies at `--out` may be replaced: nothing, or with `--force` a recipe and nothing but a recipe. Neither the data nor
/// anything else of the user's is ever in its place.
fn check_out(options: &TeachOptions) -> Result<(), TeachError> {
    let out = &options.out;
    let misplaced = || TeachError::Out { path: out.clone() };
    let name = out.file_name().ok_or_else(misplaced)?;
    let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let (Ok(parent), Ok(data)) = (parent.canonicalize(), options.data.canonicalize()) {
        let place = parent.join(name);
        let place = place.canonicalize().unwrap_or(place);
        if place.starts_with(&data) || data.starts_with(&place) {
            return Err(misplaced());
        }
    }
    if !out.exists() {
        return Ok(());
    }
    if !options.force {
        return Err(TeachError::Exists { path: out.clone() });
    }
    let entries = fs::read_dir(out).map_err(|source| TeachError::Write { path: out.clone(), source })?;
    let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    let own = [MANIFEST_FILE, MODEL_FILE, FLOAT_MODEL_FILE, "golden"];
    match names.into_iter().find(|name| !own.contains(&name.as_str()) && !name.starts_with("noise_")) {
        Some(other) => Err(TeachError::NotARecipe { path: out.clone(), other }),
        None => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn options(data: &Path, out: PathBuf, force: bool) -> TeachOptions {
        TeachOptions {
            data: data.to_owned(),
            out,
            preset: Preset::Quick,
            config: None,
            size: Some(32),
            steps: Some(1),
            seed: 1,
            device: Wanted::Cpu,
            false_reject_target: 0.01,
            noise_map: true,
            smoothing_sigma: None,
            float_model: false,
            force,
            export_now: false,
        }
    }

    #[test]
    fn force_replaces_recipes_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = |name: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(&path).expect("writable");
            path
        };
        let (data, home, recipe) = (folder("data"), folder("home"), folder("recipe"));
        fs::write(home.join("diary.txt"), "today").expect("writable");
        fs::write(recipe.join(MANIFEST_FILE), "").expect("writable");
        fs::create_dir(recipe.join("golden")).expect("writable");
        let check = |out: PathBuf, force| check_out(&options(&data, out, force));
        assert!(check(dir.path().join("new"), false).is_ok());
        assert!(check(recipe.clone(), true).is_ok());
        assert!(matches!(check(recipe, false), Err(TeachError::Exists { .. })));
        assert!(check(home, true).is_err_and(|e| e.to_string().contains("diary.txt")));
        for out in [data.clone(), data.join("recipe"), dir.path().to_owned(), data.join(".."), "/".into(), "..".into()]
        {
            assert!(matches!(check(out.clone(), true), Err(TeachError::Out { .. })), "{}", out.display());
        }
    }

    #[test]
    fn without_a_checkpoint_there_is_nothing_to_export() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let data = dir.path().join("data");
        fs::create_dir(&data).expect("writable");
        for i in 0..12u8 {
            let picture = beltwatch::picture::Picture::filled(32, 32, 1, 100 + i);
            picture.save_png(&data.join(format!("{i}.png"))).expect("writable");
        }
        let options = TeachOptions { export_now: true, ..options(&data, dir.path().join("out"), false) };
        let error = teach(&options, &AtomicBool::new(false)).expect_err("nothing was taught").to_string();
        assert!(error.contains("no checkpoint"), "{error}");
        assert!(!options.out.exists());
    }
}
