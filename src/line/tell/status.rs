//! What the line is at, and what it judges by.

use std::collections::BTreeMap;
use std::sync::Arc;

use beltwatch_core::{Alarm, Counters, Fault, State};
use beltwatch_vision::judge::promise::Promise;
use beltwatch_vision::judge::score::Score;
use beltwatch_vision::recipe::Recipe;
use serde::Serialize;

use super::Latency;

/// What the line is at, for whoever asks.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::line) struct Status {
    pub(in crate::line) state: State,
    pub(in crate::line) ready: bool,
    pub(in crate::line) bypassed: bool,
    pub(in crate::line) faults: Vec<Fault>,
    pub(in crate::line) alarms: Vec<Alarm>,
    pub(in crate::line) recipe: String,
    pub(in crate::line) threshold: Score,
    pub(in crate::line) taught_threshold: Score,
    /// What the threshold promises, where the recipe says how good parts score.
    pub(in crate::line) false_rejects: Option<Promise>,
    pub(in crate::line) counters: Counters,
    pub(in crate::line) latency: BTreeMap<&'static str, Latency>,
    pub(in crate::line) gate_error: Latency,
    /// Counters that could not be saved because the disk refused, and entries that the record lost.
    pub(in crate::line) saves_failed: u64,
    pub(in crate::line) trace_dropped: u64,
}

impl Status {
    pub(in crate::line) fn judges_by(&mut self, in_force: &InForce) {
        self.recipe.clone_from(&in_force.recipe);
        (self.threshold, self.taught_threshold) = (in_force.threshold, in_force.taught);
        self.false_rejects = in_force.promise();
    }
}

/// What is judged by.
#[derive(Clone, Debug, Default)]
pub(in crate::line) struct InForce {
    /// Product and hash, for people.
    pub(in crate::line) recipe: String,
    /// The whole hash of its manifest.
    pub(in crate::line) sha256: String,
    pub(in crate::line) threshold: Score,
    pub(in crate::line) taught: Score,
    /// How good parts score that were not taught on.
    pub(in crate::line) held_out: Arc<[Score]>,
}

impl InForce {
    pub(in crate::line) fn of(recipe: &Recipe) -> Self {
        let score = &recipe.manifest.score;
        Self {
            recipe: recipe.to_string(),
            sha256: recipe.sha256.clone(),
            threshold: score.threshold,
            taught: score.threshold,
            held_out: score.held_out_scores.as_slice().into(),
        }
    }

    pub(in crate::line) fn promise(&self) -> Option<Promise> {
        Promise::of(&self.held_out, self.threshold)
    }
}
