//! The ground truth: what each part should get, worked out from the belt itself and from what the devices deliver, by
//! the rules of the line and not by its code.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use beltwatch_core::{Cause, Command, Counters, MonoNanos, Quality, Scale, Unjudged, Verdict};

use crate::course::{Course, Reach};
use crate::scenario::Scenario;
use crate::{Body, EyeCause, Happening, Physical, Server};

/// What should become of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// The line sees it and decides it.
    Decided {
        /// What it gets.
        verdict: Verdict,
        /// Whether it goes on all the same.
        bypassed: bool,
    },
    /// The line cannot know of it: the eye, or the kernel, lost it, or no frame of it was to be looked at.
    Unseen,
}

/// What should become of a part, and when it is at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Which.
    pub body: Body,
    /// When its front came into the beam, if the line can know.
    pub eye: Option<MonoNanos>,
    /// See there.
    pub ruling: Ruling,
    /// When the line learns of it.
    pub known: Option<MonoNanos>,
    /// When its front is at the gate; `None` where the run ended before.
    pub arrival: Option<MonoNanos>,
    /// The tracking queue had no room for it.
    pub overrun: bool,
    /// Whether nobody can say otherwise.
    pub certainty: Certainty,
}

/// How well a fate can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// Not at all: the encoder was dead while the part was on its way.
    Lost,
    /// The encoder cannot tell apart places that make the difference.
    Blurred,
    /// Exactly.
    Certain,
}

impl Fate {
    /// Whether the gate should be open for it.
    pub fn leaves(&self) -> bool {
        matches!(self.ruling, Ruling::Decided { verdict: Verdict::Reject(_), bypassed: false })
    }
}

#[derive(Clone, Copy, Debug)]
struct Track {
    id: u64,
    body: Body,
    eye: MonoNanos,
    known: MonoNanos,
    place: f64,
    has_frame: bool,
    verdict: Option<Verdict>,
    forced: Option<Cause>,
    /// Around which its place of decision passes.
    deadline: (u64, u64),
    decided: Option<(Verdict, bool)>,
    arrival: Option<MonoNanos>,
    overrun: bool,
    certainty: Certainty,
}

impl Track {
    fn blur(&mut self) {
        self.certainty = self.certainty.min(Certainty::Blurred);
    }
}

/// In the order in which those of one time happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Deadline(u64),
    Contact { eye: MonoNanos, body: Body },
    Command,
    Frame { exposed: MonoNanos, delivered: MonoNanos, part: u64, good: bool },
    Submit { track: u64, part: u64 },
    Verdict { track: u64, part: u64 },
}

/// The beam changes, and has not been steady since.
#[derive(Clone, Copy, Debug)]
struct Touch {
    body: Option<Body>,
    blocked: bool,
    first: MonoNanos,
    last: MonoNanos,
}

/// Watches the plant and knows what should come of it.
#[derive(Debug)]
pub struct Truth {
    scenario: Scenario,
    course: Course,
    start: u64,
    capacity: usize,
    slack: f64,
    reach: [Reach; 3],
    touch: Option<Touch>,
    is_blocked: bool,
    events: BinaryHeap<Reverse<(u64, u8, u64, Event)>>,
    pushed: u64,
    commands: VecDeque<Command>,
    server: Server<(u64, u64)>,
    live: VecDeque<Track>,
    /// Parts at the gate that the line has not learned of; it may do later, from a late frame or after it was held up.
    early: Vec<(Body, MonoNanos)>,
    next_id: u64,
    last_place: Option<f64>,
    frames: u32,
    executing: Executing,
    bypass: bool,
    reject_next: bool,
    challenge: bool,
    /// From here on nothing is certain.
    is_lost: bool,
    counters: Counters,
    fates: Vec<Fate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Executing {
    No,
    Single(Option<u64>),
    Yes,
}

impl Truth {
    /// For a line with room for `capacity` parts on a plant that starts at `start`.
    pub fn new(scenario: &Scenario, start: MonoNanos, capacity: usize) -> Self {
        let course = scenario.course();
        Self {
            reach: [Reach::new(&course), Reach::new(&course), Reach::new(&course)],
            start: start.0,
            capacity,
            slack: scenario.slack_mm(),
            touch: None,
            is_blocked: false,
            events: BinaryHeap::new(),
            pushed: 0,
            commands: VecDeque::new(),
            server: Server::new(scenario, start),
            live: VecDeque::new(),
            early: Vec::new(),
            next_id: 0,
            last_place: None,
            frames: 0,
            executing: Executing::Yes,
            bypass: false,
            reject_next: false,
            challenge: false,
            is_lost: false,
            counters: Counters::default(),
            fates: Vec::new(),
            scenario: scenario.clone(),
            course,
        }
    }

