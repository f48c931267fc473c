//! The one clock: CLOCK_MONOTONIC in nanoseconds. No decision on the line looks at the wall clock, which is
//! for labels.

pub mod realtime;

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::io::Errno;
use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::{Timespec, clock_gettime};

pub use beltwatch_core::MonoNanos;

/// What only the running program can do with a time: the pure core gets it as an argument.
pub trait Clock: Sized {
    /// The time now.
    fn now() -> Self;

    /// Waits until this time; returns at once where it is past.
    fn sleep(self);
}

impl Clock for MonoNanos {
    fn now() -> Self {
        let t = clock_gettime(rustix::time::ClockId::Monotonic);
        Self(t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64)
    }

    fn sleep(self) {
        let until = Timespec {
            tv_sec: (self.0 / 1_000_000_000) as _,
            tv_nsec: (self.0 % 1_000_000_000) as _,
        };
        // a signal ends the wait early: the same absolute time is waited for again
        while clock_nanosleep_absolute(ClockId::Monotonic, &until) == Err(Errno::INTR) {}
    }
}

/// Wall time, seconds since 1970, for labels.
pub fn wall_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

/// Wall time as logs have it, in UTC: `2026-12-01T16:05:11Z`.
pub fn utc(wall_seconds: u64) -> String {
    let (days, second) = (wall_seconds / 86_400, wall_seconds % 86_400);
    // the calendar repeats every 400 years; years begin in March, so that the leap day is their last
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let (month, day) = ((march + 2) % 12 + 1, day - (153 * march + 2) / 5 + 1);
    let year = 400 * era + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sleeps_to_the_time_and_not_past_times() {
        let start = MonoNanos::now();
        (start - Duration::from_secs(1)).sleep();
        let until = start + Duration::from_millis(5);
        until.sleep();
        assert!(MonoNanos::now() >= until);
    }

    #[test]
    fn wall_time_has_a_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_796_054_711, "2026-11-30T16:05:11Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(seconds), text);
        }
    }
}
