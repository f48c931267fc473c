//! The camera fails and comes back, again and again.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::belt::{self, Passing};
use super::inspection;
use crate::camera::{Fault, Format};
use crate::daemon::Daemon;
use crate::machine::gpio::Pin;
use crate::rig::Rig;

/// From a failure to FAULT, and back to READY.
const NOTICED: Duration = Duration::from_secs(8);
const BACK: Duration = Duration::from_secs(30);
/// Memory that may be more at the end than once it has settled, in KiB.
const MORE_MEMORY: u64 = 1024;
/// What the shipped program may take, in KiB: the README promises it. Its memory is locked.
const MOST_MEMORY: u64 = 64 << 10;
/// Cycles after which memory has settled: the program keeps the pictures of its last 32 rejects.
const SETTLED: usize = 36;

/// Parts of a cycle: one while it has failed, a good and a bad one afterwards.
const PARTS: usize = 3;

/// How the camera fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    Frames(Fault),
    Unplugged,
}

const FAILURES: [Failure; 4] = [
    Failure::Frames(Fault::Frozen),
    Failure::Frames(Fault::Flagged),
    Failure::Frames(Fault::Truncated),
    Failure::Unplugged,
];

/// FAULT and no READY while it has failed, and parts that come then leave; afterwards all is as before.
pub(super) fn camera(rig: &mut Rig) -> Result<String> {
    rig.camera.plug_with(&[Format::Mjpeg])?;
    let board = rig.board_for(Format::Mjpeg)?;
    let daemon = Daemon::start(&mut rig.machine, &board)?;
    let [good, bad] = inspection::good_and_bad(rig)?;
    // whatever it shows: no frame of it can be judged
    let unseen = Passing {
        reject: true,
        ..good.clone()
    };
    let (mut noticed, mut back) = (Duration::ZERO, Duration::ZERO);
    let mut settled = None;
    for cycle in 0..rig.cycles {
        let failure = FAILURES[cycle % FAILURES.len()];
        let what = || format!("cycle {cycle}, {failure:?}");
        noticed = noticed.max(fail(rig, failure).with_context(what)?);
        belt::pass(rig, std::slice::from_ref(&unseen))
            .with_context(what)
            .context("while it has failed")?;
        back = back.max(recover(rig, failure).with_context(what)?);
        ensure!(
            rig.camera.controls().manual_exposure,
            "{}: exposure is automatic afterwards",
            what()
        );
        belt::pass(rig, &[good.clone(), bad.clone()])
            .with_context(what)
            .context("afterwards")?;
        if cycle + 1 == SETTLED.min(rig.cycles) {
            settled = Some(daemon.holds(&mut rig.machine)?);
        }
    }
    let (end, settled) = (daemon.holds(&mut rig.machine)?, settled.context("no cycle")?);
    ensure!(
        end.resident_kib <= MOST_MEMORY,
        "{} KiB of memory, {MOST_MEMORY} were promised",
        end.resident_kib
    );
    let more = end.resident_kib.saturating_sub(settled.resident_kib);
    ensure!(
        more <= MORE_MEMORY,
        "{more} KiB more memory after {} cycles",
        rig.cycles
    );
    let memory = match rig.cycles.checked_sub(SETTLED + 1) {
        Some(_) => format!("{more} KiB more in the last {}", rig.cycles - SETTLED),
        None => format!("memory not judged in less than {} cycles", SETTLED + 1),
    };
    ensure!(
        end.descriptors <= settled.descriptors,
        "{settled:?} became {end:?}: descriptors leak"
    );
    let said = daemon.stop(&mut rig.machine)?;
    let wanted: [_; PARTS] = [Some("no-image"), None, Some("defect")];
    ensure!(
        said.len() == PARTS * rig.cycles,
        "{} parts were counted in {} cycles",
        said.len(),
        rig.cycles
    );
    for (n, (said, wanted)) in said.iter().zip(wanted.iter().cycle()).enumerate() {
        let cause = said.cause.as_deref();
        ensure!(
            cause == *wanted,
            "cycle {}: a part was rejected for {cause:?}, not {wanted:?}",
            n / PARTS
        );
    }
    let (noticed, back) = (noticed.as_secs_f64(), back.as_secs_f64());
    Ok(format!(
        "{} cycles, FAULT within {noticed:.1} s, READY again within {back:.1} s, {} MiB, {memory}, {} \
         descriptors",
        rig.cycles,
        end.resident_kib >> 10,
        end.descriptors
    ))
}

/// The inspection hangs over a part: that one leaves unjudged, FAULT says so, and nobody is told that all is
/// well.
pub(super) fn hung(rig: &mut Rig) -> Result<String> {
    rig.camera.plug_with(&[Format::Mjpeg])?;
    let mut board = rig.board_for(Format::Mjpeg)?;
    board.fail("inspection", "hang", 1)?;
    let limit = board.time("watchdog.stage")?;
    let daemon = Daemon::start(&mut rig.machine, &board)?;
    let [good, _] = inspection::good_and_bad(rig)?;
    let unjudged = Passing {
        reject: true,
        ..good.clone()
    };
    let begin = Instant::now();
    belt::pass(rig, &[good, unjudged])?;
    wait(rig, true, limit + NOTICED)?;
    let noticed = begin.elapsed();
    daemon.signal(&mut rig.machine, "KILL")?;
    Ok(format!(
        "its part left, FAULT {:.1} s after the first part, limit {} s",
        noticed.as_secs_f64(),
        limit.as_secs()
    ))
}

fn fail(rig: &mut Rig, failure: Failure) -> Result<Duration> {
    let start = Instant::now();
    match failure {
        Failure::Frames(fault) => rig.camera.set_fault(fault),
        Failure::Unplugged => rig.camera.unplug(),
    }
    wait(rig, true, NOTICED)?;
    Ok(start.elapsed())
}

fn recover(rig: &mut Rig, failure: Failure) -> Result<Duration> {
    let start = Instant::now();
    match failure {
        Failure::Frames(_) => rig.camera.set_fault(Fault::None),
        Failure::Unplugged => rig.camera.plug()?,
    }
    wait(rig, false, BACK)?;
    Ok(start.elapsed())
}

/// Waits for FAULT and READY to say that something is wrong, or that nothing is.
fn wait(rig: &mut Rig, fault: bool, patience: Duration) -> Result<()> {
    let gpio = &mut rig.machine.gpio;
    let levels = |high| if high { "high" } else { "low" };
    for (pin, level) in [(Pin::Fault, fault), (Pin::Ready, !fault)] {
        let came = gpio.wait_level(pin, level, patience)?;
        ensure!(
            came.is_some(),
            "{pin:?} is not {} after {patience:?}",
            levels(level)
        );
    }
    Ok(())
}
