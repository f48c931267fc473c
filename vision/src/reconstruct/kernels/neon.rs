//! What the kernels for 64-bit ARM share.
#![allow(unsafe_code)]

use std::arch::aarch64::*;
use std::arch::asm;

use super::block::{At, Block};

/// The same number, of which the compiler is not told what it has to do with others: of places that lie
/// equally far apart it would count each one on at every step, where adding two registers is part of a load.
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

/// The outputs' biases, four by four.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn biases<const FOURS: usize>(block: &Block<i8>) -> [int32x4_t; FOURS] {
    let bias = block.bias.as_chunks::<4>().0;
    // SAFETY: four values each.
    std::array::from_fn(|four| unsafe { vld1q_s32(bias[four].as_ptr()) })
}

/// Requantises two or four times four outputs of each pixel and writes them;
/// [`super::convolution::requantise`], with the clamp done by narrowing with saturation, which is the same.
///
/// # Safety
/// `at` must have been checked, for at least `P` windows and as many outputs.
#[inline]
#[target_feature(enable = "neon")]
pub(super) unsafe fn requantise<const P: usize, const FOURS: usize>(
    block: &Block<i8>,
    sums: [[int32x4_t; FOURS]; P],
    at: At,
    outputs: &mut [i8],
) {
    const { assert!(FOURS == 2 || FOURS == 4) };
    let multiplier = block.multiplier.as_chunks::<4>().0;
    // SAFETY: four values each.
    let multiplier: [_; FOURS] = std::array::from_fn(|four| unsafe { vld1q_f32(multiplier[four].as_ptr()) });
    let zero = vdupq_n_s16(block.zero.into());
    let [lowest, highest] = block.clip.map(|bound| vdupq_n_s8(bound));
    for (p, sums) in sums.into_iter().enumerate() {
        let steps = |four: usize| vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(sums[four]), multiplier[four]));
        let eight = |two: usize| {
            vqaddq_s16(
                vqmovn_high_s32(vqmovn_s32(steps(2 * two)), steps(2 * two + 1)),
                zero,
            )
        };
        let low = vqmovn_s16(eight(0));
        // SAFETY: as many bytes are written as there are outputs; the caller's word.
        unsafe {
            let place = outputs.as_mut_ptr().add(p * at.apart);
            if FOURS == 4 {
                let values = vqmovn_high_s16(low, eight(1));
                vst1q_s8(place, vminq_s8(vmaxq_s8(values, lowest), highest));
            } else {
                let [lowest, highest] = [lowest, highest].map(|bound| vget_low_s8(bound));
                vst1_s8(place, vmin_s8(vmax_s8(low, lowest), highest));
            }
        }
    }
}
