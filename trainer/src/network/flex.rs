//! The network's heavy operations on the CPU, as nodes of burn's automatic differentiation.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Shape, Tensor, TensorData, TensorMetadata, TensorPrimitive};
use burn_flex::FlexTensor;

use super::batch_norm::Moments;
use super::blocks;
use super::columns::{fold, unfold};
use super::kernels::Kernels;
use super::normalise::{self, Normalised};

type Diff = Autodiff<Flex>;

/// Taps of the encoder's windows along each axis.
const DOWN: usize = 3;
/// Taps of the decoder's windows along each axis.
const UP: usize = 4;

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("made contiguous, and the network's values are f32")
}

fn dims(tensor: &FlexTensor) -> [usize; 4] {
    tensor.shape().dims()
}

/// `weight` `[outputs, inputs * 9]` times the windows of `x`; also returns the windows.
fn down(x: FlexTensor, weight: FlexTensor) -> (FlexTensor, FlexTensor) {
    let [channels, pictures, height, width] = dims(&x);
    let [outputs, ..] = dims(&weight);
    let taps = channels * DOWN * DOWN;
    let windows = unfold(values(&x.to_contiguous()), dims(&x), DOWN);
    let windows = tensor(windows, [taps, pictures * height / 2 * width / 2]);
    let y = product(weight.reshape(Shape::new([outputs, taps])), windows.clone());
    (y.reshape(Shape::new([outputs, pictures, height / 2, width / 2])), windows)
}

/// The windows that `weight` `[inputs, outputs * 16]` draws for each place of `x`, laid over each other.
fn up(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
    let [inputs, pictures, height, width] = dims(&x);
    let [_, outputs, ..] = dims(&weight);
    let weight = weight.reshape(Shape::new([inputs, outputs * UP * UP])).transpose(0, 1);
    let windows = product(weight, x.reshape(Shape::new([inputs, pictures * height * width])));
    let shape = [outputs, pictures, 2 * height, 2 * width];
    tensor(fold(values(&windows), shape, UP), shape)
}

fn product(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    <Flex as burn::tensor::ops::FloatTensorOps<Flex>>::float_matmul(a, b)
}

#[derive(Debug)]
struct Down;

/// Windows, weight, dimensions of the input.
type DownState = (FlexTensor, FlexTensor, [usize; 4]);

impl Backward<Flex, 2> for Down {
    type State = DownState;

    fn backward(self, ops: Ops<DownState, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let ([x, w], (windows, weight, from)) = (ops.parents, ops.state);
        let ([outputs, pictures, height, width], shape) = (dims(&dy), weight.shape());
        let dy = dy.reshape(Shape::new([outputs, pictures * height * width]));
        if let Some(node) = x {
            let weight = weight.reshape(Shape::new([outputs, from[0] * DOWN * DOWN])).transpose(0, 1);
            let windows = product(weight, dy.clone());
            grads.register::<Flex>(node.id, tensor(fold(values(&windows), from, DOWN), from));
        }
        if let Some(node) = w {
            grads.register::<Flex>(node.id, product(dy, windows.transpose(0, 1)).reshape(shape));
        }
    }
}

#[derive(Debug)]
struct Up;

impl Backward<Flex, 2> for Up {
    /// Input, weight.
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let ([x_node, w_node], (x, weight)) = (ops.parents, ops.state);
        let ([outputs, ..], from, shape) = (dims(&dy), dims(&x), weight.shape());
        let [inputs, pictures, height, width] = from;
        let (taps, places) = (outputs * UP * UP, pictures * height * width);
        let windows = tensor(unfold(values(&dy), dims(&dy), UP), [taps, places]);
        if let Some(node) = x_node {
            let dx = product(weight.reshape(Shape::new([inputs, taps])), windows.clone());
            grads.register::<Flex>(node.id, dx.reshape(Shape::new(from)));
        }
        if let Some(node) = w_node {
            let dw = product(x.reshape(Shape::new([inputs, places])), windows.transpose(0, 1));
            grads.register::<Flex>(node.id, dw.reshape(shape));
        }
    }
}

