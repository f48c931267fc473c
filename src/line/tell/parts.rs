//! What happened to each part, put together from the line's events.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use beltwatch_core::{Action, Cause, MonoNanos, Tag, Verdict};
use beltwatch_vision::judge::score::Score;
use serde::Serialize;

use crate::devices::capture::Truth;
use crate::devices::display::Reject;
use crate::line::Times;
use crate::line::wiring::{Arrival, Event, Inspected};

/// Rejects that are kept for people to look at, the latest ones: each has two pictures.
const REJECTS: usize = 32;
/// Pictures without a verdict that are kept by name, the latest ones.
const UNJUDGED: usize = 256;
/// Parts that wait to be complete; one that never is (the belt was stopped) is not waited for longer than
/// this.
const OPEN: usize = 1024;

/// One part from the eye to the gate.
#[derive(Clone, Debug, Serialize)]
pub struct PartRecord {
    /// Its number.
    pub tag: u32,
    /// Its picture.
    pub file: Option<String>,
    /// `good`, the defect's name, or nothing where nobody knows.
    pub truth: Option<String>,
    /// `pass` or `reject`.
    pub verdict: &'static str,
    /// Why it was rejected.
    pub cause: Option<Cause>,
    /// What the inspection found.
    pub score: Option<Score>,
    /// Whether the gate was open when the part was there, where somebody saw it.
    pub ejected: Option<bool>,
    /// From the exposure to the verdict, in microseconds.
    pub frame_to_verdict_us: Option<u64>,
}

impl PartRecord {
    /// Whether the truth says that it is defective.
    pub fn is_defective(&self) -> Option<bool> {
        self.truth.as_deref().map(|t| t != "good")
    }
}

#[derive(Default)]
struct Open {
    eye: MonoNanos,
    name: Option<String>,
    truth: Option<String>,
    score: Option<Score>,
    frame_to_verdict: Option<Duration>,
    verdict: Option<Verdict>,
    bypassed: bool,
    arrival: Option<Arrival>,
}

impl Open {
    fn record(&self, tag: Tag) -> Option<PartRecord> {
        let verdict = self.verdict?;
        Some(PartRecord {
            tag: tag.0,
            file: self.name.clone(),
            truth: self.truth.clone(),
            verdict: verdict.name(),
            cause: verdict.cause(),
            score: self.score,
            ejected: self.arrival.map(|a| a.ejected),
            frame_to_verdict_us: self.frame_to_verdict.map(|d| d.as_micros() as u64),
        })
    }
}

/// What the gate did, against the ground truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TruthTable {
    /// Good parts.
    pub good: u64,
    /// Bad parts.
    pub defective: u64,
    /// Good parts that went on and bad parts that left.
    pub right: u64,
    /// Good parts that left.
    pub false_rejects: u64,
    /// Bad parts that went on.
    pub missed: u64,
    /// Parts whose fate at the gate was not their verdict's: rejected and not covered by a pulse, or passed
    /// under one.
    pub gate_disagrees: u64,
    /// Parts that the device rejected for a reason that the belt does not know of, or passed in spite of one.
    pub device_disagrees: u64,
}

impl TruthTable {
    fn count(&mut self, part: &PartRecord, verdict: Verdict, bypassed: bool, arrival: Option<Arrival>) {
        let Some(Arrival { ejected, device, .. }) = arrival else {
            return;
        };
        if let Some(defective) = part.is_defective() {
            *(if defective {
                &mut self.defective
            } else {
                &mut self.good
            }) += 1;
            *(match (defective, ejected) {
                (false, true) => &mut self.false_rejects,
                (true, false) => &mut self.missed,
                _ => &mut self.right,
            }) += 1;
        }
        self.gate_disagrees += u64::from(ejected != (verdict != Verdict::Pass && !bypassed));
        let by_device = verdict.cause().filter(|c| *c != Cause::Defect);
        self.device_disagrees += u64::from(device.is_some_and(|d| d.cause() != by_device));
    }
}

/// Collects events.
#[derive(Default)]
pub struct Parts {
    open: BTreeMap<Tag, Open>,
    keep: bool,
    pub(crate) list: Vec<PartRecord>,
    pub(crate) truth: TruthTable,
    pub(crate) stages: [Times; 4],
    pub(crate) gate_error: Times,
    pub(crate) rejects: VecDeque<(Tag, String, Score, Arc<Reject>)>,
    pub(crate) unjudged: VecDeque<(String, String)>,
}

