//! The line: eye, encoder, tracking, gate, state and alarms put together.

use heapless::Deque;

use crate::alarm::RejectAlarms;
use crate::confirm::Confirm;
use crate::encoder::Encoder;
use crate::eye::{Eye, Seen};
use crate::gate::{Gate, Shot};
use crate::state::{Health, Mode};
use crate::{
    Action, Alarm, Along, Cause, Command, Counters, Device, Fault, Input, MonoNanos, OutputLine, Part,
    Quality, Scale, Settings, SettingsError, State, Stretch, Tag, TrackingQueue, Unjudged, Verdict,
};

#[cfg(test)]
mod tests;

/// Where decisions go.
type Out<'a> = &'a mut dyn FnMut(Action);

/// A rejected part on its way to the gate: fired at from `from`, and on to `to` where it stands for several
/// parts.
#[derive(Clone, Copy, Debug)]
struct Shootable {
    tag: Tag,
    from: Along,
    to: Along,
}

/// What can be due.
#[derive(Clone, Copy, Debug)]
enum Step {
    Eye,
    Decide,
    Fire,
    FireOverflow,
    Close,
    Missed,
    Beat,
}

/// A line with room for `N` parts between the eye and the gate.
///
/// Inputs go to [`Line::take`] in the order in which they became known, each with the time at which it did;
/// between them [`Line::advance`] wants to be called at [`Line::due`]. Decisions depend on nothing else.
///
/// A bad part, whose front is at the eye at 1 s, opens the gate 400 ms later:
///
/// ```
/// use core::time::Duration;
/// use beltwatch_core::*;
///
/// const MS: u64 = 1_000_000;
/// let (ms, stretch) = (|ms| MonoNanos(ms * MS), |ms: u64| Stretch((ms * MS) as i64));
/// let time = Duration::from_millis;
/// let settings = Settings {
///     scale: Scale::Time,
///     camera: stretch(60),
///     camera_window: stretch(20),
///     gate: stretch(400),
///     guard: stretch(2),
///     min_spacing: stretch(50),
///     lockout: stretch(10),
///     on_no_verdict: Unjudged::Reject,
///     free_running: None,
///     eye: EyeSettings { debounce: time(1), stuck: time(2000) },
///     encoder: EncoderSettings { min_interval: Duration::ZERO, silent_parts: u32::MAX },
///     pulse: GateSettings { pulse: time(60), max_on: time(200) },
///     gate_tolerance: time(5),
///     confirm: None,
///     alarms: AlarmSettings { consecutive: 0, rate_window: 100, rate_rejects: 0, stop: false },
///     heartbeat: time(250),
/// };
/// let mut line = Line::<8>::new(settings, Counters::default())?;
/// let mut opened = None;
/// let mut take = |now: MonoNanos, input| {
///     line.take(now, input, &mut |action| {
///         if let Action::Output { line: OutputLine::Gate, on: true, planned } = action {
///             opened = Some(planned);
///         }
///     });
/// };
/// for &device in Device::ALL {
///     take(ms(0), Input::Device { device, up: true });
/// }
/// take(ms(0), Input::Command(Command::Start));
/// take(ms(1000), Input::Eye { at: ms(1000), sequence: 0, blocked: true });
/// take(ms(1080), Input::Frame { exposed: ms(1060), sequence: 0, quality: Quality::Good });
/// take(ms(1100), Input::Verdict { tag: Tag(0), verdict: Verdict::Reject(Cause::Defect) });
/// take(ms(1400), Input::Time);
/// assert_eq!(opened, Some(ms(1400)));
/// # Ok::<(), SettingsError>(())
/// ```
#[derive(Debug)]
pub struct Line<const N: usize> {
    settings: Settings,
    eye: Eye,
    encoder: Encoder,
    moved: MonoNanos,
    queue: TrackingQueue<N>,
    rejects: Deque<Shootable, N>,
    overflow: Deque<Shootable, N>,
    gate: Gate,
    confirm: Option<Confirm<N>>,
    reject_alarms: RejectAlarms,
    alarms: [bool; Alarm::ALL.len()],
    health: Health,
    state: State,
    outputs: [bool; OutputLine::ALL.len()],
    counters: Counters,
    next: Tag,
    last_part: Option<Along>,
    last_frame: Option<u32>,
    frames: u32,
    single: Option<Tag>,
    camera_was_up: bool,
    bypass: bool,
    challenge: bool,
    reject_next: bool,
    beat: Option<MonoNanos>,
}

