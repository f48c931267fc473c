//! The tracking queue: every part between the eye and the gate, in belt order.

use std::time::Duration;

use heapless::Deque;

use super::Tag;
use crate::time::MonoNanos;
use crate::verdict::{Cause, Verdict};

/// Where camera and gate stand, as times after the eye edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From the eye edge to the exposure.
    pub camera_delay: Duration,
    /// A frame may be this far from it, either way.
    pub camera_window: Duration,
    /// From the eye edge to the start of the reject pulse.
    pub gate_delay: Duration,
    /// The verdict must be there this long before the pulse starts.
    pub guard: Duration,
    /// What a part without a verdict gets.
    pub on_no_verdict: Verdict,
}

impl Timing {
    /// When the part is at the gate.
    pub fn pulse_start(&self, eye: MonoNanos) -> MonoNanos {
        eye + self.gate_delay
    }

    /// When its fate is sealed.
    pub fn deadline(&self, eye: MonoNanos) -> MonoNanos {
        self.pulse_start(eye) - self.guard
    }
}

/// A part on the belt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number.
    pub tag: Tag,
    /// Its eye edge.
    pub eye: MonoNanos,
    /// Whether a frame was matched to it.
    pub has_frame: bool,
    /// What is known of it.
    pub verdict: Option<Verdict>,
}

/// What became of a verdict that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// Its part has it now.
    InTime,
    /// Its part is past the deadline or unknown: it changes nothing and is counted.
    Late,
}

/// There is no room for another part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Up to `N` parts in flight.
#[derive(Debug)]
pub struct TrackingQueue<const N: usize> {
    parts: Deque<Part, N>,
    timing: Timing,
    next: Tag,
}

impl<const N: usize> TrackingQueue<N> {
    /// An empty queue.
    pub fn new(timing: Timing) -> Self {
        Self { parts: Deque::new(), timing, next: Tag(0) }
    }

    /// A part passed the eye. Every edge uses up a tag, also one that finds no room.
    ///
    /// # Errors
    /// [`Full`]: the caller must open the gate for the part by its time.
    pub fn eye_edge(&mut self, eye: MonoNanos) -> Result<Tag, (Tag, Full)> {
        let tag = self.next;
        self.next = tag.next();
        let part = Part { tag, eye, has_frame: false, verdict: None };
        self.parts.push_back(part).map(|()| tag).map_err(|_| (tag, Full))
    }

    /// The part that a frame shows: the one whose exposure time is nearest, within the window, and has no frame yet.
    pub fn match_frame(&mut self, exposed: MonoNanos) -> Option<Tag> {
        let Timing { camera_delay, camera_window, .. } = self.timing;
        let distance = |part: &Part| exposed.error_to(part.eye + camera_delay).unsigned_abs();
        let nearest = self.parts.iter_mut().filter(|p| !p.has_frame).min_by_key(|p| distance(p))?;
        if u128::from(distance(nearest)) > camera_window.as_nanos() {
            return None;
        }
        nearest.has_frame = true;
        Some(nearest.tag)
    }

    /// A verdict came in, in any order.
    pub fn verdict(&mut self, tag: Tag, verdict: Verdict, now: MonoNanos) -> Placed {
        let timing = self.timing;
        match self.parts.iter_mut().find(|p| p.tag == tag) {
            Some(part) if now <= timing.deadline(part.eye) => {
                part.verdict = Some(verdict);
                Placed::InTime
            }
            _ => Placed::Late,
        }
    }

    /// When the next part must be decided.
    pub fn next_deadline(&self) -> Option<MonoNanos> {
        self.parts.front().map(|p| self.timing.deadline(p.eye))
    }

    /// Takes out the next part whose deadline has come, with the verdict that it gets: its own, or `NoImage` where no
    /// frame came, or what the settings say for `NoVerdict`.
    pub fn decide(&mut self, now: MonoNanos) -> Option<(Part, Verdict)> {
        if now < self.next_deadline()? {
            return None;
        }
        let part = self.parts.pop_front()?;
        let verdict = match part.verdict {
            Some(verdict) => verdict,
            None if !part.has_frame => Verdict::Reject(Cause::NoImage),
            None => self.timing.on_no_verdict,
        };
        Some((part, verdict))
    }

