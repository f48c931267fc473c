//! From a board file to what the line's core works with, and what cannot work.

use std::num::NonZeroU32;
use std::time::Duration;

use beltwatch_core::{
    AlarmSettings, ConfirmSettings, EncoderSettings, EyeSettings, GateSettings, Scale, Settings, Stretch,
};

use super::{Board, CameraSource, EncoderConfig, EyeSource};
use crate::board::InputBackEnd;
use crate::units::{Length, Time};

impl Board {
    /// What the line's core works with; says what cannot work. Called again after command-line options
    /// changed a value.
    ///
    /// # Errors
    /// In words, with the key.
    pub fn settings(&self) -> Result<Settings, String> {
        let Self {
            belt,
            eye,
            camera,
            gate,
            alarms,
            ..
        } = self;
        self.check_sources()?;
        let lengths = Lengths::of(belt.encoder.as_ref())?;
        let rejects = alarms.reject_rate_percent / 100.0 * f64::from(alarms.reject_rate_parts);
        in_range(
            "alarms.reject_rate_percent",
            alarms.reject_rate_percent,
            0.0,
            100.0,
        )?;
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
            eye: EyeSettings {
                debounce: eye.debounce.0,
                stuck: eye.stuck.0,
            },
            encoder: lengths.encoder,
            pulse: GateSettings {
                pulse: gate.pulse.0,
                max_on: gate.max_on.0,
            },
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
        self.inputs
            .check(needs_eye, self.belt.encoder.is_some(), self.confirm.is_some())?;
        self.outputs.check()?;
        let is_simulated = self.inputs.back_end == InputBackEnd::Simulated;
        if needs_eye && is_simulated {
            return Err("eye.source = \"gpio\" needs inputs.back_end = { gpio = ... }".to_owned());
        }
        if !is_simulated && eye.source == EyeSource::Simulated {
            return Err(
                "inputs.back_end = { gpio = ... } needs eye.source = \"gpio\" or \"free-running\"".to_owned(),
            );
        }
        if camera.source.is_simulated() && !is_simulated {
            return Err(
                "a rendered camera, or a folder, shows the parts of the simulated belt only: with real \
                 inputs use camera.source = \"v4l2\""
                    .to_owned(),
            );
        }
        let Some(simulated) = &self.simulated else {
            if self.plays_belt() {
                return Err("a simulated eye or camera needs the section [simulated]".to_owned());
            }
            return Ok(());
        };
        in_range(
            "simulated.period (ms)",
            simulated.period.0.as_secs_f64() * 1e3,
            1.0,
            600_000.0,
        )?;
        if simulated.scatter.0 > simulated.period.0 / 2 {
            return Err("simulated.scatter is longer than half of simulated.period".to_owned());
        }
        Ok(())
    }
}

pub(super) fn in_range(key: &str, value: f64, low: f64, high: f64) -> Result<(), String> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(format!(
        "{key} = {value} is not allowed: it must be from {low} to {high}"
    ))
}

/// Turns lengths into the core's unit.
struct Lengths {
    um_per_pulse: Option<f64>,
    encoder: EncoderSettings,
}

impl Lengths {
    fn of(encoder: Option<&EncoderConfig>) -> Result<Self, String> {
        let Some(encoder) = encoder else {
            let unused = EncoderSettings {
                min_interval: Duration::ZERO,
                silent_parts: u32::MAX,
            };
            return Ok(Self {
                um_per_pulse: None,
                encoder: unused,
            });
        };
        in_range("belt.encoder.mm_per_pulse", encoder.mm_per_pulse, 0.001, 1000.0)?;
        in_range("belt.encoder.max_mm_per_s", encoder.max_mm_per_s, 0.1, 1e6)?;
        let min_interval = Duration::from_secs_f64(encoder.mm_per_pulse / encoder.max_mm_per_s);
        Ok(Self {
            um_per_pulse: Some(encoder.mm_per_pulse * 1e3),
            encoder: EncoderSettings {
                min_interval,
                silent_parts: encoder.silent_parts,
            },
        })
    }

    fn scale(&self) -> Scale {
        if self.um_per_pulse.is_some() {
            Scale::Encoder
        } else {
            Scale::Time
        }
    }

    fn stretch(&self, key: &str, length: Length) -> Result<Stretch, String> {
        match (length, self.um_per_pulse) {
            (Length::Time(Time(time)), None) => Ok(Stretch(time.as_nanos() as i64)),
            (Length::Way(um), Some(um_per_pulse)) => Ok(Stretch((um as f64 / um_per_pulse).round() as i64)),
            (Length::Time(_), Some(_)) => Err(format!(
                "{key} = \"{length}\" is a time: on a belt with an encoder write a way, as in \"350 mm\""
            )),
            (Length::Way(_), None) => Err(format!(
                "{key} = \"{length}\" is a way, but there is no [belt.encoder] to measure it: write the time \
                 that the belt takes, as in \"400 ms\""
            )),
        }
    }
}
