//! Everything about a line that people see or that is kept: terminal, screen, records, counters on disk,
//! status. Nothing on the line waits for it.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use beltwatch_core::{Action, Alarm, Cause, Command, Counters, Fault, Input, State};
use heapless::spsc::Consumer;

use super::present::Presenter;
use super::status::{InForce, Status};
use super::terminal::Terminal;
use crate::clock::{Clock, MonoNanos, wall_seconds};
use crate::keep::record::{Entry, Recorded, Recording};
use crate::keep::store::{self, Saved, SavedThreshold, Store};
use crate::line::wiring::{Event, Shared, Trace, Traced};
use crate::line::{Parts, Report};

/// The queues are emptied this often.
const PERIOD: Duration = Duration::from_millis(5);
/// Counters are saved this often.
const SAVE: Duration = Duration::from_millis(500);
/// Names of the latencies, in the order of a frame.
const STAGES: [&str; 4] = [
    "1 preprocess",
    "2 reconstruct",
    "3 difference, HEE, score",
    "4 exposure to verdict",
];
const GATE: &str = "gate error";

/// Files that a line writes.
#[derive(Default)]
pub(crate) struct Papers {
    pub(crate) store: Option<Store>,
    pub(crate) record: Option<(PathBuf, Recording<BufWriter<File>>)>,
}

pub(crate) struct Scribe<'q> {
    pub(crate) trace: Consumer<'q, Trace>,
    pub(crate) counters: Consumer<'q, Counters>,
    pub(crate) events: Receiver<Event>,
    pub(crate) shared: &'q Shared,
    pub(crate) status: &'q Mutex<Status>,
    pub(crate) board: String,
    pub(crate) parts: Parts,
    pub(crate) terminal: Terminal,
    pub(crate) presenter: Option<Presenter>,
    pub(crate) papers: Papers,
    pub(crate) now: Status,
    pub(crate) in_force: InForce,
    pub(crate) seen: (Vec<Fault>, Vec<Alarm>),
    pub(crate) saved_at: MonoNanos,
    /// The state in which the line was when it was told to halt for the end.
    pub(crate) last_state: State,
}

