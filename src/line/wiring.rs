//! What joins the threads: the queues between them, what travels in them, and what all of them look at.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use beltwatch_core::{Action, Counters, IN_FLIGHT, Input, MonoNanos, Quality, Tag, Verdict};
use beltwatch_vision::inspect::{Inspection, Inspector};
use beltwatch_vision::judge::score::Score;
use heapless::spsc::{Consumer, Producer, Queue};

use super::queue::{Bell, Sender};
use super::stage::Stages;
use super::tell::status::InForce;
use crate::board::{SimulatedFault, SimulatedFaultKind, Stage};
use crate::devices::capture::{Shown, Truth};
use crate::devices::display::{Feed, Reject};

/// What all threads of a line look at.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) belt_ended: AtomicBool,
    pub(super) core_ended: AtomicBool,
    /// What the gate was last told, for the simulated belt's parts.
    pub(super) gate_open: AtomicBool,
    /// No part is between eye and gate, and the gate is at rest.
    pub(super) is_drained: AtomicBool,
    pub(super) stages: Stages,
    pub(super) core_bell: Bell,
    pub(super) camera_bell: Bell,
    pub(super) inspection_bell: Bell,
    pub(super) faults: Vec<SimulatedFault>,
    /// Whether the record wants to know which pictures were judged.
    pub(super) hash_pictures: bool,
    /// Where pictures for the operator's screen go, if there is one.
    pub(super) display: Option<Arc<Feed>>,
}

impl Shared {
    /// The simulated belt's test pieces for the program itself: a stage that hangs at a part, or panics at it
    /// or, where that one never came so far, at the next.
    pub(super) fn fault_at(&self, stage: Stage, part: u64) {
        let is_due = |f: &&SimulatedFault| match f.kind {
            SimulatedFaultKind::Panic => f.part <= part,
            SimulatedFaultKind::Hang(_) => f.part == part,
        };
        for fault in self.faults.iter().filter(|f| f.stage == stage).filter(is_due) {
            log::warn!("simulated fault: {stage} at part {part}");
            match fault.kind {
                SimulatedFaultKind::Panic => panic!("simulated fault"),
                SimulatedFaultKind::Hang(time) => std::thread::sleep(time.0),
            }
        }
    }
}

/// A frame, as it comes from the camera.
pub(super) struct Frame {
    pub(super) exposed: MonoNanos,
    pub(super) sequence: u32,
    pub(super) quality: Quality,
    pub(super) shown: Shown,
}

/// A picture to judge; without a tag only to report.
pub(super) struct Job {
    pub(super) tag: Option<Tag>,
    pub(super) frame: Box<Frame>,
}

/// An entry of what the core did, for the scribe.
pub(super) struct Trace {
    pub(super) t: MonoNanos,
    pub(super) what: Traced,
}

pub(super) enum Traced {
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
pub(super) enum Event {
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
pub(super) enum Change {
    Recipe(Box<Inspector>),
    Threshold(Score),
}

/// What the simulated belt knows of a part at the gate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// Its eye edge.
    pub(super) eye: MonoNanos,
    /// Whether the gate was open.
    pub(super) ejected: bool,
    /// What the device should have decided on a part in which the inspection finds nothing, if that can be
    /// known.
    pub(super) device: Option<Verdict>,
}

/// What the inspection found, with the picture of a reject.
pub(super) struct Inspected {
    pub(super) tag: Tag,
    pub(super) frame: u32,
    pub(super) exposed: MonoNanos,
    pub(super) judged: MonoNanos,
    pub(super) name: String,
    pub(super) truth: Truth,
    pub(super) result: Result<Inspection, String>,
    pub(super) reject: Option<Arc<Reject>>,
    pub(super) sha256: Option<String>,
}

/// The camera's shutter opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exposure {
    pub(super) exposed: MonoNanos,
    pub(super) sequence: u32,
    /// What is in front of it: a place on the belt.
    pub(super) part: u64,
    /// What the picture should look like at first sight.
    pub(super) quality: Quality,
    /// When the frame is there.
    pub(super) delivered: MonoNanos,
}

/// The queues between the threads, each with room for what may wait in it.
#[derive(Default)]
pub(super) struct Queues {
    belt: Box<Queue<Input, 256>>,
    frames: Box<Queue<Box<Frame>, 128>>,
    verdicts: Box<Queue<Input, 128>>,
    commands: Box<Queue<Input, 64>>,
    jobs: Box<Queue<Job, 128>>,
    exposures: Box<Queue<Exposure, 128>>,
    traces: Box<Queue<Trace, 8192>>,
    counters: Box<Queue<Counters, 4>>,
}

const _: () = assert!(
    IN_FLIGHT <= 128,
    "the queues hold a frame and a verdict for every part in flight"
);

/// Both ends of a queue whose reader is woken.
type Rung<'q, T> = (Sender<'q, T>, Consumer<'q, T>);

/// Both ends of each queue.
pub(super) struct Ends<'q> {
    pub(super) belt: Rung<'q, Input>,
    pub(super) frames: Rung<'q, Box<Frame>>,
    pub(super) verdicts: Rung<'q, Input>,
    pub(super) commands: Rung<'q, Input>,
    pub(super) jobs: Rung<'q, Job>,
    pub(super) exposures: Rung<'q, Exposure>,
    pub(super) traces: (Producer<'q, Trace>, Consumer<'q, Trace>),
    pub(super) counters: (Producer<'q, Counters>, Consumer<'q, Counters>),
}

impl Queues {
    /// Who writes to a thread's queue rings its bell.
    pub(super) fn split<'q>(&'q mut self, shared: &'q Shared) -> Ends<'q> {
        Ends {
            belt: rung(&mut self.belt, &shared.core_bell),
            frames: rung(&mut self.frames, &shared.core_bell),
            verdicts: rung(&mut self.verdicts, &shared.core_bell),
            commands: rung(&mut self.commands, &shared.core_bell),
            jobs: rung(&mut self.jobs, &shared.inspection_bell),
            exposures: rung(&mut self.exposures, &shared.camera_bell),
            traces: self.traces.split(),
            counters: self.counters.split(),
        }
    }
}

fn rung<'q, T, const N: usize>(queue: &'q mut Queue<T, N>, bell: &'q Bell) -> Rung<'q, T> {
    let (sender, receiver) = queue.split();
    (Sender::new(sender, bell), receiver)
}
