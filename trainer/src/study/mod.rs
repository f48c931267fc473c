//! `beltwatch-train study`: categories x variants x seeds, each taught and evaluated as a user would, in one
//! table.
//!
//! A study can be stopped and started again: what is done is kept, what is under way goes on from its
//! checkpoint. Variants that differ in nothing but `recipe` share their training.

pub mod plan;
mod table;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use beltwatch_vision::recipe::sha256_hex;
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, DatasetError};
use crate::evaluate::Metrics;
use crate::evaluate::error::EvaluateError;
use crate::evaluate::run::{EvaluateArgs, evaluate};
use crate::say;
use crate::teach::config::TeachConfig;
use crate::teach::data::{DataError, TeachingSet};
use crate::teach::{self, TeachError, TeachOptions};
use crate::train::{Device, DeviceError, Wanted};
use plan::{Plan, PlanError, Variant};

/// What `study` is told.
#[derive(Clone, Debug)]
pub struct StudyArgs {
    /// The study.
    pub plan: PathBuf,
    /// Where recipes, results and tables go.
    pub out: PathBuf,
    /// The folder of the categories, in place of the study's.
    pub data: Option<PathBuf>,
    /// Where to train.
    pub device: Wanted,
}

/// Why a study ended early.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum StudyError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("{cell}: {source}")]
    Teach {
        /// Category, variant and seed.
        cell: String,
        source: Box<TeachError>,
    },
    #[error("{cell}: {source}")]
    Evaluate {
        /// Category, variant and seed.
        cell: String,
        source: Box<EvaluateError>,
    },
    #[error("{path}: {message}")]
    File { path: PathBuf, message: String },
}

impl StudyError {
    /// The program's: 130 where the user stopped it, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Teach { source, .. } if matches!(**source, TeachError::Stopped { .. }) => 130,
            _ => 1,
        }
    }
}

/// What one recipe reached: the int8 network with HEE unless said, through the device's own code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The category.
    pub category: String,
    /// The variant.
    pub variant: String,
    /// The seed.
    pub seed: u64,
    /// Area under the ROC curve of the pictures.
    pub image_auroc: Option<f64>,
    /// The same without HEE.
    pub image_auroc_without_hee: Option<f64>,
    /// The same before quantisation, with HEE.
    pub image_auroc_float: Option<f64>,
    /// Area under the ROC curve of the pixels.
    pub pixel_auroc: Option<f64>,
    /// The same without HEE.
    pub pixel_auroc_without_hee: Option<f64>,
    /// AU-PRO to a false-positive rate of 0.3.
    pub aupro: Option<f64>,
    /// The same without HEE.
    pub aupro_without_hee: Option<f64>,
    /// Share of the good test pictures above the threshold.
    pub false_reject_rate: Option<f64>,
    /// Share of the defective test pictures not above it.
    pub miss_rate: Option<f64>,
    /// Multiply-adds of the networks for one picture.
    pub multiply_adds: u64,
    /// SHA-256 of those of the pictures that it was taught with.
    #[serde(default)]
    pub pictures: String,
    /// Seconds of teaching; none where the training was another variant's, or an earlier session's.
    pub teach_seconds: Option<f64>,
}

/// Does what of the study is not done yet, then writes and prints the table.
pub fn study(args: &StudyArgs, stop: &AtomicBool) -> Result<(), StudyError> {
    let plan = Plan::read(&args.plan)?;
    let data = args.data.clone().unwrap_or_else(|| plan.data_beside(&args.plan));
    let (device, why) = Device::choose(args.device)?;
    let total = plan.categories.len() * plan.seeds.len() * plan.variants.len();
    say::error(format_args!("{total} recipes; {why}"));
    create(&args.out)?;
    let mut cells = Vec::new();
    for category in &plan.categories {
        for &seed in &plan.seeds {
            let mut decided = HashMap::new();
            for variant in &plan.variants {
                let place = Place {
                    args,
                    plan: &plan,
                    data: data.join(category),
                    category,
                    seed,
                    variant,
                    device,
                };
                cells.push(place.cell(&mut decided, stop)?);
                table::write(&args.out, &plan, &cells)?;
                say::error(format_args!("{} of {total} done", cells.len()));
            }
        }
    }
    match say::out(table::text(&plan, &cells)) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(StudyError::File {
            path: "standard output".into(),
            message: e.to_string(),
        }),
        _ => Ok(()),
    }
}

/// One of the study's recipes to be.
struct Place<'a> {
    args: &'a StudyArgs,
    plan: &'a Plan,
    data: PathBuf,
    category: &'a str,
    seed: u64,
    variant: &'a Variant,
    device: Device,
}

