//! The plant: everything that physically happens on the belt and around it, in order of time.

use std::collections::VecDeque;
use std::sync::Arc;

use beltwatch_core::{Command, Device, MonoNanos, Quality};

use crate::course::Reach;
use crate::scenario::Scenario;

mod camera;
mod encoder;
mod eye;

use camera::CameraSource;
use encoder::EncoderSource;
use eye::EyeSource;

/// How long the run goes on after the last part, and the last thing in the script.
const TAIL_MS: f64 = 2000.0;

/// What goes by the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Body {
    /// A part, counted from 0.
    Part(u64),
    /// Nothing: something blocked the beam, and the line must take it for a part. Counted from 0.
    Ghost(u64),
}

/// Why the eye's level changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EyeCause {
    /// A front came into the beam, or went back out of it.
    Front(Body),
    /// The edge of a part's hole.
    Hole(u64),
    /// A part left the beam, or came back into it.
    Rear(u64),
    /// The contact bounced.
    Bounce,
    /// What blocked the beam is gone.
    Free,
}

/// Something that physically happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Happening {
    /// When.
    pub at: MonoNanos,
    /// What.
    pub what: Physical,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Physical {
    /// The eye's level changed.
    Eye {
        /// To this.
        blocked: bool,
        /// The kernel's number of the edge.
        sequence: u32,
        /// For the ground truth only.
        cause: EyeCause,
    },
    /// An encoder pulse.
    Encoder {
        /// Which way.
        forward: bool,
        /// The kernel's number of the pulse.
        sequence: u32,
    },
    /// The camera takes a picture.
    Exposure {
        /// Of this part.
        part: u64,
        /// The camera's number of the frame.
        sequence: u32,
        /// What can be seen on it.
        quality: Quality,
        /// When the frame is there; later than [`Happening::at`].
        delivered: MonoNanos,
    },
    /// A front is at the gate.
    AtGate {
        /// Whose.
        body: Body,
    },
    /// A device goes down or comes up again.
    Device {
        /// Which.
        device: Device,
        /// Up.
        up: bool,
    },
    /// An operator does something.
    Command(Command),
    /// The last part is through; nothing follows.
    End,
}

/// Plays a scenario, holding no more than what comes next.
pub struct Plant {
    start: MonoNanos,
    eye: EyeSource,
    encoder: EncoderSource,
    camera: CameraSource,
    gate: GateSource,
    ghosts: GateSource,
    script: VecDeque<(u64, Physical)>,
    end: Option<u64>,
}

/// Fronts on their way to the gate.
struct GateSource {
    reach: Reach,
    gate: f64,
    next: Option<(u64, Body)>,
}

impl Plant {
    /// The belt starts at `start`, the times of the scenario count from there. The scenario must have been
    /// checked.
    pub fn new(scenario: &Scenario, start: MonoNanos) -> Self {
        let (scenario, course) = (Arc::new(scenario.clone()), scenario.course());
        let script = script(&scenario);
        let gate = scenario.line.gate_mm;
        let ghosts = scenario
            .eye
            .stuck
            .iter()
            .map(|s| course.way(crate::nanos(s.from_ms)));
        let last = ghosts.fold(scenario.place(scenario.parts - 1), f64::max) + gate + scenario.slack_mm();
        let end = Reach::new(&course)
            .time(last)
            .max(script.back().map_or(0, |s| s.0))
            + crate::nanos(TAIL_MS);
        Self {
            start,
            eye: EyeSource::new(&scenario, &course, end),
            encoder: EncoderSource::new(&scenario, &course, end),
            camera: CameraSource::new(&scenario, &course, start),
            gate: GateSource {
                reach: Reach::new(&course),
                gate,
                next: None,
            },
            ghosts: GateSource {
                reach: Reach::new(&course),
                gate,
                next: None,
            },
            script,
            end: Some(end),
        }
        .begin()
    }

    /// Nothing is left but the belt itself, and an encoder that counts its way.
    pub fn is_through(&self) -> bool {
        let Self {
            eye,
            camera,
            gate,
            ghosts,
            script,
            ..
        } = self;
        let times = [
            eye.peek(),
            camera.peek(),
            gate.next.map(|n| n.0),
            ghosts.next.map(|n| n.0),
        ];
        script.is_empty() && times.into_iter().all(|t| t.is_none())
    }

    fn begin(mut self) -> Self {
        self.gate.load(&self.camera.scenario, 0);
        self
    }

    fn happening(&self, at: u64, what: Physical) -> Happening {
        Happening {
            at: MonoNanos(self.start.0 + at),
            what,
        }
    }
}

/// What happens, in order of time; nothing more after [`Physical::End`].
impl Iterator for Plant {
    type Item = Happening;

    fn next(&mut self) -> Option<Happening> {
        let end = self.end?;
        if self.ghosts.next.is_none()
            && let Some((ghost, place)) = self.eye.ghosts.pop_front()
        {
            let arrival = self.ghosts.reach.time(place + self.ghosts.gate);
            self.ghosts.next = Some((arrival, Body::Ghost(ghost)));
        }
        let times = [
            self.eye.peek(),
            self.encoder.peek(),
            self.camera.peek(),
            self.gate.next.map(|n| n.0),
            self.ghosts.next.map(|n| n.0),
            self.script.front().map(|s| s.0),
        ];
        let next = times
            .into_iter()
            .enumerate()
            .filter_map(|(i, t)| Some((t?, i)))
            .min()
            .filter(|n| n.0 < end);
        let Some((at, source)) = next else {
            self.end = None;
            return Some(self.happening(end, Physical::End));
        };
        let what = match source {
            0 => self.eye.take(),
            1 => self.encoder.take(),
            2 => self.camera.take(),
            3 => self.gate.take(&self.camera.scenario),
            4 => self.ghosts.next.take().map(|(_, body)| Physical::AtGate { body }),
            _ => self.script.pop_front().map(|(_, what)| what),
        };
        what.map(|what| self.happening(at, what))
    }
}

impl GateSource {
    fn load(&mut self, scenario: &Scenario, part: u64) {
        let time = |reach: &mut Reach| (reach.time(scenario.place(part) + self.gate), Body::Part(part));
        self.next = (part < scenario.parts).then(|| time(&mut self.reach));
    }

    fn take(&mut self, scenario: &Scenario) -> Option<Physical> {
        let (_, body) = self.next.take()?;
        if let Body::Part(part) = body {
            self.load(scenario, part + 1);
        }
        Some(Physical::AtGate { body })
    }
}

/// Commands and devices in order of time.
fn script(scenario: &Scenario) -> VecDeque<(u64, Physical)> {
    let mut script: Vec<_> = scenario
        .commands
        .iter()
        .map(|c| (crate::nanos(c.at_ms), Physical::Command(c.command)))
        .collect();
    let mut down = |device, from_ms, to_ms| {
        script.push((crate::nanos(from_ms), Physical::Device { device, up: false }));
        script.push((crate::nanos(to_ms), Physical::Device { device, up: true }));
    };
    scenario
        .devices
        .iter()
        .for_each(|d| down(d.device, d.from_ms, d.to_ms));
    scenario
        .camera
        .unplugged
        .iter()
        .for_each(|s| down(Device::Camera, s.from_ms, s.to_ms));
    script.sort_by_key(|s| s.0);
    script.into()
}
