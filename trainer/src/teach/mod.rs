//! `beltwatch-train teach`: from a folder of good pictures to a recipe.

pub mod config;
pub mod data;
mod error;
pub mod export;
mod learn;
pub mod mask;
pub mod natural;
pub mod position;
mod tell;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use beltwatch_vision::judge::score::Score;
use beltwatch_vision::recipe::{
    FLOAT_MODEL_FILE, MANIFEST_FILE, MODEL_FILE, Manifest, PARTIAL, POSITION_FILE, Training,
    is_false_reject_target, is_size,
};

use crate::calibrate::BEFORE;
use crate::dataset::Dataset;
use crate::say;
use crate::thresholds::quantile::median;
use crate::train::{self, Device, TrainConfig, Wanted};
use config::{Decided, FOLDS, TeachConfig, steps_that_pay};
use data::{Odd, TeachingSet};
use export::Exported;
use export::settings::ExportSettings;
use learn::Learn;
use position::Places;

pub use crate::thresholds::Noise;
pub use config::{Budget, Preset};
pub use error::TeachError;

/// All decisions, in the run's folder.
pub const CONFIG_FILE: &str = "teach.toml";
/// Beside `--out`, as long as a recipe is written,
const BEING_TAUGHT: &str = ".being-taught";
/// and as long as it takes the place of another.
const REPLACED: &str = ".replaced";
/// Steps that are timed for a budget; they are not part of the run.
const SPEED_STEPS: usize = 24;

/// What `teach` is told.
#[derive(Clone, Debug, Default)]
pub struct TeachOptions {
    /// A category in MVTec layout, or a folder of good pictures.
    pub data: PathBuf,
    /// The recipe's folder.
    pub out: PathBuf,
    /// The run's folder, in place of one beside the recipe's.
    pub run: Option<PathBuf>,
    /// Length and size.
    pub preset: Preset,
    /// A file in place of every decision.
    pub config: Option<PathBuf>,
    /// In place of what is decided.
    pub size: Option<usize>,
    /// In place of what is decided.
    pub steps: Option<usize>,
    /// As many steps as fit into this time, in place of the preset's.
    pub budget: Option<Budget>,
    /// Where chance comes from.
    pub seed: Option<u64>,
    /// CPU, CUDA or whatever there is.
    pub device: Wanted,
    /// Share of good parts that may be rejected, in place of 0.01.
    pub false_reject: Option<f64>,
    /// Cross-fitting: so many further networks are trained, each without its share of the pictures.
    pub folds: Option<usize>,
    /// In place of what is decided.
    pub noise: Option<Noise>,
    /// In pixels of the network's picture, in place of what is decided.
    pub smoothing: Option<f64>,
    /// Whether the network before quantisation is written too.
    pub float_model: bool,
    /// A picture of what is looked at, in place of what is configured.
    pub mask: Option<PathBuf>,
    /// Pictures of no good parts, beside those that are configured.
    pub leave_out: Vec<PathBuf>,
    /// Replace a recipe that is there.
    pub force: bool,
    /// Export the last checkpoint instead of training on.
    pub export_now: bool,
}

