//! Board files: what is wired where, how long the belt is, how the line behaves; as data.

mod camera;
mod quantity;
mod scenario;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use beltwatch_core::{
    AlarmSettings, ConfirmSettings, EncoderSettings, EyeSettings, GateSettings, Scale, Settings, Stretch, Unjudged,
};
use serde::Deserialize;

use crate::capture::v4l2::{ControlSettings, Match, Pixel};
use crate::display::DisplayConfig;
use crate::inputs::{InputBackEnd, InputsConfig};
use crate::line::Stage;
use crate::outputs::OutputsConfig;

pub use quantity::{Length, QuantityError, Time};

/// The version of the board file's format.
pub const FORMAT: i64 = 1;
/// The text of the built-in board.
pub const SIMULATED: &str = include_str!("../../board/simulated.toml");

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
    /// The belt and the parts on it.
    pub belt: Belt,
    /// The part-present input.
    pub eye: Eye,
    /// Where pictures come from.
    pub camera: Camera,
    /// The reject output.
    pub gate: Gate,
    /// The input behind the gate, if there is one.
    pub confirm: Option<Confirm>,
    /// When rejects become an alarm.
    #[serde(default)]
    pub alarms: Alarms,
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
    pub watchdog: Watchdog,
    /// The simulated belt, where the eye is simulated.
    pub simulated: Option<Simulated>,
}

/// `[belt]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Belt {
    /// Counts the belt's way. Without one the belt has one speed and lengths are times.
    pub encoder: Option<Encoder>,
    /// Two parts closer than this are both rejected.
    pub min_spacing: Length,
}

/// `[belt.encoder]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    /// The belt's way for each pulse.
    pub mm_per_pulse: f64,
    /// The belt's highest speed: pulses that come faster are sparks.
    pub max_mm_per_s: f64,
    /// Parts that may pass the eye without a pulse before the encoder is taken for dead.
    #[serde(default = "default_silent_parts")]
    pub silent_parts: u32,
}

/// `[eye]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eye {
    /// The back end.
    pub source: EyeSource,
    /// Free running: every so many frames are a part.
    pub every: Option<NonZeroU32>,
    /// A level counts once it has held this long.
    pub debounce: Time,
    /// Edges closer than this to a part's are not another part.
    pub lockout: Length,
    /// A beam blocked for longer is a fault.
    pub stuck: Time,
}

/// Back ends of the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EyeSource {
    /// The simulated belt's.
    Simulated,
    /// `inputs.eye`.
    Gpio,
    /// None: frames make parts.
    FreeRunning,
}

/// `[camera]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// The back end.
    pub source: CameraSource,
    /// From the eye to the camera.
    pub distance: Length,
    /// How far from there a frame may be taken, either way.
    pub window: Length,
    /// Rendered parts: where chance comes from.
    #[serde(default)]
    pub seed: u64,
    /// Rendered parts: the share of defective ones, 0 to 1.
    #[serde(default)]
    pub defect_rate: f64,
    /// Folder: where the pictures are.
    pub pictures: Option<PathBuf>,
    /// V4L2: which camera.
    #[serde(rename = "match")]
    pub matching: Option<Match>,
    /// V4L2: pixels in a row.
    pub width: Option<u32>,
    /// V4L2: rows.
    pub height: Option<u32>,
    /// V4L2: frames a second, at least.
    pub fps: Option<f64>,
    /// V4L2: this pixel format; without it the best one that is fast enough.
    pub format: Option<Pixel>,
    /// V4L2: RGB pictures, or grey ones.
    pub colour: Option<bool>,
    /// V4L2: what is locked at which value.
    pub controls: Option<ControlSettings>,
    /// V4L2: from the driver's time stamp to the middle of the exposure, in microseconds.
    pub offset: Option<i64>,
    /// V4L2: a camera without a good frame for longer is connected anew.
    pub silence: Option<Time>,
}

/// Back ends of the camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CameraSource {
    /// Rendered parts.
    Rendered,
    /// The pictures of a folder.
    Folder,
    /// A camera that the kernel drives.
    V4l2,
}

