//! Lines of GPIO character devices, found by name and never by a chip's number, which changes from kernel to
//! kernel. They are requested in `inputs/gpio.rs` and `outputs/gpio.rs`.

use std::path::PathBuf;

use gpiocdev::chip::{Chip, chips};

use crate::board::{ChipId, LineId, NumberWithoutChip};

/// Why there is no such line.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum GpioError {
    #[error("no GPIO chip can be opened (/dev/gpiochip*): {0}. Is the user in the group `gpio`?")]
    NoChips(String),
    #[error("no GPIO chip is called \"{wanted}\"; there are {found}")]
    NoChip { wanted: String, found: String },
    #[error(transparent)]
    NumberWithoutChip(#[from] NumberWithoutChip),
    #[error("no line {line} on {chip}")]
    NoLine { line: LineId, chip: String },
    #[error("{what}: {source}")]
    System {
        /// What was tried, on which line.
        what: String,
        source: std::io::Error,
    },
}

/// What the kernel said.
pub(crate) fn system(error: &gpiocdev_uapi::Error) -> std::io::Error {
    match error {
        gpiocdev_uapi::Error::Os(errno) => std::io::Error::from_raw_os_error(errno.0),
        other => std::io::Error::other(other.to_string()),
    }
}

/// A line that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its chip.
    pub path: PathBuf,
    /// Its number there.
    pub offset: u32,
}

/// Finds a line.
///
/// # Errors
/// No chip, or none with such a line.
pub fn find(chip: &ChipId, line: &LineId) -> Result<Place, GpioError> {
    chip.check(line)?;
    let paths = chips().map_err(|e| GpioError::NoChips(e.to_string()))?;
    let opened: Vec<_> = paths.iter().map(Chip::from_path).collect();
    let mut refused = opened
        .iter()
        .filter_map(|c| c.as_ref().err().map(ToString::to_string));
    let all: Vec<_> = opened
        .iter()
        .flatten()
        .filter_map(|c| Some((c, c.info().ok()?)))
        .collect();
    if all.is_empty() {
        return Err(GpioError::NoChips(
            refused.next().unwrap_or_else(|| "there is none".to_owned()),
        ));
    }
    let is_wanted = |c: &Chip, label: &str| {
        chip.chip.as_ref().is_none_or(|wanted| {
            wanted == label
                || wanted.starts_with('/') && std::fs::canonicalize(wanted).is_ok_and(|p| p == c.path())
        })
    };
    let fitting: Vec<_> = all.iter().filter(|(c, info)| is_wanted(c, &info.label)).collect();
    let names = |some: &[&(&Chip, gpiocdev::chip::Info)]| {
        some.iter()
            .map(|(_, info)| format!("\"{}\"", info.label))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if let (Some(wanted), true) = (&chip.chip, fitting.is_empty()) {
        return Err(GpioError::NoChip {
            wanted: wanted.clone(),
            found: names(&all.iter().collect::<Vec<_>>()),
        });
    }
    let offset = |c: &Chip, lines: u32| match line {
        LineId::Number(number) => Some(*number).filter(|&n| n < lines),
        LineId::Name(name) => c.find_line_info(name).map(|info| info.offset),
    };
    let found = fitting
        .iter()
        .find_map(|(c, info)| Some((c.path().to_owned(), offset(c, info.num_lines)?)));
    found
        .map(|(path, offset)| Place { path, offset })
        .ok_or_else(|| GpioError::NoLine {
            line: line.clone(),
            chip: names(&fitting),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_nothing_without_its_chip() {
        let error = find(&ChipId::default(), &LineId::Number(17))
            .expect_err("no chip")
            .to_string();
        assert!(error.contains("line 17") && error.contains("chip ="), "{error}");
    }

    #[test]
    fn what_is_not_there_is_said() {
        let chip = ChipId {
            chip: Some("no such chip".to_owned()),
        };
        let error = find(&chip, &LineId::Name("PQ.05".to_owned()))
            .expect_err("nothing")
            .to_string();
        assert!(
            error.contains("no such chip") || error.contains("/dev/gpiochip"),
            "{error}"
        );
    }
}
