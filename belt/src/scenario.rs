//! A scenario: the belt, what is on it, the devices around it, what goes wrong and what must come of it.

use std::path::Path;

use beltwatch_core::{Command, Device, Scale};
use serde::Deserialize;

use crate::course::Course;
use crate::random::{Dice, Stream};

mod check;
mod expect;
mod line;

pub use check::ScenarioError;
pub use expect::Expect;
pub use line::{Alarms, Confirm, LineSettings};

/// Everything that a run depends on: the same scenario gives the same run, bit for bit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// All chance comes from it.
    pub seed: u64,
    /// Parts that are put on the belt.
    pub parts: u64,
    /// See there.
    pub belt: Belt,
    /// See there.
    pub product: Product,
    /// See there.
    pub eye: EyeFaults,
    /// See there.
    pub encoder: EncoderFaults,
    /// See there.
    pub camera: Camera,
    /// See there.
    pub inference: Inference,
    /// See there.
    pub line: LineSettings,
    /// What stands behind the gate.
    pub confirm_sensor: ConfirmSensor,
    /// What operators do.
    pub commands: Vec<Timed>,
    /// Devices that go down.
    pub devices: Vec<DeviceDown>,
    /// The program is held up: it neither hears nor does anything.
    pub held: Vec<Span>,
    /// See there.
    pub expect: Expect,
}

/// The belt's speed over time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Belt {
    /// One after the other. The last one lasts where they do not repeat.
    pub profile: Vec<Leg>,
    /// Whether they begin anew after the last one.
    pub repeat: bool,
}

/// A ramp to a speed, and some time at it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leg {
    /// The speed; 0 is a stop, a negative one runs back.
    pub to_mm_s: f64,
    /// Time in which it is reached, at constant acceleration.
    #[serde(default)]
    pub ramp_ms: f64,
    /// Time for which it is held.
    #[serde(default)]
    pub hold_ms: f64,
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

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "belt".into(),
            seed: 1,
            parts: 100,
            belt: Belt::default(),
            product: Product::default(),
            eye: EyeFaults::default(),
            encoder: EncoderFaults::default(),
            camera: Camera { latency_ms: 5.0, ..Camera::default() },
            inference: Inference { time_ms: 50.0, ..Inference::default() },
            line: LineSettings::default(),
            confirm_sensor: ConfirmSensor { after_ms: 60.0, fails: Vec::new() },
            commands: Vec::new(),
            devices: Vec::new(),
            held: Vec::new(),
            expect: Expect::default(),
        }
    }
}

impl Default for Belt {
    /// A metre a second: millimetres are milliseconds.
    fn default() -> Self {
        Self { profile: vec![Leg { to_mm_s: 1000.0, ramp_ms: 0.0, hold_ms: 0.0 }], repeat: false }
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

impl Scenario {
    /// Reads a scenario; `path` is for messages.
    ///
    /// # Errors
    /// What is no TOML, has a key that is unknown, a value out of range or settings that cannot work.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|e| ScenarioError::Toml(path.into(), e.to_string()))?;
        scenario.check().map_err(|what| ScenarioError::Value(path.into(), what))?;
        Ok(scenario)
    }

    /// A belt of constant speed, a metre a second, with a part every `period_ms`, up to `scatter_ms` off its time.
    pub fn constant(period_ms: f64, scatter_ms: f64) -> Self {
        let product = Product { spacing_mm: period_ms, scatter_mm: scatter_ms, ..Product::default() };
        Self { product, ..Self::default() }
    }

    /// Whether the inspection finds a part defective.
    pub fn is_defective(&self, part: u64) -> bool {
        self.product.defects.contains(&part) || Dice(self.seed).hits(Stream::Defect, part, self.product.defect_rate)
    }

    /// Where a part's front lies at the start, in millimetres before the eye.
    pub fn place(&self, part: u64) -> f64 {
        match self.product.close.iter().find(|c| c.part == part && part > 0) {
            Some(close) => self.place(part - 1) + close.behind_mm,
            None => {
                let off = 2.0 * Dice(self.seed).unit(Stream::Scatter, part) - 1.0;
                self.product.spacing_mm * (part + 1) as f64 + self.product.scatter_mm * off
            }
        }
    }

    /// The belt's highest speed, either way, in mm/s.
    pub fn fastest(&self) -> f64 {
        self.belt.profile.iter().map(|l| l.to_mm_s.abs()).fold(0.0, f64::max)
    }

    /// How far off the line's idea of a place may be, in millimetres: what an encoder cannot tell, and what it lost on
    /// the way from the eye to the gate; six standard deviations of it.
    pub fn slack_mm(&self) -> f64 {
        if self.line.scale == Scale::Time {
            return 0.0;
        }
        let e = &self.encoder;
        let pulses = self.line.gate_mm / e.mm_per_pulse;
        let drift = |rate: f64| if rate > 0.0 { pulses * rate + 6.0 * (pulses * rate).sqrt() + 3.0 } else { 0.0 };
        // behind one that the kernel lost a second one cannot be told from a first
        let is_spark = e.doubled_us < self.line.encoder_min_interval_us;
        let doubled = e.doubled_rate * if is_spark { e.kernel_lost_rate } else { 1.0 };
        // a run of lost ones this long comes once in 1e10 pulses
        let run = if e.kernel_lost_rate > 0.0 { (1e-10f64.ln() / e.kernel_lost_rate.ln()).ceil() } else { 0.0 };
        let turns = if self.course().is_forward() { 0.0 } else { 2.0 };
        // the line remembers a place a millisecond
        (2.0 + drift(e.lost_rate) + drift(doubled) + run + turns) * e.mm_per_pulse + self.fastest() / 1e3
    }

    fn downs(&self, device: Device) -> impl Iterator<Item = Span> {
        let devices = self.devices.iter().filter(move |d| d.device == device);
        let unplugged = self.camera.unplugged.iter().filter(move |_| device == Device::Camera);
        devices.map(|d| Span { from_ms: d.from_ms, to_ms: d.to_ms }).chain(unplugged.copied())
    }

    /// Whether a device is down at a time, in nanoseconds from the start.
    pub(crate) fn is_down(&self, device: Device, at: u64) -> bool {
        self.downs(device).any(|d| d.holds(at))
    }

    /// How often a device has come up again until then.
    pub(crate) fn restarts(&self, device: Device, at: u64) -> usize {
        self.downs(device).filter(|d| crate::nanos(d.to_ms) <= at).count()
    }

    /// When the program does what it should do at `at`: later where it is held up.
    pub(crate) fn awake(&self, at: u64) -> u64 {
        self.held.iter().find(|h| h.holds(at)).map_or(at, |h| crate::nanos(h.to_ms))
    }

    /// Where the belt is over time.
    pub fn course(&self) -> Course {
        Course::new(&self.belt.profile, self.belt.repeat)
    }
}