/// `[gate]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// From the eye to the gate: where a pulse starts.
    pub distance: Length,
    /// Length of a pulse.
    pub pulse: Time,
    /// The longest that the gate may be open.
    pub max_on: Time,
    /// A verdict must be there this long before the pulse.
    pub guard: Length,
    /// A gate that opens later than this has missed its part.
    pub tolerance: Time,
    /// What a part gets whose verdict did not come in time.
    pub on_no_verdict: Unjudged,
}

/// `[confirm]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// A rejected part passes not before this, from the start of its pulse.
    pub earliest: Time,
    /// And not after this.
    pub latest: Time,
    /// Whether one part that was not confirmed stops the line.
    #[serde(default)]
    pub stop: bool,
}

/// `[alarms]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alarms {
    /// So many rejects in a row; 0: never.
    pub consecutive_rejects: u32,
    /// A larger share of rejects than this, in percent; 0: never.
    pub reject_rate_percent: f64,
    /// Among so many last parts.
    pub reject_rate_parts: u32,
    /// Whether these alarms stop the line.
    pub stop: bool,
}

impl Default for Alarms {
    fn default() -> Self {
        Self { consecutive_rejects: 0, reject_rate_percent: 0.0, reject_rate_parts: 100, stop: false }
    }
}

/// `[watchdog]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watchdog {
    /// Half a period of the heartbeat output.
    pub heartbeat: Time,
    /// A stage that has not advanced for longer is hung.
    pub stage: Time,
    /// The gate's own thread may not be silent for longer: the guard process ends the program then.
    pub gate: Time,
}

impl Default for Watchdog {
    fn default() -> Self {
        let ms = |ms| Time(Duration::from_millis(ms));
        Self { heartbeat: ms(250), stage: ms(2000), gate: ms(1000) }
    }
}

/// `[simulated]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulated {
    /// Mean time between parts.
    pub period: Time,
    /// A part comes up to this much early or late.
    pub scatter: Time,
    /// The belt's speed, where it has an encoder.
    pub mm_per_s: Option<f64>,
    /// Where chance comes from.
    #[serde(default)]
    pub seed: u64,
    /// Stages of the program that fail, to see that the outputs are safe then.
    #[serde(default, rename = "fault")]
    pub faults: Vec<SimulatedFault>,
}

/// `[[simulated.fault]]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedFault {
    /// Which stage.
    pub stage: Stage,
    /// At which part.
    pub part: u64,
    /// How.
    pub kind: SimulatedFaultKind,
}

/// How a stage fails.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SimulatedFaultKind {
    /// It panics.
    Panic,
    /// It stands still for so long.
    Hang(Time),
}

fn default_silent_parts() -> u32 {
    2
}

impl Board {
    /// The built-in simulated belt.
    pub fn simulated() -> Self {
        Self::parse(SIMULATED, Path::new("board/simulated.toml")).expect("the built-in board is checked by a test")
    }

    /// Reads a board file.
    ///
    /// # Errors
    /// It cannot be read, or it is not as it should be.
    pub fn load(path: &Path) -> Result<Self, BoardError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| BoardError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Parses the text of a board file; `path` is for messages.
    ///
    /// # Errors
    /// It is not as it should be.
    pub fn parse(text: &str, path: &Path) -> Result<Self, BoardError> {
        let bad = |message: String| BoardError::Content { path: path.to_owned(), message };
        let board: Self = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        if board.format != FORMAT {
            return Err(bad(format!("format = {}, but this version reads format {FORMAT}", board.format)));
        }
        board.settings().map_err(bad)?;
        board.display.as_ref().map_or(Ok(()), DisplayConfig::check).map_err(bad)?;
        Ok(board)
    }

