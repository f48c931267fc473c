//! Plays a scenario to the line in virtual time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::iter::Peekable;

use beltwatch_core::{
    Action, Command, Counters, Device, Fault, IN_FLIGHT, Input, Line, MonoNanos, OutputLine, Tag, Verdict,
};

use crate::outcome::{Decision, Outcome, Pulse};
use crate::scenario::Scenario;
use crate::{Body, Certainty, Happening, Physical, Plant, Server, Truth};

/// The belt does not start at the clock's zero.
const START: MonoNanos = MonoNanos(1_000_000_000);
/// What is wrong is listed up to here; one mistake often makes thousands.
const MOST_WRONG: usize = 20;

/// What comes later, besides what the plant does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Later {
    Wake,
    Frame(usize),
    Strike(u64),
    Confirm,
}

struct Runner<'a, const N: usize> {
    scenario: &'a Scenario,
    line: Line<N>,
    plant: Peekable<Plant>,
    truth: Truth,
    server: Server<(Tag, u64)>,
    later: BinaryHeap<Reverse<(MonoNanos, u64, Later)>>,
    pushed: u64,
    /// What came while the line was held up.
    waiting: VecDeque<(Input, u64)>,
    /// Frames on their way, with their parts.
    frames: Vec<Option<(Input, u64)>>,
    now: MonoNanos,
    up: [bool; Device::ALL.len()],
    outputs_up: bool,
    scratch: Vec<Action>,
    eyes: VecDeque<(Tag, MonoNanos)>,
    outcome: Outcome,
}

/// Runs a scenario on a line with the device's room for parts; the scenario must have been checked.
pub fn run(scenario: &Scenario) -> Outcome {
    run_with::<{ IN_FLIGHT }>(scenario)
}

/// Runs a scenario on a line with room for `N` parts.
pub fn run_with<const N: usize>(scenario: &Scenario) -> Outcome {
    let settings = scenario.settings();
    let line = match Line::new(settings, Counters::default()) {
        Ok(line) => line,
        Err(error) => {
            return Outcome {
                wrong: vec![format!("the line refuses its settings: {error}")],
                ..Outcome::default()
            };
        }
    };
    let mut runner = Runner::<N> {
        scenario,
        line,
        plant: Plant::new(scenario, START).peekable(),
        truth: Truth::new(scenario, START, N),
        server: Server::new(scenario, START),
        later: BinaryHeap::new(),
        pushed: 0,
        waiting: VecDeque::new(),
        frames: Vec::new(),
        now: START,
        up: [false; Device::ALL.len()],
        outputs_up: true,
        scratch: Vec::new(),
        eyes: VecDeque::new(),
        outcome: Outcome::default(),
    };
    runner.play();
    let Runner {
        line,
        truth,
        mut outcome,
        ..
    } = runner;
    outcome.counters = line.counters();
    outcome.state = line.state();
    let (fates, counters) = truth.finish();
    outcome.fates = fates;
    // with an encoder that was dead the gate is, for the line, further off than it is
    if !line.is_drained() && outcome.fates.iter().all(|f| f.certainty != Certainty::Lost) {
        outcome
            .wrong
            .push("parts, or an open gate, are left at the end".into());
    }
    let wrong = crate::verify::verify(scenario, START, N, &outcome, counters);
    outcome.wrong.extend(wrong);
    outcome.wrong.truncate(MOST_WRONG);
    outcome
}

