//! The command line.

mod bench;
mod capture;
mod check;
mod control;
mod inspect;
mod replay;
mod run;
mod say;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use beltwatch::board::BoardError;
use beltwatch::devices::capture::CaptureError;
use beltwatch::line::LineError;
use beltwatch_belt::ScenarioError;
use beltwatch_vision::picture::PictureError;
use beltwatch_vision::recipe::RecipeError;
use beltwatch_vision::reconstruct::Kernel;
use clap::{Parser, Subcommand};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Inspects parts on a conveyor and rejects the bad ones.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str = "Without a command: run, on the built-in simulated belt.

Exit codes: 0 done; 1 the system refused something (thread, standard output); 2 wrong usage;
3 the recipe was refused; 4 the board file or the scenario was refused; 5 a picture could not be read
or judged; 6 a result could not be written; 7 a replay differs from its record, or is no record;
8 check found something BAD";

#[derive(Subcommand)]
enum Command {
    /// Judge pictures: a line a picture
    Inspect(inspect::Args),
    /// Run the line: eye, camera, network, gate (default)
    Run(run::Args),
    /// Take pictures with the board's camera, to teach with
    Capture(capture::Args),
    /// Measure each stage of a frame
    Bench(bench::Args),
    /// Test what can be tested on this machine: rights, clock, devices, recipe; the line must not be running
    Check(check::Args),
    /// Drive every output to its safe level and end
    Safe(check::SafeArgs),
    /// Ask a running line for something
    Control(control::Args),
    /// Decide once more what a record has, and compare
    Replay(replay::Args),
    #[command(hide = true)]
    Guard,
}

/// The recipe of the rendered parts, as the repository and the package have it.
const SHIPPED_RECIPES: [&str; 2] = ["models/demo", "/usr/share/beltwatch/models/demo"];

/// The recipe that was given, else the shipped one.
fn recipe_or_shipped(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let shipped = || {
        SHIPPED_RECIPES
            .into_iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
    };
    given.or_else(shipped).ok_or_else(|| {
        Failure::Usage(format!(
            "the shipped recipe is in none of {}: give --recipe FOLDER",
            SHIPPED_RECIPES.join(", ")
        ))
    })
}

/// Everything that ends the program early; the variant decides the exit code.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Board(#[from] BoardError),
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error("{0}")]
    BoardOption(String),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Replay(String),
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("{failed} of {all} pictures could not be read or judged; the reasons stand above")]
    NotAllJudged { failed: usize, all: usize },
    #[error("{path}: cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("standard output: {0}")]
    Output(#[from] std::io::Error),
    #[error("not ready: {0} findings above are BAD")]
    NotReady(usize),
    #[error("{0}")]
    System(String),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::System(_) | Self::Output(_) => 1,
            Self::BoardOption(_) | Self::Usage(_) => 2,
            Self::Recipe(_) => 3,
            Self::Board(_) | Self::Scenario(_) => 4,
            Self::Capture(_) | Self::NotAllJudged { .. } => 5,
            Self::Picture(PictureError::Write { .. }) | Self::Write { .. } => 6,
            Self::Picture(_) => 5,
            Self::Replay(_) => 7,
            Self::NotReady(_) => 8,
        }
    }
}

impl From<LineError> for Failure {
    fn from(error: LineError) -> Self {
        match error {
            LineError::Recipe(e) => Self::Recipe(e),
            LineError::Capture(e) => Self::Capture(e),
            LineError::Board(why) => Self::BoardOption(why),
            LineError::File { path, source } => Self::Write { path, source },
            LineError::Thread(_)
            | LineError::Inputs(_)
            | LineError::Outputs(_)
            | LineError::Guard(_)
            | LineError::Store(_) => Self::System(error.to_string()),
        }
    }
}

/// What is set once somebody wants the program to end.
fn stop_on_signals() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|e| Failure::System(format!("signal: {e}")))?;
    }
    Ok(stop)
}

fn kernel(name: &str) -> Result<Kernel, String> {
    match Kernel::named(name)? {
        kernel if kernel.is_supported() => Ok(kernel),
        _ => Err("this processor does not have its instructions".to_owned()),
    }
}

pub(crate) fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Some(Command::Guard) => return beltwatch::guard::serve(),
        Some(Command::Inspect(args)) => inspect::inspect(&args),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Capture(args)) => capture::capture(&args),
        Some(Command::Bench(args)) => bench::bench(&args),
        Some(Command::Check(args)) => check::check(&args),
        Some(Command::Safe(args)) => check::safe(&args),
        Some(Command::Control(args)) => control::control(&args),
        Some(Command::Replay(args)) => replay::replay(&args),
        None => run::run(&run::Args::default()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // the reader of a pipe went away: it has seen what it wanted
        Err(Failure::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            say::error(format_args!("beltwatch: {failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}
