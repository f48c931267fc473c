//! The line's settings in millimetres and milliseconds.

use std::num::NonZeroU32;
use std::time::Duration;

use beltwatch_core::{
    AlarmSettings, ConfirmSettings, EncoderSettings, EyeSettings, GateSettings, Scale, Settings, Stretch,
    Unjudged,
};
use serde::Deserialize;

use super::Scenario;

/// The line's settings; lengths count from the eye.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LineSettings {
    /// Whether the line reckons in time, on a belt of one speed, or in encoder pulses.
    pub scale: Scale,
    /// Where the camera stands.
    pub camera_mm: f64,
    /// A frame may be taken this far from there.
    pub camera_window_mm: f64,
    /// Where the gate stands.
    pub gate_mm: f64,
    /// A part is decided this far before the gate.
    pub guard_mm: f64,
    /// Two parts closer than this both leave.
    pub min_spacing_mm: f64,
    /// An edge closer than this to a part's is not another part.
    pub lockout_mm: f64,
    /// What a part gets that has no verdict by its deadline.
    pub on_no_verdict: Unjudged,
    /// No eye: every so many frames are a part.
    pub free_running: Option<NonZeroU32>,
    /// An eye's level counts once it has held this long.
    pub debounce_ms: f64,
    /// A beam that is blocked for longer is a fault.
    pub stuck_ms: f64,
    /// Encoder pulses that are closer are sparks.
    pub encoder_min_interval_us: f64,
    /// Parts without an encoder pulse before it is taken for dead.
    pub silent_parts: u32,
    /// Length of the gate's pulse.
    pub pulse_ms: f64,
    /// The longest that the gate may be open.
    pub max_on_ms: f64,
    /// A gate that opens later has missed its part.
    pub gate_tolerance_ms: f64,
    /// Half a period of the heartbeat.
    pub heartbeat_ms: f64,
    /// The confirm input.
    pub confirm: Option<Confirm>,
    /// When rejects become an alarm.
    pub alarms: Alarms,
}

/// The confirm input.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// From the start of the pulse, not before.
    pub earliest_ms: f64,
    /// Not after.
    pub latest_ms: f64,
    /// Whether a part that is missed stops the line.
    #[serde(default)]
    pub stop: bool,
}

/// When rejects become an alarm.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alarms {
    /// So many in a row; 0: never.
    pub consecutive: u32,
    /// Of the last so many parts
    pub rate_window: u32,
    /// more than this; 0: never.
    pub rate_rejects: u32,
    /// Whether they stop the line.
    pub stop: bool,
}

impl Default for Alarms {
    fn default() -> Self {
        Self {
            consecutive: 0,
            rate_window: 100,
            rate_rejects: 0,
            stop: false,
        }
    }
}

impl Default for LineSettings {
    fn default() -> Self {
        Self {
            scale: Scale::Time,
            camera_mm: 60.0,
            camera_window_mm: 20.0,
            gate_mm: 400.0,
            guard_mm: 2.0,
            min_spacing_mm: 60.0,
            lockout_mm: 10.0,
            on_no_verdict: Unjudged::Reject,
            free_running: None,
            debounce_ms: 1.0,
            stuck_ms: 1500.0,
            encoder_min_interval_us: 100.0,
            silent_parts: 2,
            pulse_ms: 60.0,
            max_on_ms: 400.0,
            gate_tolerance_ms: 5.0,
            heartbeat_ms: 100.0,
            confirm: None,
            alarms: Alarms::default(),
        }
    }
}

fn time(ms: f64) -> Duration {
    Duration::from_nanos(crate::nanos(ms))
}

impl LineSettings {
    /// The same settings in millimetres and milliseconds; a nanosecond or a pulse of the line's scale is `mm`
    /// long.
    pub fn of(settings: &Settings, mm: f64) -> Self {
        let length = |stretch: Stretch| stretch.0 as f64 * mm;
        let s = settings;
        Self {
            scale: s.scale,
            camera_mm: length(s.camera),
            camera_window_mm: length(s.camera_window),
            gate_mm: length(s.gate),
            guard_mm: length(s.guard),
            min_spacing_mm: length(s.min_spacing),
            lockout_mm: length(s.lockout),
            on_no_verdict: s.on_no_verdict,
            free_running: s.free_running,
            debounce_ms: ms(s.eye.debounce),
            stuck_ms: ms(s.eye.stuck),
            encoder_min_interval_us: ms(s.encoder.min_interval) * 1e3,
            silent_parts: s.encoder.silent_parts,
            pulse_ms: ms(s.pulse.pulse),
            max_on_ms: ms(s.pulse.max_on),
            gate_tolerance_ms: ms(s.gate_tolerance),
            heartbeat_ms: ms(s.heartbeat),
            confirm: s.confirm.map(|c| Confirm {
                earliest_ms: ms(c.earliest),
                latest_ms: ms(c.latest),
                stop: c.stop,
            }),
            alarms: Alarms {
                consecutive: s.alarms.consecutive,
                rate_window: s.alarms.rate_window,
                rate_rejects: s.alarms.rate_rejects,
                stop: s.alarms.stop,
            },
        }
    }
}

fn ms(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e6
}

impl Scenario {
    /// A length in the unit of the line's scale.
    pub(crate) fn stretch(&self, mm: f64) -> Stretch {
        let unit = match self.line.scale {
            // nanoseconds at the belt's one speed
            Scale::Time => self.belt.profile.last().map_or(1.0, |leg| leg.to_mm_s) / 1e9,
            Scale::Encoder => self.encoder.mm_per_pulse,
        };
        Stretch((mm / unit).round() as i64)
    }

    /// The settings as the core wants them.
    pub fn settings(&self) -> Settings {
        let l = &self.line;
        Settings {
            scale: l.scale,
            camera: self.stretch(l.camera_mm),
            camera_window: self.stretch(l.camera_window_mm),
            gate: self.stretch(l.gate_mm),
            guard: self.stretch(l.guard_mm),
            min_spacing: self.stretch(l.min_spacing_mm),
            lockout: self.stretch(l.lockout_mm),
            on_no_verdict: l.on_no_verdict,
            free_running: l.free_running,
            eye: EyeSettings {
                debounce: time(l.debounce_ms),
                stuck: time(l.stuck_ms),
            },
            encoder: EncoderSettings {
                min_interval: time(l.encoder_min_interval_us / 1e3),
                silent_parts: l.silent_parts,
            },
            pulse: GateSettings {
                pulse: time(l.pulse_ms),
                max_on: time(l.max_on_ms),
            },
            gate_tolerance: time(l.gate_tolerance_ms),
            confirm: l.confirm.map(|c| ConfirmSettings {
                earliest: time(c.earliest_ms),
                latest: time(c.latest_ms),
                stop: c.stop,
            }),
            alarms: AlarmSettings {
                consecutive: l.alarms.consecutive,
                rate_window: l.alarms.rate_window,
                rate_rejects: l.alarms.rate_rejects,
                stop: l.alarms.stop,
            },
            heartbeat: time(l.heartbeat_ms),
        }
    }
}
