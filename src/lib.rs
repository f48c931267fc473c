//! The library behind the `beltwatch` daemon; see ARCHITECTURE.md for the way of a frame.
#![deny(unsafe_code)]

pub mod board;
pub mod capture;
pub mod check;
pub mod display;
pub mod gpio;
pub mod guard;
pub mod inputs;
pub mod line;
pub mod outputs;
pub mod realtime;
pub mod record;
pub mod store;
pub mod time;
