//! What people are told of the line, and what is kept of it; nothing on the line waits for it.

mod latency;
mod parts;
pub(super) mod present;
mod report;
pub(super) mod scribe;
mod sheet;
pub(super) mod status;
pub(super) mod terminal;

pub use latency::{Latency, Times};
pub use parts::{PartRecord, Parts, TruthTable};
pub use report::Report;
pub use sheet::contact_sheet;
