//! The network's two convolutions, per backend.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};

/// A backend that can run the network. All features are C x N x H x W.
pub trait Kernels: Backend {
    /// Convolution with a 3x3 `weight` `[outputs, inputs, 3, 3]`, stride 2, padding 1.
    fn down(x: Tensor<Self, 4>, weight: Tensor<Self, 4>) -> Tensor<Self, 4> {
        let options = ConvOptions::new([2, 2], [1, 1], [1, 1], 1);
        conv2d(x.swap_dims(0, 1), weight, None, options).swap_dims(0, 1)
    }

    /// Transposed convolution with a 4x4 `weight` `[inputs, outputs, 4, 4]`, stride 2, padding 1.
    fn up(x: Tensor<Self, 4>, weight: Tensor<Self, 4>) -> Tensor<Self, 4> {
        let options = ConvTransposeOptions::new([2, 2], [1, 1], [0, 0], [1, 1], 1);
        conv_transpose2d(x.swap_dims(0, 1), weight, None, options).swap_dims(0, 1)
    }
}

impl Kernels for burn::backend::Flex {}
impl Kernels for burn::backend::Autodiff<burn::backend::Flex> {}
