//! The ground truth: what each part should get, worked out from the belt itself and from what the devices
//! deliver, by the rules of the line and not by its code.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use beltwatch_core::{Cause, Command, Counters, MonoNanos, Quality, Scale, Verdict};

use crate::course::{Course, Reach};
use crate::scenario::Scenario;
use crate::{Body, EyeCause, Happening, Physical, Server};

mod fate;
mod rules;
mod track;

pub use fate::{Certainty, Fate, Ruling};
use track::{Event, Executing, Touch, Track};

/// Watches the plant and knows what should come of it.
#[derive(Debug)]
pub struct Truth {
    scenario: Scenario,
    course: Course,
    start: u64,
    capacity: usize,
    slack: f64,
    reach: [Reach; 3],
    touch: Option<Touch>,
    is_blocked: bool,
    events: BinaryHeap<Reverse<(u64, u8, u64, Event)>>,
    pushed: u64,
    commands: VecDeque<Command>,
    server: Server<(u64, u64)>,
    live: VecDeque<Track>,
    /// Parts at the gate that the line has not learned of; it may do later, from a late frame or after it was
    /// held up.
    early: Vec<(Body, MonoNanos)>,
    next_id: u64,
    last_place: Option<f64>,
    frames: u32,
    executing: Executing,
    bypass: bool,
    reject_next: bool,
    challenge: bool,
    /// From here on nothing is certain.
    is_lost: bool,
    counters: Counters,
    fates: Vec<Fate>,
}

impl Truth {
    /// For a line with room for `capacity` parts on a plant that starts at `start`.
    pub fn new(scenario: &Scenario, start: MonoNanos, capacity: usize) -> Self {
        let course = scenario.course();
        Self {
            reach: [Reach::new(&course), Reach::new(&course), Reach::new(&course)],
            start: start.0,
            capacity,
            slack: scenario.slack_mm(),
            touch: None,
            is_blocked: false,
            events: BinaryHeap::new(),
            pushed: 0,
            commands: VecDeque::new(),
            server: Server::new(scenario, start),
            live: VecDeque::new(),
            early: Vec::new(),
            next_id: 0,
            last_place: None,
            frames: 0,
            executing: Executing::Yes,
            bypass: false,
            reject_next: false,
            challenge: false,
            is_lost: false,
            counters: Counters::default(),
            fates: Vec::new(),
            scenario: scenario.clone(),
            course,
        }
    }

    /// Something happens; call in order of time.
    pub fn observe(&mut self, happening: &Happening) {
        self.advance(happening.at.0);
        let at = happening.at;
        match happening.what {
            Physical::Eye { blocked, cause, .. } => self.eye(at, blocked, cause),
            Physical::Exposure {
                part,
                quality,
                delivered,
                ..
            } => {
                let event = Event::Frame {
                    exposed: at,
                    delivered,
                    part,
                    good: quality == Quality::Good,
                };
                self.push(self.heard(delivered), event);
            }
            Physical::AtGate { body } => self.at_gate(at, body),
            Physical::Command(command) => {
                self.commands.push_back(command);
                self.push(self.heard(at), Event::Command);
            }
            Physical::Encoder { .. } | Physical::Device { .. } | Physical::End => {}
        }
    }

    /// Takes out what has become of parts that are past the gate, for a run without an end: [`Truth::finish`]
    /// does not have them any more, nor its counters their certainty.
    pub fn settled(&mut self) -> impl Iterator<Item = Fate> {
        self.fates.drain(..)
    }

    /// What each part should have got, in the order in which they were decided, and what should have been
    /// counted: parts by what became of them, spacing faults and overruns. Without counters where something
    /// is uncertain.
    pub fn finish(mut self) -> (Vec<Fate>, Option<Counters>) {
        self.advance(u64::MAX);
        while !self.live.is_empty() {
            self.settle_front();
        }
        self.settle_unseen();
        let certain = self.fates.iter().all(|f| f.certainty == Certainty::Certain) && !self.is_lost;
        (self.fates, certain.then_some(self.counters))
    }

    /// When what comes at `at` counts. A line that reckons in time decides by the clock while it is held up;
    /// one with an encoder finds pulses and all else in the order in which they came.
    fn heard(&self, at: MonoNanos) -> u64 {
        match self.scenario.line.scale {
            Scale::Time => self.awake(at.0),
            Scale::Encoder => at.0,
        }
    }

    fn awake(&self, at: u64) -> u64 {
        self.start + self.scenario.awake(at - self.start)
    }

    fn push(&mut self, at: u64, event: Event) {
        self.pushed += 1;
        let rank = match event {
            Event::Deadline(_) => 0,
            _ => 1,
        };
        self.events.push(Reverse((at, rank, self.pushed, event)));
    }

