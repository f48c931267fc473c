//! Board files: what is wired where, how long the belt is, how the line behaves; as data.

mod camera;
mod display;
mod gpio;
mod inputs;
pub(crate) mod outputs;
mod scenario;
mod sections;
mod settings;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use camera::{CameraSettings, ControlSettings, Match, Pixel, Wish};
pub use display::{DisplayBackEnd, DisplayConfig, DrmConfig, Rotation, SpiConfig, SpiModel, SpiPin};
pub use gpio::{ChipId, LineId, NumberWithoutChip};
pub use inputs::{Bias, EncoderWiring, InputBackEnd, InputWiring, InputsConfig};
pub use outputs::{OutputBackEnd, OutputWiring, OutputsConfig};
pub use sections::*;

/// The version of the board file's format.
pub const FORMAT: i64 = 1;
/// The text of the built-in board.
pub const SIMULATED: &str = include_str!("../../board/simulated.toml");

/// Why a board file was refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum BoardError {
    #[error("{path}: cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {message}")]
    Content {
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
    /// The belt and the parts on it.
    pub belt: BeltConfig,
    /// The part-present input.
    pub eye: EyeConfig,
    /// Where pictures come from.
    pub camera: CameraConfig,
    /// How frames are judged.
    #[serde(default)]
    pub inspection: InspectionConfig,
    /// The reject output.
    pub gate: GateConfig,
    /// The input behind the gate, if there is one.
    pub confirm: Option<ConfirmConfig>,
    /// When rejects become an alarm.
    #[serde(default)]
    pub alarms: AlarmsConfig,
    /// What is wired to which input.
    #[serde(default)]
    pub inputs: InputsConfig,
    /// What is wired to which output.
    #[serde(default)]
    pub outputs: OutputsConfig,
    /// The operator's screen, if there is one.
    pub display: Option<DisplayConfig>,
    /// Time limits of the program's own stages.
    #[serde(default)]
    pub watchdog: WatchdogConfig,
    /// The simulated belt, where the eye is simulated.
    pub simulated: Option<SimulatedConfig>,
}

impl Board {
    /// The built-in simulated belt.
    pub fn simulated() -> Self {
        Self::parse(SIMULATED, Path::new("board/simulated.toml"))
            .expect("the built-in board is checked by a test")
    }

    /// Reads a board file.
    ///
    /// # Errors
    /// It cannot be read, or it is not as it should be.
    pub fn load(path: &Path) -> Result<Self, BoardError> {
        let text = std::fs::read_to_string(path).map_err(|source| BoardError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Parses the text of a board file; `path` is for messages.
    ///
    /// # Errors
    /// It is not as it should be.
    pub fn parse(text: &str, path: &Path) -> Result<Self, BoardError> {
        let bad = |message: String| BoardError::Content {
            path: path.to_owned(),
            message,
        };
        let board: Self = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        if board.format != FORMAT {
            return Err(bad(format!(
                "format = {}, but this version reads format {FORMAT}",
                board.format
            )));
        }
        board.settings().map_err(bad)?;
        board
            .display
            .as_ref()
            .map_or(Ok(()), DisplayConfig::check)
            .map_err(bad)?;
        Ok(board)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use beltwatch_core::{Scale, Stretch, Unjudged};

    use super::*;

    fn board(change: (&str, &str)) -> Result<Board, String> {
        let text = SIMULATED.replacen(change.0, change.1, 1);
        assert_ne!(text, SIMULATED, "{change:?} changes nothing");
        Board::parse(&text, Path::new("b.toml")).map_err(|e| e.to_string())
    }

    fn error(change: (&str, &str)) -> String {
        board(change).expect_err(change.1)
    }

    #[test]
    fn the_built_in_board_is_valid() {
        let settings = Board::simulated().settings().expect("settings that work");
        assert_eq!(
            (settings.scale, settings.gate),
            (Scale::Time, Stretch(400_000_000))
        );
        assert_eq!(settings.on_no_verdict, Unjudged::Reject);
    }

    #[test]
    fn with_an_encoder_lengths_are_ways() {
        let encoder = "[belt]\nencoder = { mm_per_pulse = 0.5, max_mm_per_s = 2000 }";
        let text = SIMULATED.replacen("[belt]", encoder, 1);
        let ways = ["min_spacing", "lockout", "distance", "window", "guard"]
            .iter()
            .fold(text, |text, key| {
                let line = |l: &str| {
                    if l.starts_with(key) {
                        l.replacen(" ms\"", " mm\"", 1)
                    } else {
                        l.to_owned()
                    }
                };
                text.lines().map(line).collect::<Vec<_>>().join("\n")
            });
        let settings = Board::parse(&ways, Path::new("b.toml"))
            .expect("a board")
            .settings()
            .expect("settings");
        assert_eq!(
            (settings.scale, settings.gate, settings.camera),
            (Scale::Encoder, Stretch(800), Stretch(120))
        );
        assert_eq!(settings.encoder.min_interval, Duration::from_micros(250));
        assert!(error(("[belt]", encoder)).contains("camera.distance = \"60 ms\" is a time"));
    }

    #[test]
    fn mistakes_name_file_line_and_key() {
        let unknown = error(("\npulse =", "\npuls ="));
        let line = SIMULATED
            .lines()
            .position(|l| l.starts_with("pulse ="))
            .expect("a key")
            + 1;
        assert!(
            unknown.contains("b.toml") && unknown.contains("puls"),
            "{unknown}"
        );
        assert!(unknown.contains(&format!("line {line}")), "{unknown}");
        assert!(error(("format = 1", "format = 7")).contains("format = 7"));
        let unit = error(("pulse = \"60 ms\"", "pulse = \"60\""));
        assert!(
            unit.contains(&format!("line {line}")) && unit.contains("a number and a unit"),
            "{unit}"
        );
        assert!(error(("period = \"200 ms\"", "period = \"0 ms\"")).contains("simulated.period"));
        assert!(error(("distance = \"400 ms\"", "distance = \"70 ms\"")).contains("behind the camera"));
        assert!(error(("distance = \"400 ms\"", "distance = \"400 mm\"")).contains("[belt.encoder]"));
        assert!(error(("\"rendered\"", "\"folder\"")).contains("camera.pictures"));
        assert!(error(("\"reject\"", "\"maybe\"")).contains("maybe"));
        assert!(error(("source = \"simulated\"", "source = \"simulated\"\nevery = 3")).contains("eye.every"));
        assert!(error(("[simulated]", "[simulate]")).contains("simulate"));
        let cores = error(("cores = 1", "cores = 3"));
        assert!(cores.contains("3 cores") && cores.contains("line "), "{cores}");
    }

    #[test]
    fn a_display_is_checked_with_the_rest() {
        let section = |keys: &str| error(("[watchdog]", &format!("[display]\n{keys}\n\n[watchdog]")));
        assert!(section("back_end.png = \"s.png\"").contains("display.size is missing"));
        let unknown = section("back_end.drm = {}\ncolour = 1");
        assert!(
            unknown.contains("colour") && unknown.contains("line "),
            "{unknown}"
        );
    }
}
