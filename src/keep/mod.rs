//! What is kept: counters over restarts, records and their replay.

pub mod record;
pub mod store;
