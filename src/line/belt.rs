//! The simulated belt: an eye and a camera that see the same parts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::{Event, Frame, Input};
use crate::board::{Board, milliseconds};
use crate::capture::PartCamera;
use crate::splitmix::{GAMMA, SplitMix64};
use crate::time::{Clock, MonoNanos};

/// When the parts come: the same times for the same seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Belt {
    start: MonoNanos,
    period: Duration,
    scatter: Duration,
    camera_delay: Duration,
    seed: u64,
}

impl Belt {
    pub(super) fn new(board: &Board, start: MonoNanos) -> Self {
        Self {
            start,
            period: milliseconds(board.eye.period_ms),
            scatter: milliseconds(board.eye.scatter_ms),
            camera_delay: milliseconds(board.camera.delay_ms),
            seed: board.camera.seed,
        }
    }

    /// The eye edge of the part at place `index`.
    pub(super) fn edge(&self, index: u64) -> MonoNanos {
        let mut chance = SplitMix64(self.seed.wrapping_add(index.wrapping_mul(GAMMA)));
        let early_to_late = chance.bits() % (2 * self.scatter.as_nanos() as u64 + 1);
        self.start + Duration::from_nanos(self.period.as_nanos() as u64 * (index + 1) + early_to_late) - self.scatter
    }

    /// Sends the edge of every part below `parts` at its time. Where `stop` is set, `parts` becomes the number sent.
    pub(super) fn eye(&self, parts: &AtomicU64, stop: &AtomicBool, core: &SyncSender<Input>) {
        for index in 0..parts.load(Ordering::Acquire) {
            let edge = self.edge(index);
            edge.sleep();
            if stop.load(Ordering::Relaxed) || core.send(Input::Edge(edge)).is_err() {
                parts.store(index, Ordering::Release);
                return;
            }
        }
    }

    /// Sends the picture of every part below `parts` at its time, prepared before it is due. A picture that cannot be
    /// read is not sent: the part gets none.
    pub(super) fn camera(
        &self,
        camera: &mut dyn PartCamera,
        parts: &AtomicU64,
        core: &SyncSender<Input>,
        events: &SyncSender<Event>,
    ) {
        let mut index = 0;
        while index < parts.load(Ordering::Acquire) {
            let shown = camera.show(index);
            let exposed = self.edge(index) + self.camera_delay;
            exposed.sleep();
            // the eye may have stopped the belt before this part
            if index >= parts.load(Ordering::Acquire) {
                return;
            }
            let sent = match shown {
                Ok(shown) => core.send(Input::Frame(Box::new(Frame { exposed, shown }))).is_ok(),
                Err(e) => events.send(Event::Unjudged { name: format!("part {index}"), why: e.to_string() }).is_ok(),
            };
            if !sent {
                return;
            }
            index += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_scatter_around_their_places_in_order() {
        let board = Board::simulated();
        let belt = Belt::new(&board, MonoNanos(1_000_000_000));
        for index in 0..500 {
            let place = 1_000_000_000 + 200_000_000 * (index + 1);
            assert!(belt.edge(index).0.abs_diff(place) <= 25_000_000);
            assert!(belt.edge(index) < belt.edge(index + 1));
        }
    }
}
