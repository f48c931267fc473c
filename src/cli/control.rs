//! `beltwatch control`

use std::path::PathBuf;

use beltwatch::line::{self, Request};

use super::{Failure, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The socket of a running line, as given to `run --control`
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// status, start, single, halt, acknowledge, bypass-on, bypass-off, test-fire, challenge, reject-next,
    /// reset-counters, recipe FOLDER (until the line ends; a start takes the one that it is started with),
    /// threshold SCORE or threshold taught (kept with the counters, for this recipe)
    #[arg(required = true)]
    command: Vec<String>,
}

pub(crate) fn control(args: &Args) -> Result<(), Failure> {
    let mut request = args.command.join(" ");
    if let Request::Recipe(folder) = Request::parse(&request).map_err(Failure::Usage)? {
        // the line has another working folder
        let folder = folder
            .canonicalize()
            .map_err(|e| Failure::Usage(format!("{}: {e}", folder.display())))?;
        request = format!("recipe {}", folder.display());
    }
    Ok(say::out(
        line::ask(&args.socket, &request).map_err(Failure::System)?,
    )?)
}
