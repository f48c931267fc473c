//! 64-bit ARM with the matrix product instructions (Cortex-A510, A710, Neoverse V1): `smmla` multiplies 8
//! inputs of 2 pixels by those weights of 2 outputs, 8 pixels x 8 outputs.
#![allow(unsafe_code)]

use std::arch::aarch64::*;
use std::arch::asm;
use std::hint::black_box;

use super::block::{At, Block, Simd};
use super::neon::{biases, requantise, windows};

/// Proof that the CPU has the matrix product instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct I8mm(());

impl I8mm {
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("i8mm").then_some(Self(()))
    }
}

impl Simd for I8mm {
    type Value = i8;
    type Weight = i8;
    const OUTPUTS: &'static [usize] = &[8];
    const GROUP: usize = 8;
    const PIXELS: &'static [usize] = &[8, 4, 2, 1];

    fn tile(self, block: &Block<i8>, x: &[i8], at: At, y: &mut [i8]) {
        at.check(block, x, y);
        // SAFETY: `self` exists only where the extension was detected; windows and outputs are inside.
        unsafe {
            match at.count {
                8 => tile::<4, 8>(block, x, at, y),
                4 => tile::<2, 4>(block, x, at, y),
                2 => tile::<1, 2>(block, x, at, y),
                _ => tile::<1, 1>(block, x, at, y),
            }
        }
    }

    fn multiply(self, rounds: usize) -> usize {
        // SAFETY: `self` exists only where the instructions were detected.
        unsafe { multiply(rounds) }
    }
}

#[target_feature(enable = "neon,i8mm")]
fn multiply(rounds: usize) -> usize {
    let (mut sums, x) = ([vdupq_n_s32(0); 16], vdupq_n_s8(1));
    (0..rounds).for_each(|_| sums.iter_mut().for_each(|sum| smmla(sum, x, x)));
    black_box(sums);
    16 * 32
}

/// `sum += ` products of two pixels' eight inputs with the weights of two outputs. Rust's intrinsic for it is
/// not stable yet.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn smmla(sum: &mut int32x4_t, pixels: int8x16_t, weights: int8x16_t) {
    // SAFETY: registers only; the function enables the extension.
    unsafe {
        asm!(
            "smmla {sum:v}.4s, {pixels:v}.16b, {weights:v}.16b",
            sum = inout(vreg) *sum,
            pixels = in(vreg) pixels,
            weights = in(vreg) weights,
            options(pure, nomem, nostack, preserves_flags)
        )
    }
}

/// `P` pixels in `PAIRS` pairs; where there is one only, it is the pair's both.
///
/// # Safety
/// `at` must have been checked, for at least `P` windows and as many outputs.
#[target_feature(enable = "neon,i8mm")]
unsafe fn tile<const PAIRS: usize, const P: usize>(block: &Block<i8>, x: &[i8], at: At, y: &mut [i8]) {
    let windows = windows::<P>(x, at);
    // each sum holds two outputs of a pixel and the same two of the next one
    let mut sums = [[vdupq_n_s32(0); 4]; PAIRS];
    let mut weights = block.weights.as_chunks::<64>().0;
    for run in &block.runs {
        let (of_run, behind) = weights.split_at(run.groups);
        weights = behind;
        for (group, weights) in of_run.iter().enumerate() {
            // SAFETY: 16 values each.
            let weights = weights.as_chunks::<16>().0.as_chunks::<4>().0[0]
                .each_ref()
                .map(|two| unsafe { vld1q_s8(two.as_ptr()) });
            for (pair, sums) in sums.iter_mut().enumerate() {
                let pair = [windows[2 * pair], windows[(2 * pair + 1).min(P - 1)]];
                // SAFETY: the caller's word.
                let [a, b] = pair.map(|window| unsafe { vld1_s8(window.add(run.offset + 8 * group)) });
                let pixels = vcombine_s8(a, b);
                sums.iter_mut()
                    .zip(weights)
                    .for_each(|(sum, weights)| smmla(sum, pixels, weights));
            }
        }
    }
    let bias = biases::<2>(block);
    let of_pixel = |p: usize| {
        let half = |a: int32x4_t, b: int32x4_t| {
            let [a, b] = [a, b].map(|sum| vreinterpretq_s64_s32(sum));
            vreinterpretq_s32_s64(if p % 2 == 0 {
                vtrn1q_s64(a, b)
            } else {
                vtrn2q_s64(a, b)
            })
        };
        let [a, b, c, d] = sums[p / 2];
        [vaddq_s32(half(a, b), bias[0]), vaddq_s32(half(c, d), bias[1])]
    };
    let sums: [_; P] = std::array::from_fn(of_pixel);
    // SAFETY: the caller's word.
    unsafe { requantise(block, sums, at, y) };
}
