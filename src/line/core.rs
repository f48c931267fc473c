//! The core: tracking queue, gate schedule and output in one thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::Duration;

use super::{Event, IN_FLIGHT, Input, Job};
use crate::gate::GateSchedule;
use crate::gate::output::Output;
use crate::time::{Clock, MonoNanos};
use crate::track::{Placed, Timing, TrackingQueue};
use crate::verdict::{Cause, Verdict};

/// The queue is left this long before something is due; the rest is one absolute sleep.
const APPROACH: Duration = Duration::from_millis(1);

/// What the core counts itself, because a report may be dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) triggers: u64,
    pub(super) passed: u64,
    pub(super) rejected: [u64; Cause::ALL.len()],
    pub(super) late_verdicts: u64,
    pub(super) frames_without_part: u64,
    pub(super) reports_dropped: u64,
}

pub(super) struct Core<'a> {
    queue: TrackingQueue<IN_FLIGHT>,
    schedule: GateSchedule<IN_FLIGHT>,
    output: &'a mut dyn Output,
    timing: Timing,
    jobs: SyncSender<Job>,
    events: SyncSender<Event>,
    counts: Counts,
}

impl<'a> Core<'a> {
    pub(super) fn new(
        timing: Timing,
        pulse: Duration,
        output: &'a mut dyn Output,
        jobs: SyncSender<Job>,
        events: SyncSender<Event>,
    ) -> Self {
        let (queue, schedule) = (TrackingQueue::new(timing), GateSchedule::new(pulse));
        Self { queue, schedule, output, timing, jobs, events, counts: Counts::default() }
    }

    /// Works until the belt has ended and every part has passed the gate; the output is closed then.
    pub(super) fn run(mut self, inputs: &Receiver<Input>) -> Counts {
        let mut ended = false;
        loop {
            self.act(MonoNanos::now());
            let due = [self.queue.next_deadline(), self.schedule.next().map(|s| s.at)].into_iter().flatten().min();
            if ended && due.is_none() {
                return self.counts;
            }
            match self.wait(inputs, due) {
                Some(Input::End) => ended = true,
                Some(input) => self.take(input),
                None => {}
            }
        }
    }

    /// The next message, or `None` when `due` has come.
    fn wait(&self, inputs: &Receiver<Input>, due: Option<MonoNanos>) -> Option<Input> {
        let Some(due) = due else {
            // without senders there is nothing to wait for any more
            return Some(inputs.recv().unwrap_or(Input::End));
        };
        let patience = (due - APPROACH).since(MonoNanos::now());
        if patience.is_zero() {
            due.sleep();
            return None;
        }
        match inputs.recv_timeout(patience) {
            Ok(input) => Some(input),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                due.sleep();
                None
            }
        }
    }

    /// Everything that is due: verdicts become pulses before the gate is looked at.
    fn act(&mut self, now: MonoNanos) {
        while let Some((part, verdict)) = self.queue.decide(now) {
            match verdict {
                Verdict::Pass => self.counts.passed += 1,
                Verdict::Reject(cause) => self.reject(part.eye, cause),
            }
            self.report(Event::Decided { part, verdict });
        }
        while let Some(switch) = self.schedule.next().filter(|s| s.at <= now) {
            let done = self.output.set(switch.open);
            self.schedule.done();
            self.report(Event::Switched { planned: switch.at, done });
        }
    }

    fn reject(&mut self, eye: MonoNanos, cause: Cause) {
        self.counts.rejected[cause as usize] += 1;
        if self.schedule.add(self.timing.pulse_start(eye)).is_err() {
            log::error!("more than {IN_FLIGHT} reject pulses are waiting: the gate stays open until the last of them");
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Edge(eye) => {
                self.counts.triggers += 1;
                match self.queue.eye_edge(eye) {
                    Ok(tag) => self.report(Event::Edge(tag, eye)),
                    Err((tag, _)) => {
                        log::error!(
                            "part {} does not fit: {IN_FLIGHT} parts are in flight; it is rejected by its time",
                            tag.0
                        );
                        self.reject(eye, Cause::Fault);
                    }
                }
            }
            Input::Frame(frame) => match self.queue.match_frame(frame.exposed) {
                Some(tag) => {
                    // a queue that is full costs this part its verdict, never the next one its time
                    if let Err(TrySendError::Full(job)) = self.jobs.try_send(Job { tag, frame }) {
                        self.report(Event::Unjudged {
                            name: job.frame.shown.name,
                            why: "the inspection is behind".to_owned(),
                        });
                    }
                }
                None => {
                    self.counts.frames_without_part += 1;
                    self.report(Event::Unjudged { name: frame.shown.name, why: "no part was there for it".to_owned() });
                }
            },
            Input::Verdict(tag, verdict) => {
                if self.queue.verdict(tag, verdict, MonoNanos::now()) == Placed::Late {
                    self.counts.late_verdicts += 1;
                    self.report(Event::Late(tag));
                }
            }
            Input::End => {}
        }
    }

    fn report(&mut self, event: Event) {
        if self.events.try_send(event).is_err() {
            self.counts.reports_dropped += 1;
        }
    }
}
