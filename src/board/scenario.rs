//! The simulated belt of a board file, as a scenario.

use std::time::Duration;

use beltwatch_belt::{
    Belt, Camera, ConfirmSensor, EncoderFaults, Inference, Leg, LineSettings, Product, Scenario,
};
use beltwatch_core::Settings;

use super::{Board, EyeSource};

/// Without an encoder the speed does not matter: at this one a millimetre is a millisecond.
const ANY_MM_PER_S: f64 = 1000.0;

impl Board {
    /// Whether the simulated belt is played.
    pub fn plays_belt(&self) -> bool {
        self.eye.source == EyeSource::Simulated || self.camera.source.is_simulated()
    }

    /// A belt of one speed that brings `parts` parts, without faults.
    ///
    /// # Errors
    /// In words: the board has no `[simulated]` belt, or one that cannot be.
    pub fn scenario(&self, settings: &Settings, parts: u64) -> Result<Scenario, String> {
        let simulated = self.simulated.as_ref().ok_or("there is no [simulated] belt")?;
        let speed = match (&self.belt.encoder, simulated.mm_per_s) {
            (Some(encoder), Some(speed)) if speed > 0.0 && speed <= encoder.max_mm_per_s => speed,
            (Some(encoder), _) => {
                let most = encoder.max_mm_per_s;
                return Err(format!(
                    "a belt with an encoder needs simulated.mm_per_s, its speed, up to {most}"
                ));
            }
            (None, Some(_)) => {
                return Err("simulated.mm_per_s has a meaning only with [belt.encoder]".to_owned());
            }
            (None, None) => ANY_MM_PER_S,
        };
        let mm = |time: Duration| time.as_secs_f64() * speed;
        let (period, scatter) = (simulated.period.0, simulated.scatter.0);
        let mm_per_pulse = self.belt.encoder.as_ref().map_or(1.0, |e| e.mm_per_pulse);
        let unit = if self.belt.encoder.is_some() {
            mm_per_pulse
        } else {
            speed / 1e9
        };
        let confirm = settings
            .confirm
            .map_or(Duration::ZERO, |c| (c.earliest + c.latest) / 2);
        let scenario = Scenario {
            name: self.name.clone(),
            seed: simulated.seed,
            parts,
            belt: Belt {
                profile: vec![Leg {
                    to_mm_s: speed,
                    ramp_ms: 0.0,
                    hold_ms: 0.0,
                }],
                repeat: false,
            },
            product: Product {
                // short enough that two parts never block the beam as one
                length_mm: mm((period - scatter) / 4),
                spacing_mm: mm(period),
                scatter_mm: mm(scatter),
                defect_rate: self.camera.defect_rate,
                ..Product::default()
            },
            encoder: EncoderFaults {
                mm_per_pulse,
                ..EncoderFaults::default()
            },
            camera: Camera::default(),
            inference: Inference::default(),
            line: LineSettings::of(settings, unit),
            confirm_sensor: ConfirmSensor {
                after_ms: confirm.max(settings.pulse.pulse / 2).as_secs_f64() * 1e3,
                fails: Vec::new(),
            },
            ..Scenario::default()
        };
        scenario
            .check()
            .map_err(|e| format!("the simulated belt cannot be: {e}"))?;
        Ok(scenario)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::board::SIMULATED;

    #[test]
    fn the_belt_is_made_for_the_boards_own_settings() {
        let ways = SIMULATED
            .replacen(
                "[belt]",
                "[belt]\nencoder = { mm_per_pulse = 0.37, max_mm_per_s = 1500 }",
                1,
            )
            .replacen("[simulated]", "[simulated]\nmm_per_s = 800.0", 1);
        let keys = ["min_spacing", "lockout", "distance", "window", "guard"];
        let in_mm = |line: &str| match keys.iter().any(|key| line.starts_with(key)) {
            true => line.replacen(" ms\"", " mm\"", 1),
            false => line.to_owned(),
        };
        let ways: Vec<_> = ways.lines().map(in_mm).collect();
        for text in [SIMULATED, &ways.join("\n")] {
            let board = Board::parse(text, Path::new("b.toml")).expect("a board");
            let settings = board.settings().expect("settings");
            let scenario = board.scenario(&settings, 100).expect("a belt");
            assert_eq!(scenario.settings(), settings);
            let outcome = beltwatch_belt::run(&scenario);
            assert_eq!(outcome.wrong, Vec::<String>::new());
            assert_eq!(outcome.counters.triggers, 100);
        }
    }

    #[test]
    fn a_speed_is_for_an_encoder_and_an_encoder_needs_one() {
        let board = Board::simulated();
        let settings = board.settings().expect("settings");
        let mut fast = board.clone();
        fast.simulated.as_mut().expect("a belt").mm_per_s = Some(10.0);
        let error = fast.scenario(&settings, 1).expect_err("no encoder");
        assert!(error.contains("simulated.mm_per_s"), "{error}");
        let error = Board {
            simulated: None,
            ..board
        }
        .scenario(&settings, 1)
        .expect_err("no belt");
        assert!(error.contains("[simulated]"), "{error}");
    }
}