/// Teaches and returns the manifest of the recipe that was written. `stop` ends the run at the next step,
/// with a checkpoint.
pub fn teach(options: &TeachOptions, stop: &AtomicBool) -> Result<Manifest, TeachError> {
    let started = Instant::now();
    check_out(options)?;
    let told = options.config.as_deref().map(TeachConfig::read).transpose()?;
    if let Some(told) = &told {
        told.validate()?;
        let configured = told.train.network.size;
        if let Some(size) = options.size.filter(|&size| size != configured) {
            return Err(TeachError::TwoSizes { size, configured });
        }
    }
    let dataset = Dataset::open(&options.data)?;
    let (device, why) = Device::choose(options.device)?;
    let size = options
        .size
        .or(told.as_ref().map(|t| t.train.network.size))
        .unwrap_or(options.preset.size());
    if !is_size(size) {
        return Err(TeachError::Size { size });
    }
    let seed = options.seed.or(told.as_ref().map(|t| t.train.seed)).unwrap_or(1);
    let folds = options.folds.or(told.as_ref().and_then(|t| t.recipe.folds));
    if let Some(folds) = folds.filter(|folds| !FOLDS.contains(folds)) {
        return Err(TeachError::Folds(folds));
    }
    if let Some(target) = options
        .false_reject
        .filter(|&target| !is_false_reject_target(target))
    {
        return Err(TeachError::Target(target));
    }
    let run_folder = options
        .run
        .clone()
        .unwrap_or_else(|| beside(&options.out, ".run"));
    if options.export_now && train::steps_saved(&run_folder).is_none() {
        return Err(TeachError::NoCheckpoint { run: run_folder });
    }
    let mut set = TeachingSet::load(dataset.for_teaching()?, size, seed, folds)?;
    for Odd { path, why } in &set.odd {
        say::error(format_args!("odd: {}: {why}", path.display()));
    }
    let product = dataset.name();
    let held_out = match folds {
        Some(folds) => format!("each held out from one of {folds} further networks"),
        None => format!("{} held out", set.held_out.len()),
    };
    say::error(format_args!(
        "teaching {product} on {} pictures, {held_out}; {why}",
        set.train.len()
    ));
    let (config, places) = configure(options, told, device, &set, seed, &run_folder, stop)?;
    if let Some(places) = &places {
        set.correct(places);
    }
    let TeachConfig {
        recipe: judged,
        train: config,
    } = &config;

    let learn = Learn {
        config,
        run_folder: &run_folder,
        device,
        stop,
        export_now: options.export_now,
    };
    let outcome = learn.all(&set)?;
    let folds = learn.folds(&set, judged.folds.unwrap_or(0))?;
    say::error(format_args!("quantising and calibrating"));
    let settings = ExportSettings {
        product,
        regions: judged.regions.clone(),
        position: places.map(|places| (places.reference, places.limits)),
        false_reject_target: judged.false_reject,
        forms: judged.forms.clone(),
        noise: judged.noise,
        smoothing_sigma: judged.smoothing,
        pooling: judged.pooling,
        float_model: options.float_model,
        leave_out: judged.leave_out.clone(),
        training: Training {
            program: concat!("beltwatch-train ", env!("CARGO_PKG_VERSION")).to_owned(),
            pictures: set.train.len(),
            held_out: set.held_out.len(),
            seed,
            steps: outcome.steps_done,
            finished: outcome.finished,
            final_loss: outcome.final_loss.map(|l| (f64::from(l) * 1e6).round() / 1e6),
            network: config.network.to_string(),
        },
    };
    let partial = beside(&options.out, BEING_TAUGHT);
    remove(&partial)?;
    let Exported {
        manifest,
        suspicious,
        highest,
    } = export::export(&outcome.networks, &folds, &set, &settings, &partial)?;
    if manifest.score.threshold == Score(u16::MAX) {
        return Err(TeachError::NoThreshold {
            held_out: set.held_out.len(),
            target: judged.false_reject,
        });
    }
    let write = |path: &Path, source| TeachError::Write {
        path: path.to_owned(),
        source,
    };
    // whoever is killed here leaves the old recipe or the new one, whole, under one of three names
    let old = beside(&options.out, REPLACED);
    remove(&old)?;
    if options.out.exists() {
        fs::rename(&options.out, &old).map_err(|e| write(&old, e))?;
    }
    fs::rename(&partial, &options.out).map_err(|e| write(&options.out, e))?;
    remove(&old)?;
    let score = &manifest.score;
    tell::written(&options.out, score, started.elapsed());
    tell::promise(
        score,
        judged.false_reject,
        folds.len(),
        set.train.len() + set.held_out.len(),
    );
    tell::pictures(&options.out, &run_folder, score.threshold, &highest, &suspicious)?;
    Ok(manifest)
}

