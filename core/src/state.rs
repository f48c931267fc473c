//! Is the line ready, what is wrong: the state machine behind READY and FAULT.

use serde::{Deserialize, Serialize};

/// States, named after OPC UA for Machine Vision (OPC 40100-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// No recipe is loaded.
    #[default]
    Preoperational,
    /// A recipe is loaded; camera, inputs or outputs are not there yet.
    Initialized,
    /// Everything is there, nothing is inspected: parts that come are rejected.
    Ready,
    /// The next part is inspected, then Ready again.
    SingleExecution,
    /// Every part is inspected.
    ContinuousExecution,
    /// Stopped by an operator, an alarm that stops, or for the end; every output is at its safe level.
    Halted,
    /// A fault is there.
    Error,
}

/// What must be up before READY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// The recipe: loaded, self-test passed. Down while it changes.
    Recipe,
    /// The camera: streaming, its controls read back.
    Camera,
    /// Eye, encoder, confirm.
    Inputs,
    /// Gate, READY, FAULT, heartbeat.
    Outputs,
    /// Every stage of the program advances within its time limit.
    Stages,
}

impl Device {
    /// All devices.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What can be wrong. The first ones clear themselves, the others wait for an operator's acknowledgement.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::Display,
    strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Fault {
    /// The camera is gone, silent, or shows nothing that can be judged.
    Camera,
    /// Inputs are gone.
    Inputs,
    /// Outputs are gone.
    Outputs,
    /// A stage of the program does not advance.
    Stages,
    /// The eye's beam has been blocked for too long.
    EyeStuck,
    /// Parts pass the eye, but the encoder is silent.
    EncoderSilent,
    /// Eye edges were lost: a part may have passed unseen.
    EdgesLost,
    /// The program ended without bringing its parts to the gate: those between eye and gate are unknown to
    /// this run.
    PartsUnknown,
    /// More parts are in flight than there is room for.
    QueueFull,
    /// The gate would have been open for longer than the actuator bears.
    MaxOn,
    /// The gate opened too late for a part.
    GateLate,
    /// An alarm that stops the line.
    Alarm,
}

impl Fault {
    /// All faults.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Whether it stays until an operator acknowledges it.
    pub fn is_latched(self) -> bool {
        self >= Self::EdgesLost
    }
}

/// What the line was told to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Idle,
    Single,
    Continuous,
    Halted,
}

#[derive(Debug, Default)]
pub(crate) struct Health {
    up: u8,
    faults: u16,
    pub(crate) mode: Mode,
}

impl Health {
    /// Returns whether it was up before.
    pub(crate) fn device(&mut self, device: Device, up: bool) -> bool {
        let was_up = self.up & device.bit() != 0;
        self.up = if up {
            self.up | device.bit()
        } else {
            self.up & !device.bit()
        };
        was_up
    }

    /// Returns whether that is news.
    pub(crate) fn raise(&mut self, fault: Fault) -> bool {
        let news = !self.has(fault);
        self.faults |= fault.bit();
        news
    }

    /// Returns whether that is news.
    pub(crate) fn clear(&mut self, fault: Fault) -> bool {
        let news = self.has(fault);
        self.faults &= !fault.bit();
        news
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.faults & fault.bit() != 0
    }

    pub(crate) fn has_fault(&self) -> bool {
        self.faults != 0
    }

    pub(crate) fn state(&self) -> State {
        let all = Device::ALL.iter().fold(0, |bits, d| bits | d.bit());
        match self.mode {
            Mode::Halted => State::Halted,
            _ if self.has_fault() => State::Error,
            _ if self.up & Device::Recipe.bit() == 0 => State::Preoperational,
            _ if self.up != all => State::Initialized,
            Mode::Idle => State::Ready,
            Mode::Single => State::SingleExecution,
            Mode::Continuous => State::ContinuousExecution,
        }
    }
}

impl State {
    /// Whether the belt may run: the level of the READY output.
    pub fn is_ready(self) -> bool {
        matches!(
            self,
            Self::Ready | Self::SingleExecution | Self::ContinuousExecution
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_needs_everything() {
        let mut health = Health::default();
        assert_eq!(health.state(), State::Preoperational);
        for &device in Device::ALL {
            assert!(!health.state().is_ready());
            assert!(!health.device(device, true));
        }
        assert_eq!(health.state(), State::Ready);
        health.mode = Mode::Continuous;
        assert_eq!(health.state(), State::ContinuousExecution);
        for &device in Device::ALL {
            assert!(health.device(device, false));
            assert!(!health.state().is_ready());
            health.device(device, true);
        }
    }

    #[test]
    fn any_fault_is_error_and_halted_is_stronger() {
        for &fault in Fault::ALL {
            let mut health = Health::default();
            Device::ALL.iter().for_each(|&d| {
                health.device(d, true);
            });
            assert!(health.raise(fault) && !health.raise(fault));
            assert_eq!(health.state(), State::Error);
            health.mode = Mode::Halted;
            assert_eq!(health.state(), State::Halted);
            assert!(health.clear(fault) && !health.clear(fault) && !health.has_fault());
        }
    }
}
