//! `beltwatch run`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use beltwatch::board::{Board, CameraSource};
use beltwatch::line::{self, Options};
use beltwatch::recipe::Recipe;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::Failure;

/// Parts of a demo: about 12 seconds.
const DEMO_PARTS: u64 = 60;
/// The recipe of the rendered parts, as the repository and the package have it.
const DEMO_RECIPES: [&str; 2] = ["models/demo", "/usr/share/beltwatch/models/demo"];
const DEMO_SHEET: &str = "rejects.png";

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// The recipe's folder [default: the shipped recipe of the rendered parts]
    #[arg(long)]
    recipe: Option<PathBuf>,
    /// The board file [default: the built-in simulated belt]
    #[arg(long)]
    board: Option<PathBuf>,
    /// Play the pictures of this folder (sub-folder `good`: good parts, others: defects) in place of the board's camera
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Parts after which the belt ends [default: 60, or all pictures of a folder]
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
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let board = board(args)?;
    let recipe = Recipe::load(&args.recipe.clone().unwrap_or_else(demo_recipe))?;
    let rendered = board.camera.source == CameraSource::Rendered;
    let parts = args.parts.or(rendered.then_some(DEMO_PARTS));
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(|e| Failure::System(format!("signal: {e}")))?;
    }
    let (report, recorder) = line::run(&recipe, &board, &Options { parts, quiet: args.quiet }, &stop)?;
    println!("{report}");
    let sheet = args.sheet.clone().unwrap_or_else(|| DEMO_SHEET.into());
    if let Some(picture) = line::contact_sheet(&recorder) {
        picture.save_png(&sheet)?;
        println!("the rejects, each with its heat map: {}", sheet.display());
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&report).map_err(std::io::Error::from)?;
        std::fs::write(path, text).map_err(|source| Failure::Write { path: path.clone(), source })?;
    }
    Ok(())
}

/// The board file, with what the command line says in its place.
fn board(args: &Args) -> Result<Board, Failure> {
    let mut board = args.board.as_deref().map_or_else(|| Ok(Board::simulated()), Board::load)?;
    if let Some(speed) = args.speed {
        let scatter = board.eye.scatter_ms / board.eye.period_ms;
        board.eye.period_ms = 1000.0 / speed;
        board.eye.scatter_ms = scatter * board.eye.period_ms;
    }
    if let Some(pictures) = &args.pictures {
        board.camera.source = CameraSource::Folder;
        board.camera.pictures = Some(pictures.clone());
    }
    board.camera.seed = args.seed.unwrap_or(board.camera.seed);
    board.check().map_err(Failure::BoardOption)?;
    Ok(board)
}

fn demo_recipe() -> PathBuf {
    let found = DEMO_RECIPES.iter().map(Path::new).find(|p| p.exists());
    found.unwrap_or(Path::new(DEMO_RECIPES[0])).to_owned()
}
