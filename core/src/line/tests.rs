//! The line as a whole, case by case. Times are milliseconds; the camera stands 60 ms, the gate 400 ms behind
//! the eye.

use core::time::Duration;
use std::vec::Vec;

use super::*;
use crate::{AlarmSettings, ConfirmSettings, EncoderSettings, EyeSettings, GateSettings};

const MS: u64 = 1_000_000;

fn ms(ms: u64) -> MonoNanos {
    MonoNanos(ms * MS)
}

fn settings() -> Settings {
    let stretch = |ms: i64| Stretch(ms * MS as i64);
    Settings {
        scale: Scale::Time,
        camera: stretch(60),
        camera_window: stretch(20),
        gate: stretch(400),
        guard: stretch(2),
        min_spacing: stretch(50),
        lockout: stretch(10),
        on_no_verdict: Unjudged::Reject,
        free_running: None,
        eye: EyeSettings {
            debounce: Duration::from_millis(1),
            stuck: Duration::from_secs(2),
        },
        encoder: EncoderSettings {
            min_interval: Duration::from_micros(100),
            silent_parts: 2,
        },
        pulse: GateSettings {
            pulse: Duration::from_millis(60),
            max_on: Duration::from_millis(200),
        },
        gate_tolerance: Duration::from_millis(5),
        confirm: None,
        alarms: AlarmSettings {
            consecutive: 0,
            rate_window: 100,
            rate_rejects: 0,
            stop: false,
        },
        heartbeat: Duration::from_secs(1000),
    }
}

/// A line under test and everything that it did.
struct Rig<const N: usize> {
    line: Line<N>,
    done: Vec<Action>,
    edges: u32,
    frames: u32,
    pulses: u32,
}

impl<const N: usize> Rig<N> {
    /// Everything is up and every part is inspected.
    fn new(settings: Settings) -> Self {
        let line = Line::new(settings, Counters::default()).expect("settings that work");
        let mut rig = Self {
            line,
            done: Vec::new(),
            edges: 0,
            frames: 0,
            pulses: 0,
        };
        for device in [
            Device::Recipe,
            Device::Camera,
            Device::Inputs,
            Device::Outputs,
            Device::Stages,
        ] {
            rig.take(0, Input::Device { device, up: true });
        }
        rig.command(0, Command::Start);
        assert_eq!(rig.line.state(), State::ContinuousExecution);
        rig.done.clear();
        rig
    }

    fn take(&mut self, t: u64, input: Input) {
        self.line.take(ms(t), input, &mut |a| self.done.push(a));
    }

    fn command(&mut self, t: u64, command: Command) {
        self.take(t, Input::Command(command));
    }

    /// Wakes up at every time at which something is due.
    fn until(&mut self, t: u64) {
        while let Some(due) = self.line.due().filter(|&d| d <= ms(t)) {
            self.line.advance(due, &mut |a| self.done.push(a));
        }
        self.line.advance(ms(t), &mut |a| self.done.push(a));
    }

    fn edge(&mut self, t: u64, blocked: bool) {
        self.until(t);
        self.take(
            t,
            Input::Eye {
                at: ms(t),
                sequence: self.edges,
                blocked,
            },
        );
        self.edges += 1;
    }

    /// A part, 20 ms long.
    fn part(&mut self, t: u64) {
        self.edge(t, true);
        self.edge(t + 20, false);
    }

    fn frame(&mut self, t: u64, quality: Quality) -> Option<Tag> {
        self.until(t);
        let before = self.done.len();
        self.take(
            t,
            Input::Frame {
                exposed: ms(t),
                sequence: self.frames,
                quality,
            },
        );
        self.frames += 1;
        self.done[before..].iter().find_map(|a| {
            if let Action::Judge { tag, .. } = a {
                Some(*tag)
            } else {
                None
            }
        })
    }

    /// A part with its frame and verdict.
    fn judged(&mut self, t: u64, verdict: Verdict) -> Tag {
        self.part(t);
        let tag = self.frame(t + 60, Quality::Good).expect("its part");
        self.take(t + 70, Input::Verdict { tag, verdict });
        tag
    }

    fn pulse(&mut self, t: u64, forward: bool) {
        self.until(t);
        self.take(
            t,
            Input::Encoder {
                at: ms(t),
                sequence: self.pulses,
                forward,
            },
        );
        self.pulses += 1;
    }

