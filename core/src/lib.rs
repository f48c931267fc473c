//! The pure core of the line: everything between an eye edge and a pulse that needs no clock, no I/O and no
//! memory of its own. Time comes as an argument, what is decided goes to a callback. So the device, the
//! simulated belt, the tests and the replay of a record run the same code and get the same result, bit for
//! bit.
//!
//! [`Line`] puts the parts together; each of them can be read and tested alone.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod alarm;
mod along;
mod confirm;
mod counters;
mod encoder;
mod event;
mod eye;
mod gate;
mod line;
mod queue;
mod settings;
mod state;
mod time;
mod verdict;

pub use alarm::{Alarm, AlarmSettings};
pub use along::{Along, Stretch};
pub use confirm::ConfirmSettings;
pub use counters::{Counters, Rejected};
pub use encoder::EncoderSettings;
pub use event::{Action, Command, Input, OutputLine, Quality};
pub use eye::EyeSettings;
pub use gate::GateSettings;
pub use line::Line;
pub use queue::{IN_FLIGHT, Part, Tag, TrackingQueue};
pub use settings::{Scale, Settings, SettingsError, Unjudged};
pub use state::{Device, Fault, State};
pub use time::MonoNanos;
pub use verdict::{Cause, Verdict};
