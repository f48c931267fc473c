//! Rights, clock and disk.

use std::fs;
use std::path::Path;
use std::time::Duration;

use beltwatch_core::MonoNanos;

use super::Finding;
use crate::clock::Clock;
use crate::clock::realtime::{self, Rights};
use crate::keep::store::Store;
use crate::line::Times;

/// Less free space than this is soon none.
const LITTLE: u64 = 256 << 20;
/// A gate that opens this much late hits beside its part on a fast belt.
const LATE: Duration = Duration::from_millis(1);

/// What a thread of the line is given; its priority ends with it.
pub(super) fn rights() -> [Finding; 2] {
    let refused = Rights {
        fifo: false,
        locked: false,
    };
    let rights = std::thread::spawn(|| realtime::enter(1))
        .join()
        .unwrap_or(refused);
    [priority(rights), memory(rights)]
}

fn priority(rights: Rights) -> Finding {
    if rights.fifo {
        return Finding::good(
            "priority",
            "SCHED_FIFO is allowed: no ordinary program delays the gate",
        );
    }
    let advice =
        "run as the service of the package (LimitRTPRIO=50), or allow rtprio in /etc/security/limits.conf";
    Finding::hint(
        "priority",
        "SCHED_FIFO is refused: a busy machine delays the gate by milliseconds",
        advice,
    )
}

fn memory(rights: Rights) -> Finding {
    if rights.locked {
        return Finding::good("memory", "can be locked in RAM");
    }
    let advice = "run as the service of the package (LimitMEMLOCK=infinity), or allow memlock in limits.conf";
    Finding::hint("memory", "cannot be locked: a full RAM delays the gate", advice)
}

/// How late a wait ends, as the gate's thread waits.
pub(super) fn clock() -> Finding {
    let waits = std::thread::spawn(|| {
        realtime::enter(40);
        let wait = |_| {
            let at = MonoNanos::now() + Duration::from_millis(1);
            realtime::wait_until(at);
            MonoNanos::now().since(at)
        };
        (0..500).map(wait).collect::<Times>().latency()
    });
    let Ok(late) = waits.join() else {
        return Finding::bad("clock", "no thread could be started", "end other programs");
    };
    let found = format!(
        "500 waits ended late by p50 {:.0}, p99 {:.0}, max {:.0} us",
        late.p50_us, late.p99_us, late.max_us
    );
    if late.p99_us < LATE.as_micros() as f64 {
        return Finding::good("clock", found);
    }
    Finding::hint("clock", found, "end other programs; see priority")
}

/// A processor that has to wake up from a low clock first is late, and slow.
pub(super) fn governor() -> Finding {
    let path = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    match fs::read_to_string(path).as_deref().map(str::trim) {
        Ok("performance") => Finding::good("cpu", "governor performance"),
        Ok(other) => Finding::hint(
            "cpu",
            format!("governor {other}"),
            "\"performance\" makes times even: cpupower frequency-set -g performance",
        ),
        Err(_) => Finding::good("cpu", "its clock is not the system's to set"),
    }
}

pub(super) fn disk(state: &Path) -> Finding {
    let advice = "the folder for counters must be writable: see --state, and the group of the service";
    let free = match Store::open(state).map_err(|e| e.to_string()).and_then(|_| {
        rustix::fs::statvfs(state)
            .map(|s| s.f_bavail * s.f_frsize)
            .map_err(|e| e.to_string())
    }) {
        Ok(free) => free,
        Err(e) => return Finding::bad("disk", e, advice),
    };
    let found = format!("{}: {} MiB free", state.display(), free >> 20);
    if free < LITTLE {
        return Finding::hint(
            "disk",
            found,
            "counters and records are lost when it is full; inspection goes on",
        );
    }
    Finding::good("disk", found)
}