impl<const N: usize> Line<N> {
    /// A line on which nothing has happened: every device is down, every output off. `counters` go on from an
    /// earlier run.
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn new(settings: Settings, counters: Counters) -> Result<Self, SettingsError> {
        settings.check()?;
        // the parts of an earlier run are gone: only decided ones count
        let decided = counters.passed + counters.bypassed + counters.rejected.total();
        Ok(Self {
            eye: Eye::new(settings.eye),
            encoder: Encoder::new(settings.encoder),
            moved: MonoNanos(0),
            queue: TrackingQueue::new(),
            rejects: Deque::new(),
            overflow: Deque::new(),
            gate: Gate::new(settings.pulse),
            confirm: settings.confirm.map(Confirm::new),
            reject_alarms: RejectAlarms::new(settings.alarms),
            alarms: [false; Alarm::ALL.len()],
            health: Health::default(),
            state: State::default(),
            outputs: [false; OutputLine::ALL.len()],
            counters: Counters {
                triggers: decided,
                ..counters
            },
            next: Tag(0),
            last_part: None,
            last_frame: None,
            frames: 0,
            single: None,
            camera_was_up: false,
            bypass: false,
            challenge: false,
            reject_next: false,
            beat: None,
            settings,
        })
    }

    /// Something came in and became known at `now`.
    pub fn take(&mut self, now: MonoNanos, input: Input, out: Out<'_>) {
        // edges count from their own time; of a backlog more may follow, so the eye is certain only up to
        // there
        let known = match input {
            Input::Eye { at, .. } | Input::Encoder { at, .. } | Input::Confirm { at } => at,
            Input::Frame { exposed, .. } => exposed,
            Input::Verdict { .. } | Input::Device { .. } | Input::PartsUnknown => MonoNanos(0),
            Input::Command(_) | Input::Time => now,
        };
        self.act(known.min(now), true, now, out);
        match input {
            Input::Eye {
                at,
                sequence,
                blocked,
            } => {
                let missing = self.eye.edge(at, sequence, blocked);
                if missing > 0 {
                    self.raise(Fault::EdgesLost, out);
                }
            }
            Input::Confirm { at } => self.confirmed(at, out),
            _ => {}
        }
        self.act(now, false, now, out);
        match input {
            Input::Encoder {
                at,
                sequence,
                forward,
            } => self.moves(at, sequence, forward, out),
            Input::Frame {
                exposed,
                sequence,
                quality,
            } => self.frame(exposed, sequence, quality, now, out),
            Input::Verdict { tag, verdict } => self.verdict(tag, verdict, out),
            Input::Device { device, up } => self.device(device, up, out),
            Input::PartsUnknown => self.raise(Fault::PartsUnknown, out),
            Input::Command(command) => self.command(command, now, out),
            Input::Eye { .. } | Input::Confirm { .. } | Input::Time => {}
        }
        self.act(now, false, now, out);
    }

    /// When [`Line::advance`] has something to do, if nothing comes in before.
    pub fn due(&self) -> Option<MonoNanos> {
        self.next_step(true).map(|(at, _)| at)
    }

    /// Does everything that is due at `now`, each thing as of its own time.
    pub fn advance(&mut self, now: MonoNanos, out: Out<'_>) {
        self.act(now, true, now, out);
    }

