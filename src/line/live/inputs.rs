//! The inputs' thread: edges to the core as they come, and inputs that are gone claimed anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use beltwatch_core::{Device, Input, MonoNanos};

use crate::board::{InputsConfig, Stage};
use crate::clock::{Clock, realtime};
use crate::devices::inputs::{self, Inputs};
use crate::line::queue::Sender;
use crate::line::stage::SLICE;
use crate::line::wiring::Shared;

/// Inputs that are gone are claimed again after this; each time that fails twice as long, up to the longest.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// Above the core's: an edge that is heard of after its level has held for long enough counts as a part.
const PRIORITY: u8 = 41;

pub(crate) struct InputStage<'q> {
    pub(crate) config: InputsConfig,
    pub(crate) inputs: Option<Box<dyn Inputs>>,
    pub(crate) to: Sender<'q, Input>,
    pub(crate) shared: &'q Shared,
    pub(crate) stop: &'q AtomicBool,
}

impl InputStage<'_> {
    /// Works until there is a wish to stop and the parts that are on the belt have passed the gate.
    pub(crate) fn run(mut self) {
        realtime::enter(PRIORITY);
        let mut back_off = BACK_OFF[0];
        while !self.is_over() {
            self.shared.stages.advanced(Stage::Belt);
            let Some(mut inputs) = self.inputs.take() else {
                match inputs::open(&self.config) {
                    Ok(inputs) => {
                        (self.inputs, back_off) = (Some(inputs), BACK_OFF[0]);
                        self.send(Input::Device {
                            device: Device::Inputs,
                            up: true,
                        });
                    }
                    Err(e) => {
                        log::warn!("{e}; trying again in {back_off:?}");
                        self.shared
                            .stages
                            .wait(Stage::Belt, MonoNanos::now() + back_off, || self.is_over());
                        back_off = (2 * back_off).min(BACK_OFF[1]);
                    }
                }
                continue;
            };
            match inputs.next(SLICE, &mut |input| self.send(input)) {
                Ok(()) => self.inputs = Some(inputs),
                Err(e) => {
                    log::error!("the inputs are gone: {e}");
                    self.send(Input::Device {
                        device: Device::Inputs,
                        up: false,
                    });
                }
            }
        }
        self.shared.stages.ended(Stage::Belt);
        self.shared.belt_ended.store(true, Ordering::Release);
        self.shared.core_bell.ring();
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) && self.shared.is_drained.load(Ordering::Acquire)
    }

    fn send(&mut self, input: Input) {
        let shared = self.shared;
        self.to
            .send_when_room(input, || shared.core_ended.load(Ordering::Acquire));
    }
}
