//! The simulated belt's thread: plays what happens on the belt at its time, and looks what the gate does to each part.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use beltwatch_core::{Input, MonoNanos, Quality, Scale, Settings};

use super::camera::Exposure;
use super::queue::Sender;
use super::stage::Stage;
use super::{Arrival, Event, Shared};
use crate::board::Simulated;
use crate::splitmix::{GAMMA, SplitMix64};
use crate::time::Clock;

/// Long waits are cut so that the stage shows that it is alive, and an end is noticed.
const SLICE: Duration = Duration::from_millis(50);

/// What happens on the belt, to which part. Of two things at one time the first here comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Back,
    Front(u64),
    Expose(u64),
    Gate(MonoNanos),
    Confirm,
}

/// A belt of one speed: when its parts come is the same for the same seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    start: MonoNanos,
    period: Duration,
    scatter: Duration,
    length: Duration,
    camera: Duration,
    gate: Duration,
    pulse: Duration,
    confirm: Option<Duration>,
    seed: u64,
}

impl Course {
    /// # Errors
    /// The simulated belt has no encoder.
    pub(super) fn new(simulated: &Simulated, settings: &Settings) -> Result<Self, String> {
        if settings.scale == Scale::Encoder {
            return Err("the simulated belt has one speed: leave out [belt.encoder]".to_owned());
        }
        let time = |stretch: beltwatch_core::Stretch| Duration::from_nanos(stretch.0.max(0) as u64);
        Ok(Self {
            start: MonoNanos(0),
            period: simulated.period.0,
            scatter: simulated.scatter.0,
            // short enough that two parts never block the beam as one
            length: (simulated.period.0 - simulated.scatter.0) / 4,
            camera: time(settings.camera),
            gate: time(settings.gate),
            pulse: settings.pulse.pulse,
            confirm: settings.confirm.map(|c| (c.earliest + c.latest) / 2),
            seed: simulated.seed,
        })
    }

    /// The same parts, from another time on.
    pub(super) fn starting(self, start: MonoNanos) -> Self {
        Self { start, ..self }
    }

    /// The time that a part takes from the eye to the gate.
    pub(super) fn gate(&self) -> Duration {
        self.gate
    }

    /// The eye edge of the part at place `index`.
    fn edge(&self, index: u64) -> MonoNanos {
        let mut chance = SplitMix64(self.seed.wrapping_add(index.wrapping_mul(GAMMA)));
        let early_to_late = chance.bits() % (2 * self.scatter.as_nanos() as u64 + 1);
        self.start + Duration::from_nanos(self.period.as_nanos() as u64 * (index + 1) + early_to_late) - self.scatter
    }
}

pub(super) struct Belt<'q> {
    pub(super) course: Course,
    /// Parts that will be fed.
    pub(super) parts: u64,
    pub(super) inputs: Sender<'q, Input>,
    pub(super) exposures: Sender<'q, Exposure>,
    pub(super) events: SyncSender<Event>,
    pub(super) shared: &'q Shared,
    pub(super) stop: &'q AtomicBool,
}

impl Belt<'_> {
    /// Plays the belt until every part that was fed is past the gate. Where `stop` is set, no further part is fed.
    pub(super) fn run(mut self) {
        let mut to_come = BinaryHeap::new();
        let mut sequence = 0;
        if self.parts > 0 {
            to_come.push(Reverse((self.course.edge(0), What::Front(0))));
        }
        while let Some(Reverse((at, what))) = to_come.pop() {
            if matches!(what, What::Front(_)) && !self.wait_to_feed(at) {
                continue;
            }
            self.wait(at);
            let course = self.course;
            match what {
                What::Front(part) => {
                    self.shared.fault_at(Stage::Belt, part);
                    self.eye(at, &mut sequence, true);
                    to_come.push(Reverse((at + course.length, What::Back)));
                    to_come.push(Reverse((at + course.camera, What::Expose(part))));
                    to_come.push(Reverse((at + course.gate + course.pulse / 2, What::Gate(at))));
                    if part + 1 < self.parts {
                        to_come.push(Reverse((course.edge(part + 1), What::Front(part + 1))));
                    }
                }
                What::Back => self.eye(at, &mut sequence, false),
                What::Expose(part) => self.expose(at, part),
                What::Gate(eye) => {
                    let ejected = self.shared.gate_open.load(Ordering::Acquire);
                    let _ = self.events.send(Event::Arrived(Arrival { eye, ejected, device_cause: None }));
                    if let Some(confirm) = course.confirm.filter(|_| ejected) {
                        to_come.push(Reverse((at - course.pulse / 2 + confirm, What::Confirm)));
                    }
                }
                What::Confirm => self.send(Input::Confirm { at }),
            }
        }
        self.shared.stages.ended(Stage::Belt);
        self.shared.belt_ended.store(true, Ordering::Release);
        self.shared.core_bell.ring();
    }

    fn eye(&mut self, at: MonoNanos, sequence: &mut u32, blocked: bool) {
        self.send(Input::Eye { at, sequence: *sequence, blocked });
        *sequence = sequence.wrapping_add(1);
    }

    fn send(&mut self, input: Input) {
        let shared = self.shared;
        self.inputs.send_when_room(input, || shared.core_ended.load(Ordering::Acquire));
    }

    fn expose(&mut self, at: MonoNanos, part: u64) {
        let exposure =
            Exposure { exposed: at, sequence: part as u32, part: Some(part), quality: Quality::Good, delivered: at };
        let shared = self.shared;
        self.exposures.send_when_room(exposure, || shared.core_ended.load(Ordering::Acquire));
    }

    fn wait(&self, at: MonoNanos) {
        self.shared.stages.advanced(Stage::Belt);
        while at.since(MonoNanos::now()) > SLICE {
            (MonoNanos::now() + SLICE).sleep();
            self.shared.stages.advanced(Stage::Belt);
        }
        at.sleep();
    }

    /// Waits for a part to be fed; whether it is.
    fn wait_to_feed(&self, at: MonoNanos) -> bool {
        while !self.stop.load(Ordering::Relaxed) {
            if at.since(MonoNanos::now()) <= SLICE {
                return true;
            }
            self.shared.stages.advanced(Stage::Belt);
            (MonoNanos::now() + SLICE).sleep();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Board;

    #[test]
    fn edges_scatter_around_their_places_in_order() {
        let board = Board::simulated();
        let settings = board.settings().expect("settings that work");
        let simulated = board.simulated.expect("a belt");
        let course = Course::new(&simulated, &settings).expect("one speed").starting(MonoNanos(1_000_000_000));
        for index in 0..500 {
            let place = 1_000_000_000 + 200_000_000 * (index + 1);
            assert!(course.edge(index).0.abs_diff(place) <= 25_000_000);
            assert!(course.edge(index) + course.length < course.edge(index + 1));
        }
    }
}