/// What is taught with: the file that was given, or what `teach` decides, and over both the options. It is
/// written to the run's folder and said. With it, where parts lie if their position is to be corrected.
fn configure(
    options: &TeachOptions,
    told: Option<TeachConfig>,
    device: Device,
    set: &TeachingSet,
    seed: u64,
    run_folder: &Path,
    stop: &AtomicBool,
) -> Result<(TeachConfig, Option<Places>), TeachError> {
    let file = run_folder.join(CONFIG_FILE);
    let mut shown = None;
    let (mut config, places) = match told {
        Some(mut config) => {
            config.train.network.channels = set.channels;
            let places = config
                .recipe
                .position
                .then(|| Places::find(&set.train, set.shape()));
            (config, places)
        }
        None => {
            let decided = TeachConfig::decide(options.preset, device, &set.train, set.channels, set.shape());
            shown = Some(decided.shown);
            (decided.config, decided.places)
        }
    };
    config.train.seed = seed;
    config.train.steps = options.steps.unwrap_or(config.train.steps);
    config.recipe.noise = options.noise.unwrap_or(config.recipe.noise);
    config.recipe.smoothing = options.smoothing.unwrap_or(config.recipe.smoothing);
    config.recipe.false_reject = options.false_reject.unwrap_or(config.recipe.false_reject);
    config.recipe.folds = options.folds.or(config.recipe.folds);
    if let Some(mask) = &options.mask {
        let drawn_over = if config.recipe.position {
            &[][..]
        } else {
            &set.sizes
        };
        config.recipe.regions = mask::regions(mask, config.train.network.size, drawn_over)?;
    }
    config.recipe.leave_out.extend(options.leave_out.iter().cloned());
    config.recipe.leave_out = left_out(set, &config.recipe.leave_out)?;
    config.validate()?;
    fs::create_dir_all(run_folder).map_err(|source| TeachError::Write {
        path: run_folder.to_owned(),
        source,
    })?;
    // a run that goes on keeps the batch and the number of steps that it began with, whatever there is room
    // and time for now
    let begun = train::steps_saved(run_folder).and_then(|_| TeachConfig::read(&file).ok());
    let wanted = config.train.batch;
    config.train.batch = match (&begun, device) {
        (Some(begun), Device::Cuda) => wanted.min(begun.train.batch),
        _ => train::batch_with_room(&config.train, &set.train, device)?,
    };
    if config.train.batch < wanted {
        say::error(format_args!(
            "{} pictures a step in place of {wanted}: memory is short",
            config.train.batch
        ));
    }
    if let Some(Budget(budget)) = options.budget {
        config.train.steps = match &begun {
            Some(begun) => {
                say::error(format_args!(
                    "--budget is left out: the run that is there goes on with its steps"
                ));
                begun.train.steps
            }
            None => steps_within(
                budget / (1 + config.recipe.folds.unwrap_or(0)) as u32,
                &config.train,
                set,
                run_folder,
                device,
                stop,
            )?,
        };
    }
    // the file stays that of the checkpoint beside it
    if let Some(begun) = begun.filter(|begun| begun.train != config.train) {
        let keys = config.unlike(&begun).join("; ");
        return Err(TeachError::OtherRun {
            run: run_folder.to_owned(),
            keys,
        });
    }
    config.write(&file)?;
    if let Some(shown) = shown {
        let decided = Decided {
            config: config.clone(),
            shown,
            places: places.clone(),
        };
        say::error(format_args!(
            "decided: {decided}\nto decide otherwise, change {} and give it as --config",
            file.display()
        ));
    }
    let places = places.filter(|_| config.recipe.position);
    Ok((config, places))
}

/// The files as the set names them.
fn left_out(set: &TeachingSet, paths: &[PathBuf]) -> Result<Vec<PathBuf>, TeachError> {
    let file = |path: &PathBuf| {
        set.file(path)
            .cloned()
            .ok_or_else(|| TeachError::LeaveOut { path: path.clone() })
    };
    paths.iter().map(file).collect()
}

/// As many steps as this machine does within `budget`, a tenth of which is left for reading, quantising and
/// calibrating.
fn steps_within(
    budget: Duration,
    config: &TrainConfig,
    set: &TeachingSet,
    run_folder: &Path,
    device: Device,
    stop: &AtomicBool,
) -> Result<usize, TeachError> {
    let folder = run_folder.join("speed");
    remove(&folder)?;
    let trial = TrainConfig {
        steps: SPEED_STEPS,
        ..config.clone()
    };
    let (mut seconds, mut last) = (Vec::new(), Instant::now());
    train::train(&trial, &set.train, &folder, device, stop, &mut |_| {
        seconds.push(last.elapsed().as_secs_f64());
        last = Instant::now();
    })?;
    remove(&folder)?;
    // steps in which all learns take longer than those of the head alone
    let count = seconds.len();
    let (all, alone) = seconds.split_at_mut(count.min(trial.head_alone_from()));
    let sum = [all, alone]
        .map(|part| part.len() as f64 * median(part).unwrap_or(0.0))
        .iter()
        .sum::<f64>();
    let step = if count == 0 {
        f64::INFINITY
    } else {
        (sum / count as f64).max(1e-4)
    };
    Ok(((0.9 * budget.as_secs_f64() / step) as usize).clamp(SPEED_STEPS, steps_that_pay(set.train.len())))
}

