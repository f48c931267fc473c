//! The operator's screen: drawn in memory, shown by a back end, on a thread of its own that the line never
//! waits for.

mod back_ends;
mod canvas;
mod draw;
mod text;
mod thread;
mod view;
mod words;

pub use back_ends::{DisplayError, Screen, open};
pub use canvas::Canvas;
pub use draw::draw;
pub use thread::{Display, Feed, THREAD};
pub use view::{LastPart, LastReject, Reject, TREND, TrendPoint, View};
