//! The partition memory bank (PMB), after Xing and Li (2023), with channel queries.

use burn::module::{Module, Param};
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::kernels::Kernels;
use crate::rng::Rng;

/// Added to a squared length before its root: the gradient at the zero vector (a channel that is off) stays
/// finite.
pub const LENGTH_EPSILON: f32 = 1e-12;

/// The feature C x H x W is cut into `grid` x `grid` blocks; each block owns its items, and each channel of
/// the block is a query that carries the block's whole spatial context.
#[derive(Module, Debug)]
pub struct TrainedMemory<B: Backend> {
    /// `[grid * grid, items, (H / grid) * (W / grid)]`.
    pub values: Param<Tensor<B, 3>>,
    grid: usize,
    temperature: f32,
}

impl<B: Backend> TrainedMemory<B> {
    /// Items drawn from U(-1/sqrt d, 1/sqrt d), d being the pixels of a block.
    pub fn new(
        grid: usize,
        items: usize,
        feature: usize,
        temperature: f32,
        rng: &mut Rng,
        device: &B::Device,
    ) -> Self {
        let dimension = (feature / grid).pow(2);
        let bound = 1.0 / (dimension as f32).sqrt();
        let values = (0..grid * grid * items * dimension)
            .map(|_| rng.range(-bound, bound))
            .collect();
        let values = TensorData::new(values, [grid * grid, items, dimension]);
        Self {
            values: Param::from_data(values, device),
            grid,
            temperature,
        }
    }

    /// Blocks along each axis.
    pub fn grid(&self) -> usize {
        self.grid
    }

    /// Temperature of the softmax.
    pub fn temperature(&self) -> f32 {
        self.temperature
    }
}

impl<B: Kernels> TrainedMemory<B> {
    /// Redraws `x` (C x N x S x S) from the items. Also returns the mean entropy of the addressing in nats,
    /// `[1]`.
    pub fn forward(&self, x: Tensor<B, 4>) -> (Tensor<B, 4>, Tensor<B, 1>) {
        let dims = x.dims();
        let [channels, pictures, size, _] = dims;
        let (grid, queries) = (self.grid, channels * pictures);
        let values = self.values.val();
        let query = B::cut(x.reshape([queries, size, size]), grid);
        // The query's length divides the products, not the query: one column instead of a copy of the
        // feature.
        let cosine = query
            .clone()
            .matmul((values.clone() / length(values.clone())).swap_dims(1, 2))
            / length(query);
        let address = address(softmax(cosine / self.temperature, 2));
        let entropy =
            (address.clone() * (address.clone() + 1e-12).log()).sum().neg() / (grid * grid * queries) as f32;
        let y = B::join(address.matmul(values), grid).reshape(dims);
        (y, entropy)
    }
}

/// Length of the vectors along the last axis, kept as an axis of one.
fn length<B: Backend>(vectors: Tensor<B, 3>) -> Tensor<B, 3> {
    (vectors.square().sum_dim(2) + LENGTH_EPSILON).sqrt()
}

/// Hard shrinkage (Gong et al. 2019): `relu(a - 1/N) a / (|a - 1/N| + 1e-12)` keeps what is above the mean
/// and drops the rest, so a constant mask says the same. The best item is always kept, or a flat address
/// would have no gradient; of several equally good ones all are. The kept weights sum to 1.
fn address<B: Backend>(weights: Tensor<B, 3>) -> Tensor<B, 3> {
    let free = weights.clone().detach();
    let items = free.dims()[2];
    let best = free.clone().max_dim(2).clamp_max(1.0 / items as f32);
    let kept = weights * free.greater_equal(best).float();
    kept.clone() / kept.sum_dim(2)
}
