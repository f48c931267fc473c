//! The rules of the line, in millimetres of belt.

use std::cmp::Reverse;

use beltwatch_core::{Cause, Command, Counters, Device, MonoNanos, Scale, Unjudged, Verdict};

use super::track::{Event, Executing, Track};
use super::{Certainty, Truth};
use crate::Body;

impl Truth {
    pub(super) fn contact(&mut self, now: u64, eye: MonoNanos, body: Body) {
        let place = self.place(eye);
        let line = &self.scenario.line;
        let (gate, guard) = (line.gate_mm, line.guard_mm);
        let (lockout, min_spacing) = (self.scaled(line.lockout_mm), self.scaled(line.min_spacing_mm));
        let runs_back = |at: u64| {
            self.course.way(at - self.start) < self.course.way((at - self.start).saturating_sub(1000))
        };
        let backward = runs_back(eye.0);
        // a belt that turns at once shows the part again
        self.is_lost |= !backward && runs_back(now);
        let distance = self.last_place.map_or(f64::INFINITY, |last| place - last);
        if backward || distance < lockout.max(1e-9) {
            return;
        }
        let blurred = self.slack > 0.0 && (distance - min_spacing).abs() <= self.slack;
        let deadline = match self.scenario.line.scale {
            Scale::Time => [eye.0 + (self.scaled(gate) - self.scaled(guard)) as u64; 3],
            Scale::Encoder => {
                let place = place + gate - guard;
                let places = [place - self.slack, place, place + self.slack];
                std::array::from_fn(|i| self.start + self.reach[i].time(places[i]))
            }
        };
        self.last_place = Some(place);
        let id = self.next_id;
        self.next_id += 1;
        let too_close = distance < min_spacing;
        if too_close || blurred {
            // the line may decide the one before first, where it was held up over both
            let deadline = self.live.back().map_or(now, |t| t.deadline.0);
            let blurred = blurred || deadline < now && self.awake(deadline) == now;
            if let Some(before) = self.live.back_mut().filter(|t| t.id + 1 == id) {
                if blurred {
                    before.blur();
                }
                if before.decided.is_none() {
                    before.forced.get_or_insert(Cause::Spacing);
                }
            }
            self.counters.spacing_faults += u64::from(too_close);
        }
        let executing = match &mut self.executing {
            Executing::No => false,
            Executing::Yes => true,
            Executing::Single(only) => *only.get_or_insert(id) == id,
        };
        let forced = if std::mem::take(&mut self.reject_next) {
            Some(Cause::Manual)
        } else if std::mem::take(&mut self.challenge) {
            Some(Cause::Challenge)
        } else if !executing {
            Some(Cause::Fault)
        } else {
            too_close.then_some(Cause::Spacing)
        };
        let overrun = self.live.iter().filter(|t| t.decided.is_none()).count() >= self.capacity;
        let certainty = match () {
            () if self.is_blind(place) => Certainty::Lost,
            () if blurred || self.is_lost => Certainty::Blurred,
            () => Certainty::Certain,
        };
        // what comes after it meets a server, and operators' wishes, that nobody can know
        self.is_lost |= certainty == Certainty::Lost;
        self.live.push_back(Track {
            id,
            body,
            eye,
            known: MonoNanos(now),
            place,
            has_frame: false,
            verdict: None,
            forced,
            deadline: (deadline[0], deadline[2]),
            decided: None,
            arrival: self
                .early
                .iter()
                .position(|e| e.0 == body)
                .map(|i| self.early.swap_remove(i).1),
            overrun,
            certainty,
        });
        self.counters.triggers += 1;
        if overrun {
            self.counters.trigger_overruns += 1;
            self.seal(id, Verdict::Reject(Cause::Fault));
        } else {
            self.push(deadline[1].max(now), Event::Deadline(id));
        }
    }

    /// Whether the encoder fails a part, or did just before it.
    pub(super) fn is_blind(&self, place: f64) -> bool {
        if self.slack == 0.0 {
            return false;
        }
        let inputs = self
            .scenario
            .devices
            .iter()
            .filter(|d| d.device == Device::Inputs);
        let spans = self.scenario.encoder.dead.iter().map(|d| (d.from_ms, d.to_ms));
        let mut spans = spans.chain(inputs.map(|d| (d.from_ms, d.to_ms)));
        let gate = place + self.scenario.line.gate_mm + self.slack;
        spans.any(|(from_ms, to_ms)| {
            let (from, to) = (crate::nanos(from_ms), crate::nanos(to_ms));
            let again = self.course.way(to) + 2.0 * self.scenario.product.spacing_mm;
            self.course.way(from) <= gate && place <= again
        })
    }

