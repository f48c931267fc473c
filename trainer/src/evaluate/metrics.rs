//! Ranking metrics from one curve: AUROC and average precision, in f64.

/// What is above a threshold, for every threshold that makes a difference; the highest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Curve {
    /// Cumulative counts. Equal scores are one step: no threshold can part them.
    pub steps: Vec<Step>,
}

/// Samples whose score is at or above a threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Good ones among them.
    pub false_positives: u64,
    /// Bad ones among them.
    pub true_positives: u64,
}

/// A number with the order of a score. NaN, which no score is, counts as the highest.
pub fn ordered(score: f64) -> i64 {
    let bits = if score.is_nan() {
        f64::INFINITY
    } else {
        score + 0.0
    }
    .to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

impl Curve {
    /// The curve of samples `(score, bad)`.
    pub fn new<S: Ord + Copy>(mut samples: Vec<(S, bool)>) -> Self {
        samples.sort_unstable_by(|a, b| b.cmp(a));
        let mut at = Step::default();
        let steps = samples.chunk_by(|a, b| a.0 == b.0).map(|tied| {
            let bad = tied.iter().filter(|s| s.1).count() as u64;
            at.true_positives += bad;
            at.false_positives += tied.len() as u64 - bad;
            at
        });
        Self {
            steps: steps.collect(),
        }
    }

    fn totals(&self) -> Option<(f64, f64)> {
        let last = self.steps.last()?;
        Some((last.false_positives as f64, last.true_positives as f64))
    }

    /// Area under the receiver operating characteristic, 0 to 1: the chance that a bad sample scores above a
    /// good one, ties counting half. `None` where there are no good or no bad samples.
    pub fn auroc(&self) -> Option<f64> {
        let (good, bad) = self.totals()?;
        let mut before = Step::default();
        let mut twice = 0.0;
        for step in &self.steps {
            let height = (step.true_positives + before.true_positives) as f64;
            twice += (step.false_positives - before.false_positives) as f64 * height;
            before = *step;
        }
        (good > 0.0 && bad > 0.0).then(|| twice / (2.0 * good * bad))
    }

    /// Average precision, 0 to 1, by its step definition: the sum over thresholds of precision times the gain
    /// in recall. `None` where there are no good or no bad samples.
    pub fn average_precision(&self) -> Option<f64> {
        let (good, bad) = self.totals()?;
        let mut before = 0;
        let mut sum = 0.0;
        for step in &self.steps {
            let positives = (step.true_positives + step.false_positives) as f64;
            sum += (step.true_positives - before) as f64 * step.true_positives as f64 / positives;
            before = step.true_positives;
        }
        (good > 0.0 && bad > 0.0).then(|| sum / bad)
    }

    /// The points (false-positive rate, true-positive rate) from (0, 0) to (1, 1); empty where AUROC is
    /// `None`.
    pub fn roc(&self) -> Vec<(f64, f64)> {
        let rates = |(good, bad): (f64, f64)| {
            let rate = move |s: &Step| (s.false_positives as f64 / good, s.true_positives as f64 / bad);
            std::iter::once((0.0, 0.0))
                .chain(self.steps.iter().map(rate))
                .collect()
        };
        self.totals()
            .filter(|&(good, bad)| good > 0.0 && bad > 0.0)
            .map_or(Vec::new(), rates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn curve(scores: &[f64], bad: &[u8]) -> Curve {
        Curve::new(
            scores
                .iter()
                .zip(bad)
                .map(|(&s, &b)| (ordered(s), b == 1))
                .collect(),
        )
    }

    fn close(found: Option<f64>, expected: f64) {
        let found = found.expect("both classes are there");
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn by_hand() {
        // pairs (bad above good): 0.4 > 0.3 only, 0.9 > both
        let c = curve(&[0.9, 0.4, 0.5, 0.3], &[1, 1, 0, 0]);
        close(c.auroc(), 3.0 / 4.0);
        close(c.average_precision(), 0.5 * 1.0 + 0.5 * 2.0 / 3.0);
        assert_eq!(
            c.roc(),
            [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]
        );
        let all_tied = curve(&[2.0; 5], &[1, 0, 0, 0, 1]);
        close(all_tied.auroc(), 0.5);
        close(all_tied.average_precision(), 0.4);
        assert_eq!(all_tied.roc(), [(0.0, 0.0), (1.0, 1.0)]);
    }

    #[test]
    fn as_scikit_learn_1_9() {
        let scores = [0.5, 0.5, 0.25, 0.75, 0.0, 0.75, 0.75, 1.0, 0.25, 0.5, -1.0, 1.5];
        let bad = [0, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 0];
        close(curve(&scores, &bad).auroc(), 0.671_428_571_428_571_5);
        close(curve(&scores, &bad).average_precision(), 0.54);
    }

    #[test]
    fn one_class_has_no_metric() {
        for c in [
            curve(&[], &[]),
            curve(&[1.0, 2.0], &[0, 0]),
            curve(&[1.0, 2.0], &[1, 1]),
        ] {
            assert_eq!((c.auroc(), c.average_precision(), c.roc().len()), (None, None, 0));
        }
    }

    #[test]
    fn order_of_numbers() {
        let up = [
            f64::NEG_INFINITY,
            -2.5,
            -1e-300,
            0.0,
            1e-300,
            0.1,
            3.0,
            f64::MAX,
            f64::INFINITY,
        ];
        assert!(up.windows(2).all(|w| ordered(w[0]) < ordered(w[1])));
        assert_eq!(ordered(-0.0), ordered(0.0));
        assert_eq!(ordered(-f64::NAN), ordered(f64::INFINITY));
    }

    proptest! {
        #[test]
        fn auroc_counts_pairs(samples in proptest::collection::vec((-4i32..4, any::<bool>()), 0..60)) {
            let of = |bad: bool| samples.iter().filter(move |s| s.1 == bad);
            let pairs = of(true).flat_map(|b| of(false).map(move |g| (b.0, g.0)));
            let won = pairs.clone().map(|(b, g)| f64::from(b > g) + 0.5 * f64::from(b == g)).sum::<f64>();
            let expected = (pairs.clone().count() > 0).then(|| won / pairs.count() as f64);
            match (Curve::new(samples).auroc(), expected) {
                (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 1e-12),
                (found, expected) => prop_assert_eq!(found, expected),
            }
        }

        #[test]
        fn average_precision_asks_every_threshold(
            samples in proptest::collection::vec((-4i32..4, any::<bool>()), 1..60),
        ) {
            prop_assume!(samples.iter().any(|s| s.1) && samples.iter().any(|s| !s.1));
            let total = samples.iter().filter(|s| s.1).count() as f64;
            let (mut expected, mut recall_above) = (0.0, 0.0);
            for threshold in (-4..4).rev() {
                let above = samples.iter().filter(|s| s.0 >= threshold);
                let (all, hits) = (above.clone().count() as f64, above.filter(|s| s.1).count() as f64);
                if all > 0.0 {
                    expected += (hits / total - recall_above) * hits / all;
                    recall_above = hits / total;
                }
            }
            let found = Curve::new(samples).average_precision().expect("both classes");
            prop_assert!((found - expected).abs() < 1e-12, "{} {}", found, expected);
        }

        #[test]
        fn only_the_order_counts(
            scores in proptest::collection::vec(-1e6f64..1e6, 2..40),
            bits in any::<u64>(),
        ) {
            let samples = |f: fn(f64) -> f64| {
                scores.iter().enumerate().map(|(i, &s)| (ordered(f(s)), bits >> i & 1 == 1)).collect()
            };
            prop_assert_eq!(Curve::new(samples(|s| s)), Curve::new(samples(|s| s * 8.0)));
        }
    }
}