    fn decided(&self) -> Vec<(u32, Verdict)> {
        let of = |a: &Action| {
            if let Action::Decided { tag, verdict, .. } = a {
                Some((tag.0, *verdict))
            } else {
                None
            }
        };
        self.done.iter().filter_map(of).collect()
    }

    fn switched(&self, wanted: OutputLine) -> Vec<(u64, bool)> {
        let of = |a: &Action| match a {
            Action::Output { line, on, planned } if *line == wanted => Some((planned.0 / MS, *on)),
            _ => None,
        };
        self.done.iter().filter_map(of).collect()
    }

    fn gate(&self) -> Vec<(u64, bool)> {
        self.switched(OutputLine::Gate)
    }

    fn adds_up(&self) {
        let c = self.line.counters();
        let sum = c.passed + c.bypassed + c.rejected.total() + self.line.in_flight().count() as u64;
        assert_eq!(c.triggers, sum, "{c:?}");
    }
}

const DEFECT: Verdict = Verdict::Reject(Cause::Defect);

#[test]
fn a_bad_part_gets_its_pulse_from_its_eye_edge_and_a_good_one_none() {
    let mut rig = Rig::<8>::new(settings());
    rig.judged(1000, DEFECT);
    rig.judged(1200, Verdict::Pass);
    rig.until(3000);
    assert_eq!(rig.decided(), [(0, DEFECT), (1, Verdict::Pass)]);
    assert_eq!(rig.gate(), [(1400, true), (1460, false)]);
    rig.adds_up();
}

#[test]
fn when_a_verdict_came_does_not_move_the_pulse() {
    for late in [0, 100, 327] {
        let mut rig = Rig::<8>::new(settings());
        rig.part(1000);
        let tag = rig.frame(1060, Quality::Good).expect("its part");
        rig.until(1070 + late);
        rig.take(1070 + late, Input::Verdict { tag, verdict: DEFECT });
        rig.until(3000);
        assert_eq!(
            (rig.decided(), rig.gate()),
            ([(0, DEFECT)].into(), [(1400, true), (1460, false)].into())
        );
    }
}

#[test]
fn no_verdict_by_the_deadline_rejects_and_a_later_one_changes_nothing() {
    let mut rig = Rig::<8>::new(settings());
    rig.part(1000);
    let tag = rig.frame(1060, Quality::Good).expect("its part");
    rig.take(
        1398,
        Input::Verdict {
            tag,
            verdict: Verdict::Pass,
        },
    );
    rig.until(3000);
    assert_eq!(rig.decided(), [(0, Verdict::Reject(Cause::NoVerdict))]);
    assert_eq!(rig.gate(), [(1400, true), (1460, false)]);
    assert_eq!(rig.line.counters().late_verdicts, 1);
}

#[test]
fn no_verdict_passes_only_where_the_settings_say_so() {
    let mut rig = Rig::<8>::new(Settings {
        on_no_verdict: Unjudged::Pass,
        ..settings()
    });
    rig.part(1000);
    rig.frame(1060, Quality::Good);
    rig.part(1200);
    rig.until(3000);
    assert_eq!(
        rig.decided(),
        [(0, Verdict::Pass), (1, Verdict::Reject(Cause::NoImage))]
    );
}

#[test]
fn a_first_verdict_is_not_taken_back() {
    let mut rig = Rig::<8>::new(settings());
    let tag = rig.judged(1000, DEFECT);
    rig.take(
        1100,
        Input::Verdict {
            tag,
            verdict: Verdict::Pass,
        },
    );
    rig.take(
        1100,
        Input::Verdict {
            tag: Tag(77),
            verdict: Verdict::Pass,
        },
    );
    rig.until(3000);
    assert_eq!(
        (rig.decided(), rig.line.counters().late_verdicts),
        ([(0, DEFECT)].into(), 2)
    );
}

#[test]
fn a_verdict_on_a_part_without_a_frame_is_none() {
    let mut rig = Rig::<8>::new(settings());
    rig.part(1000);
    rig.take(
        1050,
        Input::Verdict {
            tag: Tag(0),
            verdict: Verdict::Pass,
        },
    );
    rig.until(3000);
    assert_eq!(rig.decided(), [(0, Verdict::Reject(Cause::NoImage))]);
    assert_eq!(rig.line.counters().late_verdicts, 1);
}

