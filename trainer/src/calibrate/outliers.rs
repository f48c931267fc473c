//! Pictures that do not belong among the good ones.

use beltwatch::verdict::Score;

use super::log;
use super::quantile::median;

/// A score this many robust standard deviations above the median is suspicious.
const SUSPICIOUS: f64 = 5.0;
/// The logarithms' standard deviation is taken as at least this: a set may be quieter than its future.
const LEAST_SPREAD: f64 = 0.05;
/// At most this share, rounded up, is taken out: a set that is worse is the engineer's to look at.
pub const MOST: f64 = 0.05;

/// Places of the scores that stand out above the others, the largest first: by more than five standard deviations of the
/// logarithms, estimated by median and median absolute deviation, and at most a twentieth of all. Fewer than 8 scores
/// have no outliers.
pub fn outliers(scores: &[Score]) -> Vec<usize> {
    if scores.len() < 8 {
        return Vec::new();
    }
    let logs: Vec<f64> = scores.iter().map(log).collect();
    let middle = median(&mut logs.clone()).unwrap_or(0.0);
    let mut deviations: Vec<f64> = logs.iter().map(|l| (l - middle).abs()).collect();
    let spread = (1.4826 * median(&mut deviations).unwrap_or(0.0)).max(LEAST_SPREAD);
    let mut found: Vec<usize> = (0..logs.len()).filter(|&i| logs[i] > middle + SUSPICIOUS * spread).collect();
    found.sort_by(|&a, &b| scores[b].cmp(&scores[a]));
    found.truncate((MOST * scores.len() as f64).ceil() as usize);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bad_pictures_among_good_ones_stand_out() {
        let mut scores: Vec<Score> = (0..60u16).map(|i| Score(2000 + (i * 37) % 400)).collect();
        assert!(outliers(&scores).is_empty());
        (scores[7], scores[41]) = (Score(9000), Score(20_000));
        assert_eq!(outliers(&scores), [41, 7]);
        // never more than a twentieth
        (0..10).for_each(|i| scores[i] = Score(30_000));
        assert_eq!(outliers(&scores).len(), 3);
        assert!(outliers(&[Score(1), Score(60_000)]).is_empty());
    }

    proptest! {
        #[test]
        fn log_normal_scores_rarely_stand_out(seed in 0u64..2000) {
            let mut rng = crate::train::rng::Rng::new(&[seed]);
            // sum of twelve uniforms: normal to within a few percent out to four standard deviations
            let mut normal = || (0..12).map(|_| rng.unit()).sum::<f32>() - 6.0;
            let scores: Vec<Score> = (0..100).map(|_| Score::from_f64(f64::from((3.0 + 0.3 * normal()).exp()))).collect();
            prop_assert!(outliers(&scores).len() <= 1);
        }
    }
}
