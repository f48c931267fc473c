//! Blocks of a partition memory bank: a picture cut into a grid, and put together again.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::tensor::{TensorMetadata, ops::FloatTensor};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::{Diff, tensor, values};

/// Cuts `x` `[planes, S, S]` into `grid` x `grid` blocks: `[grid * grid, planes, h * h]`.
pub(super) fn cut(x: &FlexTensor, grid: usize) -> FlexTensor {
    let [planes, size, _]: [usize; 3] = x.shape().dims();
    let (x, block) = (x.to_contiguous(), size / grid);
    let mut blocks = vec![0.0; planes * size * size];
    blocks
        .par_chunks_exact_mut(planes * block * block)
        .enumerate()
        .for_each(|(place, to)| {
            let (down, across) = (place / grid * block, place % grid * block);
            for (to, plane) in to
                .chunks_exact_mut(block * block)
                .zip(values(&x).chunks_exact(size * size))
            {
                let rows = plane[down * size..].chunks_exact(size);
                to.chunks_exact_mut(block)
                    .zip(rows)
                    .for_each(|(to, row)| to.copy_from_slice(&row[across..][..block]));
            }
        });
    tensor(blocks, [grid * grid, planes, block * block])
}

/// The inverse of [`cut`], and its adjoint too: every value goes to exactly one place.
pub(super) fn join(blocks: &FlexTensor, grid: usize) -> FlexTensor {
    let [_, planes, pixels]: [usize; 3] = blocks.shape().dims();
    let (blocks, block) = (blocks.to_contiguous(), pixels.isqrt());
    let size = grid * block;
    let mut x = vec![0.0; planes * size * size];
    x.par_chunks_exact_mut(size * size)
        .enumerate()
        .for_each(|(plane, to)| {
            for (row, to) in to.chunks_exact_mut(size).enumerate() {
                for (across, to) in to.chunks_exact_mut(block).enumerate() {
                    let place = row / block * grid + across;
                    let from = (place * planes + plane) * pixels + row % block * block;
                    to.copy_from_slice(&values(&blocks)[from..][..block]);
                }
            }
        });
    tensor(x, [planes, size, size])
}

#[derive(Debug)]
struct Cut;

impl Backward<Flex, 1> for Cut {
    /// The grid.
    type State = usize;

    fn backward(self, ops: Ops<usize, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, grads, |dy| join(&dy, ops.state));
    }
}

#[derive(Debug)]
struct Join;

impl Backward<Flex, 1> for Join {
    /// The grid.
    type State = usize;

    fn backward(self, ops: Ops<usize, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<Flex, _>(ops.parents, ops.node, grads, |dy| cut(&dy, ops.state));
    }
}

/// [`cut`] with gradients.
pub(super) fn tracked_cut(x: FloatTensor<Diff>, grid: usize) -> FloatTensor<Diff> {
    let y = cut(&x.primitive, grid);
    match Cut
        .prepare::<NoCheckpointing>([x.node])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(node) => node.finish(grid, y),
        OpsKind::UnTracked(node) => node.finish(y),
    }
}

/// [`join`] with gradients.
pub(super) fn tracked_join(blocks: FloatTensor<Diff>, grid: usize) -> FloatTensor<Diff> {
    let x = join(&blocks.primitive, grid);
    match Join
        .prepare::<NoCheckpointing>([blocks.node])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(node) => node.finish(grid, x),
        OpsKind::UnTracked(node) => node.finish(x),
    }
}
