//! Mean and variance of features.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Added to the variance.
pub const EPSILON: f32 = 1e-5;

/// Mean and variance of each channel, `[C, 1]` each.
#[derive(Clone, Debug)]
pub struct Moments<B: Backend> {
    /// Mean over the batch and all places.
    pub mean: Tensor<B, 2>,
    /// Biased variance over the batch and all places.
    pub variance: Tensor<B, 2>,
}
