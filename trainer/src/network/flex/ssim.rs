//! Structural similarity with separate passes along rows and columns, its gradient found on the same walk.

use std::ops::Range;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::tensor::{TensorMetadata, ops::FloatTensor};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::{Diff, tensor, values};
use crate::network::ssim::{C1, C2, REACH, windows};

/// The windows of all places along a row or a column.
struct Windows(Vec<(usize, Vec<f32>)>);

impl Windows {
    fn new(size: usize) -> Self {
        Self(windows(size).collect())
    }

    /// The places whose windows are not cut, and their weights; `None` where all are.
    fn uncut(&self) -> Option<(Range<usize>, &[f32])> {
        let places = REACH..self.0.len().checked_sub(REACH).filter(|&end| end > REACH)?;
        let (_, weights) = &self.0[REACH];
        Some((places, weights))
    }

    /// The places whose windows are cut, with these.
    fn cut(&self) -> impl Iterator<Item = (usize, &(usize, Vec<f32>))> {
        let uncut = self.uncut().map_or(0..0, |(places, _)| places);
        self.0
            .iter()
            .enumerate()
            .filter(move |(at, _)| !uncut.contains(at))
    }

    /// Blurs a square plane; `rows` is another one to work in.
    fn blur(&self, x: &[f32], rows: &mut [f32], y: &mut [f32]) {
        let size = self.0.len();
        for ((first, weights), to) in self.0.iter().zip(rows.chunks_exact_mut(size)) {
            to.fill(0.0);
            for (weight, from) in weights.iter().zip(x[first * size..].chunks_exact(size)) {
                add(to, from, *weight);
            }
        }
        for (from, to) in rows.chunks_exact(size).zip(y.chunks_exact_mut(size)) {
            to.fill(0.0);
            if let Some((places, weights)) = self.uncut() {
                for (tap, weight) in weights.iter().enumerate() {
                    add(&mut to[places.clone()], &from[tap..], *weight);
                }
            }
            for (at, (first, weights)) in self.cut() {
                to[at] = weights.iter().zip(&from[*first..]).map(|(w, v)| w * v).sum();
            }
        }
    }

    /// The adjoint of [`Self::blur`].
    fn spread(&self, dy: &[f32], rows: &mut [f32], dx: &mut [f32]) {
        let size = self.0.len();
        for (from, to) in dy.chunks_exact(size).zip(rows.chunks_exact_mut(size)) {
            to.fill(0.0);
            if let Some((places, weights)) = self.uncut() {
                for (tap, weight) in weights.iter().enumerate() {
                    add(&mut to[tap..], &from[places.clone()], *weight);
                }
            }
            for (at, (first, weights)) in self.cut() {
                to[*first..]
                    .iter_mut()
                    .zip(weights)
                    .for_each(|(to, w)| *to += w * from[at]);
            }
        }
        dx.fill(0.0);
        for ((first, weights), from) in self.0.iter().zip(rows.chunks_exact(size)) {
            for (weight, to) in weights.iter().zip(dx[first * size..].chunks_exact_mut(size)) {
                add(to, from, *weight);
            }
        }
    }
}

/// `to += from * weight`, as far as both go.
fn add(to: &mut [f32], from: &[f32], weight: f32) {
    to.iter_mut()
        .zip(from)
        .for_each(|(to, from)| *to += from * weight);
}

/// The sum of SSIM over a plane, and the sum's gradient by `a`.
fn of_plane(a: &[f32], b: &[f32], windows: &Windows, gradient: &mut [f32]) -> f64 {
    let mut rows = vec![0.0; a.len()];
    let mut blurred = |x: &dyn Fn(f32, f32) -> f32| {
        let values: Vec<f32> = a.iter().zip(b).map(|(&a, &b)| x(a, b)).collect();
        let mut y = vec![0.0; values.len()];
        windows.blur(&values, &mut rows, &mut y);
        y
    };
    let mut mean_a = blurred(&|a, _| a);
    let mean_b = blurred(&|_, b| b);
    let mut products = blurred(&|a, b| a * b);
    let mut squares = blurred(&|a, b| a * a + b * b);
    let mut sum = 0.0;
    // from here on the three hold the gradients by themselves
    for (((p, q), r), t) in mean_a.iter_mut().zip(mean_b).zip(&mut products).zip(&mut squares) {
        let (means, covariance) = (2.0 * *p * q + C1, 2.0 * (*r - *p * q) + C2);
        let (both, variances) = (*p * *p + q * q + C1, *t - *p * *p - q * q + C2);
        let below = both * variances;
        let ssim = means * covariance / below;
        sum += f64::from(ssim);
        // nothing is divided by means or covariance, which may be zero
        let by_mean = q * (covariance - means) / below + ssim * *p * (1.0 / variances - 1.0 / both);
        (*p, *r, *t) = (2.0 * by_mean, 2.0 * means / below, -ssim / variances);
    }
    let mut back = vec![0.0; a.len()];
    windows.spread(&mean_a, &mut rows, gradient);
    windows.spread(&products, &mut rows, &mut back);
    gradient
        .iter_mut()
        .zip(b)
        .zip(&back)
        .for_each(|((d, b), back)| *d += b * back);
    windows.spread(&squares, &mut rows, &mut back);
    gradient
        .iter_mut()
        .zip(a)
        .zip(&back)
        .for_each(|((d, a), back)| *d += 2.0 * a * back);
    sum
}

/// The mean SSIM of contiguous planes `[planes, S, S]`, and its gradient by `a`.
fn mean(a: &FlexTensor, b: &FlexTensor) -> (FlexTensor, FlexTensor) {
    let shape: [usize; 3] = a.shape().dims();
    let (plane, windows) = (shape[1] * shape[2], Windows::new(shape[1]));
    let mut gradient = vec![0.0; shape.iter().product()];
    let planes = values(a)
        .par_chunks_exact(plane)
        .zip(values(b).par_chunks_exact(plane));
    let sums: Vec<f64> = planes
        .zip(gradient.par_chunks_exact_mut(plane))
        .map(|((a, b), gradient)| of_plane(a, b, &windows, gradient))
        .collect();
    let count = gradient.len().max(1);
    gradient.iter_mut().for_each(|d| *d /= count as f32);
    let mean = sums.iter().sum::<f64>() / count as f64;
    (tensor(vec![mean as f32], [1]), tensor(gradient, shape))
}

/// The mean SSIM.
pub(super) fn ssim(a: &FlexTensor, b: &FlexTensor) -> FlexTensor {
    mean(&a.to_contiguous(), &b.to_contiguous()).0
}

#[derive(Debug)]
struct Ssim;

impl Backward<Flex, 1> for Ssim {
    /// The gradient by the planes that have one.
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, grads, |dy| {
            let shape: [usize; 3] = ops.state.shape().dims();
            let factor = values(&dy)[0];
            tensor(values(&ops.state).iter().map(|d| d * factor).collect(), shape)
        });
    }
}

/// [`ssim`] with a gradient by `a`.
pub(super) fn tracked(a: FloatTensor<Diff>, b: &FloatTensor<Diff>) -> FloatTensor<Diff> {
    let (y, gradient) = mean(&a.primitive.to_contiguous(), &b.primitive.to_contiguous());
    match Ssim
        .prepare::<NoCheckpointing>([a.node])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(node) => node.finish(gradient, y),
        OpsKind::UnTracked(node) => node.finish(y),
    }
}
