//! The whole way: parts pass the eye, the network judges their frames, the gate takes out the bad ones and no other.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::belt;
use crate::camera::{Format, Picture};
use crate::daemon::Daemon;
use crate::machine::gpio::{FAULT, GATE, HEARTBEAT};
use crate::oracle::Part;
use crate::rig::Rig;

/// Parts whose frames are not compressed.
const YUYV_PARTS: usize = 20;
/// How far the score of a frame without compression may be from that of the picture that it was made of, in grey levels:
/// the way from colours to luma and chroma and back is not exact.
const YUYV_SCORE: f64 = 4.0;

/// READY comes, with the camera's automatics off; outputs as they should be.
pub(super) fn start(rig: &mut Rig) -> Result<String> {
    rig.camera.plug()?;
    let board = rig.board()?.clone();
    let begin = Instant::now();
    let daemon = Daemon::start(&mut rig.machine, &board)?;
    let gpio = &mut rig.machine.gpio;
    ensure!(!gpio.level(FAULT)?, "READY and FAULT at once");
    ensure!(gpio.edges(GATE, begin).is_empty(), "the gate moved at the start");
    let beats = Instant::now();
    std::thread::sleep(Duration::from_secs(2));
    let beats = gpio.edges(HEARTBEAT, beats).len();
    ensure!(beats > 1, "no heartbeat");
    let controls = rig.camera.controls();
    ensure!(controls.manual_exposure, "exposure is automatic");
    ensure!(controls.manual_white_balance, "white balance is automatic");
    let until_ready = daemon.until_ready.as_secs_f64();
    daemon.stop(&mut rig.machine)?;
    let (exposure, kelvin) = (controls.exposure_100us / 10, controls.white_balance_kelvin);
    Ok(format!(
        "READY after {until_ready:.1} s, {beats} heartbeats in 2 s, exposure {exposure} ms, {kelvin} K, gain {}",
        controls.gain
    ))
}

/// Frames in MJPEG: the host inspected the very same bytes, so each score must be the same.
pub(super) fn mjpeg(rig: &mut Rig) -> Result<String> {
    let parts = rig.parts.clone();
    inspect(rig, Format::Mjpeg, &parts, 0.0)
}

/// Frames without compression.
pub(super) fn yuyv(rig: &mut Rig) -> Result<String> {
    let parts: Vec<Part> = rig.parts.iter().filter(|p| p.clear).take(YUYV_PARTS).cloned().collect();
    inspect(rig, Format::Yuyv, &parts, YUYV_SCORE)
}

fn inspect(rig: &mut Rig, format: Format, parts: &[Part], score_tolerance: f64) -> Result<String> {
    rig.camera.plug_with(&[format])?;
    let board = rig.mutated_board()?;
    let daemon = Daemon::start(&mut rig.machine, &board)?;
    ensure!(rig.camera.streaming() == Some(format), "the camera was not asked for {format:?}");
    rig.camera.take_worst_delay();
    let timing = belt::pass(rig, parts);
    let delay = rig.camera.take_worst_delay();
    let said = daemon.stop(&mut rig.machine)?;
    ensure!(said.len() == parts.len(), "{} parts passed the eye, the program counted {}", parts.len(), said.len());
    let mut worst: f64 = 0.0;
    for (n, (part, said)) in parts.iter().zip(&said).enumerate() {
        let score = said.score.with_context(|| format!("part {n} was not judged: {:?}", said.cause))?;
        let off = (score - part.score).abs();
        ensure!(off <= score_tolerance, "part {n} has score {score}, on the host its frame has {}", part.score);
        ensure!(said.reject == part.reject, "part {n}: reject is {}, on the host {}", said.reject, part.reject);
        worst = worst.max(off);
    }
    let timing = timing?;
    Ok(format!(
        "{} parts, {} rejected, no other; scores within {worst} of the host's; {timing}; frames up to {:.1} ms late",
        parts.len(),
        timing.pulses,
        delay.as_secs_f64() * 1e3
    ))
}

/// Two parts that the host is sure of: a good one and a bad one.
pub(super) fn good_and_bad(rig: &Rig) -> Result<[Part; 2]> {
    let find = |reject| {
        let part = rig.parts.iter().find(|p| p.clear && p.reject == reject).cloned();
        part.with_context(|| format!("no part that is clearly {}", if reject { "bad" } else { "good" }))
    };
    Ok([find(false)?, find(true)?])
}

/// A part of which no frame may be judged, whatever it shows.
pub(super) fn unseen(picture: &Picture) -> Part {
    Part { picture: picture.clone(), reject: true, score: 0.0, clear: true }
}
