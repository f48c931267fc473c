//! What happened to each part, put together from the line's events.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{Event, Reject};
use crate::capture::Truth;
use crate::gate::Switch;
use crate::gate::output::open_at;
use crate::inspect::StageTimes;
use crate::time::MonoNanos;
use crate::track::{Tag, Timing};
use crate::verdict::{Cause, Score, Verdict};

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
    /// Whether the gate was open when the part was there: in the middle of its pulse.
    pub ejected: bool,
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
    eye: Option<MonoNanos>,
    name: Option<String>,
    truth: Option<String>,
    score: Option<Score>,
    frame_to_verdict: Option<Duration>,
    verdict: Option<Verdict>,
}

/// Collects events.
#[derive(Default)]
pub struct Recorder {
    parts: BTreeMap<Tag, Open>,
    pub(super) times: Vec<StageTimes>,
    pub(super) gate_errors: Vec<Duration>,
    pub(super) rejects: Vec<(Tag, String, Score, Reject)>,
    pub(super) unjudged: Vec<(String, String)>,
}

impl Recorder {
    /// Takes in an event. Returns the part whose fate it sealed.
    pub(super) fn take(&mut self, event: Event) -> Option<Tag> {
        match event {
            Event::Edge(tag, eye) => self.parts.entry(tag).or_default().eye = Some(eye),
            Event::Inspected(inspected) => {
                let part = self.parts.entry(inspected.tag).or_default();
                part.truth = match inspected.truth {
                    Truth::Unknown => None,
                    Truth::Good => Some("good".to_owned()),
                    Truth::Defect(name) => Some(name),
                };
                part.frame_to_verdict = Some(inspected.judged.since(inspected.exposed));
                match inspected.result {
                    Ok(found) => {
                        part.score = Some(found.score);
                        self.times.push(found.times);
                        let reject = inspected.reject.map(|r| (inspected.tag, inspected.name.clone(), found.score, r));
                        self.rejects.extend(reject);
                    }
                    Err(why) => self.unjudged.push((inspected.name.clone(), why)),
                }
                part.name = Some(inspected.name);
            }
            Event::Unjudged { name, why } => {
                log::warn!("{name}: not judged: {why}");
                self.unjudged.push((name, why));
            }
            Event::Decided { part, verdict } => {
                let open = self.parts.entry(part.tag).or_default();
                (open.eye, open.verdict) = (Some(part.eye), Some(verdict));
                return Some(part.tag);
            }
            Event::Switched { planned, done } => {
                self.gate_errors.push(Duration::from_nanos(done.error_to(planned).unsigned_abs()));
            }
            Event::Late(tag) => log::warn!("the verdict of part {} came too late", tag.0),
        }
        None
    }

    /// The record of a decided part; `ejected` is still open.
    pub(super) fn part(&self, tag: Tag) -> Option<PartRecord> {
        let part = self.parts.get(&tag)?;
        let verdict = part.verdict?;
        Some(PartRecord {
            tag: tag.0,
            file: part.name.clone(),
            truth: part.truth.clone(),
            verdict: verdict.name(),
            cause: verdict.cause(),
            score: part.score,
            ejected: false,
            frame_to_verdict_us: part.frame_to_verdict.map(|d| d.as_micros() as u64),
        })
    }

    /// All decided parts, with what the gate really did.
    pub(super) fn finish(&self, switches: &[Switch], timing: &Timing, pulse: Duration) -> Vec<PartRecord> {
        let parts = self.parts.iter().filter_map(|(&tag, part)| Some((self.part(tag)?, part.eye?)));
        let there = |eye| timing.pulse_start(eye) + pulse / 2;
        parts.map(|(record, eye)| PartRecord { ejected: open_at(switches, there(eye)), ..record }).collect()
    }

    /// Eye edges of the parts that are not decided yet.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = (Tag, MonoNanos, Option<Score>)> {
        self.parts.iter().filter(|(_, p)| p.verdict.is_none()).filter_map(|(&t, p)| Some((t, p.eye?, p.score)))
    }
}
