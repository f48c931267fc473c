//! QEMU's machine protocol: commands as JSON, a line each, answers and events in between.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
pub(crate) struct Qmp {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    /// The beginning of a line that has not come whole yet.
    line: String,
    events: VecDeque<Value>,
}

impl Qmp {
    pub(super) fn new(stream: UnixStream) -> Result<Self> {
        let reader = BufReader::new(stream.try_clone()?);
        let mut qmp = Self {
            reader,
            writer: stream,
            line: String::new(),
            events: VecDeque::new(),
        };
        qmp.receive(Instant::now() + PATIENCE)?
            .context("QEMU does not say hello")?;
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Has a command executed; what it returns.
    pub(crate) fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        writeln!(
            self.writer,
            "{}",
            json!({ "execute": command, "arguments": arguments })
        )?;
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self
                .receive(end)?
                .with_context(|| format!("QEMU does not answer `{command}`"))?;
            if let Some(value) = answer.get("return") {
                return Ok(value.clone());
            }
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses `{command}`: {}", error["desc"]);
            }
            self.events.push_back(answer);
        }
    }

    /// Waits for an event of this name; `None` where none comes in time.
    pub(crate) fn event(&mut self, name: &str, patience: Duration) -> Result<Option<Value>> {
        let end = Instant::now() + patience;
        loop {
            if let Some(at) = self.events.iter().position(|event| event["event"] == name) {
                return Ok(self.events.remove(at));
            }
            match self.receive(end)? {
                Some(event) => self.events.push_back(event),
                None => return Ok(None),
            }
        }
    }

    /// Forgets the events that have come until now.
    pub(crate) fn forget_events(&mut self) -> Result<()> {
        while self.receive(Instant::now())?.is_some() {}
        self.events.clear();
        Ok(())
    }

    /// Saves what the display shows.
    pub(crate) fn screenshot(&mut self, png: &Path) -> Result<()> {
        self.execute("screendump", json!({ "filename": png, "format": "png" }))
            .map(drop)
    }

    /// The path of an object of a type.
    pub(crate) fn object(&mut self, within: &str, kind: &str) -> Result<String> {
        let wanted = format!("child<{kind}>");
        let list = self.execute("qom-list", json!({ "path": within }))?;
        let found = list
            .as_array()
            .into_iter()
            .flatten()
            .find(|property| property["type"] == wanted.as_str());
        let name = found.and_then(|property| property["name"].as_str());
        name.map(|name| format!("{within}/{name}"))
            .with_context(|| format!("the machine has no {kind} in {within}"))
    }

    fn receive(&mut self, end: Instant) -> Result<Option<Value>> {
        let wait = end
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1));
        self.reader.get_ref().set_read_timeout(Some(wait))?;
        match self.reader.read_line(&mut self.line) {
            Ok(0) => bail!("QEMU has ended"),
            Ok(_) => {
                let line = std::mem::take(&mut self.line);
                Ok(Some(
                    serde_json::from_str(&line).with_context(|| format!("QEMU said: {line}"))?,
                ))
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}
