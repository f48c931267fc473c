//! The one clock: CLOCK_MONOTONIC in nanoseconds. No decision on the line looks at the wall clock.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A point of CLOCK_MONOTONIC, in nanoseconds. It wraps after 584 years of uptime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MonoNanos(pub u64);

impl MonoNanos {
    /// The time from `earlier` to this, zero where it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Nanoseconds from `planned` to this, negative where it is before.
    pub fn error_to(self, planned: Self) -> i64 {
        self.0.wrapping_sub(planned.0) as i64
    }
}

impl Add<Duration> for MonoNanos {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(by.as_nanos().min(u128::from(u64::MAX)) as u64),
        )
    }
}

impl Sub<Duration> for MonoNanos {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(by.as_nanos().min(u128::from(u64::MAX)) as u64),
        )
    }
}

impl fmt::Display for MonoNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09} s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(MonoNanos(5) - Duration::from_secs(1), MonoNanos(0));
        assert_eq!(MonoNanos(u64::MAX) + Duration::MAX, MonoNanos(u64::MAX));
        assert_eq!(
            (
                MonoNanos(3).since(MonoNanos(9)),
                MonoNanos(9).error_to(MonoNanos(12))
            ),
            (Duration::ZERO, -3)
        );
    }
}
