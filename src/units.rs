//! Quantities with their units, as a board file has them: `"60 ms"`, `"350 mm"`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// The longest time that a board file may name.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The longest way that a board file may name, in micrometres: 10 km.
const FURTHEST: i64 = 10_000_000_000;

/// A time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

/// A length along the belt: a time on a belt of one speed, a way on a belt with an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// How long the belt takes.
    Time(Time),
    /// How far it moves, in micrometres.
    Way(i64),
}

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum QuantityError {
    #[error("`{0}` is no {1}: write a number and a unit, as in {2}")]
    Form(String, &'static str, &'static str),
    #[error("`{0}` is out of range: it must be 0 to {1}")]
    Range(String, &'static str),
}

/// The number and the unit's size, if the text has the form.
fn parts<T: Copy>(text: &str, units: &[(&str, T)]) -> Option<(f64, T)> {
    let place = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(place);
    let number: f64 = number.trim().parse().ok()?;
    units
        .iter()
        .find(|(name, _)| *name == unit.trim())
        .map(|&(_, size)| (number, size))
}

impl FromStr for Time {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let units = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("min", 60e9)];
        let form = || QuantityError::Form(text.to_owned(), "time", "\"60 ms\" (ns, us, ms, s, min)");
        let (number, unit) = parts(text, &units).ok_or_else(form)?;
        let ns = number * unit;
        if !(0.0..=LONGEST.as_nanos() as f64).contains(&ns) {
            return Err(QuantityError::Range(text.to_owned(), "24 hours"));
        }
        Ok(Self(Duration::from_nanos(ns.round() as u64)))
    }
}

impl FromStr for Length {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if let Some((number, unit)) = parts(text, &[("um", 1.0), ("mm", 1e3), ("cm", 1e4), ("m", 1e6)]) {
            let um = number * unit;
            if !(0.0..=FURTHEST as f64).contains(&um) {
                return Err(QuantityError::Range(text.to_owned(), "10000 m"));
            }
            return Ok(Self::Way(um.round() as i64));
        }
        match text.parse() {
            Ok(time) => Ok(Self::Time(time)),
            Err(QuantityError::Form(..)) => Err(QuantityError::Form(
                text.to_owned(),
                "length along the belt",
                "\"60 ms\" on a belt of one speed or \"350 mm\" with an encoder",
            )),
            Err(range) => Err(range),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0.as_nanos() as f64 / 1e6)
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => time.fmt(f),
            Self::Way(um) => write!(f, "{} mm", *um as f64 / 1e3),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units() {
        let time = |text: &str| text.parse::<Time>().map(|t| t.0);
        assert_eq!(time("60 ms"), Ok(Duration::from_millis(60)));
        assert_eq!(time("2.5us"), Ok(Duration::from_nanos(2500)));
        assert_eq!(time("1 min"), Ok(Duration::from_secs(60)));
        let length = |text: &str| text.parse::<Length>();
        assert_eq!(length("12.5 mm"), Ok(Length::Way(12_500)));
        assert_eq!(length("1.2 m"), Ok(Length::Way(1_200_000)));
        assert_eq!(length("0 s"), Ok(Length::Time(Time(Duration::ZERO))));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for text in [
            "60",
            "",
            "ms",
            "sixty ms",
            "60 parsec",
            "nan ms",
            "1e400 ms",
            "-1 ms",
            "25 hours",
            "é ms",
            "2 s 3",
        ] {
            let error = text.parse::<Time>().expect_err(text).to_string();
            assert!(
                error.contains(text) && (error.contains("60 ms") || error.contains("0 to")),
                "{error}"
            );
            assert!(text.parse::<Length>().is_err());
        }
        assert!("11 km".parse::<Length>().is_err() && "-3 mm".parse::<Length>().is_err());
        assert!(
            "20000 m"
                .parse::<Length>()
                .is_err_and(|e| e.to_string().contains("10000 m"))
        );
    }
}
