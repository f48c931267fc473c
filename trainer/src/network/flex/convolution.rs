//! The two convolutions: matrix products with windows, a few pictures at a time.

use std::ops::Range;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::ops::FloatTensorOps;
use burn::tensor::{Shape, TensorMetadata, ops::FloatTensor};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::columns::{fold, unfold};
use super::{Diff, tensor, values};

/// Taps of the encoder's windows along each axis.
const DOWN: usize = 3;
/// Taps of the decoder's windows along each axis.
const UP: usize = 4;
/// Places of the smaller feature that one matrix product takes, about: its windows stay in the cache, and the
/// products share the threads. Whole pictures only, so the sums do not depend on the number of threads.
const PLACES: usize = 1024;

/// The parts that `pictures` are taken in, where each has so many places.
fn parts(pictures: usize, places: usize) -> Vec<Range<usize>> {
    let several = (PLACES / places).clamp(1, pictures.max(1));
    (0..pictures)
        .step_by(several)
        .map(|first| first..(first + several).min(pictures))
        .collect()
}

/// Works on all parts, in parallel, in order.
fn each<T: Send>(parts: &[Range<usize>], work: impl Fn(usize, Range<usize>) -> T + Sync) -> Vec<T> {
    parts
        .par_iter()
        .enumerate()
        .map(|(part, pictures)| work(part, pictures.clone()))
        .collect()
}

fn product(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    Flex::float_matmul(a, b)
}

fn matrix(x: &FlexTensor, rows: usize) -> FlexTensor {
    let columns = x.shape().num_elements() / rows;
    x.reshape(Shape::new([rows, columns]))
}

/// Matrices of the same number of rows, next to each other.
fn side_by_side(parts: Vec<FlexTensor>, rows: usize) -> Vec<f32> {
    let width: usize = parts
        .iter()
        .map(|part| part.shape().num_elements())
        .sum::<usize>()
        / rows;
    let mut all = vec![0.0; rows * width];
    all.par_chunks_exact_mut(width).enumerate().for_each(|(row, to)| {
        let mut from = 0;
        for part in &parts {
            let count = part.shape().num_elements() / rows;
            to[from..from + count].copy_from_slice(&values(part)[row * count..][..count]);
            from += count;
        }
    });
    all
}

fn sum(parts: Vec<FlexTensor>) -> FlexTensor {
    parts
        .into_iter()
        .reduce(Flex::float_add)
        .expect("a batch has at least one picture")
}

/// `weight` `[outputs, inputs, 3, 3]` times the windows of contiguous `x`; also returns the windows of each
/// part.
pub(super) fn down(x: &FlexTensor, weight: &FlexTensor) -> (FlexTensor, Vec<FlexTensor>) {
    let from: [usize; 4] = x.shape().dims();
    let ([inputs, pictures, height, width], outputs) = (from, weight.shape()[0]);
    let places = height / 2 * width / 2;
    let weight = matrix(weight, outputs);
    let (y, windows) = each(&parts(pictures, places), |_, part| {
        let shape = [inputs * DOWN * DOWN, part.len() * places];
        let windows = tensor(unfold(values(x), from, part, DOWN), shape);
        (product(weight.clone(), windows.clone()), windows)
    })
    .into_iter()
    .unzip();
    (
        tensor(
            side_by_side(y, outputs),
            [outputs, pictures, height / 2, width / 2],
        ),
        windows,
    )
}

/// The windows that `weight` `[inputs, outputs, 4, 4]` draws for each place of contiguous `x`, laid over each
/// other.
pub(super) fn up(x: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let ([inputs, pictures, height, width], outputs): ([usize; 4], usize) =
        (x.shape().dims(), weight.shape()[1]);
    let places = height * width;
    let weight = matrix(weight, inputs).transpose(0, 1);
    let x = matrix(x, inputs);
    let y = each(&parts(pictures, places), |_, part| {
        let shape = [outputs, part.len(), 2 * height, 2 * width];
        let windows = product(
            weight.clone(),
            x.narrow(1, part.start * places, part.len() * places),
        );
        tensor(fold(values(&windows), shape, UP), shape)
    });
    tensor(
        side_by_side(y, outputs),
        [outputs, pictures, 2 * height, 2 * width],
    )
}

