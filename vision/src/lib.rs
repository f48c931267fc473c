//! A picture in, a score out: what the device, the trainer and the tests share of inspection. No device and
//! no thread but a [`processor::Team`]'s; time is measured for people, nothing is decided by it. See
//! ARCHITECTURE.md for the way of a frame.
#![deny(unsafe_code)]

pub mod inspect;
pub mod judge;
pub mod picture;
pub mod preprocess;
pub mod processor;
pub mod recipe;
pub mod reconstruct;
pub mod rendered;
pub mod splitmix;
