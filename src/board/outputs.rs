//! `[outputs]` of a board file.

use std::path::PathBuf;

use beltwatch_core::OutputLine;
use serde::{Deserialize, Serialize};

use super::{ChipId, LineId};

/// The back ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputBackEnd {
    /// None: the simulated belt looks at what the core wants.
    #[default]
    Simulated,
    /// Levels in a file, a character `0` or `1` for each line by its number: what another process can look
    /// at.
    File(PathBuf),
    /// Lines of a GPIO character device, by number or name: any board.
    Gpio(ChipId),
    /// A Raspberry Pi's header through its registers, lines by their BCM number.
    Rppal,
}

/// `[outputs]`: what is wired to which line. An output that is not wired does nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutputsConfig {
    /// The back end.
    pub back_end: OutputBackEnd,
    /// The reject actuator; safe: off.
    pub gate: Option<OutputWiring>,
    /// The belt may run; safe: off.
    pub ready: Option<OutputWiring>,
    /// Something is wrong; safe: on.
    pub fault: Option<OutputWiring>,
    /// The program is alive; safe: off.
    pub heartbeat: Option<OutputWiring>,
}

/// One output's line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputWiring {
    /// The line.
    pub line: LineId,
    /// Whether a low level asserts it.
    #[serde(default)]
    pub active_low: bool,
    /// Whether it is asserted while nobody looks after it, where that differs from the output's own safe
    /// state.
    #[serde(default)]
    pub safe: Option<bool>,
}

impl OutputWiring {
    /// The level that asserts it, or not.
    pub fn level(&self, on: bool) -> bool {
        on != self.active_low
    }
}

impl OutputsConfig {
    /// Where an output is wired.
    pub fn wiring(&self, line: OutputLine) -> Option<OutputWiring> {
        match line {
            OutputLine::Gate => self.gate.clone(),
            OutputLine::Ready => self.ready.clone(),
            OutputLine::Fault => self.fault.clone(),
            OutputLine::Heartbeat => self.heartbeat.clone(),
        }
    }

    /// Whether an output is asserted while nobody looks after it.
    pub fn safe(&self, line: OutputLine) -> bool {
        self.wiring(line)
            .and_then(|w| w.safe)
            .unwrap_or(line == OutputLine::Fault)
    }

    /// Whether levels stay when the process ends, so that a guard must see to them.
    pub fn outlive_the_process(&self) -> bool {
        self.back_end != OutputBackEnd::Simulated
    }

    /// Says what cannot work: two outputs on one line, a name where there are only numbers, a number without
    /// a chip.
    ///
    /// # Errors
    /// In words, with the key.
    pub fn check(&self) -> Result<(), String> {
        let wired: Vec<_> = OutputLine::ALL
            .iter()
            .filter_map(|&l| Some((l, self.wiring(l)?.line)))
            .collect();
        for (i, (output, line)) in wired.iter().enumerate() {
            if let Some((other, _)) = wired[..i].iter().find(|(_, l)| l == line) {
                return Err(format!(
                    "outputs: {output:?} and {other:?} are both on line {line}"
                ));
            }
            match &self.back_end {
                OutputBackEnd::File(_) | OutputBackEnd::Rppal if line.number().is_none() => {
                    return Err(format!(
                        "outputs: {output:?}: line {line} is a name; this back end has numbers"
                    ));
                }
                OutputBackEnd::Gpio(chip) => chip
                    .check(line)
                    .map_err(|e| format!("outputs: {output:?}: {e}"))?,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Three outputs, the gate active low, as characters in a file.
    pub(crate) fn config(path: PathBuf) -> OutputsConfig {
        let lines = "gate = { line = 2, active_low = true }\nready = { line = 0 }\nfault = { line = 1 }";
        let config: OutputsConfig = toml::from_str(lines).expect("an [outputs] section");
        OutputsConfig {
            back_end: OutputBackEnd::File(path),
            ..config
        }
    }

    #[test]
    fn two_outputs_on_one_line() {
        let mut config = config("x".into());
        assert_eq!(config.check(), Ok(()));
        config.heartbeat = Some(OutputWiring {
            line: LineId::Number(2),
            active_low: false,
            safe: None,
        });
        assert!(
            config
                .check()
                .is_err_and(|e| e.contains("Gate") && e.contains("line 2"))
        );
    }

    #[test]
    fn numbers_need_a_chip_and_a_file_has_no_names() {
        let mut config = config("x".into());
        config.back_end = OutputBackEnd::Gpio(ChipId::default());
        assert!(
            config
                .check()
                .is_err_and(|e| e.contains("Gate") && e.contains("chip ="))
        );
        config.back_end = OutputBackEnd::Gpio(ChipId {
            chip: Some("pinctrl-rp1".to_owned()),
        });
        assert_eq!(config.check(), Ok(()));
        config.ready = Some(OutputWiring {
            line: LineId::Name("GPIO17".to_owned()),
            active_low: false,
            safe: None,
        });
        assert_eq!(config.check(), Ok(()));
        config.back_end = OutputBackEnd::Rppal;
        assert!(
            config
                .check()
                .is_err_and(|e| e.contains("Ready") && e.contains("GPIO17"))
        );
    }
}
