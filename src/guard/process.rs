//! The guard process's own side.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, getppid, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::{ARMED, Orders};
use crate::outputs;
use crate::realtime;

/// Above the daemon's gate thread, below the kernel's interrupt threads.
const PRIORITY: u8 = 45;

/// Serves as a guard until the daemon is gone or hangs; every output is safe then.
pub fn serve() -> ExitCode {
    // a terminal's Ctrl-C and a service manager's SIGTERM are for the daemon: the guard goes when its pipe closes
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        let ignored = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        if let Err(e) = signal_hook::flag::register(signal, ignored) {
            return refuse(&format!("signals: {e}"));
        }
    }
    let mut input = BufReader::new(std::io::stdin());
    let mut line = String::new();
    if let Err(e) = input.read_line(&mut line) {
        return refuse(&format!("no orders: {e}"));
    }
    let orders: Orders = match serde_json::from_str(&line) {
        Ok(orders) => orders,
        Err(e) => return refuse(&format!("orders that are none: {e}")),
    };
    // held from now on: another process that gets the daemon's number later cannot be hit
    let daemon = getppid().and_then(|pid: Pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    realtime::enter(PRIORITY);
    let mut out = std::io::stdout();
    if writeln!(out, "{ARMED}").and_then(|()| out.flush()).is_err() {
        return ExitCode::FAILURE;
    }
    let pipe = std::io::stdin();
    if watch(pipe.as_fd(), orders.limit) == End::Silent {
        kill(daemon.as_ref());
    }
    match outputs::drive_safe(&orders.outputs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("beltwatch guard: outputs may not be safe: {e}");
            ExitCode::FAILURE
        }
    }
}

fn refuse(why: &str) -> ExitCode {
    let _ = writeln!(std::io::stdout(), "{why}");
    ExitCode::FAILURE
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The pipe closed.
    Gone,
    /// Nothing came for too long.
    Silent,
}

/// Listens to the daemon until it is gone or has been silent for longer than `limit`.
fn watch(pipe: BorrowedFd<'_>, limit: Duration) -> End {
    let timeout = Timespec { tv_sec: limit.as_secs() as _, tv_nsec: limit.subsec_nanos() as _ };
    let mut stdin = std::io::stdin().lock();
    let mut bytes = [0; 4096];
    loop {
        let mut fds = [PollFd::from_borrowed_fd(pipe, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return End::Silent,
            Ok(_) => match stdin.read(&mut bytes) {
                Ok(0) => return End::Gone,
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return End::Gone,
            },
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return End::Gone,
        }
    }
}

fn kill(daemon: Option<&OwnedFd>) {
    eprintln!("beltwatch guard: the gate's thread hangs: the daemon is ended and the outputs are made safe");
    if let Some(daemon) = daemon
        && let Err(e) = pidfd_send_signal(daemon, Signal::KILL)
    {
        eprintln!("beltwatch guard: the daemon cannot be ended: {e}");
    }
}
