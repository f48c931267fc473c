//! Blocks of a partition memory bank: a picture cut into a grid, and put together again.

use rayon::prelude::*;

/// Cuts planes of `size` x `size` into `grid` x `grid` blocks: block by block, plane by plane, row by row.
pub(super) fn cut(x: &[f32], size: usize, grid: usize) -> Vec<f32> {
    let mut blocks = vec![0.0; x.len()];
    let block = size / grid;
    let length = (x.len() / (grid * grid)).max(1);
    blocks.par_chunks_exact_mut(length).enumerate().for_each(|(place, to)| {
        let rows = x.chunks_exact(size).enumerate().filter(|(row, _)| row % size / block == place / grid);
        for (to, (_, row)) in to.chunks_exact_mut(block).zip(rows) {
            to.copy_from_slice(&row[place % grid * block..][..block]);
        }
    });
    blocks
}

/// The inverse of [`cut`], and its adjoint too: every value goes to exactly one place.
pub(super) fn join(blocks: &[f32], size: usize, grid: usize) -> Vec<f32> {
    let mut x = vec![0.0; blocks.len()];
    let block = size / grid;
    let length = blocks.len() / (grid * grid);
    x.par_chunks_exact_mut(size).enumerate().for_each(|(line, to)| {
        let (plane, row) = (line / size, line % size);
        let (down, within) = (row / block, plane * block + row % block);
        for (across, to) in to.chunks_exact_mut(block).enumerate() {
            to.copy_from_slice(&blocks[(down * grid + across) * length + within * block..][..block]);
        }
    });
    x
}
