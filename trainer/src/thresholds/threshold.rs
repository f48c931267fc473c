//! The threshold from the scores of normal pictures that were not taught on.

use beltwatch_vision::judge::promise;
use beltwatch_vision::judge::score::Score;

use super::quantile::student_t;
use super::root;

/// The threshold of few pictures is at most this many times the largest score.
const MOST_ABOVE: f64 = 1.25;
/// No threshold is lower: where all scores are 0, one spread above what is usual is nothing yet.
const LEAST: Score = Score(256);

/// A threshold and the words for how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// Scores above it are rejects.
    pub score: Score,
    /// For people: what it promises, and what it would take to promise the target.
    pub basis: String,
}

/// The threshold for the scores of good pictures that were not taught on; at most the share `target` (0 to
/// 0.5, exclusive) of good parts is to be rejected. Pictures that are `odd` among them do not set it, but it
/// promises no more than holds where they are good: nobody has said that they are not.
///
/// With enough scores it is one of them, such that the share is no larger with 95 % confidence, whatever the
/// distribution (Wilks, 1941). With fewer, but so many that the next score is above all of them with a
/// probability of at most `target`, it is the largest. With fewer still it is a one-sided prediction bound
/// for the next score, the square roots taken as normal, their spread pooled with that of the `taught`
/// pictures' scores about a mean of their own; and never below the largest score seen nor more than a quarter
/// above it: a few scattered scores would otherwise put it where nothing is ever rejected. The words then say
/// how much less is promised.
pub fn threshold(held_out: &[Score], odd: &[Score], taught: &[Score], target: f64) -> Threshold {
    let mut scores: Vec<Score> = held_out.iter().map(|&score| score.max(LEAST)).collect();
    scores.sort_unstable_by(|a, b| b.cmp(a));
    let (n, percent) = (held_out.len() + odd.len(), 100.0 * target);
    let above = |limit: Score| held_out.iter().chain(odd).filter(|&&score| score > limit).count();
    let promise = |limit: Score| 100.0 * promise::upper_bound(above(limit), n);
    if let Some(&score) = scores
        .iter()
        .take_while(|&&score| promise(score) <= percent)
        .last()
    {
        let basis = format!(
            "{n} held-out pictures, {} above it: at most {percent:.2} % of good parts rejected (95 % \
             confidence)",
            above(score)
        );
        return Threshold { score, basis };
    }
    let largest = scores.first().copied().unwrap_or(Score(u16::MAX));
    if scores.len() < 2 {
        return Threshold {
            score: largest,
            basis: format!("{n} held-out pictures: too few for any promise"),
        };
    }
    // one of n + 1 scores is the largest, each with the same probability
    let is_rare_enough = (scores.len() + 1) as f64 * target >= 1.0;
    let score = if is_rare_enough {
        largest
    } else {
        prediction_bound(&scores, taught, target).max(largest)
    };
    let above = above(score);
    let basis = format!(
        "{n} held-out pictures, {} above it: no more than {:.1} % of good parts rejected (95 % confidence); \
         {} more held-out pictures could promise {percent:.2} %",
        if above == 0 {
            "none".to_owned()
        } else {
            above.to_string()
        },
        promise(score),
        promise::needed(target, above).saturating_sub(n)
    );
    Threshold { score, basis }
}

/// The next score is higher with a probability of `target` where roots are normal; no more than a quarter
/// above the first one, the largest. At least two.
fn prediction_bound(scores: &[Score], taught: &[Score], target: f64) -> Score {
    let (n, (mean, squares)) = (scores.len(), roots(scores));
    let freedom = n - 1 + taught.len().saturating_sub(1);
    let variance = (squares + roots(taught).1) / freedom as f64;
    let bound =
        (mean + student_t(1.0 - target, freedom) * (variance * (1.0 + 1.0 / n as f64)).sqrt()).powi(2);
    Score::from_f64(bound.min(MOST_ABOVE * scores[0].to_f64()))
}

