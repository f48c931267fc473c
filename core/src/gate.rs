//! The reject gate: pulses that merge, never longer than the actuator bears.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::MonoNanos;

/// Times of the reject actuator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateSettings {
    /// Length of a pulse.
    pub pulse: Duration,
    /// The longest that pulses may make together without a pause.
    pub max_on: Duration,
}

/// What a shot did to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shot {
    /// It opens.
    Opens,
    /// It was open and stays so for longer.
    Extends,
    /// It was open and closes before this pulse's end, because of `max_on`.
    Cut,
}

#[derive(Debug)]
pub(crate) struct Gate {
    settings: GateSettings,
    /// Since when and until when.
    open: Option<(MonoNanos, MonoNanos)>,
}

impl Gate {
    pub(crate) fn new(settings: GateSettings) -> Self {
        Self { settings, open: None }
    }

    /// A pulse from `at`. What is due before must have been done: see [`Gate::due`].
    pub(crate) fn fire(&mut self, at: MonoNanos) -> Shot {
        let end = at + self.settings.pulse;
        match &mut self.open {
            None => {
                self.open = Some((at, at + self.settings.pulse.min(self.settings.max_on)));
                Shot::Opens
            }
            Some((since, until)) => {
                let limit = *since + self.settings.max_on;
                *until = end.min(limit).max(*until);
                if end > limit { Shot::Cut } else { Shot::Extends }
            }
        }
    }

    /// When it closes, if it is open.
    pub(crate) fn due(&self) -> Option<MonoNanos> {
        self.open.map(|(_, until)| until)
    }

    /// It closes.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(pulse: u64, max_on: u64) -> Gate {
        Gate::new(GateSettings {
            pulse: Duration::from_nanos(pulse),
            max_on: Duration::from_nanos(max_on),
        })
    }

    #[test]
    fn pulses_that_overlap_are_one() {
        let mut gate = gate(50, 1000);
        assert_eq!(gate.fire(MonoNanos(100)), Shot::Opens);
        assert_eq!(gate.fire(MonoNanos(150)), Shot::Extends);
        assert_eq!(gate.fire(MonoNanos(190)), Shot::Extends);
        assert_eq!(gate.due(), Some(MonoNanos(240)));
        gate.close();
        assert_eq!((gate.due(), gate.fire(MonoNanos(300))), (None, Shot::Opens));
    }

    #[test]
    fn never_longer_than_max_on() {
        let mut gate = gate(50, 120);
        let shots = [100, 140, 170, 180].map(|t| gate.fire(MonoNanos(t)));
        assert_eq!(shots, [Shot::Opens, Shot::Extends, Shot::Extends, Shot::Cut]);
        assert_eq!(gate.due(), Some(MonoNanos(220)));
    }
}
