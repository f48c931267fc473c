//! Settings that are measured on normal pictures: noise map, HEE's cap, threshold. Pure: numbers in, numbers
//! out.

pub mod noise;
pub mod outliers;
pub mod quantile;
pub mod scoring;
pub mod threshold;

pub use noise::{Noise, even_noise_map, noise_map};
pub use threshold::{Threshold, threshold};

use beltwatch_vision::judge::score::Score;

/// Its square root. Scores are means of large deviations: their tails are about normal on this scale, while
/// logarithms make much of how parts without any deviation differ.
fn root(score: &Score) -> f64 {
    score.to_f64().sqrt()
}
