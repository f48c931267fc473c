//! Outputs on lines of a GPIO character device, all in one request: its handle is what the guard process
//! shares.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;

use beltwatch_core::OutputLine;
use gpiocdev_uapi::v2::{LineConfig, LineFlags, LineRequest, LineValues, Offsets, get_line, set_line_values};

use super::{OutputError, Outputs};
use crate::board::{ChipId, OutputsConfig};
use crate::devices::gpio_lines::{GpioError, Place, find, system};

/// Lines of one chip, held by one request.
#[derive(Debug)]
pub struct GpioOutputs {
    /// None where nothing is wired.
    request: Option<File>,
    /// Places of the wired outputs in the request.
    places: [Option<usize>; OutputLine::ALL.len()],
}

impl GpioOutputs {
    /// Claims the lines; each comes up at its safe level.
    ///
    /// # Errors
    /// A line that is not there, or that another program has; lines of more than one chip.
    pub fn claim(chip: &ChipId, config: &OutputsConfig) -> Result<Self, OutputError> {
        let mut wired = Vec::new();
        for &output in OutputLine::ALL {
            if let Some(wiring) = config.wiring(output) {
                wired.push((output, wiring.active_low, find(chip, &wiring.line)?));
            }
        }
        let Some((_, _, Place { path, .. })) = wired.first() else {
            return Ok(Self {
                request: None,
                places: [None; OutputLine::ALL.len()],
            });
        };
        if let Some((output, _, place)) = wired.iter().find(|(_, _, p)| p.path != *path) {
            return Err(OutputError::TwoChips(
                format!("{output:?} on {}", place.path.display()),
                path.clone(),
            ));
        }
        let (mut values, mut low) = (LineValues::default(), 0);
        for (i, (output, active_low, _)) in wired.iter().enumerate() {
            values.set(i, config.safe(*output));
            low |= u64::from(*active_low) << i;
        }
        let mut lines = LineConfig {
            flags: LineFlags::OUTPUT,
            ..LineConfig::default()
        };
        lines.add_values(&values);
        if low != 0 {
            lines.add_flags(LineFlags::OUTPUT | LineFlags::ACTIVE_LOW, low);
        }
        let offsets: Vec<_> = wired.iter().map(|(_, _, place)| place.offset).collect();
        let request = LineRequest {
            offsets: Offsets::from_slice(&offsets),
            consumer: "beltwatch".into(),
            config: lines,
            num_lines: offsets.len() as u32,
            ..LineRequest::default()
        };
        let chip = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(opened)?;
        let request = get_line(&chip, request).map_err(|e| match system(&e).kind() {
            std::io::ErrorKind::ResourceBusy => {
                OutputError::Claimed(format!("lines {offsets:?} of {}", path.display()))
            }
            _ => failed("claim", &e),
        })?;
        Ok(Self::new(request, config))
    }

    /// The lines as another process has claimed them.
    pub fn share(handle: OwnedFd, config: &OutputsConfig) -> Self {
        Self::new(File::from(handle), config)
    }

    fn new(request: File, config: &OutputsConfig) -> Self {
        let mut next = 0..;
        let places = std::array::from_fn(|i| config.wiring(OutputLine::ALL[i]).and_then(|_| next.next()));
        Self {
            request: Some(request),
            places,
        }
    }
}

impl Outputs for GpioOutputs {
    fn set(&mut self, line: OutputLine, on: bool) -> Result<(), OutputError> {
        let (Some(place), Some(request)) = (self.places[line as usize], &self.request) else {
            return Ok(());
        };
        let mut values = LineValues::default();
        values.set(place, on);
        set_line_values(request, &values).map_err(|e| failed("switch", &e))
    }

    fn handle(&self) -> std::io::Result<Option<OwnedFd>> {
        self.request
            .as_ref()
            .map(|file| file.try_clone().map(OwnedFd::from))
            .transpose()
    }
}

fn failed(what: &str, error: &gpiocdev_uapi::Error) -> OutputError {
    GpioError::System {
        what: format!("{what} GPIO outputs"),
        source: system(error),
    }
    .into()
}

fn opened(source: std::io::Error) -> OutputError {
    GpioError::System {
        what: "open the GPIO chip".to_owned(),
        source,
    }
    .into()
}