    /// What the line's core works with; says what cannot work. Called again after command-line options changed a value.
    ///
    /// # Errors
    /// In words, with the key.
    pub fn settings(&self) -> Result<Settings, String> {
        let Self { belt, eye, camera, gate, alarms, .. } = self;
        self.check_sources()?;
        let lengths = Lengths::of(belt.encoder.as_ref())?;
        let rejects = alarms.reject_rate_percent / 100.0 * f64::from(alarms.reject_rate_parts);
        in_range("alarms.reject_rate_percent", alarms.reject_rate_percent, 0.0, 100.0)?;
        let settings = Settings {
            scale: lengths.scale(),
            camera: lengths.stretch("camera.distance", camera.distance)?,
            camera_window: lengths.stretch("camera.window", camera.window)?,
            gate: lengths.stretch("gate.distance", gate.distance)?,
            guard: lengths.stretch("gate.guard", gate.guard)?,
            min_spacing: lengths.stretch("belt.min_spacing", belt.min_spacing)?,
            lockout: lengths.stretch("eye.lockout", eye.lockout)?,
            on_no_verdict: gate.on_no_verdict,
            free_running: match eye.source {
                EyeSource::FreeRunning => Some(eye.every.unwrap_or(NonZeroU32::MIN)),
                EyeSource::Simulated | EyeSource::Gpio => None,
            },
            eye: EyeSettings { debounce: eye.debounce.0, stuck: eye.stuck.0 },
            encoder: lengths.encoder,
            pulse: GateSettings { pulse: gate.pulse.0, max_on: gate.max_on.0 },
            gate_tolerance: gate.tolerance.0,
            confirm: self.confirm.as_ref().map(|c| ConfirmSettings {
                earliest: c.earliest.0,
                latest: c.latest.0,
                stop: c.stop,
            }),
            alarms: AlarmSettings {
                consecutive: alarms.consecutive_rejects,
                rate_window: alarms.reject_rate_parts,
                rate_rejects: rejects as u32,
                stop: alarms.stop,
            },
            heartbeat: self.watchdog.heartbeat.0,
        };
        settings.check().map_err(|e| e.to_string())?;
        Ok(settings)
    }

    fn check_sources(&self) -> Result<(), String> {
        let Self { eye, camera, .. } = self;
        in_range("camera.defect_rate", camera.defect_rate, 0.0, 1.0)?;
        if camera.source == CameraSource::Folder && camera.pictures.is_none() {
            return Err("camera.source = \"folder\" needs the key camera.pictures".to_owned());
        }
        camera.check()?;
        if eye.every.is_some() && eye.source != EyeSource::FreeRunning {
            return Err("eye.every has a meaning only with eye.source = \"free-running\"".to_owned());
        }
        let needs_eye = eye.source == EyeSource::Gpio;
        self.inputs.check(needs_eye, self.belt.encoder.is_some(), self.confirm.is_some())?;
        self.outputs.check()?;
        let is_simulated = self.inputs.back_end == InputBackEnd::Simulated;
        if needs_eye && is_simulated {
            return Err("eye.source = \"gpio\" needs inputs.back_end = { gpio = ... }".to_owned());
        }
        if !is_simulated && eye.source == EyeSource::Simulated {
            return Err("inputs.back_end = { gpio = ... } needs eye.source = \"gpio\" or \"free-running\"".to_owned());
        }
        if matches!(camera.source, CameraSource::Rendered | CameraSource::Folder) && !is_simulated {
            return Err(
                "a rendered camera, or a folder, shows the parts of the simulated belt only: with real inputs \
                        use camera.source = \"v4l2\""
                    .to_owned(),
            );
        }
        let Some(simulated) = &self.simulated else {
            if self.plays_belt() {
                return Err("a simulated eye or camera needs the section [simulated]".to_owned());
            }
            return Ok(());
        };
        in_range("simulated.period (ms)", simulated.period.0.as_secs_f64() * 1e3, 1.0, 600_000.0)?;
        if simulated.scatter.0 > simulated.period.0 / 2 {
            return Err("simulated.scatter is longer than half of simulated.period".to_owned());
        }
        Ok(())
    }
}

fn in_range(key: &str, value: f64, low: f64, high: f64) -> Result<(), String> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(format!("{key} = {value} is not allowed: it must be from {low} to {high}"))
}

/// Turns lengths into the core's unit.
struct Lengths {
    um_per_pulse: Option<f64>,
    encoder: EncoderSettings,
}

impl Lengths {
    fn of(encoder: Option<&Encoder>) -> Result<Self, String> {
        let Some(encoder) = encoder else {
            let unused = EncoderSettings { min_interval: Duration::ZERO, silent_parts: u32::MAX };
            return Ok(Self { um_per_pulse: None, encoder: unused });
        };
        in_range("belt.encoder.mm_per_pulse", encoder.mm_per_pulse, 0.001, 1000.0)?;
        in_range("belt.encoder.max_mm_per_s", encoder.max_mm_per_s, 0.1, 1e6)?;
        let min_interval = Duration::from_secs_f64(encoder.mm_per_pulse / encoder.max_mm_per_s);
        Ok(Self {
            um_per_pulse: Some(encoder.mm_per_pulse * 1e3),
            encoder: EncoderSettings { min_interval, silent_parts: encoder.silent_parts },
        })
    }