    /// Parts in flight, the one nearest the gate first.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    fn timing() -> Timing {
        Timing {
            camera_delay: Duration::from_millis(60),
            camera_window: Duration::from_millis(20),
            gate_delay: Duration::from_millis(400),
            guard: Duration::from_millis(2),
            on_no_verdict: Verdict::Reject(Cause::NoVerdict),
        }
    }

    fn at(ms: u64) -> MonoNanos {
        MonoNanos(ms * MS)
    }

    #[test]
    fn verdicts_find_their_parts_in_any_order() {
        let mut queue = TrackingQueue::<4>::new(timing());
        let tags = [0, 100, 200].map(|ms| queue.eye_edge(at(ms)).expect("room"));
        for ms in [260, 60, 160] {
            assert!(queue.match_frame(at(ms)).is_some());
        }
        assert_eq!(queue.verdict(tags[1], Verdict::Reject(Cause::Defect), at(300)), Placed::InTime);
        assert_eq!(queue.verdict(tags[0], Verdict::Pass, at(398)), Placed::InTime);
        assert_eq!(queue.decide(at(397)), None);
        let decided: Vec<_> = std::iter::from_fn(|| queue.decide(at(2000))).map(|(p, v)| (p.tag.0, v)).collect();
        let expected = [Verdict::Pass, Verdict::Reject(Cause::Defect), Verdict::Reject(Cause::NoVerdict)];
        assert_eq!(decided, [(0, expected[0]), (1, expected[1]), (2, expected[2])]);
    }

    #[test]
    fn a_late_verdict_changes_nothing() {
        let mut queue = TrackingQueue::<4>::new(timing());
        let tag = queue.eye_edge(at(0)).expect("room");
        queue.match_frame(at(60));
        assert_eq!(queue.verdict(tag, Verdict::Pass, MonoNanos(398 * MS + 1)), Placed::Late);
        assert_eq!(queue.decide(at(398)).map(|d| d.1), Some(Verdict::Reject(Cause::NoVerdict)));
        assert_eq!(queue.verdict(tag, Verdict::Pass, at(399)), Placed::Late);
    }

    #[test]
    fn a_frame_belongs_to_the_nearest_part_in_its_window_once() {
        let mut queue = TrackingQueue::<4>::new(timing());
        let tags = [0, 30].map(|ms| queue.eye_edge(at(ms)).expect("room"));
        assert_eq!(queue.match_frame(at(121)), None);
        assert_eq!(queue.match_frame(at(76)), Some(tags[1]));
        assert_eq!(queue.match_frame(at(76)), Some(tags[0]));
        assert_eq!(queue.match_frame(at(76)), None);
    }

    #[test]
    fn a_part_without_a_frame_is_no_image_even_where_no_verdict_passes() {
        let mut queue = TrackingQueue::<4>::new(Timing { on_no_verdict: Verdict::Pass, ..timing() });
        queue.eye_edge(at(0)).expect("room");
        assert_eq!(queue.decide(at(398)).map(|d| d.1), Some(Verdict::Reject(Cause::NoImage)));
    }

    #[test]
    fn a_full_queue_says_so_and_uses_up_the_tag() {
        let mut queue = TrackingQueue::<1>::new(timing());
        assert_eq!(queue.eye_edge(at(0)), Ok(Tag(0)));
        assert_eq!(queue.eye_edge(at(9)), Err((Tag(1), Full)));
        queue.decide(at(500));
        assert_eq!(queue.eye_edge(at(510)), Ok(Tag(2)));
    }

    proptest! {
        /// Whatever comes when: each part is decided once, in belt order, and only a verdict in time passes it.
        #[test]
        fn no_part_passes_without_a_pass_verdict(events in proptest::collection::vec((0u8..4, 0u32..12, 0u64..120), 1..200)) {
            let mut queue = TrackingQueue::<8>::new(timing());
            let (mut now, mut passes, mut decided) = (0, std::collections::HashSet::new(), vec![]);
            for (kind, tag, wait) in events {
                now += wait * MS;
                decided.extend(std::iter::from_fn(|| queue.decide(MonoNanos(now))));
                let time = MonoNanos(now);
                match kind {
                    0 => { let _ = queue.eye_edge(time); }
                    1 => { queue.match_frame(time); }
                    2 => if queue.verdict(Tag(tag), Verdict::Pass, time) == Placed::InTime { passes.insert(tag); },
                    _ => if queue.verdict(Tag(tag), Verdict::Reject(Cause::Defect), time) == Placed::InTime { passes.remove(&tag); },
                }
            }
            decided.extend(std::iter::from_fn(|| queue.decide(MonoNanos(u64::MAX))));
            prop_assert!(decided.windows(2).all(|w| w[0].0.tag < w[1].0.tag));
            for (part, verdict) in decided {
                prop_assert_eq!(verdict == Verdict::Pass, passes.contains(&part.tag.0));
            }
        }
    }
}
