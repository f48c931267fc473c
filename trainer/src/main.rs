//! `beltwatch-train`: teaches recipes and measures them; see README.md.
#![forbid(unsafe_code)]

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use beltwatch_train::calibrate::{self, CalibrateArgs, CalibrateError};
use beltwatch_train::evaluate::run::{self as evaluation, EvaluateArgs};
use beltwatch_train::say;
use beltwatch_train::study::{self, StudyArgs, StudyError};
use beltwatch_train::synth::{self, SynthArgs};
use beltwatch_train::teach::{self, Budget, Noise, Preset, TeachError, TeachOptions};
use beltwatch_train::train::{Wanted, list_devices};
use clap::{Parser, Subcommand};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Training frees and allocates large blocks at every step; the C library hands them back to the kernel each
/// time, which costs a fifth of the step.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Teaches beltwatch recipes from pictures of good parts.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done; 1 failed, the reason is on standard error; 2 wrong usage; 130 stopped \
                  by a signal, with a checkpoint"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Teach a recipe from pictures of good parts
    Teach(Teach),
    /// Set a recipe's threshold anew with more pictures of good parts
    Calibrate(Calibrate),
    /// Measure a recipe on a data set with known defects
    Evaluate(Evaluate),
    /// Render parts and their defects as a data set
    Synth(Synth),
    /// Teach and measure variants of the method on several categories
    Study(Study),
    /// List what can be trained on here
    Devices,
}

#[derive(clap::Args)]
struct Teach {
    /// A category in MVTec layout (train/good/*), or a folder of pictures of good parts
    data: PathBuf,
    /// The recipe's folder
    #[arg(long)]
    out: PathBuf,
    /// Length and picture size
    #[arg(long, value_enum, default_value_t)]
    preset: Preset,
    /// A file (TOML, as written to OUT.run/teach.toml) in place of every decision
    #[arg(long)]
    config: Option<PathBuf>,
    /// Width and height of the network's picture in pixels
    #[arg(long)]
    size: Option<usize>,
    /// Training steps
    #[arg(long)]
    steps: Option<usize>,
    /// As many steps as fit into this time on this machine: 20m, 2h
    #[arg(long, value_name = "TIME", conflicts_with = "steps")]
    budget: Option<Budget>,
    /// Same seed, same pictures, same number of steps: same recipe [default: 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Where to train
    #[arg(long, default_value = "auto", value_name = "auto|cpu|cuda")]
    device: Wanted,
    /// Share of good parts that may be rejected [default: 0.01]
    #[arg(long, value_name = "SHARE")]
    false_reject: Option<f64>,
    /// Teach so many further networks, each without its share of the pictures: then all pictures set the
    /// threshold, and all are taught on. For few pictures; it takes as many times longer
    #[arg(long, value_name = "2..10")]
    folds: Option<usize>,
    /// Smoothing of the anomaly map, in pixels of the network's picture [default: size / 128]
    #[arg(long, value_name = "SIGMA")]
    smoothing: Option<f64>,
    /// What differences are measured against [default: `pixel` where parts hold their place, else `even`]
    #[arg(long, value_enum)]
    noise: Option<Noise>,
    /// A picture of what is looked at (white) and what is not (black), drawn over a picture of the part
    #[arg(long, value_name = "PICTURE")]
    mask: Option<PathBuf>,
    /// A picture of the data that is of no good part after all: neither noise map nor threshold use it. With
    /// a run that is finished it is a matter of a minute. May be given several times
    #[arg(long, value_name = "PICTURE")]
    leave_out: Vec<PathBuf>,
    /// Leave out float.onnx (then `evaluate` shows the int8 rows only)
    #[arg(long)]
    no_float_model: bool,
    /// Replace a recipe that is there
    #[arg(long)]
    force: bool,
    /// Do not train on: make a recipe of the last checkpoint
    #[arg(long)]
    export_now: bool,
}

#[derive(clap::Args)]
struct Calibrate {
    /// The recipe's folder
    recipe: PathBuf,
    /// A folder of pictures of good parts; those that were taught on are left out
    pictures: Option<PathBuf>,
    /// Share of good parts that may be rejected [default: as it was taught]
    #[arg(long, value_name = "SHARE")]
    false_reject: Option<f64>,
    /// Take the pictures for good parts although far more of them are above the threshold than was promised
    #[arg(long)]
    force: bool,
}

