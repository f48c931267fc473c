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
pub(crate) struct Status {
    pub(crate) state: State,
    pub(crate) ready: bool,
    pub(crate) bypassed: bool,
    pub(crate) faults: Vec<Fault>,
    pub(crate) alarms: Vec<Alarm>,
    pub(crate) recipe: String,
    pub(crate) threshold: Score,
    pub(crate) taught_threshold: Score,
    /// What the threshold promises, where the recipe says how good parts score.
    pub(crate) false_rejects: Option<Promise>,
    pub(crate) counters: Counters,
    pub(crate) latency: BTreeMap<&'static str, Latency>,
    pub(crate) gate_error: Latency,
    /// Counters that could not be saved because the disk refused, and entries that the record lost.
    pub(crate) saves_failed: u64,
    pub(crate) trace_dropped: u64,
}

impl Status {
    pub(crate) fn judges_by(&mut self, in_force: &InForce) {
        self.recipe.clone_from(&in_force.recipe);
        (self.threshold, self.taught_threshold) = (in_force.threshold, in_force.taught);
        self.false_rejects = in_force.promise();
    }
}

/// What is judged by.
#[derive(Clone, Debug, Default)]
pub(crate) struct InForce {
    /// Product and hash, for people.
    pub(crate) recipe: String,
    /// The whole hash of its manifest.
    pub(crate) sha256: String,
    pub(crate) threshold: Score,
    pub(crate) taught: Score,
    /// How good parts score that were not taught on.
    pub(crate) held_out: Arc<[Score]>,
}

impl InForce {
    pub(crate) fn of(recipe: &Recipe) -> Self {
        let score = &recipe.manifest.score;
        Self {
            recipe: recipe.to_string(),
            sha256: recipe.sha256.clone(),
            threshold: score.threshold,
            taught: score.threshold,
            held_out: score.held_out_scores.as_slice().into(),
        }
    }

    pub(crate) fn promise(&self) -> Option<Promise> {
        Promise::of(&self.held_out, self.threshold)
    }
}
