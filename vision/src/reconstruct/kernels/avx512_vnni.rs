//! x86-64 with AVX-512 and its dot product instructions: `vpdpbusd` multiplies 4 inputs, as u8, by those
//! weights of 16 outputs, 8 pixels x 32 outputs, or 16.
#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::hint::black_box;

use super::block::{At, Block, Simd, tile_of_size};

/// Proof that the CPU has the instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512Vnni(());

impl Avx512Vnni {
    pub(crate) fn detect() -> Option<Self> {
        let has = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512vnni");
        has.then_some(Self(()))
    }
}

impl Simd for Avx512Vnni {
    type Value = u8;
    type Weight = i8;
    const OUTPUTS: &'static [usize] = &[32, 16];
    const GROUP: usize = 4;
    const PIXELS: &'static [usize] = &[8, 4, 2, 1];

    fn tile(self, block: &Block<i8>, x: &[u8], at: At, y: &mut [u8]) {
        at.check(block, x, y);
        // SAFETY: `self` exists only where the instructions were detected; windows and outputs are inside.
        unsafe { tile_of_size!(block, x, at, y, 32: 8 4 2) }
    }

    fn multiply(self, rounds: usize) -> usize {
        // SAFETY: `self` exists only where the instructions were detected.
        unsafe { multiply(rounds) }
    }
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn multiply(rounds: usize) -> usize {
    let (mut sums, mut x) = ([_mm512_setzero_si512(); 16], _mm512_set1_epi8(1));
    for _ in 0..rounds {
        (0..4).for_each(|_| {
            sums.iter_mut()
                .for_each(|sum| *sum = _mm512_dpbusd_epi32(*sum, x, x))
        });
        x = black_box(x);
    }
    black_box(sums);
    4 * 16 * 64
}

/// `P` pixels x `N` times 16 outputs.
///
/// # Safety
/// `at` must have been checked, for at least `P` windows and as many outputs.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn tile<const P: usize, const N: usize>(block: &Block<i8>, x: &[u8], at: At, y: &mut [u8]) {
    let first = x[at.start..].as_ptr();
    let bias = block.bias.as_chunks::<16>().0;
    // SAFETY: sixteen values each.
    let mut sums: [[__m512i; N]; P] =
        [std::array::from_fn(|n| unsafe { _mm512_loadu_si512(bias[n].as_ptr().cast()) }); P];
    let mut weights = block.weights.as_chunks::<64>().0.as_chunks::<N>().0.iter();
    for run in &block.runs {
        let windows: [_; P] = std::array::from_fn(|i| first.wrapping_add(i * at.step + run.offset));
        for (group, weights) in weights.by_ref().take(run.groups).enumerate() {
            // SAFETY: 64 values each.
            let weights = weights
                .each_ref()
                .map(|weights| unsafe { _mm512_loadu_si512(weights.as_ptr().cast()) });
            for (sums, window) in sums.iter_mut().zip(windows) {
                // SAFETY: the caller's word.
                let four = unsafe { window.add(4 * group).cast::<i32>().read_unaligned() };
                let four = _mm512_set1_epi32(four);
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = _mm512_dpbusd_epi32(*sum, four, weights);
                }
            }
        }
    }
    let [lowest, highest] = block.bounds.map(|bound| _mm512_set1_ps(bound));
    // the outputs' zero point, and what turns them into u8
    let zero = _mm512_set1_epi32(i32::from(block.zero) + 128);
    for n in 0..N {
        let multiplier = &block.multiplier[16 * n..][..16];
        // SAFETY: sixteen values.
        let multiplier = unsafe { _mm512_loadu_ps(multiplier.as_ptr()) };
        for (p, sums) in sums.iter().enumerate() {
            // `super::convolution::requantise`, clamped before it is rounded, which is the same
            let steps = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[n]), multiplier);
            let steps = _mm512_min_ps(_mm512_max_ps(steps, lowest), highest);
            let bytes = _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_cvtps_epi32(steps), zero));
            // SAFETY: 16 bytes are written to 16; the caller's word.
            unsafe { _mm_storeu_si128(y.as_mut_ptr().add(p * at.apart + 16 * n).cast(), bytes) };
        }
    }
}