impl<const N: usize> Runner<'_, N> {
    fn play(&mut self) {
        for &device in Device::ALL {
            self.hear(Input::Device { device, up: true }, 0);
        }
        self.hear(Input::Command(Command::Start), 0);
        for held in &self.scenario.held {
            self.push(MonoNanos(START.0 + crate::nanos(held.to_ms)), Later::Wake);
        }
        while self.outcome.wrong.len() < MOST_WRONG {
            let due = self.line.due().map(|d| self.awake(d.max(self.now)));
            let later = self.later.peek().map(|l| l.0.0);
            let server = self.server.due();
            let plant = self.plant.peek().map(|h| h.at);
            let Some(at) = [due, later, server, plant].into_iter().flatten().min() else {
                return;
            };
            self.now = at;
            if later == Some(at) && self.later.peek().is_some_and(|l| l.0.2 == Later::Wake) {
                self.later.pop();
                while let Some((input, part)) = self.waiting.pop_front() {
                    self.take(input, part);
                }
                self.do_what_is_due();
            } else if due == Some(at) {
                self.do_what_is_due();
            } else if later == Some(at) {
                self.comes();
            } else if server == Some(at) {
                if let Some((tag, part)) = self.server.finish() {
                    let defect = Verdict::Reject(beltwatch_core::Cause::Defect);
                    let verdict = if self.scenario.is_defective(part) {
                        defect
                    } else {
                        Verdict::Pass
                    };
                    self.hear(Input::Verdict { tag, verdict }, part);
                }
            } else if let Some(happening) = self.plant.next() {
                self.truth.observe(&happening);
                if happening.what == Physical::End {
                    return;
                }
                self.happens(happening);
            }
        }
    }

    fn push(&mut self, at: MonoNanos, later: Later) {
        self.pushed += 1;
        self.later.push(Reverse((at, self.pushed, later)));
    }

    fn awake(&self, at: MonoNanos) -> MonoNanos {
        MonoNanos(START.0 + self.scenario.awake(at.0 - START.0))
    }

    fn happens(&mut self, Happening { at, what }: Happening) {
        match what {
            Physical::Eye {
                blocked, sequence, ..
            } => self.hear(
                Input::Eye {
                    at,
                    sequence,
                    blocked,
                },
                0,
            ),
            Physical::Encoder { forward, sequence } => self.hear(
                Input::Encoder {
                    at,
                    sequence,
                    forward,
                },
                0,
            ),
            Physical::Exposure {
                part,
                sequence,
                quality,
                delivered,
            } => {
                let frame = (
                    Input::Frame {
                        exposed: at,
                        sequence,
                        quality,
                    },
                    part,
                );
                let place = self
                    .frames
                    .iter()
                    .position(Option::is_none)
                    .unwrap_or(self.frames.len());
                self.frames.resize(self.frames.len().max(place + 1), None);
                self.frames[place] = Some(frame);
                self.push(delivered, Later::Frame(place));
            }
            Physical::AtGate {
                body: Body::Part(part),
            } => {
                let half = self.scenario.settings().pulse.pulse / 2;
                self.push(at + half, Later::Strike(part));
            }
            Physical::AtGate { body: Body::Ghost(_) } | Physical::End => {}
            Physical::Device { device, up } => {
                self.outputs_up = if device == Device::Outputs {
                    up
                } else {
                    self.outputs_up
                };
                self.hear(Input::Device { device, up }, 0);
            }
            Physical::Command(command) => self.hear(Input::Command(command), 0),
        }
    }

    fn comes(&mut self) {
        let Some(Reverse((at, _, later))) = self.later.pop() else {
            return;
        };
        match later {
            Later::Wake => {}
            Later::Frame(place) => {
                if let Some((input, part)) = self.frames[place].take() {
                    self.hear(input, part);
                }
            }
            Later::Strike(part) => {
                let is_open = self.line.is_on(OutputLine::Gate) && self.outputs_up;
                let sensor = &self.scenario.confirm_sensor;
                if self.scenario.line.confirm.is_some() && is_open && !sensor.fails.contains(&part) {
                    let half = self.scenario.settings().pulse.pulse / 2;
                    let arrival = at - half;
                    self.push(
                        MonoNanos(arrival.0 + crate::nanos(sensor.after_ms)),
                        Later::Confirm,
                    );
                }
            }
            Later::Confirm => self.hear(Input::Confirm { at }, 0),
        }
    }

    /// Something comes in; the line hears of it when it is not held up.
    fn hear(&mut self, input: Input, part: u64) {
        if self.awake(self.now) > self.now {
            self.waiting.push_back((input, part));
        } else {
            self.take(input, part);
        }
    }

    fn take(&mut self, input: Input, part: u64) {
        if let Input::Device { device, up } = input {
            self.up[device as usize] = up;
        }
        self.line.take(self.now, input, &mut |a| self.scratch.push(a));
        self.note(part, !matches!(input, Input::Encoder { .. }));
    }

    fn do_what_is_due(&mut self) {
        self.line.advance(self.now, &mut |a| self.scratch.push(a));
        self.note(0, true);
        if self.line.due().is_some_and(|due| due <= self.now) {
            self.wrong("the line does not do what is due".into());
            self.outcome.wrong.resize(MOST_WRONG, String::new());
        }
    }

    fn wrong(&mut self, what: String) {
        self.outcome
            .wrong
            .push(format!("{} ms: {what}", (self.now.0 - START.0) as f64 / 1e6));
    }

    /// Writes down what the line did, and looks at what must hold at any time.
    fn note(&mut self, part: u64, look: bool) {
        let look = look || !self.scratch.is_empty();
        let mut actions = std::mem::take(&mut self.scratch);
        for &action in &actions {
            self.outcome.actions.push((self.now, action));
            match action {
                Action::Part { tag, eye } => self.eyes.push_back((tag, eye)),
                Action::Judge { tag, .. } => self.server.submit(self.now, (tag, part)),
                Action::Decided {
                    tag,
                    verdict,
                    bypassed,
                } => {
                    let place = self.eyes.iter().position(|e| e.0 == tag);
                    match place.and_then(|i| self.eyes.remove(i)) {
                        Some((_, eye)) => self.outcome.decisions.push(Decision {
                            tag,
                            eye,
                            verdict,
                            bypassed,
                        }),
                        None => self.wrong(format!("part {} is decided and never was, or twice", tag.0)),
                    }
                }
                Action::Output {
                    line: OutputLine::Gate,
                    on: true,
                    planned,
                } => {
                    let pulse = Pulse {
                        planned,
                        on: self.now,
                        planned_off: None,
                        off: None,
                    };
                    self.outcome.pulses.push(pulse);
                }
                Action::Output {
                    line: OutputLine::Gate,
                    on: false,
                    planned,
                } => {
                    if let Some(pulse) = self.outcome.pulses.last_mut() {
                        (pulse.planned_off, pulse.off) = (Some(planned), Some(self.now));
                    }
                }
                Action::Fault { fault, raised: true } if !self.outcome.faults.contains(&fault) => {
                    self.outcome.faults.push(fault);
                }
                Action::Alarm { alarm, raised: true } if !self.outcome.alarms.contains(&alarm) => {
                    self.outcome.alarms.push(alarm);
                }
                _ => {}
            }
        }
        actions.clear();
        self.scratch = actions;
        if look {
            self.look();
        }
    }

    fn look(&mut self) {
        let c = self.line.counters();
        let sum = c.passed + c.bypassed + c.rejected.total() + self.line.in_flight().count() as u64;
        if c.triggers != sum {
            self.wrong(format!(
                "{} triggers, but {sum} parts decided or in flight",
                c.triggers
            ));
        }
        let faults = Fault::ALL.iter().any(|&f| self.line.has(f));
        if self.line.is_on(OutputLine::Ready) && (faults || self.up.contains(&false)) {
            self.wrong("READY, with a fault or a device down".into());
        }
        if self.line.is_on(OutputLine::Fault) != faults {
            self.wrong(format!("FAULT is {}", !faults));
        }
    }
}
