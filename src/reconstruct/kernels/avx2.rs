//! x86-64 with AVX2: the input widened to i16, `vpmaddwd` on pairs of channels, 6 pixels x 16 outputs.
//!
//! `vpmaddubsw` would do twice the work an instruction, but saturates at i16.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::packed::{Block, MAX_OUTPUTS, MAX_PIXELS, Simd, Tile, Windows};

const PIXELS: usize = 6;

/// Proof that the CPU has AVX2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        std::arch::is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

impl Simd for Avx2 {
    type Value = i16;
    const OUTPUTS: usize = 16;
    const GROUP: usize = 2;
    const PIXELS: usize = PIXELS;

    fn tile(self, block: &Block<i16>, x: &Windows<'_, i16>, starts: &[usize; MAX_PIXELS]) -> Tile {
        // SAFETY: `self` exists only where AVX2 was detected.
        unsafe { tile(block, x, starts) }
    }
}

#[target_feature(enable = "avx2")]
fn tile(block: &Block<i16>, x: &Windows<'_, i16>, starts: &[usize; MAX_PIXELS]) -> Tile {
    assert!(starts.iter().all(|start| start + x.reach <= x.values.len()));
    let windows: [*const i16; PIXELS] = std::array::from_fn(|i| x.values[starts[i]..].as_ptr());
    let mut sums = [[_mm256_setzero_si256(); 2]; PIXELS];
    let mut weights = block.weights.as_chunks::<16>().0.as_chunks::<2>().0.iter();
    for run in &block.runs {
        let offset = run.row * x.pitch + run.start;
        for (group, [low, high]) in weights.by_ref().take(run.groups).enumerate() {
            // SAFETY: 16 values each.
            let (low, high) = unsafe { (load(low.as_ptr()), load(high.as_ptr())) };
            for (sum, window) in sums.iter_mut().zip(windows) {
                // SAFETY: runs lie inside the window, whose reach was checked above.
                let pair = unsafe { window.add(offset + 2 * group).cast::<i32>().read_unaligned() };
                let pair = _mm256_set1_epi32(pair);
                sum[0] = _mm256_add_epi32(sum[0], _mm256_madd_epi16(pair, low));
                sum[1] = _mm256_add_epi32(sum[1], _mm256_madd_epi16(pair, high));
            }
        }
    }
    let mut tile = [[0; MAX_OUTPUTS]; MAX_PIXELS];
    for (values, sum) in tile.iter_mut().zip(sums) {
        let [low, high] = [0, 1].map(|half| requantise(block, sum[half], 8 * half));
        // The packs interleave the two 128-bit lanes; the permutation puts them in order.
        let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
        let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
        // SAFETY: 16 bytes are written to 16.
        unsafe { _mm_storeu_si128(values.as_mut_ptr().cast(), bytes) };
    }
    tile
}

/// Eight outputs from `first` on; `super::convolution::requantise`, clamped before it is rounded, which is the same.
#[target_feature(enable = "avx2")]
fn requantise(block: &Block<i16>, sum: __m256i, first: usize) -> __m256i {
    let zero = f32::from(block.zero);
    let (lowest, highest) = (_mm256_set1_ps(-128.0 - zero), _mm256_set1_ps(127.0 - zero));
    let (bias, multiplier) = (&block.bias[first..first + 8], &block.multiplier[first..first + 8]);
    // SAFETY: eight values each.
    let (bias, multiplier) = unsafe { (load(bias.as_ptr()), _mm256_loadu_ps(multiplier.as_ptr())) };
    let steps = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_add_epi32(sum, bias)), multiplier);
    let steps = _mm256_min_ps(_mm256_max_ps(steps, lowest), highest);
    _mm256_add_epi32(_mm256_cvtps_epi32(steps), _mm256_set1_epi32(i32::from(block.zero)))
}

/// # Safety
/// `from` must point to 32 readable bytes.
#[target_feature(enable = "avx2")]
unsafe fn load<T>(from: *const T) -> __m256i {
    // SAFETY: the caller's word.
    unsafe { _mm256_loadu_si256(from.cast()) }
}
