//! What the line did against what it should have done.

use std::collections::HashMap;

use beltwatch_core::{Action, Command, Counters, Device, Fault, MonoNanos, OutputLine, Scale, Verdict};

use crate::course::Reach;
use crate::outcome::{Decision, Outcome, Pulse};
use crate::scenario::Scenario;
use crate::{Body, Certainty, Fate, Ruling};

/// Rounding of the plant's times, in nanoseconds.
const ROUNDING: u64 = 10;

/// A part at the gate: from when to when its front may be taken to be there, and exactly.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    fate: Fate,
    from: u64,
    at: u64,
    to: u64,
    leaves: bool,
}

struct Verifier<'a> {
    scenario: &'a Scenario,
    start: u64,
    outcome: &'a Outcome,
    pulse: u64,
    max_on: u64,
    wrong: Vec<String>,
}

/// Everything that is wrong, in words. `counters` are those of the ground truth, where it is certain of them.
pub(crate) fn verify(
    scenario: &Scenario,
    start: MonoNanos,
    capacity: usize,
    outcome: &Outcome,
    counters: Option<Counters>,
) -> Vec<String> {
    let settings = scenario.settings().pulse;
    let nanos = |d: std::time::Duration| d.as_nanos() as u64;
    let (pulse, max_on) = (nanos(settings.pulse), nanos(settings.max_on));
    let mut verifier = Verifier {
        scenario,
        start: start.0,
        outcome,
        pulse,
        max_on,
        wrong: Vec::new(),
    };
    let decisions = verifier.decisions(counters.is_some());
    let arrivals = verifier.arrivals(&decisions);
    let causes = verifier.causes(&arrivals, capacity);
    arrivals.iter().for_each(|a| verifier.arrival(a, &causes));
    outcome.pulses.iter().for_each(|p| verifier.pulse(p, &causes));
    verifier.heartbeat();
    if let Some(counters) = counters {
        verifier.counters(counters);
    }
    verifier.wrong
}

