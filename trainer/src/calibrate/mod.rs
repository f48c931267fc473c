//! Settings that are measured on normal pictures: noise map, HEE's cap, threshold. Pure: numbers in, numbers out.

pub mod choice;
pub mod noise;
pub mod outliers;
pub mod promise;
pub mod quantile;
pub mod scoring;
pub mod threshold;

pub use noise::{Noise, even_noise_map, noise_map};
pub use threshold::{Threshold, threshold};
