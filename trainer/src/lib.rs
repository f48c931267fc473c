//! The library behind `beltwatch-train`: teaching, quantisation, export and evaluation.
#![forbid(unsafe_code)]

pub mod calibrate;
pub mod dataset;
pub mod evaluate;
mod evenly;
pub mod network;
pub mod quantise;
pub mod rng;
pub mod say;
pub mod study;
pub mod synth;
pub mod teach;
pub mod thresholds;
pub mod train;
