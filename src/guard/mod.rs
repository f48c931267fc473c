//! The guard process: sees to the outputs when the daemon cannot any more, however it went.
//!
//! It is the same program, started with a pipe as its standard input. While the daemon is well it says so through the
//! pipe; when the pipe closes (the daemon ended, crashed or was killed) or nothing comes for too long (its gate thread
//! hangs), the guard drives every output to its safe level. A daemon that hangs is killed first, so that it cannot switch
//! anything any more.

mod process;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::retry_on_intr;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::outputs::OutputsConfig;

pub use process::serve;

/// The hidden command that makes a process a guard.
pub const COMMAND: &str = "guard";
const ARMED: &str = "armed";
/// The guard may take this long to be armed: its program may still have to come from a slow card.
const ARMING: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
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
pub enum GuardError {
    /// the process does not start
    #[error("the guard process cannot be started: {0}")]
    Start(std::io::Error),
    /// it did not answer as it should
    #[error("the guard process is not ready: it said `{0}`")]
    NotArmed(String),
}

/// The daemon's end. Dropping it, like the end of the process, makes the guard act and end.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts the guard; when this returns it has driven every output to its safe level once, which shows that it can,
    /// and is armed. So it comes before [`crate::outputs::open`]: outputs have one owner. From the first
    /// [`Guard::alive`] on that must be called more often than `limit`.
    ///
    /// Core dumps are forbidden from here on: one that is written holds the pipe open.
    ///
    /// # Errors
    /// The process does not start or cannot drive the outputs.
    pub fn start(outputs: &OutputsConfig, limit: Duration) -> Result<Self, GuardError> {
        forbid_core_dumps().map_err(GuardError::Start)?;
        let program = std::env::current_exe().map_err(GuardError::Start)?;
        let mut command = Command::new(program);
        let mut child = command
            .arg(COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(GuardError::Start)?;
        match arm(&mut child, &Orders { outputs: outputs.clone(), limit }) {
            Ok(pipe) => Ok(Self { child, pipe: Some(pipe) }),
            Err(e) => {
                let _ = (child.kill(), child.wait());
                Err(e)
            }
        }
    }

    /// Says that the gate's thread is well. Whether the guard is still there.
    pub fn alive(&mut self) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        match pipe.write(b".") {
            Ok(_) => true,
            Err(e) => e.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pipe = None;
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

/// Gives the orders and waits for the answer. The pipe that it returns never makes the gate's thread wait.
fn arm(child: &mut Child, orders: &Orders) -> Result<ChildStdin, GuardError> {
    let mut pipe = child.stdin.take().expect("piped by the caller");
    let answers = child.stdout.take().expect("piped by the caller");
    let orders = serde_json::to_string(orders).map_err(|e| GuardError::NotArmed(e.to_string()))?;
    writeln!(pipe, "{orders}").map_err(GuardError::Start)?;
    let ready = retry_on_intr(|| poll(&mut [PollFd::new(&answers, PollFlags::IN)], Some(&ARMING)));
    let mut answer = String::new();
    if ready.map_err(|e| GuardError::Start(e.into()))? > 0 {
        BufReader::new(answers).read_line(&mut answer).map_err(GuardError::Start)?;
    }
    if answer.trim_end() != ARMED {
        return Err(GuardError::NotArmed(answer.trim_end().to_owned()));
    }
    let flags = fcntl_getfl(&pipe).map_err(|e| GuardError::Start(e.into()))?;
    fcntl_setfl(&pipe, flags | OFlags::NONBLOCK).map_err(|e| GuardError::Start(e.into()))?;
    Ok(pipe)
}

/// A limit of 1 rather than 0, because that also stops a dump that is piped to a program (core(5)).
fn forbid_core_dumps() -> std::io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Core);
    if maximum == Some(0) {
        return Ok(());
    }
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(1), maximum })?)
}

/// A panic of any thread ends the whole process, so that the guard acts: a line with a stage missing is not a line.
pub fn abort_on_panic() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        say(info);
        std::process::abort();
    }));
}
