//! What the kernels for 64-bit ARM share.
#![allow(unsafe_code)]

use std::arch::aarch64::*;
use std::arch::asm;

use super::block::{At, Block};

/// The same number, of which the compiler is not told what it has to do with others: of places that lie equally far apart it would
/// count each one on at every step, where adding two registers is part of a load.
#[inline]
pub(super) fn unrelated(mut number: usize) -> usize {
    // SAFETY: does nothing.
    unsafe { asm!("/* {0} */", inout(reg) number, options(pure, nomem, nostack, preserves_flags)) };
    number
}

/// Where each window starts.
#[inline]
pub(super) fn windows<const P: usize>(x: &[i8], at: At) -> [*const i8; P] {
    let first = x[at.start..].as_ptr();
    std::array::from_fn(|i| first.wrapping_add(unrelated(i * at.step)))
}

/// Four and four outputs' biases.
#[target_feature(enable = "neon")]
pub(super) fn biases(block: &Block<i8>) -> [int32x4_t; 2] {
    let bias = block.bias.as_chunks::<4>().0;
    // SAFETY: four values each.
    [0, 1].map(|half| unsafe { vld1q_s32(bias[half].as_ptr()) })
}

/// Requantises eight outputs of each pixel and writes them; [`super::convolution::requantise`], with the clamp done by narrowing
/// with saturation, which is the same.
///
/// # Safety
/// `at` must have been checked, for at least `P` windows.
#[target_feature(enable = "neon")]
pub(super) unsafe fn requantise<const P: usize>(
    block: &Block<i8>,
    sums: [[int32x4_t; 2]; P],
    at: At,
    outputs: &mut [i8],
) {
    let multiplier = block.multiplier.as_chunks::<4>().0;
    // SAFETY: four values each.
    let multiplier = [0, 1].map(|half| unsafe { vld1q_f32(multiplier[half].as_ptr()) });
    let zero = vdupq_n_s16(block.zero.into());
    let [lowest, highest] = block.clip.map(|bound| vdup_n_s8(bound));
    for (p, sums) in sums.into_iter().enumerate() {
        let [low, high] = [0, 1].map(|half| vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(sums[half]), multiplier[half])));
        let steps = vqmovn_high_s32(vqmovn_s32(low), high);
        let values = vmin_s8(vmax_s8(vqmovn_s16(vqaddq_s16(steps, zero)), lowest), highest);
        // SAFETY: 8 bytes are written to 8; the caller's word.
        unsafe { vst1_s8(outputs.as_mut_ptr().add(p * at.apart), values) };
    }
}
