//! The simulated belt as a test bench.
//!
//! A [`Scenario`] says how the belt runs, what lies on it and what goes wrong. The [`Plant`] plays it: edges,
//! pulses, exposures, parts at the gate, each at its nanosecond. [`Truth`] works out what each part should
//! get, knowing the belt itself and nothing of the core. [`run`] plays a scenario to the line's core in
//! virtual time and says what went wrong.

#![forbid(unsafe_code)]

mod course;
mod outcome;
mod plant;
mod random;
mod runner;
mod scenario;
mod server;
mod truth;
mod verify;

pub use course::{Course, Leg};
pub use outcome::{Decision, Outcome, Pulse};
pub use plant::{Body, EyeCause, Happening, Physical, Plant};
pub use runner::{run, run_with};
pub use scenario::*;
pub use server::{Pace, Server};
pub use truth::{Certainty, Fate, Ruling, Truth};

/// Milliseconds in nanoseconds.
fn nanos(ms: f64) -> u64 {
    (ms * 1e6).round() as u64
}
