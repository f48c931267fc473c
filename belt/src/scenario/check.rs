//! What a scenario may not say.

use std::path::PathBuf;

use beltwatch_core::Scale;

use super::{Scenario, Span};

/// Why a scenario cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// No TOML, or a key that nobody knows; the text has line and column.
    #[error("{0}: {1}")]
    Toml(PathBuf, String),
    /// A value that cannot be.
    #[error("{0}: {1}")]
    Value(PathBuf, String),
}

impl Scenario {
    /// Says what cannot be, if anything.
    ///
    /// # Errors
    /// The key and its range.
    pub fn check(&self) -> Result<(), String> {
        self.check_ranges()?;
        self.check_belt()?;
        self.settings().check().map_err(|e| format!("[line]: {e}"))?;
        self.check_product()?;
        match self.expect.unknown() {
            Some(name) => Err(format!(
                "expect.counters.{name} is no counter, or its value no number"
            )),
            None => Ok(()),
        }
    }

    fn check_ranges(&self) -> Result<(), String> {
        let (l, p, e) = (&self.line, &self.product, &self.encoder);
        let hour = 3.6e6;
        let alarm_times = l.confirm.map_or([0.0; 2], |c| [c.earliest_ms, c.latest_ms]);
        let ranges = [
            ("parts", self.parts as f64, 1.0, 1e9),
            ("product.length_mm", p.length_mm, 0.1, 1e4),
            ("product.spacing_mm", p.spacing_mm, 0.1, 1e5),
            ("product.scatter_mm", p.scatter_mm, 0.0, 1e5),
            ("product.defect_rate", p.defect_rate, 0.0, 1.0),
            ("eye.bounces", f64::from(self.eye.bounces), 0.0, 100.0),
            ("eye.bounce_us", self.eye.bounce_us, 0.0, 1e6),
            ("encoder.mm_per_pulse", e.mm_per_pulse, 1e-3, 1e3),
            ("encoder.lost_rate", e.lost_rate, 0.0, 1.0),
            ("encoder.doubled_rate", e.doubled_rate, 0.0, 1.0),
            ("encoder.doubled_us", e.doubled_us, 0.001, 1e6),
            ("encoder.kernel_lost_rate", e.kernel_lost_rate, 0.0, 1.0),
            ("camera.latency_ms", self.camera.latency_ms, 0.0, hour),
            ("camera.jitter_ms", self.camera.jitter_ms, 0.0, hour),
            ("inference.time_ms", self.inference.time_ms, 0.0, hour),
            ("inference.jitter_ms", self.inference.jitter_ms, 0.0, hour),
            (
                "confirm_sensor.after_ms",
                self.confirm_sensor.after_ms,
                l.pulse_ms / 2.0,
                hour,
            ),
            ("line.camera_mm", l.camera_mm, 0.0, 1e5),
            ("line.gate_mm", l.gate_mm, 0.0, 1e5),
            ("line.debounce_ms", l.debounce_ms, 0.0, 1e3),
            ("line.stuck_ms", l.stuck_ms, 0.0, hour),
            (
                "line.encoder_min_interval_us",
                l.encoder_min_interval_us,
                0.0,
                1e6,
            ),
            ("line.pulse_ms", l.pulse_ms, 0.0, hour),
            ("line.max_on_ms", l.max_on_ms, 0.0, hour),
            ("line.gate_tolerance_ms", l.gate_tolerance_ms, 0.0, hour),
            ("line.heartbeat_ms", l.heartbeat_ms, 0.0, hour),
            ("line.confirm.earliest_ms", alarm_times[0], 0.0, hour),
            ("line.confirm.latest_ms", alarm_times[1], 0.0, hour),
        ];
        for (what, value, low, high) in ranges {
            in_range(what, value, low, high)?;
        }
        if self.eye.bounces % 2 == 1 {
            return Err("eye.bounces must be even, or the level after them is wrong".into());
        }
        if self.eye.bounces > 0 && self.eye.bounce_us / 1e3 > l.debounce_ms {
            return Err("line.debounce_ms must be at least as long as the eye bounces, eye.bounce_us".into());
        }
        for fault in &self.camera.faults {
            in_range("camera.faults.rate", fault.rate, 0.0, 1.0)?;
            in_range("camera.faults.late_ms", fault.late_ms, 0.0, hour)?;
        }
        for slow in &self.inference.slow {
            in_range("inference.slow.time_ms", slow.time_ms, 0.0, hour)?;
        }
        for command in &self.commands {
            in_range("commands.at_ms", command.at_ms, 0.0, 1e12)?;
        }
        self.check_spans()
    }

