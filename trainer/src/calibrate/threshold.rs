//! The threshold from the scores of normal pictures that were not taught on.

use beltwatch::promise;
use beltwatch::verdict::Score;

use super::quantile::student_t;
use super::root;

/// The threshold of few pictures is at most this many times the largest score.
const MOST_ABOVE: f64 = 1.25;

/// A threshold and the words for how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// Scores above it are rejects.
    pub score: Score,
    /// For people: what it promises, and what it would take to promise the target.
    pub basis: String,
}

/// The threshold for the scores of good pictures that were not taught on; at most the share `target` (0 to 0.5, exclusive)
/// of good parts is to be rejected.
///
/// With enough scores it is one of them, such that the share is no larger with 95 % confidence, whatever the distribution
/// (Wilks, 1941). With fewer, but so many that the next score is above all of them with a probability of at most `target`, it is
/// the largest. With fewer still it is a one-sided prediction bound for the next score, the square roots taken as normal, their
/// spread pooled with that of the `taught` pictures' scores about a mean of their own; and never below the largest score seen
/// nor more than a quarter above it: a few scattered scores would otherwise put it where nothing is ever rejected. The words
/// then say how much less is promised.
pub fn threshold(held_out: &[Score], taught: &[Score], target: f64) -> Threshold {
    let mut scores = held_out.to_vec();
    scores.sort_unstable_by(|a, b| b.cmp(a));
    let (n, percent) = (scores.len(), 100.0 * target);
    let promise = |rejected: usize| 100.0 * promise::upper_bound(rejected, n);
    if let Some(rejected) = (0..n).take_while(|&k| promise(k) <= percent).last() {
        let basis = format!(
            "{n} held-out pictures, {rejected} above it: at most {percent:.2} % of good parts rejected (95 % confidence)"
        );
        return Threshold { score: scores[rejected], basis };
    }
    let largest = scores.first().copied().unwrap_or(Score(u16::MAX));
    if n < 2 {
        return Threshold { score: largest, basis: format!("{n} held-out pictures: too few for any promise") };
    }
    let basis = format!(
        "{n} held-out pictures, none above it: no more than {:.1} % of good parts rejected (95 % confidence); {} more \
         held-out pictures could promise {percent:.2} %",
        promise(0),
        promise::needed(target) - n
    );
    // one of n + 1 scores is the largest, each with the same probability
    if (n + 1) as f64 * target >= 1.0 {
        return Threshold { score: largest, basis };
    }
    let (mean, squares) = roots(&scores);
    let freedom = n - 1 + taught.len().saturating_sub(1);
    let variance = (squares + roots(taught).1) / freedom as f64;
    let bound = (mean + student_t(1.0 - target, freedom) * (variance * (1.0 + 1.0 / n as f64)).sqrt()).powi(2);
    let score = Score::from_f64(bound.min(MOST_ABOVE * largest.to_f64())).max(largest);
    Threshold { score, basis }
}

/// Mean of the scores' square roots, and the sum of the squares about it.
fn roots(scores: &[Score]) -> (f64, f64) {
    let roots: Vec<f64> = scores.iter().map(root).collect();
    let mean = roots.iter().sum::<f64>() / roots.len().max(1) as f64;
    (mean, roots.iter().map(|r| (r - mean).powi(2)).sum())
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
        let held_out = scores((1..=299).map(|i| i * 10));
        assert_eq!(threshold(&held_out, &[], 0.01).score, Score(2990));
        // 3 of 299 above it promise 2.6 %, 9 promise 5.2 %, 8 promise 4.8 %
        assert_eq!(threshold(&held_out, &[], 0.05).score, Score(2990 - 80));
        assert!(threshold(&held_out, &[], 0.05).basis.contains("8 above it: at most 5.00 %"));
    }

    #[test]
    fn from_a_hundred_pictures_on_the_largest_is_as_rare_as_asked_for() {
        let held_out = |n: u16| scores((1..=n).map(|i| 100 + i * 10));
        assert_eq!(threshold(&held_out(99), &[], 0.01).score, Score(1090));
        assert!(threshold(&held_out(98), &[], 0.01).score > Score(1080));
        assert!(threshold(&held_out(99), &[], 0.01).basis.contains("200 more held-out"));
    }

    #[test]
    fn few_pictures_get_a_bound_above_the_largest() {
        let few = threshold(&scores([500, 520, 540, 560]), &[], 0.01);
        // roots of levels: mean 1.4387, spread 0.0349, t(0.99; 3) = 4.541
        let bound = (1.4387 + 4.541 * 0.0349 * 1.25f64.sqrt()).powi(2);
        assert!((few.score.to_f64() / bound - 1.0).abs() < 0.005, "{few:?} {bound}");
        assert!(few.basis.contains("no more than 52.7 %") && few.basis.contains("295 more held-out"), "{few:?}");
        assert_eq!(threshold(&[], &[], 0.01).score, Score(u16::MAX));
    }

    #[test]
    fn the_taught_pictures_say_how_far_scores_scatter() {
        let held_out = scores([400, 460, 520, 700]);
        let alone = threshold(&held_out, &[], 0.01).score;
        // as scattered, a third as high, and many more of them
        let taught = scores((0..40).map(|i| 150 + i * 2));
        let pooled = threshold(&held_out, &taught, 0.01).score;
        assert!(pooled < alone && pooled >= Score(700), "{pooled:?} {alone:?}");
        assert_eq!(alone, Score(875), "a quarter above the largest");
    }

    proptest! {
        #[test]
        fn a_stricter_target_never_lowers_the_threshold(values in proptest::collection::vec(50u16..20_000, 2..300), a in 0.001f64..0.4, b in 0.001f64..0.4) {
            let held_out = scores(values);
            prop_assert!(threshold(&held_out, &[], a.min(b)).score >= threshold(&held_out, &[], a.max(b)).score);
        }

        #[test]
        fn no_more_held_out_pictures_are_rejected_than_allowed(values in proptest::collection::vec(50u16..20_000, 2..300), target in 0.001f64..0.4) {
            let held_out = scores(values);
            let limit = threshold(&held_out, &[], target).score;
            let rejected = held_out.iter().filter(|&&s| s > limit).count();
            prop_assert!(rejected as f64 <= target * held_out.len() as f64);
            prop_assert!(rejected == 0 || promise::upper_bound(rejected, held_out.len()) <= target);
        }
    }
}
