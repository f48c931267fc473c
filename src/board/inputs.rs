//! `[inputs]` of a board file.

use serde::Deserialize;

use super::{ChipId, LineId};
use crate::units::Time;

/// The back ends.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputBackEnd {
    /// The simulated belt.
    #[default]
    Simulated,
    /// Lines of a GPIO character device, by number or name: any board, Raspberry Pi too.
    Gpio(ChipId),
}

/// `[inputs]`: what is wired to which line.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InputsConfig {
    /// The back end.
    pub back_end: InputBackEnd,
    /// Active while a part blocks the beam.
    pub eye: Option<InputWiring>,
    /// Counts the belt's way.
    pub encoder: Option<EncoderWiring>,
    /// Becomes active when a rejected part passes behind the gate.
    pub confirm: Option<InputWiring>,
    /// A button: an operator has seen the faults that wait for one.
    pub acknowledge: Option<InputWiring>,
}

/// One input's line.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputWiring {
    /// The line.
    pub line: LineId,
    /// Whether a low level is active.
    #[serde(default)]
    pub active_low: bool,
    /// The pin's own resistor.
    pub bias: Option<Bias>,
    /// The kernel reports a level once it has held this long; the time of the edge is put back by as much.
    pub kernel_debounce: Option<Time>,
}

/// The encoder's lines.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderWiring {
    /// Channel A. Alone, each of its rising edges is a pulse, forward.
    pub line: LineId,
    /// Channel B, on the same chip: each edge of either is a pulse (four a period), and the belt may run
    /// back.
    pub second: Option<LineId>,
    /// Whether forward is backward.
    #[serde(default)]
    pub reversed: bool,
    /// The pins' own resistors.
    pub bias: Option<Bias>,
}

/// A pin's own resistor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bias {
    /// To the supply.
    PullUp,
    /// To ground.
    PullDown,
    /// None.
    Disabled,
}

impl InputsConfig {
    /// Says what cannot work.
    ///
    /// # Errors
    /// In words, with the key.
    pub fn check(&self, needs_eye: bool, needs_encoder: bool, needs_confirm: bool) -> Result<(), String> {
        let InputBackEnd::Gpio(chip) = &self.back_end else {
            return Ok(());
        };
        let wanted = [
            ("eye", needs_eye, self.eye.is_some(), "[eye] source = \"gpio\""),
            ("encoder", needs_encoder, self.encoder.is_some(), "[belt.encoder]"),
            ("confirm", needs_confirm, self.confirm.is_some(), "[confirm]"),
        ];
        for (name, needed, there, by) in wanted {
            if needed != there {
                let what = if needed {
                    "is missing"
                } else {
                    "has a meaning only with"
                };
                let by = if needed {
                    format!(", and {by} needs it")
                } else {
                    format!(" {by}")
                };
                return Err(format!("inputs.{name} {what}{by}"));
            }
        }
        let mut lines = Vec::new();
        let encoder = self
            .encoder
            .iter()
            .flat_map(|e| [Some(&e.line), e.second.as_ref()].into_iter().flatten());
        for line in [&self.eye, &self.confirm, &self.acknowledge]
            .into_iter()
            .flatten()
            .map(|w| &w.line)
            .chain(encoder)
        {
            chip.check(line).map_err(|e| format!("inputs: {e}"))?;
            if lines.contains(&line) {
                return Err(format!("inputs: two inputs are on line {line}"));
            }
            lines.push(line);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> InputsConfig {
        toml::from_str(text).expect("an [inputs] section")
    }

    #[test]
    fn what_is_needed_must_be_there_and_nothing_else() {
        let eye =
            config("back_end = { gpio = { chip = 'pinctrl-rp1' } }\neye = { line = 17, bias = 'pull-up' }");
        assert_eq!(eye.check(true, false, false), Ok(()));
        assert!(
            eye.check(true, true, false)
                .is_err_and(|e| e.contains("inputs.encoder is missing"))
        );
        assert!(
            eye.check(false, false, false)
                .is_err_and(|e| e.contains("inputs.eye has a meaning only"))
        );
        assert_eq!(
            InputsConfig::default().check(true, true, true),
            Ok(()),
            "the simulated belt has all of them"
        );
    }

    #[test]
    fn one_line_has_one_input() {
        let text = "back_end = { gpio = {} }\neye = { line = 'A' }\nencoder = { line = 'B', second = 'A' }";
        assert!(
            config(text)
                .check(true, true, false)
                .is_err_and(|e| e.contains("\"A\""))
        );
        let number = config("back_end = { gpio = {} }\neye = { line = 4 }");
        assert!(
            number
                .check(true, false, false)
                .is_err_and(|e| e.contains("chip ="))
        );
    }
}