    fn check_spans(&self) -> Result<(), String> {
        let downs: Vec<_> = self
            .devices
            .iter()
            .map(|d| Span {
                from_ms: d.from_ms,
                to_ms: d.to_ms,
            })
            .collect();
        let slow: Vec<_> = self
            .inference
            .slow
            .iter()
            .map(|s| Span {
                from_ms: s.from_ms,
                to_ms: s.to_ms,
            })
            .collect();
        let faults: Vec<_> = self
            .camera
            .faults
            .iter()
            .flat_map(|f| f.during.iter().copied())
            .collect();
        let all: [(&str, &[Span], bool); 7] = [
            ("eye.stuck", &self.eye.stuck, true),
            ("encoder.dead", &self.encoder.dead, false),
            ("camera.unplugged", &self.camera.unplugged, true),
            ("camera.faults.during", &faults, false),
            ("inference.slow", &slow, false),
            ("devices", &downs, false),
            ("held", &self.held, true),
        ];
        for (what, spans, ordered) in all {
            for span in spans {
                in_range(what, span.from_ms, 0.0, 1e12)?;
                if !(span.to_ms > span.from_ms && span.to_ms <= 1e12) {
                    return Err(format!(
                        "{what}: to_ms = {} must be later than from_ms = {}",
                        span.to_ms, span.from_ms
                    ));
                }
            }
            if ordered && spans.windows(2).any(|w| w[1].from_ms <= w[0].to_ms) {
                return Err(format!("{what}: one must begin after the end of the one before"));
            }
        }
        Ok(())
    }

    fn check_belt(&self) -> Result<(), String> {
        let legs = &self.belt.profile;
        let Some(last) = legs.last() else {
            return Err("belt.profile needs a leg".into());
        };
        for leg in legs {
            in_range("belt.profile.to_mm_s", leg.to_mm_s, -1e5, 1e5)?;
            in_range("belt.profile.ramp_ms", leg.ramp_ms, 0.0, 3.6e6)?;
            in_range("belt.profile.hold_ms", leg.hold_ms, 0.0, 3.6e6)?;
        }
        let repeats = self.belt.repeat && legs.iter().any(|l| l.ramp_ms > 0.0 || l.hold_ms > 0.0);
        if self.belt.repeat != repeats
            || !self.belt.repeat && last.to_mm_s <= 0.0
            || self.course().advance() <= 0.0
        {
            return Err("belt.profile: the belt must get on in the end, or no part arrives".into());
        }
        if self.line.scale == Scale::Time && (legs.len() > 1 || last.ramp_ms > 0.0 || last.to_mm_s <= 0.0) {
            return Err("line.scale = \"time\" is for a belt of one speed; another needs \"encoder\"".into());
        }
        Ok(())
    }

    /// A pulse must be able to hit one of two parts.
    fn check_gate(&self) -> Result<(), String> {
        let (fastest, l) = (self.fastest(), &self.line);
        let closest = l.pulse_ms / 2.0 * fastest / 1e3 + 2.0 * self.slack_mm();
        if l.free_running.is_none() && l.min_spacing_mm <= closest {
            return Err(format!(
                "line.min_spacing_mm must be more than {closest} mm, or a pulse hits two parts"
            ));
        }
        if !self.course().is_forward() && l.lockout_mm < self.product.length_mm + 2.0 * self.slack_mm() {
            return Err(
                "line.lockout_mm must be longer than a part on a belt that turns: its rear may come back \
                 into the beam before the encoder tells the direction"
                    .into(),
            );
        }
        let interval = self.encoder.mm_per_pulse / fastest * 1e6;
        if l.scale == Scale::Encoder && interval <= 1.1 * l.encoder_min_interval_us {
            return Err(format!(
                "line.encoder_min_interval_us must be less than the {interval} us of the fastest belt"
            ));
        }
        Ok(())
    }

    /// Parts must be in order, and both they and the gaps between them long enough for the eye.
    fn check_product(&self) -> Result<(), String> {
        let p = &self.product;
        if let Some(close) = p
            .close
            .iter()
            .find(|c| c.part == 0 || !(p.length_mm..=p.spacing_mm).contains(&c.behind_mm))
        {
            let (part, most) = (close.part, p.spacing_mm);
            return Err(format!(
                "product.close: part {part} must lie behind the end of another one, up to {most} mm"
            ));
        }
        let smallest = p
            .close
            .iter()
            .map(|c| c.behind_mm)
            .fold(p.spacing_mm - 2.0 * p.scatter_mm, f64::min);
        let fastest = self.fastest();
        let settles = (self.line.debounce_ms + self.eye.bounce_us / 1e3) * fastest / 1e3;
        if self.line.free_running.is_none() && (p.length_mm <= settles || smallest - p.length_mm <= settles) {
            return Err(format!(
                "product: parts, and the gaps between them, must be longer than {settles} mm, which pass \
                 while the eye settles"
            ));
        }
        self.check_gate()?;
        match p.hole_mm {
            Some([_, to]) if to >= self.line.lockout_mm => {
                Err("product.hole_mm must end within line.lockout_mm".into())
            }
            Some([from, to]) if !(from > settles && to > from + settles && p.length_mm > to + settles) => {
                Err(format!(
                    "product.hole_mm must lie within the part, {settles} mm from its ends, and be as long"
                ))
            }
            _ => Ok(()),
        }
    }
}

fn in_range(what: &str, value: f64, low: f64, high: f64) -> Result<(), String> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(format!("{what} = {value} must be from {low} to {high}"))
}
