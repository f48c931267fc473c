//! From the anomaly map to a score, from the score to a verdict.

use std::fmt;

use serde::{Deserialize, Serialize};

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
        if self > threshold { Verdict::Reject(Cause::Defect) } else { Verdict::Pass }
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
        Self::checked(value).ok_or_else(|| serde::de::Error::custom(format!("a score is 0 to 255.996, not {value}")))
    }
}

/// How the anomaly map becomes one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The largest value.
    #[default]
    Max,
    /// The mean of the largest 0.5 % of the pixels, at least one.
    TopShare,
}

impl Pooling {
    /// The score of a map in signed Q8.8; negative values count as 0. `scratch` is as long as the map.
    pub fn score(self, map: &[i32], scratch: &mut [i32]) -> Score {
        let top = match self {
            Self::Max => i64::from(map.iter().copied().max().unwrap_or(0)),
            Self::TopShare => {
                let count = (map.len() / 200).max(1).min(map.len());
                if count == 0 {
                    return Score(0);
                }
                scratch.copy_from_slice(map);
                scratch.select_nth_unstable_by(count - 1, |a, b| b.cmp(a));
                scratch[..count].iter().map(|&v| i64::from(v)).sum::<i64>().div_euclid(count as i64)
            }
        };
        Score(top.clamp(0, i64::from(u16::MAX)) as u16)
    }
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
        let mut map = vec![-5; 398];
        map.extend([1000, 501]);
        let mut scratch = vec![0; 400];
        assert_eq!(Pooling::Max.score(&map, &mut scratch), Score(1000));
        assert_eq!(Pooling::TopShare.score(&map, &mut scratch), Score(750));
        assert_eq!(Pooling::Max.score(&[-3], &mut [0]), Score(0));
        assert_eq!(Pooling::Max.score(&[70_000], &mut [0]), Score(65_535));
        assert_eq!((Pooling::Max.score(&[], &mut []), Pooling::TopShare.score(&[], &mut [])), (Score(0), Score(0)));
    }

    #[test]
    fn a_score_survives_its_text() {
        for raw in [0, 1, 255, 256, 12_345, 65_535] {
            let text = serde_json::to_string(&Score(raw)).expect("a number");
            assert_eq!(serde_json::from_str::<Score>(&text).expect("its own text"), Score(raw));
        }
        assert!(serde_json::from_str::<Score>("256").is_err());
        assert!(serde_json::from_str::<Score>("-0.5").is_err());
    }
}