#[test]
fn a_camera_that_is_silent_or_shows_nothing_is_a_fault_until_it_shows_something() {
    for quality in [Quality::Black, Quality::Saturated, Quality::Repeated] {
        let mut rig = Rig::<8>::new(settings());
        rig.part(1000);
        assert_eq!(rig.frame(1060, quality), None);
        assert!(rig.line.is_on(OutputLine::Fault) && !rig.line.is_on(OutputLine::Ready));
        rig.judged(1200, Verdict::Pass);
        assert!(!rig.line.is_on(OutputLine::Fault) && rig.line.is_on(OutputLine::Ready));
        rig.until(1450);
        assert_eq!(rig.decided(), [(0, Verdict::Reject(Cause::NoImage))]);
        rig.part(2000);
        rig.until(2500);
        assert_eq!(rig.decided().last(), Some(&(2, Verdict::Reject(Cause::NoImage))));
        assert!(rig.line.has(Fault::Camera));
        assert_eq!(rig.line.counters().frames_unusable, 1);
    }
}

#[test]
fn parts_too_close_both_leave_in_one_pulse() {
    let mut rig = Rig::<8>::new(settings());
    rig.judged(1000, Verdict::Pass);
    rig.edge(1200, true);
    rig.edge(1220, false);
    rig.edge(1249, true);
    rig.edge(1269, false);
    for t in [1260, 1309] {
        let tag = rig.frame(t, Quality::Good).expect("its part");
        rig.take(
            t,
            Input::Verdict {
                tag,
                verdict: Verdict::Pass,
            },
        );
    }
    rig.judged(1500, Verdict::Pass);
    rig.until(3000);
    let spacing = Verdict::Reject(Cause::Spacing);
    assert_eq!(
        rig.decided(),
        [(0, Verdict::Pass), (1, spacing), (2, spacing), (3, Verdict::Pass)]
    );
    assert_eq!(rig.gate(), [(1600, true), (1709, false)]);
    assert_eq!(rig.line.counters().spacing_faults, 1);
}

#[test]
fn edges_within_the_lock_out_are_the_same_part() {
    let mut rig = Rig::<8>::new(Settings {
        lockout: Stretch(40 * MS as i64),
        ..settings()
    });
    rig.part(1000);
    rig.edge(1030, true);
    rig.edge(1050, false);
    assert_eq!(
        (rig.line.counters().triggers, rig.line.counters().retriggers),
        (1, 1)
    );
}

#[test]
fn a_queue_that_is_full_stops_the_line_and_lets_nothing_slip_through() {
    let mut rig = Rig::<2>::new(settings());
    for t in [1000, 1060, 1120, 1180, 1240, 1300] {
        rig.part(t);
    }
    rig.until(3000);
    assert_eq!(rig.line.counters().trigger_overruns, 4);
    assert_eq!(rig.line.counters().rejected.total(), 6);
    // the room for overruns holds two as well: the last shot goes on until the last part, up to max_on
    assert_eq!(
        rig.gate(),
        [(1400, true), (1600, false), (1640, true), (1760, false)]
    );
    assert_eq!(rig.line.state(), State::Error);
    assert!(
        rig.line.has(Fault::QueueFull) && rig.line.has(Fault::MaxOn) && !rig.line.is_on(OutputLine::Ready)
    );
    rig.adds_up();
    rig.command(3000, Command::Acknowledge);
    assert!(!rig.line.has(Fault::QueueFull), "an operator took note");
}

#[test]
fn a_part_too_close_to_one_without_room_does_no_harm_to_those_before() {
    let mut rig = Rig::<1>::new(settings());
    rig.judged(1000, Verdict::Pass);
    rig.part(1360);
    rig.part(1399);
    rig.until(3000);
    assert_eq!(rig.decided().iter().map(|d| d.0).collect::<Vec<_>>(), [1, 0, 2]);
    assert_eq!(rig.decided()[1], (0, Verdict::Pass));
    let mut rig = Rig::<2>::new(settings());
    rig.judged(1000, Verdict::Pass);
    rig.judged(1200, Verdict::Pass);
    rig.part(1370);
    // the first one is decided meanwhile, there is room again
    rig.part(1405);
    rig.until(3000);
    assert_eq!(rig.decided().iter().find(|d| d.0 == 1), Some(&(1, Verdict::Pass)));
}