    fn scale(&self) -> Scale {
        if self.um_per_pulse.is_some() { Scale::Encoder } else { Scale::Time }
    }

    fn stretch(&self, key: &str, length: Length) -> Result<Stretch, String> {
        match (length, self.um_per_pulse) {
            (Length::Time(Time(time)), None) => Ok(Stretch(time.as_nanos() as i64)),
            (Length::Way(um), Some(um_per_pulse)) => Ok(Stretch((um as f64 / um_per_pulse).round() as i64)),
            (Length::Time(_), Some(_)) => {
                Err(format!("{key} = \"{length}\" is a time: on a belt with an encoder write a way, as in \"350 mm\""))
            }
            (Length::Way(_), None) => Err(format!(
                "{key} = \"{length}\" is a way, but there is no [belt.encoder] to measure it: write the time that the \
                 belt takes, as in \"400 ms\""
            )),
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!((settings.scale, settings.gate), (Scale::Time, Stretch(400_000_000)));
        assert_eq!(settings.on_no_verdict, Unjudged::Reject);
    }

    #[test]
    fn with_an_encoder_lengths_are_ways() {
        let encoder = "[belt]\nencoder = { mm_per_pulse = 0.5, max_mm_per_s = 2000 }";
        let text = SIMULATED.replacen("[belt]", encoder, 1);
        let ways = ["min_spacing", "lockout", "distance", "window", "guard"].iter().fold(text, |text, key| {
            let line = |l: &str| {
                if l.starts_with(key) { l.replacen(" ms\"", " mm\"", 1) } else { l.to_owned() }
            };
            text.lines().map(line).collect::<Vec<_>>().join("\n")
        });
        let settings = Board::parse(&ways, Path::new("b.toml")).expect("a board").settings().expect("settings");
        assert_eq!((settings.scale, settings.gate, settings.camera), (Scale::Encoder, Stretch(800), Stretch(120)));
        assert_eq!(settings.encoder.min_interval, Duration::from_micros(250));
        assert!(error(("[belt]", encoder)).contains("camera.distance = \"60 ms\" is a time"));
    }

    #[test]
    fn mistakes_name_file_line_and_key() {
        let unknown = error(("\npulse =", "\npuls ="));
        let line = SIMULATED.lines().position(|l| l.starts_with("pulse =")).expect("a key") + 1;
        assert!(unknown.contains("b.toml") && unknown.contains("puls"), "{unknown}");
        assert!(unknown.contains(&format!("line {line}")), "{unknown}");
        assert!(error(("format = 1", "format = 7")).contains("format = 7"));
        let unit = error(("pulse = \"60 ms\"", "pulse = \"60\""));
        assert!(unit.contains(&format!("line {line}")) && unit.contains("a number and a unit"), "{unit}");
        assert!(error(("period = \"200 ms\"", "period = \"0 ms\"")).contains("simulated.period"));
        assert!(error(("distance = \"400 ms\"", "distance = \"70 ms\"")).contains("behind the camera"));
        assert!(error(("distance = \"400 ms\"", "distance = \"400 mm\"")).contains("[belt.encoder]"));
        assert!(error(("\"rendered\"", "\"folder\"")).contains("camera.pictures"));
        assert!(error(("\"reject\"", "\"maybe\"")).contains("maybe"));
        assert!(error(("source = \"simulated\"", "source = \"simulated\"\nevery = 3")).contains("eye.every"));
        assert!(error(("[simulated]", "[simulate]")).contains("simulate"));
    }

    #[test]
    fn a_display_is_checked_with_the_rest() {
        let section = |keys: &str| error(("[watchdog]", &format!("[display]\n{keys}\n\n[watchdog]")));
        assert!(section("back_end.png = \"s.png\"").contains("display.size is missing"));
        let unknown = section("back_end.drm = {}\ncolour = 1");
        assert!(unknown.contains("colour") && unknown.contains("line "), "{unknown}");
    }
}