    fn advance(&mut self, until: u64) {
        loop {
            let debounce = crate::nanos(self.scenario.line.debounce_ms);
            let touch = self.touch.map(|t| (t.last.0 + debounce, 1));
            let event = self.events.peek().map(|e| (e.0.0, e.0.1 * 2));
            let server = self.server.due().map(|d| (d.0, 3));
            let Some((at, _)) = [touch, event, server]
                .into_iter()
                .flatten()
                .min()
                .filter(|n| n.0 <= until)
            else {
                return;
            };
            let first = [event, touch, server].map(|n| n.is_some_and(|n| n.0 == at));
            if first[0] && (event.is_some_and(|e| e.1 == 0) || !first[1]) {
                let Some(Reverse((_, _, _, event))) = self.events.pop() else {
                    return;
                };
                self.happen(at, event);
            } else if first[1] {
                let Some(touch) = self.touch.take() else { return };
                let is_news = std::mem::replace(&mut self.is_blocked, touch.blocked) != touch.blocked;
                if let Some(body) = touch.body.filter(|_| is_news && touch.blocked) {
                    self.push(
                        self.heard(MonoNanos(at)),
                        Event::Contact {
                            eye: touch.first,
                            body,
                        },
                    );
                }
            } else if let Some((track, part)) = self.server.finish() {
                self.push(self.heard(MonoNanos(at)), Event::Verdict { track, part });
            }
        }
    }

    fn happen(&mut self, at: u64, event: Event) {
        match event {
            Event::Deadline(id) => self.decide(id),
            Event::Contact { eye, body } => self.contact(at, eye, body),
            Event::Frame {
                exposed,
                delivered,
                part,
                good,
            } => self.frame(at, exposed, delivered, part, good),
            Event::Command => {
                if let Some(command) = self.commands.pop_front() {
                    self.command(at, command);
                }
            }
            Event::Submit { track, part } => self.server.submit(MonoNanos(at), (track, part)),
            Event::Verdict { track, part } => {
                let defect = self.scenario.is_defective(part);
                let slack = self.slack > 0.0;
                if let Some(track) = self.live.iter_mut().find(|t| t.id == track) {
                    if slack && (track.deadline.0..=track.deadline.1).contains(&at) {
                        track.blur();
                    }
                    if track.decided.is_none() && track.verdict.is_none() {
                        track.verdict = Some(if defect {
                            Verdict::Reject(Cause::Defect)
                        } else {
                            Verdict::Pass
                        });
                    }
                }
            }
        }
    }

    fn eye(&mut self, at: MonoNanos, blocked: bool, cause: EyeCause) {
        if self.touch.is_none() && blocked {
            // where it was blocked before, the kernel lost the edge between
            self.is_blocked = false;
        }
        let touch = self.touch.get_or_insert(Touch {
            body: None,
            blocked,
            first: at,
            last: at,
        });
        (touch.last, touch.blocked) = (at, blocked);
        if let EyeCause::Front(body) = cause {
            touch.body = Some(body).filter(|_| blocked);
        }
    }

    /// A time, or way, of the line's scale: nanoseconds or millimetres.
    fn scaled(&self, mm: f64) -> f64 {
        match self.scenario.line.scale {
            Scale::Time => self.scenario.stretch(mm).0 as f64,
            Scale::Encoder => mm,
        }
    }

    fn place(&self, at: MonoNanos) -> f64 {
        match self.scenario.line.scale {
            Scale::Time => at.0 as f64,
            Scale::Encoder => self.course.way(at.0 - self.start),
        }
    }

    fn at_gate(&mut self, at: MonoNanos, body: Body) {
        if let Some(track) = self.live.iter_mut().find(|t| t.body == body) {
            track.arrival = Some(at);
        } else if let Body::Part(_) = body {
            self.early.push((body, at));
        }
        while self.live.front().is_some_and(|t| self.has_passed(t, at)) {
            self.settle_front();
        }
    }

    /// Nothing can change what became of it.
    fn has_passed(&self, track: &Track, at: MonoNanos) -> bool {
        track.decided.is_some() && track.arrival.is_some() && self.awake(track.deadline.1) < at.0
    }

    /// Those that came to the gate and were not seen before.
    fn settle_unseen(&mut self) {
        for (body, at) in self.early.drain(..) {
            let (ruling, arrival, certainty) = (Ruling::Unseen, Some(at), Certainty::Certain);
            self.fates.push(Fate {
                body,
                eye: None,
                ruling,
                known: None,
                arrival,
                overrun: false,
                certainty,
            });
        }
    }

    fn settle_front(&mut self) {
        let Some(Track {
            body,
            eye,
            known,
            decided,
            arrival,
            overrun,
            certainty,
            ..
        }) = self.live.pop_front()
        else {
            return;
        };
        let ruling = decided.map_or(Ruling::Unseen, |(verdict, bypassed)| Ruling::Decided {
            verdict,
            bypassed,
        });
        let certainty = if decided.is_some() {
            certainty
        } else {
            Certainty::Lost
        };
        self.fates.push(Fate {
            body,
            eye: Some(eye),
            ruling,
            known: Some(known),
            arrival,
            overrun,
            certainty,
        });
    }
}
