//! What the gate's schedule switches. The list of back ends: simulated.

use std::sync::{Arc, Mutex, PoisonError};

use super::Switch;
use crate::time::{Clock, MonoNanos};

/// A digital output.
pub trait Output: Send {
    /// Switches it now and returns when that was done.
    fn set(&mut self, open: bool) -> MonoNanos;
}

/// An output that remembers every change, for the simulated belt and tests. It starts closed and closes on drop.
#[derive(Debug)]
pub struct SimulatedOutput {
    switches: Arc<Mutex<Vec<Switch>>>,
}

impl SimulatedOutput {
    /// The output and the record of its changes, which has room for `capacity` of them before it must grow.
    pub fn new(capacity: usize) -> (Self, Arc<Mutex<Vec<Switch>>>) {
        let switches = Arc::new(Mutex::new(Vec::with_capacity(capacity)));
        (Self { switches: Arc::clone(&switches) }, switches)
    }
}

impl Output for SimulatedOutput {
    fn set(&mut self, open: bool) -> MonoNanos {
        let at = MonoNanos::now();
        self.switches.lock().unwrap_or_else(PoisonError::into_inner).push(Switch { at, open });
        at
    }
}

impl Drop for SimulatedOutput {
    fn drop(&mut self) {
        let open = self.switches.lock().unwrap_or_else(PoisonError::into_inner).last().is_some_and(|s| s.open);
        if open {
            self.set(false);
        }
    }
}

/// Whether a recorded output was open at some time.
pub fn open_at(switches: &[Switch], at: MonoNanos) -> bool {
    let after = switches.partition_point(|s| s.at <= at);
    after > 0 && switches[after - 1].open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_tells_the_level_at_any_time_and_drop_closes() {
        let (mut output, record) = SimulatedOutput::new(4);
        let opened = output.set(true);
        drop(output);
        let switches = record.lock().expect("not poisoned").clone();
        assert_eq!(switches.iter().map(|s| s.open).collect::<Vec<_>>(), [true, false]);
        assert!(open_at(&switches, opened));
        assert!(!open_at(&switches, MonoNanos(opened.0 - 1)));
        assert!(!open_at(&switches, MonoNanos::now()));
    }
}
