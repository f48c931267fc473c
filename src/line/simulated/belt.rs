//! The simulated belt's thread: plays what happens on the belt at its time, and looks what the gate does to
//! each part.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use beltwatch_belt::{
    Body, Certainty, EyeCause, Fate, Happening, Physical, Plant, Product, Ruling, Scenario, Truth,
};
use beltwatch_core::{IN_FLIGHT, Input, MonoNanos};

use crate::board::Stage;
use crate::clock::realtime;
use crate::line::queue::Sender;
use crate::line::wiring::{Arrival, Event, Exposure, Shared};

/// Above the core's: an edge that is heard of after its level has held for long enough counts as a part.
const PRIORITY: u8 = 41;

/// What the plant leaves to whoever plays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Later {
    /// The actuator reaches the middle of a part.
    Strike(u64),
    Confirm,
}

pub(crate) struct SimulatedBelt<'q> {
    scenario: Scenario,
    /// It goes on for a while after its last part.
    to_the_end: bool,
    pulse: Duration,
    start: MonoNanos,
    plant: Plant,
    later: BinaryHeap<Reverse<(MonoNanos, Later)>>,
    /// Parts that were at the gate, and whether it was open.
    struck: VecDeque<(u64, bool)>,
    /// What should have become of parts.
    fates: VecDeque<Fate>,
    /// Parts up to here have been put on the belt.
    fed: u64,
    /// Parts from here on are not.
    end: u64,
    /// Parts up to here have been at the gate.
    arrived: u64,
    wires: Wires<'q>,
}

/// Where the belt's events go, and what it looks at.
pub(crate) struct Wires<'q> {
    pub(crate) inputs: Sender<'q, Input>,
    /// Where the camera is simulated, too.
    pub(crate) exposures: Option<Sender<'q, Exposure>>,
    pub(crate) events: SyncSender<Event>,
    pub(crate) shared: &'q Shared,
    pub(crate) stop: &'q AtomicBool,
}

impl<'q> SimulatedBelt<'q> {
    /// A belt that starts at `start`. `to_the_end`: as in virtual time it goes on for a while after its last
    /// part.
    pub(crate) fn new(scenario: Scenario, start: MonoNanos, to_the_end: bool, wires: Wires<'q>) -> Self {
        Self {
            to_the_end,
            pulse: scenario.settings().pulse.pulse,
            start,
            plant: Plant::new(&scenario, start),
            later: BinaryHeap::new(),
            struck: VecDeque::new(),
            fates: VecDeque::new(),
            fed: 0,
            end: scenario.parts,
            arrived: 0,
            scenario,
            wires,
        }
    }

    /// Plays the belt until every part is past the gate. Where there is a wish to stop, no further part is
    /// fed.
    pub(crate) fn run(mut self) {
        // what the inspection finds is not the device's doing
        let product = Product {
            defect_rate: 0.0,
            defects: Vec::new(),
            ..self.scenario.product.clone()
        };
        let for_the_device = Scenario {
            product,
            ..self.scenario.clone()
        };
        let mut truth = Truth::new(&for_the_device, self.start, IN_FLIGHT);
        realtime::enter(PRIORITY);
        let mut next = self.plant.next();
        while let Some(at) = self.next_time(next.as_ref()) {
            if !self
                .wires
                .shared
                .stages
                .wait(Stage::Belt, at, || self.is_over(next.as_ref()))
            {
                break;
            }
            match next.filter(|n| n.at == at) {
                Some(happening) => {
                    next = self.plant.next();
                    truth.observe(&happening);
                    self.happens(happening);
                }
                None => self.comes(),
            }
            self.fates.extend(truth.settled());
            self.tell_fates();
        }
        self.fates.extend(truth.finish().0);
        self.tell_fates();
        let shared = self.wires.shared;
        shared.stages.ended(Stage::Belt);
        shared.belt_ended.store(true, Ordering::Release);
        shared.core_bell.ring();
    }

