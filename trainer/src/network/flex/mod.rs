//! The network's heavy operations on the CPU, as nodes of burn's automatic differentiation.

mod blocks;
mod columns;
mod convolution;
mod normalise;
mod ssim;
#[cfg(test)]
mod tests;

use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use burn_flex::FlexTensor;

use super::kernels::Kernels;
use super::moments::Moments;

type Diff = Autodiff<Flex>;

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The values of a contiguous tensor.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice()
        .expect("made contiguous, and the network's values are f32")
}

fn primitive<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> FloatTensor<B> {
    tensor.into_primitive().tensor()
}

fn wrap<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

/// Moments as tensors without gradient.
fn moments<B: Backend>([mean, variance]: [Vec<f32>; 2], device: &B::Device) -> Moments<B> {
    let column = |values: Vec<f32>| {
        let shape = [values.len(), 1];
        Tensor::from_data(TensorData::new(values, shape), device)
    };
    Moments {
        mean: column(mean),
        variance: column(variance),
    }
}

impl Kernels for Flex {
    fn down(x: Tensor<Self, 4>, weight: Tensor<Self, 4>) -> Tensor<Self, 4> {
        wrap(convolution::down(&primitive(x).to_contiguous(), &primitive(weight)).0)
    }

    fn up(x: Tensor<Self, 4>, weight: Tensor<Self, 4>) -> Tensor<Self, 4> {
        wrap(convolution::up(&primitive(x).to_contiguous(), &primitive(weight)))
    }

    fn normalise_relu(
        x: Tensor<Self, 2>,
        scale: Tensor<Self, 2>,
        shift: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Moments<Self>) {
        let device = x.device();
        let [x, scale, shift] = [x, scale, shift].map(|t| primitive(t).to_contiguous());
        let (y, of) = normalise::normalise_relu(&x, &scale, &shift);
        (wrap(y), moments(of, &device))
    }

    fn ssim(a: Tensor<Self, 3>, b: Tensor<Self, 3>) -> Tensor<Self, 1> {
        wrap(ssim::ssim(&primitive(a), &primitive(b)))
    }

    fn cut(x: Tensor<Self, 3>, grid: usize) -> Tensor<Self, 3> {
        wrap(blocks::cut(&primitive(x), grid))
    }

    fn join(blocks: Tensor<Self, 3>, grid: usize) -> Tensor<Self, 3> {
        wrap(blocks::join(&primitive(blocks), grid))
    }
}

impl Kernels for Diff {
    fn down(x: Tensor<Self, 4>, weight: Tensor<Self, 4>) -> Tensor<Self, 4> {
        wrap(convolution::tracked_down(primitive(x), primitive(weight)))
    }

    fn up(x: Tensor<Self, 4>, weight: Tensor<Self, 4>) -> Tensor<Self, 4> {
        wrap(convolution::tracked_up(primitive(x), primitive(weight)))
    }

    fn normalise_relu(
        x: Tensor<Self, 2>,
        scale: Tensor<Self, 2>,
        shift: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Moments<Self>) {
        let device = x.device();
        let (y, of) = normalise::tracked([x, scale, shift].map(primitive));
        (wrap(y), moments(of, &device))
    }

    fn ssim(a: Tensor<Self, 3>, b: Tensor<Self, 3>) -> Tensor<Self, 1> {
        wrap(ssim::tracked(primitive(a), &primitive(b)))
    }

    fn cut(x: Tensor<Self, 3>, grid: usize) -> Tensor<Self, 3> {
        wrap(blocks::tracked_cut(primitive(x), grid))
    }

    fn join(blocks: Tensor<Self, 3>, grid: usize) -> Tensor<Self, 3> {
        wrap(blocks::tracked_join(primitive(blocks), grid))
    }
}