    /// Does everything that is due at `until`, with the eye or without, as far as it can at `now`.
    fn act(&mut self, until: MonoNanos, eye: bool, now: MonoNanos, out: Out<'_>) {
        self.beat.get_or_insert(now);
        while let Some((at, step)) = self.next_step(eye).filter(|&(at, _)| at <= until) {
            match step {
                Step::Eye => self.look(at, out),
                Step::Decide => self.decide(out),
                Step::Fire => {
                    let tag = Self::take_shot(&mut self.rejects, self.settings.shot_step());
                    self.fire(tag, at, now, out);
                }
                Step::FireOverflow => {
                    let tag = Self::take_shot(&mut self.overflow, self.settings.shot_step());
                    self.fire(tag, at, now, out);
                }
                Step::Close => {
                    self.gate.close();
                    self.output(OutputLine::Gate, false, at, out);
                }
                Step::Missed => self.missed(at, out),
                Step::Beat => self.beats(at, now, out),
            }
        }
        let state = self.health.state();
        if state != self.state {
            self.state = state;
            out(Action::State(state));
        }
        self.output(OutputLine::Ready, state.is_ready(), now, out);
        self.output(OutputLine::Fault, self.health.has_fault(), now, out);
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        Counters {
            eye_bounces: self.counters.eye_bounces + self.eye.bounces,
            eye_edges_lost: self.counters.eye_edges_lost + self.eye.lost,
            encoder_pulses_lost: self.counters.encoder_pulses_lost + self.encoder.lost,
            encoder_sparks: self.counters.encoder_sparks + self.encoder.sparks,
            ..self.counters
        }
    }

    /// Whether an output is asserted.
    pub fn is_on(&self, line: OutputLine) -> bool {
        self.outputs[line as usize]
    }

    /// Whether a fault is there.
    pub fn has(&self, fault: Fault) -> bool {
        self.health.has(fault)
    }

    /// Whether an alarm is there.
    pub fn has_alarm(&self, alarm: Alarm) -> bool {
        self.alarms[alarm as usize]
    }

    /// Whether every part goes on.
    pub fn is_bypassed(&self) -> bool {
        self.bypass
    }

    /// Parts that are not decided yet, the one nearest the gate first.
    pub fn in_flight(&self) -> impl Iterator<Item = &Part> {
        self.queue.iter()
    }

    /// Whether no part is in flight, none waits for the gate and the gate is closed.
    pub fn is_drained(&self) -> bool {
        self.queue.is_empty()
            && self.rejects.is_empty()
            && self.overflow.is_empty()
            && self.gate.due().is_none()
    }

    /// The earliest thing to do, looking at the eye or not. Of several at one time, parts are decided before
    /// they are fired at, and fired at before the gate closes.
    fn next_step(&self, eye: bool) -> Option<(MonoNanos, Step)> {
        let deadline = self
            .queue
            .front()
            .and_then(|p| self.reached(p.at + self.settings.gate - self.settings.guard));
        let steps = [
            (self.eye.due().filter(|_| eye), Step::Eye),
            (deadline, Step::Decide),
            (
                self.rejects.front().and_then(|s| self.reached(s.from)),
                Step::Fire,
            ),
            (
                self.overflow.front().and_then(|s| self.reached(s.from)),
                Step::FireOverflow,
            ),
            (self.gate.due(), Step::Close),
            (self.confirm.as_ref().and_then(Confirm::due), Step::Missed),
            (self.beat, Step::Beat),
        ];
        steps
            .into_iter()
            .filter_map(|(at, step)| Some((at?, step)))
            .min_by_key(|&(at, _)| at)
    }

    /// When the belt is, or was, as far as `place`; `None` where nobody can know yet.
    fn reached(&self, place: Along) -> Option<MonoNanos> {
        match self.settings.scale {
            Scale::Time => Some(MonoNanos(place.0.max(0) as u64)),
            Scale::Encoder => (self.encoder.furthest() >= place).then_some(self.moved),
        }
    }

    /// Where the belt was at `time`.
    fn place(&self, time: MonoNanos) -> Option<Along> {
        match self.settings.scale {
            Scale::Time => Some(Along(i64::try_from(time.0).unwrap_or(i64::MAX))),
            Scale::Encoder => self.encoder.position_at(time),
        }
    }

    /// Takes the next shot; one that stands for several parts stays, `step` further on, until it is through.
    fn take_shot(shots: &mut Deque<Shootable, N>, step: Stretch) -> Tag {
        let front = shots.front_mut().expect("a shot is due");
        let tag = front.tag;
        if front.from < front.to {
            front.from = (front.from + step).min(front.to);
        } else {
            shots.pop_front();
        }
        tag
    }

