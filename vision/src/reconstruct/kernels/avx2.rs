//! x86-64 with AVX2: activations as i16, `vpmaddwd` on pairs of channels, 6 pixels x 16 outputs, or 8.
//!
//! `vpmaddubsw` would do twice the work an instruction, but saturates at i16.
#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::hint::black_box;

use super::block::{At, Block, Simd, tile_of_size};

/// Proof that the CPU has AVX2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

impl Simd for Avx2 {
    type Value = i16;
    type Weight = i16;
    const OUTPUTS: &'static [usize] = &[16, 8];
    const GROUP: usize = 2;
    const PIXELS: &'static [usize] = &[6, 4, 2, 1];

    fn tile(self, block: &Block<i16>, x: &[i16], at: At, y: &mut [i16]) {
        at.check(block, x, y);
        // SAFETY: `self` exists only where AVX2 was detected; windows and outputs are inside.
        unsafe { tile_of_size!(block, x, at, y, 16: 6 4 2) }
    }

    fn multiply(self, rounds: usize) -> usize {
        // SAFETY: `self` exists only where the instructions were detected.
        unsafe { multiply(rounds) }
    }
}

#[target_feature(enable = "avx2")]
fn multiply(rounds: usize) -> usize {
    let (mut sums, mut x) = ([_mm256_setzero_si256(); 12], _mm256_set1_epi16(1));
    for _ in 0..rounds {
        for _ in 0..4 {
            for sum in &mut sums {
                // the sum takes part, or all products would be the same
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(*sum, x));
            }
        }
        x = black_box(x);
    }
    black_box(sums);
    4 * 12 * 16
}

/// `P` pixels x `N` times 8 outputs.
///
/// # Safety
/// `at` must have been checked, for at least `P` windows and as many outputs.
#[target_feature(enable = "avx2")]
unsafe fn tile<const P: usize, const N: usize>(block: &Block<i16>, x: &[i16], at: At, y: &mut [i16]) {
    let first = x[at.start..].as_ptr();
    let bias = block.bias.as_chunks::<8>().0;
    // SAFETY: eight values each.
    let mut sums: [[__m256i; N]; P] = [std::array::from_fn(|n| unsafe { load(bias[n].as_ptr()) }); P];
    let mut weights = block.weights.as_chunks::<16>().0.as_chunks::<N>().0.iter();
    for run in &block.runs {
        let windows: [_; P] = std::array::from_fn(|i| first.wrapping_add(i * at.step + run.offset));
        for (group, weights) in weights.by_ref().take(run.groups).enumerate() {
            // SAFETY: 16 values each.
            let weights = weights
                .each_ref()
                .map(|weights| unsafe { load(weights.as_ptr()) });
            for (sums, window) in sums.iter_mut().zip(windows) {
                // SAFETY: the caller's word.
                let pair = unsafe { window.add(2 * group).cast::<i32>().read_unaligned() };
                let pair = _mm256_set1_epi32(pair);
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pair, weights));
                }
            }
        }
    }
    for (p, sums) in sums.into_iter().enumerate() {
        let pixel = y.as_mut_ptr().wrapping_add(p * at.apart);
        for (n, sum) in sums.into_iter().enumerate() {
            let steps = requantise(block, sum, 8 * n, block.zero.into());
            let words = _mm_packs_epi32(
                _mm256_castsi256_si128(steps),
                _mm256_extracti128_si256::<1>(steps),
            );
            // SAFETY: 8 values are written to 8; the caller's word.
            unsafe { _mm_storeu_si128(pixel.add(8 * n).cast(), words) };
        }
    }
}

/// Eight outputs from `first` on, with `zero` for the zero point; `super::convolution::requantise`, clamped
/// before it is rounded, which is the same.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn requantise<W>(block: &Block<W>, sum: __m256i, first: usize, zero: i32) -> __m256i {
    let [lowest, highest] = block.bounds.map(|bound| _mm256_set1_ps(bound));
    let multiplier = &block.multiplier[first..first + 8];
    // SAFETY: eight values.
    let multiplier = unsafe { _mm256_loadu_ps(multiplier.as_ptr()) };
    let steps = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), multiplier);
    let steps = _mm256_min_ps(_mm256_max_ps(steps, lowest), highest);
    _mm256_add_epi32(_mm256_cvtps_epi32(steps), _mm256_set1_epi32(zero))
}

/// # Safety
/// `from` must point to 32 readable bytes.
#[target_feature(enable = "avx2")]
unsafe fn load<T>(from: *const T) -> __m256i {
    // SAFETY: the caller's word.
    unsafe { _mm256_loadu_si256(from.cast()) }
}
