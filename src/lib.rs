//! The library behind the `beltwatch` daemon; see ARCHITECTURE.md for the way of a frame.
#![deny(unsafe_code)]

pub mod picture;
