//! 64-bit ARM with the dot product extension: `sdot` multiplies 4 inputs by 4 outputs an instruction, 6
//! pixels x 16 outputs, as many sums as the registers hold beside what is multiplied.
#![allow(unsafe_code)]

use std::arch::aarch64::*;
use std::arch::asm;
use std::hint::black_box;

use super::block::{At, Block, Simd};
use super::neon::{biases, requantise, unrelated, windows};

/// Proof that the CPU has the dot product instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sdot(());

impl Sdot {
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("dotprod").then_some(Self(()))
    }
}

impl Simd for Sdot {
    type Value = i8;
    type Weight = i8;
    const OUTPUTS: &'static [usize] = &[16, 8];
    const GROUP: usize = 4;
    const PIXELS: &'static [usize] = &[6, 4, 1];
    const READ: usize = 16;

    fn tile(self, block: &Block<i8>, x: &[i8], at: At, y: &mut [i8]) {
        at.check(block, x, y);
        // SAFETY: `self` exists only where the extension was detected; windows and outputs are inside.
        unsafe {
            match (at.count, block.width) {
                (6, 16) => tile::<6, 4>(block, x, at, y),
                (4, 16) => tile::<4, 4>(block, x, at, y),
                (_, 16) => tile::<1, 4>(block, x, at, y),
                (6, _) => tile::<6, 2>(block, x, at, y),
                (4, _) => tile::<4, 2>(block, x, at, y),
                _ => tile::<1, 2>(block, x, at, y),
            }
        }
    }

    fn multiply(self, rounds: usize) -> usize {
        // SAFETY: `self` exists only where the instructions were detected.
        unsafe { multiply(rounds) }
    }
}

/// `sum += ` products of the four outputs' weights with the four inputs in lane `$lane` of `x`. Rust's
/// intrinsic for it is not stable yet.
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

/// `P` pixels and `FOURS` times four outputs.
///
/// # Safety
/// `at` must have been checked, for at least `P` windows and as many outputs.
#[target_feature(enable = "neon,dotprod")]
unsafe fn tile<const P: usize, const FOURS: usize>(block: &Block<i8>, x: &[i8], at: At, y: &mut [i8]) {
    let windows = windows::<P>(x, at);
    let mut sums = [biases::<FOURS>(block); P];
    let mut weights = block.weights.as_chunks::<16>().0.as_chunks::<FOURS>().0;
    macro_rules! step {
        ($weights:expr, $pixels:expr, $lane:literal) => {
            for (four, weights) in $weights.iter().enumerate() {
                // SAFETY: 16 values.
                let weights = unsafe { vld1q_s8(weights.as_ptr()) };
                for (sum, pixel) in sums.iter_mut().zip($pixels) {
                    sdot!(sum[four], weights, pixel, $lane);
                }
            }
        };
    }
    for run in &block.runs {
        let (of_run, behind) = weights.split_at(run.groups);
        weights = behind;
        let (fours, rest) = of_run.as_chunks::<4>();
        let mut place = unrelated(run.offset);
        let mut sixteen = || {
            // SAFETY: the caller's word; behind a run up to `READ` values may be read.
            let pixels = windows.map(|window| unsafe { vld1q_s8(window.add(place)) });
            place = unrelated(place + 16);
            pixels
        };
        for four in fours {
            let pixels = sixteen();
            step!(four[0], pixels, "0");
            step!(four[1], pixels, "1");
            step!(four[2], pixels, "2");
            step!(four[3], pixels, "3");
        }
        let [first, more @ ..] = rest else { continue };
        let pixels = sixteen();
        step!(first, pixels, "0");
        let [second, more @ ..] = more else { continue };
        step!(second, pixels, "1");
        let [third, ..] = more else { continue };
        step!(third, pixels, "2");
    }
    // SAFETY: the caller's word.
    unsafe { requantise(block, sums, at, y) };
}
