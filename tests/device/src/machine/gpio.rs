//! The emulated GPIO chip seen from outside, through QEMU's test protocol: inputs driven, every edge of an output heard.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Lines of the chip. Line 3 is the machine's power button.
pub(crate) const EYE: u8 = 0;
pub(crate) const GATE: u8 = 1;
pub(crate) const READY: u8 = 2;
pub(crate) const FAULT: u8 = 4;
pub(crate) const HEARTBEAT: u8 = 5;

/// The chip's data register with all lines in its address mask.
const DATA: u64 = 0x0903_03fc;
const PATIENCE: Duration = Duration::from_secs(20);

/// A change of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// When it was heard.
    pub(crate) at: Instant,
    pub(crate) line: u8,
    pub(crate) high: bool,
}

type Edges = Arc<(Mutex<Vec<Edge>>, Condvar)>;

/// The chip.
pub(crate) struct Gpio {
    path: String,
    writer: UnixStream,
    answers: Receiver<String>,
    edges: Edges,
}

impl Gpio {
    /// Listens to the chip at `path` in QEMU's tree of objects.
    pub(super) fn new(stream: UnixStream, path: String) -> Result<Self> {
        let (sender, answers) = channel();
        let edges = Edges::default();
        let (reader, heard) = (BufReader::new(stream.try_clone()?), Arc::clone(&edges));
        // QEMU stands still when nobody takes its messages
        std::thread::Builder::new().name("gpio".to_owned()).spawn(move || listen(reader, &sender, &heard))?;
        let mut gpio = Self { path, writer: stream, answers, edges };
        gpio.ask(&format!("irq_intercept_out {}", gpio.path))?;
        Ok(gpio)
    }

    /// Drives an input.
    pub(crate) fn drive(&mut self, line: u8, high: bool) -> Result<()> {
        self.ask(&format!("set_irq_in {} unnamed-gpio-in {line} {}", self.path, u8::from(high))).map(drop)
    }

    /// A line's level as it is now.
    pub(crate) fn level(&mut self, line: u8) -> Result<bool> {
        let answer = self.ask(&format!("readl {DATA:#x}"))?;
        let digits = answer.trim_start_matches("OK 0x");
        let levels = u64::from_str_radix(digits, 16).with_context(|| format!("QEMU said: {answer}"))?;
        Ok(levels >> line & 1 == 1)
    }

    /// Every edge of a line since `start`.
    pub(crate) fn edges(&self, line: u8, start: Instant) -> Vec<Edge> {
        let edges = self.edges.0.lock().unwrap_or_else(PoisonError::into_inner);
        edges.iter().filter(|e| e.line == line && e.at >= start).copied().collect()
    }

    /// Waits for an edge of a line to that level after `start`; `None` where none comes in time.
    pub(crate) fn wait(&self, line: u8, high: bool, start: Instant, patience: Duration) -> Option<Edge> {
        let end = Instant::now() + patience;
        let (edges, news) = &*self.edges;
        let mut edges = edges.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let wanted = |e: &&Edge| (e.line, e.high) == (line, high) && e.at >= start;
            if let Some(edge) = edges.iter().find(wanted) {
                return Some(*edge);
            }
            let wait = end.checked_duration_since(Instant::now())?;
            edges = news.wait_timeout(edges, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until a line has that level, at once if it has it.
    pub(crate) fn wait_level(&mut self, line: u8, high: bool, patience: Duration) -> Result<Option<Duration>> {
        let start = Instant::now();
        while self.level(line)? != high {
            if start.elapsed() > patience {
                return Ok(None);
            }
            self.wait(line, high, Instant::now(), Duration::from_millis(100));
        }
        Ok(Some(start.elapsed()))
    }

    fn ask(&mut self, command: &str) -> Result<String> {
        writeln!(self.writer, "{command}")?;
        let answer =
            self.answers.recv_timeout(PATIENCE).with_context(|| format!("QEMU does not answer `{command}`"))?;
        ensure!(answer.starts_with("OK"), "QEMU refuses `{command}`: {answer}");
        Ok(answer)
    }
}

fn listen(reader: BufReader<UnixStream>, answers: &Sender<String>, edges: &Edges) {
    for line in reader.lines().map_while(Result::ok) {
        let at = Instant::now();
        match edge(&line) {
            Some((line, high)) => {
                edges.0.lock().unwrap_or_else(PoisonError::into_inner).push(Edge { at, line, high });
                edges.1.notify_all();
            }
            None => {
                if answers.send(line).is_err() {
                    return;
                }
            }
        }
    }
}

/// `IRQ raise 6`, `IRQ lower 6`.
fn edge(message: &str) -> Option<(u8, bool)> {
    let (level, line) = message.strip_prefix("IRQ ")?.split_once(' ')?;
    Some((line.trim().parse().ok()?, level == "raise"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_and_answers_are_told_apart() {
        assert_eq!(edge("IRQ raise 6"), Some((6, true)));
        assert_eq!(edge("IRQ lower 1"), Some((1, false)));
        assert_eq!(edge("OK 0x0000000000000012"), None);
    }

    #[test]
    fn edges_are_found_by_line_level_and_time() {
        let (ours, qemu) = UnixStream::pair().unwrap();
        let mut qemu_reader = BufReader::new(qemu.try_clone().unwrap());
        let qemu = std::thread::spawn(move || {
            let (mut qemu, mut line) = (qemu, String::new());
            qemu_reader.read_line(&mut line).unwrap();
            qemu.write_all(b"OK\nIRQ raise 1\nIRQ raise 2\nIRQ lower 1\n").unwrap();
            line.clear();
            qemu_reader.read_line(&mut line).unwrap();
            qemu.write_all(b"OK 0x0000000000000004\n").unwrap();
            line
        });
        let start = Instant::now();
        let mut gpio = Gpio::new(ours, "/chip".to_owned()).unwrap();
        let second = Duration::from_secs(1);
        let fell = gpio.wait(GATE, false, start, second).unwrap();
        assert_eq!(gpio.edges(GATE, start).iter().map(|e| e.high).collect::<Vec<_>>(), [true, false]);
        assert_eq!(gpio.wait(GATE, true, fell.at + second, Duration::from_millis(1)), None);
        assert!(gpio.level(READY).unwrap());
        assert_eq!(qemu.join().unwrap().trim(), "readl 0x90303fc");
    }
}
