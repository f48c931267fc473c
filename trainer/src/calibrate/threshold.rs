//! The threshold from the scores of normal pictures that were not taught on.

use beltwatch::verdict::Score;

use super::quantile::student_t;

/// A threshold and the words for how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// Scores above it are rejects.
    pub score: Score,
    /// For people.
    pub basis: String,
}

/// The threshold at which at most `target` (0 to 0.5, exclusive) of good parts are expected to be rejected.
///
/// With enough held-out scores (`target * (n + 1) >= 1`) it is the order statistic of split conformal prediction
/// (Vovk, 2005; Papadopoulos, 2008), which holds whatever the distribution. With fewer it is a one-sided prediction bound
/// for the next score, the logarithms taken as normal, and never below the largest score seen.
pub fn threshold(held_out: &[Score], target: f64) -> Threshold {
    let mut scores = held_out.to_vec();
    scores.sort_unstable_by(|a, b| b.cmp(a));
    let n = scores.len();
    let allowed = (target * (n + 1) as f64).floor() as usize;
    if allowed >= 1 && n > 0 {
        let score = scores[allowed.min(n) - 1];
        let basis = format!(
            "{n} held-out pictures, the {}",
            if allowed == 1 { "largest".to_owned() } else { format!("{allowed}. largest score") }
        );
        return Threshold { score, basis };
    }
    let largest = scores.first().copied().unwrap_or(Score(u16::MAX));
    if n < 2 {
        return Threshold { score: largest, basis: format!("{n} held-out pictures: too few for any promise") };
    }
    let logs: Vec<f64> = scores.iter().map(|s| s.to_f64().max(1.0 / 256.0).ln()).collect();
    let mean = logs.iter().sum::<f64>() / n as f64;
    let variance = logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    let bound = (mean + student_t(1.0 - target, n - 1) * (variance * (1.0 + 1.0 / n as f64)).sqrt()).exp();
    let needed = (1.0 / target).ceil() as usize - 1;
    Threshold {
        score: Score::from_f64(bound).max(largest),
        basis: format!("{n} held-out pictures, log-normal prediction bound; {needed} would need no assumption"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scores(values: impl IntoIterator<Item = u16>) -> Vec<Score> {
        values.into_iter().map(Score).collect()
    }

    #[test]
    fn enough_pictures_need_no_assumption() {
        let held_out = scores((1..=199).map(|i| i * 10));
        assert_eq!(threshold(&held_out, 0.005).score, Score(1990));
        assert_eq!(threshold(&held_out, 0.01).score, Score(1980));
        assert!(threshold(&held_out, 0.01).basis.contains("2. largest"));
    }

    #[test]
    fn few_pictures_get_a_bound_above_the_largest() {
        let few = threshold(&scores([500, 520, 540, 560]), 0.01);
        // mean of logs ln(529.5), spread 0.0485, t(0.99; 3) = 4.541
        assert!(
            (few.score.to_f64() * 256.0 / 529.5 - (4.541f64 * 0.0485 * 1.25f64.sqrt()).exp()).abs() < 0.02,
            "{few:?}"
        );
        assert!(few.basis.contains("99 would need"));
        assert_eq!(threshold(&[], 0.01).score, Score(u16::MAX));
    }

    proptest! {
        #[test]
        fn a_stricter_target_never_lowers_the_threshold(values in proptest::collection::vec(50u16..20_000, 2..300), a in 0.001f64..0.4, b in 0.001f64..0.4) {
            let held_out = scores(values);
            prop_assume!((a * (held_out.len() + 1) as f64 >= 1.0) == (b * (held_out.len() + 1) as f64 >= 1.0));
            prop_assert!(threshold(&held_out, a.min(b)).score >= threshold(&held_out, a.max(b)).score);
        }

        #[test]
        fn no_more_held_out_pictures_are_rejected_than_allowed(values in proptest::collection::vec(50u16..20_000, 2..300), target in 0.001f64..0.4) {
            let held_out = scores(values);
            let limit = threshold(&held_out, target).score;
            let rejected = held_out.iter().filter(|&&s| s > limit).count();
            prop_assert!(rejected as f64 <= target * (held_out.len() + 1) as f64);
        }
    }
}