impl Place<'_> {
    fn name(&self) -> String {
        format!("{}, {}, seed {}", self.category, self.variant.name, self.seed)
    }

    fn cell(&self, decided: &mut HashMap<usize, Decided>, stop: &AtomicBool) -> Result<Cell, StudyError> {
        let folder = self
            .args
            .out
            .join(self.category)
            .join(self.variant.folder())
            .join(format!("seed-{}", self.seed));
        let results = folder.join("results.json");
        create(&folder)?;
        let (config, pictures) = self.configuration(decided)?;
        let file = folder.join("teach.toml");
        let told = |source| StudyError::Teach {
            cell: self.name(),
            source: Box::new(source),
        };
        let same = TeachConfig::read(&file).is_ok_and(|before| before == config);
        if let (true, Ok(text)) = (same, fs::read_to_string(&results)) {
            let cell: Cell = serde_json::from_str(&text).map_err(|e| StudyError::File {
                path: results.clone(),
                message: format!("{e}; remove it to measure anew"),
            })?;
            if cell.pictures == pictures {
                return Ok(cell);
            }
        }
        // what was measured otherwise must not be taken for this, wherever it is stopped
        if let Err(e) = fs::remove_file(&results)
            && e.kind() != std::io::ErrorKind::NotFound
        {
            return Err(StudyError::File {
                path: results,
                message: format!("cannot be removed: {e}"),
            });
        }
        config.write(&file).map_err(told)?;
        say::error(format_args!("\n{}", self.name()));
        let run = self
            .args
            .out
            .join("runs")
            .join(run_name(self.category, &config, &pictures));
        let fresh = !run.exists();
        let options = TeachOptions {
            data: self.data.clone(),
            out: folder.join("recipe"),
            run: Some(run),
            config: Some(file),
            device: self.args.device,
            float_model: true,
            force: true,
            ..TeachOptions::default()
        };
        let started = Instant::now();
        teach::teach(&options, stop).map_err(told)?;
        let seconds = started.elapsed().as_secs_f64();
        let evaluation = evaluate(&EvaluateArgs {
            recipe: options.out,
            data: self.data.clone(),
            json: None,
            report: None,
        })
        .map_err(|source| StudyError::Evaluate {
            cell: self.name(),
            source: Box::new(source),
        })?
        .evaluation;
        let results_of = &evaluation.results;
        let metrics = [&results_of.int8_hee, &results_of.int8_raw, &results_of.float_hee];
        let cell = self.measured(&config, pictures, metrics, fresh.then_some(seconds));
        let text = serde_json::to_string_pretty(&cell).unwrap_or_default();
        fs::write(&results, text).map_err(|e| StudyError::File {
            path: results,
            message: e.to_string(),
        })?;
        Ok(cell)
    }

    fn measured(
        &self,
        config: &TeachConfig,
        pictures: String,
        [int8, without_hee, float]: [&Metrics; 3],
        teach_seconds: Option<f64>,
    ) -> Cell {
        Cell {
            category: self.category.to_owned(),
            variant: self.variant.name.clone(),
            seed: self.seed,
            image_auroc: int8.image_auroc,
            image_auroc_without_hee: without_hee.image_auroc,
            image_auroc_float: float.image_auroc,
            pixel_auroc: int8.pixel_auroc,
            pixel_auroc_without_hee: without_hee.pixel_auroc,
            aupro: int8.aupro,
            aupro_without_hee: without_hee.aupro,
            false_reject_rate: int8.false_reject_rate,
            miss_rate: int8.miss_rate,
            multiply_adds: config.train.network.multiply_adds(),
            pictures,
            teach_seconds,
        }
    }

    /// What `teach` would decide, changed as the variant says, and the hash of its pictures; `decided` holds
    /// what it decides at each size, so that the pictures are looked at once.
    fn configuration(&self, decided: &mut HashMap<usize, Decided>) -> Result<Decided, StudyError> {
        let size = self
            .variant
            .size
            .or(self.plan.size)
            .unwrap_or(self.plan.preset.size());
        let (mut config, pictures) = match decided.entry(size) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(place) => {
                let dataset = Dataset::open(&self.data)?;
                let set = TeachingSet::load(dataset.for_teaching()?, size, self.seed, None)?;
                let decided = TeachConfig::decide(
                    self.plan.preset,
                    self.device,
                    &set.train,
                    set.channels,
                    set.shape(),
                );
                let hashes: Vec<&str> = set.sha256.keys().map(String::as_str).collect();
                place
                    .insert((decided.config, sha256_hex(hashes.concat().as_bytes())))
                    .clone()
            }
        };
        config.train.seed = self.seed;
        config.train.steps = self.plan.steps.unwrap_or(config.train.steps);
        let config = self
            .variant
            .change(&config)
            .map_err(|message| PlanError::Variant {
                path: self.args.plan.clone(),
                variant: self.variant.name.clone(),
                message,
            })?;
        config.validate().map_err(|source| StudyError::Teach {
            cell: self.name(),
            source: Box::new(source),
        })?;
        Ok((config, pictures))
    }
}

/// A configuration, and the hash of the pictures that it is for.
type Decided = (TeachConfig, String);

/// The same for all recipes of one training.
fn run_name(category: &str, config: &TeachConfig, pictures: &str) -> String {
    let folds = config
        .recipe
        .folds
        .map_or(String::new(), |folds| format!("{folds} folds"));
    let hash = sha256_hex(format!("{:?}{folds}{pictures}", config.train).as_bytes());
    format!("{category}-{}-{}", config.train.seed, &hash[..12])
}

fn create(folder: &Path) -> Result<(), StudyError> {
    fs::create_dir_all(folder).map_err(|e| StudyError::File {
        path: folder.to_owned(),
        message: e.to_string(),
    })
}
