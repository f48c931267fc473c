//! The checks, in the order in which they run. Each returns a figure, or says what is wrong.

mod belt;
mod deaths;
mod faults;
mod inspection;
mod pulses;
mod rendered;
mod rig;
mod screens;

use anyhow::Result;

use crate::machine::Kind;
use crate::rig::Rig;

/// What a check cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// The emulated computer.
    Machine,
    /// The program that is to be checked, too.
    Program,
}

/// A check.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) needs: Needs,
    pub(crate) run: fn(&mut Rig) -> Result<String>,
}

const fn machine(name: &'static str, run: fn(&mut Rig) -> Result<String>) -> Check {
    Check {
        name,
        needs: Needs::Machine,
        run,
    }
}

const fn program(name: &'static str, run: fn(&mut Rig) -> Result<String>) -> Check {
    Check {
        name,
        needs: Needs::Program,
        run,
    }
}

/// The checks for a machine.
pub(crate) fn of(kind: Kind) -> &'static [Check] {
    match kind {
        Kind::Virt => &VIRT,
        Kind::Raspi3b => &RASPI3B,
    }
}

/// The watchdog's is the last: it stops the guest's kernel.
const VIRT: [Check; 13] = [
    machine("boot", rig::boot),
    machine("edges", rig::edges),
    machine("gpio", rig::gpio),
    machine("display", rig::display),
    machine("usb", rig::usb),
    program("start", inspection::start),
    program("mjpeg", inspection::mjpeg),
    program("yuyv", inspection::yuyv),
    program("camera", faults::camera),
    program("hung", faults::hung),
    program("deaths", deaths::deaths),
    program("screens", screens::screens),
    machine("watchdog", rig::watchdog),
];

const RASPI3B: [Check; 4] = [
    machine("boot", rig::boot),
    machine("edges", rig::edges),
    program("rendered", rendered::rendered),
    program("deaths", deaths::deaths),
];
