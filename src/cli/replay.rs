//! `beltwatch replay`

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::PathBuf;

use beltwatch::keep::record;

use super::{Failure, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The record, as `run --record` wrote it
    record: PathBuf,
    /// Write the replay's own record here: the same bytes
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn replay(args: &Args) -> Result<(), Failure> {
    let path = &args.record;
    let file =
        File::open(path).map_err(|e| Failure::Replay(format!("{}: cannot be read: {e}", path.display())))?;
    let mut copy: Box<dyn Write> = match &args.out {
        None => Box::new(std::io::sink()),
        Some(out) => {
            let file = File::create_new(out).map_err(|source| Failure::Write {
                path: out.clone(),
                source,
            })?;
            Box::new(BufWriter::new(file))
        }
    };
    let found = record::replay(BufReader::new(file), &mut copy)
        .map_err(|e| Failure::Replay(format!("{}: {e}", path.display())))?;
    say::out(format_args!(
        "{}: {} inputs, {} decisions the same: {} verdicts, {} pulses",
        path.display(),
        found.inputs,
        found.decisions,
        found.verdicts,
        found.pulses
    ))?;
    if found.cut_off {
        say::out("the last line is not whole: the program was ended while it wrote")?;
    }
    Ok(())
}
