//! The operator's screen: drawn in memory, shown by a back end.

mod draw;
mod frame;
mod text;
mod view;
mod words;

pub use draw::draw;
pub use frame::{Frame, Rotation};
pub use view::{LastPart, LastReject, Reject, TREND, TrendPoint, View};