    fn output(&mut self, line: OutputLine, on: bool, planned: MonoNanos, out: Out<'_>) {
        if self.outputs[line as usize] != on {
            self.outputs[line as usize] = on;
            out(Action::Output { line, on, planned });
        }
    }

    fn raise(&mut self, fault: Fault, out: Out<'_>) {
        if self.health.raise(fault) {
            out(Action::Fault { fault, raised: true });
        }
    }

    fn clear(&mut self, fault: Fault, out: Out<'_>) {
        if self.health.clear(fault) {
            out(Action::Fault { fault, raised: false });
        }
    }

    fn alarm(&mut self, alarm: Alarm, raised: bool, stop: bool, out: Out<'_>) {
        if self.alarms[alarm as usize] != raised {
            self.alarms[alarm as usize] = raised;
            out(Action::Alarm { alarm, raised });
            if raised && stop {
                self.raise(Fault::Alarm, out);
            }
        }
    }

    /// What the eye is certain of at `at`.
    fn look(&mut self, at: MonoNanos, out: Out<'_>) {
        while let Some(seen) = self.eye.advance(at) {
            match seen {
                Seen::Part(eye) => self.part(eye, out),
                Seen::Clear => self.clear(Fault::EyeStuck, out),
                Seen::Stuck => self.raise(Fault::EyeStuck, out),
            }
        }
    }

    fn part(&mut self, eye: MonoNanos, out: Out<'_>) {
        let place = match self.settings.scale {
            Scale::Time => Along(i64::try_from(eye.0).unwrap_or(i64::MAX)),
            Scale::Encoder => {
                if self.encoder.part() {
                    self.raise(Fault::EncoderSilent, out);
                }
                self.encoder.position_at(eye).unwrap_or(self.encoder.furthest())
            }
        };
        let backward = self.settings.scale == Scale::Encoder && !self.encoder.is_forward();
        let since_last = self.last_part.map(|last| place - last);
        // a belt that ran back shows its parts again, at the places where they were seen before
        if backward || since_last.is_some_and(|s| s < self.settings.lockout.max(Stretch(1))) {
            self.counters.retriggers += 1;
            return;
        }
        let tag = self.next;
        self.next = tag.next();
        self.last_part = Some(place);
        self.counters.triggers += 1;
        out(Action::Part { tag, eye });
        let too_close = since_last.is_some_and(|s| s < self.settings.min_spacing);
        if too_close {
            self.counters.spacing_faults += 1;
            // the part before is not the last one in the queue where that had no room for it
            if let Some(before) = self.queue.back_mut().filter(|p| p.tag.next() == tag) {
                before.forced.get_or_insert(Cause::Spacing);
            }
        }
        let executing = match self.health.mode {
            Mode::Continuous => true,
            Mode::Single => *self.single.get_or_insert(tag) == tag,
            Mode::Idle | Mode::Halted => false,
        };
        let forced = match () {
            () if core::mem::take(&mut self.reject_next) => Some(Cause::Manual),
            () if core::mem::take(&mut self.challenge) => Some(Cause::Challenge),
            () if !executing => Some(Cause::Fault),
            () if too_close => Some(Cause::Spacing),
            () => None,
        };
        if self
            .queue
            .push(Part {
                tag,
                eye,
                at: place,
                has_frame: false,
                verdict: None,
                forced,
            })
            .is_err()
        {
            self.overrun(tag, place, out);
        }
    }

    /// A part that the queue has no room for leaves by its place, or goes on where all do.
    fn overrun(&mut self, tag: Tag, place: Along, out: Out<'_>) {
        self.counters.trigger_overruns += 1;
        self.raise(Fault::QueueFull, out);
        self.seal(tag, Verdict::Reject(Cause::Fault), out);
        if !self.bypass {
            let from = place + self.settings.gate;
            Self::shoot(&mut self.overflow, Shootable { tag, from, to: from });
        }
    }

    /// Adds a shot; where there is no room the last one goes on until this one too, so that no part slips
    /// through.
    fn shoot(shots: &mut Deque<Shootable, N>, shot: Shootable) {
        if let Err(shot) = shots.push_back(shot)
            && let Some(last) = shots.back_mut()
        {
            last.to = shot.to;
        }
    }

