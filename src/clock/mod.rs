//! The one clock: CLOCK_MONOTONIC in nanoseconds. No decision on the line looks at the wall clock.

pub mod realtime;

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
}
