//! The reject gate: when its output is on, and the outputs that it can be.

pub mod output;
mod schedule;

pub use schedule::{GateSchedule, Switch};
