//! The encoder: belt position from pulses, and where the belt was at an earlier time.

use core::time::Duration;

use heapless::Deque;
use serde::{Deserialize, Serialize};

use crate::{Along, MonoNanos};

/// Places that are remembered.
const HISTORY: usize = 256;
/// Places are remembered no closer than this, so the memory reaches back at least 256 ms.
const SPACING: Duration = Duration::from_millis(1);

/// How the encoder's pulses are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncoderSettings {
    /// Two pulses cannot be closer at the belt's highest speed: one that is closer is a spark and does not
    /// count.
    pub min_interval: Duration,
    /// Parts that may pass the eye without a pulse in between before the encoder is taken for dead.
    pub silent_parts: u32,
}

#[derive(Debug)]
pub(crate) struct Encoder {
    settings: EncoderSettings,
    position: i64,
    furthest: i64,
    forward: bool,
    last: Option<MonoNanos>,
    sequence: Option<u32>,
    history: Deque<(MonoNanos, i64), HISTORY>,
    parts_since_pulse: u32,
    /// Pulses that are missing in the kernel's numbering; they count as belt distance.
    pub(crate) lost: u64,
    /// Pulses that came faster than the belt can run.
    pub(crate) sparks: u64,
}

impl Encoder {
    pub(crate) fn new(settings: EncoderSettings) -> Self {
        Self {
            settings,
            position: 0,
            furthest: 0,
            forward: true,
            last: None,
            sequence: None,
            history: Deque::new(),
            parts_since_pulse: 0,
            lost: 0,
            sparks: 0,
        }
    }

    /// A pulse. The kernel numbers its pulses: those that it could not deliver are counted in, as having the
    /// direction of this one.
    pub(crate) fn pulse(&mut self, at: MonoNanos, sequence: u32, forward: bool) {
        let missing = self
            .sequence
            .map_or(0, |last| sequence.wrapping_sub(last).wrapping_sub(1));
        self.sequence = Some(sequence);
        self.lost += u64::from(missing);
        if missing == 0
            && self
                .last
                .is_some_and(|last| at.since(last) < self.settings.min_interval)
        {
            self.sparks += 1;
            return;
        }
        let steps = 1 + i64::from(missing);
        self.last = Some(at);
        self.forward = forward;
        self.parts_since_pulse = 0;
        self.position += if forward { steps } else { -steps };
        self.furthest = self.furthest.max(self.position);
        if self.history.back().is_none_or(|&(t, _)| at.since(t) >= SPACING) {
            if self.history.is_full() {
                self.history.pop_front();
            }
            // room was made above
            let _ = self.history.push_back((at, self.position));
        }
    }

    /// The kernel numbers its pulses anew.
    pub(crate) fn renumber(&mut self) {
        self.sequence = None;
    }

    /// A part passed the eye. Whether the encoder has been silent for too many of them.
    pub(crate) fn part(&mut self) -> bool {
        self.parts_since_pulse = self.parts_since_pulse.saturating_add(1);
        self.parts_since_pulse > self.settings.silent_parts
    }

    /// Whether the belt runs forward, or did before it stopped.
    pub(crate) fn is_forward(&self) -> bool {
        self.forward
    }

    /// The furthest place that the belt has reached: what is decided there is not undone when it runs back.
    pub(crate) fn furthest(&self) -> Along {
        Along(self.furthest)
    }

    /// Where the belt was at `time`, between the places remembered; `None` where that is longer ago than they
    /// reach.
    pub(crate) fn position_at(&self, time: MonoNanos) -> Option<Along> {
        let Some(last) = self.last.filter(|_| !self.history.is_empty()) else {
            return Some(Along(self.position));
        };
        let mut later = (last, self.position);
        if time >= last {
            return Some(Along(self.position));
        }
        for &earlier in self.history.iter().rev() {
            if earlier.0 <= time {
                let whole = later.0.since(earlier.0).as_nanos().max(1) as i128;
                let part = time.since(earlier.0).as_nanos() as i128;
                let moved = i128::from(later.1 - earlier.1) * part / whole;
                return Some(Along(earlier.1 + moved as i64));
            }
            later = earlier;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoder() -> Encoder {
        Encoder::new(EncoderSettings {
            min_interval: Duration::from_micros(100),
            silent_parts: 2,
        })
    }

    fn ms(ms: u64) -> MonoNanos {
        MonoNanos(ms * 1_000_000)
    }

    #[test]
    fn counts_both_ways_and_remembers_the_furthest() {
        let mut e = encoder();
        for i in 0..10 {
            e.pulse(ms(10 * (i + 1)), i as u32, i < 6);
        }
        assert_eq!((e.position, e.furthest(), e.is_forward()), (2, Along(6), false));
    }

    #[test]
    fn knows_where_the_belt_was() {
        let mut e = encoder();
        for i in 0..10 {
            e.pulse(ms(10 * (i + 1)), i as u32, true);
        }
        let at = |t| e.position_at(t).map(|a| a.0);
        assert_eq!(
            [at(ms(10)), at(ms(50)), at(ms(55)), at(ms(100)), at(ms(900))],
            [1, 5, 5, 10, 10].map(Some)
        );
        assert_eq!(at(ms(9)), None);
    }

    #[test]
    fn numbers_that_are_missing_count_as_way_and_sparks_do_not() {
        let mut e = encoder();
        e.pulse(ms(10), u32::MAX, true);
        e.pulse(ms(20), 2, true);
        e.pulse(ms(20) + Duration::from_micros(99), 3, true);
        e.pulse(ms(30), 4, true);
        assert_eq!((e.position, e.lost, e.sparks), (5, 2, 1));
    }

    #[test]
    fn parts_without_pulses_mean_a_dead_encoder() {
        let mut e = encoder();
        assert_eq!([e.part(), e.part(), e.part()], [false, false, true]);
        e.pulse(ms(1), 0, true);
        assert!(!e.part());
    }

    #[test]
    fn old_places_are_forgotten_and_not_made_up() {
        let mut e = encoder();
        for i in 0..2000u32 {
            e.pulse(MonoNanos(500_000 * u64::from(i + 1)), i, true);
        }
        assert_eq!(e.history.len(), HISTORY);
        assert_eq!(e.position_at(ms(700)), None);
        assert_eq!(e.position_at(ms(900)), Some(Along(1800)));
    }
}
