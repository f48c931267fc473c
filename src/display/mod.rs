//! The operator's screen: drawn in memory, shown by a back end, on a thread of its own that the line never waits for.

mod back_ends;
mod config;
mod draw;
mod frame;
mod text;
mod thread;
mod view;
mod words;

pub use back_ends::{DisplayError, Screen, open};
pub use config::{BackEnd, DisplayConfig, DrmConfig, SpiConfig, SpiModel, SpiPin};
pub use draw::draw;
pub use frame::{Frame, Rotation};
pub use thread::{Display, Feed, THREAD};
pub use view::{LastPart, LastReject, Reject, TREND, TrendPoint, View};
