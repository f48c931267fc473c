//! The eye's edges: fronts, rears and holes, bounces, a beam that something else blocks, edges that the
//! kernel lost.

use std::collections::VecDeque;
use std::sync::Arc;

use beltwatch_core::Device;

use super::{Body, EyeCause, Physical};
use crate::course::{Course, Crossing, Crossings};
use crate::random::{Dice, Stream};
use crate::scenario::{Edge, Scenario};

/// A change of the beam, before bounces.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: u64,
    blocked: bool,
    cause: EyeCause,
}

pub(super) struct EyeSource {
    scenario: Arc<Scenario>,
    course: Course,
    crossings: Crossings,
    crossing: Option<Crossing>,
    /// Times at which something begins to block the beam, or is gone.
    stuck: VecDeque<(u64, bool)>,
    part_in_beam: bool,
    is_stuck: bool,
    change: Option<Change>,
    changes: u64,
    edges: VecDeque<(u64, Physical)>,
    sequence: u32,
    restarts: usize,
    ghosts_made: u64,
    /// Ghosts and their places, for the gate.
    pub(super) ghosts: VecDeque<(u64, f64)>,
}

impl EyeSource {
    pub(super) fn new(scenario: &Arc<Scenario>, course: &Course, until: u64) -> Self {
        let s = scenario.clone();
        let per_part = marks_per_part(scenario);
        let marks = Box::new(move |n: i64| match u64::try_from(n) {
            Err(_) => f64::NEG_INFINITY,
            Ok(n) if n / per_part >= s.parts => f64::INFINITY,
            Ok(n) => {
                let hole = s.product.hole_mm.unwrap_or_default();
                let within = match n % per_part {
                    0 => 0.0,
                    i if i + 1 == per_part => s.product.length_mm,
                    i => hole[i as usize - 1],
                };
                s.place(n / per_part) + within
            }
        });
        let mut crossings = Crossings::new(course, marks, -1, until);
        let blind = scenario.line.free_running.is_some();
        let spans = scenario.eye.stuck.iter().filter(|_| !blind);
        let stuck = spans.flat_map(|s| [(crate::nanos(s.from_ms), true), (crate::nanos(s.to_ms), false)]);
        let mut source = Self {
            scenario: scenario.clone(),
            course: course.clone(),
            crossing: if blind { None } else { crossings.next() },
            crossings,
            stuck: stuck.collect(),
            part_in_beam: false,
            is_stuck: false,
            change: None,
            changes: 0,
            edges: VecDeque::new(),
            sequence: 0,
            restarts: 0,
            ghosts_made: 0,
            ghosts: VecDeque::new(),
        };
        source.change = source.next_change();
        source.fill();
        source
    }

    pub(super) fn peek(&self) -> Option<u64> {
        self.edges.front().map(|e| e.0)
    }

    pub(super) fn take(&mut self) -> Option<Physical> {
        let (at, mut edge) = self.edges.pop_front()?;
        if let Physical::Eye {
            blocked: true,
            cause: EyeCause::Front(Body::Ghost(ghost)),
            ..
        } = &mut edge
        {
            *ghost = self.ghosts_made;
            self.ghosts.push_back((self.ghosts_made, self.course.way(at)));
            self.ghosts_made += 1;
        }
        self.fill();
        Some(edge)
    }

    /// The next change of the beam.
    fn next_change(&mut self) -> Option<Change> {
        loop {
            let before = self.part_in_beam || self.is_stuck;
            let crossing = self
                .crossing
                .filter(|c| self.stuck.front().is_none_or(|s| c.at <= s.0));
            let (at, cause) = if let Some(Crossing { at, mark, forward }) = crossing {
                self.crossing = self.crossings.next();
                let per_part = marks_per_part(&self.scenario);
                let (part, place) = (mark as u64 / per_part, mark as u64 % per_part);
                self.part_in_beam = (place % 2 == 0) == forward;
                let cause = match place {
                    0 => EyeCause::Front(Body::Part(part)),
                    i if i + 1 == per_part => EyeCause::Rear(part),
                    _ => EyeCause::Hole(part),
                };
                (at, cause)
            } else {
                let (at, stuck) = self.stuck.pop_front()?;
                self.is_stuck = stuck;
                (
                    at,
                    if stuck {
                        EyeCause::Front(Body::Ghost(0))
                    } else {
                        EyeCause::Free
                    },
                )
            };
            let blocked = self.part_in_beam || self.is_stuck;
            if blocked != before {
                return Some(Change { at, blocked, cause });
            }
        }
    }

    /// Makes edges of the next changes until there is one.
    fn fill(&mut self) {
        while self.edges.is_empty()
            && let Some(change) = self.change.take()
        {
            self.change = self.next_change();
            self.changes += 1;
            let eye = &self.scenario.eye;
            let lost = eye.lost.iter().any(|l| match l.edge {
                Edge::Front => change.blocked && change.cause == EyeCause::Front(Body::Part(l.part)),
                Edge::Rear => !change.blocked && change.cause == EyeCause::Rear(l.part),
            });
            // the beam is steady again before it changes anew
            let room = self.change.map_or(u64::MAX, |next| next.at - change.at) / 2;
            let window = crate::nanos(eye.bounce_us / 1e3).min(room) as f64;
            let dice = Dice(self.scenario.seed);
            let first = self.changes * 128;
            let mut times: Vec<u64> = (0..u64::from(eye.bounces))
                .map(|i| change.at + (dice.unit(Stream::Bounce, first + i) * window) as u64)
                .collect();
            times.sort_unstable();
            if self.scenario.is_down(Device::Inputs, change.at) {
                continue;
            }
            if lost {
                self.sequence = self.sequence.wrapping_add(1 + eye.bounces);
                continue;
            }
            self.edge(change.at, change.blocked, change.cause);
            let mut blocked = change.blocked;
            for at in times {
                blocked = !blocked;
                self.edge(at, blocked, EyeCause::Bounce);
            }
        }
    }

    fn edge(&mut self, at: u64, blocked: bool, cause: EyeCause) {
        let restarts = self.scenario.restarts(Device::Inputs, at);
        if restarts > self.restarts {
            (self.restarts, self.sequence) = (restarts, 0);
        }
        if !self.scenario.is_down(Device::Inputs, at) {
            self.edges.push_back((
                at,
                Physical::Eye {
                    blocked,
                    sequence: self.sequence,
                    cause,
                },
            ));
            self.sequence = self.sequence.wrapping_add(1);
        }
    }
}

fn marks_per_part(scenario: &Scenario) -> u64 {
    if scenario.product.hole_mm.is_some() { 4 } else { 2 }
}
