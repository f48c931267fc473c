//! The line at work: threads around the pure core, joined by bounded queues with one writer and one reader each.
//!
//! ```text
//! belt ───edges, pulses──▶ ┌──────┐ ──frames with tags──▶ inspection
//! camera ────frames──────▶ │ core │ ◀──────verdicts────── (network, HEE)
//! control ──commands─────▶ └──────┘ ──▶ outputs, guard
//!                              │
//!                              ▼ what came in, what was decided
//!                           scribe: screen, display, record, counters on disk, status
//! ```
//!
//! The core's thread owns everything between an eye edge and a pulse; it takes no lock and allocates nothing. What people
//! see goes through a queue that drops, and counts, when it is full, and never makes the core wait.

mod control;
mod core;
mod inspection;
mod live;
mod queue;
mod run;
mod simulated;
mod stage;
mod tell;
mod watch;

pub use control::{Request, WORDS, ask};
pub use run::{LineError, Options, run};
pub use tell::{Latency, PartRecord, Parts, Report, Times, TruthTable, contact_sheet};

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use beltwatch_core::{Action, Input, MonoNanos, Quality, Tag, Verdict};
use beltwatch_vision::inspect::{Inspection, Inspector};
use beltwatch_vision::judge::score::Score;

use self::queue::Bell;
use self::stage::Stages;
use self::tell::status::InForce;
use crate::board::{SimulatedFault, SimulatedFaultKind, Stage};
use crate::devices::capture::{Shown, Truth};
use crate::devices::display::{Feed, Reject};

/// What all threads of a line look at.
#[derive(Default)]
struct Shared {
    belt_ended: AtomicBool,
    core_ended: AtomicBool,
    /// What the gate was last told, for the simulated belt's parts.
    gate_open: AtomicBool,
    /// No part is between eye and gate, and the gate is at rest.
    is_drained: AtomicBool,
    stages: Stages,
    core_bell: Bell,
    camera_bell: Bell,
    inspection_bell: Bell,
    faults: Vec<SimulatedFault>,
    /// Whether the record wants to know which pictures were judged.
    hash_pictures: bool,
    /// Where pictures for the operator's screen go, if there is one.
    display: Option<Arc<Feed>>,
}

impl Shared {
    /// The simulated belt's test pieces for the program itself: a stage that hangs at a part, or panics at it or, where
    /// that one never came so far, at the next.
    fn fault_at(&self, stage: Stage, part: u64) {
        let is_due = |f: &&SimulatedFault| match f.kind {
            SimulatedFaultKind::Panic => f.part <= part,
            SimulatedFaultKind::Hang(_) => f.part == part,
        };
        for fault in self.faults.iter().filter(|f| f.stage == stage).filter(is_due) {
            log::warn!("simulated fault: {} at part {part}", stage.name());
            match fault.kind {
                SimulatedFaultKind::Panic => panic!("simulated fault"),
                SimulatedFaultKind::Hang(time) => std::thread::sleep(time.0),
            }
        }
    }
}

/// A frame, as it comes from the camera.
struct Frame {
    exposed: MonoNanos,
    sequence: u32,
    quality: Quality,
    shown: Shown,
}

/// A picture to judge; without a tag only to report.
struct Job {
    tag: Option<Tag>,
    frame: Box<Frame>,
}

/// An entry of what the core did, for the scribe.
struct Trace {
    t: MonoNanos,
    what: Traced,
}

enum Traced {
    In(Input),
    Out(Action),
    /// The gate was switched.
    Switched {
        planned: MonoNanos,
        done: MonoNanos,
    },
    /// So many entries found no room.
    Dropped(u64),
}

/// What happened off the line's way, for people.
enum Event {
    /// The inspection is through with a part.
    Inspected(Box<Inspected>),
    /// A picture that nobody judges.
    Unjudged { name: String, why: String },
    /// The simulated belt saw a part at the gate.
    Arrived(Arrival),
    /// An operator changed what is judged by.
    Changed(InForce),
}

/// A change for the inspection, which makes it between two parts.
enum Change {
    Recipe(Box<Inspector>),
    Threshold(Score),
}

/// What the simulated belt knows of a part at the gate.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    /// Its eye edge.
    eye: MonoNanos,
    /// Whether the gate was open.
    ejected: bool,
    /// What the device should have decided on a part in which the inspection finds nothing, if that can be known.
    device: Option<Verdict>,
}

/// What the inspection found, with the picture of a reject.
struct Inspected {
    tag: Tag,
    frame: u32,
    exposed: MonoNanos,
    judged: MonoNanos,
    name: String,
    truth: Truth,
    result: Result<Inspection, String>,
    reject: Option<Arc<Reject>>,
    sha256: Option<String>,
}
