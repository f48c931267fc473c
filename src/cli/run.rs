//! `beltwatch run`

use std::path::{Path, PathBuf};
use std::time::Duration;

use beltwatch::board::{Board, BoardError, CameraSource};
use beltwatch::devices::outputs;
use beltwatch::line::{self, LineError, Options};
use beltwatch::units::{Length, Time};
use beltwatch_belt::Scenario;
use beltwatch_vision::recipe::Recipe;

use super::{Failure, say, stop_on_signals};

/// Parts of a demo: about 12 seconds.
const DEMO_PARTS: u64 = 60;
const DEMO_SHEET: &str = "rejects.png";
const NO_BELT: &str = "--speed is for the simulated belt, and the board has none";

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// The recipe's folder [default: the shipped recipe of the rendered parts]
    #[arg(long)]
    recipe: Option<PathBuf>,
    /// The board file [default: the built-in simulated belt]
    #[arg(long)]
    board: Option<PathBuf>,
    /// Play this scenario's belt, with all its faults and the line settings that it was written for, in place
    /// of the board's belt
    #[arg(long, value_name = "FILE", conflicts_with_all = ["parts", "speed"])]
    scenario: Option<PathBuf>,
    /// Play the pictures of this folder (sub-folder `good`: good parts, others: defects) in place of the
    /// board's camera
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Parts after which the belt ends [default: all pictures of a folder; 60 without a board file]
    #[arg(long)]
    parts: Option<u64>,
    /// Parts a second
    #[arg(long, value_name = "PARTS_PER_SECOND")]
    speed: Option<f64>,
    /// Which rendered parts
    #[arg(long)]
    seed: Option<u64>,
    /// Write the end table and every part's record here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the contact sheet of the rejects goes
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
    /// Only the end table
    #[arg(long)]
    quiet: bool,
    /// Keep counters and latencies in this folder over restarts, and the log of operators' actions
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Listen for `beltwatch control` on this socket
    #[arg(long, value_name = "SOCKET")]
    control: Option<PathBuf>,
    /// Write everything that comes in and is decided here, for `beltwatch replay`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let board = board(args)?;
    // whoever had them may have left them as they were, and a recipe takes a moment to load
    drop(outputs::open(&board.outputs).map_err(LineError::from)?);
    let recipe = Recipe::load(&super::recipe_or_shipped(args.recipe.clone())?)?;
    let is_demo = args.board.is_none() && board.camera.source == CameraSource::Rendered;
    let parts = args.parts.or(is_demo.then_some(DEMO_PARTS));
    if let Some(path) = &args.json {
        // better now than after a long run
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        file.map_err(|source| Failure::Write {
            path: path.clone(),
            source,
        })?;
    }
    beltwatch::guard::abort_on_panic();
    let stop = stop_on_signals()?;
    let options = Options {
        parts,
        scenario: args.scenario.as_deref().map(scenario).transpose()?,
        quiet: args.quiet,
        part_list: args.json.is_some(),
        state: args.state.clone(),
        control: args.control.clone(),
        record: args.record.clone(),
    };
    let (report, parts) = line::run(&recipe, &board, &options, &stop)?;
    // each result is worth having where another one cannot be written
    let said = say::out(&report);
    let json = args.json.as_deref().map_or(Ok(()), |path| {
        let text = serde_json::to_string_pretty(&report).map_err(std::io::Error::from)?;
        std::fs::write(path, text).map_err(|source| Failure::Write {
            path: path.to_owned(),
            source,
        })
    });
    let sheet = args.sheet.clone().unwrap_or_else(|| DEMO_SHEET.into());
    if let Some(picture) = line::contact_sheet(&parts) {
        picture.save_png(&sheet)?;
        said.and_then(|()| {
            say::out(format_args!(
                "the last rejects, the highest score first, each with its heat map: {}",
                sheet.display()
            ))
        })?;
    } else {
        said?;
        // that of an earlier run would be taken for this one's
        let _ = std::fs::remove_file(&sheet);
    }
    json
}

fn scenario(path: &Path) -> Result<Scenario, Failure> {
    let read = |source| BoardError::Read {
        path: path.to_owned(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(read)?;
    let scenario = Scenario::parse(&text, path)?;
    if scenario.held.is_empty() {
        return Ok(scenario);
    }
    let message = "held = [...] stops the program's time, which only `cargo test -p beltwatch-belt` can";
    Err(BoardError::Content {
        path: path.to_owned(),
        message: message.to_owned(),
    }
    .into())
}

/// The board file, with what the command line says in its place.
fn board(args: &Args) -> Result<Board, Failure> {
    let mut board = args
        .board
        .as_deref()
        .map_or_else(|| Ok(Board::simulated()), Board::load)?;
    if let Some(speed) = args.speed {
        let simulated = board
            .simulated
            .as_mut()
            .ok_or_else(|| Failure::Usage(NO_BELT.to_owned()))?;
        if !(0.001..=1000.0).contains(&speed) {
            return Err(Failure::Usage(format!(
                "--speed {speed}: it must be from 0.001 to 1000 parts a second"
            )));
        }
        let period = Duration::from_secs_f64(1.0 / speed);
        simulated.scatter.0 = simulated
            .scatter
            .0
            .mul_f64(period.div_duration_f64(simulated.period.0));
        simulated.period.0 = period;
        let spacing = match board.belt.min_spacing {
            Length::Time(Time(time)) => Some(time),
            Length::Way(micrometres) => simulated
                .mm_per_s
                .map(|speed| Duration::from_secs_f64(micrometres.max(0) as f64 / 1000.0 / speed)),
        };
        if let Some(spacing) = spacing.filter(|&spacing| period < spacing) {
            say::error(format_args!(
                "at {speed} parts a second they come every {period:.0?}, closer than belt.min_spacing \
                 ({spacing:.0?}): parts so close are rejected for their spacing"
            ));
        }
    }
    if let Some(pictures) = &args.pictures {
        board.camera.source = CameraSource::Folder;
        board.camera.pictures = Some(pictures.clone());
    }
    board.camera.seed = args.seed.unwrap_or(board.camera.seed);
    board.settings().map_err(Failure::BoardOption)?;
    Ok(board)
}
