//! The network's heavy operations, per backend.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};

use super::moments::{EPSILON, Moments};
use super::ssim;

/// A backend that can run the network. All features are C x N x H x W.
///
/// The provided methods are made of burn's own operations and serve every backend. The CPU has faster ones in
/// [`super::flex`]: stock convolutions and norms spend most of a step in strided walks.
pub trait Kernels: Backend {
    /// Convolution with a 3x3 `weight` `[outputs, inputs, 3, 3]`, stride 2, padding 1.
    fn down(x: Tensor<Self, 4>, weight: Tensor<Self, 4>) -> Tensor<Self, 4> {
        stock_down(x, weight)
    }

    /// Transposed convolution with a 4x4 `weight` `[inputs, outputs, 4, 4]`, stride 2, padding 1.
    fn up(x: Tensor<Self, 4>, weight: Tensor<Self, 4>) -> Tensor<Self, 4> {
        stock_up(x, weight)
    }

    /// Normalises the rows of `x` `[C, length]` by their own moments, scales and shifts them (`[C, 1]` each),
    /// and applies a ReLU. The moments returned carry no gradient.
    fn normalise_relu(
        x: Tensor<Self, 2>,
        scale: Tensor<Self, 2>,
        shift: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Moments<Self>) {
        stock_normalise_relu(x, scale, shift)
    }

    /// The mean structural similarity of planes `[planes, S, S]` with values in [-1, 1], `[1]`. The gradient
    /// goes to `a`, `b` is what it should be.
    fn ssim(a: Tensor<Self, 3>, b: Tensor<Self, 3>) -> Tensor<Self, 1> {
        ssim::stock(a, b)
    }

    /// Cuts `x` `[planes, S, S]` into `grid` x `grid` blocks of h x h: `[grid * grid, planes, h * h]`.
    fn cut(x: Tensor<Self, 3>, grid: usize) -> Tensor<Self, 3> {
        stock_cut(x, grid)
    }

    /// Puts blocks `[grid * grid, planes, h * h]` back to their places: `[planes, S, S]`.
    fn join(blocks: Tensor<Self, 3>, grid: usize) -> Tensor<Self, 3> {
        stock_join(blocks, grid)
    }
}

pub(super) fn stock_down<B: Backend>(x: Tensor<B, 4>, weight: Tensor<B, 4>) -> Tensor<B, 4> {
    let options = ConvOptions::new([2, 2], [1, 1], [1, 1], 1);
    conv2d(x.swap_dims(0, 1), weight, None, options).swap_dims(0, 1)
}

pub(super) fn stock_up<B: Backend>(x: Tensor<B, 4>, weight: Tensor<B, 4>) -> Tensor<B, 4> {
    let options = ConvTransposeOptions::new([2, 2], [1, 1], [0, 0], [1, 1], 1);
    conv_transpose2d(x.swap_dims(0, 1), weight, None, options).swap_dims(0, 1)
}

pub(super) fn stock_normalise_relu<B: Backend>(
    x: Tensor<B, 2>,
    scale: Tensor<B, 2>,
    shift: Tensor<B, 2>,
) -> (Tensor<B, 2>, Moments<B>) {
    let mean = x.clone().mean_dim(1);
    // Centred before squaring: E[x^2] - E[x]^2 cancels in single precision.
    let centred = x - mean.clone();
    let variance = centred.clone().square().mean_dim(1);
    let scale = scale / (variance.clone() + EPSILON).sqrt();
    (
        relu(centred * scale + shift),
        Moments {
            mean: mean.detach(),
            variance: variance.detach(),
        },
    )
}

pub(super) fn stock_cut<B: Backend>(x: Tensor<B, 3>, grid: usize) -> Tensor<B, 3> {
    let [planes, size, _] = x.dims();
    let block = size / grid;
    let blocks = x
        .reshape([planes, grid, block, grid, block])
        .permute([1, 3, 0, 2, 4]);
    blocks.reshape([grid * grid, planes, block * block])
}

pub(super) fn stock_join<B: Backend>(blocks: Tensor<B, 3>, grid: usize) -> Tensor<B, 3> {
    let [_, planes, pixels] = blocks.dims();
    let block = pixels.isqrt();
    let x = blocks
        .reshape([grid, grid, planes, block, block])
        .permute([2, 0, 3, 1, 4]);
    x.reshape([planes, grid * block, grid * block])
}

#[cfg(feature = "cuda")]
impl Kernels for burn::backend::Cuda {}
#[cfg(feature = "cuda")]
impl Kernels for burn::backend::Autodiff<burn::backend::Cuda> {}
