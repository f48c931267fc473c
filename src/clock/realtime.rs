//! Real-time rights of a thread, and waits that end on time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use beltwatch_core::MonoNanos;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};
use thread_priority::unix::{set_thread_priority_and_policy, thread_native_id};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
};

use crate::clock::Clock;

/// A wait sleeps until this long before its end and spins from there: longer than a wake-up takes on a quiet
/// machine (60 to 90 us measured without real-time rights, 10 to 30 us with them).
const SPIN: Duration = Duration::from_micros(120);

/// Each step is a quarter more time than a thread with the next one gets.
const NICE: i32 = -10;

/// What the system gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// SCHED_FIFO: no ordinary program delays this thread.
    pub fifo: bool,
    /// Memory stays in RAM.
    pub locked: bool,
}

/// Asks for real-time rights for the calling thread (`priority` 1 to 99), and once for the process's memory;
/// what the system refuses is said in the log with what to do.
pub fn enter(priority: u8) -> Rights {
    let fifo = fifo(priority);
    static SAID: AtomicBool = AtomicBool::new(false);
    if let Err(e) = &fifo
        && !SAID.swap(true, Ordering::Relaxed)
    {
        log::warn!(
            "no real-time priority: {e}; other programs can delay the gate. Run as a service with \
             LimitRTPRIO=50, or allow rtprio in /etc/security/limits.conf"
        );
    }
    static LOCKED: OnceLock<bool> = OnceLock::new();
    let locked = *LOCKED.get_or_init(|| {
        let Err(e) = lock_memory() else { return true };
        log::warn!(
            "memory is not locked: {e}; a full RAM can delay the gate. Run as a service with \
             LimitMEMLOCK=infinity, or allow memlock in /etc/security/limits.conf"
        );
        false
    });
    // matters only where SCHED_FIFO was refused
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    Rights {
        fifo: fifo.is_ok(),
        locked,
    }
}

/// Ten times the share of a processor that an ordinary thread gets, for a calling thread that must keep up
/// with the belt but may take long; where the system refuses it the log says so, once.
pub fn prefer() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if rustix::process::setpriority_process(None, NICE).is_err() && !SAID.swap(true, Ordering::Relaxed) {
        log::info!(
            "no better nice value: other programs can delay verdicts. Run as a service with LimitNICE={NICE}"
        );
    }
}

/// SCHED_FIFO for the calling thread.
pub(crate) fn fifo(priority: u8) -> Result<(), String> {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let value = ThreadPriorityValue::try_from(priority)?;
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), policy)
        .map_err(|e| e.to_string())
}

/// What is there now is brought into RAM, so that nothing has to come from a slow card when it is first
/// needed, the program's own code above all; what comes later stays once it was touched.
fn lock_memory() -> Result<(), String> {
    may_lock()?;
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE)
        .and_then(|()| mlockall(MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT))
        .map_err(|e| e.to_string())
}

/// Keeps in RAM what was used so far, and no more, for a process that is to stay small.
pub(crate) fn keep_used_memory() -> Result<(), String> {
    may_lock()?;
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
        .map_err(|e| e.to_string())
}

/// Under a limit, locking memory to come would make later allocations fail: not asked for then.
fn may_lock() -> Result<(), String> {
    let privileged = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    match getrlimit(Resource::Memlock).current {
        Some(limit) if !privileged => Err(format!("the limit is {} MiB", limit >> 20)),
        _ => Ok(()),
    }
}

/// Waits until `at`, to the microsecond where the processor is free.
pub fn wait_until(at: MonoNanos) {
    (at - SPIN).sleep();
    while MonoNanos::now() < at {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a key of /proc/self/status, in kB.
    fn status(key: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find(|l| l.starts_with(key)).expect("the key");
        line.split_whitespace()
            .nth(1)
            .and_then(|v| v.parse().ok())
            .expect("a number")
    }

    #[test]
    fn rights_are_what_the_system_says() {
        let rights = std::thread::spawn(|| {
            let rights = enter(7);
            let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux");
            // after the name: fields 3 and on; real-time priority is field 40, the policy 41
            // (proc_pid_stat(5))
            let fields: Vec<_> = stat[stat.rfind(')').expect("a name") + 2..]
                .split_whitespace()
                .collect();
            assert_eq!(
                (fields[37], fields[38]),
                if rights.fifo { ("7", "1") } else { ("0", "0") }
            );
            rights
        });
        let rights = rights.join().expect("no panic");
        assert_eq!(rights.locked, status("VmLck:") > 0);
        assert!(
            enter(200)
                == Rights {
                    fifo: false,
                    ..rights
                },
            "no such priority"
        );
        let more = std::hint::black_box(vec![1u8; 64 << 20]);
        assert_eq!(more[1 << 20], 1, "memory is still to be had");
    }

    #[test]
    fn waits_are_never_short() {
        for us in [0, 50, 150, 1000] {
            let at = MonoNanos::now() + Duration::from_micros(us);
            wait_until(at);
            assert!(MonoNanos::now() >= at);
        }
        wait_until(MonoNanos(0));
    }
}
