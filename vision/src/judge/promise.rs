//! What some held-out good pictures can promise of the share of good parts that will be rejected.

use std::fmt;

use serde::Serialize;

use crate::judge::score::Score;

/// The confidence of every promise.
pub const CONFIDENCE: f64 = 0.95;

/// What a threshold promises.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Promise {
    /// Held-out good pictures above the threshold,
    pub rejected: usize,
    /// of so many.
    pub of: usize,
    /// The share of good parts that will be rejected is no larger, with [`CONFIDENCE`].
    pub at_most: f64,
}

impl Promise {
    /// By the scores of held-out good pictures; none where there are none.
    pub fn of(held_out: &[Score], threshold: Score) -> Option<Self> {
        let (rejected, of) = (
            held_out.iter().filter(|&&s| s > threshold).count(),
            held_out.len(),
        );
        (of > 0).then(|| Self {
            rejected,
            of,
            at_most: upper_bound(rejected, of),
        })
    }

    /// Whether it cannot hold for parts of which so many were rejected: if it did, that would be seen less
    /// than once in a hundred times.
    pub fn is_broken_by(&self, rejected: usize, of: usize) -> bool {
        rejected > 0 && self.at_most < 1.0 && at_most(rejected - 1, of, self.at_most) > 0.99
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rejected,
            of,
            at_most,
        } = *self;
        let share = 100.0 * rejected as f64 / of as f64;
        let (at_most, sure) = (100.0 * at_most, 100.0 * CONFIDENCE);
        write!(
            f,
            "{rejected} of {of} held-out good pictures above it ({share:.1} %): "
        )?;
        write!(
            f,
            "at most {at_most:.1} % of good parts rejected, with {sure:.0} % confidence"
        )
    }
}

/// The one-sided upper bound of Clopper and Pearson (1934): with [`CONFIDENCE`] the true share is no larger,
/// where `rejected` of `count` were. 1 where there is nothing to go by.
///
/// It holds as well where the threshold is the score of one of the pictures, the `rejected + 1`-th largest:
/// it is then the tolerance limit of Wilks (1941).
pub fn upper_bound(rejected: usize, count: usize) -> f64 {
    if rejected >= count {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if at_most(rejected, count, middle) > 1.0 - CONFIDENCE {
            low = middle
        } else {
            high = middle
        }
    }
    high
}

/// Held-out pictures of which no more than `rejected` may be, so that the share is promised to be at most
/// `target`.
pub fn needed(target: f64, rejected: usize) -> usize {
    let mut enough = ((1.0 - CONFIDENCE).ln() / (-target).ln_1p()).ceil() as usize;
    while upper_bound(rejected, enough) > target + 1e-12 {
        enough *= 2;
    }
    let mut too_few = enough / 2;
    while rejected > 0 && enough - too_few > 1 {
        let middle = too_few.midpoint(enough);
        *(if upper_bound(rejected, middle) > target {
            &mut too_few
        } else {
            &mut enough
        }) = middle;
    }
    enough
}

/// Probability of at most `most` of `count` at a share of `p` each (0 to 1, exclusive), summed from the
/// largest term on.
fn at_most(most: usize, count: usize, p: f64) -> f64 {
    let odds = p / (1.0 - p);
    // from none to `most`, in logarithms: (1 - p)^count underflows
    let mut term = count as f64 * (-p).ln_1p();
    let mut terms = vec![term];
    for k in 0..most {
        term += (odds * (count - k) as f64 / (k + 1) as f64).ln();
        terms.push(term);
    }
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest.exp() * terms.iter().map(|t| (t - largest).exp()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn agrees_with_printed_tables() {
        // qbeta(0.95, k + 1, n - k)
        for (rejected, count, bound) in [
            (0, 10, 0.258_866),
            (0, 299, 0.009_969),
            (1, 20, 0.216_106),
            (3, 100, 0.075_711),
            (50, 100, 0.586_378),
        ] {
            assert!(
                (upper_bound(rejected, count) - bound).abs() < 2e-4,
                "{rejected} of {count}: {}",
                upper_bound(rejected, count)
            );
        }
        assert_eq!((upper_bound(0, 0), upper_bound(5, 5)), (1.0, 1.0));
        assert_eq!(
            [0.01, 0.005, 0.05].map(|target| needed(target, 0)),
            [299, 598, 59]
        );
        assert_eq!([1, 2].map(|rejected| needed(0.01, rejected)), [473, 628]);
    }

    #[test]
    fn a_threshold_promises_what_its_pictures_say() {
        let held_out = [300, 100, 200, 400].map(Score);
        let promise = Promise::of(&held_out, Score(300)).expect("there are pictures");
        assert_eq!(
            (promise.rejected, promise.of, promise.at_most),
            (1, 4, upper_bound(1, 4))
        );
        let words = "1 of 4 held-out good pictures above it (25.0 %): at most 75.1 % of good parts rejected, \
                     with 95 % confidence";
        assert_eq!(promise.to_string(), words);
        assert_eq!(Promise::of(&[], Score(1)), None);
    }

    #[test]
    fn a_promise_is_broken_by_what_it_makes_all_but_impossible() {
        let promise = Promise {
            rejected: 0,
            of: 8,
            at_most: upper_bound(0, 8),
        };
        // 31 %: 9 of 12 come about in 1 of 400 times, 7 in 1 of 26
        assert!(!promise.is_broken_by(0, 12) && !promise.is_broken_by(7, 12));
        assert!(promise.is_broken_by(9, 12) && promise.is_broken_by(12, 12));
        assert!(
            !Promise {
                at_most: 1.0,
                ..promise
            }
            .is_broken_by(12, 12)
        );
    }

    proptest! {
        #[test]
        fn more_pictures_promise_more_and_rejects_less(count in 1usize..3000, rejected in 0usize..40) {
            prop_assume!(rejected < count);
            let bound = upper_bound(rejected, count);
            prop_assert!(bound > rejected as f64 / count as f64 && bound <= 1.0);
            prop_assert!(upper_bound(rejected, count + 1) <= bound);
            prop_assert!(upper_bound(rejected + 1, count) >= bound);
        }

        #[test]
        fn as_many_as_needed_are_enough_and_one_less_is_not(target in 0.0005f64..0.4, rejected in 0usize..5) {
            let count = needed(target, rejected);
            prop_assert!(upper_bound(rejected, count) <= target + 1e-12);
            prop_assert!(count == 1 || upper_bound(rejected, count - 1) > target);
        }
    }
}
