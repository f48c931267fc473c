//! The program dies, or stands still, while the gate is open: every output must be safe, and the next start
//! must go well.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::belt::{self, Passing};
use super::inspection;
use crate::board::Board;
use crate::camera::Format;
use crate::daemon::Daemon;
use crate::machine::gpio::Pin;
use crate::rig::{Mutant, Rig, sleep_until};

/// Long enough that a pulse's own end cannot be taken for the safe level.
const PULSE: Duration = Duration::from_secs(8);
/// A simulated belt brings parts so far apart that none comes while the one before is at the gate.
const ALONE: Duration = Duration::from_secs(12);
/// Its way from eye to gate.
const SHORT: Duration = Duration::from_secs(6);
/// From a death to the safe level, in times that a pulse may be off its plan: what an emulated core allows.
const SAFE: u32 = 10;
/// A frame's time on an emulated core, at most.
const FRAME: Duration = Duration::from_secs(3);
/// So long everything must stay safe.
const QUIET: Duration = Duration::from_secs(3);

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// A signal.
    Signal(&'static str),
    /// A stage, at the part after the one for which the gate opens, and how it fails.
    Fault(&'static str, &'static str),
}

use Death::{Fault, Signal};

const DEATHS: [(Death, &str); 6] = [
    (Signal("TERM"), "stopped (after the pulse)"),
    (Signal("KILL"), "killed"),
    (Signal("ABRT"), "aborted"),
    (Signal("STOP"), "stood still"),
    (Fault("inspection", "panic"), "panicked"),
    (Fault("core", "hang"), "gate thread hung"),
];

pub(super) fn deaths(rig: &mut Rig) -> Result<String> {
    let has_eye = rig.model.has_eye();
    if has_eye {
        rig.camera.plug_with(&[Format::Mjpeg])?;
    }
    let silence = rig.board()?.time("watchdog.gate")?;
    let safe = rig.tolerance * SAFE;
    let mut figures = Vec::new();
    // a stage fails at a part that must come right after another
    for (death, name) in DEATHS
        .into_iter()
        .filter(|(death, _)| has_eye || matches!(death, Signal(_)))
    {
        let patience = match death {
            // whose part is at the gate keeps its pulse
            Signal("TERM") => PULSE + safe,
            Signal("STOP") => safe + silence,
            Signal(_) => safe,
            Fault("core", _) => safe + silence,
            Fault(..) => safe + rig.board()?.time("camera.distance")? + FRAME,
        };
        let took = die(rig, death, patience);
        Daemon::clear_away(&mut rig.machine)?;
        figures.push(format!(
            "{name} {} ms",
            took.with_context(|| format!("{death:?}"))?.as_millis()
        ));
    }
    let board = rig.board_for(Format::Mjpeg)?;
    let daemon = Daemon::start(&mut rig.machine, &board).context("after all deaths")?;
    if has_eye {
        let parts = inspection::good_and_bad(rig)?;
        belt::pass(rig, &parts).context("after all deaths")?;
    }
    daemon.stop(&mut rig.machine)?;
    Ok(format!(
        "the open gate is shut after: {}; then READY again",
        figures.join(", ")
    ))
}

/// How long after the signal, or the part that was fatal, the gate was shut.
fn die(rig: &mut Rig, death: Death, patience: Duration) -> Result<Duration> {
    let mut board = long_pulses(&rig.board_for(Format::Mjpeg)?)?;
    if let Fault(stage, kind) = death {
        board.fail(stage, kind, 1)?;
    }
    let daemon = Daemon::start(&mut rig.machine, &board)?;
    if rig.mutant == Some(Mutant::NoGuard)
        && let Some(guard) = daemon.guard(&mut rig.machine)?
    {
        // killed, it would be replaced while the belt is empty
        rig.machine.shell.run(&format!("kill -STOP {guard}"))?;
    }
    let opened = open_gate(rig, &board)?;
    let sent = Instant::now();
    match death {
        Signal(signal) => daemon.signal(&mut rig.machine, signal)?,
        Fault(..) => {
            let [_, bad] = inspection::good_and_bad(rig)?;
            pass_eye(rig, &board, &bad, sent)?;
        }
    }
    let shut = rig
        .machine
        .gpio
        .wait(Pin::Gate, false, opened, patience)
        .context("the gate stays open")?;
    if death == Signal("TERM") {
        let cut = PULSE.saturating_sub(shut.at - opened);
        ensure!(
            cut < rig.tolerance,
            "the pulse that was under way was cut by {cut:?}"
        );
    } else {
        ensure!(
            shut.at - opened < PULSE,
            "the pulse ended by itself: nothing is proved"
        );
    }
    let from = shut.at;
    sleep_until(from + QUIET);
    let gpio = &mut rig.machine.gpio;
    ensure!(
        gpio.edges(Pin::Gate, from).len() == 1,
        "the gate moved afterwards"
    );
    let late = from + QUIET / 2;
    ensure!(gpio.edges(Pin::Heartbeat, late).is_empty(), "the heart beats on");
    let off = [Pin::Gate, Pin::Ready, Pin::Heartbeat].map(|pin| (pin, false));
    for (pin, safe) in off.into_iter().chain([(Pin::Fault, true)]) {
        ensure!(gpio.level(pin)? == safe, "{pin:?} is not at its safe level");
    }
    Ok(shut.at.saturating_duration_since(sent))
}

fn long_pulses(board: &Board) -> Result<Board> {
    let mut board = board.clone();
    board.set("gate.pulse", format!("{} s", PULSE.as_secs()))?;
    board.set("gate.max_on", format!("{} s", PULSE.as_secs() + 1))?;
    if board.has("simulated.period") {
        board.set("simulated.period", format!("{} s", ALONE.as_secs()))?;
        // a part whose verdict is not there in time leaves, too: here only the gate matters
        board.set("camera.defect_rate", 1.0)?;
        board.set("gate.distance", format!("{} s", SHORT.as_secs()))?;
        board.set("belt.min_spacing", format!("{} s", (PULSE / 2).as_secs() + 1))?;
    }
    Ok(board)
}

/// Lets a bad part pass, or waits for the one that a simulated belt brings; when the gate opened for it.
fn open_gate(rig: &mut Rig, board: &Board) -> Result<Instant> {
    let eye = Instant::now() + Duration::from_millis(300);
    let comes = if rig.model.has_eye() {
        let [_, bad] = inspection::good_and_bad(rig)?;
        pass_eye(rig, board, &bad, eye)?;
        Duration::ZERO
    } else {
        board.time("simulated.period")?
    };
    let patience = comes + board.time("gate.distance")? + Duration::from_secs(1);
    let edge = rig
        .machine
        .gpio
        .wait(Pin::Gate, true, eye, patience)
        .context("the gate does not open for a bad part")?;
    Ok(edge.at)
}

fn pass_eye(rig: &mut Rig, board: &Board, part: &Passing, at: Instant) -> Result<()> {
    rig.camera
        .expose(at + board.time("camera.distance")?, &part.picture);
    sleep_until(at);
    rig.machine.gpio.drive(Pin::Eye, true)?;
    std::thread::sleep(Duration::from_millis(40));
    rig.machine.gpio.drive(Pin::Eye, false)
}
