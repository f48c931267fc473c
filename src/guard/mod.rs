//! The guard process: sees to the outputs when the daemon cannot any more, however it went.
//!
//! It is the same program, started with a pipe as its standard input. While the daemon is well it says so through the
//! pipe; when the pipe closes (the daemon ended, crashed or was killed) or nothing comes for too long (its gate thread
//! hangs), the guard drives every output to its safe level. A daemon that hangs is killed first, so that it cannot switch
//! anything any more.

mod process;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use serde::{Deserialize, Serialize};

use crate::outputs::OutputsConfig;

pub use process::serve;

/// The hidden command that makes a process a guard.
pub const COMMAND: &str = "guard";
const ARMED: &str = "armed";

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
    /// Starts the guard; it is armed when this returns. From then on [`Guard::alive`] must be called more often than
    /// `limit`.
    ///
    /// # Errors
    /// The process does not start or cannot drive the outputs.
    pub fn start(outputs: &OutputsConfig, limit: Duration) -> Result<Self, GuardError> {
        let program = std::env::current_exe().map_err(GuardError::Start)?;
        let mut command = Command::new(program);
        command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(GuardError::Start)?;
        let mut pipe = child.stdin.take().expect("piped above");
        let mut answers = BufReader::new(child.stdout.take().expect("piped above"));
        let orders = serde_json::to_string(&Orders { outputs: outputs.clone(), limit })
            .map_err(|e| GuardError::NotArmed(e.to_string()))?;
        writeln!(pipe, "{orders}").map_err(GuardError::Start)?;
        let mut answer = String::new();
        answers.read_line(&mut answer).map_err(GuardError::Start)?;
        if answer.trim_end() != ARMED {
            // it ends by itself when its pipe is closed
            drop(pipe);
            let _ = child.wait();
            return Err(GuardError::NotArmed(answer.trim_end().to_owned()));
        }
        // a guard that is slow to read must never make the gate's thread wait
        let flags = fcntl_getfl(&pipe).map_err(|e| GuardError::Start(e.into()))?;
        fcntl_setfl(&pipe, flags | OFlags::NONBLOCK).map_err(|e| GuardError::Start(e.into()))?;
        Ok(Self { child, pipe: Some(pipe) })
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
        let _ = self.child.wait();
    }
}

/// A panic of any thread ends the whole process, so that the guard acts: a line with a stage missing is not a line.
pub fn abort_on_panic() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        say(info);
        std::process::abort();
    }));
}
