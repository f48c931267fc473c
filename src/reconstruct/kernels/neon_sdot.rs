//! 64-bit ARM with the dot product extension: `sdot` multiplies 4 inputs by 4 outputs an instruction, 8 pixels x 8
//! outputs.
#![allow(unsafe_code)]

use std::arch::aarch64::*;
use std::arch::asm;
use std::hint::black_box;

use super::block::{At, Block, Simd};
use super::neon::{biases, requantise, unrelated, windows};

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
    const READ: usize = 16;

    fn tile(self, block: &Block<i8>, x: &[i8], at: At, y: &mut [i8]) {
        at.check(block, x, y);
        // SAFETY: `self` exists only where the extension was detected; windows and outputs are inside.
        unsafe {
            match at.count {
                8 => tile::<8>(block, x, at, y),
                4 => tile::<4>(block, x, at, y),
                _ => tile::<1>(block, x, at, y),
            }
        }
    }

    fn multiply(self, rounds: usize) -> usize {
        // SAFETY: `self` exists only where the instructions were detected.
        unsafe { multiply(rounds) }
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

#[target_feature(enable = "neon,dotprod")]
fn multiply(rounds: usize) -> usize {
    let (mut sums, x) = ([vdupq_n_s32(0); 16], vdupq_n_s8(1));
    for _ in 0..rounds {
        for sum in &mut sums {
            sdot!(*sum, x, x, "0");
        }
    }
    black_box(sums);
    16 * 16
}

/// # Safety
/// `at` must have been checked, for at least `P` windows.
#[target_feature(enable = "neon,dotprod")]
unsafe fn tile<const P: usize>(block: &Block<i8>, x: &[i8], at: At, y: &mut [i8]) {
    let windows = windows::<P>(x, at);
    let mut sums = [biases(block); P];
    let mut weights = block.weights.as_chunks::<32>().0;
    macro_rules! step {
        ($weights:expr, $pixels:expr, $lane:literal) => {
            // SAFETY: 16 values each.
            let [low, high] = [0, 16].map(|half| unsafe { vld1q_s8($weights[half..].as_ptr()) });
            for (sum, pixel) in sums.iter_mut().zip($pixels) {
                sdot!(sum[0], low, pixel, $lane);
                sdot!(sum[1], high, pixel, $lane);
            }
        };
    }
    for run in &block.runs {
        let (of_run, behind) = weights.split_at(run.groups);
        weights = behind;
        let (fours, rest) = of_run.as_chunks::<4>();
        // SAFETY: the caller's word; behind a run up to `READ` values may be read.
        let sixteen = |four: usize| {
            let at = unrelated(run.offset + 16 * four);
            windows.map(|window| unsafe { vld1q_s8(window.add(at)) })
        };
        for (n, four) in fours.iter().enumerate() {
            let pixels = sixteen(n);
            step!(four[0], pixels, "0");
            step!(four[1], pixels, "1");
            step!(four[2], pixels, "2");
            step!(four[3], pixels, "3");
        }
        let [first, more @ ..] = rest else { continue };
        let pixels = sixteen(fours.len());
        step!(first, pixels, "0");
        let [second, more @ ..] = more else { continue };
        step!(second, pixels, "1");
        let [third, ..] = more else { continue };
        step!(third, pixels, "2");
    }
    // SAFETY: the caller's word.
    unsafe { requantise(block, sums, at, y) };
}
