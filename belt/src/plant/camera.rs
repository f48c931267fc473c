//! The camera: triggered when a part is before it, and what goes wrong with its frames.

use std::sync::Arc;

use beltwatch_core::{Device, MonoNanos, Quality};

use super::Physical;
use crate::course::{Course, Reach};
use crate::random::{Dice, Stream};
use crate::scenario::{FrameFaultKind, Scenario};

pub(super) struct CameraSource {
    pub(super) scenario: Arc<Scenario>,
    start: MonoNanos,
    reach: Reach,
    part: u64,
    next: Option<(u64, Physical)>,
    sequence: u32,
    restarts: usize,
    /// Frames come in the order in which they were taken.
    last_delivered: u64,
}

impl CameraSource {
    pub(super) fn new(scenario: &Arc<Scenario>, course: &Course, start: MonoNanos) -> Self {
        let mut source = Self {
            scenario: scenario.clone(),
            start,
            reach: Reach::new(course),
            part: 0,
            next: None,
            sequence: 0,
            restarts: 0,
            last_delivered: 0,
        };
        source.fill();
        source
    }

    pub(super) fn peek(&self) -> Option<u64> {
        self.next.map(|n| n.0)
    }

    pub(super) fn take(&mut self) -> Option<Physical> {
        let (_, exposure) = self.next.take()?;
        self.fill();
        Some(exposure)
    }

    fn fill(&mut self) {
        while self.next.is_none() && self.part < self.scenario.parts {
            let part = self.part;
            self.part += 1;
            let at = self
                .reach
                .time(self.scenario.place(part) + self.scenario.line.camera_mm);
            self.next = self.expose(at, part).map(|exposure| (at, exposure));
        }
    }

    /// A frame, where one comes of it.
    fn expose(&mut self, at: u64, part: u64) -> Option<Physical> {
        let scenario = self.scenario.clone();
        let (camera, dice) = (&scenario.camera, Dice(scenario.seed));
        if scenario.is_down(Device::Camera, at) {
            return None;
        }
        let restarts = scenario.restarts(Device::Camera, at);
        if restarts > self.restarts {
            (self.restarts, self.sequence) = (restarts, 0);
        }
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        let fault = camera.faults.iter().enumerate().find(|(i, f)| {
            dice.hits(Stream::CameraFault, part * 16 + *i as u64, f.rate)
                || f.parts.contains(&part)
                || f.during.iter().any(|d| d.holds(at))
        });
        let (quality, late_ms) = match fault.map(|(_, f)| (f.kind, f.late_ms)) {
            None => (Quality::Good, 0.0),
            Some((FrameFaultKind::Dropped, _)) => return None,
            Some((FrameFaultKind::Late, late_ms)) => (Quality::Good, late_ms),
            Some((FrameFaultKind::Black, _)) => (Quality::Black, 0.0),
            Some((FrameFaultKind::Saturated, _)) => (Quality::Saturated, 0.0),
            Some((FrameFaultKind::Repeated, _)) => (Quality::Repeated, 0.0),
        };
        let jitter = camera.jitter_ms * dice.unit(Stream::CameraJitter, part);
        let delivered = (at + crate::nanos(camera.latency_ms + jitter + late_ms)).max(self.last_delivered);
        if scenario.is_down(Device::Camera, delivered)
            || scenario.restarts(Device::Camera, delivered) > restarts
        {
            return None;
        }
        self.last_delivered = delivered;
        Some(Physical::Exposure {
            part,
            sequence,
            quality,
            delivered: MonoNanos(self.start.0 + delivered),
        })
    }
}
