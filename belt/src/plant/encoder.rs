//! The encoder's pulses: those that are missing, those that come twice, those that the kernel lost.

use std::collections::VecDeque;
use std::sync::Arc;

use beltwatch_core::{Device, Scale};

use super::Physical;
use crate::course::{Course, Crossing, Crossings};
use crate::random::{Dice, Stream};
use crate::scenario::Scenario;

pub(super) struct EncoderSource {
    scenario: Arc<Scenario>,
    crossings: Crossings,
    next: Option<Crossing>,
    turned: u64,
    pulses: VecDeque<(u64, Physical)>,
    sequence: u32,
    restarts: usize,
}

impl EncoderSource {
    pub(super) fn new(scenario: &Arc<Scenario>, course: &Course, until: u64) -> Self {
        let pitch = scenario.encoder.mm_per_pulse;
        let mut crossings = Crossings::new(course, Box::new(move |n| n as f64 * pitch), 0, until);
        let next = if scenario.line.scale == Scale::Encoder {
            crossings.next()
        } else {
            None
        };
        let scenario = scenario.clone();
        let mut source = Self {
            scenario,
            crossings,
            next,
            turned: 0,
            pulses: VecDeque::new(),
            sequence: 0,
            restarts: 0,
        };
        source.fill();
        source
    }

    pub(super) fn peek(&self) -> Option<u64> {
        self.pulses.front().map(|p| p.0)
    }

    pub(super) fn take(&mut self) -> Option<Physical> {
        let (_, pulse) = self.pulses.pop_front()?;
        self.fill();
        Some(pulse)
    }

    /// Makes pulses of the belt's next turns until there is one.
    fn fill(&mut self) {
        while self.pulses.is_empty()
            && let Some(Crossing { at, forward, .. }) = self.next.take()
        {
            self.next = self.crossings.next();
            self.turned += 1;
            let (encoder, dice, i) = (&self.scenario.encoder, Dice(self.scenario.seed), self.turned);
            if dice.hits(Stream::PulseLost, i, encoder.lost_rate) || encoder.dead.iter().any(|d| d.holds(at))
            {
                continue;
            }
            let doubled = dice.hits(Stream::PulseDoubled, i, encoder.doubled_rate);
            let room = self.next.map_or(u64::MAX, |next| next.at - at) / 2;
            let second = at + crate::nanos(encoder.doubled_us / 1e3).min(room);
            let kernel_lost = dice.hits(Stream::PulseKernel, i, encoder.kernel_lost_rate);
            self.pulse(at, forward, kernel_lost);
            if doubled {
                self.pulse(second, forward, false);
            }
        }
    }

    fn pulse(&mut self, at: u64, forward: bool, kernel_lost: bool) {
        let restarts = self.scenario.restarts(Device::Inputs, at);
        if restarts > self.restarts {
            (self.restarts, self.sequence) = (restarts, 0);
        }
        if !kernel_lost && !self.scenario.is_down(Device::Inputs, at) {
            self.pulses.push_back((
                at,
                Physical::Encoder {
                    forward,
                    sequence: self.sequence,
                },
            ));
        }
        self.sequence = self.sequence.wrapping_add(1);
    }
}
