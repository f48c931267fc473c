//! What the ground truth holds of parts on their way, and what it waits for.

use beltwatch_core::{Cause, MonoNanos, Verdict};

use super::Certainty;
use crate::Body;

#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    pub(super) id: u64,
    pub(super) body: Body,
    pub(super) eye: MonoNanos,
    pub(super) known: MonoNanos,
    pub(super) place: f64,
    pub(super) has_frame: bool,
    pub(super) verdict: Option<Verdict>,
    pub(super) forced: Option<Cause>,
    /// Around which its place of decision passes.
    pub(super) deadline: (u64, u64),
    pub(super) decided: Option<(Verdict, bool)>,
    pub(super) arrival: Option<MonoNanos>,
    pub(super) overrun: bool,
    pub(super) certainty: Certainty,
}

impl Track {
    pub(super) fn blur(&mut self) {
        self.certainty = self.certainty.min(Certainty::Blurred);
    }
}

/// In the order in which those of one time happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    Deadline(u64),
    Contact {
        eye: MonoNanos,
        body: Body,
    },
    Command,
    Frame {
        exposed: MonoNanos,
        delivered: MonoNanos,
        part: u64,
        good: bool,
    },
    Submit {
        track: u64,
        part: u64,
    },
    Verdict {
        track: u64,
        part: u64,
    },
}

/// The beam changes, and has not been steady since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touch {
    pub(super) body: Option<Body>,
    pub(super) blocked: bool,
    pub(super) first: MonoNanos,
    pub(super) last: MonoNanos,
}

/// Which parts are inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Executing {
    No,
    Single(Option<u64>),
    Yes,
}
