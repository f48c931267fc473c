//! `beltwatch control`

use std::path::PathBuf;

use beltwatch::line::{self, Request};

use super::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The socket of a running line, as given to `run --control`
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// status, start, single, halt, acknowledge, bypass-on, bypass-off, test-fire, challenge, reject-next,
    /// reset-counters, recipe FOLDER
    #[arg(required = true)]
    command: Vec<String>,
}

pub(crate) fn control(args: &Args) -> Result<(), Failure> {
    let request = args.command.join(" ");
    Request::parse(&request).map_err(Failure::Usage)?;
    Ok(beltwatch::say::out(line::ask(&args.socket, &request).map_err(Failure::System)?)?)
}
