//! x86-64 with the 256-bit dot product instructions (AVX-VNNI), which processors without AVX-512 have too:
//! `vpdpbusd` multiplies 4 inputs, as u8, by those weights of 8 outputs, 6 pixels x 16 outputs, or 8.
#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::hint::black_box;

use super::avx2::requantise;
use super::block::{At, Block, Simd, tile_of_size};

/// Proof that the CPU has the instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AvxVnni(());

impl AvxVnni {
    pub(crate) fn detect() -> Option<Self> {
        let has =
            std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("avxvnni");
        has.then_some(Self(()))
    }
}

impl Simd for AvxVnni {
    type Value = u8;
    type Weight = i8;
    const OUTPUTS: &'static [usize] = &[16, 8];
    const GROUP: usize = 4;
    const PIXELS: &'static [usize] = &[6, 4, 2, 1];

    fn tile(self, block: &Block<i8>, x: &[u8], at: At, y: &mut [u8]) {
        at.check(block, x, y);
        // SAFETY: `self` exists only where the instructions were detected; windows and outputs are inside.
        unsafe { tile_of_size!(block, x, at, y, 16: 6 4 2) }
    }

    fn multiply(self, rounds: usize) -> usize {
        // SAFETY: `self` exists only where the instructions were detected.
        unsafe { multiply(rounds) }
    }
}

#[target_feature(enable = "avx2,avxvnni")]
fn multiply(rounds: usize) -> usize {
    let (mut sums, mut x) = ([_mm256_setzero_si256(); 12], _mm256_set1_epi8(1));
    for _ in 0..rounds {
        (0..4).for_each(|_| {
            sums.iter_mut()
                .for_each(|sum| *sum = _mm256_dpbusd_avx_epi32(*sum, x, x))
        });
        x = black_box(x);
    }
    black_box(sums);
    4 * 12 * 32
}

/// `P` pixels x `N` times 8 outputs.
///
/// # Safety
/// `at` must have been checked, for at least `P` windows and as many outputs.
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn tile<const P: usize, const N: usize>(block: &Block<i8>, x: &[u8], at: At, y: &mut [u8]) {
    let first = x[at.start..].as_ptr();
    let bias = block.bias.as_chunks::<8>().0;
    // SAFETY: eight values each.
    let mut sums: [[__m256i; N]; P] =
        [std::array::from_fn(|n| unsafe { _mm256_loadu_si256(bias[n].as_ptr().cast()) }); P];
    let mut weights = block.weights.as_chunks::<32>().0.as_chunks::<N>().0.iter();
    for run in &block.runs {
        let windows: [_; P] = std::array::from_fn(|i| first.wrapping_add(i * at.step + run.offset));
        for (group, weights) in weights.by_ref().take(run.groups).enumerate() {
            // SAFETY: 32 values each.
            let weights = weights
                .each_ref()
                .map(|weights| unsafe { _mm256_loadu_si256(weights.as_ptr().cast()) });
            for (sums, window) in sums.iter_mut().zip(windows) {
                // SAFETY: the caller's word.
                let four = unsafe { window.add(4 * group).cast::<i32>().read_unaligned() };
                let four = _mm256_set1_epi32(four);
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = _mm256_dpbusd_avx_epi32(*sum, four, weights);
                }
            }
        }
    }
    for (p, sums) in sums.into_iter().enumerate() {
        for (n, sum) in sums.into_iter().enumerate() {
            // 128 turns the outputs into u8
            let steps = requantise(block, sum, 8 * n, i32::from(block.zero) + 128);
            let words = _mm_packs_epi32(
                _mm256_castsi256_si128(steps),
                _mm256_extracti128_si256::<1>(steps),
            );
            // SAFETY: 8 bytes are written to 8; the caller's word.
            unsafe {
                _mm_storel_epi64(
                    y.as_mut_ptr().add(p * at.apart + 8 * n).cast(),
                    _mm_packus_epi16(words, words),
                )
            };
        }
    }
}
