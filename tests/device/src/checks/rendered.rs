//! The program's own belt, with parts that it renders: nothing is plugged in, so only outputs are seen from
//! outside, and they must do what the program's report says.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::inspection;
use super::pulses::{Expected, compare};
use crate::camera::Format;
use crate::daemon::{Daemon, PartReport};
use crate::machine::gpio::Pin;
use crate::rig::Rig;

/// Parts that begin their way before the program is told to stop; one more may.
const PARTS: u32 = 12;
/// Of these at least so many must be good, and so many bad.
const EACH: usize = 3;

/// Each part that was rejected has its pulse, at its time after the first one's, and no other part has one.
pub(super) fn rendered(rig: &mut Rig) -> Result<String> {
    let board = rig.board_for(Format::Mjpeg)?;
    let [period, pulse] = ["simulated.period", "gate.pulse"].map(|key| board.time(key));
    let (period, pulse) = (period?, pulse?);
    let begin = Instant::now();
    let daemon = Daemon::start(&mut rig.machine, &board)?;
    let until_ready = daemon.until_ready.as_secs_f64();
    let beats = inspection::is_well(&mut rig.machine.gpio, begin)?;
    std::thread::sleep(period * PARTS);
    let stopped = Instant::now();
    let said = daemon.stop(&mut rig.machine)?;
    // a computer that has other things to do may judge one too late: that leaves, too, and says as much about
    // outputs
    let good = said.iter().filter(|part| !part.reject).count();
    let bad = said
        .iter()
        .filter(|part| part.cause.as_deref() == Some("defect"))
        .count();
    ensure!(
        good >= EACH && bad >= EACH,
        "{good} good parts and {bad} bad ones: too few to prove anything"
    );

    let gpio = &mut rig.machine.gpio;
    let edges = gpio.edges(Pin::Gate, begin);
    let first = edges
        .first()
        .with_context(|| format!("{bad} parts were bad, the gate never opened"))?
        .at;
    let timing = compare(&plan(&said, first, period)?, &edges, pulse, rig.tolerance)
        .map_err(|wrong| anyhow!(wrong))?;
    // edges, for a level alone could be that of a register that is wired to nothing
    for (pin, safe) in [(Pin::Ready, false), (Pin::Fault, true), (Pin::Heartbeat, false)] {
        let last = gpio.edges(pin, begin).last().copied();
        let last = last.with_context(|| format!("{pin:?} never moved"))?;
        ensure!(
            last.high == safe && gpio.level(pin)? == safe,
            "{pin:?} is not at its safe level after the end"
        );
        ensure!(
            pin == Pin::Heartbeat || last.at > stopped,
            "{pin:?} said before the end that something was wrong"
        );
    }
    Ok(format!(
        "READY after {until_ready:.1} s, {beats} heartbeats in 2 s; {} parts, a pulse for each of {} \
         rejected, no other; {timing}; all safe after SIGTERM",
        said.len(),
        timing.pulses,
    ))
}

/// When parts are at the gate, told from the first pulse: their belt has one speed and no scatter.
fn plan(parts: &[PartReport], first: Instant, period: Duration) -> Result<Vec<Expected>> {
    let leads = parts
        .iter()
        .position(|part| part.reject)
        .context("no part was rejected")?;
    let begin = first
        .checked_sub(period * leads as u32)
        .context("a pulse before its part")?;
    let expected = |(n, part): (usize, &PartReport)| Expected {
        at: begin + period * n as u32,
        known_to: Duration::ZERO,
        reject: part.reject,
    };
    Ok(parts.iter().enumerate().map(expected).collect())
}
