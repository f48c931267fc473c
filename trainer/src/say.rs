//! Lines for people, which never end the program: a terminal may be closed, a pipe's reader gone,
//! a disk full.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line to standard output.
///
/// # Errors
/// What the system says; a reader that went away is [`io::ErrorKind::BrokenPipe`].
pub fn out(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// Writes a line to standard error, if anybody listens there.
pub fn error(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
