//! Real-time rights of a thread, and waits that end on time.

use std::time::Duration;

use beltwatch_core::MonoNanos;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, getrlimit};
use thread_priority::unix::{set_thread_priority_and_policy, thread_native_id};
use thread_priority::{RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy};

use crate::time::Clock;

/// A wait sleeps until this long before its end and spins from there: longer than a wake-up takes on a quiet machine
/// (60 to 90 us measured without real-time rights, 10 to 30 us with them).
const SPIN: Duration = Duration::from_micros(120);

/// What the system gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// SCHED_FIFO: no ordinary program delays this thread.
    pub fifo: bool,
    /// Memory stays in RAM.
    pub locked: bool,
}

/// Asks for real-time rights for the calling thread; what the system refuses is said in the log with what to do.
pub fn enter(priority: u8) -> Rights {
    let fifo = set_fifo(priority);
    if let Err(e) = &fifo {
        log::warn!(
            "no real-time priority: {e}; other programs can delay the gate. Run as a service with LimitRTPRIO=50, or \
             allow rtprio in /etc/security/limits.conf"
        );
    }
    let locked = lock_memory();
    if let Err(e) = &locked {
        log::warn!(
            "memory is not locked: {e}; a full RAM can delay the gate. Run as a service with LimitMEMLOCK=infinity, or \
             allow memlock in /etc/security/limits.conf"
        );
    }
    // matters only where SCHED_FIFO was refused
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    Rights { fifo: fifo.is_ok(), locked: locked.is_ok() }
}

fn set_fifo(priority: u8) -> Result<(), String> {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let value = ThreadPriorityValue::try_from(priority)?;
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), policy)
        .map_err(|e| e.to_string())
}

/// With a limit below what a program needs, locking memory to come would make later allocations fail: not asked for then.
fn lock_memory() -> Result<(), String> {
    const ENOUGH: u64 = 1 << 30;
    match getrlimit(Resource::Memlock).current {
        Some(limit) if limit < ENOUGH && !rustix::process::geteuid().is_root() => {
            Err(format!("the limit is {} MiB", limit >> 20))
        }
        _ => {
            mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).map_err(|e| e.to_string())
        }
    }
}

/// Waits until `at`, to the microsecond where the processor is free.
pub fn wait_until(at: MonoNanos) {
    (at - SPIN).sleep();
    while MonoNanos::now() < at {
        std::hint::spin_loop();
    }
}
