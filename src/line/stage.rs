//! Does every stage advance?

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::board::Stage;
use crate::clock::{Clock, MonoNanos};

/// Waits are cut into these, so that a stage shows that it is alive, and an end is noticed.
pub(super) const SLICE: Duration = Duration::from_millis(50);

/// When each stage last advanced. A stage that has ended is not missed.
#[derive(Debug)]
pub(super) struct Stages([AtomicU64; Stage::ALL.len()]);

const ENDED: u64 = u64::MAX;

impl Default for Stages {
    fn default() -> Self {
        let now = MonoNanos::now().0;
        Self(std::array::from_fn(|_| AtomicU64::new(now)))
    }
}

impl Stages {
    pub(super) fn advanced(&self, stage: Stage) {
        self.0[stage as usize].store(MonoNanos::now().0, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, stage: Stage) {
        self.0[stage as usize].store(ENDED, Ordering::Relaxed);
    }

    /// Sleeps until `until`, not once it is `given_up`; the stage shows meanwhile that it advances. Whether
    /// the time came.
    pub(super) fn wait(&self, stage: Stage, until: MonoNanos, given_up: impl Fn() -> bool) -> bool {
        loop {
            self.advanced(stage);
            if given_up() {
                return false;
            }
            if until.since(MonoNanos::now()) <= SLICE {
                until.sleep();
                return true;
            }
            (MonoNanos::now() + SLICE).sleep();
        }
    }

    /// The first stage that has stood still for longer than `limit`.
    pub(super) fn hung(&self, now: MonoNanos, limit: Duration) -> Option<Stage> {
        Stage::ALL
            .iter()
            .copied()
            .find(|&s| now.since(MonoNanos(self.0[s as usize].load(Ordering::Relaxed))) > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_stands_still_is_found_and_one_that_ended_is_not() {
        let stages = Stages::default();
        let limit = Duration::from_millis(50);
        let later = MonoNanos::now() + 2 * limit;
        assert_eq!(stages.hung(MonoNanos::now(), limit), None);
        assert_eq!(stages.hung(later, limit), Some(Stage::Belt));
        stages.ended(Stage::Belt);
        stages.0[Stage::Camera as usize].store(later.0, Ordering::Relaxed);
        assert_eq!(stages.hung(later, limit), Some(Stage::Inspection));
    }
}
