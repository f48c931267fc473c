//! The core's thread: inputs in, outputs switched at their time.

use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use beltwatch_core::{Action, Command, Counters, Device, IN_FLIGHT, Input, Line, MonoNanos, OutputLine};
use heapless::spsc::{Consumer, Producer};

use super::queue::Sender;
use super::wiring::{Frame, Job, Shared, Trace, Traced};
use crate::board::{OutputsConfig, Stage};
use crate::clock::{Clock, realtime};
use crate::devices::outputs::Outputs;
use crate::guard::{ARMING, Guard, GuardError};

/// The queues are left this long before something is due; the rest is one precise wait.
const APPROACH: Duration = Duration::from_micros(500);
/// The longest sleep: the guard process wants to hear from this thread.
const TICK: Duration = Duration::from_millis(5);

/// A new guard takes a moment in which nothing else is done: parts may come, READY or not.
const REPLACING: Duration = Duration::from_millis(500);
/// After a guard was started, another one is at the earliest.
const GUARD_REST: Duration = Duration::from_secs(1);
/// Counters are told this often.
const TELL: Duration = Duration::from_millis(100);
/// Real-time priority, below the guard process and the kernel's interrupt threads.
const PRIORITY: u8 = 40;

/// What comes in, a queue for each thread that it comes from.
pub(super) struct Incoming<'q> {
    pub(super) belt: Consumer<'q, Input>,
    pub(super) frames: Consumer<'q, Box<Frame>>,
    pub(super) verdicts: Consumer<'q, Input>,
    pub(super) commands: Consumer<'q, Input>,
}

/// What decisions act on.
pub(super) struct Hands<'q> {
    pub(super) outputs: Box<dyn Outputs>,
    pub(super) guard: Option<Guard>,
    pub(super) jobs: Sender<'q, Job>,
    pub(super) trace: Producer<'q, Trace>,
    /// The frame that is looked at.
    pub(super) frame: Option<Box<Frame>>,
    /// Traces that found no room.
    pub(super) dropped: u64,
    pub(super) failed: bool,
    pub(super) shared: &'q Shared,
}

impl Hands<'_> {
    fn trace(&mut self, t: MonoNanos, what: Traced) {
        if self.dropped > 0
            && self
                .trace
                .enqueue(Trace {
                    t,
                    what: Traced::Dropped(self.dropped),
                })
                .is_ok()
        {
            self.dropped = 0;
        }
        if self.dropped > 0 || self.trace.enqueue(Trace { t, what }).is_err() {
            self.dropped += 1;
        }
    }

    fn act(&mut self, t: MonoNanos, action: Action) {
        match action {
            Action::Output { line, on, planned } => {
                self.failed |= self.outputs.set(line, on).is_err();
                if line == OutputLine::Gate {
                    self.shared.gate_open.store(on, Ordering::Release);
                    self.trace(
                        t,
                        Traced::Switched {
                            planned,
                            done: MonoNanos::now(),
                        },
                    );
                }
            }
            Action::Judge { tag, .. } => {
                if let Some(frame) = self.frame.take() {
                    // an inspection that is behind costs this part its verdict, never the next one its time
                    let _ = self.jobs.send(Job {
                        tag: Some(tag),
                        frame,
                    });
                }
            }
            Action::Part { tag, .. } => self.shared.fault_at(Stage::Core, u64::from(tag.0)),
            _ => {}
        }
        self.trace(t, Traced::Out(action));
    }
}

pub(super) struct Core<'q> {
    pub(super) line: Line<IN_FLIGHT>,
    pub(super) incoming: Incoming<'q>,
    pub(super) hands: Hands<'q>,
    pub(super) counters: Producer<'q, Counters>,
    pub(super) told: MonoNanos,
    /// The guard that is wanted, and when one was last started.
    pub(super) guard: Option<(OutputsConfig, Duration)>,
    pub(super) guarded: MonoNanos,
}

