//! No inputs: frames make parts.

use std::time::Duration;

use beltwatch_core::Input;

use super::Inputs;
use crate::devices::gpio_lines::GpioError;

/// Nothing ever comes.
pub(super) struct NoInputs;

impl Inputs for NoInputs {
    fn next(&mut self, patience: Duration, _: &mut dyn FnMut(Input)) -> Result<(), GpioError> {
        std::thread::sleep(patience);
        Ok(())
    }
}
