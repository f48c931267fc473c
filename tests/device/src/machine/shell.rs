//! A shell in the guest, over a virtual serial port.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// The longest that a command may take, where the caller says nothing else.
const PATIENCE: Duration = Duration::from_secs(60);

/// The shell.
pub(crate) struct Shell {
    stream: UnixStream,
    heard: Vec<u8>,
    commands: u64,
}

impl Shell {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            heard: Vec::new(),
            commands: 0,
        }
    }

    /// Has a command executed that must end well; what it says.
    pub(crate) fn run(&mut self, command: &str) -> Result<String> {
        let (said, code) = self.try_run(command, PATIENCE)?;
        ensure!(code == 0, "in the guest, `{command}` failed: {said}");
        Ok(said)
    }

    /// Has a command executed; what it says, and its exit code.
    pub(crate) fn try_run(&mut self, command: &str, patience: Duration) -> Result<(String, i32)> {
        self.begin(command)?;
        self.end(patience)
            .with_context(|| format!("in the guest, `{command}`"))
    }

    /// Sends a command without waiting for its end.
    pub(crate) fn begin(&mut self, command: &str) -> Result<()> {
        self.commands += 1;
        // the end mark is put together by the shell: an echo of the command itself is none
        let line = format!("{{ {command}\n}} 2>&1; echo \"@@\"end {} $?\n", self.commands);
        Ok(self.stream.write_all(line.as_bytes())?)
    }

    /// Waits for the end of the command that was sent last.
    pub(crate) fn end(&mut self, patience: Duration) -> Result<(String, i32)> {
        let end = Instant::now() + patience;
        let mark = format!("@@end {} ", self.commands);
        loop {
            if let Some((said, code)) = split(&self.heard, mark.as_bytes()) {
                self.heard.clear();
                return Ok((said, code));
            }
            let said = String::from_utf8_lossy(&self.heard);
            let Some(wait) = end
                .checked_duration_since(Instant::now())
                .filter(|wait| !wait.is_zero())
            else {
                bail!("no answer in {patience:?}; until then it said: {said}");
            };
            self.stream.set_read_timeout(Some(wait))?;
            let mut buffer = [0; 65536];
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the guest has ended; it said: {said}"),
                Ok(length) => self.heard.extend_from_slice(&buffer[..length]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}

fn split(heard: &[u8], mark: &[u8]) -> Option<(String, i32)> {
    let at = heard.windows(mark.len()).position(|window| window == mark)?;
    let rest = &heard[at + mark.len()..];
    let end = rest.iter().position(|&byte| byte == b'\n')?;
    let code = std::str::from_utf8(&rest[..end]).ok()?.trim().parse().ok()?;
    Some((String::from_utf8_lossy(&heard[..at]).trim_end().to_owned(), code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_none() {
        assert_eq!(
            split(b"a\nb\n@@end 7 0\n", b"@@end 7 "),
            Some(("a\nb".to_owned(), 0))
        );
        assert_eq!(split(b"a\n@@end 7 12", b"@@end 7 "), None);
        assert_eq!(split(b"a\n@@end 6 0\n", b"@@end 7 "), None);
    }
}