    fn next_time(&self, next: Option<&Happening>) -> Option<MonoNanos> {
        [next.map(|n| n.at), self.later.peek().map(|l| l.0.0)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Nothing is to come but the belt's own way.
    fn is_over(&self, next: Option<&Happening>) -> bool {
        let is_way = |n: &Happening| matches!(n.what, Physical::Encoder { .. } | Physical::End);
        let is_through = !self.to_the_end && self.plant.is_through() && next.is_none_or(is_way);
        self.arrived >= if self.stops() { self.fed } else { self.end }
            && self.later.is_empty()
            && (is_through || self.stops())
            && self.wires.shared.is_drained.load(Ordering::Acquire)
    }

    fn stops(&self) -> bool {
        self.wires.stop.load(Ordering::Relaxed)
    }

    /// A part was not put on the belt: nothing comes by the eye any more.
    fn is_closed(&self) -> bool {
        self.end < self.scenario.parts
    }

    fn happens(&mut self, Happening { at, what }: Happening) {
        match what {
            Physical::Eye {
                blocked,
                sequence,
                cause,
            } => {
                if let EyeCause::Front(Body::Part(part)) = cause {
                    self.wires.shared.fault_at(Stage::Belt, part);
                    if self.stops() && part >= self.fed {
                        self.end = self.end.min(part);
                    } else {
                        self.fed = self.fed.max(part + 1);
                    }
                }
                if !self.is_closed() {
                    self.send(Input::Eye {
                        at,
                        sequence,
                        blocked,
                    });
                }
            }
            Physical::Encoder { forward, sequence } => self.send(Input::Encoder {
                at,
                sequence,
                forward,
            }),
            Physical::Exposure {
                part,
                sequence,
                quality,
                delivered,
            } if part < self.end => {
                let exposure = Exposure {
                    exposed: at,
                    sequence,
                    part,
                    quality,
                    delivered,
                };
                let shared = self.wires.shared;
                if let Some(exposures) = &mut self.wires.exposures {
                    exposures.send_when_room(exposure, || shared.core_ended.load(Ordering::Acquire));
                }
            }
            Physical::AtGate {
                body: Body::Part(part),
            } if part < self.end => {
                self.later
                    .push(Reverse((at + self.pulse / 2, Later::Strike(part))));
            }
            Physical::Device { device, up } => self.send(Input::Device { device, up }),
            Physical::Command(command) => self.send(Input::Command(command)),
            Physical::Exposure { .. } | Physical::AtGate { .. } | Physical::End => {}
        }
    }

    fn comes(&mut self) {
        let Some(Reverse((at, later))) = self.later.pop() else {
            return;
        };
        match later {
            Later::Strike(part) => {
                let ejected = self.wires.shared.gate_open.load(Ordering::Acquire);
                self.struck.push_back((part, ejected));
                self.arrived = self.arrived.max(part + 1);
                let sensor = &self.scenario.confirm_sensor;
                if self.scenario.line.confirm.is_some() && ejected && !sensor.fails.contains(&part) {
                    let after = Duration::from_secs_f64(sensor.after_ms / 1e3);
                    self.later
                        .push(Reverse((at - self.pulse / 2 + after, Later::Confirm)));
                }
            }
            Later::Confirm => self.send(Input::Confirm { at }),
        }
    }

    /// Of parts that were at the gate, once it is known what should have become of them.
    fn tell_fates(&mut self) {
        while let Some(fate) = self.fates.front() {
            if let (Body::Part(part), Some(eye)) = (fate.body, fate.eye) {
                let Some(place) = self.struck.iter().position(|s| s.0 == part) else {
                    return;
                };
                let ejected = self.struck.drain(..=place).next_back().is_some_and(|s| s.1);
                let device = match fate.ruling {
                    // nobody knows what a real camera gave
                    _ if self.wires.exposures.is_none() => None,
                    Ruling::Decided { verdict, .. } if fate.certainty == Certainty::Certain => Some(verdict),
                    _ => None,
                };
                let _ = self
                    .wires
                    .events
                    .send(Event::Arrived(Arrival { eye, ejected, device }));
            }
            self.fates.pop_front();
        }
    }

    fn send(&mut self, input: Input) {
        let shared = self.wires.shared;
        self.wires
            .inputs
            .send_when_room(input, || shared.core_ended.load(Ordering::Acquire));
    }
}
