//! The line at work: threads around the pure parts, joined by bounded queues.
//!
//! ```text
//! eye ──edges──▶ ┌──────┐ ──frames with tags──▶ inspection
//!                │ core │ ◀──────verdicts────── (network, HEE)
//! camera─frames▶ └──────┘ ──▶ gate output
//! ```
//!
//! The core is one thread that owns the tracking queue, the gate's schedule and the output, so nothing on the way from
//! an eye edge to a pulse waits for a lock. What people see (records, terminal, pictures) goes through a queue that drops
//! when it is full and never makes the core wait.

mod belt;
mod core;
mod inspection;
mod latency;
mod record;
mod report;
mod run;
mod screen;
mod sheet;

pub use latency::Latency;
pub use record::{PartRecord, Recorder};
pub use report::Report;
pub use run::{LineError, Options, run};
pub use sheet::contact_sheet;

use crate::capture::Shown;
use crate::inspect::Inspection;
use crate::picture::Picture;
use crate::time::MonoNanos;
use crate::track::{Part, Tag};
use crate::verdict::Verdict;

/// Parts that can be between the eye and the gate.
const IN_FLIGHT: usize = 64;
/// Messages that the core has room for: an edge, a frame and a verdict for each part in flight.
const CORE_QUEUE: usize = 4 * IN_FLIGHT;
/// Reports that wait for whoever shows them.
const REPORT_QUEUE: usize = 1024;

/// A frame, as it comes from the camera.
struct Frame {
    exposed: MonoNanos,
    shown: Shown,
}

/// What comes in.
enum Input {
    /// A part passed the eye.
    Edge(MonoNanos),
    /// The camera took a picture, or failed to.
    Frame(Box<Frame>),
    /// The inspection is through with a part.
    Verdict(Tag, Verdict),
    /// No more edges and frames.
    End,
}

/// A picture to judge.
struct Job {
    tag: Tag,
    frame: Box<Frame>,
}

/// What happened, for people.
enum Event {
    /// A part passed the eye.
    Edge(Tag, MonoNanos),
    /// The inspection is through with a part.
    Inspected(Box<Inspected>),
    /// The camera could not read the part's picture, or no part was there for it.
    Unjudged { name: String, why: String },
    /// A part's fate is sealed.
    Decided { part: Part, verdict: Verdict },
    /// The output was switched.
    Switched { planned: MonoNanos, done: MonoNanos },
    /// A verdict came too late.
    Late(Tag),
}

/// What the inspection found, with the picture of a reject.
struct Inspected {
    tag: Tag,
    exposed: MonoNanos,
    judged: MonoNanos,
    name: String,
    truth: crate::capture::Truth,
    result: Result<Inspection, String>,
    reject: Option<Reject>,
}

/// A rejected part as the network saw it.
struct Reject {
    picture: Picture,
    heat: Vec<u8>,
}
