//! Batch norm and ReLU in one walk along each channel, forwards and back.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::{TensorMetadata, ops::FloatTensor};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::{Diff, tensor, values};
use crate::network::moments::EPSILON;

/// What a forward pass gives, each a value a channel but `y`.
struct Normalised {
    /// As large as the input.
    y: Vec<f32>,
    /// Mean of the channel.
    mean: Vec<f32>,
    /// Biased variance of the channel.
    variance: Vec<f32>,
}

/// Gradients of the loss.
struct Gradients {
    /// By the input.
    x: Vec<f32>,
    /// By the scale of each channel.
    scale: Vec<f32>,
    /// By the shift of each channel.
    shift: Vec<f32>,
}

/// `relu((x - mean) / sqrt(variance + epsilon) * scale + shift)`; `x` has one row a channel.
fn forward(x: &[f32], scale: &[f32], shift: &[f32]) -> Normalised {
    let length = x.len() / scale.len();
    let mut y = vec![0.0; x.len()];
    let rows = y
        .par_chunks_exact_mut(length)
        .zip(x.par_chunks_exact(length))
        .zip(scale.par_iter().zip(shift));
    let (mean, variance) = rows
        .map(|((y, x), (scale, shift))| {
            let mean = sum(x, |x| x) / length as f32;
            let variance = sum(x, |x| (x - mean) * (x - mean)) / length as f32;
            let factor = scale / (variance + EPSILON).sqrt();
            y.iter_mut()
                .zip(x)
                .for_each(|(y, x)| *y = ((x - mean) * factor + shift).max(0.0));
            (mean, variance)
        })
        .unzip();
    Normalised { y, mean, variance }
}

/// The gradients from `dy`, the gradient by the output, and what [`forward`] was given and gave.
fn backward(dy: &[f32], x: &[f32], scale: &[f32], y: &[f32], mean: &[f32], variance: &[f32]) -> Gradients {
    let length = x.len() / scale.len();
    let mut dx = vec![0.0; x.len()];
    let rows = dx.par_chunks_exact_mut(length).zip(x.par_chunks_exact(length));
    let given = dy.par_chunks_exact(length).zip(y.par_chunks_exact(length));
    let channels = scale.par_iter().zip(mean.par_iter().zip(variance));
    let (scale, shift) = rows
        .zip(given)
        .zip(channels)
        .map(|(((dx, x), (dy, y)), (scale, (mean, variance)))| {
            let deviation = (variance + EPSILON).sqrt();
            // Nothing flows where the ReLU is off.
            dx.iter_mut()
                .zip(dy)
                .zip(y)
                .for_each(|((dx, dy), y)| *dx = if *y > 0.0 { *dy } else { 0.0 });
            let shift = sum(dx, |d| d);
            let along = sum2(dx, x, |d, x| d * (x - mean)) / deviation;
            let (factor, level) = (scale / deviation, shift / length as f32);
            let slope = along / (length as f32 * deviation);
            dx.iter_mut()
                .zip(x)
                .for_each(|(dx, x)| *dx = factor * (*dx - level - (x - mean) * slope));
            (along, shift)
        })
        .unzip();
    Gradients { x: dx, scale, shift }
}

/// Sums in 16 lanes: fast, and more exact than one running sum.
fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let chunks = values.chunks_exact(16);
    let rest: f32 = chunks.remainder().iter().map(|&v| f(v)).sum();
    chunks.for_each(|chunk| lanes.iter_mut().zip(chunk).for_each(|(lane, &v)| *lane += f(v)));
    lanes.iter().sum::<f32>() + rest
}

fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let (a, b) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a
        .remainder()
        .iter()
        .zip(b.remainder())
        .map(|(&a, &b)| f(a, b))
        .sum();
    for (a, b) in a.zip(b) {
        lanes
            .iter_mut()
            .zip(a.iter().zip(b))
            .for_each(|(lane, (&a, &b))| *lane += f(a, b));
    }
    lanes.iter().sum::<f32>() + rest
}

/// The output for contiguous `x`, and the mean and variance of each channel.
pub(super) fn normalise_relu(
    x: &FlexTensor,
    scale: &FlexTensor,
    shift: &FlexTensor,
) -> (FlexTensor, [Vec<f32>; 2]) {
    let shape: [usize; 2] = x.shape().dims();
    let Normalised { y, mean, variance } = forward(values(x), values(scale), values(shift));
    (tensor(y, shape), [mean, variance])
}

/// Input, scale, output; mean and variance.
#[derive(Clone, Debug)]
struct State([FlexTensor; 3], [Vec<f32>; 2]);

#[derive(Debug)]
struct NormaliseRelu;

impl Backward<Flex, 3> for NormaliseRelu {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut grads::Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
        let State([x, scale, y], [mean, variance]) = ops.state;
        let shape: [usize; 2] = x.shape().dims();
        let column = [shape[0], 1];
        let of = backward(
            values(&dy),
            values(&x),
            values(&scale),
            values(&y),
            &mean,
            &variance,
        );
        let gradients = [
            tensor(of.x, shape),
            tensor(of.scale, column),
            tensor(of.shift, column),
        ];
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(node) = parent {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// [`normalise_relu`] of input, scale and shift, with gradients.
pub(super) fn tracked(inputs: [FloatTensor<Diff>; 3]) -> (FloatTensor<Diff>, [Vec<f32>; 2]) {
    let [x, scale, shift] = [0, 1, 2].map(|i| inputs[i].primitive.to_contiguous());
    let (y, of) = normalise_relu(&x, &scale, &shift);
    let state = State([x, scale, y.clone()], of.clone());
    let y = match NormaliseRelu
        .prepare::<NoCheckpointing>(inputs.map(|t| t.node))
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(node) => node.finish(state, y),
        OpsKind::UnTracked(node) => node.finish(y),
    };
    (y, of)
}