/// What lies at `--out` may be replaced: nothing, or with `--force` a recipe and nothing but a recipe; nor
/// does anything else lie where the recipe is while it is written. Neither the data nor anything else of the
/// user's is ever in their place.
fn check_out(options: &TeachOptions) -> Result<(), TeachError> {
    let out = &options.out;
    let folders = [out.clone(), beside(out, BEING_TAUGHT), beside(out, REPLACED)];
    folders
        .iter()
        .try_for_each(|folder| check_place(folder, &options.data))?;
    if out.exists() && !options.force {
        return Err(TeachError::Exists { path: out.clone() });
    }
    folders.iter().try_for_each(|folder| check_replaceable(folder))
}

/// The folder has a name, and neither it nor the data lies in the other.
fn check_place(folder: &Path, data: &Path) -> Result<(), TeachError> {
    let misplaced = || TeachError::Out {
        path: folder.to_owned(),
    };
    let name = folder.file_name().ok_or_else(misplaced)?;
    let parent = folder
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if let (Ok(parent), Ok(data)) = (parent.canonicalize(), data.canonicalize()) {
        let place = parent.join(name);
        let place = place.canonicalize().unwrap_or(place);
        if place.starts_with(&data) || data.starts_with(&place) {
            return Err(misplaced());
        }
    }
    Ok(())
}

/// It holds a recipe's files only, if there is one.
fn check_replaceable(folder: &Path) -> Result<(), TeachError> {
    if !folder.exists() {
        return Ok(());
    }
    let entries = fs::read_dir(folder).map_err(|source| TeachError::Write {
        path: folder.to_owned(),
        source,
    })?;
    let names = entries
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned());
    let own = [
        MANIFEST_FILE,
        MODEL_FILE,
        FLOAT_MODEL_FILE,
        POSITION_FILE,
        PARTIAL,
        "golden",
        BEFORE,
    ];
    match names
        .into_iter()
        .find(|name| !own.contains(&name.as_str()) && !name.starts_with("noise_"))
    {
        Some(other) => Err(TeachError::NotARecipe {
            path: folder.to_owned(),
            other,
        }),
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
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(TeachError::Write {
            path: folder.to_owned(),
            source,
        }),
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
            size: Some(32),
            steps: Some(1),
            device: Wanted::Cpu,
            force,
            ..TeachOptions::default()
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
        for ending in [BEING_TAUGHT, REPLACED] {
            let beside = folder(&format!("motor{ending}"));
            assert!(
                check(dir.path().join("motor"), false).is_ok(),
                "a killed run's, with nothing in it"
            );
            fs::write(beside.join("diary.txt"), "today").expect("writable");
            assert!(
                check(dir.path().join("motor"), false).is_err_and(|e| e.to_string().contains("diary.txt"))
            );
            let data = options(&beside, dir.path().join("motor"), true);
            assert!(matches!(check_out(&data), Err(TeachError::Out { .. })));
            fs::remove_dir_all(beside).expect("writable");
        }
        for out in [
            data.clone(),
            data.join("recipe"),
            dir.path().to_owned(),
            data.join(".."),
            "/".into(),
            "..".into(),
        ] {
            assert!(
                matches!(check(out.clone(), true), Err(TeachError::Out { .. })),
                "{}",
                out.display()
            );
        }
    }

    #[test]
    fn without_a_checkpoint_there_is_nothing_to_export() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let data = dir.path().join("data");
        fs::create_dir(&data).expect("writable");
        for i in 0..12u8 {
            let picture = beltwatch_vision::picture::Picture::filled(32, 32, 1, 100 + i);
            picture
                .save_png(&data.join(format!("{i}.png")))
                .expect("writable");
        }
        let options = TeachOptions {
            export_now: true,
            ..options(&data, dir.path().join("out"), false)
        };
        let error = teach(&options, &AtomicBool::new(false))
            .expect_err("nothing was taught")
            .to_string();
        assert!(error.contains("no checkpoint"), "{error}");
        assert!(!options.out.exists());
    }
}