impl Core<'_> {
    /// Works until the belt has ended, which it does once every part that can has passed the gate. Every
    /// output is safe then. `guarded` is told first whether the guard, if one is wanted, is armed; without it
    /// nothing happens.
    pub(super) fn run(mut self, guarded: &SyncSender<Result<(), GuardError>>) {
        let shared = self.hands.shared;
        shared.core_bell.is_mine();
        let result = self.start_guard(ARMING);
        let failed = result.is_err();
        let _ = guarded.send(result);
        if failed {
            return;
        }
        realtime::enter(PRIORITY);
        // the line takes every output for off, and a safe level can be on
        for &output in OutputLine::ALL {
            self.hands.failed |= self.hands.outputs.set(output, self.line.is_on(output)).is_err();
        }
        for device in [Device::Recipe, Device::Inputs, Device::Outputs, Device::Stages] {
            self.take(Input::Device { device, up: true });
        }
        while !self.is_through() {
            shared.stages.advanced(Stage::Core);
            self.drain();
            self.advance();
            shared.is_drained.store(self.line.is_drained(), Ordering::Release);
            self.look_after_outputs();
            self.tell();
            self.wait();
        }
        self.take(Input::Command(Command::Halt));
        // the scribe empties this queue every few milliseconds
        while self.counters.enqueue(self.line.counters()).is_err() {
            std::thread::sleep(TICK);
        }
        shared.stages.ended(Stage::Core);
        shared.core_ended.store(true, Ordering::Release);
    }

    /// Counters for whoever wants to know; where nobody looked since the last time, they are not told.
    fn tell(&mut self) {
        let now = MonoNanos::now();
        if now.since(self.told) >= TELL {
            self.told = now;
            let _ = self.counters.enqueue(self.line.counters());
        }
    }

    fn is_through(&self) -> bool {
        let Incoming {
            belt,
            frames,
            verdicts,
            commands,
        } = &self.incoming;
        self.hands.shared.belt_ended.load(Ordering::Acquire)
            && !(belt.ready() || frames.ready() || verdicts.ready() || commands.ready())
    }

    fn take(&mut self, input: Input) {
        let Self { line, hands, .. } = self;
        let now = MonoNanos::now();
        hands.trace(now, Traced::In(input));
        line.take(now, input, &mut |action| hands.act(now, action));
    }

    /// Everything that came in. Edges first: a frame must find its part.
    fn drain(&mut self) {
        while let Some(input) = self.incoming.belt.dequeue() {
            self.take(input);
        }
        while let Some(frame) = self.incoming.frames.dequeue() {
            let input = Input::Frame {
                exposed: frame.exposed,
                sequence: frame.sequence,
                quality: frame.quality,
            };
            self.hands.frame = Some(frame);
            self.take(input);
            if let Some(frame) = self.hands.frame.take() {
                // shown and not judged; where there is no room for that it is only counted
                let _ = self.hands.jobs.send(Job { tag: None, frame });
            }
        }
        while let Some(input) = self.incoming.verdicts.dequeue() {
            self.take(input);
        }
        while let Some(input) = self.incoming.commands.dequeue() {
            self.take(input);
        }
    }

    /// What time alone brings.
    fn advance(&mut self) {
        let now = MonoNanos::now();
        if self.line.due().is_some_and(|due| due <= now) {
            self.take(Input::Time);
        }
    }

    /// The guard acts when the thread that started it ends, so it is this one.
    fn start_guard(&mut self, patience: Duration) -> Result<(), GuardError> {
        self.guarded = MonoNanos::now();
        if let Some((config, limit)) = &self.guard {
            self.hands.guard = Some(Guard::start(
                self.hands.outputs.as_ref(),
                config,
                *limit,
                patience,
            )?);
        }
        Ok(())
    }

    /// A guard that is gone is replaced once no part is on the way.
    fn replace_guard(&mut self) {
        let is_missing = self.guard.is_some() && self.hands.guard.is_none();
        if !is_missing || !self.line.is_drained() || MonoNanos::now().since(self.guarded) < GUARD_REST {
            return;
        }
        match self.start_guard(REPLACING) {
            Ok(()) => {
                log::warn!("there is a new guard process");
                self.take(Input::Device {
                    device: Device::Outputs,
                    up: true,
                });
            }
            Err(e) => log::error!("{e}"),
        }
    }

    fn look_after_outputs(&mut self) {
        let guarded = self.hands.guard.as_mut().is_none_or(Guard::alive);
        if !guarded {
            log::error!("the guard process is gone");
        }
        if std::mem::take(&mut self.hands.failed) || !guarded {
            self.take(Input::Device {
                device: Device::Outputs,
                up: false,
            });
            self.hands.guard = self.hands.guard.take().filter(|_| guarded);
        }
        self.replace_guard();
    }

    fn wait(&self) {
        let now = MonoNanos::now();
        let tick = now + TICK;
        match self.line.due().filter(|&due| due < tick) {
            Some(due) if due.since(now) <= APPROACH => realtime::wait_until(due),
            Some(due) => std::thread::park_timeout(due.since(now) - APPROACH),
            None => std::thread::park_timeout(TICK),
        }
    }
}
