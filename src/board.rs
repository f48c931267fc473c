//! Board files: what is wired where, as data.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::track::Timing;
use crate::verdict::{Cause, Verdict};

/// The version of the board file's format.
pub const FORMAT: i64 = 1;
/// The text of the built-in board.
pub const SIMULATED: &str = include_str!("../board/simulated.toml");

/// Why a board file was refused.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// it cannot be read
    #[error("{path}: cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// it is not as it should be
    #[error("{path}: {message}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where there is one.
        message: String,
    },
}

/// A board file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// [`FORMAT`].
    pub format: i64,
    /// What people call it.
    pub name: String,
    /// The part-present input.
    pub eye: Eye,
    /// Where pictures come from.
    pub camera: Camera,
    /// The reject output.
    pub gate: Gate,
}

/// `[eye]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eye {
    /// The back end.
    pub source: EyeSource,
    /// Mean time between parts in milliseconds.
    pub period_ms: f64,
    /// Largest deviation of a part from its place, in milliseconds.
    pub scatter_ms: f64,
}

/// Back ends of the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EyeSource {
    /// Edges by the clock.
    Simulated,
}

/// `[camera]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// The back end.
    pub source: CameraSource,
    /// From the eye edge to the exposure, in milliseconds.
    pub delay_ms: f64,
    /// How far off a frame may be, in milliseconds.
    pub window_ms: f64,
    /// Rendered parts: where chance comes from.
    #[serde(default)]
    pub seed: u64,
    /// Rendered parts: the share of defective ones, 0 to 1.
    #[serde(default)]
    pub defect_rate: f64,
    /// Folder: where the pictures are.
    pub pictures: Option<PathBuf>,
}

/// Back ends of the camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CameraSource {
    /// Parts drawn from a seed.
    Rendered,
    /// Pictures of a folder.
    Folder,
}

/// `[gate]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The back end.
    pub output: GateOutput,
    /// From the eye edge to the start of the pulse, in milliseconds.
    pub delay_ms: f64,
    /// Length of the pulse in milliseconds.
    pub pulse_ms: f64,
    /// Milliseconds before the pulse at which the verdict must be there.
    pub guard_ms: f64,
    /// What a part without a verdict gets.
    pub on_no_verdict: OnNoVerdict,
}

/// Back ends of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GateOutput {
    /// Remembers its pulses.
    Simulated,
}

/// What a part without a verdict gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnNoVerdict {
    /// It leaves: the safe way.
    Reject,
    /// It goes on.
    Pass,
}

impl Board {
    /// The built-in simulated belt.
    pub fn simulated() -> Self {
        Self::parse(SIMULATED, Path::new("built-in board")).expect("a test parses the built-in board")
    }

    /// Reads a board file.
    pub fn load(path: &Path) -> Result<Self, BoardError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| BoardError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a board file; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, BoardError> {
        let bad = |message: String| BoardError::Content { path: path.to_owned(), message };
        let board: Self = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        if board.format != FORMAT {
            return Err(bad(format!("format = {}, but this version reads format {FORMAT}", board.format)));
        }
        board.check().map_err(bad)?;
        Ok(board)
    }

    /// Ranges, and what must hold between keys. Called again after command-line options changed a value.
    pub fn check(&self) -> Result<(), String> {
        let Self { eye, camera, gate, .. } = self;
        let milliseconds = [
            ("eye.period_ms", eye.period_ms, 1.0, 600_000.0),
            ("eye.scatter_ms", eye.scatter_ms, 0.0, eye.period_ms / 2.0),
            ("camera.delay_ms", camera.delay_ms, 0.0, 600_000.0),
            ("camera.window_ms", camera.window_ms, 0.1, 10_000.0),
            ("gate.pulse_ms", gate.pulse_ms, 0.1, 60_000.0),
            ("gate.guard_ms", gate.guard_ms, 0.0, 10_000.0),
            ("gate.delay_ms", gate.delay_ms, camera.delay_ms + camera.window_ms + gate.guard_ms, 600_000.0),
            ("camera.defect_rate", camera.defect_rate, 0.0, 1.0),
        ];
        for (key, value, low, high) in milliseconds {
            if !(low..=high).contains(&value) {
                return Err(format!("{key} = {value} is not allowed: it must be from {low} to {high}"));
            }
        }
        if camera.source == CameraSource::Folder && camera.pictures.is_none() {
            return Err("camera.source = \"folder\" needs the key camera.pictures".to_owned());
        }
        Ok(())
    }

    /// The times that the tracking queue works with.
    pub fn timing(&self) -> Timing {
        Timing {
            camera_delay: milliseconds(self.camera.delay_ms),
            camera_window: milliseconds(self.camera.window_ms),
            gate_delay: milliseconds(self.gate.delay_ms),
            guard: milliseconds(self.gate.guard_ms),
            on_no_verdict: match self.gate.on_no_verdict {
                OnNoVerdict::Reject => Verdict::Reject(Cause::NoVerdict),
                OnNoVerdict::Pass => Verdict::Pass,
            },
        }
    }

    /// Length of a reject pulse.
    pub fn pulse(&self) -> Duration {
        milliseconds(self.gate.pulse_ms)
    }
}

/// A checked number of milliseconds as a duration.
pub(crate) fn milliseconds(ms: f64) -> Duration {
    Duration::from_nanos((ms * 1e6) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(change: (&str, &str)) -> String {
        let text = SIMULATED.replace(change.0, change.1);
        assert_ne!(text, SIMULATED, "{change:?} changes nothing");
        Board::parse(&text, Path::new("b.toml")).expect_err("a mistake").to_string()
    }

    #[test]
    fn the_built_in_board_is_valid() {
        let timing = Board::simulated().timing();
        assert_eq!(timing.gate_delay, Duration::from_millis(400));
        assert_eq!(timing.on_no_verdict, Verdict::Reject(Cause::NoVerdict));
    }

    #[test]
    fn mistakes_name_file_line_and_key() {
        let unknown = error(("pulse_ms", "puls_ms"));
        assert!(unknown.contains("b.toml") && unknown.contains("puls_ms") && unknown.contains("line 22"), "{unknown}");
        assert!(error(("format = 1", "format = 7")).contains("format = 7"));
        assert!(error(("period_ms = 200.0", "period_ms = nan")).contains("eye.period_ms = NaN"));
        assert!(error(("delay_ms = 400.0", "delay_ms = 70.0")).contains("gate.delay_ms = 70"));
        assert!(error(("\"rendered\"", "\"folder\"")).contains("camera.pictures"));
        assert!(error(("\"reject\"", "\"maybe\"")).contains("maybe"));
    }
}
