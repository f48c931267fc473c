//! The emulated GPIO chip seen from outside, through QEMU's test protocol: inputs driven, every edge of an
//! output heard.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// What is wired to a line of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pin {
    Eye,
    Gate,
    Ready,
    Fault,
    Heartbeat,
}

/// A kind of chip, and its wiring.
#[derive(Debug)]
pub(crate) struct Chip {
    /// The type that QEMU has for it, and where in its tree of objects there is one.
    pub(super) kind: &'static str,
    pub(super) within: &'static str,
    /// The kernel's name for it.
    pub(crate) label: &'static str,
    /// The register with the levels, a bit a line.
    pub(super) levels: u64,
    pub(crate) lines: &'static [(Pin, u8)],
}

const PATIENCE: Duration = Duration::from_secs(20);

/// A change of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// When it was heard.
    pub(crate) at: Instant,
    pub(crate) pin: Pin,
    pub(crate) high: bool,
}

type Edges = Arc<(Mutex<Vec<Edge>>, Condvar)>;

/// The chip.
pub(crate) struct Gpio {
    chip: &'static Chip,
    path: String,
    writer: UnixStream,
    answers: Receiver<String>,
    edges: Edges,
}

impl Gpio {
    /// Listens to the chip at `path` in QEMU's tree of objects.
    pub(super) fn new(stream: UnixStream, chip: &'static Chip, path: String) -> Result<Self> {
        let (sender, answers) = channel();
        let edges = Edges::default();
        let (reader, heard) = (BufReader::new(stream.try_clone()?), Arc::clone(&edges));
        // QEMU stands still when nobody takes its messages
        std::thread::Builder::new()
            .name("gpio".to_owned())
            .spawn(move || listen(reader, chip, &sender, &heard))?;
        let mut gpio = Self {
            chip,
            path,
            writer: stream,
            answers,
            edges,
        };
        gpio.ask(&format!("irq_intercept_out {}", gpio.path))?;
        Ok(gpio)
    }

    /// The number of a pin's line.
    pub(crate) fn line(&self, pin: Pin) -> Result<u8> {
        let line = self
            .chip
            .lines
            .iter()
            .find(|(wired, _)| *wired == pin)
            .map(|(_, line)| *line);
        line.with_context(|| format!("{pin:?} is not wired to {}", self.chip.label))
    }

    /// Drives an input.
    pub(crate) fn drive(&mut self, pin: Pin, high: bool) -> Result<()> {
        let line = self.line(pin)?;
        self.ask(&format!(
            "set_irq_in {} unnamed-gpio-in {line} {}",
            self.path,
            u8::from(high)
        ))
        .map(drop)
    }

    /// A pin's level as it is now.
    pub(crate) fn level(&mut self, pin: Pin) -> Result<bool> {
        let line = self.line(pin)?;
        let answer = self.ask(&format!("readl {:#x}", self.chip.levels))?;
        let digits = answer.trim_start_matches("OK 0x");
        let levels = u64::from_str_radix(digits, 16).with_context(|| format!("QEMU said: {answer}"))?;
        Ok(levels >> line & 1 == 1)
    }

    /// Every edge of a pin since `start`.
    pub(crate) fn edges(&self, pin: Pin, start: Instant) -> Vec<Edge> {
        let edges = self.edges.0.lock().unwrap_or_else(PoisonError::into_inner);
        edges
            .iter()
            .filter(|e| e.pin == pin && e.at >= start)
            .copied()
            .collect()
    }

    /// Waits for an edge of a pin to that level after `start`; `None` where none comes in time.
    pub(crate) fn wait(&self, pin: Pin, high: bool, start: Instant, patience: Duration) -> Option<Edge> {
        let end = Instant::now() + patience;
        let (edges, news) = &*self.edges;
        let mut edges = edges.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let wanted = |e: &&Edge| (e.pin, e.high) == (pin, high) && e.at >= start;
            if let Some(edge) = edges.iter().find(wanted) {
                return Some(*edge);
            }
            let wait = end.checked_duration_since(Instant::now())?;
            edges = news
                .wait_timeout(edges, wait)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits until a pin has that level, at once if it has it.
    pub(crate) fn wait_level(
        &mut self,
        pin: Pin,
        high: bool,
        patience: Duration,
    ) -> Result<Option<Duration>> {
        let start = Instant::now();
        while self.level(pin)? != high {
            if start.elapsed() > patience {
                return Ok(None);
            }
            self.wait(pin, high, Instant::now(), Duration::from_millis(100));
        }
        Ok(Some(start.elapsed()))
    }

    fn ask(&mut self, command: &str) -> Result<String> {
        writeln!(self.writer, "{command}")?;
        let answer = self
            .answers
            .recv_timeout(PATIENCE)
            .with_context(|| format!("QEMU does not answer `{command}`"))?;
        ensure!(answer.starts_with("OK"), "QEMU refuses `{command}`: {answer}");
        Ok(answer)
    }
}

fn listen(reader: BufReader<UnixStream>, chip: &Chip, answers: &Sender<String>, edges: &Edges) {
    for line in reader.lines().map_while(Result::ok) {
        let at = Instant::now();
        match edge(&line) {
            Some((line, high)) => {
                let Some(&(pin, _)) = chip.lines.iter().find(|(_, wired)| *wired == line) else {
                    continue;
                };
                edges
                    .0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(Edge { at, pin, high });
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

    const CHIP: Chip = Chip {
        kind: "chip",
        within: "/machine",
        label: "chip",
        levels: 0x2034,
        lines: &[(Pin::Gate, 1), (Pin::Ready, 2)],
    };

    #[test]
    fn edges_and_answers_are_told_apart() {
        assert_eq!(edge("IRQ raise 6"), Some((6, true)));
        assert_eq!(edge("IRQ lower 1"), Some((1, false)));
        assert_eq!(edge("OK 0x0000000000000012"), None);
    }

    #[test]
    fn edges_are_found_by_pin_level_and_time() {
        let (ours, qemu) = UnixStream::pair().unwrap();
        let mut qemu_reader = BufReader::new(qemu.try_clone().unwrap());
        let qemu = std::thread::spawn(move || {
            let (mut qemu, mut line) = (qemu, String::new());
            qemu_reader.read_line(&mut line).unwrap();
            qemu.write_all(b"OK\nIRQ raise 1\nIRQ raise 7\nIRQ raise 2\nIRQ lower 1\n")
                .unwrap();
            line.clear();
            qemu_reader.read_line(&mut line).unwrap();
            qemu.write_all(b"OK 0x0000000000000004\n").unwrap();
            line
        });
        let start = Instant::now();
        let mut gpio = Gpio::new(ours, &CHIP, "/chip".to_owned()).unwrap();
        let second = Duration::from_secs(1);
        let fell = gpio.wait(Pin::Gate, false, start, second).unwrap();
        assert_eq!(
            gpio.edges(Pin::Gate, start)
                .iter()
                .map(|e| e.high)
                .collect::<Vec<_>>(),
            [true, false]
        );
        assert_eq!(
            gpio.wait(Pin::Gate, true, fell.at + second, Duration::from_millis(1)),
            None
        );
        assert!(gpio.level(Pin::Ready).unwrap() && gpio.drive(Pin::Eye, true).is_err());
        assert_eq!(qemu.join().unwrap().trim(), "readl 0x2034");
    }
}
