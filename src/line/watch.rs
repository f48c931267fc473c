//! The watch over the stages: FAULT and a silent heartbeat where one stands still, the service manager's
//! watchdog, and an end that does not take for ever.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use beltwatch_core::{Command, Device, Input, MonoNanos};
use sd_notify::NotifyState;

use super::queue::Sender;
use super::wiring::Shared;
use crate::clock::Clock;

const PERIOD: Duration = Duration::from_millis(10);
/// The service manager hears from a line that advances this often.
const NOTIFY: Duration = Duration::from_millis(500);
/// Parts that are still on a belt that stopped are given up after this.
const DRAIN: Duration = Duration::from_secs(20);

pub(super) struct Watch<'q> {
    pub(super) limit: Duration,
    pub(super) commands: &'q Mutex<Sender<'q, Input>>,
    pub(super) shared: &'q Shared,
    pub(super) stop: &'q AtomicBool,
}

impl Watch<'_> {
    pub(super) fn run(&self) {
        let mut hung = None;
        let mut notified = MonoNanos(0);
        let mut stopped: Option<MonoNanos> = None;
        notify(&[NotifyState::Ready]);
        while !self.shared.core_ended.load(Ordering::Acquire) {
            std::thread::sleep(PERIOD);
            let now = MonoNanos::now();
            let stage = self.shared.stages.hung(now, self.limit);
            if stage != hung {
                match stage.or(hung) {
                    Some(s) if stage.is_some() => log::error!("the {s} stage stands still"),
                    Some(s) => log::info!("the {s} stage advances again"),
                    None => {}
                }
                hung = stage;
                self.send(Input::Device {
                    device: Device::Stages,
                    up: stage.is_none(),
                });
            }
            if hung.is_none() && now.since(notified) >= NOTIFY {
                notified = now;
                notify(&[NotifyState::Watchdog]);
            }
            if self.stop.load(Ordering::Relaxed) && stopped.is_none() {
                stopped = Some(now);
                notify(&[NotifyState::Stopping]);
                self.send(Input::Command(Command::Halt));
            }
            if stopped.is_some_and(|at| now.since(at) > DRAIN) {
                log::error!("the belt did not bring its parts to the gate: ending without them");
                // the guard process sees to the outputs
                std::process::abort();
            }
        }
    }

    fn send(&self, input: Input) {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.send_when_room(input, || self.shared.core_ended.load(Ordering::Acquire));
    }
}

/// Without a service manager nobody listens.
fn notify(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}
