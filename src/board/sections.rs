//! The sections of a board file.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use beltwatch_core::Unjudged;
use beltwatch_vision::processor::Cores;
use serde::Deserialize;

use super::{ControlSettings, Match, Pixel};
use crate::units::{Length, Time};

/// `[belt]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeltConfig {
    /// Counts the belt's way. Without one the belt has one speed and lengths are times.
    pub encoder: Option<EncoderConfig>,
    /// Two parts closer than this are both rejected.
    pub min_spacing: Length,
}

/// `[belt.encoder]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
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
pub struct EyeConfig {
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
pub struct CameraConfig {
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

impl CameraSource {
    /// Whether it shows the parts of the simulated belt.
    pub fn is_simulated(self) -> bool {
        matches!(self, Self::Rendered | Self::Folder)
    }
}

/// `[gate]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateConfig {
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
pub struct ConfirmConfig {
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
pub struct AlarmsConfig {
    /// So many rejects in a row; 0: never.
    pub consecutive_rejects: u32,
    /// A larger share of rejects than this, in percent; 0: never.
    pub reject_rate_percent: f64,
    /// Among so many last parts.
    pub reject_rate_parts: u32,
    /// Whether these alarms stop the line.
    pub stop: bool,
}

impl Default for AlarmsConfig {
    fn default() -> Self {
        Self {
            consecutive_rejects: 0,
            reject_rate_percent: 0.0,
            reject_rate_parts: 100,
            stop: false,
        }
    }
}

/// `[inspection]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InspectionConfig {
    /// Cores that share each frame.
    pub cores: Cores,
}

/// `[watchdog]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchdogConfig {
    /// Half a period of the heartbeat output.
    pub heartbeat: Time,
    /// A stage that has not advanced for longer is hung.
    pub stage: Time,
    /// The gate's own thread may not be silent for longer: the guard process ends the program then.
    pub gate: Time,
}

impl Default for WatchdogConfig {
    fn default() -> Self {
        let ms = |ms| Time(Duration::from_millis(ms));
        Self {
            heartbeat: ms(250),
            stage: ms(2000),
            gate: ms(1000),
        }
    }
}

/// `[simulated]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedConfig {
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

/// A thread that must not stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, strum::Display, strum::VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Stage {
    /// Eye, encoder, confirm.
    Belt,
    /// Pictures.
    Camera,
    /// Verdicts.
    Inspection,
    /// Tracking, gate and the other outputs.
    Core,
}

impl Stage {
    /// All stages, in the order of their numbers.
    pub(crate) const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;
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
