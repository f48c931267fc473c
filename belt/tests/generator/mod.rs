//! Random scenarios: any settings that can work, any faults, both scales.

use std::num::NonZeroU32;

use beltwatch_belt::*;
use beltwatch_core::{Command, Device, Scale, Unjudged};

/// Room in the line's queue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Room {
    /// So little that it overflows.
    Three,
    /// As much as the device has.
    SixtyFour,
}

/// A scenario, and the line that it is for.
#[derive(Debug)]
pub(crate) struct Generated {
    pub(crate) scenario: Scenario,
    pub(crate) room: Room,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn from(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn chance(&mut self, of: f64) -> bool {
        self.unit() < of
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.unit() * n as f64) as u64
    }

    fn some<T>(&mut self, chance: f64, most: u64, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = if self.chance(chance) {
            1 + self.below(most)
        } else {
            0
        };
        (0..count).map(|_| make(self)).collect()
    }

    /// One after the other, from the start to `end` and as long as `longest` at most.
    fn spans(&mut self, chance: f64, end: f64, longest: f64) -> Vec<Span> {
        let mut from_ms = 0.0;
        self.some(chance, 3, |r| {
            from_ms += r.from(1.0, end / 2.0);
            let to_ms = from_ms + r.from(0.5, longest);
            let span = Span { from_ms, to_ms };
            from_ms = to_ms;
            span
        })
    }
}

/// The scenario of a seed.
pub(crate) fn generate(seed: u64) -> Generated {
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5851_f42d_4c95_7f2d);
    let mut last = String::new();
    for _ in 0..1000 {
        let generated = attempt(seed, &mut random);
        match generated.scenario.check() {
            Ok(()) => return generated,
            Err(why) => last = why,
        }
    }
    panic!("no scenario for {seed}: {last}");
}

