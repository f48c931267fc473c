//! No outputs: the simulated belt looks at what the core wants.

use beltwatch_core::OutputLine;

use super::{OutputError, Outputs};

/// Takes every level and does nothing.
#[derive(Debug)]
pub(super) struct NoOutputs;

impl Outputs for NoOutputs {
    fn set(&mut self, _: OutputLine, _: bool) -> Result<(), OutputError> {
        Ok(())
    }
}