#[test]
fn a_gate_that_would_be_late_does_not_hit_the_next_part() {
    let mut rig = Rig::<8>::new(settings());
    rig.judged(1000, DEFECT);
    // the program was held up: nothing ran until the part was gone
    rig.line.advance(ms(1460), &mut |a| rig.done.push(a));
    assert_eq!(rig.gate(), []);
    assert_eq!(rig.line.counters().late_pulses, 1);
    assert!(rig.line.has(Fault::GateLate));
    let mut rig = Rig::<8>::new(settings());
    rig.judged(1000, DEFECT);
    rig.line.advance(ms(1404), &mut |a| rig.done.push(a));
    rig.until(3000);
    assert_eq!(
        (rig.gate(), rig.line.has(Fault::GateLate)),
        ([(1400, true), (1460, false)].into(), false)
    );
}

#[test]
fn a_stuck_eye_is_a_fault_while_it_is_stuck() {
    let mut rig = Rig::<8>::new(settings());
    rig.edge(1000, true);
    rig.until(3001);
    assert!(rig.line.has(Fault::EyeStuck));
    rig.edge(4000, false);
    rig.until(4010);
    assert!(!rig.line.has(Fault::EyeStuck));
}

#[test]
fn lost_edges_wait_for_an_operator() {
    let mut rig = Rig::<8>::new(settings());
    rig.part(1000);
    rig.edges += 2;
    rig.part(1200);
    assert_eq!(
        (rig.line.has(Fault::EdgesLost), rig.line.counters().eye_edges_lost),
        (true, 2)
    );
    rig.command(1300, Command::Acknowledge);
    assert_eq!(rig.line.state(), State::ContinuousExecution);
}

#[test]
fn parts_of_an_earlier_run_wait_for_an_operator() {
    let mut rig = Rig::<8>::new(settings());
    rig.take(1000, Input::PartsUnknown);
    assert_eq!(
        (rig.line.state(), rig.switched(OutputLine::Ready)),
        (State::Error, [(1000, false)].into())
    );
    rig.part(1100);
    rig.until(1600);
    assert_eq!(
        rig.gate(),
        [(1500, true), (1560, false)],
        "what comes nevertheless leaves"
    );
    assert!(rig.line.has(Fault::PartsUnknown));
    rig.command(1700, Command::Acknowledge);
    assert!(!rig.line.has(Fault::PartsUnknown));
}

#[test]
fn ready_falls_at_once_with_any_device_and_parts_still_leave() {
    for device in [
        Device::Recipe,
        Device::Camera,
        Device::Inputs,
        Device::Outputs,
        Device::Stages,
    ] {
        let mut rig = Rig::<8>::new(settings());
        rig.part(1000);
        rig.take(1010, Input::Device { device, up: false });
        assert_eq!(rig.switched(OutputLine::Ready), [(1010, false)], "{device:?}");
        rig.until(2000);
        assert_eq!(rig.gate(), [(1400, true), (1460, false)]);
        rig.take(2000, Input::Device { device, up: true });
        rig.judged(2200, Verdict::Pass);
        assert!(rig.line.is_on(OutputLine::Ready));
    }
}

#[test]
fn parts_that_pass_while_nothing_is_inspected_leave() {
    let mut rig = Rig::<8>::new(settings());
    rig.part(900);
    rig.command(1000, Command::Halt);
    assert_eq!(rig.switched(OutputLine::Ready), [(1000, false)]);
    assert!(!rig.line.is_drained());
    rig.part(1100);
    rig.until(3000);
    assert_eq!(
        rig.decided().iter().map(|d| d.1).collect::<Vec<_>>(),
        [Verdict::Reject(Cause::NoImage), Verdict::Reject(Cause::Fault)]
    );
    assert!(rig.line.is_drained() && rig.line.state() == State::Halted);
}

#[test]
fn single_inspects_one_part() {
    let mut rig = Rig::<8>::new(settings());
    rig.command(900, Command::Single);
    rig.judged(1000, Verdict::Pass);
    assert_eq!(rig.line.state(), State::SingleExecution);
    rig.judged(1200, Verdict::Pass);
    rig.until(1500);
    assert_eq!(rig.line.state(), State::Ready);
    rig.until(3000);
    assert_eq!(
        rig.decided(),
        [(0, Verdict::Pass), (1, Verdict::Reject(Cause::Fault))]
    );
}