fn attempt(seed: u64, r: &mut Random) -> Generated {
    let scale = if r.chance(0.5) {
        Scale::Encoder
    } else {
        Scale::Time
    };
    let free_running = scale == Scale::Time && r.chance(0.2);
    let held = r.chance(0.15);
    let room = if scale == Scale::Time && !held && r.chance(0.2) {
        Room::Three
    } else {
        Room::SixtyFour
    };
    let mut s = Scenario {
        name: format!("random {seed}"),
        seed,
        parts: 5 + r.below(35),
        ..Scenario::default()
    };
    s.belt = belt(r, scale);
    let turns = s.belt.profile.iter().any(|l| l.to_mm_s < 0.0);
    let speed = s.fastest();
    s.line.scale = scale;
    s.line.free_running = if free_running {
        NonZeroU32::new(1 + r.below(3) as u32)
    } else {
        None
    };
    s.line.gate_mm = r.from(150.0, 1500.0);
    if scale == Scale::Encoder {
        s.encoder.mm_per_pulse = r.from(0.5, 5.0);
        let mut rate = |of| if r.chance(0.15) { of } else { 0.0 };
        (
            s.encoder.lost_rate,
            s.encoder.doubled_rate,
            s.encoder.kernel_lost_rate,
        ) = (rate(0.01), rate(0.05), rate(0.05));
    }
    let slack = s.slack_mm();
    eye(r, &mut s, turns, held);
    s.line.pulse_ms = r.from(5.0, 80.0);
    s.line.max_on_ms = s.line.pulse_ms * r.from(1.0, 6.0);
    let settles = (s.line.debounce_ms + s.eye.bounce_us / 1e3) * speed / 1e3;
    let closest = (s.line.pulse_ms / 2.0 * speed / 1e3 + 2.0 * slack).max(6.0 * slack);
    s.line.min_spacing_mm = closest * 1.01 + r.from(1.0, 60.0);
    s.line.camera_window_mm = s.line.min_spacing_mm * r.from(0.36, 0.45);
    s.line.camera_mm = r.from(0.0, s.line.gate_mm / 2.0);
    s.line.guard_mm = r.from(0.0, 20.0);
    s.product.length_mm = settles * 1.1 + r.from(1.0, 40.0);
    let gap = s.product.length_mm + settles * 1.2 + 1.0;
    s.product.scatter_mm = if r.chance(0.7) { r.from(0.0, 40.0) } else { 0.0 };
    let apart = (s.line.min_spacing_mm + 2.0 * slack).max(gap) + 2.0 * s.product.scatter_mm;
    s.product.spacing_mm = apart + r.from(0.1, 200.0);
    let least = if turns { s.product.length_mm } else { 0.0 } + 2.0 * slack;
    s.line.lockout_mm = if r.chance(0.3) {
        least
    } else {
        r.from(least, least + 20.0)
    };
    s.product.defect_rate = if r.chance(0.2) { r.unit() } else { 0.15 };
    let (low, high) = (
        gap.max(s.line.lockout_mm + 2.0 * slack + 0.5),
        s.line.min_spacing_mm - 2.0 * slack,
    );
    let parts = s.parts;
    if low < high && !free_running {
        s.product.close = r.some(0.3, 3, |r| Close {
            part: 1 + r.below(parts - 1),
            behind_mm: r.from(low, high),
        });
    }
    s.line.gate_tolerance_ms = r.from(1.0, 10.0);
    s.line.heartbeat_ms = r.from(50.0, 1000.0);
    s.line.on_no_verdict = if r.chance(0.2) {
        Unjudged::Pass
    } else {
        Unjudged::Reject
    };
    let total = s.product.spacing_mm * s.parts as f64 / speed * 1e3;
    camera(r, &mut s, total);
    let period = s.product.spacing_mm / speed * 1e3;
    inference(r, &mut s, period, total);
    if r.chance(0.4) {
        let earliest_ms = r.from(0.0, 50.0);
        s.line.confirm = Some(Confirm {
            earliest_ms,
            latest_ms: earliest_ms + r.from(0.0, 200.0),
            stop: r.chance(0.3),
        });
        s.confirm_sensor.after_ms = s.line.pulse_ms / 2.0 + r.from(0.0, 60.0);
        s.confirm_sensor.fails = r.some(0.5, 5, |r| r.below(parts));
    }
    if r.chance(0.3) {
        let rate_window = 1 + r.below(60) as u32;
        let (consecutive, rate_rejects) = (r.below(6) as u32, r.below(20) as u32);
        s.line.alarms = Alarms {
            consecutive,
            rate_window,
            rate_rejects,
            stop: r.chance(0.5),
        };
    }
    s.commands = r.some(0.5, 6, |r| Timed {
        at_ms: r.from(0.0, total),
        command: command(r),
    });
    s.devices = r.some(0.2, 2, |r| {
        let kinds = [Device::Outputs, Device::Stages, Device::Recipe, Device::Inputs];
        let device = kinds[r.below(if turns { 3 } else { 4 }) as usize];
        let from_ms = r.from(0.0, total);
        DeviceDown {
            device,
            from_ms,
            to_ms: from_ms + r.from(1.0, 500.0),
        }
    });
    if held {
        s.held = r.spans(1.0, total, 300.0);
        // what an operator does while the program is held up has no place among the edges that wait
        let waits = |at: f64, held: &[Span]| {
            held.iter()
                .any(|h| (h.from_ms - 10.0..h.to_ms + 10.0).contains(&at))
        };
        let held = s.held.clone();
        s.commands.retain(|c| !waits(c.at_ms, &held));
        s.devices
            .retain(|d| !waits(d.from_ms, &held) && !waits(d.to_ms, &held));
        let settles = 1.1 * (s.line.debounce_ms + s.eye.bounce_us / 1e3) * speed / 1e3;
        s.line.camera_mm = s.line.camera_mm.max(s.line.camera_window_mm + settles);
    }
    Generated { scenario: s, room }
}

