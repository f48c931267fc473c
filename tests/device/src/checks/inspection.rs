//! The whole way: parts pass the eye, the network judges their frames, the gate takes out the bad ones and no
//! other.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::belt::{self, Passing};
use crate::camera::Format;
use crate::daemon::Daemon;
use crate::machine::gpio::{Gpio, Pin};
use crate::oracle::Part;
use crate::rig::Rig;

/// Parts whose frames are not compressed.
const YUYV_PARTS: usize = 20;
/// A verdict that bears this much, in grey levels, is the same for both formats.
const CLEAR: f64 = 8.0;

/// READY comes, with the camera's automatics off; outputs as they should be.
pub(super) fn start(rig: &mut Rig) -> Result<String> {
    rig.camera.plug_with(&[Format::Mjpeg])?;
    let board = rig.board_for(Format::Mjpeg)?;
    let begin = Instant::now();
    let daemon = Daemon::start(&mut rig.machine, &board)?;
    let beats = is_well(&mut rig.machine.gpio, begin)?;
    let controls = rig.camera.controls();
    ensure!(controls.manual_exposure, "exposure is automatic");
    ensure!(controls.manual_white_balance, "white balance is automatic");
    let until_ready = daemon.until_ready.as_secs_f64();
    daemon.stop(&mut rig.machine)?;
    let (exposure, kelvin) = (controls.exposure_100us / 10, controls.white_balance_kelvin);
    Ok(format!(
        "READY after {until_ready:.1} s, {beats} heartbeats in 2 s, exposure {exposure} ms, {kelvin} K, gain \
         {}",
        controls.gain
    ))
}

/// With READY no FAULT, a gate that has not moved since the start, and a heart that beats: how often in two
/// seconds.
pub(super) fn is_well(gpio: &mut Gpio, start: Instant) -> Result<usize> {
    ensure!(
        gpio.wait_level(Pin::Fault, false, Duration::from_secs(1))?
            .is_some(),
        "READY and FAULT at once"
    );
    ensure!(
        gpio.edges(Pin::Gate, start).is_empty(),
        "the gate moved at the start"
    );
    let beats = Instant::now();
    std::thread::sleep(Duration::from_secs(2));
    let beats = gpio.edges(Pin::Heartbeat, beats).len();
    ensure!(beats > 1, "no heartbeat");
    Ok(beats)
}

/// Frames in MJPEG: the host inspected the very same bytes.
pub(super) fn mjpeg(rig: &mut Rig) -> Result<String> {
    inspect(rig, Format::Mjpeg, usize::MAX)
}

/// Frames without compression.
pub(super) fn yuyv(rig: &mut Rig) -> Result<String> {
    inspect(rig, Format::Yuyv, YUYV_PARTS)
}

/// Each score must be the host's to the last bit: hardly two pictures have the same, so it says whose frame
/// it was.
fn inspect(rig: &mut Rig, format: Format, count: usize) -> Result<String> {
    let parts: Vec<Part> = rig.parts.iter().take(count).cloned().collect();
    rig.camera.plug_with(&[format])?;
    let board = rig.board_for(format)?;
    let daemon = Daemon::start(&mut rig.machine, &board)?;
    ensure!(
        rig.camera.streaming() == Some(format),
        "the camera was not asked for {format:?}"
    );
    rig.camera.take_worst_delay();
    let passing: Vec<_> = parts.iter().map(|part| Passing::of(part, format)).collect();
    let timing = belt::pass(rig, &passing);
    let delay = rig.camera.take_worst_delay();
    let said = daemon.stop(&mut rig.machine)?;
    ensure!(
        said.len() == parts.len(),
        "{} parts passed the eye, the program counted {}",
        parts.len(),
        said.len()
    );
    for (n, (part, said)) in parts.iter().zip(&said).enumerate() {
        let host = part.verdict(format);
        let score = said
            .score
            .with_context(|| format!("part {n} was not judged: {:?}", said.cause))?;
        ensure!(
            score == host.score,
            "part {n} has score {score}, on the host its frame has {}",
            host.score
        );
        let cause = said.cause.as_deref().unwrap_or("nothing");
        ensure!(
            said.reject == host.reject,
            "part {n} was rejected for {cause}, on the host: {}",
            host.reject
        );
    }
    let timing = timing?;
    Ok(format!(
        "{} parts, {} rejected, no other; each score the host's; {timing}; frames up to {:.1} ms late",
        parts.len(),
        timing.pulses,
        delay.as_secs_f64() * 1e3
    ))
}

/// A good part and a bad one, both clearly so.
pub(super) fn good_and_bad(rig: &Rig) -> Result<[Passing; 2]> {
    let find = |reject| {
        let is_clear = |part: &&Part| {
            let verdict = part.verdict(Format::Mjpeg);
            verdict.reject == reject && verdict.bears(CLEAR)
        };
        let part = rig.parts.iter().find(is_clear);
        let part =
            part.with_context(|| format!("no part that is clearly {}", if reject { "bad" } else { "good" }))?;
        anyhow::Ok(Passing::of(part, Format::Mjpeg))
    };
    Ok([find(false)?, find(true)?])
}
