//! From the anomaly map to a score, from the score to a verdict.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::judge::hee::histogram;

pub use beltwatch_core::{Cause, Verdict};

/// How different a part is from a good one: Q8.8 of the anomaly map's unit, 0 to 255.996.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(pub u16);

impl Score {
    /// The nearest score to a number; numbers out of range go to the nearer end.
    pub fn from_f64(value: f64) -> Self {
        Self((value * 256.0).round().clamp(0.0, f64::from(u16::MAX)) as u16)
    }

    /// The score of a number from 0 to below 256.
    pub fn checked(value: f64) -> Option<Self> {
        (0.0..256.0).contains(&value).then(|| Self::from_f64(value))
    }

    /// Rejects a score above the threshold.
    pub fn judge(self, threshold: Self) -> Verdict {
        if self > threshold {
            Verdict::Reject(Cause::Defect)
        } else {
            Verdict::Pass
        }
    }

    /// The score as a number, exactly.
    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / 256.0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.3}", self.to_f64()))
    }
}

impl Serialize for Score {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.to_f64())
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Self::checked(value)
            .ok_or_else(|| serde::de::Error::custom(format!("a score is 0 to 255.996, not {value}")))
    }
}

/// How the anomaly map becomes one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The largest value.
    Max,
    /// The mean of the largest values, of one pixel in [`TOP_ONE_IN`]: one loud pixel does not outweigh a
    /// defect that is there on many, whatever their shape.
    #[default]
    TopShare,
}

/// 131 pixels of 256 x 256, a square of 11.
pub const TOP_ONE_IN: usize = 500;

impl Pooling {
    /// The score of a map in Q8.8; no pixels score 0.
    pub fn score(self, map: &[u16]) -> Score {
        match self {
            Self::Max => Score(map.iter().copied().max().unwrap_or(0)),
            Self::TopShare if map.is_empty() => Score(0),
            Self::TopShare => top_mean(map, (map.len() / TOP_ONE_IN).max(1)),
        }
    }
}

/// The mean of the `count` largest values, rounded down. They are counted by their upper, then by their lower
/// bytes: the time does not depend on the picture, and nothing is sorted.
fn top_mean(map: &[u16], count: usize) -> Score {
    let upper = histogram(map, |&v| (v >> 8) as u8);
    let mut wanted = count;
    let mut last = 255;
    while last > 0 && (upper[last] as usize) < wanted {
        wanted -= upper[last] as usize;
        last -= 1;
    }
    let mut sum = 0;
    let mut lower = [0usize; 256];
    for &value in map.iter().filter(|&&v| usize::from(v >> 8) >= last) {
        if usize::from(value >> 8) > last {
            sum += u64::from(value);
        } else {
            lower[usize::from(value & 255)] += 1;
        }
    }
    for (low, &found) in lower.iter().enumerate().rev() {
        let taken = found.min(wanted);
        sum += taken as u64 * (last << 8 | low) as u64;
        wanted -= taken;
    }
    Score((sum / count as u64) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_above_the_threshold_is_a_reject() {
        assert_eq!(Score(256).judge(Score(256)), Verdict::Pass);
        assert_eq!(Score(257).judge(Score(256)), Verdict::Reject(Cause::Defect));
    }

    #[test]
    fn pooling() {
        let mut map = vec![5; 998];
        map.extend([1000, 501]);
        assert_eq!(Pooling::Max.score(&map), Score(1000));
        assert_eq!(Pooling::TopShare.score(&map), Score(750));
        assert_eq!(
            [Pooling::Max, Pooling::TopShare].map(|p| p.score(&[u16::MAX])),
            [Score(u16::MAX); 2]
        );
        assert_eq!(
            [Pooling::Max, Pooling::TopShare].map(|p| p.score(&[])),
            [Score(0); 2]
        );
    }

    proptest::proptest! {
        #[test]
        fn the_top_mean_is_the_mean_of_the_largest(
            map in proptest::collection::vec(
                proptest::prop_oneof![proptest::num::u16::ANY, 500..530u16],
                1..400,
            ),
            share in 0.0..1.0f64,
        ) {
            let count = ((map.len() as f64 * share) as usize).max(1);
            let mut sorted: Vec<u64> = map.iter().map(|&v| u64::from(v)).collect();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            let mean = sorted[..count].iter().sum::<u64>() / count as u64;
            proptest::prop_assert_eq!(u64::from(top_mean(&map, count).0), mean);
        }
    }

    #[test]
    fn a_score_survives_its_text() {
        for raw in [0, 1, 255, 256, 12_345, 65_535] {
            let text = serde_json::to_string(&Score(raw)).expect("a number");
            assert_eq!(
                serde_json::from_str::<Score>(&text).expect("its own text"),
                Score(raw)
            );
        }
        assert!(serde_json::from_str::<Score>("256").is_err());
        assert!(serde_json::from_str::<Score>("-0.5").is_err());
    }
}
