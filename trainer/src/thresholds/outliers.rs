//! Pictures that do not belong among the good ones.

use beltwatch_vision::judge::score::Score;

use super::quantile::median;
use super::root;

/// A score this many robust standard deviations above the median is suspicious.
const SUSPICIOUS: f64 = 5.0;
/// The standard deviation is taken as at least this share of the median's root, so that no less than one and
/// a half times the median stands out: a set may be quieter than its future, and scores may come in a few
/// steps only.
const LEAST_SPREAD: f64 = 0.05;
/// No lower score stands out, and where most scores are 0 many would.
const LEAST: Score = Score(4 * 256);
/// At most this share, rounded up, is taken out: a set that is worse is the engineer's to look at.
pub const MOST: f64 = 0.05;
/// By this quantile of the scores and the median the standard deviation is estimated, so that it takes more
/// bad pictures than anyone has among the good ones to hide each other,
const HIGH: f64 = 0.8;
/// and here it lies in a normal distribution, in standard deviations.
const NORMAL_HIGH: f64 = 0.8416;

/// Places of the scores that stand out above the others, the largest first: by more than five standard
/// deviations of the square roots, estimated by the median and the eightieth percentile, and at most a
/// twentieth of all. So parts of several kinds, of which some score far lower than others, do not make those
/// stand out. Fewer than 8 scores have no outliers.
pub fn outliers(scores: &[Score]) -> Vec<usize> {
    if scores.len() < 8 {
        return Vec::new();
    }
    let roots: Vec<f64> = scores.iter().map(root).collect();
    let mut sorted = roots.clone();
    let middle = median(&mut sorted).unwrap_or(0.0);
    let high = sorted[(HIGH * (sorted.len() - 1) as f64) as usize];
    let spread = ((high - middle) / NORMAL_HIGH).max(LEAST_SPREAD * middle);
    let limit = (middle + SUSPICIOUS * spread).max(root(&LEAST));
    let mut found: Vec<usize> = (0..roots.len()).filter(|&i| roots[i] > limit).collect();
    found.sort_by(|&a, &b| scores[b].cmp(&scores[a]));
    found.truncate((MOST * scores.len() as f64).ceil() as usize);
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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

    #[test]
    fn half_as_much_again_in_coarse_steps_does_not_stand_out() {
        let mut scores: Vec<Score> = [(4.0, 16), (4.5, 15), (5.0, 26), (5.5, 10)]
            .into_iter()
            .flat_map(|(score, count)| vec![Score::from_f64(score); count])
            .collect();
        scores.push(Score::from_f64(7.5));
        assert!(outliers(&scores).is_empty());
        scores.push(Score::from_f64(8.0));
        assert_eq!(outliers(&scores), [68]);
    }

    #[test]
    fn what_is_barely_more_than_nothing_does_not_stand_out() {
        let mut scores = vec![Score(0); 90];
        (scores[1], scores[2]) = (Score::from_f64(0.5), Score::from_f64(3.9));
        assert!(outliers(&scores).is_empty());
        scores[7] = Score::from_f64(4.2);
        assert_eq!(outliers(&scores), [7]);
    }

    #[test]
    fn two_kinds_of_parts_are_both_good() {
        // most are known by heart, a third is not
        let mut scores: Vec<Score> = (0..90u16)
            .map(|i| Score(if i % 3 == 0 { 1000 + 10 * i } else { 50 + i }))
            .collect();
        assert!(outliers(&scores).is_empty());
        scores[3] = Score(40_000);
        assert_eq!(outliers(&scores), [3]);
    }

    proptest! {
        #[test]
        fn log_normal_scores_rarely_stand_out(seed in 0u64..2000) {
            let mut rng = crate::rng::Rng::new(&[seed]);
            // sum of twelve uniforms: normal to within a few percent out to four standard deviations
            let mut normal = || (0..12).map(|_| rng.unit()).sum::<f32>() - 6.0;
            let draw = |_| Score::from_f64(f64::from((3.0 + 0.3 * normal()).exp()));
            let scores: Vec<Score> = (0..100).map(draw).collect();
            prop_assert!(outliers(&scores).len() <= 1);
        }
    }
}