    /// Something happens; call in order of time.
    pub fn observe(&mut self, happening: &Happening) {
        self.advance(happening.at.0);
        let at = happening.at;
        match happening.what {
            Physical::Eye { blocked, cause, .. } => self.eye(at, blocked, cause),
            Physical::Exposure { part, quality, delivered, .. } => {
                let event = Event::Frame { exposed: at, delivered, part, good: quality == Quality::Good };
                self.push(self.heard(delivered), event);
            }
            Physical::AtGate { body } => self.at_gate(at, body),
            Physical::Command(command) => {
                self.commands.push_back(command);
                self.push(self.heard(at), Event::Command);
            }
            Physical::Encoder { .. } | Physical::Device { .. } | Physical::End => {}
        }
    }

    /// What each part should have got, in the order in which they were decided, and what should have been counted:
    /// parts by what became of them, spacing faults and overruns. Without counters where something is uncertain.
    pub fn finish(mut self) -> (Vec<Fate>, Option<Counters>) {
        self.advance(u64::MAX);
        while !self.live.is_empty() {
            self.settle_front();
        }
        self.settle_unseen();
        let certain = self.fates.iter().all(|f| f.certainty == Certainty::Certain) && !self.is_lost;
        (self.fates, certain.then_some(self.counters))
    }

    /// When what comes at `at` counts. A line that reckons in time decides by the clock while it is held up; one with
    /// an encoder finds pulses and all else in the order in which they came.
    fn heard(&self, at: MonoNanos) -> u64 {
        match self.scenario.line.scale {
            Scale::Time => self.awake(at.0),
            Scale::Encoder => at.0,
        }
    }

    fn awake(&self, at: u64) -> u64 {
        self.start + self.scenario.awake(at - self.start)
    }

    fn push(&mut self, at: u64, event: Event) {
        self.pushed += 1;
        let rank = match event {
            Event::Deadline(_) => 0,
            _ => 1,
        };
        self.events.push(Reverse((at, rank, self.pushed, event)));
    }

    fn advance(&mut self, until: u64) {
        loop {
            let debounce = crate::nanos(self.scenario.line.debounce_ms);
            let touch = self.touch.map(|t| (t.last.0 + debounce, 1));
            let event = self.events.peek().map(|e| (e.0.0, e.0.1 * 2));
            let server = self.server.due().map(|d| (d.0, 3));
            let Some((at, _)) = [touch, event, server].into_iter().flatten().min().filter(|n| n.0 <= until) else {
                return;
            };
            let first = [event, touch, server].map(|n| n.is_some_and(|n| n.0 == at));
            if first[0] && (event.is_some_and(|e| e.1 == 0) || !first[1]) {
                let Some(Reverse((_, _, _, event))) = self.events.pop() else { return };
                self.happen(at, event);
            } else if first[1] {
                let Some(touch) = self.touch.take() else { return };
                let is_news = std::mem::replace(&mut self.is_blocked, touch.blocked) != touch.blocked;
                if let Some(body) = touch.body.filter(|_| is_news && touch.blocked) {
                    self.push(self.heard(MonoNanos(at)), Event::Contact { eye: touch.first, body });
                }
            } else if let Some((track, part)) = self.server.finish() {
                self.push(self.heard(MonoNanos(at)), Event::Verdict { track, part });
            }
        }
    }

    fn happen(&mut self, at: u64, event: Event) {
        match event {
            Event::Deadline(id) => self.decide(id),
            Event::Contact { eye, body } => self.contact(at, eye, body),
            Event::Frame { exposed, delivered, part, good } => self.frame(at, exposed, delivered, part, good),
            Event::Command => {
                if let Some(command) = self.commands.pop_front() {
                    self.command(at, command);
                }
            }
            Event::Submit { track, part } => self.server.submit(MonoNanos(at), (track, part)),
            Event::Verdict { track, part } => {
                let defect = self.scenario.is_defective(part);
                let slack = self.slack > 0.0;
                if let Some(track) = self.live.iter_mut().find(|t| t.id == track) {
                    if slack && (track.deadline.0..=track.deadline.1).contains(&at) {
                        track.blur();
                    }
                    if track.decided.is_none() && track.verdict.is_none() {
                        track.verdict = Some(if defect { Verdict::Reject(Cause::Defect) } else { Verdict::Pass });
                    }
                }
            }
        }
    }

    fn eye(&mut self, at: MonoNanos, blocked: bool, cause: EyeCause) {
        if self.touch.is_none() && blocked {
            // where it was blocked before, the kernel lost the edge between
            self.is_blocked = false;
        }
        let touch = self.touch.get_or_insert(Touch { body: None, blocked, first: at, last: at });
        (touch.last, touch.blocked) = (at, blocked);
        if let EyeCause::Front(body) = cause {
            touch.body = Some(body).filter(|_| blocked);
        }
    }

    /// A time, or way, of the line's scale: nanoseconds or millimetres.
    fn scaled(&self, mm: f64) -> f64 {
        match self.scenario.line.scale {
            Scale::Time => self.scenario.stretch(mm).0 as f64,
            Scale::Encoder => mm,
        }
    }

    fn place(&self, at: MonoNanos) -> f64 {
        match self.scenario.line.scale {
            Scale::Time => at.0 as f64,
            Scale::Encoder => self.course.way(at.0 - self.start),
        }
    }