#[derive(clap::Args)]
struct Evaluate {
    /// The recipe's folder
    recipe: PathBuf,
    /// A category in MVTec layout
    data: PathBuf,
    /// Write all numbers here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with charts and pictures here: one HTML file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Synth {
    /// A folder that does not exist or is empty
    out: PathBuf,
    /// Same seed, same pictures
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Width and height in pixels
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Good pictures to teach on
    #[arg(long, default_value_t = 300, value_parser = count)]
    train: usize,
    /// Good pictures to test on
    #[arg(long, default_value_t = 100, value_parser = count)]
    test_good: usize,
    /// Defective pictures of each kind
    #[arg(long, default_value_t = 20, value_parser = count)]
    test_defects: usize,
}

#[derive(clap::Args)]
struct Study {
    /// What is compared (TOML, see trainer/studies)
    study: PathBuf,
    /// Recipes, results and tables go here; what is there already is not done again
    #[arg(long)]
    out: PathBuf,
    /// The folder of the categories, in place of the study's
    #[arg(long)]
    data: Option<PathBuf>,
    /// Where to train
    #[arg(long, default_value = "auto", value_name = "auto|cpu|cuda")]
    device: Wanted,
}

/// A number of pictures.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count <= 1_000_000 => Ok(count),
        _ => Err("it must be a whole number from 0 to 1000000".to_owned()),
    }
}

/// What ends the program, and its exit code.
struct Failure {
    error: Box<dyn std::error::Error>,
    code: u8,
}

impl Failure {
    fn new<E: std::error::Error + 'static>(error: E, exit_code: impl Fn(&E) -> u8) -> Self {
        Self {
            code: exit_code(&error),
            error: Box::new(error),
        }
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error, |_| 1)
    }
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn"))
        .format(|out, record| {
            let time = jiff::Timestamp::now().strftime("%FT%TZ");
            writeln!(
                out,
                "[{time} {:<5} {}] {}",
                record.level(),
                record.target(),
                record.args()
            )
        })
        .init();
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { error, code }) => {
            say::error(format_args!("beltwatch-train: {error}"));
            ExitCode::from(code)
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Teach(args) => {
            teach::teach(&args.into(), &*stop()?).map_err(|e| Failure::new(e, TeachError::exit_code))?;
        }
        Command::Study(Study {
            study,
            out,
            data,
            device,
        }) => {
            let args = StudyArgs {
                plan: study,
                out,
                data,
                device,
            };
            study::study(&args, &*stop()?).map_err(|e| Failure::new(e, StudyError::exit_code))?;
        }
        Command::Devices => say::out(list_devices())?,
        Command::Calibrate(Calibrate {
            recipe,
            pictures,
            false_reject,
            force,
        }) => {
            let args = CalibrateArgs {
                recipe,
                pictures,
                false_reject,
                force,
            };
            calibrate::calibrate(&args).map_err(|e| Failure::new(e, CalibrateError::exit_code))?;
        }
        Command::Evaluate(Evaluate {
            recipe,
            data,
            json,
            report,
        }) => {
            evaluation::run(&EvaluateArgs {
                recipe,
                data,
                json,
                report,
            })?;
        }
        Command::Synth(Synth {
            out,
            seed,
            size,
            train,
            test_good,
            test_defects,
        }) => {
            synth::synth(&SynthArgs {
                out,
                seed,
                size,
                train,
                test_good,
                test_defects,
            })?;
        }
    }
    Ok(())
}

/// Set by the signals that end a program.
fn stop() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

impl From<Teach> for TeachOptions {
    fn from(args: Teach) -> Self {
        Self {
            data: args.data,
            out: args.out,
            run: None,
            preset: args.preset,
            config: args.config,
            size: args.size,
            steps: args.steps,
            seed: args.seed,
            device: args.device,
            budget: args.budget,
            false_reject: args.false_reject,
            folds: args.folds,
            noise: args.noise,
            smoothing: args.smoothing,
            mask: args.mask,
            leave_out: args.leave_out,
            float_model: !args.no_float_model,
            force: args.force,
            export_now: args.export_now,
        }
    }
}