#[test]
fn bypass_lets_all_go_on_and_counts_them_apart() {
    let mut rig = Rig::<8>::new(settings());
    rig.command(900, Command::Bypass(true));
    rig.judged(1000, DEFECT);
    rig.part(1200);
    rig.until(1700);
    rig.command(1700, Command::Bypass(false));
    rig.judged(1800, DEFECT);
    rig.until(3000);
    assert_eq!(rig.gate(), [(2200, true), (2260, false)]);
    let c = rig.line.counters();
    assert_eq!((c.bypassed, c.passed, c.rejected.total()), (2, 0, 1));
    rig.adds_up();
}

#[test]
fn operators_can_fire_reject_and_challenge() {
    let mut rig = Rig::<8>::new(settings());
    rig.command(500, Command::TestFire);
    rig.command(900, Command::RejectNext);
    rig.judged(1000, Verdict::Pass);
    rig.command(1100, Command::Challenge);
    rig.judged(1200, Verdict::Pass);
    rig.until(1650);
    assert!(rig.line.has_alarm(Alarm::ChallengeNotFound));
    rig.command(1700, Command::Challenge);
    rig.judged(1800, DEFECT);
    rig.until(3000);
    assert!(!rig.line.has_alarm(Alarm::ChallengeNotFound));
    let challenge = Verdict::Reject(Cause::Challenge);
    assert_eq!(
        rig.decided(),
        [
            (0, Verdict::Reject(Cause::Manual)),
            (1, challenge),
            (2, challenge)
        ]
    );
    let opened: Vec<_> = rig.gate().into_iter().filter(|g| g.1).map(|g| g.0).collect();
    assert_eq!(opened, [500, 1400, 1600, 2200]);
    assert_eq!(
        (
            rig.line.counters().test_fires,
            rig.line.counters().challenges_not_found
        ),
        (1, 1)
    );
}

#[test]
fn a_reject_that_is_not_confirmed_is_an_alarm_and_may_stop_the_line() {
    for stop in [false, true] {
        let confirm = ConfirmSettings {
            earliest: Duration::from_millis(20),
            latest: Duration::from_millis(150),
            stop,
        };
        let mut rig = Rig::<8>::new(Settings {
            confirm: Some(confirm),
            ..settings()
        });
        rig.judged(1000, DEFECT);
        rig.until(1480);
        rig.take(1480, Input::Confirm { at: ms(1480) });
        rig.take(1490, Input::Confirm { at: ms(1490) });
        rig.judged(2000, DEFECT);
        rig.until(3000);
        let confirmed: Vec<_> = rig
            .done
            .iter()
            .filter(|a| matches!(a, Action::Confirmed { .. }))
            .collect();
        assert_eq!(
            confirmed,
            [
                &Action::Confirmed {
                    tag: Tag(0),
                    seen: true
                },
                &Action::Confirmed {
                    tag: Tag(1),
                    seen: false
                }
            ]
        );
        assert_eq!(
            (
                rig.line.counters().missed_rejects,
                rig.line.counters().unexpected_confirms
            ),
            (1, 1)
        );
        assert!(rig.line.has_alarm(Alarm::MissedReject));
        assert_eq!(rig.line.has(Fault::Alarm), stop);
    }
}

#[test]
fn rejects_in_a_row_are_an_alarm() {
    let alarms = AlarmSettings {
        consecutive: 3,
        rate_window: 10,
        rate_rejects: 4,
        stop: true,
    };
    let mut rig = Rig::<16>::new(Settings { alarms, ..settings() });
    for i in 0..3 {
        rig.judged(1000 + 200 * i, DEFECT);
    }
    rig.until(1900);
    assert!(rig.line.has_alarm(Alarm::ConsecutiveRejects) && rig.line.has(Fault::Alarm));
    rig.judged(2000, Verdict::Pass);
    rig.until(2500);
    assert!(!rig.line.has_alarm(Alarm::ConsecutiveRejects) && rig.line.has(Fault::Alarm));
    rig.command(2500, Command::Acknowledge);
    assert_eq!(rig.line.state(), State::ContinuousExecution);
}

