//! Structural similarity (SSIM; Wang et al. 2004): Gaussian windows of 11 taps, sigma 1.5, values in [-1, 1].

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// Taps on each side of a window's middle.
pub const REACH: usize = 5;
/// Keeps the ratio of means finite; the range of values is 2.
pub const C1: f32 = (0.01 * 2.0) * (0.01 * 2.0);
/// Keeps the ratio of variances finite.
pub const C2: f32 = (0.03 * 2.0) * (0.03 * 2.0);

/// The window at each of `size` places: the first place that it covers, and the weights from there on. They
/// sum to 1; at the border the window is cut and renormalised.
pub fn windows(size: usize) -> impl Iterator<Item = (usize, Vec<f32>)> {
    (0..size).map(move |at| {
        let (first, last) = (at.saturating_sub(REACH), (at + REACH).min(size - 1));
        let tap = |place: usize| (-(place as f32 - at as f32).powi(2) / (2.0 * 1.5 * 1.5)).exp();
        let sum: f32 = (first..=last).map(tap).sum();
        (first, (first..=last).map(|place| tap(place) / sum).collect())
    })
}

/// Mean SSIM of planes `[planes, S, S]` as matrix products, for every backend.
pub fn stock<B: Backend>(a: Tensor<B, 3>, b: Tensor<B, 3>) -> Tensor<B, 1> {
    let [planes, size, _] = a.dims();
    // W x W^T blurs a picture
    let mut window = vec![0.0_f32; size * size];
    for (row, (first, weights)) in window.chunks_exact_mut(size).zip(windows(size)) {
        row[first..first + weights.len()].copy_from_slice(&weights);
    }
    let window = Tensor::<B, 2>::from_data(TensorData::new(window, [size, size]), &a.device());
    let right = window.clone().transpose();
    let left = window.unsqueeze::<3>();
    let blur = |x: Tensor<B, 2>| {
        left.clone()
            .matmul(x.matmul(right.clone()).reshape([planes, size, size]))
            .reshape([planes * size, size])
    };
    let (a, b) = (a.reshape([planes * size, size]), b.reshape([planes * size, size]));
    let (mean_a, mean_b) = (blur(a.clone()), blur(b.clone()));
    let product = mean_a.clone() * mean_b.clone();
    let squares = mean_a.square() + mean_b.square();
    let covariance = blur(a.clone() * b.clone()) - product.clone();
    // One blur serves both variances, which only ever occur as their sum.
    let variances = blur(a.square() + b.square()) - squares.clone();
    ((product * 2.0 + C1) * (covariance * 2.0 + C2) / ((squares + C1) * (variances + C2))).mean()
}
