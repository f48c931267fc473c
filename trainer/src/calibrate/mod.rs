//! Settings that are measured on normal pictures: noise map, HEE's cap, threshold. Pure: numbers in, numbers out.

pub mod noise;
pub mod outliers;
pub mod quantile;
pub mod scoring;
pub mod threshold;

pub use noise::{Noise, even_noise_map, noise_map};
pub use threshold::{Threshold, threshold};

use beltwatch::verdict::Score;

/// Its logarithm; of none, that of the least score there is.
fn log(score: &Score) -> f64 {
    score.to_f64().max(1.0 / 256.0).ln()
}
