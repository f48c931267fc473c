//! Settings that are measured on normal pictures: noise map, HEE's cap, threshold. Pure: numbers in, numbers out.

pub mod noise;
pub mod quantile;
pub mod scoring;
pub mod threshold;

pub use noise::noise_map;
pub use threshold::{Threshold, threshold};
