//! The line at work: threads around the pure core, joined by bounded queues with one writer and one reader
//! each.
//!
//! ```text
//! belt ───edges, pulses──▶ ┌──────┐ ──frames with tags──▶ inspection
//! camera ────frames──────▶ │ core │ ◀──────verdicts────── (network, HEE)
//! control ──commands─────▶ └──────┘ ──▶ outputs, guard
//!                              │
//!                              ▼ what came in, what was decided
//!                           scribe: terminal, screen, record, counters on disk, status
//! ```
//!
//! The core's thread owns everything between an eye edge and a pulse; it takes no lock and allocates nothing.
//! What people see goes through a queue that drops, and counts, when it is full, and never makes the core
//! wait.

mod control;
mod core_thread;
mod inspection;
mod live;
mod queue;
mod run;
mod simulated;
mod stage;
mod tell;
mod watch;
mod wiring;

pub use control::{Request, ask, words};
pub use run::{LineError, Options, run};
pub use tell::{Latency, PartRecord, Parts, Report, Times, TruthTable, contact_sheet};
