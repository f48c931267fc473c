//! Outputs on a Raspberry Pi's header through its registers, a fraction of a microsecond a switch.
//!
//! The registers have no owner, and a pin keeps its level when its program dies: that there is one program at
//! a time is seen to by a lock on the registers' device, levels after its end by the guard process.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::fd::OwnedFd;
use std::path::Path;

use beltwatch_core::OutputLine;
use rppal::gpio::{Gpio, Level, OutputPin};

use super::{OutputError, Outputs};
use crate::board::{OutputWiring, OutputsConfig};

/// The registers' device: Raspberry Pi 5, all others.
const DEVICES: [&str; 2] = ["/dev/gpiomem0", "/dev/gpiomem"];

/// Pins of the header.
#[derive(Debug)]
pub struct RppalOutputs {
    pins: [Option<(OutputWiring, OutputPin)>; OutputLine::ALL.len()],
    lock: File,
}

impl RppalOutputs {
    /// Claims the pins; each comes up at its safe level.
    ///
    /// # Errors
    /// This is no Raspberry Pi, the user may not, or another program has them.
    pub fn claim(config: &OutputsConfig) -> Result<Self, OutputError> {
        let device = DEVICES
            .iter()
            .map(Path::new)
            .find(|d| d.exists())
            .unwrap_or(Path::new(DEVICES[1]));
        let failed = |source| OutputError::File {
            path: device.to_owned(),
            source,
        };
        let lock = OpenOptions::new().read(true).open(device).map_err(failed)?;
        lock.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => OutputError::Claimed(device.display().to_string()),
            TryLockError::Error(source) => failed(source),
        })?;
        let mut outputs = Self {
            pins: [const { None }; OutputLine::ALL.len()],
            lock,
        };
        outputs.take_pins(config, true)?;
        Ok(outputs)
    }

    /// The pins as another process has claimed them.
    ///
    /// # Errors
    /// As [`RppalOutputs::claim`].
    pub fn share(handle: OwnedFd, config: &OutputsConfig) -> Result<Self, OutputError> {
        let mut outputs = Self {
            pins: [const { None }; OutputLine::ALL.len()],
            lock: File::from(handle),
        };
        outputs.take_pins(config, false)?;
        Ok(outputs)
    }

    fn take_pins(&mut self, config: &OutputsConfig, make_safe: bool) -> Result<(), OutputError> {
        let gpio = Gpio::new().map_err(|e| OutputError::Rppal(e.to_string()))?;
        for &output in OutputLine::ALL {
            let Some(wiring) = config.wiring(output) else {
                continue;
            };
            let number = wiring
                .line
                .number()
                .and_then(|n| u8::try_from(n).ok())
                .unwrap_or(u8::MAX);
            let pin = gpio
                .get(number)
                .map_err(|e| OutputError::Rppal(format!("{output:?}, GPIO {number}: {e}")))?;
            let mut pin = match (make_safe, wiring.level(config.safe(output))) {
                (false, _) => pin.into_output(),
                // the level first, so that the pin never has another one as an output
                (true, false) => pin.into_output_low(),
                (true, true) => pin.into_output_high(),
            };
            // an input floats: the level is seen to by whoever drops the outputs
            pin.set_reset_on_drop(false);
            self.pins[output as usize] = Some((wiring, pin));
        }
        Ok(())
    }
}

impl Outputs for RppalOutputs {
    fn set(&mut self, line: OutputLine, on: bool) -> Result<(), OutputError> {
        if let Some((wiring, pin)) = &mut self.pins[line as usize] {
            pin.write(Level::from(wiring.level(on)));
        }
        Ok(())
    }

    fn handle(&self) -> std::io::Result<Option<OwnedFd>> {
        self.lock.try_clone().map(|file| Some(file.into()))
    }
}