impl Parts {
    /// `keep`: every part's record stays until the end, for a run that ends.
    pub(crate) fn new(keep: bool) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    /// Takes in a decision. Returns the part whose fate it sealed.
    pub(crate) fn decided(&mut self, action: &Action) -> Option<PartRecord> {
        match *action {
            Action::Part { tag, eye } => {
                self.open.insert(
                    tag,
                    Open {
                        eye,
                        ..Open::default()
                    },
                );
                if self.open.len() > OPEN
                    && let Some((tag, open)) = self.open.pop_first()
                {
                    self.finish(tag, &open);
                }
            }
            Action::Decided {
                tag,
                verdict,
                bypassed,
            } => {
                let open = self.open.get_mut(&tag)?;
                (open.verdict, open.bypassed) = (Some(verdict), bypassed);
                let record = open.record(tag);
                self.close(tag);
                return record;
            }
            _ => {}
        }
        None
    }

    /// The gate was switched.
    pub(crate) fn switched(&mut self, planned: MonoNanos, done: MonoNanos) {
        self.gate_error
            .add(Duration::from_nanos(done.error_to(planned).unsigned_abs()));
    }

    /// Takes in an event.
    pub(in crate::line) fn happened(&mut self, event: Event) {
        match event {
            Event::Inspected(inspected) => self.inspected(*inspected),
            Event::Unjudged { name, why } => self.not_judged(name, why),
            Event::Arrived(arrival) => {
                let part = self.open.iter_mut().find(|(_, p)| p.eye == arrival.eye);
                if let Some((&tag, open)) = part {
                    open.arrival = Some(arrival);
                    self.close(tag);
                }
            }
            Event::Changed(_) => {}
        }
    }

    fn inspected(&mut self, inspected: Inspected) {
        let Inspected {
            tag,
            exposed,
            judged,
            name,
            truth,
            result,
            reject,
            ..
        } = inspected;
        if let Ok(found) = &result {
            let times = &found.times;
            let measured = [
                times.preprocess,
                times.reconstruct,
                times.judge,
                judged.since(exposed),
            ];
            self.stages
                .iter_mut()
                .zip(measured)
                .for_each(|(all, time)| all.add(time));
            if let Some(reject) = reject {
                if self.rejects.len() == REJECTS {
                    self.rejects.pop_front();
                }
                self.rejects.push_back((tag, name.clone(), found.score, reject));
            }
        }
        if let Some(part) = self.open.get_mut(&tag) {
            part.truth = match truth {
                Truth::Unknown => None,
                Truth::Good => Some("good".to_owned()),
                Truth::Defect(name) => Some(name),
            };
            part.frame_to_verdict = Some(judged.since(exposed));
            part.score = result.as_ref().ok().map(|found| found.score);
            part.name = Some(name.clone());
            self.close(tag);
        }
        if let Err(why) = result {
            self.not_judged(name, why);
        }
    }

    fn not_judged(&mut self, name: String, why: String) {
        log::warn!("{name}: not judged: {why}");
        if self.unjudged.len() == UNJUDGED {
            self.unjudged.pop_front();
        }
        self.unjudged.push_back((name, why));
    }

    /// Finishes a part about which everything is known.
    fn close(&mut self, tag: Tag) {
        let complete = |p: &Open| p.verdict.is_some() && p.arrival.is_some() && p.name.is_some();
        if self.open.get(&tag).is_some_and(complete)
            && let Some(open) = self.open.remove(&tag)
        {
            self.finish(tag, &open);
        }
    }

    fn finish(&mut self, tag: Tag, open: &Open) {
        let (Some(record), Some(verdict)) = (open.record(tag), open.verdict) else {
            return;
        };
        self.truth.count(&record, verdict, open.bypassed, open.arrival);
        if self.keep {
            self.list.push(record);
        }
    }

    /// There are no more events: finishes every part that is decided.
    pub(crate) fn finish_all(&mut self) {
        for (tag, open) in std::mem::take(&mut self.open) {
            self.finish(tag, &open);
        }
        self.list.sort_by_key(|p| p.tag);
    }

    /// Eye edges of the parts that are not decided yet.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = (Tag, MonoNanos, Option<Score>)> {
        self.open
            .iter()
            .filter(|(_, p)| p.verdict.is_none())
            .map(|(&t, p)| (t, p.eye, p.score))
    }
}
