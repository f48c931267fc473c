//! The tracking queue: every part between the eye and its decision, in belt order.

use heapless::Deque;
use serde::{Deserialize, Serialize};

use crate::{Along, Cause, MonoNanos, Stretch, Verdict};

/// Parts that can be between the eye and the gate of a device; a record is replayed with as many.
pub const IN_FLIGHT: usize = 64;

/// A part's number, given at its eye edge and kept to the end. It wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag(pub u32);

impl Tag {
    /// The tag of the next part.
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// A part on the belt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number.
    pub tag: Tag,
    /// Its eye edge.
    pub eye: MonoNanos,
    /// Where on the belt it lies.
    pub at: Along,
    /// Whether a frame was found for it.
    pub has_frame: bool,
    /// What the inspection said.
    pub verdict: Option<Verdict>,
    /// It leaves for this, whatever the inspection says.
    pub forced: Option<Cause>,
}

impl Part {
    /// What it gets when its time is up; `unjudged` where it has a frame and no verdict.
    pub(crate) fn decided(&self, unjudged: Verdict) -> Verdict {
        match (self.forced, self.verdict) {
            (Some(cause), _) => Verdict::Reject(cause),
            (None, Some(verdict)) => verdict,
            (None, None) if !self.has_frame => Verdict::Reject(Cause::NoImage),
            (None, None) => unjudged,
        }
    }
}

/// Up to `N` parts, in the order in which they passed the eye.
#[derive(Debug, Default)]
pub struct TrackingQueue<const N: usize> {
    parts: Deque<Part, N>,
}

impl<const N: usize> TrackingQueue<N> {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { parts: Deque::new() }
    }

    /// Takes in a part.
    ///
    /// # Errors
    /// The part, where there is no room.
    pub fn push(&mut self, part: Part) -> Result<(), Part> {
        self.parts.push_back(part)
    }

    /// The part that a frame taken at place `at` shows: the one nearest to the camera, at most `window` from
    /// it, that has no frame yet.
    pub fn match_frame(&mut self, at: Along, camera: Stretch, window: Stretch) -> Option<&mut Part> {
        let distance = |part: &Part| (at - (part.at + camera)).0.unsigned_abs();
        let part = self
            .parts
            .iter_mut()
            .filter(|p| !p.has_frame)
            .min_by_key(|p| distance(p))?;
        if distance(part) > window.0.unsigned_abs() {
            return None;
        }
        part.has_frame = true;
        Some(part)
    }

    /// The part with this tag, if it is not decided yet.
    pub fn find(&mut self, tag: Tag) -> Option<&mut Part> {
        self.parts.iter_mut().find(|p| p.tag == tag)
    }

    /// The part that will be decided next.
    pub fn front(&self) -> Option<&Part> {
        self.parts.front()
    }

    /// The part that came last.
    pub fn back_mut(&mut self) -> Option<&mut Part> {
        self.parts.back_mut()
    }

    /// Takes out the part that is decided now.
    pub fn pop(&mut self) -> Option<Part> {
        self.parts.pop_front()
    }

    /// Parts in flight.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// All parts, the one nearest the gate first.
    pub fn iter(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn part(tag: u32, at: i64) -> Part {
        Part {
            tag: Tag(tag),
            eye: MonoNanos(at as u64),
            at: Along(at),
            has_frame: false,
            verdict: None,
            forced: None,
        }
    }

    fn queue(parts: &[i64]) -> TrackingQueue<4> {
        let mut queue = TrackingQueue::new();
        for (tag, &at) in parts.iter().enumerate() {
            queue.push(part(tag as u32, at)).expect("room");
        }
        queue
    }

    #[test]
    fn a_frame_belongs_to_the_nearest_part_in_its_window_once() {
        let mut queue = queue(&[0, 30]);
        let found: Vec<_> = [121, 76, 76, 76]
            .iter()
            .map(|&t| {
                queue
                    .match_frame(Along(t), Stretch(60), Stretch(20))
                    .map(|p| p.tag.0)
            })
            .collect();
        assert_eq!(found, [None, Some(1), Some(0), None]);
    }

    #[test]
    fn belt_order_and_room() {
        let mut queue = queue(&[0, 10, 20, 30]);
        assert_eq!(queue.push(part(9, 40)), Err(part(9, 40)));
        assert_eq!(queue.find(Tag(2)).map(|p| p.at), Some(Along(20)));
        assert_eq!(
            core::iter::from_fn(|| queue.pop())
                .map(|p| p.tag.0)
                .collect::<Vec<_>>(),
            [0, 1, 2, 3]
        );
    }

    #[test]
    fn what_a_part_gets() {
        let judged = Part {
            has_frame: true,
            verdict: Some(Verdict::Pass),
            ..part(0, 0)
        };
        assert_eq!(judged.decided(Verdict::Pass), Verdict::Pass);
        assert_eq!(
            Part {
                forced: Some(Cause::Spacing),
                ..judged
            }
            .decided(Verdict::Pass),
            Verdict::Reject(Cause::Spacing)
        );
        assert_eq!(part(0, 0).decided(Verdict::Pass), Verdict::Reject(Cause::NoImage));
        let waiting = Part {
            has_frame: true,
            ..part(0, 0)
        };
        assert_eq!(
            waiting.decided(Verdict::Reject(Cause::NoVerdict)),
            Verdict::Reject(Cause::NoVerdict)
        );
        assert_eq!(waiting.decided(Verdict::Pass), Verdict::Pass);
    }
}
