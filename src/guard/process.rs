//! The guard process's own side.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{PidfdFlags, Signal, getppid, pidfd_open, pidfd_send_signal, setsid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use super::{ARMED, Orders};
use crate::outputs::{OutputError, OutputsConfig, drive_safe};
use crate::realtime;

/// Above the daemon's gate thread, below the kernel's interrupt threads.
const PRIORITY: u8 = 45;
/// A killed daemon may take this long to be gone; the outputs are driven then, whether it is or not.
const DEATH: Duration = Duration::from_secs(1);
/// Outputs that cannot be driven are tried again for this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves as a guard until the daemon is gone or hangs; every output is safe then.
pub fn serve() -> ExitCode {
    let (daemon, orders) = match arm() {
        Ok(armed) => armed,
        Err(why) => {
            let _ = writeln!(std::io::stdout(), "{why}");
            return ExitCode::FAILURE;
        }
    };
    let mut out = std::io::stdout();
    if writeln!(out, "{ARMED}").and_then(|()| out.flush()).is_err() {
        return ExitCode::FAILURE;
    }
    let end = watch(orders.limit);
    let killed = if end == End::Silent { kill(&daemon) } else { Ok(()) };
    let safe = persistently_safe(&orders.outputs);
    // only now: nobody may be reading
    if end == End::Silent {
        say("the daemon's gate thread hung: the daemon was killed");
    }
    if let Err(e) = killed {
        say(format_args!("the daemon cannot be killed and may still switch outputs: {e}"));
    }
    match safe {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            say(format_args!("outputs may not be safe: {e}"));
            ExitCode::FAILURE
        }
    }
}

fn say(what: impl Display) {
    let _ = writeln!(std::io::stderr(), "beltwatch guard: {what}");
}

/// Everything that can fail is tried before the daemon relies on it, the outputs too.
fn arm() -> Result<(OwnedFd, Orders), String> {
    // a terminal's Ctrl-C and a service manager's SIGTERM are for the daemon: the guard goes when its pipe closes
    setsid().map_err(|e| format!("session: {e}"))?;
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2] {
        let ignored = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal, ignored).map_err(|e| format!("signals: {e}"))?;
    }
    // held from now on: another process that gets the daemon's number later cannot be hit
    let parent = getppid().ok_or("the daemon is of another process namespace")?;
    let daemon = pidfd_open(parent, PidfdFlags::empty()).map_err(|e| format!("the daemon cannot be held: {e}"))?;
    if getppid() != Some(parent) {
        return Err("the daemon is gone".to_owned());
    }
    let mut line = String::new();
    BufReader::new(std::io::stdin()).read_line(&mut line).map_err(|e| format!("no orders: {e}"))?;
    let orders: Orders = serde_json::from_str(&line).map_err(|e| format!("orders that are none: {e}"))?;
    drive_safe(&orders.outputs).map_err(|e| e.to_string())?;
    // where RAM runs out another process is to go; only the privileged may ask for that
    let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
    // the daemon asks for the same and says what is refused
    let _ = (realtime::fifo(PRIORITY), realtime::keep_used_memory());
    Ok((daemon, orders))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The pipe closed.
    Gone,
    /// Nothing came for too long.
    Silent,
}

/// Listens to the daemon until it is gone or, once heard, has been silent for `limit`.
fn watch(limit: Duration) -> End {
    // two halves: where the whole machine stood still the guard may wake first, and the daemon still has the second
    let half = timespec(limit / 2);
    let (mut heard, mut missed) = (false, 0);
    let mut input = std::io::stdin().lock();
    let mut bytes = [0; 4096];
    loop {
        match poll(&mut [PollFd::new(&input, PollFlags::IN)], heard.then_some(&half)) {
            Ok(0) if missed == 0 => missed = 1,
            Ok(0) => return End::Silent,
            Ok(_) => match input.read(&mut bytes) {
                Ok(1..) => (heard, missed) = (true, 0),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return End::Gone,
            },
            Err(Errno::INTR) => {}
            Err(_) => return End::Gone,
        }
    }
}

/// Kills the daemon and waits until it is gone: it could switch outputs until then.
fn kill(daemon: &OwnedFd) -> Result<(), Errno> {
    match pidfd_send_signal(daemon, Signal::KILL) {
        Ok(()) => retry_on_intr(|| poll(&mut [PollFd::new(daemon, PollFlags::IN)], Some(&timespec(DEATH)))).map(|_| ()),
        Err(Errno::SRCH) => Ok(()),
        Err(e) => Err(e),
    }
}

fn persistently_safe(outputs: &OutputsConfig) -> Result<(), OutputError> {
    let start = Instant::now();
    loop {
        match drive_safe(outputs) {
            Err(_) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(1)),
            result => return result,
        }
    }
}

fn timespec(t: Duration) -> Timespec {
    Timespec { tv_sec: t.as_secs() as _, tv_nsec: t.subsec_nanos() as _ }
}
