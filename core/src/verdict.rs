//! What happens to a part at the gate, and why. The inspection makes a verdict of a score in
//! `judge/score.rs` of `beltwatch-vision`.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Why a part is rejected; the names are those of the counters.
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
pub enum Cause {
    /// The score is above the threshold.
    Defect,
    /// No verdict came by the deadline.
    NoVerdict,
    /// The part got no picture, or none that can be judged.
    NoImage,
    /// Another part was too close.
    Spacing,
    /// The device was not ready for the part, or a queue was full.
    Fault,
    /// A test piece that somebody sent to see that the gate works.
    Challenge,
    /// An operator wanted the part out.
    Manual,
}

impl Cause {
    /// All causes, in the order in which tables show them.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;
}

/// What happens to a part at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It leaves.
    Reject(Cause),
}

impl Verdict {
    /// `pass` or `reject`, as records have it.
    pub fn name(self) -> &'static str {
        if self == Self::Pass { "pass" } else { "reject" }
    }

    /// Why it leaves, if it does.
    pub fn cause(self) -> Option<Cause> {
        match self {
            Self::Pass => None,
            Self::Reject(cause) => Some(cause),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if *self == Self::Pass { "PASS" } else { "REJECT" })
    }
}