#[derive(Debug)]
struct Down;

impl Backward<Flex, 2> for Down {
    /// Windows, weight, dimensions of the input.
    type State = (Vec<FlexTensor>, FlexTensor, [usize; 4]);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let ([x_node, w_node], (windows, weight, from)) = (ops.parents, ops.state);
        let ([outputs, pictures, height, width], [inputs, ..]): ([usize; 4], _) = (dy.shape().dims(), from);
        let (places, dy) = (height * width, matrix(&dy, outputs));
        let parts = parts(pictures, places);
        let part_of = |part: &Range<usize>| dy.narrow(1, part.start * places, part.len() * places);
        if let Some(node) = x_node {
            let weight = matrix(&weight, outputs).transpose(0, 1);
            let dx = each(&parts, |_, part| {
                let shape = [inputs, part.len(), from[2], from[3]];
                tensor(
                    fold(values(&product(weight.clone(), part_of(&part))), shape, DOWN),
                    shape,
                )
            });
            grads.register::<Flex>(node.id, tensor(side_by_side(dx, inputs), from));
        }
        if let Some(node) = w_node {
            let dw = each(&parts, |n, part| {
                product(part_of(&part), windows[n].transpose(0, 1))
            });
            grads.register::<Flex>(node.id, sum(dw).reshape(weight.shape()));
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
        let (from, to): ([usize; 4], [usize; 4]) = (x.shape().dims(), dy.shape().dims());
        let [inputs, pictures, height, width] = from;
        let (places, taps) = (height * width, to[0] * UP * UP);
        let (x, filters) = (matrix(&x, inputs), matrix(&weight, inputs));
        let gradients = each(&parts(pictures, places), |_, part| {
            let x = x.narrow(1, part.start * places, part.len() * places);
            let windows = tensor(
                unfold(values(&dy), to, part.clone(), UP),
                [taps, part.len() * places],
            );
            let dx = x_node
                .is_some()
                .then(|| product(filters.clone(), windows.clone()));
            let dw = w_node.is_some().then(|| product(x, windows.transpose(0, 1)));
            (dx, dw)
        });
        let (dx, dw): (Vec<_>, Vec<_>) = gradients.into_iter().unzip();
        if let Some(node) = x_node {
            let dx = dx.into_iter().flatten().collect();
            grads.register::<Flex>(node.id, tensor(side_by_side(dx, inputs), from));
        }
        if let Some(node) = w_node {
            let dw = dw.into_iter().flatten().collect();
            grads.register::<Flex>(node.id, sum(dw).reshape(weight.shape()));
        }
    }
}

/// [`down`] with gradients.
pub(super) fn tracked_down(x: FloatTensor<Diff>, weight: FloatTensor<Diff>) -> FloatTensor<Diff> {
    let from = x.primitive.shape().dims();
    let (y, windows) = down(&x.primitive.to_contiguous(), &weight.primitive);
    match Down
        .prepare::<NoCheckpointing>([x.node, weight.node])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(node) => node.finish((windows, weight.primitive, from), y),
        OpsKind::UnTracked(node) => node.finish(y),
    }
}

/// [`up`] with gradients.
pub(super) fn tracked_up(x: FloatTensor<Diff>, weight: FloatTensor<Diff>) -> FloatTensor<Diff> {
    let input = x.primitive.to_contiguous();
    let y = up(&input, &weight.primitive);
    match Up
        .prepare::<NoCheckpointing>([x.node, weight.node])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(node) => node.finish((input, weight.primitive), y),
        OpsKind::UnTracked(node) => node.finish(y),
    }
}
