//! When the gate opens and closes. Pure: time comes as an argument, nothing is allocated.

use std::time::Duration;

use heapless::Deque;

use crate::time::MonoNanos;

/// A change of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// When.
    pub at: MonoNanos,
    /// Whether the gate is open (rejecting) from then on.
    pub open: bool,
}

/// Pulses to come, in order of time. Pulses that touch or overlap are one longer pulse.
#[derive(Debug)]
pub struct GateSchedule<const N: usize> {
    pulses: Deque<(MonoNanos, MonoNanos), N>,
    length: Duration,
    open: bool,
}

impl<const N: usize> GateSchedule<N> {
    /// A closed gate whose pulses are `length` long.
    pub fn new(length: Duration) -> Self {
        Self { pulses: Deque::new(), length, open: false }
    }

    /// A pulse from `start`. Starts come in belt order; one that is earlier than the last counts from the last.
    ///
    /// # Errors
    /// The start, where `N` pulses are waiting already: the last one was made longer to cover this one too, so that no
    /// part slips through; what lies between is rejected with it.
    pub fn add(&mut self, start: MonoNanos) -> Result<(), MonoNanos> {
        let end = start + self.length;
        let full = self.pulses.is_full();
        match self.pulses.back_mut() {
            Some(last) if start <= last.1 || full => {
                let merges = start <= last.1;
                last.1 = last.1.max(end);
                if merges { Ok(()) } else { Err(start) }
            }
            _ => self.pulses.push_back((start, end)).map_err(|(start, _)| start),
        }
    }

    /// The next change, if any is planned.
    pub fn next(&self) -> Option<Switch> {
        let &(start, end) = self.pulses.front()?;
        Some(if self.open { Switch { at: end, open: false } } else { Switch { at: start, open: true } })
    }

    /// The next change was made.
    pub fn done(&mut self) {
        if self.open {
            self.pulses.pop_front();
        }
        self.open = !self.open && !self.pulses.is_empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run<const N: usize>(schedule: &mut GateSchedule<N>) -> Vec<(u64, bool)> {
        let switches = std::iter::from_fn(|| {
            let next = schedule.next()?;
            schedule.done();
            Some((next.at.0, next.open))
        });
        switches.collect()
    }

    #[test]
    fn pulses_that_touch_are_one() {
        let mut schedule = GateSchedule::<4>::new(Duration::from_nanos(50));
        for start in [100, 150, 190, 300] {
            assert_eq!(schedule.add(MonoNanos(start)), Ok(()));
        }
        assert_eq!(run(&mut schedule), [(100, true), (240, false), (300, true), (350, false)]);
    }

    #[test]
    fn an_open_gate_stays_open_for_the_next_part() {
        let mut schedule = GateSchedule::<4>::new(Duration::from_nanos(50));
        schedule.add(MonoNanos(100)).expect("room");
        schedule.done();
        schedule.add(MonoNanos(120)).expect("room");
        assert_eq!(run(&mut schedule), [(170, false)]);
    }

    #[test]
    fn where_there_is_no_room_nothing_slips_through() {
        let mut schedule = GateSchedule::<1>::new(Duration::from_nanos(50));
        schedule.add(MonoNanos(100)).expect("room");
        assert_eq!(schedule.add(MonoNanos(900)), Err(MonoNanos(900)));
        assert_eq!(run(&mut schedule), [(100, true), (950, false)]);
    }

    proptest! {
        #[test]
        fn the_gate_is_open_exactly_for_the_pulses(starts in proptest::collection::vec(0u64..5_000, 1..40)) {
            let mut starts = starts;
            starts.sort_unstable();
            let mut schedule = GateSchedule::<64>::new(Duration::from_nanos(70));
            for &start in &starts {
                prop_assert_eq!(schedule.add(MonoNanos(start)), Ok(()));
            }
            let switches = run(&mut schedule);
            prop_assert!(switches.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 != w[1].1));
            for t in 0..5_100 {
                let open = switches.iter().rev().find(|s| s.0 <= t).is_some_and(|s| s.1);
                prop_assert_eq!(open, starts.iter().any(|&s| (s..s + 70).contains(&t)), "at {}", t);
            }
        }
    }
}
