//! No outputs: the simulated belt looks at what the core wants.

use beltwatch_core::OutputLine;

use super::{OutputError, Outputs};

/// See the module.
#[derive(Debug)]
pub(super) struct NoOutputs;

impl Outputs for NoOutputs {
    fn set(&mut self, _: OutputLine, _: bool) -> Result<(), OutputError> {
        Ok(())
    }
}