#[test]
fn the_heartbeat_is_a_square_wave_that_stops_with_a_stage() {
    let mut rig = Rig::<8>::new(Settings {
        heartbeat: Duration::from_millis(100),
        ..settings()
    });
    rig.until(450);
    let beats = rig.switched(OutputLine::Heartbeat);
    assert_eq!(beats, [(100, false), (200, true), (300, false), (400, true)]);
    rig.take(
        450,
        Input::Device {
            device: Device::Stages,
            up: false,
        },
    );
    rig.until(2000);
    assert_eq!(rig.switched(OutputLine::Heartbeat), beats);
}

#[test]
fn a_free_running_belt_makes_every_nth_frame_a_part() {
    let mut rig = Rig::<8>::new(Settings {
        free_running: core::num::NonZeroU32::new(2),
        ..settings()
    });
    let found: Vec<_> = (0..4)
        .map(|i| rig.frame(1000 + 100 * i, Quality::Good).map(|t| t.0))
        .collect();
    assert_eq!(found, [None, Some(0), None, Some(1)]);
    rig.until(3000);
    // eye = exposure - camera
    assert_eq!(rig.gate()[0], (1440, true));
}

#[test]
fn counters_go_on_and_are_reset_without_losing_what_is_in_flight() {
    let mut rig = Rig::<8>::new(settings());
    rig.judged(1000, DEFECT);
    rig.until(2000);
    rig.part(2100);
    let line = Line::<8>::new(settings(), rig.line.counters()).expect("settings that work");
    assert_eq!(
        (line.counters().triggers, line.counters().rejected.defect),
        (1, 1)
    );
    rig.command(2150, Command::ResetCounters);
    rig.adds_up();
    rig.until(3000);
    assert_eq!(
        (rig.line.counters().triggers, rig.line.counters().rejected.total()),
        (1, 1)
    );
    rig.adds_up();
}

/// A pulse is a millimetre; camera 60 mm, gate 400 mm behind the eye.
fn encoder_settings() -> Settings {
    let in_pulses = |s: Stretch| Stretch(s.0 / MS as i64);
    let s = settings();
    Settings {
        scale: Scale::Encoder,
        camera: in_pulses(s.camera),
        camera_window: in_pulses(s.camera_window),
        gate: in_pulses(s.gate),
        guard: in_pulses(s.guard),
        min_spacing: in_pulses(s.min_spacing),
        lockout: in_pulses(s.lockout),
        ..s
    }
}

/// A part 20 mm long on a belt that runs a millimetre each `period` ms, with its frame and verdict. Returns
/// the time.
fn encoder_part(rig: &mut Rig<8>, start: u64, period: u64, verdict: Verdict) -> u64 {
    let mut t = start;
    for place in 0..=380 {
        match place {
            0 => rig.edge(t, true),
            20 => rig.edge(t, false),
            60 => {
                let tag = rig.frame(t, Quality::Good).expect("its part");
                rig.take(t, Input::Verdict { tag, verdict });
            }
            _ => {}
        }
        t += period;
        rig.pulse(t, true);
    }
    t
}

#[test]
fn with_an_encoder_the_gate_waits_for_the_belt() {
    for period in [1, 3] {
        let mut rig = Rig::<8>::new(encoder_settings());
        rig.pulse(500, true);
        let mut t = encoder_part(&mut rig, 1000, period, DEFECT);
        // stopped short of the gate for five seconds
        rig.until(t + 5000);
        assert_eq!((rig.decided(), rig.gate()), ([].into(), [].into()));
        t += 5000;
        for _ in 381..400 {
            t += period;
            rig.pulse(t, true);
        }
        rig.until(t + 500);
        assert_eq!(
            (rig.decided(), rig.gate()),
            ([(0, DEFECT)].into(), [(t, true), (t + 60, false)].into())
        );
    }
}

#[test]
fn a_belt_that_runs_back_shows_no_part_twice_and_fires_once() {
    let mut rig = Rig::<8>::new(encoder_settings());
    rig.pulse(500, true);
    let mut t = encoder_part(&mut rig, 1000, 1, DEFECT);
    let mut travel = |rig: &mut Rig<8>, steps: u64, forward: bool, edge_at: [u64; 2]| {
        for step in 0..steps {
            t += 1;
            rig.pulse(t, forward);
            if edge_at.contains(&step) {
                rig.edge(t, step == edge_at[0]);
            }
        }
    };
    // back beyond the eye, where the part blocks it again, and forward through it
    travel(&mut rig, 390, false, [361, 381]);
    travel(&mut rig, 390, true, [8, 28]);
    travel(&mut rig, 100, true, [500, 500]);
    travel(&mut rig, 100, false, [500, 500]);
    travel(&mut rig, 200, true, [500, 500]);
    assert_eq!(rig.decided(), [(0, DEFECT)]);
    assert_eq!(rig.gate().len(), 2);
    assert_eq!(
        (rig.line.counters().triggers, rig.line.counters().retriggers),
        (1, 2)
    );
}

