//! Batch normalisation over the rows of a matrix.
//!
//! Features travel as C x N x H x W, so each channel of the whole batch is one contiguous row: means are sums along
//! memory, where the usual N x C x H x W costs a strided walk.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Added to the variance.
pub const EPSILON: f32 = 1e-5;

/// Scale and shift of each channel.
#[derive(Module, Debug)]
pub struct BatchNorm<B: Backend> {
    /// `[C, 1]`.
    pub scale: Param<Tensor<B, 2>>,
    /// `[C, 1]`.
    pub shift: Param<Tensor<B, 2>>,
}

/// Mean and variance of each channel, `[C, 1]` each.
#[derive(Clone, Debug)]
pub struct Moments<B: Backend> {
    /// Mean over the batch and all places.
    pub mean: Tensor<B, 2>,
    /// Biased variance over the batch and all places.
    pub variance: Tensor<B, 2>,
}

impl<B: Backend> BatchNorm<B> {
    /// Scale 1, shift 0.
    pub fn new(channels: usize, device: &B::Device) -> Self {
        Self {
            scale: Param::from_tensor(Tensor::ones([channels, 1], device)),
            shift: Param::from_tensor(Tensor::zeros([channels, 1], device)),
        }
    }

    /// Normalises `x` (C x N x H x W) by its own moments, or by `fixed` ones, then applies a ReLU.
    /// Returns the moments used.
    pub fn forward_relu(&self, x: Tensor<B, 4>, fixed: Option<&Moments<B>>) -> (Tensor<B, 4>, Moments<B>) {
        let dims = x.dims();
        let rows = x.reshape([dims[0], dims[1] * dims[2] * dims[3]]);
        let mean = fixed.map_or_else(|| rows.clone().mean_dim(1), |moments| moments.mean.clone());
        // Centred before squaring: E[x^2] - E[x]^2 cancels in single precision.
        let centred = rows - mean.clone();
        let variance = fixed.map_or_else(|| centred.clone().square().mean_dim(1), |moments| moments.variance.clone());
        let scale = self.scale.val() / (variance.clone() + EPSILON).sqrt();
        let y = burn::tensor::activation::relu(centred * scale + self.shift.val());
        (y.reshape(dims), Moments { mean: mean.detach(), variance: variance.detach() })
    }
}
