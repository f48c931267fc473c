//! The confirm input behind the gate: did the rejected part leave?

use core::time::Duration;

use heapless::Deque;
use serde::{Deserialize, Serialize};

use crate::{MonoNanos, Tag};

/// When a rejected part passes the confirm input, counted from the start of its pulse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmSettings {
    /// Not before.
    pub earliest: Duration,
    /// Not after.
    pub latest: Duration,
    /// Whether one part that was not confirmed stops the line.
    pub stop: bool,
}

/// Rejected parts that should pass the confirm input, in belt order.
#[derive(Debug)]
pub(crate) struct Confirm<const N: usize> {
    settings: ConfirmSettings,
    expected: Deque<(Tag, MonoNanos), N>,
}

impl<const N: usize> Confirm<N> {
    pub(crate) fn new(settings: ConfirmSettings) -> Self {
        Self {
            settings,
            expected: Deque::new(),
        }
    }

    /// A part was shot at `at`. Returns the oldest expected part where there is no room for it any more.
    pub(crate) fn expect(&mut self, tag: Tag, at: MonoNanos) -> Option<Tag> {
        let oldest = if self.expected.is_full() {
            self.expected.pop_front()
        } else {
            None
        };
        // room was made above
        let _ = self.expected.push_back((tag, at));
        oldest.map(|(tag, _)| tag)
    }

    /// Something passed the input: the part that it was, if one was expected.
    pub(crate) fn seen(&mut self, at: MonoNanos) -> Option<Tag> {
        let &(tag, shot) = self.expected.front()?;
        if at < shot + self.settings.earliest || at > shot + self.settings.latest {
            return None;
        }
        self.expected.pop_front();
        Some(tag)
    }

    /// When the next part is missed.
    pub(crate) fn due(&self) -> Option<MonoNanos> {
        self.expected
            .front()
            .map(|&(_, shot)| shot + self.settings.latest + Duration::from_nanos(1))
    }

    /// The next part that is missed at `now`; call until `None`.
    pub(crate) fn missed(&mut self, now: MonoNanos) -> Option<Tag> {
        if now < self.due()? {
            return None;
        }
        self.expected.pop_front().map(|(tag, _)| tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirm() -> Confirm<2> {
        let settings = ConfirmSettings {
            earliest: Duration::from_nanos(10),
            latest: Duration::from_nanos(50),
            stop: false,
        };
        Confirm::new(settings)
    }

    #[test]
    fn a_part_is_confirmed_within_its_window_once() {
        let mut confirm = confirm();
        confirm.expect(Tag(7), MonoNanos(100));
        assert_eq!(
            [109, 150, 150].map(|t| confirm.seen(MonoNanos(t))),
            [None, Some(Tag(7)), None]
        );
    }

    #[test]
    fn a_part_that_does_not_come_is_missed_once() {
        let mut confirm = confirm();
        confirm.expect(Tag(7), MonoNanos(100));
        assert_eq!(
            [150, 151, 900].map(|t| confirm.missed(MonoNanos(t))),
            [None, Some(Tag(7)), None]
        );
    }

    #[test]
    fn without_room_the_oldest_is_missed() {
        let mut confirm = confirm();
        assert_eq!(
            [1, 2, 3].map(|t| confirm.expect(Tag(t), MonoNanos(0))),
            [None, None, Some(Tag(1))]
        );
    }
}
