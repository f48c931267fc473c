//! Places and lengths along the belt.

use core::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A place on the belt, as it goes by the eye. Its unit is the line's [`crate::Scale`]: nanoseconds of
/// CLOCK_MONOTONIC on a belt of constant speed, encoder pulses on any other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Along(pub i64);

/// A length along the belt, in the unit of [`Along`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stretch(pub i64);

impl Add<Stretch> for Along {
    type Output = Self;

    fn add(self, by: Stretch) -> Self {
        Self(self.0.saturating_add(by.0))
    }
}

impl Sub<Stretch> for Along {
    type Output = Self;

    fn sub(self, by: Stretch) -> Self {
        Self(self.0.saturating_sub(by.0))
    }
}

impl Sub for Along {
    type Output = Stretch;

    fn sub(self, other: Self) -> Stretch {
        Stretch(self.0.saturating_sub(other.0))
    }
}
