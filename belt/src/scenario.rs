//! A scenario: the belt, what is on it, the devices around it, what goes wrong and what must come of it.

use std::path::Path;

use beltwatch_core::{Device, Scale};
use serde::Deserialize;

use crate::course::Course;
use crate::random::{Dice, Stream};

mod check;
mod expect;
mod line;
mod model;

pub use check::ScenarioError;
pub use expect::Expect;
pub use line::{Alarms, Confirm, LineSettings};
pub use model::{
    Belt, Camera, Close, ConfirmSensor, DeviceDown, Edge, EncoderFaults, EyeFaults, FrameFault,
    FrameFaultKind, Inference, LostEdge, Product, Slow, Span, Timed,
};

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
    /// Its speed over time.
    pub belt: Belt,
    /// What lies on it, how far apart, and which parts are bad.
    pub product: Product,
    /// What is wrong with the eye.
    pub eye: EyeFaults,
    /// Its pulses, and what is wrong with them.
    pub encoder: EncoderFaults,
    /// How long a frame takes, and which are lost or useless.
    pub camera: Camera,
    /// How long the inspection takes.
    pub inference: Inference,
    /// What the line is set to.
    pub line: LineSettings,
    /// What stands behind the gate.
    pub confirm_sensor: ConfirmSensor,
    /// What operators do.
    pub commands: Vec<Timed>,
    /// Devices that go down.
    pub devices: Vec<DeviceDown>,
    /// The program is held up: it neither hears nor does anything.
    pub held: Vec<Span>,
    /// What must come of it.
    pub expect: Expect,
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
            camera: Camera {
                latency_ms: 5.0,
                ..Camera::default()
            },
            inference: Inference {
                time_ms: 50.0,
                ..Inference::default()
            },
            line: LineSettings::default(),
            confirm_sensor: ConfirmSensor {
                after_ms: 60.0,
                fails: Vec::new(),
            },
            commands: Vec::new(),
            devices: Vec::new(),
            held: Vec::new(),
            expect: Expect::default(),
        }
    }
}

impl Scenario {
    /// Reads a scenario; `path` is for messages.
    ///
    /// # Errors
    /// What is no TOML, has a key that is unknown, a value out of range or settings that cannot work.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ScenarioError> {
        let scenario: Self =
            toml::from_str(text).map_err(|e| ScenarioError::Toml(path.into(), e.to_string()))?;
        scenario
            .check()
            .map_err(|what| ScenarioError::Value(path.into(), what))?;
        Ok(scenario)
    }

    /// A belt of constant speed, a metre a second, with a part every `period_ms`, up to `scatter_ms` off its
    /// time.
    pub fn constant(period_ms: f64, scatter_ms: f64) -> Self {
        let product = Product {
            spacing_mm: period_ms,
            scatter_mm: scatter_ms,
            ..Product::default()
        };
        Self {
            product,
            ..Self::default()
        }
    }

    /// Whether the inspection finds a part defective.
    pub fn is_defective(&self, part: u64) -> bool {
        self.product.defects.contains(&part)
            || Dice(self.seed).hits(Stream::Defect, part, self.product.defect_rate)
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
        self.belt
            .profile
            .iter()
            .map(|l| l.to_mm_s.abs())
            .fold(0.0, f64::max)
    }

    /// How far off the line's idea of a place may be, in millimetres: what an encoder cannot tell, and what
    /// it lost on the way from the eye to the gate; six standard deviations of it.
    pub fn slack_mm(&self) -> f64 {
        if self.line.scale == Scale::Time {
            return 0.0;
        }
        let e = &self.encoder;
        let pulses = self.line.gate_mm / e.mm_per_pulse;
        let drift = |rate: f64| {
            if rate > 0.0 {
                pulses * rate + 6.0 * (pulses * rate).sqrt() + 3.0
            } else {
                0.0
            }
        };
        // behind one that the kernel lost a second one cannot be told from a first
        let is_spark = e.doubled_us < self.line.encoder_min_interval_us;
        let doubled = e.doubled_rate * if is_spark { e.kernel_lost_rate } else { 1.0 };
        // a run of lost ones this long comes once in 1e10 pulses
        let run = if e.kernel_lost_rate > 0.0 {
            (1e-10f64.ln() / e.kernel_lost_rate.ln()).ceil()
        } else {
            0.0
        };
        let turns = if self.course().is_forward() { 0.0 } else { 2.0 };
        // the line remembers a place a millisecond
        (2.0 + drift(e.lost_rate) + drift(doubled) + run + turns) * e.mm_per_pulse + self.fastest() / 1e3
    }

    fn downs(&self, device: Device) -> impl Iterator<Item = Span> {
        let devices = self.devices.iter().filter(move |d| d.device == device);
        let unplugged = self
            .camera
            .unplugged
            .iter()
            .filter(move |_| device == Device::Camera);
        devices
            .map(|d| Span {
                from_ms: d.from_ms,
                to_ms: d.to_ms,
            })
            .chain(unplugged.copied())
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
        self.held
            .iter()
            .find(|h| h.holds(at))
            .map_or(at, |h| crate::nanos(h.to_ms))
    }

    /// Where the belt is over time.
    pub fn course(&self) -> Course {
        Course::new(&self.belt.profile, self.belt.repeat)
    }
}