    fn seal(&mut self, tag: Tag, verdict: Verdict, out: Out<'_>) {
        match verdict {
            _ if self.bypass => self.counters.bypassed += 1,
            Verdict::Pass => self.counters.passed += 1,
            Verdict::Reject(cause) => *self.counters.rejected.of(cause) += 1,
        }
        out(Action::Decided {
            tag,
            verdict,
            bypassed: self.bypass,
        });
    }

    fn decide(&mut self, out: Out<'_>) {
        let Some(part) = self.queue.pop() else { return };
        let verdict = part.decided(match self.settings.on_no_verdict {
            Unjudged::Reject => Verdict::Reject(Cause::NoVerdict),
            Unjudged::Pass => Verdict::Pass,
        });
        if !part.has_frame {
            self.raise(Fault::Camera, out);
        }
        if part.forced == Some(Cause::Challenge) {
            let missed = part.verdict != Some(Verdict::Reject(Cause::Defect));
            self.counters.challenges_not_found += u64::from(missed);
            self.alarm(Alarm::ChallengeNotFound, missed, self.settings.alarms.stop, out);
        }
        self.seal(part.tag, verdict, out);
        if let Verdict::Reject(_) = verdict
            && !self.bypass
        {
            let from = part.at + self.settings.gate;
            Self::shoot(
                &mut self.rejects,
                Shootable {
                    tag: part.tag,
                    from,
                    to: from,
                },
            );
        }
        // what an operator sent out says nothing about the product
        if !matches!(verdict, Verdict::Reject(Cause::Challenge | Cause::Manual)) {
            self.reject_alarms.decided(verdict != Verdict::Pass);
            let stop = self.settings.alarms.stop;
            self.alarm(
                Alarm::ConsecutiveRejects,
                self.reject_alarms.consecutive(),
                stop,
                out,
            );
            self.alarm(Alarm::RejectRate, self.reject_alarms.rate(), stop, out);
        }
        if self.single == Some(part.tag) {
            self.single = None;
            self.health.mode = Mode::Idle;
        }
    }

    fn fire(&mut self, tag: Tag, planned: MonoNanos, now: MonoNanos, out: Out<'_>) {
        let late = now.since(planned);
        if late > self.settings.gate_tolerance {
            self.counters.late_pulses += 1;
            self.raise(Fault::GateLate, out);
        }
        // a part that is gone cannot be hit any more, its neighbour could
        if late < self.settings.pulse.pulse {
            self.open(planned, out);
        }
        let lost = self.confirm.as_mut().and_then(|c| c.expect(tag, planned));
        if let Some(lost) = lost {
            self.not_confirmed(lost, out);
        }
    }

    fn open(&mut self, planned: MonoNanos, out: Out<'_>) {
        match self.gate.fire(planned) {
            Shot::Opens => {
                self.counters.gate_pulses += 1;
                self.output(OutputLine::Gate, true, planned, out);
            }
            Shot::Extends => {}
            Shot::Cut => {
                self.counters.gate_cuts += 1;
                self.raise(Fault::MaxOn, out);
            }
        }
    }

    fn confirmed(&mut self, at: MonoNanos, out: Out<'_>) {
        match self.confirm.as_mut().and_then(|c| c.seen(at)) {
            Some(tag) => {
                out(Action::Confirmed { tag, seen: true });
                self.alarm(Alarm::MissedReject, false, false, out);
            }
            None => self.counters.unexpected_confirms += 1,
        }
    }

    fn missed(&mut self, at: MonoNanos, out: Out<'_>) {
        if let Some(tag) = self.confirm.as_mut().and_then(|c| c.missed(at)) {
            self.not_confirmed(tag, out);
        }
    }

    fn not_confirmed(&mut self, tag: Tag, out: Out<'_>) {
        self.counters.missed_rejects += 1;
        out(Action::Confirmed { tag, seen: false });
        self.alarm(
            Alarm::MissedReject,
            true,
            self.settings.confirm.is_some_and(|c| c.stop),
            out,
        );
    }

    fn beats(&mut self, at: MonoNanos, now: MonoNanos, out: Out<'_>) {
        if !self.health.has(Fault::Stages) && self.health.mode != Mode::Halted {
            let on = !self.is_on(OutputLine::Heartbeat);
            self.output(OutputLine::Heartbeat, on, at, out);
        }
        let next = at + self.settings.heartbeat;
        self.beat = Some(if next > now {
            next
        } else {
            now + self.settings.heartbeat
        });
    }

