//! The guard process's own side.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{
    PidfdFlags, Signal, getppid, pidfd_open, pidfd_send_signal, set_parent_process_death_signal, setsid,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::low_level::pipe;

use super::{ARMED, Orders};
use crate::board::OutputsConfig;
use crate::clock::realtime;
use crate::devices::outputs::{self, OutputError, Outputs, make_safe};

/// Above the daemon's gate thread, below the kernel's interrupt threads.
const PRIORITY: u8 = 45;
/// A killed daemon's gate thread may take this long to end; the outputs are driven then, whether it has or
/// not.
const DEATH: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};
/// Outputs that cannot be driven are tried again for this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves as a guard until the daemon is gone or hangs; every output is safe then.
pub fn serve() -> ExitCode {
    let Ok(mut socket) = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from)
    else {
        return ExitCode::FAILURE;
    };
    let (mut post, orders) = match Post::arm(&socket) {
        Ok(armed) => armed,
        Err(why) => {
            let _ = writeln!(socket, "{why}");
            return ExitCode::FAILURE;
        }
    };
    if writeln!(socket, "{ARMED}").is_err() {
        return ExitCode::FAILURE;
    }
    let end = post.watch(&socket, orders.limit);
    let killed = if end == End::Silent { post.kill() } else { Ok(()) };
    let safe = persistently_safe(post.outputs.as_mut(), &orders.outputs);
    // only now: nobody may be reading
    if end == End::Silent {
        say("the daemon's gate thread hung: the daemon was killed");
    }
    if let Err(e) = killed {
        say(format_args!(
            "the daemon cannot be killed and may still switch outputs: {e}"
        ));
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The gate's thread ended, or the socket closed.
    Gone,
    /// Nothing came for too long.
    Silent,
}

/// What the guard holds.
struct Post {
    outputs: Box<dyn Outputs>,
    /// The daemon's process: another one that gets its number later cannot be hit.
    daemon: OwnedFd,
    /// Readable when the thread that started the guard has ended.
    ended: UnixStream,
}

impl Post {
    /// Everything that can fail is tried before the daemon relies on it, the outputs too.
    fn arm(socket: &UnixStream) -> Result<(Self, Orders), String> {
        // a terminal's Ctrl-C and a service manager's SIGTERM are for the daemon
        setsid().map_err(|e| format!("session: {e}"))?;
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2] {
            let ignored = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(signal, ignored).map_err(|e| format!("signals: {e}"))?;
        }
        let (ended, end) = UnixStream::pair().map_err(|e| format!("sockets: {e}"))?;
        pipe::register(SIGUSR1, end).map_err(|e| format!("signals: {e}"))?;
        set_parent_process_death_signal(Some(Signal::USR1)).map_err(|e| format!("signals: {e}"))?;
        let parent = getppid().ok_or("the daemon is of another process namespace")?;
        let daemon =
            pidfd_open(parent, PidfdFlags::empty()).map_err(|e| format!("the daemon cannot be held: {e}"))?;
        if getppid() != Some(parent) {
            return Err("the daemon is gone".to_owned());
        }
        let mut line = String::new();
        BufReader::new(socket)
            .read_line(&mut line)
            .map_err(|e| format!("no orders: {e}"))?;
        let orders: Orders = serde_json::from_str(&line).map_err(|e| format!("orders that are none: {e}"))?;
        let handle = std::io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| format!("outputs: {e}"))?;
        let mut outputs = outputs::share(&orders.outputs, handle).map_err(|e| e.to_string())?;
        make_safe(outputs.as_mut(), &orders.outputs).map_err(|e| e.to_string())?;
        // where RAM runs out another process is to go; only the privileged may ask for that
        let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
        // the daemon asks for the same and says what is refused
        let _ = (realtime::fifo(PRIORITY), realtime::keep_used_memory());
        Ok((
            Self {
                outputs,
                daemon,
                ended,
            },
            orders,
        ))
    }

    /// Listens to the daemon until it is gone or, once heard, has been silent for `limit`.
    fn watch(&self, mut socket: &UnixStream, limit: Duration) -> End {
        // two halves: where the whole machine stood still the guard may wake first, and the daemon still has
        // the second
        let half = limit / 2;
        let half = Timespec {
            tv_sec: half.as_secs() as _,
            tv_nsec: half.subsec_nanos() as _,
        };
        let (mut heard, mut missed) = (false, 0);
        let mut bytes = [0; 4096];
        loop {
            let mut fds = [
                PollFd::new(socket, PollFlags::IN),
                PollFd::new(&self.ended, PollFlags::IN),
            ];
            match poll(&mut fds, heard.then_some(&half)) {
                Ok(0) if missed == 0 => missed = 1,
                Ok(0) => return End::Silent,
                Ok(_) if !fds[1].revents().is_empty() => return End::Gone,
                Ok(_) => match socket.read(&mut bytes) {
                    Ok(1..) => (heard, missed) = (true, 0),
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => return End::Gone,
                },
                Err(Errno::INTR) => {}
                Err(_) => return End::Gone,
            }
        }
    }

    /// Kills the daemon and waits until its gate thread has ended: that could switch outputs until then.
    fn kill(&self) -> Result<(), Errno> {
        match pidfd_send_signal(&self.daemon, Signal::KILL) {
            Err(Errno::SRCH) => return Ok(()),
            result => result?,
        }
        let fds = || {
            [
                PollFd::new(&self.ended, PollFlags::IN),
                PollFd::new(&self.daemon, PollFlags::IN),
            ]
        };
        retry_on_intr(|| poll(&mut fds(), Some(&DEATH))).map(|_| ())
    }
}

fn persistently_safe(outputs: &mut dyn Outputs, config: &OutputsConfig) -> Result<(), OutputError> {
    let start = Instant::now();
    loop {
        match make_safe(outputs, config) {
            Err(_) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(1)),
            result => return result,
        }
    }
}
