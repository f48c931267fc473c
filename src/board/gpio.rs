//! GPIO lines as a board file names them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A line: its number on its chip, or its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LineId {
    /// On the chip that the back end names.
    Number(u32),
    /// As the kernel knows it: `GPIO17`, `PQ.05`. `gpioinfo` lists them.
    Name(String),
}

impl LineId {
    /// Its number, where it has no name.
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(_) => None,
        }
    }
}

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "\"{name}\""),
        }
    }
}

/// Which chip.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChipId {
    /// Its label (`pinctrl-rp1`), or its path where udev gives it a fixed one. Left out: whichever has a line
    /// of the name.
    pub chip: Option<String>,
}

impl ChipId {
    /// Says whether a line can be looked for.
    ///
    /// # Errors
    /// A number means nothing without its chip.
    pub fn check(&self, line: &LineId) -> Result<(), NumberWithoutChip> {
        match line.number() {
            Some(number) if self.chip.is_none() => Err(NumberWithoutChip(number)),
            _ => Ok(()),
        }
    }
}

/// A number means nothing without its chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {0} is a number: name its chip as well, as in back_end = {{ gpio = {{ chip = \"pinctrl-rp1\" }} }}"
)]
pub struct NumberWithoutChip(pub u32);
