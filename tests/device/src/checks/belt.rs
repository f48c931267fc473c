//! Parts on the belt: the eye's edges, the frames that show them, and what the gate must do.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::pulses::{Expected, Timing, compare};
use crate::camera::{Format, Picture};
use crate::machine::gpio::Pin;
use crate::oracle::Part;
use crate::rig::{Mutant, Rig, sleep_until};

/// How long a part is before the eye.
const BEAM: Duration = Duration::from_millis(40);
/// From the first part's planning to its edge.
const LEAD: Duration = Duration::from_millis(300);

/// A part that passes the eye, and what must become of it.
#[derive(Clone)]
pub(super) struct Passing {
    pub(super) picture: Picture,
    pub(super) reject: bool,
}

impl Passing {
    pub(super) fn of(part: &Part, format: Format) -> Self {
        Self {
            picture: part.picture.clone(),
            reject: part.verdict(format).reject,
        }
    }
}

/// Lets parts pass; how well the gate kept its times.
///
/// # Errors
/// A part that got no pulse, or another one.
pub(super) fn pass(rig: &mut Rig, parts: &[Passing]) -> Result<Timing> {
    let board = rig.board()?;
    let [camera, gate, pulse] = ["camera.distance", "gate.distance", "gate.pulse"].map(|key| board.time(key));
    let (camera, gate, pulse) = (camera?, gate?, pulse?);
    let begin = Instant::now();
    let mut expected = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        let eye = begin + LEAD + rig.period() * n as u32;
        rig.camera.expose(eye + camera, &shown(rig.mutant, parts, n));
        sleep_until(eye);
        let before = Instant::now();
        rig.machine.gpio.drive(Pin::Eye, true)?;
        // the guest saw it at some time between the command and its answer
        let known_to = before.elapsed() / 2;
        expected.push(Expected {
            at: before + known_to + gate,
            known_to,
            reject: part.reject,
        });
        sleep_until(eye + BEAM);
        rig.machine.gpio.drive(Pin::Eye, false)?;
    }
    let last = expected.last().map_or(begin, |part| part.at);
    sleep_until(last + pulse + rig.tolerance * 2);
    let edges = rig.machine.gpio.edges(Pin::Gate, begin);
    compare(&expected, &edges, pulse, rig.tolerance).map_err(|wrong| anyhow!(wrong))
}

/// What the camera shows of a part.
fn shown(mutant: Option<Mutant>, parts: &[Passing], n: usize) -> Picture {
    let other = match mutant {
        Some(Mutant::StaleFrame) => n.saturating_sub(1),
        Some(Mutant::SwappedPictures) => (n ^ 1).min(parts.len() - 1),
        _ => n,
    };
    parts[other].picture.clone()
}
