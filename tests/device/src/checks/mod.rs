//! The checks, in the order in which they run. Each returns a figure, or says what is wrong.

mod rig;

use anyhow::Result;

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
    Check { name, needs: Needs::Machine, run }
}

const fn program(name: &'static str, run: fn(&mut Rig) -> Result<String>) -> Check {
    Check { name, needs: Needs::Program, run }
}

/// All checks. The watchdog's is the last: it stops the guest's kernel.
pub(crate) const CHECKS: [Check; 5] = [
    machine("boot", rig::boot),
    machine("gpio", rig::gpio),
    machine("display", rig::display),
    machine("usb", rig::usb),
    machine("watchdog", rig::watchdog),
];