#[test]
fn a_dead_encoder_is_a_fault() {
    let mut rig = Rig::<8>::new(encoder_settings());
    rig.pulse(500, true);
    for i in 0..3 {
        assert!(!rig.line.has(Fault::EncoderSilent));
        rig.part(1000 + 200 * i);
    }
    rig.until(1500);
    assert!(rig.line.has(Fault::EncoderSilent));
    rig.pulse(1600, true);
    assert!(!rig.line.has(Fault::EncoderSilent));
}

#[test]
fn devices_that_come_back_number_anew_and_nothing_counts_as_lost() {
    let mut rig = Rig::<8>::new(encoder_settings());
    (0..5).for_each(|i| rig.pulse(500 + 10 * i, true));
    rig.part(600);
    rig.frame(660, Quality::Good);
    for device in [Device::Inputs, Device::Camera] {
        rig.take(700, Input::Device { device, up: false });
        rig.take(800, Input::Device { device, up: true });
    }
    (rig.edges, rig.frames, rig.pulses) = (0, 0, 0);
    rig.pulse(900, true);
    rig.part(1000);
    rig.frame(1060, Quality::Good);
    let c = rig.line.counters();
    assert_eq!(
        (c.eye_edges_lost, c.encoder_pulses_lost, c.frames_lost),
        (0, 0, 0)
    );
    assert!(!rig.line.has(Fault::EdgesLost));
}

#[test]
fn bounces_that_wait_while_the_program_is_held_up_are_no_parts() {
    let mut rig = Rig::<8>::new(Settings {
        lockout: Stretch(0),
        ..settings()
    });
    let us = |us: u64| MonoNanos(us * 1000);
    // 20 ms long, each contact bounces once; all of it is heard at 1100 ms
    let edges = [1_000_000, 1_000_300, 1_000_600, 1_020_000, 1_020_300, 1_020_600];
    for (i, t) in edges.into_iter().enumerate() {
        rig.take(
            1100,
            Input::Eye {
                at: us(t),
                sequence: i as u32,
                blocked: i % 2 == 0,
            },
        );
        rig.take(
            1100,
            Input::Encoder {
                at: us(t) + Duration::from_micros(100),
                sequence: i as u32,
                forward: true,
            },
        );
        rig.take(
            1100,
            Input::Verdict {
                tag: Tag(9),
                verdict: Verdict::Pass,
            },
        );
    }
    rig.frame(1060, Quality::Good).expect("its part");
    rig.until(1200);
    let c = rig.line.counters();
    assert_eq!(
        (c.triggers, c.retriggers, c.eye_bounces, c.frames_without_part),
        (1, 0, 4, 0)
    );
}

#[test]
fn settings_that_cannot_work() {
    type Change = fn(&mut Settings);
    let cases: [(Change, SettingsError); 8] = [
        (|s| s.camera = Stretch(-1), SettingsError::Negative("camera")),
        (|s| s.camera = s.gate, SettingsError::GateBeforeCamera),
        (|s| s.min_spacing = s.gate, SettingsError::GateWithinSpacing),
        (|s| s.lockout = s.min_spacing, SettingsError::Lockout),
        (
            |s| s.pulse.max_on = Duration::from_millis(59),
            SettingsError::MaxOn,
        ),
        (|s| s.pulse.pulse = Duration::ZERO, SettingsError::Zero("pulse")),
        (|s| s.alarms.rate_window = 0, SettingsError::RateWindow),
        (
            |s| (s.scale, s.free_running) = (Scale::Encoder, core::num::NonZeroU32::new(1)),
            SettingsError::FreeRunningEncoder,
        ),
    ];
    for (change, expected) in cases {
        let mut settings = settings();
        change(&mut settings);
        assert_eq!(
            Line::<8>::new(settings, Counters::default()).map(|_| ()),
            Err(expected)
        );
        assert!(!std::format!("{expected}").is_empty());
    }
}