    pub(super) fn frame(
        &mut self,
        now: u64,
        exposed: MonoNanos,
        delivered: MonoNanos,
        part: u64,
        good: bool,
    ) {
        if let Some(every) = self.scenario.line.free_running {
            self.frames = (self.frames + 1) % every.get();
            if self.frames == 0 {
                let eye = MonoNanos(exposed.0 - self.scaled(self.scenario.line.camera_mm) as u64);
                self.contact(now, eye, Body::Part(part));
                self.decide_due(now);
            }
        }
        let at = self.place(exposed);
        let (camera, window) = (
            self.scaled(self.scenario.line.camera_mm),
            self.scaled(self.scenario.line.camera_window_mm),
        );
        let slack = self.slack;
        let off = |t: &Track| (at - t.place - camera).abs();
        let near = self.live.iter().any(|t| {
            slack > 0.0
                && ((off(t) - window).abs() <= slack
                    || off(t) <= window && (t.deadline.0..=t.deadline.1).contains(&now))
        });
        if near {
            self.is_lost = true;
            self.live.iter_mut().for_each(Track::blur);
        }
        let open = self
            .live
            .iter_mut()
            .filter(|t| t.decided.is_none() && !t.has_frame);
        let Some(track) = open
            .min_by(|a, b| off(a).total_cmp(&off(b)))
            .filter(|t| off(t) <= window)
        else {
            return;
        };
        track.has_frame = true;
        if good {
            let (track, at) = (track.id, self.awake(delivered.0).max(now));
            self.push(at, Event::Submit { track, part });
        } else {
            track.verdict = Some(Verdict::Reject(Cause::NoImage));
        }
    }

    pub(super) fn decide_due(&mut self, now: u64) {
        while let Some(&Reverse((_, _, _, Event::Deadline(id)))) = self.events.peek().filter(|e| e.0.0 <= now)
        {
            self.events.pop();
            self.decide(id);
        }
    }

    pub(super) fn decide(&mut self, id: u64) {
        let Some(track) = self.live.iter().find(|t| t.id == id) else {
            return;
        };
        let verdict = match (track.forced, track.verdict, track.has_frame) {
            (Some(cause), ..) => Verdict::Reject(cause),
            (None, Some(verdict), _) => verdict,
            (None, None, false) => Verdict::Reject(Cause::NoImage),
            (None, None, true) if self.scenario.line.on_no_verdict == Unjudged::Pass => Verdict::Pass,
            (None, None, true) => Verdict::Reject(Cause::NoVerdict),
        };
        self.seal(id, verdict);
        if self.executing == Executing::Single(Some(id)) {
            self.executing = Executing::No;
        }
    }

    pub(super) fn seal(&mut self, id: u64, verdict: Verdict) {
        match verdict {
            _ if self.bypass => self.counters.bypassed += 1,
            Verdict::Pass => self.counters.passed += 1,
            Verdict::Reject(cause) => *self.counters.rejected.of(cause) += 1,
        }
        if let Some(track) = self.live.iter_mut().find(|t| t.id == id) {
            track.decided = Some((verdict, self.bypass));
        }
    }

    pub(super) fn command(&mut self, now: u64, command: Command) {
        for track in self.live.iter_mut().filter(|_| self.slack > 0.0) {
            if (track.deadline.0..=track.deadline.1).contains(&now) {
                track.blur();
            }
        }
        match command {
            Command::Start => self.executing = Executing::Yes,
            Command::Single => self.executing = Executing::Single(None),
            Command::Halt => self.executing = Executing::No,
            Command::Bypass(on) => self.bypass = on,
            Command::Challenge => self.challenge = true,
            Command::RejectNext => self.reject_next = true,
            Command::ResetCounters => {
                let triggers = self.live.iter().filter(|t| t.decided.is_none()).count() as u64;
                self.counters = Counters {
                    triggers,
                    ..Counters::default()
                };
            }
            Command::Acknowledge | Command::TestFire => {}
        }
    }
}
