//! The line's inputs: eye, encoder, confirm, acknowledge. Each edge comes with the kernel's own time stamp
//! and number.

mod gpio;
mod none;
mod quadrature;

use std::time::Duration;

use beltwatch_core::Input;

use crate::board::{InputBackEnd, InputsConfig};
use crate::devices::gpio_lines::GpioError;
use none::NoInputs;

pub use gpio::GpioInputs;
pub use quadrature::Quadrature;

/// Where edges come from.
pub trait Inputs: Send {
    /// Gives `out` everything that has come, in the order of each line; waits for something up to `patience`.
    ///
    /// # Errors
    /// The back end is gone.
    fn next(&mut self, patience: Duration, out: &mut dyn FnMut(Input)) -> Result<(), GpioError>;
}

/// Claims the inputs.
///
/// # Errors
/// A line that is not there or not free.
pub fn open(config: &InputsConfig) -> Result<Box<dyn Inputs>, GpioError> {
    Ok(match &config.back_end {
        InputBackEnd::Simulated => Box::new(NoInputs),
        InputBackEnd::Gpio(chip) => Box::new(GpioInputs::claim(chip, config)?),
    })
}