/// Input, scale, and what the forward pass gave.
#[derive(Clone, Debug)]
struct NormState(FlexTensor, FlexTensor, FlexTensor, [Vec<f32>; 2]);

#[derive(Debug)]
struct NormaliseRelu;

impl Backward<Flex, 3> for NormaliseRelu {
    type State = NormState;

    fn backward(self, ops: Ops<NormState, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let NormState(x, scale, y, [mean, variance]) = ops.state;
        let shape: [usize; 2] = x.shape().dims();
        let of = normalise::backward(values(&dy), values(&x), values(&scale), values(&y), &mean, &variance);
        for (parent, gradient) in ops.parents.into_iter().zip([
            tensor(of.x, shape),
            tensor(of.scale, [shape[0], 1]),
            tensor(of.shift, [shape[0], 1]),
        ]) {
            if let Some(node) = parent {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

fn cut(x: FlexTensor, grid: usize) -> FlexTensor {
    let [planes, size, _]: [usize; 3] = x.shape().dims();
    let block = size / grid;
    tensor(blocks::cut(values(&x.to_contiguous()), size, grid), [grid * grid, planes, block * block])
}

fn join(x: FlexTensor, grid: usize) -> FlexTensor {
    let [_, planes, pixels]: [usize; 3] = x.shape().dims();
    let size = grid * pixels.isqrt();
    tensor(blocks::join(values(&x.to_contiguous()), size, grid), [planes, size, size])
}

#[derive(Debug)]
struct Cut;

impl Backward<Flex, 1> for Cut {
    /// The grid.
    type State = usize;

    fn backward(self, ops: Ops<usize, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, grads, |dy| join(dy, ops.state));
    }
}

#[derive(Debug)]
struct Join;

impl Backward<Flex, 1> for Join {
    /// The grid.
    type State = usize;

    fn backward(self, ops: Ops<usize, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, grads, |dy| cut(dy, ops.state));
    }
}

fn normalise_relu(x: &FlexTensor, scale: &FlexTensor, shift: &FlexTensor) -> (FlexTensor, [Vec<f32>; 2]) {
    let shape: [usize; 2] = x.shape().dims();
    let Normalised { y, mean, variance } = normalise::forward(values(x), values(scale), values(shift));
    (tensor(y, shape), [mean, variance])
}

/// Moments as tensors without gradient.
fn moments<B: burn::tensor::backend::Backend>([mean, variance]: [Vec<f32>; 2], device: &B::Device) -> Moments<B> {
    let column = |values: Vec<f32>| {
        let shape = [values.len(), 1];
        Tensor::from_data(TensorData::new(values, shape), device)
    };
    Moments { mean: column(mean), variance: column(variance) }
}

fn wrap<B, const D: usize>(primitive: burn::tensor::ops::FloatTensor<B>) -> Tensor<B, D>
where
    B: burn::tensor::backend::Backend,
{
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

impl Kernels for Flex {
    fn down(x: Tensor<Self, 4>, weight: Tensor<Self, 4>) -> Tensor<Self, 4> {
        wrap(down(x.into_primitive().tensor(), weight.into_primitive().tensor()).0)
    }

    fn up(x: Tensor<Self, 4>, weight: Tensor<Self, 4>) -> Tensor<Self, 4> {
        wrap(up(x.into_primitive().tensor(), weight.into_primitive().tensor()))
    }

    fn normalise_relu(
        x: Tensor<Self, 2>,
        scale: Tensor<Self, 2>,
        shift: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Moments<Self>) {
        let device = x.device();
        let [x, scale, shift] = [x, scale, shift].map(|t| t.into_primitive().tensor().to_contiguous());
        let (y, of) = normalise_relu(&x, &scale, &shift);
        (wrap(y), moments(of, &device))
    }

    fn cut(x: Tensor<Self, 3>, grid: usize) -> Tensor<Self, 3> {
        wrap(cut(x.into_primitive().tensor(), grid))
    }

    fn join(blocks: Tensor<Self, 3>, grid: usize) -> Tensor<Self, 3> {
        wrap(join(blocks.into_primitive().tensor(), grid))
    }
}

impl Kernels for Diff {
    fn down(x: Tensor<Self, 4>, weight: Tensor<Self, 4>) -> Tensor<Self, 4> {
        let (x, weight) = (x.into_primitive().tensor(), weight.into_primitive().tensor());
        let from = dims(&x.primitive);
        let (y, windows) = down(x.primitive, weight.primitive.clone());
        let node = Down.prepare::<NoCheckpointing>([x.node, weight.node]).compute_bound().stateful();
        wrap(match node {
            OpsKind::Tracked(node) => node.finish((windows, weight.primitive, from), y),
            OpsKind::UnTracked(node) => node.finish(y),
        })
    }

    fn up(x: Tensor<Self, 4>, weight: Tensor<Self, 4>) -> Tensor<Self, 4> {
        let (x, weight) = (x.into_primitive().tensor(), weight.into_primitive().tensor());
        let y = up(x.primitive.clone(), weight.primitive.clone());
        let node = Up.prepare::<NoCheckpointing>([x.node, weight.node]).compute_bound().stateful();
        wrap(match node {
            OpsKind::Tracked(node) => node.finish((x.primitive, weight.primitive), y),
            OpsKind::UnTracked(node) => node.finish(y),
        })
    }

    fn normalise_relu(
        x: Tensor<Self, 2>,
        scale: Tensor<Self, 2>,
        shift: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Moments<Self>) {
        let device = x.device();
        let [x, scale, shift] = [x, scale, shift].map(|t| t.into_primitive().tensor());
        let [px, pscale, pshift] = [x.primitive, scale.primitive, shift.primitive].map(|t| t.to_contiguous());
        let (y, of) = normalise_relu(&px, &pscale, &pshift);
        let nodes = [x.node, scale.node, shift.node];
        let node = NormaliseRelu.prepare::<NoCheckpointing>(nodes).compute_bound().stateful();
        let state = NormState(px, pscale, y.clone(), of.clone());
        let y = match node {
            OpsKind::Tracked(node) => node.finish(state, y),
            OpsKind::UnTracked(node) => node.finish(y),
        };
        (wrap(y), moments(of, &device))
    }

    fn cut(x: Tensor<Self, 3>, grid: usize) -> Tensor<Self, 3> {
        let x = x.into_primitive().tensor();
        let y = cut(x.primitive, grid);
        wrap(match Cut.prepare::<NoCheckpointing>([x.node]).compute_bound().stateful() {
            OpsKind::Tracked(node) => node.finish(grid, y),
            OpsKind::UnTracked(node) => node.finish(y),
        })
    }

    fn join(blocks: Tensor<Self, 3>, grid: usize) -> Tensor<Self, 3> {
        let blocks = blocks.into_primitive().tensor();
        let x = join(blocks.primitive, grid);
        wrap(match Join.prepare::<NoCheckpointing>([blocks.node]).compute_bound().stateful() {
            OpsKind::Tracked(node) => node.finish(grid, x),
            OpsKind::UnTracked(node) => node.finish(x),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::{stock_cut, stock_down, stock_join, stock_normalise_relu, stock_up};
    use super::*;
    use crate::network::fold::floats;
    use crate::train::rng::Rng;

    fn random<const D: usize>(rng: &mut Rng, shape: [usize; D]) -> Tensor<Diff, D> {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.range(-1.0, 1.0)).collect();
        Tensor::from_data(TensorData::new(values, shape), &Default::default())
    }

    fn close<const D: usize>(own: Tensor<Diff, D>, stock: Tensor<Diff, D>) {
        assert_eq!(own.dims(), stock.dims());
        let (own, stock) = (floats(own), floats(stock));
        let largest = stock.iter().fold(0.1_f32, |m, v| m.max(v.abs()));
        let worst = own.iter().zip(&stock).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 2e-5 * largest, "{worst} of {largest}");
    }

    type Way<'a, const D: usize, const I: usize> = &'a dyn Fn([Tensor<Diff, D>; I]) -> Tensor<Diff, D>;

    /// Compares output and all gradients; the loss weighs each output differently.
    fn same<const D: usize, const I: usize>(
        inputs: [Tensor<Diff, D>; I],
        own: impl Fn([Tensor<Diff, D>; I]) -> Tensor<Diff, D>,
        stock: impl Fn([Tensor<Diff, D>; I]) -> Tensor<Diff, D>,
    ) {
        let run = |way: Way<'_, D, I>| {
            let leaves = inputs.clone().map(|t| t.detach().require_grad());
            let y = way(leaves.clone());
            let weight = random(&mut Rng::new(&[17]), y.dims()).detach();
            let gradients = (y.clone() * weight).sum().backward();
            let of = leaves.map(|leaf| Tensor::from_inner(leaf.grad(&gradients).expect("must have a gradient")));
            (y, of)
        };
        let ((own, own_gradients), (stock, stock_gradients)) = (run(&own), run(&stock));
        close(own, stock);
        own_gradients.into_iter().zip(stock_gradients).for_each(|(own, stock)| close(own, stock));
    }

    #[test]
    fn convolutions_equal_the_stock_ones_forwards_and_back() {
        let rng = &mut Rng::new(&[1]);
        for [inputs, pictures, outputs, height, width] in [[3, 2, 5, 8, 6], [1, 1, 1, 2, 2], [4, 3, 2, 6, 10]] {
            let x = random(rng, [inputs, pictures, height, width]);
            let w = random(rng, [outputs, inputs, 3, 3]);
            same([x.clone(), w], |[x, w]| Diff::down(x, w), |[x, w]| stock_down(x, w));
            let w = random(rng, [inputs, outputs, 4, 4]);
            same([x, w], |[x, w]| Diff::up(x, w), |[x, w]| stock_up(x, w));
        }
    }

    #[test]
    fn a_strided_input_is_read_in_its_order() {
        let rng = &mut Rng::new(&[2]);
        let (x, w) = (random(rng, [2, 3, 8, 6]), random(rng, [4, 3, 3, 3]));
        same([x.clone(), w], |[x, w]| Diff::down(x.swap_dims(0, 1), w), |[x, w]| stock_down(x.swap_dims(0, 1), w));
        let w = random(rng, [3, 4, 4, 4]);
        same([x, w], |[x, w]| Diff::up(x.swap_dims(0, 1), w), |[x, w]| stock_up(x.swap_dims(0, 1), w));
    }

    #[test]
    fn batch_norm_equals_the_stock_one_forwards_and_back() {
        let rng = &mut Rng::new(&[3]);
        for (channels, length) in [(3, 50), (1, 7), (5, 64)] {
            let (x, scale) = (random(rng, [channels, length]), random(rng, [channels, 1]));
            let shift = random(rng, [channels, 1]);
            let (_, own) = Diff::normalise_relu(x.clone(), scale.clone(), shift.clone());
            let (_, stock) = stock_normalise_relu(x.clone(), scale.clone(), shift.clone());
            close(own.mean, stock.mean);
            close(own.variance, stock.variance);
            same(
                [x, scale, shift],
                |[x, scale, shift]| Diff::normalise_relu(x, scale, shift).0,
                |[x, scale, shift]| stock_normalise_relu(x, scale, shift).0,
            );
        }
    }

    #[test]
    fn blocks_equal_the_stock_ones_forwards_and_back() {
        let rng = &mut Rng::new(&[4]);
        for (planes, size, grid) in [(3, 6, 2), (1, 4, 4), (2, 12, 3), (5, 8, 1)] {
            let x = random(rng, [planes, size, size]);
            same([x.clone()], |[x]| Diff::cut(x, grid), |[x]| stock_cut(x, grid));
            let blocks = stock_cut(x.clone(), grid);
            same([blocks], |[x]| Diff::join(x, grid), |[x]| stock_join(x, grid));
            close(Diff::join(Diff::cut(x.clone(), grid), grid), x);
        }
    }
}
