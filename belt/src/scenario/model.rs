//! The belt, what lies on it and the devices around it, as a scenario's file has them.

use beltwatch_core::{Command, Device};
use serde::Deserialize;

use crate::course::Leg;

/// The belt's speed over time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Belt {
    /// One after the other. The last one lasts where they do not repeat.
    pub profile: Vec<Leg>,
    /// Whether they begin anew after the last one.
    pub repeat: bool,
}

/// What is on the belt.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Product {
    /// Length of a part along the belt.
    pub length_mm: f64,
    /// From front to front of two parts; the first one lies as far from the eye.
    pub spacing_mm: f64,
    /// A part lies up to this far from its place, either way.
    pub scatter_mm: f64,
    /// Parts that lie closer to the one before.
    pub close: Vec<Close>,
    /// The share of parts that the inspection finds defective.
    pub defect_rate: f64,
    /// Parts that it finds defective in any case.
    pub defects: Vec<u64>,
    /// A hole through which the beam sees: from and to, from the part's front.
    pub hole_mm: Option<[f64; 2]>,
}

/// A part that lies closer to the one before.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// The part.
    pub part: u64,
    /// From the front of the one before.
    pub behind_mm: f64,
}

/// What is wrong with the eye.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EyeFaults {
    /// Edges that follow each true one; an even number.
    pub bounces: u32,
    /// Within this time.
    pub bounce_us: f64,
    /// Edges, with their bounces, that the kernel has no room for: they are missing in its numbering.
    pub lost: Vec<LostEdge>,
    /// The beam is blocked by something else.
    pub stuck: Vec<Span>,
}

/// An edge that the kernel has no room for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LostEdge {
    /// The part.
    pub part: u64,
    /// Which of its edges.
    pub edge: Edge,
}

/// An edge of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// It comes into the beam.
    Front,
    /// It leaves it.
    Rear,
}

/// The encoder, and what is wrong with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncoderFaults {
    /// Belt distance from pulse to pulse.
    pub mm_per_pulse: f64,
    /// The share of pulses that never were: slip, dirt.
    pub lost_rate: f64,
    /// The share of pulses that come twice.
    pub doubled_rate: f64,
    /// The second one so long after the first.
    pub doubled_us: f64,
    /// The share of pulses that the kernel has no room for: they are missing in its numbering.
    pub kernel_lost_rate: f64,
    /// No pulses.
    pub dead: Vec<Span>,
}

/// The camera, and what is wrong with it. It is triggered when a part is before it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Camera {
    /// From the exposure until the frame is there.
    pub latency_ms: f64,
    /// And up to so much more.
    pub jitter_ms: f64,
    /// Frames that go wrong. The first that fits a frame counts.
    pub faults: Vec<FrameFault>,
    /// The camera is gone. Its numbering begins at zero when it is back.
    pub unplugged: Vec<Span>,
}

/// Frames that go wrong: by rate, by part and by time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameFault {
    /// How.
    pub kind: FrameFaultKind,
    /// This share of all frames.
    #[serde(default)]
    pub rate: f64,
    /// The frames of these parts.
    #[serde(default)]
    pub parts: Vec<u64>,
    /// The frames exposed in these times.
    #[serde(default)]
    pub during: Vec<Span>,
    /// How much later a late frame is.
    #[serde(default)]
    pub late_ms: f64,
}

/// How a frame can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameFaultKind {
    /// It is missing in the camera's numbering.
    Dropped,
    /// It comes late.
    Late,
    /// It shows nothing.
    Black,
    /// It shows nothing but white.
    Saturated,
    /// It is the one before once more.
    Repeated,
}

/// The inspection: one server, whose verdict is the part's defect flag.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Inference {
    /// Time for one frame.
    pub time_ms: f64,
    /// And up to so much more.
    pub jitter_ms: f64,
    /// Times in which a frame takes longer.
    pub slow: Vec<Slow>,
    /// Of the frames that wait only the newest is kept.
    pub newest_wins: bool,
}

/// A time in which a frame takes longer.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    /// From.
    pub from_ms: f64,
    /// Until.
    pub to_ms: f64,
    /// Time for one frame.
    pub time_ms: f64,
}

/// The sensor behind the gate that sees what left.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfirmSensor {
    /// From the part's arrival at the gate until it passes the sensor.
    pub after_ms: f64,
    /// Parts that the actuator fails to move.
    pub fails: Vec<u64>,
}

/// What an operator does.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timed {
    /// When.
    pub at_ms: f64,
    /// What: `"halt"`, `{ bypass = true }`.
    pub command: Command,
}

/// A device that goes down.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceDown {
    /// Which. While the inputs are down the line hears nothing of the eye and the encoder.
    pub device: Device,
    /// From.
    pub from_ms: f64,
    /// Until.
    pub to_ms: f64,
}

/// From one time to another, from the start of the run.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// From.
    pub from_ms: f64,
    /// Until.
    pub to_ms: f64,
}

impl Span {
    /// Whether a time, in nanoseconds from the start, lies in it.
    pub(crate) fn holds(&self, at: u64) -> bool {
        (crate::nanos(self.from_ms)..crate::nanos(self.to_ms)).contains(&at)
    }
}

impl Default for Belt {
    /// A metre a second: millimetres are milliseconds.
    fn default() -> Self {
        Self {
            profile: vec![Leg {
                to_mm_s: 1000.0,
                ramp_ms: 0.0,
                hold_ms: 0.0,
            }],
            repeat: false,
        }
    }
}

impl Default for Product {
    fn default() -> Self {
        Self {
            length_mm: 20.0,
            spacing_mm: 200.0,
            scatter_mm: 0.0,
            close: Vec::new(),
            defect_rate: 0.1,
            defects: Vec::new(),
            hole_mm: None,
        }
    }
}

impl Default for EncoderFaults {
    fn default() -> Self {
        Self {
            mm_per_pulse: 1.0,
            lost_rate: 0.0,
            doubled_rate: 0.0,
            doubled_us: 20.0,
            kernel_lost_rate: 0.0,
            dead: Vec::new(),
        }
    }
}
