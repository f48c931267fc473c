//! From eye edge to pulse the core allocates nothing, whatever comes in.

// A counting allocator can only be an implementation of the unsafe trait `GlobalAlloc`.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use beltwatch_core::{
    Action, AlarmSettings, Cause, Command, ConfirmSettings, Counters, Device, EncoderSettings, EyeSettings,
    GateSettings, Input, Line, MonoNanos, OutputLine, Quality, Scale, Settings, Stretch, Unjudged, Verdict,
};

struct Counting;

thread_local! {
    /// This thread's: the test harness has one of its own that allocates when it likes.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every call is passed on to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` with this `layout`, as all of ours do.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as for `dealloc`; `size` is the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PARTS: u64 = 5000;
const MS: u64 = 1_000_000;

fn settings(scale: Scale) -> Settings {
    // a millimetre a millisecond, a pulse a millimetre
    let unit = if scale == Scale::Time { MS as i64 } else { 1 };
    let confirm = ConfirmSettings {
        earliest: Duration::ZERO,
        latest: Duration::from_millis(150),
        stop: true,
    };
    Settings {
        scale,
        camera: Stretch(60 * unit),
        camera_window: Stretch(20 * unit),
        gate: Stretch(400 * unit),
        guard: Stretch(2 * unit),
        min_spacing: Stretch(50 * unit),
        lockout: Stretch(10 * unit),
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
            max_on: Duration::from_millis(100),
        },
        gate_tolerance: Duration::from_millis(5),
        confirm: Some(confirm),
        alarms: AlarmSettings {
            consecutive: 3,
            rate_window: 100,
            rate_rejects: 40,
            stop: true,
        },
        heartbeat: Duration::from_millis(100),
    }
}

/// What came of a run, counted without memory.
#[derive(Debug, Default)]
struct Seen {
    decided: u64,
    pulses: u64,
    faults: u64,
}

/// Numbers from 1.
fn next(counter: &mut u32) -> u32 {
    *counter += 1;
    *counter
}

/// Parts every 70 ms with bounces, their frames, verdicts, commands, lost edges and bad frames. Returns the
/// allocations.
fn run<const N: usize>(scale: Scale) -> (u64, Seen) {
    let mut line = Line::<N>::new(settings(scale), Counters::default()).expect("settings that work");
    let mut seen = Seen::default();
    let (mut pulses, mut edges, mut frames) = (0, 0, 0);
    let before = ALLOCATIONS.get();
    let mut out = |action: Action| match action {
        Action::Decided { .. } => seen.decided += 1,
        Action::Output {
            line: OutputLine::Gate,
            on: true,
            ..
        } => seen.pulses += 1,
        Action::Fault { raised: true, .. } => seen.faults += 1,
        _ => {}
    };
    for device in [
        Device::Recipe,
        Device::Camera,
        Device::Inputs,
        Device::Outputs,
        Device::Stages,
    ] {
        line.take(MonoNanos(0), Input::Device { device, up: true }, &mut out);
    }
    line.take(MonoNanos(0), Input::Command(Command::Start), &mut out);
    for ms in 0..PARTS * 70 {
        let (part, phase, now) = (ms / 70, ms % 70, MonoNanos((ms + 1) * MS));
        while let Some(due) = line.due().filter(|&d| d <= now) {
            line.advance(due, &mut out);
        }
        line.take(
            now,
            Input::Encoder {
                at: now,
                sequence: next(&mut pulses),
                forward: true,
            },
            &mut out,
        );
        if phase == 0 || phase == 20 {
            edges += u32::from(part % 97 == 5);
            for (i, us) in [0, 200, 400].into_iter().enumerate() {
                let (at, blocked) = (now + Duration::from_micros(us), (phase == 0) == (i % 2 == 0));
                line.take(
                    at,
                    Input::Eye {
                        at,
                        sequence: next(&mut edges),
                        blocked,
                    },
                    &mut out,
                );
            }
        }
        if phase == 60 {
            let quality = if part % 13 == 0 {
                Quality::Black
            } else {
                Quality::Good
            };
            let input = Input::Frame {
                exposed: now,
                sequence: next(&mut frames),
                quality,
            };
            let mut judged = None;
            line.take(now, input, &mut |action| {
                if let Action::Judge { tag, .. } = action {
                    judged = Some(tag);
                }
                out(action);
            });
            if let Some(tag) = judged.filter(|_| part % 17 != 0) {
                let verdict = if part % 5 == 0 {
                    Verdict::Reject(Cause::Defect)
                } else {
                    Verdict::Pass
                };
                line.take(now, Input::Verdict { tag, verdict }, &mut out);
            }
        }
        match ms % 997 {
            1 => line.take(now, Input::Command(Command::Acknowledge), &mut out),
            2 => line.take(now, Input::Command(Command::TestFire), &mut out),
            3 => line.take(now, Input::Command(Command::Challenge), &mut out),
            4 => line.take(now, Input::Confirm { at: now }, &mut out),
            5 | 6 => line.take(
                now,
                Input::Device {
                    device: Device::Camera,
                    up: ms % 997 == 6,
                },
                &mut out,
            ),
            _ => {}
        }
    }
    let allocations = ALLOCATIONS.get() - before;
    assert_eq!(line.counters().triggers, PARTS, "{:?}", line.counters());
    (allocations, seen)
}

// One test: what another thread allocates would count.
#[test]
fn the_core_allocates_nothing() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert!(ALLOCATIONS.get() > before, "the allocator counts");
    for scale in [Scale::Time, Scale::Encoder] {
        // with room for all, and for so few that the queue is full all the time
        for (allocations, seen) in [run::<64>(scale), run::<4>(scale)] {
            assert_eq!(allocations, 0, "{scale:?}");
            assert!(
                seen.decided > PARTS - 10 && seen.pulses > PARTS / 10 && seen.faults > 100,
                "{seen:?}"
            );
        }
    }
}
