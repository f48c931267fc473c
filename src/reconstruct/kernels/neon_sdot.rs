//! 64-bit ARM with the dot product extension: `sdot` multiplies 4 inputs by 4 outputs an instruction, 8 pixels x 8
//! outputs.
#![allow(unsafe_code)]

use std::arch::aarch64::*;
use std::arch::asm;

use super::block::{At, Block, Simd, Tile};
use super::neon::requantise;

/// Proof that the CPU has the dot product instructions.
#[derive(Clone, Copy, Debug)]
pub(in crate::reconstruct) struct Sdot(());

impl Sdot {
    pub(in crate::reconstruct) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("dotprod").then_some(Self(()))
    }
}

impl Simd for Sdot {
    type Value = i8;
    type Weight = i8;
    const OUTPUTS: &'static [usize] = &[8];
    const GROUP: usize = 4;
    const PIXELS: &'static [usize] = &[8, 4, 1];

    fn tile(self, block: &Block<i8>, x: &[i8], at: At, out: &mut Tile<i8>) {
        at.check(block, x.len());
        // SAFETY: `self` exists only where the extension was detected; the windows are inside.
        unsafe {
            match at.count {
                8 => tile::<8>(block, x, at, out),
                4 => tile::<4>(block, x, at, out),
                _ => tile::<1>(block, x, at, out),
            }
        }
    }
}

/// `sum += ` products of the four outputs' weights with the four inputs in lane `$lane` of `x`. Rust's intrinsic for
/// it is not stable yet.
macro_rules! sdot {
    ($sum:expr, $weights:expr, $x:expr, $lane:literal) => {
        // SAFETY: registers only; the enclosing function enables the extension.
        unsafe {
            asm!(
                concat!("sdot {sum:v}.4s, {weights:v}.16b, {x:v}.4b[", $lane, "]"),
                sum = inout(vreg) $sum,
                weights = in(vreg) $weights,
                x = in(vreg) $x,
                options(pure, nomem, nostack, preserves_flags)
            )
        }
    };
}

/// # Safety
/// `at` must have been checked, for at least `P` windows.
#[target_feature(enable = "neon,dotprod")]
unsafe fn tile<const P: usize>(block: &Block<i8>, x: &[i8], at: At, tile: &mut Tile<i8>) {
    let first = x[at.start..].as_ptr();
    let windows: [*const i8; P] = std::array::from_fn(|i| first.wrapping_add(i * at.step));
    let mut sums = [[vdupq_n_s32(0); 2]; P];
    let mut weights = block.weights.as_chunks::<16>().0.as_chunks::<2>().0.iter();
    // SAFETY: 16 values each.
    let mut next = || weights.next().map(|[low, high]| unsafe { (vld1q_s8(low.as_ptr()), vld1q_s8(high.as_ptr())) });
    for run in &block.runs {
        for quad in 0..run.groups / 4 {
            // SAFETY: the caller's word.
            let pixels = windows.map(|window| unsafe { vld1q_s8(window.add(run.offset + 16 * quad)) });
            macro_rules! step {
                ($lane:literal) => {
                    let Some((low, high)) = next() else { break };
                    for (sum, pixel) in sums.iter_mut().zip(pixels) {
                        sdot!(sum[0], low, pixel, $lane);
                        sdot!(sum[1], high, pixel, $lane);
                    }
                };
            }
            step!("0");
            step!("1");
            step!("2");
            step!("3");
        }
        for group in run.groups / 4 * 4..run.groups {
            let Some((low, high)) = next() else { break };
            for (sum, window) in sums.iter_mut().zip(windows) {
                // SAFETY: the caller's word.
                let four = unsafe { window.add(run.offset + 4 * group).cast::<i32>().read_unaligned() };
                let pixel = vreinterpretq_s8_s32(vdupq_n_s32(four));
                sdot!(sum[0], low, pixel, "0");
                sdot!(sum[1], high, pixel, "0");
            }
        }
    }
    for (values, sums) in tile.iter_mut().zip(sums) {
        requantise(block, sums, values);
    }
}
