//! The inspection as a queue with one server.

use std::collections::VecDeque;
use std::time::Duration;

use beltwatch_core::MonoNanos;

use crate::random::{Dice, Stream};
use crate::scenario::{Inference, Scenario};

/// How long the inspection takes for a frame.
#[derive(Clone, Debug)]
pub struct Pace {
    model: Inference,
    dice: Dice,
    start: MonoNanos,
}

impl Pace {
    /// The scenario's times count from `start`.
    pub fn new(scenario: &Scenario, start: MonoNanos) -> Self {
        Self {
            model: scenario.inference.clone(),
            dice: Dice(scenario.seed),
            start,
        }
    }

    /// For the frame that is the `served`th, begun at `now`.
    pub fn time(&self, now: MonoNanos, served: u64) -> Duration {
        let at = now.0.saturating_sub(self.start.0);
        let slow = self
            .model
            .slow
            .iter()
            .find(|s| (crate::nanos(s.from_ms)..crate::nanos(s.to_ms)).contains(&at));
        let jitter = self.model.jitter_ms * self.dice.unit(Stream::Inference, served);
        Duration::from_nanos(crate::nanos(
            slow.map_or(self.model.time_ms, |s| s.time_ms) + jitter,
        ))
    }
}

/// One frame at a time, in the order in which they come, or only the newest that waits.
#[derive(Clone, Debug)]
pub struct Server<Job> {
    pace: Pace,
    busy: Option<(MonoNanos, Job)>,
    waiting: VecDeque<Job>,
    served: u64,
}

impl<Job: Copy> Server<Job> {
    /// An idle server; the scenario's times count from `start`.
    pub fn new(scenario: &Scenario, start: MonoNanos) -> Self {
        Self {
            pace: Pace::new(scenario, start),
            busy: None,
            waiting: VecDeque::new(),
            served: 0,
        }
    }

    /// A frame comes.
    pub fn submit(&mut self, now: MonoNanos, job: Job) {
        if self.pace.model.newest_wins {
            self.waiting.clear();
        }
        self.waiting.push_back(job);
        self.begin(now);
    }

    /// When it is through with a frame.
    pub fn due(&self) -> Option<MonoNanos> {
        self.busy.map(|b| b.0)
    }

    /// It is through, at [`Server::due`].
    pub fn finish(&mut self) -> Option<Job> {
        let (at, job) = self.busy.take()?;
        self.begin(at);
        Some(job)
    }

    fn begin(&mut self, now: MonoNanos) {
        if self.busy.is_none()
            && let Some(job) = self.waiting.pop_front()
        {
            let time = self.pace.time(now, self.served);
            self.served += 1;
            self.busy = Some((now + time, job));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(newest_wins: bool) -> Server<u32> {
        let inference = Inference {
            time_ms: 10.0,
            newest_wins,
            ..Inference::default()
        };
        Server::new(
            &Scenario {
                inference,
                ..Scenario::default()
            },
            MonoNanos(0),
        )
    }

    fn run(mut server: Server<u32>) -> Vec<(u64, u32)> {
        (0..4).for_each(|i| server.submit(MonoNanos(u64::from(i) * 1_000_000), i));
        std::iter::from_fn(|| Some((server.due()?.0 / 1_000_000, server.finish()?))).collect()
    }

    #[test]
    fn one_at_a_time() {
        assert_eq!(run(server(false)), [(10, 0), (20, 1), (30, 2), (40, 3)]);
    }

    #[test]
    fn or_the_newest() {
        assert_eq!(run(server(true)), [(10, 0), (20, 3)]);
    }
}
