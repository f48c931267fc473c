//! The eye: one edge a part, without the bounces.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::MonoNanos;

/// How the eye's signal is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EyeSettings {
    /// A level counts once it has held this long. The time of a part stays that of the first contact.
    pub debounce: Duration,
    /// A beam that is blocked for longer is a fault.
    pub stuck: Duration,
}

/// What the eye found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A part's front edge was there at this time.
    Part(MonoNanos),
    /// The beam is free again.
    Clear,
    /// The beam has been blocked for too long.
    Stuck,
}

/// Changes that follow each other too fast to count each.
#[derive(Clone, Copy, Debug)]
struct Burst {
    first: MonoNanos,
    last: MonoNanos,
    blocked: bool,
}

/// Debounces edges and watches for a stuck beam and for edges that the kernel could not deliver.
#[derive(Debug)]
pub(crate) struct Eye {
    settings: EyeSettings,
    blocked: Option<MonoNanos>,
    stuck: bool,
    burst: Option<Burst>,
    sequence: Option<u32>,
    /// Edges that were taken for bounces.
    pub(crate) bounces: u64,
    /// Edges that are missing in the kernel's numbering.
    pub(crate) lost: u64,
}

impl Eye {
    pub(crate) fn new(settings: EyeSettings) -> Self {
        Self {
            settings,
            blocked: None,
            stuck: false,
            burst: None,
            sequence: None,
            bounces: 0,
            lost: 0,
        }
    }

    /// An edge. What came before it may be settled by it: ask [`Eye::advance`] with the edge's own time
    /// first. Returns how many edges are missing before this one.
    pub(crate) fn edge(&mut self, at: MonoNanos, sequence: u32, blocked: bool) -> u32 {
        let missing = self
            .sequence
            .map_or(0, |last| sequence.wrapping_sub(last).wrapping_sub(1));
        self.lost += u64::from(missing);
        self.sequence = Some(sequence);
        if blocked && self.burst.is_none() {
            // two rising edges in a row: the falling one between them was lost
            self.blocked = None;
        }
        self.bounces += u64::from(self.burst.is_some());
        let first = self.burst.map_or(at, |b| b.first);
        self.burst = Some(Burst {
            first,
            last: at,
            blocked,
        });
        missing
    }

    /// The kernel numbers its edges anew.
    pub(crate) fn renumber(&mut self) {
        self.sequence = None;
    }

    /// When [`Eye::advance`] will find something.
    pub(crate) fn due(&self) -> Option<MonoNanos> {
        let settled = self.burst.map(|b| b.last + self.settings.debounce);
        let stuck = self
            .blocked
            .filter(|_| !self.stuck)
            .map(|since| since + self.settings.stuck);
        [settled, stuck].into_iter().flatten().min()
    }

    /// What is certain at `now`; call until `None`.
    pub(crate) fn advance(&mut self, now: MonoNanos) -> Option<Seen> {
        if let Some(burst) = self.burst.filter(|b| b.last + self.settings.debounce <= now) {
            self.burst = None;
            if burst.blocked != self.blocked.is_some() {
                self.blocked = burst.blocked.then_some(burst.first);
                self.stuck = false;
                return Some(if burst.blocked {
                    Seen::Part(burst.first)
                } else {
                    Seen::Clear
                });
            }
        }
        let since = self.blocked?;
        if !self.stuck && since + self.settings.stuck <= now {
            self.stuck = true;
            return Some(Seen::Stuck);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn run(edges: &[(u64, bool)], until: u64) -> (Vec<Seen>, Eye) {
        let settings = EyeSettings {
            debounce: Duration::from_millis(5),
            stuck: Duration::from_millis(500),
        };
        let mut eye = Eye::new(settings);
        let mut seen = Vec::new();
        for (i, &(ms, blocked)) in edges.iter().enumerate() {
            let at = MonoNanos(ms * 1_000_000);
            seen.extend(core::iter::from_fn(|| eye.advance(at)));
            eye.edge(at, i as u32, blocked);
        }
        seen.extend(core::iter::from_fn(|| eye.advance(MonoNanos(until * 1_000_000))));
        (seen, eye)
    }

    fn part(ms: u64) -> Seen {
        Seen::Part(MonoNanos(ms * 1_000_000))
    }

    #[test]
    fn a_part_is_timed_by_its_first_contact_however_it_bounces() {
        let edges = [
            (100, true),
            (101, false),
            (103, true),
            (104, false),
            (106, true),
            (150, false),
            (151, true),
            (152, false),
        ];
        let (seen, eye) = run(&edges, 160);
        assert_eq!(seen, [part(100), Seen::Clear]);
        assert_eq!((eye.bounces, eye.lost), (6, 0));
    }

    #[test]
    fn a_spark_is_no_part() {
        assert_eq!(run(&[(100, true), (102, false)], 400).0, []);
    }

    #[test]
    fn a_level_counts_exactly_when_it_has_held() {
        assert_eq!(run(&[(100, true)], 104).0, []);
        assert_eq!(run(&[(100, true)], 105).0, [part(100)]);
        assert_eq!(run(&[(100, true), (105, false)], 110).0, [part(100), Seen::Clear]);
    }

    #[test]
    fn a_beam_that_stays_blocked_is_stuck_once() {
        assert_eq!(run(&[(100, true)], 599).0, [part(100)]);
        assert_eq!(run(&[(100, true)], 9000).0, [part(100), Seen::Stuck]);
    }

    #[test]
    fn a_lost_falling_edge_costs_no_part_and_is_counted() {
        let (seen, mut eye) = run(&[(100, true), (300, true)], 400);
        assert_eq!(seen, [part(100), part(300)]);
        assert_eq!((eye.edge(MonoNanos(1), 4, false), eye.lost), (2, 2));
    }
}