    fn moves(&mut self, at: MonoNanos, sequence: u32, forward: bool, out: Out<'_>) {
        self.encoder.pulse(at, sequence, forward);
        self.moved = at;
        self.clear(Fault::EncoderSilent, out);
    }

    fn frame(&mut self, exposed: MonoNanos, sequence: u32, quality: Quality, now: MonoNanos, out: Out<'_>) {
        if let Some(last) = self.last_frame {
            self.counters.frames_lost += u64::from(sequence.wrapping_sub(last).wrapping_sub(1));
        }
        self.last_frame = Some(sequence);
        if let Some(every) = self.settings.free_running {
            self.frames = (self.frames + 1) % every.get();
            if self.frames == 0 {
                self.part(
                    MonoNanos(exposed.0.saturating_sub(self.settings.camera.0.max(0) as u64)),
                    out,
                );
                self.advance(now, out);
            }
        }
        if quality == Quality::Good {
            self.clear(Fault::Camera, out);
        } else {
            self.counters.frames_unusable += 1;
            self.raise(Fault::Camera, out);
        }
        let Settings {
            camera,
            camera_window,
            ..
        } = self.settings;
        let part = self
            .place(exposed)
            .and_then(|at| self.queue.match_frame(at, camera, camera_window));
        match part {
            None => self.counters.frames_without_part += 1,
            Some(part) if quality == Quality::Good => {
                return out(Action::Judge {
                    tag: part.tag,
                    frame: sequence,
                });
            }
            Some(part) => part.verdict = Some(Verdict::Reject(Cause::NoImage)),
        }
        out(Action::Unjudged { frame: sequence });
    }

    fn verdict(&mut self, tag: Tag, verdict: Verdict, out: Out<'_>) {
        match self.queue.find(tag) {
            Some(part) if part.has_frame && part.verdict.is_none() => part.verdict = Some(verdict),
            _ => {
                self.counters.late_verdicts += 1;
                out(Action::Late { tag });
            }
        }
    }

    fn device(&mut self, device: Device, up: bool, out: Out<'_>) {
        let was_up = self.health.device(device, up);
        match device {
            // what is opened anew is numbered anew
            Device::Camera => self.last_frame = self.last_frame.filter(|_| was_up && up),
            Device::Inputs if !(was_up && up) => {
                self.eye.renumber();
                self.encoder.renumber();
            }
            _ => {}
        }
        if device == Device::Camera && up && !was_up {
            self.counters.camera_reconnects += u64::from(core::mem::replace(&mut self.camera_was_up, true));
        }
        let fault = match device {
            Device::Recipe => return,
            Device::Camera => Fault::Camera,
            Device::Inputs => Fault::Inputs,
            Device::Outputs => Fault::Outputs,
            Device::Stages => Fault::Stages,
        };
        if up {
            self.clear(fault, out);
        } else if was_up {
            self.raise(fault, out);
        }
    }

    fn command(&mut self, command: Command, now: MonoNanos, out: Out<'_>) {
        match command {
            Command::Start => (self.health.mode, self.single) = (Mode::Continuous, None),
            Command::Single => (self.health.mode, self.single) = (Mode::Single, None),
            Command::Halt => (self.health.mode, self.single) = (Mode::Halted, None),
            Command::Acknowledge => {
                for &fault in Fault::ALL.iter().filter(|f| f.is_latched()) {
                    self.clear(fault, out);
                }
            }
            Command::Bypass(on) => self.bypass = on,
            Command::TestFire => {
                self.counters.test_fires += 1;
                self.open(now, out);
            }
            Command::Challenge => self.challenge = true,
            Command::RejectNext => self.reject_next = true,
            Command::ResetCounters => {
                (
                    self.eye.bounces,
                    self.eye.lost,
                    self.encoder.lost,
                    self.encoder.sparks,
                ) = (0, 0, 0, 0);
                self.counters = Counters {
                    triggers: self.queue.len() as u64,
                    ..Counters::default()
                };
            }
        }
    }
}