/// Mean of the scores' square roots, and the sum of the squares about it.
fn roots(scores: &[Score]) -> (f64, f64) {
    let roots: Vec<f64> = scores.iter().map(root).collect();
    let mean = roots.iter().sum::<f64>() / roots.len().max(1) as f64;
    (mean, roots.iter().map(|r| (r - mean).powi(2)).sum())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scores(values: impl IntoIterator<Item = u16>) -> Vec<Score> {
        values.into_iter().map(Score).collect()
    }

    #[test]
    fn enough_pictures_need_no_assumption() {
        let held_out = scores((1..=299).map(|i| i * 10));
        assert_eq!(threshold(&held_out, &[], &[], 0.01).score, Score(2990));
        // 3 of 299 above it promise 2.6 %, 9 promise 5.2 %, 8 promise 4.8 %
        assert_eq!(threshold(&held_out, &[], &[], 0.05).score, Score(2990 - 80));
        assert!(
            threshold(&held_out, &[], &[], 0.05)
                .basis
                .contains("8 above it: at most 5.00 %")
        );
    }

    #[test]
    fn from_a_hundred_pictures_on_the_largest_is_as_rare_as_asked_for() {
        let held_out = |n: u16| scores((1..=n).map(|i| 100 + i * 10));
        assert_eq!(threshold(&held_out(99), &[], &[], 0.01).score, Score(1090));
        assert!(threshold(&held_out(98), &[], &[], 0.01).score > Score(1080));
        assert!(
            threshold(&held_out(99), &[], &[], 0.01)
                .basis
                .contains("200 more held-out")
        );
    }

    #[test]
    fn few_pictures_get_a_bound_above_the_largest() {
        let few = threshold(&scores([500, 520, 540, 560]), &[], &[], 0.01);
        // roots of levels: mean 1.4387, spread 0.0349, t(0.99; 3) = 4.541
        let bound = (1.4387 + 4.541 * 0.0349 * 1.25f64.sqrt()).powi(2);
        assert!(
            (few.score.to_f64() / bound - 1.0).abs() < 0.005,
            "{few:?} {bound}"
        );
        assert!(
            few.basis.contains("no more than 52.7 %") && few.basis.contains("295 more held-out"),
            "{few:?}"
        );
        assert_eq!(threshold(&[], &[], &[], 0.01).score, Score(u16::MAX));
    }

    #[test]
    fn the_taught_pictures_say_how_far_scores_scatter() {
        let held_out = scores([400, 460, 520, 700]);
        let alone = threshold(&held_out, &[], &[], 0.01).score;
        // as scattered, a third as high, and many more of them
        let taught = scores((0..40).map(|i| 150 + i * 2));
        let pooled = threshold(&held_out, &[], &taught, 0.01).score;
        assert!(pooled < alone && pooled >= Score(700), "{pooled:?} {alone:?}");
        assert_eq!(alone, Score(875), "a quarter above the largest");
    }

    #[test]
    fn odd_pictures_set_no_threshold_but_count_in_the_promise() {
        let clean = scores([500, 520, 540, 560, 510, 530, 550]);
        let few = threshold(&clean, &scores([30_000]), &[], 0.01);
        assert_eq!(few.score, threshold(&clean, &[], &[], 0.01).score);
        // pbeta(0.471, 2, 7) = 0.95
        assert!(
            few.basis
                .contains("8 held-out pictures, 1 above it: no more than 47.1 %"),
            "{few:?}"
        );
        assert!(few.basis.contains("465 more"), "{few:?}");
        let many = scores((1..=299).map(|i| i * 10));
        let dirty = threshold(&many, &scores([30_000]), &[], 0.01);
        assert!(
            dirty.score == Score(2990)
                && dirty
                    .basis
                    .contains("300 held-out pictures, 1 above it: no more than 1.6 %")
        );
        // 9 of 300 promise 5.2 %, 8 promise 4.8 %: one of them is the odd one
        assert_eq!(
            threshold(&many, &scores([30_000]), &[], 0.05).score,
            Score(2990 - 70)
        );
        // an odd one below the threshold is as good as any
        assert!(
            threshold(&many, &scores([2000]), &[], 0.01)
                .basis
                .contains("0 above it")
        );
    }

    #[test]
    fn where_all_scores_are_nothing_there_is_a_threshold() {
        for count in [2, 8, 120, 400] {
            let silent = threshold(&vec![Score(0); count], &[], &vec![Score(0); 300], 0.01);
            assert_eq!(silent.score, Score(256), "{count}");
        }
    }

    proptest! {
        #[test]
        fn a_stricter_target_never_lowers_the_threshold(
            values in proptest::collection::vec(50u16..20_000, 2..300),
            a in 0.001f64..0.4,
            b in 0.001f64..0.4,
        ) {
            let held_out = scores(values);
            let at = |target| threshold(&held_out, &[], &[], target).score;
            prop_assert!(at(a.min(b)) >= at(a.max(b)));
        }

        #[test]
        fn no_more_held_out_pictures_are_rejected_than_allowed(
            values in proptest::collection::vec(50u16..20_000, 2..300),
            target in 0.001f64..0.4,
        ) {
            let held_out = scores(values);
            let limit = threshold(&held_out, &[], &[], target).score;
            let rejected = held_out.iter().filter(|&&s| s > limit).count();
            prop_assert!(rejected as f64 <= target * held_out.len() as f64);
            prop_assert!(rejected == 0 || promise::upper_bound(rejected, held_out.len()) <= target);
        }
    }
}