impl Verifier<'_> {
    fn ms(&self, at: u64) -> f64 {
        at.saturating_sub(self.start) as f64 / 1e6
    }

    /// Every part that can be known was decided, as it should be; by eye edge.
    fn decisions(&mut self, is_certain: bool) -> HashMap<MonoNanos, Decision> {
        let decisions: HashMap<_, _> = self.outcome.decisions.iter().map(|d| (d.eye, *d)).collect();
        let mut known = 0;
        for fate in self
            .outcome
            .fates
            .iter()
            .filter(|f| f.certainty == Certainty::Certain)
        {
            let (Some(eye), Ruling::Decided { verdict, bypassed }) = (fate.eye, fate.ruling) else {
                continue;
            };
            known += 1;
            let words = |v: Verdict, b: bool| format!("{v:?}{}", if b { ", bypassed" } else { "" });
            let wanted = words(verdict, bypassed);
            match decisions.get(&eye).map(|d| words(d.verdict, d.bypassed)) {
                Some(found) if found == wanted => {}
                found => self
                    .wrong
                    .push(format!("{:?} got {found:?}, should have got {wanted}", fate.body)),
            }
        }

        if is_certain && known != self.outcome.decisions.len() {
            self.wrong.push(format!(
                "{} parts decided, there were {known}",
                self.outcome.decisions.len()
            ));
        }
        decisions
    }

    fn arrivals(&self, decisions: &HashMap<MonoNanos, Decision>) -> Vec<Arrival> {
        let slack = self.scenario.slack_mm();
        let course = self.scenario.course();
        let gate = self.scenario.stretch(self.scenario.line.gate_mm).0 as u64;
        let arrival = |f: &Fate| match (self.scenario.line.scale, f.body, f.eye) {
            // it begins with an edge that came just before it
            (Scale::Time, Body::Ghost(_), Some(eye)) => Some(eye.0 + gate),
            _ => f.arrival.map(|a| a.0),
        };
        let mut fates: Vec<_> = self
            .outcome
            .fates
            .iter()
            .filter_map(|f| Some((arrival(f)?, *f)))
            .collect();
        fates.sort_by_key(|f| f.0);
        let (mut early, mut late) = (Reach::new(&course), Reach::new(&course));
        let of = |(at, fate): (u64, Fate)| {
            let place = course.way(at - self.start);
            let (from, to) = match self.scenario.line.scale {
                // something else may have blocked the beam just before a part: it is timed by that
                Scale::Time => {
                    let by_eye = fate.eye.map_or(at, |eye| eye.0 + gate);
                    (at.min(by_eye), at.max(by_eye))
                }
                Scale::Encoder => (
                    self.start + early.time((place - slack).max(0.0)),
                    self.start + late.time(place + slack),
                ),
            };
            let decided = fate.eye.and_then(|eye| decisions.get(&eye));
            let by_line = decided.is_some_and(|d| d.verdict != Verdict::Pass && !d.bypassed);
            let leaves = if fate.certainty == Certainty::Certain {
                fate.leaves()
            } else {
                by_line
            };
            Arrival {
                fate,
                from,
                at,
                to,
                leaves,
            }
        };
        fates.into_iter().map(of).collect()
    }

    /// Times at which the gate may be open.
    fn causes(&self, arrivals: &[Arrival], capacity: usize) -> Vec<(u64, u64)> {
        let leaving = arrivals
            .iter()
            .filter(|a| a.leaves)
            .map(|a| match (a.fate.certainty, a.fate.eye) {
                // a dead encoder may have it anywhere
                (Certainty::Lost, Some(eye)) => (eye.0, u64::MAX),
                _ => (a.from, a.to + self.pulse),
            });
        let fired = self
            .scenario
            .commands
            .iter()
            .filter(|c| c.command == Command::TestFire);
        let fired = fired.map(|c| self.start + self.scenario.awake(crate::nanos(c.at_ms)));
        let mut causes: Vec<_> = leaving.chain(fired.map(|at| (at, at + self.pulse))).collect();
        let overruns: Vec<_> = arrivals.iter().filter(|a| a.fate.overrun).collect();
        if let [first, .., last] = overruns[..]
            && overruns.len() > capacity
        {
            // without room for each the gate is open for all between
            causes.push((first.from, last.to + self.pulse));
        }
        causes.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (from, to) in causes {
            match merged.last_mut() {
                Some(last) if from <= last.1.saturating_add(ROUNDING) => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        merged
    }

    /// Whether the gate is open at some time from `from` to `to`.
    fn is_open(&self, from: u64, to: u64) -> bool {
        let pulses = &self.outcome.pulses;
        let next = pulses.partition_point(|p| p.off.is_some_and(|off| off.0 <= from));
        pulses.get(next).is_some_and(|p| p.on.0 <= to)
    }

    fn was_held(&self, from: u64, to: u64) -> bool {
        let nanos = |ms| self.start + crate::nanos(ms);
        self.scenario
            .held
            .iter()
            .any(|h| nanos(h.from_ms) <= to && nanos(h.to_ms) >= from)
    }

    /// The gate is open for a part that leaves, and for no other.
    fn arrival(&mut self, a: &Arrival, causes: &[(u64, u64)]) {
        if a.fate.certainty == Certainty::Lost {
            return;
        }
        let middle = a.at + self.pulse / 2;
        let open = self.is_open(middle, middle);
        // a slow belt stands between two pulses for longer than the gate is open
        let sharp = a.to < middle && a.at < a.from + self.pulse / 2;
        let what = (a.fate.body, self.ms(a.at));
        if a.leaves {
            let hit = if sharp { open } else { self.is_open(a.from, a.to) };
            let down = |at: u64| self.scenario.is_down(Device::Outputs, at - self.start);
            let late = self.late(a);
            if !hit
                && late == 0
                && !self.was_held(a.from, middle.max(a.to))
                && !down(a.from)
                && !down(middle)
                && !self.was_cut(a)
            {
                self.wrong.push(format!(
                    "{:?} should have left at {} ms, and the gate was closed",
                    what.0, what.1
                ));
            }
            let tolerance = crate::nanos(self.scenario.line.gate_tolerance_ms);
            let is_timed = self.scenario.line.scale == Scale::Time;
            if is_timed && late > tolerance + ROUNDING && !self.outcome.faults.contains(&Fault::GateLate) {
                self.wrong.push(format!(
                    "the gate was {late} ns late for {:?}, and no fault",
                    what.0
                ));
            }
        } else if open
            && !self.was_held(a.from, middle)
            && a.fate.ruling != Ruling::Unseen
            && !self.is_excused(a, causes)
        {
            self.wrong.push(format!(
                "{:?} should have gone on at {} ms, and the gate was open",
                what.0, what.1
            ));
        }
    }

    /// How much later than a part the line is: it was held up, or learned of the part when it had gone.
    fn late(&self, a: &Arrival) -> u64 {
        let known = a.fate.known.map_or(0, |k| k.0).max(a.at);
        self.scenario.awake(known - self.start) + self.start - a.at
    }

    /// The gate closed before the part because it had been open for as long as it may.
    fn was_cut(&self, a: &Arrival) -> bool {
        let cut = |p: &Pulse| {
            p.planned_off.is_some_and(|off| {
                off.0 - p.planned.0 == self.max_on
                    && off.0 + self.pulse >= a.from
                    && off.0 <= a.to + self.pulse
            })
        };
        self.outcome.faults.contains(&Fault::MaxOn) && self.outcome.pulses.iter().any(cut)
    }

    /// Somebody fired the gate at the part, let it go on although it is too close to another one that leaves,
    /// or it is between parts for which the queue had no room.
    fn is_excused(&self, a: &Arrival, causes: &[(u64, u64)]) -> bool {
        let middle = a.at + self.pulse / 2;
        let bypassed = matches!(a.fate.ruling, Ruling::Decided { bypassed: true, .. });
        if bypassed && causes.iter().any(|c| (c.0..=c.1).contains(&middle)) {
            return true;
        }
        let fired = self
            .scenario
            .commands
            .iter()
            .filter(|c| c.command == Command::TestFire);
        let at = |ms| self.start + self.scenario.awake(crate::nanos(ms));
        fired
            .into_iter()
            .any(|c| (at(c.at_ms)..=at(c.at_ms) + self.pulse).contains(&middle))
            || self.outcome.fates.iter().any(|f| f.overrun)
            || a.fate.certainty != Certainty::Certain
    }

    /// A pulse has a cause and is no longer than it may be.
    fn pulse(&mut self, p: &Pulse, causes: &[(u64, u64)]) {
        let at = self.ms(p.planned.0);
        let (Some(planned_off), Some(off)) = (p.planned_off, p.off) else {
            if self.outcome.fates.iter().all(|f| f.certainty != Certainty::Lost) {
                self.wrong
                    .push(format!("the gate opened at {at} ms and never closed"));
            }
            return;
        };
        let cause = causes.partition_point(|c| c.1.saturating_add(ROUNDING) < planned_off.0);
        let explained = causes.get(cause).is_some_and(|c| c.0 <= p.planned.0 + ROUNDING);
        if !explained {
            self.wrong.push(format!(
                "the gate was open from {at} to {} ms without a cause",
                self.ms(planned_off.0)
            ));
        }
        let held = self.was_held(p.planned.0, off.0);
        let longest = if held {
            planned_off.0 - p.planned.0
        } else {
            off.0 - p.on.0
        };
        if longest > self.max_on {
            self.wrong.push(format!(
                "the gate was open for {} ms at {at} ms",
                longest as f64 / 1e6
            ));
        }
        let knows_late = self.scenario.line.free_running.is_some();
        if !held && !knows_late && (p.on, off) != (p.planned, planned_off) {
            self.wrong
                .push(format!("the gate moved at another time than planned, at {at} ms"));
        }
    }

    /// It beats evenly while nothing holds it up.
    fn heartbeat(&mut self) {
        let stops = |c: &crate::Timed| c.command == Command::Halt;
        let down = self.scenario.devices.iter().any(|d| d.device == Device::Stages);
        if down || self.scenario.commands.iter().any(stops) || !self.scenario.held.is_empty() {
            return;
        }
        let beat = |a: &(MonoNanos, Action)| match a.1 {
            Action::Output {
                line: OutputLine::Heartbeat,
                ..
            } => Some(a.0.0),
            _ => None,
        };
        let beats: Vec<_> = self.outcome.actions.iter().filter_map(beat).collect();
        let period = crate::nanos(self.scenario.line.heartbeat_ms);
        if let Some(pair) = beats.windows(2).find(|w| w[1] - w[0] != period) {
            self.wrong.push(format!(
                "the heart beat at {} and then at {} ms",
                self.ms(pair[0]),
                self.ms(pair[1])
            ));
        }
    }

    fn counters(&mut self, truth: Counters) {
        let c = self.outcome.counters;
        let pairs = [
            ("triggers", c.triggers, truth.triggers),
            ("passed", c.passed, truth.passed),
            ("bypassed", c.bypassed, truth.bypassed),
            ("spacing_faults", c.spacing_faults, truth.spacing_faults),
            ("trigger_overruns", c.trigger_overruns, truth.trigger_overruns),
        ];
        for (name, found, wanted) in pairs {
            if found != wanted {
                self.wrong
                    .push(format!("{name}: counted {found}, there were {wanted}"));
            }
        }
        if c.rejected != truth.rejected {
            self.wrong.push(format!(
                "counted {:?}, there were {:?}",
                c.rejected, truth.rejected
            ));
        }
    }
}
