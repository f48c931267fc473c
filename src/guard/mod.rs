//! The guard process: sees to the outputs when the daemon cannot any more, however it went.
//!
//! It is the same program, started with a socket as its standard input and the outputs' own handle, where the
//! back end has one to share, as its standard output: so it need not claim them anew. It acts when
//!
//! - the gate's thread ends, however it does: the kernel tells it with a signal (`PR_SET_PDEATHSIG` is sent
//!   when the *thread* ends that started a process). The socket alone would close only after the memory of
//!   the whole process was taken down by threads without real-time rights, many milliseconds later on a busy
//!   machine;
//! - the socket closes;
//! - nothing comes through the socket for too long: the gate's thread hangs. The daemon is killed first, so
//!   that it cannot switch anything any more.

mod process;

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use serde::{Deserialize, Serialize};

use crate::board::OutputsConfig;
use crate::devices::display;
use crate::devices::outputs::Outputs;

pub use process::serve;

/// The hidden command that makes a process a guard.
pub const COMMAND: &str = "guard";
const ARMED: &str = "armed";
/// The guard may take this long to be armed: its program may still have to come from a slow card.
pub const ARMING: Duration = Duration::from_secs(10);
/// At the end the guard is waited for this long; it is left to itself then.
const ENDING: Duration = Duration::from_secs(1);

/// What the guard is told first, as one line.
#[derive(Debug, Serialize, Deserialize)]
struct Orders {
    outputs: OutputsConfig,
    limit: Duration,
}

/// Why there is no guard.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum GuardError {
    #[error("the guard process cannot be started: {0}")]
    Start(std::io::Error),
    #[error("the guard process is not ready: it said `{0}`")]
    NotArmed(String),
}

/// The daemon's end. Dropping it, like the end of the process, makes the guard act and end.
///
/// The guard is the same program, so that its `main` sees to [`COMMAND`] before anything else:
///
/// ```standalone_crate
/// use std::time::Duration;
///
/// use beltwatch::board::OutputsConfig;
/// use beltwatch::devices::outputs;
/// use beltwatch::guard::{self, ARMING, Guard};
/// use beltwatch_core::OutputLine;
///
/// fn main() -> std::process::ExitCode {
///     if std::env::args().nth(1).as_deref() == Some(guard::COMMAND) {
///         return guard::serve();
///     }
///     let levels = std::env::temp_dir().join(format!("levels-{}", std::process::id()));
///     // gate and READY on lines 0 and 1 of a file
///     let wired = "gate = { line = 0 }\nready = { line = 1 }";
///     let text = format!("back_end = {{ file = {levels:?} }}\n{wired}");
///     let config: OutputsConfig = toml::from_str(&text).expect("an [outputs] section");
///     let mut outputs = outputs::open(&config).expect("claimed, and safe");
///     let guard = Guard::start(outputs.as_ref(), &config, Duration::from_secs(1), ARMING).expect("armed");
///     outputs.set(OutputLine::Ready, true).expect("a file");
///     assert_eq!(std::fs::read(&levels).expect("levels"), b"01");
///     // as when this process is killed: the guard has shut and lowered everything when it has ended
///     drop(guard);
///     assert_eq!(std::fs::read(&levels).expect("levels"), b"00");
///     std::fs::remove_file(levels).expect("it is there");
///     std::process::ExitCode::SUCCESS
/// }
/// ```
#[derive(Debug)]
pub struct Guard {
    child: Child,
    socket: Option<UnixStream>,
}

impl Guard {
    /// Starts the guard for `outputs`, opened as `config` says; it is armed when this returns, and has driven
    /// every output to its safe level once, which shows that it can. To be called by the one thread that
    /// switches outputs: the guard acts when that thread ends. From the first [`Guard::alive`] on that must
    /// be called more often than `limit`.
    ///
    /// The process leaves no core dump from here on: writing one would hold up the end of its threads.
    ///
    /// # Errors
    /// The process does not start within `patience`, or cannot drive the outputs.
    pub fn start(
        outputs: &dyn Outputs,
        config: &OutputsConfig,
        limit: Duration,
        patience: Duration,
    ) -> Result<Self, GuardError> {
        let start = || -> std::io::Result<_> {
            set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
            let (ours, theirs) = UnixStream::pair()?;
            let handle = outputs.handle()?.map_or_else(Stdio::null, Stdio::from);
            let program = std::env::current_exe()?;
            let child = Command::new(program)
                .arg(COMMAND)
                .stdin(OwnedFd::from(theirs))
                .stdout(handle)
                .spawn()?;
            Ok((child, ours))
        };
        let (child, socket) = start().map_err(GuardError::Start)?;
        let mut guard = Self {
            child,
            socket: Some(socket),
        };
        let armed = guard.arm(
            &Orders {
                outputs: config.clone(),
                limit,
            },
            patience,
        );
        if armed.is_err() {
            let _ = guard.child.kill();
        }
        armed.map(|()| guard)
    }

    /// Gives the orders and waits for the answer. The socket never makes the gate's thread wait afterwards.
    fn arm(&self, orders: &Orders, patience: Duration) -> Result<(), GuardError> {
        let Some(mut socket) = self.socket.as_ref() else {
            return Ok(());
        };
        let orders = serde_json::to_string(orders).map_err(|e| GuardError::NotArmed(e.to_string()))?;
        let mut answer = String::new();
        socket
            .set_read_timeout(Some(patience))
            .and_then(|()| writeln!(socket, "{orders}"))
            .and_then(|()| BufReader::new(socket).read_line(&mut answer))
            .and_then(|_| socket.set_nonblocking(true))
            .map_err(GuardError::Start)?;
        if answer.trim_end() == ARMED {
            Ok(())
        } else {
            Err(GuardError::NotArmed(answer.trim_end().to_owned()))
        }
    }

    /// Says that the gate's thread is well. Whether the guard is still there.
    pub fn alive(&mut self) -> bool {
        let Some(socket) = &mut self.socket else {
            return false;
        };
        match socket.write_all(b".") {
            Ok(()) => true,
            Err(e) => e.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.socket = None;
        // it has nothing more to do than to drive the outputs safe once more
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if start.elapsed() > ENDING {
                log::error!("the guard process does not end: outputs may not be safe");
                return;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }
}

/// A panic of any thread ends the whole process, so that the guard acts: a line with a stage missing is not a
/// line. There is no backtrace, whatever `RUST_BACKTRACE` says: finding its names takes a tenth of a second
/// with the outputs as they are. The display's thread is no stage: the line goes on without it.
pub fn abort_on_panic() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let _ = writeln!(
            std::io::stderr(),
            "thread `{}` {info}",
            thread.name().unwrap_or("?")
        );
        if thread.name() != Some(display::THREAD) {
            std::process::abort();
        }
    }));
}