    fn contact(&mut self, now: u64, eye: MonoNanos, body: Body) {
        let place = self.place(eye);
        let line = &self.scenario.line;
        let (gate, guard) = (line.gate_mm, line.guard_mm);
        let (lockout, min_spacing) = (self.scaled(line.lockout_mm), self.scaled(line.min_spacing_mm));
        let backward = self.course.way(eye.0 - self.start) < self.course.way((eye.0 - self.start).saturating_sub(1000));
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
            if let Some(before) = self.live.back_mut().filter(|t| t.id + 1 == id && t.decided.is_none()) {
                if blurred {
                    before.blur();
                }
                before.forced.get_or_insert(Cause::Spacing);
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
            arrival: self.early.iter().position(|e| e.0 == body).map(|i| self.early.swap_remove(i).1),
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
    fn is_blind(&self, place: f64) -> bool {
        if self.slack == 0.0 {
            return false;
        }
        let inputs = self.scenario.devices.iter().filter(|d| d.device == beltwatch_core::Device::Inputs);
        let spans = self.scenario.encoder.dead.iter().map(|d| (d.from_ms, d.to_ms));
        let mut spans = spans.chain(inputs.map(|d| (d.from_ms, d.to_ms)));
        let gate = place + self.scenario.line.gate_mm + self.slack;
        spans.any(|(from_ms, to_ms)| {
            let (from, to) = (crate::nanos(from_ms), crate::nanos(to_ms));
            let again = self.course.way(to) + 2.0 * self.scenario.product.spacing_mm;
            self.course.way(from) <= gate && place <= again
        })
    }

    fn frame(&mut self, now: u64, exposed: MonoNanos, delivered: MonoNanos, part: u64, good: bool) {
        if let Some(every) = self.scenario.line.free_running {
            self.frames = (self.frames + 1) % every.get();
            if self.frames == 0 {
                let eye = MonoNanos(exposed.0 - self.scaled(self.scenario.line.camera_mm) as u64);
                self.contact(now, eye, Body::Part(part));
                self.decide_due(now);
            }
        }
        let at = self.place(exposed);
        let (camera, window) =
            (self.scaled(self.scenario.line.camera_mm), self.scaled(self.scenario.line.camera_window_mm));
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
        let open = self.live.iter_mut().filter(|t| t.decided.is_none() && !t.has_frame);
        let Some(track) = open.min_by(|a, b| off(a).total_cmp(&off(b))).filter(|t| off(t) <= window) else { return };
        track.has_frame = true;
        if good {
            let (track, at) = (track.id, self.awake(delivered.0).max(now));
            self.push(at, Event::Submit { track, part });
        } else {
            track.verdict = Some(Verdict::Reject(Cause::NoImage));
        }
    }

    fn decide_due(&mut self, now: u64) {
        while let Some(&Reverse((_, _, _, Event::Deadline(id)))) = self.events.peek().filter(|e| e.0.0 <= now) {
            self.events.pop();
            self.decide(id);
        }
    }

    fn decide(&mut self, id: u64) {
        let Some(track) = self.live.iter().find(|t| t.id == id) else { return };
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

    fn seal(&mut self, id: u64, verdict: Verdict) {
        match verdict {
            _ if self.bypass => self.counters.bypassed += 1,
            Verdict::Pass => self.counters.passed += 1,
            Verdict::Reject(cause) => *self.counters.rejected.of(cause) += 1,
        }
        if let Some(track) = self.live.iter_mut().find(|t| t.id == id) {
            track.decided = Some((verdict, self.bypass));
        }
    }

    fn command(&mut self, now: u64, command: Command) {
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
                self.counters = Counters { triggers, ..Counters::default() };
            }
            Command::Acknowledge | Command::TestFire => {}
        }
    }

    fn at_gate(&mut self, at: MonoNanos, body: Body) {
        if let Some(track) = self.live.iter_mut().find(|t| t.body == body) {
            track.arrival = Some(at);
        } else if let Body::Part(_) = body {
            self.early.push((body, at));
        }
        let passed = |t: &Track| t.decided.is_some() && t.arrival.is_some() && t.deadline.1 < at.0;
        while self.live.front().is_some_and(passed) {
            self.settle_front();
        }
    }

    /// Those that came to the gate and were not seen before.
    fn settle_unseen(&mut self) {
        for (body, at) in self.early.drain(..) {
            let (ruling, arrival, certainty) = (Ruling::Unseen, Some(at), Certainty::Certain);
            self.fates.push(Fate { body, eye: None, ruling, known: None, arrival, overrun: false, certainty });
        }
    }

    fn settle_front(&mut self) {
        let Some(Track { body, eye, known, decided, arrival, overrun, certainty, .. }) = self.live.pop_front() else {
            return;
        };
        let ruling = decided.map_or(Ruling::Unseen, |(verdict, bypassed)| Ruling::Decided { verdict, bypassed });
        let certainty = if decided.is_some() { certainty } else { Certainty::Lost };
        self.fates.push(Fate { body, eye: Some(eye), ruling, known: Some(known), arrival, overrun, certainty });
    }
}
