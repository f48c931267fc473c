//! `beltwatch check` and `beltwatch safe`

use std::path::PathBuf;

use beltwatch::board::Board;
use beltwatch::check::{Grade, check as look};
use beltwatch::devices::outputs;

use super::{Failure, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The board file [default: the built-in simulated belt]
    #[arg(long)]
    board: Option<PathBuf>,
    /// The recipe's folder
    #[arg(long)]
    recipe: Option<PathBuf>,
    /// The folder for counters
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct SafeArgs {
    /// The board file
    #[arg(long)]
    board: PathBuf,
}

pub(crate) fn check(args: &Args) -> Result<(), Failure> {
    let board = args
        .board
        .as_deref()
        .map_or_else(|| Ok(Board::simulated()), Board::load)?;
    let mut bad = 0;
    let worst = look(
        &board,
        args.recipe.as_deref(),
        args.state.as_deref(),
        &mut |finding| {
            bad += usize::from(finding.grade == Grade::Bad);
            say::out(finding)
        },
    )?;
    if worst == Grade::Bad {
        return Err(Failure::NotReady(bad));
    }
    Ok(say::out("ready")?)
}

/// For a service manager, after the daemon and its guard have ended however they did.
pub(crate) fn safe(args: &SafeArgs) -> Result<(), Failure> {
    let board = Board::load(&args.board)?;
    outputs::drive_safe(&board.outputs).map_err(|e| Failure::System(e.to_string()))
}
