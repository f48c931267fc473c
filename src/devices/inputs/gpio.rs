//! Inputs on lines of GPIO character devices: the kernel stamps each edge with CLOCK_MONOTONIC in its
//! interrupt, and numbers them.

use std::os::fd::AsFd;
use std::time::Duration;

use beltwatch_core::{Command, Input, MonoNanos};
use gpiocdev::line::{EdgeDetection, EdgeEvent, EdgeKind, EventClock, Value};
use gpiocdev::request::{Builder, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{Inputs, Quadrature};
use crate::board::{Bias, ChipId, EncoderWiring, InputWiring, InputsConfig, LineId};
use crate::clock::Clock;
use crate::devices::gpio_lines::{GpioError, Place, find, system};

/// Edges that the kernel keeps while nobody reads: the most that it grants.
const KERNEL_BUFFER: u32 = 1024;
/// Eye, encoder, confirm, acknowledge.
const MOST: usize = 4;
/// Edges that are read with one call.
const AT_ONCE: usize = 64;

/// What a line's edges mean.
enum Meaning {
    Eye {
        earlier: Duration,
    },
    Encoder {
        a: u32,
        channels: Option<Quadrature>,
        reversed: bool,
    },
    Confirm {
        earlier: Duration,
    },
    Acknowledge,
}

/// An input: its lines, with numbers of their own.
struct Source {
    request: Request,
    meaning: Meaning,
}

/// The lines that are wired, each with its meaning.
pub struct GpioInputs {
    sources: Vec<Source>,
    buffer: Vec<u64>,
    /// What was there before any edge.
    first: Option<Input>,
}

impl GpioInputs {
    /// Claims the lines.
    ///
    /// # Errors
    /// A line that is not there, not free, or that cannot interrupt.
    pub fn claim(chip: &ChipId, config: &InputsConfig) -> Result<Self, GpioError> {
        let mut sources = Vec::new();
        let mut first = None;
        if let Some(wiring) = &config.eye {
            let earlier = debounce(wiring);
            let eye = Source::single(
                chip,
                "eye",
                wiring,
                EdgeDetection::BothEdges,
                Meaning::Eye { earlier },
            )?;
            first = eye.blocked(find(chip, &wiring.line)?.offset)?;
            sources.push(eye);
        }
        if let Some(wiring) = &config.encoder {
            sources.push(Source::encoder(chip, wiring)?);
        }
        if let Some(wiring) = &config.confirm {
            let earlier = debounce(wiring);
            let meaning = Meaning::Confirm { earlier };
            sources.push(Source::single(
                chip,
                "confirm",
                wiring,
                EdgeDetection::RisingEdge,
                meaning,
            )?);
        }
        if let Some(wiring) = &config.acknowledge {
            let rising = EdgeDetection::RisingEdge;
            sources.push(Source::single(
                chip,
                "acknowledge",
                wiring,
                rising,
                Meaning::Acknowledge,
            )?);
        }
        let size = sources
            .iter()
            .map(|s| s.request.edge_event_u64_size())
            .max()
            .unwrap_or(0);
        Ok(Self {
            sources,
            buffer: vec![0; size * AT_ONCE],
            first,
        })
    }
}

fn debounce(wiring: &InputWiring) -> Duration {
    wiring.kernel_debounce.map_or(Duration::ZERO, |t| t.0)
}

fn request(builder: &mut Builder, name: &str, lines: &str) -> Result<Request, GpioError> {
    builder
        .with_consumer("beltwatch")
        .with_kernel_event_buffer_size(KERNEL_BUFFER)
        .request()
        .map_err(|e| failed(&format!("claim input {name} (line {lines})"), &e))
}

fn failed(what: &str, error: &gpiocdev::Error) -> GpioError {
    let source = match error {
        gpiocdev::Error::Uapi(_, error) => system(error),
        gpiocdev::Error::Os(errno) => std::io::Error::from_raw_os_error(errno.0),
        other => std::io::Error::other(other.to_string()),
    };
    GpioError::System {
        what: what.to_owned(),
        source,
    }
}

impl Source {
    fn single(
        chip: &ChipId,
        name: &str,
        wiring: &InputWiring,
        edges: EdgeDetection,
        meaning: Meaning,
    ) -> Result<Self, GpioError> {
        let Place { path, offset } = find(chip, &wiring.line)?;
        let mut builder = Request::builder();
        builder.on_chip(path).with_line(offset).as_input();
        if wiring.active_low {
            builder.as_active_low();
        }
        if let Some(period) = wiring.kernel_debounce {
            builder.with_debounce_period(period.0);
        }
        builder
            .with_bias(wiring.bias.map(bias))
            .with_edge_detection(edges)
            .with_event_clock(EventClock::Monotonic);
        Ok(Self {
            request: request(&mut builder, name, &wiring.line.to_string())?,
            meaning,
        })
    }

    fn encoder(chip: &ChipId, wiring: &EncoderWiring) -> Result<Self, GpioError> {
        let a = find(chip, &wiring.line)?;
        let b = wiring.second.as_ref().map(|line| find(chip, line)).transpose()?;
        if let (Some(b), Some(line)) = (&b, &wiring.second)
            && b.path != a.path
        {
            return Err(GpioError::NoLine {
                line: line.clone(),
                chip: format!("{}, channel A's chip", a.path.display()),
            });
        }
        let offsets: Vec<_> = [Some(a.offset), b.as_ref().map(|b| b.offset)]
            .into_iter()
            .flatten()
            .collect();
        let edges = if b.is_some() {
            EdgeDetection::BothEdges
        } else {
            EdgeDetection::RisingEdge
        };
        let mut builder = Request::builder();
        builder.on_chip(&a.path).with_lines(&offsets).as_input();
        builder
            .with_bias(wiring.bias.map(bias))
            .with_edge_detection(edges)
            .with_event_clock(EventClock::Monotonic);
        let lines = [Some(&wiring.line), wiring.second.as_ref()]
            .into_iter()
            .flatten()
            .map(LineId::to_string);
        let request = request(&mut builder, "encoder", &lines.collect::<Vec<_>>().join(", "))?;
        let level = |offset| {
            request
                .value(offset)
                .map(|v| v == Value::Active)
                .map_err(|e| failed("read encoder", &e))
        };
        let channels = b
            .map(|b| Ok::<_, GpioError>(Quadrature::new(level(a.offset)?, level(b.offset)?)))
            .transpose()?;
        Ok(Self {
            request,
            meaning: Meaning::Encoder {
                a: a.offset,
                channels,
                reversed: wiring.reversed,
            },
        })
    }

    /// An eye that is blocked when it is claimed sends no edge: what stands there is a part, and one that
    /// never leaves is a stuck eye.
    fn blocked(&self, offset: u32) -> Result<Option<Input>, GpioError> {
        let unread = |e: gpiocdev::Error| failed("read input eye", &e);
        let level = self.request.value(offset).map_err(unread)?;
        // a part that came in the meantime is in the queue of edges
        let is_blocked = level == Value::Active && !self.request.has_edge_event().map_err(unread)?;
        // the kernel's own numbers begin at 1
        Ok(is_blocked.then(|| Input::Eye {
            at: MonoNanos::now(),
            sequence: 0,
            blocked: true,
        }))
    }

    /// Everything that is there.
    fn read(&mut self, buffer: &mut [u64], out: &mut dyn FnMut(Input)) -> Result<(), GpioError> {
        let Self { request, meaning } = self;
        let size = request.edge_event_u64_size();
        let unread = |e: gpiocdev::Error| failed("read GPIO edges", &e);
        let filled = request.read_edge_events_into_slice(buffer).map_err(unread)?;
        for event in buffer[..filled].chunks_exact(size) {
            out(meaning.input(&request.edge_event_from_slice(event).map_err(unread)?));
        }
        Ok(())
    }
}

impl Meaning {
    fn input(&mut self, event: &EdgeEvent) -> Input {
        let at = |earlier: Duration| MonoNanos(event.timestamp_ns) - earlier;
        let active = event.kind == EdgeKind::Rising;
        match self {
            Self::Eye { earlier } => Input::Eye {
                at: at(*earlier),
                sequence: event.seqno,
                blocked: active,
            },
            Self::Confirm { earlier } => Input::Confirm { at: at(*earlier) },
            Self::Acknowledge => Input::Command(Command::Acknowledge),
            Self::Encoder {
                a,
                channels,
                reversed,
            } => {
                let forward = channels
                    .as_mut()
                    .is_none_or(|c| c.edge(event.offset == *a, active));
                Input::Encoder {
                    at: at(Duration::ZERO),
                    sequence: event.seqno,
                    forward: forward != *reversed,
                }
            }
        }
    }
}

fn bias(bias: Bias) -> gpiocdev::line::Bias {
    match bias {
        Bias::PullUp => gpiocdev::line::Bias::PullUp,
        Bias::PullDown => gpiocdev::line::Bias::PullDown,
        Bias::Disabled => gpiocdev::line::Bias::Disabled,
    }
}

impl Inputs for GpioInputs {
    fn next(&mut self, patience: Duration, out: &mut dyn FnMut(Input)) -> Result<(), GpioError> {
        if let Some(first) = self.first.take() {
            out(first);
        }
        let timeout = Timespec {
            tv_sec: patience.as_secs() as _,
            tv_nsec: patience.subsec_nanos() as _,
        };
        let fds = self
            .sources
            .iter()
            .map(|s| PollFd::from_borrowed_fd(s.request.as_fd(), PollFlags::IN));
        // on the way of every edge: no allocation
        let mut fds: heapless::Vec<_, MOST> = fds.collect();
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => {
                return Err(GpioError::System {
                    what: "wait for GPIO edges".to_owned(),
                    source: e.into(),
                });
            }
        }
        let ready: heapless::Vec<_, MOST> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        for (source, _) in self.sources.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            source.read(&mut self.buffer, out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(offset: u32, kind: EdgeKind, seqno: u32) -> EdgeEvent {
        EdgeEvent {
            timestamp_ns: 5_000_000,
            kind,
            offset,
            seqno,
            line_seqno: seqno,
        }
    }

    #[test]
    fn edges_become_inputs() {
        let mut eye = Meaning::Eye {
            earlier: Duration::from_millis(2),
        };
        let at = MonoNanos(3_000_000);
        assert_eq!(
            eye.input(&event(4, EdgeKind::Rising, 7)),
            Input::Eye {
                at,
                sequence: 7,
                blocked: true
            }
        );
        assert_eq!(
            eye.input(&event(4, EdgeKind::Falling, 8)),
            Input::Eye {
                at,
                sequence: 8,
                blocked: false
            }
        );
        let mut confirm = Meaning::Confirm {
            earlier: Duration::ZERO,
        };
        assert_eq!(
            confirm.input(&event(5, EdgeKind::Rising, 1)),
            Input::Confirm {
                at: MonoNanos(5_000_000)
            }
        );
        let acknowledged = Meaning::Acknowledge.input(&event(6, EdgeKind::Rising, 1));
        assert_eq!(acknowledged, Input::Command(Command::Acknowledge));
    }

    #[test]
    fn one_channel_goes_forward_and_two_both_ways() {
        let at = MonoNanos(5_000_000);
        let pulse = |sequence, forward| Input::Encoder {
            at,
            sequence,
            forward,
        };
        let mut one = Meaning::Encoder {
            a: 1,
            channels: None,
            reversed: false,
        };
        assert_eq!(one.input(&event(1, EdgeKind::Rising, 1)), pulse(1, true));
        let mut two = Meaning::Encoder {
            a: 1,
            channels: Some(Quadrature::new(false, false)),
            reversed: false,
        };
        assert_eq!(two.input(&event(1, EdgeKind::Rising, 1)), pulse(1, true));
        assert_eq!(two.input(&event(1, EdgeKind::Falling, 2)), pulse(2, false));
        let mut turned = Meaning::Encoder {
            a: 1,
            channels: Some(Quadrature::new(false, false)),
            reversed: true,
        };
        assert_eq!(turned.input(&event(2, EdgeKind::Rising, 1)), pulse(1, true));
    }
}
