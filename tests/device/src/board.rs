//! What the rig has to know of a board file, and changes to it for checks that need other times.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

/// A board file.
#[derive(Clone)]
pub(crate) struct Board(Table);

impl Board {
    /// Reads one.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
        Ok(Self(text.parse().with_context(|| format!("{}", path.display()))?))
    }

    /// A time, as in `time("gate.pulse")`.
    pub(crate) fn time(&self, key: &str) -> Result<Duration> {
        let text = self.value(key).and_then(Value::as_str);
        let text = text.with_context(|| format!("the board has no {key}, which the rig needs as a time"))?;
        time(text).with_context(|| format!("the board's {key}"))
    }

    /// Whether the board's camera is one with these numbers; a key that is not there fits.
    pub(crate) fn fits(&self, camera: &[(&str, u32)]) -> Result<()> {
        for (key, value) in camera {
            let has = self.value(&format!("camera.{key}"));
            let has = has.and_then(|has| {
                has.as_float()
                    .or_else(|| has.as_integer().map(|number| number as f64))
            });
            if let Some(has) = has.filter(|&has| has != f64::from(*value)) {
                bail!(
                    "camera.{key} is {has}, but the rig's camera has {value}; its size is that of the \
                     pictures"
                );
            }
        }
        Ok(())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Puts a value in the place of another, or where none was.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) -> Result<()> {
        let (path, last) = key.rsplit_once('.').unwrap_or(("", key));
        let mut table = &mut self.0;
        for part in path.split('.').filter(|p| !p.is_empty()) {
            let inner = table.entry(part).or_insert_with(|| Table::new().into());
            table = inner
                .as_table_mut()
                .with_context(|| format!("the board's {part} is no table"))?;
        }
        table.insert(last.to_owned(), value.into());
        Ok(())
    }

    /// Lets a stage of the program fail at a part.
    pub(crate) fn fail(&mut self, stage: &str, kind: &str, part: i64) -> Result<()> {
        let text = match kind {
            "hang" => format!("stage = \"{stage}\"\npart = {part}\nkind = {{ hang = \"60 s\" }}"),
            _ => format!("stage = \"{stage}\"\npart = {part}\nkind = \"{kind}\""),
        };
        self.set("simulated.period", "1 s")?;
        self.set("simulated.scatter", "0 ms")?;
        self.set("simulated.fault", vec![Value::Table(text.parse()?)])
    }

    /// The file's text.
    pub(crate) fn text(&self) -> Result<String> {
        Ok(toml::to_string(&self.0)?)
    }

    fn value(&self, key: &str) -> Option<&Value> {
        let (path, last) = key.rsplit_once('.').unwrap_or(("", key));
        let parts = path.split('.').filter(|p| !p.is_empty());
        let table = parts
            .into_iter()
            .try_fold(&self.0, |table, part| table.get(part)?.as_table())?;
        table.get(last)
    }
}

fn time(text: &str) -> Result<Duration> {
    let (number, unit) = text
        .split_once(' ')
        .with_context(|| format!("\"{text}\" is no number and unit"))?;
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => bail!("\"{text}\" is no time in us, ms or s"),
    };
    Ok(Duration::try_from_secs_f64(number.parse::<f64>()? * seconds)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_changed() {
        let mut board = Board(
            "[gate]\npulse = \"60 ms\"\ndistance = \"1.5 s\"\nway = \"3 mm\""
                .parse()
                .unwrap(),
        );
        assert_eq!(board.time("gate.pulse").unwrap(), Duration::from_millis(60));
        assert_eq!(board.time("gate.distance").unwrap(), Duration::from_millis(1500));
        assert!(board.time("gate.way").is_err() && board.time("gate.delay").is_err());
        assert!(board.has("gate.way") && !board.has("camera.fps") && board.fits(&[("fps", 10)]).is_ok());
        board.set("camera.fps", 10).unwrap();
        assert!(board.fits(&[("fps", 10), ("width", 256)]).is_ok());
        assert!(
            board
                .fits(&[("fps", 30)])
                .unwrap_err()
                .to_string()
                .contains("camera.fps is 10")
        );
        board.set("gate.pulse", "3 s").unwrap();
        board.set("outputs.gate.line", 6).unwrap();
        let again = Board(board.text().unwrap().parse().unwrap());
        assert_eq!(again.time("gate.pulse").unwrap(), Duration::from_secs(3));
        assert_eq!(
            again.value("outputs.gate.line").and_then(Value::as_integer),
            Some(6)
        );
    }
}
