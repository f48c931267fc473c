//! What a processor is used by: threads that share a frame, the rows that each writes, vector instructions.

mod strip;
mod team;
mod vectorised;

pub(crate) use strip::Strip;
pub use team::{Cores, NoThread, Team, has_two_cores};
pub(crate) use vectorised::vectorised;
