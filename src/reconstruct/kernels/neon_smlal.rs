//! Any 64-bit ARM: `smull` and `smlal` to i16, `sadalp` to i32, 4 pixels x 8 outputs.
//!
//! Two products are added in i16: 2 * 128 * 127 still fits, which is why no weight may be -128.
#![allow(unsafe_code)]

use std::arch::aarch64::*;

use super::block::{At, Block, Simd, Tile};
use super::neon::requantise;

/// Proof that the CPU has NEON.
#[derive(Clone, Copy, Debug)]
pub(in crate::reconstruct) struct Smlal(());

impl Smlal {
    pub(in crate::reconstruct) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

impl Simd for Smlal {
    type Value = i8;
    type Weight = i8;
    const OUTPUTS: &'static [usize] = &[8];
    const GROUP: usize = 4;
    const PIXELS: &'static [usize] = &[4, 1];

    fn tile(self, block: &Block<i8>, x: &[i8], at: At, out: &mut Tile<i8>) {
        at.check(block, x.len());
        // SAFETY: `self` exists only where NEON was detected; the windows are inside.
        unsafe {
            match at.count {
                4 => tile::<4>(block, x, at, out),
                _ => tile::<1>(block, x, at, out),
            }
        }
    }
}

/// # Safety
/// `at` must have been checked, for at least `P` windows.
#[target_feature(enable = "neon")]
unsafe fn tile<const P: usize>(block: &Block<i8>, x: &[i8], at: At, tile: &mut Tile<i8>) {
    let first = x[at.start..].as_ptr();
    let windows: [*const i8; P] = std::array::from_fn(|i| first.wrapping_add(i * at.step));
    // Each sum holds two outputs with two partial sums each.
    let mut sums = [[vdupq_n_s32(0); 4]; P];
    let mut weights = block.weights.as_chunks::<8>().0.as_chunks::<4>().0.iter();
    // SAFETY: 8 values each.
    let mut next = || weights.next().map(|group| group.each_ref().map(|two| unsafe { vld1_s8(two.as_ptr()) }));
    for run in &block.runs {
        for pair in 0..run.groups / 2 {
            let (Some(first), Some(second)) = (next(), next()) else { break };
            for (sum, window) in sums.iter_mut().zip(windows) {
                let at = run.offset + 8 * pair;
                // SAFETY: the caller's word.
                let (a, b) = unsafe { (four(window, at), four(window, at + 4)) };
                for ((sum, first), second) in sum.iter_mut().zip(first).zip(second) {
                    *sum = vpadalq_s16(*sum, vmlal_s8(vmull_s8(first, a), second, b));
                }
            }
        }
        if run.groups % 2 == 1 {
            let Some(last) = next() else { break };
            for (sum, window) in sums.iter_mut().zip(windows) {
                // SAFETY: the caller's word.
                let x = unsafe { four(window, run.offset + 4 * (run.groups - 1)) };
                for (sum, last) in sum.iter_mut().zip(last) {
                    *sum = vpadalq_s16(*sum, vmull_s8(last, x));
                }
            }
        }
    }
    for (values, [a, b, c, d]) in tile.iter_mut().zip(sums) {
        requantise(block, [vpaddq_s32(a, b), vpaddq_s32(c, d)], values);
    }
}

/// Four inputs, twice.
///
/// # Safety
/// `window + at` must point to 4 readable values.
#[target_feature(enable = "neon")]
unsafe fn four(window: *const i8, at: usize) -> int8x8_t {
    // SAFETY: the caller's word.
    let four = unsafe { window.add(at).cast::<i32>().read_unaligned() };
    vreinterpret_s8_s32(vdup_n_s32(four))
}
