//! What the kernels for 64-bit ARM share.
#![allow(unsafe_code)]

use std::arch::aarch64::*;

use super::block::{Block, MAX_OUTPUTS};

/// Eight outputs of a pixel; [`super::convolution::requantise`], clamped before it is rounded, which is the same.
#[target_feature(enable = "neon")]
pub(super) fn requantise(block: &Block<i8>, sums: [int32x4_t; 2], values: &mut [i8; MAX_OUTPUTS]) {
    let [lowest, highest] = block.bounds.map(|bound| vdupq_n_f32(bound));
    let [low, high] = [0, 1].map(|half| {
        let (bias, multiplier) = (&block.bias[4 * half..][..4], &block.multiplier[4 * half..][..4]);
        // SAFETY: four values each.
        let (bias, multiplier) = unsafe { (vld1q_s32(bias.as_ptr()), vld1q_f32(multiplier.as_ptr())) };
        let steps = vmulq_f32(vcvtq_f32_s32(vaddq_s32(sums[half], bias)), multiplier);
        let steps = vminq_f32(vmaxq_f32(steps, lowest), highest);
        vmovn_s32(vaddq_s32(vcvtnq_s32_f32(steps), vdupq_n_s32(i32::from(block.zero))))
    });
    // SAFETY: 8 bytes are written to 16.
    unsafe { vst1_s8(values.as_mut_ptr(), vmovn_s16(vcombine_s16(low, high))) };
}
