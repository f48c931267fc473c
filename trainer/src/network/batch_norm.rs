//! Batch normalisation over the rows of a matrix.
//!
//! Features travel as C x N x H x W, so each channel of the whole batch is one contiguous row: means are sums
//! along memory, where the usual N x C x H x W costs a strided walk.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;

use super::kernels::Kernels;
use super::moments::{EPSILON, Moments};

/// Scale and shift of each channel.
#[derive(Module, Debug)]
pub struct BatchNorm<B: Backend> {
    /// `[C, 1]`.
    pub scale: Param<Tensor<B, 2>>,
    /// `[C, 1]`.
    pub shift: Param<Tensor<B, 2>>,
}

impl<B: Backend> BatchNorm<B> {
    /// Scale 1, shift 0.
    pub fn new(channels: usize, device: &B::Device) -> Self {
        Self {
            scale: Param::from_tensor(Tensor::ones([channels, 1], device)),
            shift: Param::from_tensor(Tensor::zeros([channels, 1], device)),
        }
    }
}

impl<B: Kernels> BatchNorm<B> {
    /// Normalises `x` (C x N x H x W) by its own moments, or by `fixed` ones, then applies a ReLU.
    /// Returns the moments used.
    pub fn forward_relu(&self, x: Tensor<B, 4>, fixed: Option<&Moments<B>>) -> (Tensor<B, 4>, Moments<B>) {
        let dims = x.dims();
        let rows = x.reshape([dims[0], dims[1] * dims[2] * dims[3]]);
        let (scale, shift) = (self.scale.val(), self.shift.val());
        let (y, moments) = match fixed {
            None => B::normalise_relu(rows, scale, shift),
            Some(moments) => {
                let scale = scale / (moments.variance.clone() + EPSILON).sqrt();
                (
                    relu((rows - moments.mean.clone()) * scale + shift),
                    moments.clone(),
                )
            }
        };
        (y.reshape(dims), moments)
    }
}
