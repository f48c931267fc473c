//! What should become of each part.

use beltwatch_core::{MonoNanos, Verdict};

use crate::Body;

/// What should become of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// The line sees it and decides it.
    Decided {
        /// What it gets.
        verdict: Verdict,
        /// Whether it goes on all the same.
        bypassed: bool,
    },
    /// The line cannot know of it: the eye, or the kernel, lost it, or no frame of it was to be looked at.
    Unseen,
}

/// What should become of a part, and when it is at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Which.
    pub body: Body,
    /// When its front came into the beam, if the line can know.
    pub eye: Option<MonoNanos>,
    /// What should become of it.
    pub ruling: Ruling,
    /// When the line learns of it.
    pub known: Option<MonoNanos>,
    /// When its front is at the gate; `None` where the run ended before.
    pub arrival: Option<MonoNanos>,
    /// The tracking queue had no room for it.
    pub overrun: bool,
    /// Whether nobody can say otherwise.
    pub certainty: Certainty,
}

/// How well a fate can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// Not at all: the encoder was dead while the part was on its way.
    Lost,
    /// The encoder cannot tell apart places that make the difference.
    Blurred,
    /// Exactly.
    Certain,
}

impl Fate {
    /// Whether the gate should be open for it.
    pub fn leaves(&self) -> bool {
        matches!(
            self.ruling,
            Ruling::Decided {
                verdict: Verdict::Reject(_),
                bypassed: false
            }
        )
    }
}