impl Scribe<'_> {
    /// Writes until the line has ended and nobody has anything to say any more.
    pub(crate) fn write(mut self) -> (Report, Parts) {
        loop {
            let through = self.shared.core_ended.load(Ordering::Acquire);
            let silent = self.listen();
            self.save_now_and_then();
            self.terminal.draw(MonoNanos::now(), self.parts.in_flight());
            if let Some(presenter) = &mut self.presenter {
                presenter.show(MonoNanos::now(), &self.now);
            }
            if through && silent && !self.trace.ready() {
                break;
            }
            std::thread::sleep(PERIOD);
        }
        self.parts.finish_all();
        self.publish();
        self.save(false);
        if let Some((path, mut record)) = self.papers.record.take()
            && let Err(e) = record.flush()
        {
            log::error!("{}: the record is not whole: {e}", path.display());
        }
        self.terminal.finish();
        self.report()
    }

    /// Empties the queues. Whether every sender of events is gone.
    fn listen(&mut self) -> bool {
        while let Some(trace) = self.trace.dequeue() {
            self.trace(trace);
        }
        while let Some(counters) = self.counters.dequeue() {
            self.now.counters = counters;
        }
        loop {
            match self.events.try_recv() {
                Ok(event) => self.event(event),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    fn event(&mut self, event: Event) {
        if let Event::Changed(new) = &event {
            self.changed(new);
        }
        if let Event::Inspected(inspected) = &event
            && let Some(sha256) = &inspected.sha256
        {
            let (frame, name) = (inspected.frame, inspected.name.clone());
            self.record(
                inspected.judged,
                Recorded::Picture {
                    frame,
                    name,
                    sha256: sha256.clone(),
                },
            );
        }
        if let Some(presenter) = &mut self.presenter {
            presenter.event(&event);
        }
        self.parts.happened(event);
    }

    fn changed(&mut self, new: &InForce) {
        if new.sha256 == self.in_force.sha256 {
            self.operator(&format!("threshold {}", new.threshold));
        } else {
            self.operator(&format!("recipe {}", new.recipe));
        }
        self.now.judges_by(new);
        self.terminal.threshold(new.threshold);
        self.in_force = new.clone();
    }

    fn trace(&mut self, Trace { t, what }: Trace) {
        let recorded = match what {
            Traced::Switched { planned, done } => return self.parts.switched(planned, done),
            Traced::Dropped(n) => {
                self.now.trace_dropped += n;
                Recorded::Dropped(n)
            }
            Traced::In(input) => {
                if let Some(presenter) = &mut self.presenter {
                    presenter.input(t, &input);
                }
                self.input(input);
                Recorded::In(input)
            }
            Traced::Out(action) => {
                self.action(t, &action);
                Recorded::Out(action)
            }
        };
        self.record(t, recorded);
    }

    fn record(&mut self, t: MonoNanos, what: Recorded) {
        if let Some((path, record)) = &mut self.papers.record
            && let Err(e) = record.add(&Entry { t, what })
        {
            log::error!("{}: {e}: the record ends here, the line goes on", path.display());
            self.papers.record = None;
        }
    }

    fn input(&mut self, input: Input) {
        let Input::Command(command) = input else { return };
        if let Command::Bypass(on) = command {
            self.now.bypassed = on;
        }
        let action = serde_json::to_string(&command).unwrap_or_default();
        self.operator(action.trim_matches('"'));
    }

    fn operator(&self, action: &str) {
        log::info!("operator: {action}");
        if let Some(Err(e)) = self
            .papers
            .store
            .as_ref()
            .map(|s| s.log_action(action, &self.now.counters))
        {
            log::error!("an operator's action is not in the log: {e}");
        }
    }

    fn action(&mut self, t: MonoNanos, action: &Action) {
        match *action {
            Action::State(state) => {
                log::info!("state {state:?}");
                if state != State::Halted {
                    self.last_state = state;
                }
                (self.now.state, self.now.ready) = (state, state.is_ready());
            }
            Action::Fault { fault, raised } => {
                log::warn!("fault {fault} {}", if raised { "raised" } else { "cleared" });
                note(&mut self.now.faults, &mut self.seen.0, fault, raised);
            }
            Action::Alarm { alarm, raised } => {
                log::warn!("alarm {alarm} {}", if raised { "raised" } else { "cleared" });
                note(&mut self.now.alarms, &mut self.seen.1, alarm, raised);
            }
            _ => {
                let part = self.parts.decided(action);
                if let Some(part) = &part {
                    self.terminal.part(part);
                }
                if let Some(presenter) = &mut self.presenter {
                    presenter.action(t, action, part.as_ref());
                }
            }
        }
    }

    fn save_now_and_then(&mut self) {
        let now = MonoNanos::now();
        if now.since(self.saved_at) >= SAVE {
            self.saved_at = now;
            self.publish();
            self.save(true);
            if let Some((_, record)) = &mut self.papers.record {
                // an error shows with the next entry
                let _ = record.flush();
            }
        }
    }

    fn publish(&mut self) {
        self.now.latency = STAGES
            .into_iter()
            .zip(self.parts.stages.iter().map(crate::line::Times::latency))
            .collect();
        self.now.gate_error = self.parts.gate_error.latency();
        self.status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&self.now);
    }

    fn save(&mut self, running: bool) {
        let Some(store) = &self.papers.store else { return };
        let stages = STAGES.into_iter().zip(&self.parts.stages);
        let latencies = stages
            .chain([(GATE, &self.parts.gate_error)])
            .map(|(n, t)| (n.to_owned(), t.saved()));
        let saved = Saved {
            format: store::FORMAT,
            saved_at: wall_seconds(),
            running,
            threshold: (self.now.threshold != self.now.taught_threshold).then(|| SavedThreshold {
                recipe: self.in_force.sha256.clone(),
                threshold: self.now.threshold,
            }),
            counters: self.now.counters,
            latencies: latencies.collect(),
        };
        if let Err(e) = store.save(&saved) {
            if self.now.saves_failed == 0 {
                log::error!("the counters are not saved, the line goes on: {e}");
            }
            self.now.saves_failed += 1;
        }
    }

    /// Takes in what an earlier run saved.
    pub(crate) fn go_on(&mut self, saved: &Saved) {
        for (name, times) in STAGES
            .into_iter()
            .zip(&mut self.parts.stages)
            .chain([(GATE, &mut self.parts.gate_error)])
        {
            times.add_saved(saved.latencies.get(name).map_or(&[], Vec::as_slice));
        }
    }

    fn report(self) -> (Report, Parts) {
        let Self {
            mut parts,
            now,
            seen,
            board,
            last_state,
            ..
        } = self;
        let mut rejected = now.counters.rejected;
        let report = Report {
            board,
            recipe: now.recipe,
            threshold: now.threshold,
            parts: now.counters.triggers,
            passed: now.counters.passed,
            rejected: rejected.total(),
            rejected_by_cause: Cause::ALL.iter().copied().map(|c| (c, *rejected.of(c))).collect(),
            counters: now.counters,
            truth: parts.truth,
            state: last_state,
            faults: seen.0,
            alarms: seen.1,
            trace_dropped: now.trace_dropped,
            latency: now.latency,
            gate_error: now.gate_error,
            unjudged: parts.unjudged.iter().cloned().collect(),
            part_list: std::mem::take(&mut parts.list),
        };
        (report, parts)
    }
}

/// Keeps the list of what is there and the list of what was ever there.
fn note<T: Copy + Ord>(now: &mut Vec<T>, ever: &mut Vec<T>, what: T, raised: bool) {
    now.retain(|&other| other != what);
    if raised {
        now.push(what);
        ever.retain(|&other| other != what);
        ever.push(what);
        ever.sort_unstable();
    }
}
