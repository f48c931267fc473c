//! Alarms over many parts: something is wrong with the product, the camera or the recipe.

use serde::{Deserialize, Serialize};

/// What people are called for. Alarms clear themselves when their reason is gone.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::Display,
    strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Alarm {
    /// Too many rejects in a row.
    ConsecutiveRejects,
    /// Too large a share of the last parts was rejected.
    RejectRate,
    /// A rejected part did not pass the confirm input; clears with the next one that does.
    MissedReject,
    /// The inspection found nothing on a challenge part; clears with the next one on which it does.
    ChallengeNotFound,
}

impl Alarm {
    /// All alarms.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;
}

/// When rejects become an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmSettings {
    /// So many rejects in a row; 0: never.
    pub consecutive: u32,
    /// The last so many parts make the reject rate, 1 to [`AlarmSettings::MAX_WINDOW`].
    pub rate_window: u32,
    /// More rejects among them than this; 0: never.
    pub rate_rejects: u32,
    /// Whether these two alarms, and a test piece that is not found, stop the line.
    pub stop: bool,
}

impl AlarmSettings {
    /// The longest window of the reject rate.
    pub const MAX_WINDOW: u32 = 1024;
}

const WORDS: usize = AlarmSettings::MAX_WINDOW as usize / 64;

/// Counts rejects in a row and among the last parts.
#[derive(Debug)]
pub(crate) struct RejectAlarms {
    settings: AlarmSettings,
    run: u32,
    bits: [u64; WORDS],
    place: u32,
    seen: u32,
    rejects: u32,
}

impl RejectAlarms {
    pub(crate) fn new(settings: AlarmSettings) -> Self {
        Self {
            settings,
            run: 0,
            bits: [0; WORDS],
            place: 0,
            seen: 0,
            rejects: 0,
        }
    }

    /// A part was decided.
    pub(crate) fn decided(&mut self, rejected: bool) {
        self.run = if rejected { self.run.saturating_add(1) } else { 0 };
        let (word, bit) = ((self.place / 64) as usize, 1u64 << (self.place % 64));
        self.rejects -= u32::from(self.bits[word] & bit != 0);
        self.rejects += u32::from(rejected);
        self.bits[word] = if rejected {
            self.bits[word] | bit
        } else {
            self.bits[word] & !bit
        };
        self.place = (self.place + 1) % self.settings.rate_window.clamp(1, AlarmSettings::MAX_WINDOW);
        self.seen = self.seen.saturating_add(1);
    }

    pub(crate) fn consecutive(&self) -> bool {
        self.settings.consecutive > 0 && self.run >= self.settings.consecutive
    }

    pub(crate) fn rate(&self) -> bool {
        self.settings.rate_rejects > 0 && self.rejects > self.settings.rate_rejects
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn as_counted_by_hand(
            parts in proptest::collection::vec(any::<bool>(), 0..300),
            window in 1u32..100,
            limit in 1u32..50,
            run in 1u32..9,
        ) {
            let mut alarms = RejectAlarms::new(AlarmSettings {
                consecutive: run,
                rate_window: window,
                rate_rejects: limit,
                stop: false,
            });
            for (i, &rejected) in parts.iter().enumerate() {
                alarms.decided(rejected);
                let last: Vec<bool> = parts[..=i].iter().rev().copied().collect();
                let rejects = last.iter().take(window as usize).filter(|&&r| r).count();
                prop_assert_eq!(alarms.rate(), rejects > limit as usize);
                let in_a_row = last.iter().take_while(|&&r| r).count();
                prop_assert_eq!(alarms.consecutive(), in_a_row >= run as usize);
            }
        }
    }

    #[test]
    fn zero_is_never() {
        let mut alarms = RejectAlarms::new(AlarmSettings {
            consecutive: 0,
            rate_window: 8,
            rate_rejects: 0,
            stop: false,
        });
        (0..100).for_each(|_| alarms.decided(true));
        assert!(!alarms.consecutive() && !alarms.rate());
    }
}
