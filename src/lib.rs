//! The library behind the `beltwatch` daemon; see ARCHITECTURE.md for the way of a frame.
#![deny(unsafe_code)]

pub mod board;
pub mod check;
pub mod clock;
pub mod devices;
pub mod guard;
pub mod keep;
pub mod line;
pub mod units;
