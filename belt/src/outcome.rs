//! What came of a run.

use beltwatch_core::{Action, Alarm, Counters, Fault, MonoNanos, State, Tag, Verdict};

use crate::scenario::Scenario;
use crate::truth::Fate;

/// The gate, from opening to closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// When it should have opened.
    pub planned: MonoNanos,
    /// When it did.
    pub on: MonoNanos,
    /// When it should have closed; `None` where the run ended before.
    pub planned_off: Option<MonoNanos>,
    /// When it did.
    pub off: Option<MonoNanos>,
}

/// What the line decided about a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The part's number.
    pub tag: Tag,
    /// Its eye edge.
    pub eye: MonoNanos,
    /// What it got.
    pub verdict: Verdict,
    /// Whether it went on all the same.
    pub bypassed: bool,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Everything that the line decided, and when it did.
    pub actions: Vec<(MonoNanos, Action)>,
    /// What it decided about parts.
    pub decisions: Vec<Decision>,
    /// What the gate did.
    pub pulses: Vec<Pulse>,
    /// What should have become of each part.
    pub fates: Vec<Fate>,
    /// Faults that came.
    pub faults: Vec<Fault>,
    /// Alarms that came.
    pub alarms: Vec<Alarm>,
    /// Counters at the end.
    pub counters: Counters,
    /// The state at the end.
    pub state: State,
    /// What went wrong, in words: nothing, if the line is right.
    pub wrong: Vec<String>,
}

impl Outcome {
    /// What is not as the scenario expects it, in words.
    pub fn unexpected(&self, scenario: &Scenario) -> Vec<String> {
        scenario
            .expect
            .unexpected(&self.counters, &self.faults, &self.alarms, self.state)
    }
}