fn belt(r: &mut Random, scale: Scale) -> Belt {
    let speed = r.from(200.0, 2000.0);
    let leg = |to_mm_s, ramp_ms, hold_ms| Leg {
        to_mm_s,
        ramp_ms,
        hold_ms,
    };
    let mut profile = vec![leg(speed, 0.0, 0.0)];
    if scale == Scale::Time {
        return Belt {
            profile,
            repeat: false,
        };
    }
    match r.below(4) {
        0 => {
            return Belt {
                profile,
                repeat: false,
            };
        }
        1 => {
            profile = r.some(1.0, 4, |r| {
                leg(r.from(100.0, 2000.0), r.from(0.0, 500.0), r.from(1.0, 1000.0))
            })
        }
        2 => {
            let run = leg(speed, r.from(0.0, 300.0), r.from(100.0, 3000.0));
            profile = vec![run, leg(0.0, r.from(0.0, 300.0), r.from(1.0, 3000.0))];
        }
        _ => {
            let run = leg(speed, r.from(1.0, 300.0), r.from(1000.0, 3000.0));
            let back = leg(-r.from(20.0, 300.0), r.from(1.0, 300.0), r.from(1.0, 500.0));
            profile = vec![run, back];
        }
    }
    Belt {
        profile,
        repeat: true,
    }
}

fn eye(r: &mut Random, s: &mut Scenario, turns: bool, held: bool) {
    s.line.debounce_ms = r.from(0.1, 3.0);
    s.eye.bounces = 2 * r.below(4) as u32;
    s.eye.bounce_us = if s.eye.bounces > 0 {
        r.from(10.0, 1000.0 * s.line.debounce_ms)
    } else {
        0.0
    };
    s.line.stuck_ms = r.from(300.0, 3000.0);
    let (parts, total) = (s.parts, 3000.0);
    if !turns && !held && s.line.free_running.is_none() {
        let edge = |r: &mut Random| if r.chance(0.5) { Edge::Front } else { Edge::Rear };
        s.eye.lost = r.some(0.15, 3, |r| LostEdge {
            part: r.below(parts),
            edge: edge(r),
        });
        if s.line.scale == Scale::Time {
            s.eye.stuck = r.spans(0.2, total, 1000.0);
        }
    }
}

fn camera(r: &mut Random, s: &mut Scenario, total: f64) {
    let encoder = s.line.scale == Scale::Encoder;
    (s.camera.latency_ms, s.camera.jitter_ms) = (r.from(0.0, 40.0), r.from(0.0, 20.0));
    let parts = s.parts;
    s.camera.faults = r.some(0.4, 3, |r| {
        let kinds = [
            FrameFaultKind::Dropped,
            FrameFaultKind::Late,
            FrameFaultKind::Black,
            FrameFaultKind::Saturated,
            FrameFaultKind::Repeated,
        ];
        FrameFault {
            kind: kinds[r.below(5) as usize],
            rate: if r.chance(0.5) { r.from(0.0, 0.3) } else { 0.0 },
            parts: r.some(0.5, 5, |r| r.below(parts)),
            during: r.spans(0.3, total, 500.0),
            // the line remembers the encoder's places for a quarter of a second
            late_ms: r.from(0.0, if encoder { 150.0 } else { 1500.0 }),
        }
    });
    s.camera.unplugged = r.spans(0.15, total, 1000.0);
}

fn inference(r: &mut Random, s: &mut Scenario, period: f64, total: f64) {
    s.inference.time_ms = period
        * if r.chance(0.2) {
            r.from(0.9, 1.5)
        } else {
            r.from(0.05, 0.8)
        };
    s.inference.jitter_ms = if r.chance(0.5) { r.from(0.0, period) } else { 0.0 };
    s.inference.newest_wins = r.chance(0.2);
    let spans = r.spans(0.3, total, 1000.0);
    s.inference.slow = spans
        .iter()
        .map(|span| Slow {
            from_ms: span.from_ms,
            to_ms: span.to_ms,
            time_ms: r.from(0.0, 6.0 * period),
        })
        .collect();
}

fn command(r: &mut Random) -> Command {
    [
        Command::Start,
        Command::Single,
        Command::Halt,
        Command::Acknowledge,
        Command::Bypass(true),
        Command::Bypass(false),
        Command::TestFire,
        Command::Challenge,
        Command::RejectNext,
        Command::ResetCounters,
    ][r.below(10) as usize]
}
