//! A convolution as one matrix product: the picture's windows as the columns of a matrix, and back.
//!
//! Both directions know one geometry, stride 2 and padding 1, with windows of 3 x 3 or 4 x 4: that of the
//! encoder's convolutions and the decoder's transposed convolutions. With features as C x N x H x W the
//! product takes several pictures at once, and every inner loop runs along memory.

use std::ops::Range;

use rayon::prelude::*;

/// The windows of some `pictures` of `x` (C x N x H x W, H and W even) as a matrix of `C * window * window`
/// rows, tap by tap, and `pictures * H/2 * W/2` columns.
pub(super) fn unfold(
    x: &[f32],
    [channels, all, height, width]: [usize; 4],
    pictures: Range<usize>,
    window: usize,
) -> Vec<f32> {
    let (rows, columns) = (height / 2, width / 2);
    let plane = pictures.len() * rows * columns;
    let mut matrix = vec![0.0; channels * window * window * plane];
    let taps = matrix.par_chunks_exact_mut(window * window * plane);
    taps.zip(x.par_chunks_exact(all * height * width))
        .for_each(|(taps, x)| {
            let x = &x[pictures.start * height * width..pictures.end * height * width];
            for (n, picture) in x.chunks_exact(height * width).enumerate() {
                for (tap, to) in taps.chunks_exact_mut(plane).enumerate() {
                    let to = &mut to[n * rows * columns..][..rows * columns];
                    for (y, to) in to.chunks_exact_mut(columns).enumerate() {
                        if let Some(from) = source(picture, width, y, tap / window) {
                            every_second(to, from, tap % window);
                        }
                    }
                }
            }
        });
    matrix
}

/// The adjoint of [`unfold`]: adds each row of the matrix back to the places of `x` that it was taken from.
pub(super) fn fold(
    matrix: &[f32],
    [channels, pictures, height, width]: [usize; 4],
    window: usize,
) -> Vec<f32> {
    let (rows, columns) = (height / 2, width / 2);
    let plane = pictures * rows * columns;
    let mut x = vec![0.0; channels * pictures * height * width];
    let taps = matrix.par_chunks_exact(window * window * plane);
    taps.zip(x.par_chunks_exact_mut(pictures * height * width))
        .for_each(|(taps, x)| {
            for (n, picture) in x.chunks_exact_mut(height * width).enumerate() {
                for (row, to) in picture.chunks_exact_mut(width).enumerate() {
                    // Rows 2y + tap - 1 = row of the windows that reach this row.
                    for tap in (0..window).filter(|tap| (row + 1).wrapping_sub(*tap) % 2 == 0) {
                        let Some(y) = (row + 1).checked_sub(tap).map(|d| d / 2).filter(|y| *y < rows) else {
                            continue;
                        };
                        for (across, from) in taps[tap * window * plane..][..window * plane]
                            .chunks_exact(plane)
                            .enumerate()
                        {
                            add_to_every_second(to, &from[(n * rows + y) * columns..][..columns], across);
                        }
                    }
                }
            }
        });
    x
}

/// The row of the picture under a vertical tap of the window in row `y`; none in the padding.
fn source(picture: &[f32], width: usize, y: usize, tap: usize) -> Option<&[f32]> {
    let row = (2 * y + tap).checked_sub(1)?;
    picture.get(row * width..(row + 1) * width)
}

/// `to[i] = from[2 i + tap - 1]`, where that exists.
fn every_second(to: &mut [f32], from: &[f32], tap: usize) {
    let pairs = from.chunks_exact(2);
    match tap {
        0 => to[1..].iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair[1]),
        1 => to.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair[0]),
        2 => to.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair[1]),
        _ => to
            .iter_mut()
            .zip(pairs.skip(1))
            .for_each(|(to, pair)| *to = pair[0]),
    }
}

/// `to[2 i + tap - 1] += from[i]`, where that exists.
fn add_to_every_second(to: &mut [f32], from: &[f32], tap: usize) {
    let pairs = to.chunks_exact_mut(2);
    match tap {
        0 => from[1..]
            .iter()
            .zip(pairs)
            .for_each(|(from, pair)| pair[1] += from),
        1 => from.iter().zip(pairs).for_each(|(from, pair)| pair[0] += from),
        2 => from.iter().zip(pairs).for_each(|(from, pair)| pair[1] += from),
        _ => from
            .iter()
            .zip(pairs.skip(1))
            .for_each(|(from, pair)| pair[0] += from),
    }
}
