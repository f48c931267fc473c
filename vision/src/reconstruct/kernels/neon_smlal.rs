//! Any 64-bit ARM: `smull` and `smlal` to i16, `sadalp` to i32, 4 pixels x 8 outputs.
//!
//! Two products are added in i16: 2 * 128 * 127 still fits, which is why no weight may be -128. Four are
//! where the weights are known to be small enough, as most are.
#![allow(unsafe_code)]

use std::arch::aarch64::*;
use std::arch::asm;
use std::hint::black_box;

use super::block::{At, Block, Simd};
use super::neon::{biases, requantise, windows};

/// Proof that the CPU has NEON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Smlal(());

impl Smlal {
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

impl Simd for Smlal {
    type Value = i8;
    type Weight = i8;
    const OUTPUTS: &'static [usize] = &[8];
    const GROUP: usize = 4;
    const PIXELS: &'static [usize] = &[4, 1];
    const READ: usize = 16;

    fn tile(self, block: &Block<i8>, x: &[i8], at: At, y: &mut [i8]) {
        at.check(block, x, y);
        // SAFETY: `self` exists only where NEON was detected; windows and outputs are inside.
        unsafe {
            match at.count {
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

#[target_feature(enable = "neon")]
fn multiply(rounds: usize) -> usize {
    let (mut sums, mut x) = ([vdupq_n_s16(0); 16], vdupq_n_s8(1));
    for _ in 0..rounds {
        (0..4).for_each(|_| sums.iter_mut().for_each(|sum| *sum = vmlal_high_s8(*sum, x, x)));
        x = black_box(x);
    }
    black_box(sums);
    4 * 16 * 8
}

/// # Safety
/// `at` must have been checked, for at least `P` windows and as many outputs.
#[target_feature(enable = "neon")]
unsafe fn tile<const P: usize>(block: &Block<i8>, x: &[i8], at: At, y: &mut [i8]) {
    let windows = windows::<P>(x, at);
    // each sum holds two outputs with two partial sums each
    let mut sums = [[vdupq_n_s32(0); 4]; P];
    let mut weights = block.weights.as_chunks::<32>().0;
    let mut narrow = block.is_narrow.as_slice();
    for run in &block.runs {
        let (of_run, behind) = weights.split_at(run.groups);
        weights = behind;
        let (is_narrow, behind) = narrow.split_at(run.groups.div_ceil(4));
        narrow = behind;
        // unrolled by hand, or the compiler keeps the sums in memory
        macro_rules! pixels {
            ($add:ident, $weights:ident, $at:expr, $($p:literal)*) => {
                // SAFETY: the caller's word; behind a run up to `READ` values may be read.
                $(if $p < P { unsafe { $add(&mut sums[$p], &$weights, windows[$p], run.offset + $at) } })*
            };
        }
        let (fours, rest) = of_run.as_chunks::<4>();
        for (n, (four, is_narrow)) in fours.iter().zip(is_narrow).enumerate() {
            let weights = four.each_ref().map(|group| load(group));
            if *is_narrow {
                pixels!(add_four_narrow_groups, weights, 16 * n, 0 1 2 3);
            } else {
                pixels!(add_four_groups, weights, 16 * n, 0 1 2 3);
            }
        }
        if !rest.is_empty() {
            let mut weights = [[vdupq_n_s8(0); 2]; 4];
            weights
                .iter_mut()
                .zip(rest)
                .for_each(|(weights, group)| *weights = load(group));
            pixels!(add_four_groups, weights, 16 * fours.len(), 0 1 2 3);
        }
    }
    let bias = biases::<2>(block);
    let sums = sums.map(|[a, b, c, d]| {
        [
            vaddq_s32(vpaddq_s32(a, b), bias[0]),
            vaddq_s32(vpaddq_s32(c, d), bias[1]),
        ]
    });
    // SAFETY: the caller's word.
    unsafe { requantise(block, sums, at, y) };
}

/// A group's weights of the first four outputs and of the last four.
#[inline]
#[target_feature(enable = "neon")]
fn load(group: &[i8; 32]) -> [int8x16_t; 2] {
    // SAFETY: 16 values each.
    [0, 16].map(|half| unsafe { vld1q_s8(group[half..].as_ptr()) })
}

/// Four groups' products with 16 inputs, by the multiplications and additions named. In one piece: the
/// compiler would keep more products at a time than there are registers.
macro_rules! four_groups {
    ($name:ident, $doc:literal, $($line:literal),*) => {
        #[doc = $doc]
        ///
        /// # Safety
        /// There must be 16 readable values `at` values behind `x`.
        #[inline]
        #[target_feature(enable = "neon")]
        unsafe fn $name(sum: &mut [int32x4_t; 4], weights: &[[int8x16_t; 2]; 4], x: *const i8, at: usize) {
            let ([s, t, u, v], [[a, b], [c, d], [e, f], [g, h]]) = (sum, *weights);
            // SAFETY: registers, and what the caller promises.
            unsafe {
                asm!(
                    "ldr {l:q}, [{x}, {at}]", "dup {i:v}.4s, {l:v}.s[0]", "dup {j:v}.4s, {l:v}.s[1]",
                    "dup {k:v}.4s, {l:v}.s[2]", "dup {l:v}.4s, {l:v}.s[3]",
                    $($line,)*
                    s = inout(vreg) *s, t = inout(vreg) *t, u = inout(vreg) *u, v = inout(vreg) *v,
                    a = in(vreg) a, b = in(vreg) b, c = in(vreg) c, d = in(vreg) d,
                    e = in(vreg) e, f = in(vreg) f, g = in(vreg) g, h = in(vreg) h,
                    x = in(reg) x, at = in(reg) at,
                    i = out(vreg) _, j = out(vreg) _, k = out(vreg) _, l = out(vreg) _, m = out(vreg) _,
                    options(pure, readonly, nostack, preserves_flags)
                )
            }
        }
    };
}

four_groups!(
    add_four_narrow_groups,
    "All four fit into 16 bits together.",
    "smull {m:v}.8h, {a:v}.8b, {i:v}.8b",
    "smlal {m:v}.8h, {c:v}.8b, {j:v}.8b",
    "smlal {m:v}.8h, {e:v}.8b, {k:v}.8b",
    "smlal {m:v}.8h, {g:v}.8b, {l:v}.8b",
    "sadalp {s:v}.4s, {m:v}.8h",
    "smull2 {m:v}.8h, {a:v}.16b, {i:v}.16b",
    "smlal2 {m:v}.8h, {c:v}.16b, {j:v}.16b",
    "smlal2 {m:v}.8h, {e:v}.16b, {k:v}.16b",
    "smlal2 {m:v}.8h, {g:v}.16b, {l:v}.16b",
    "sadalp {t:v}.4s, {m:v}.8h",
    "smull {m:v}.8h, {b:v}.8b, {i:v}.8b",
    "smlal {m:v}.8h, {d:v}.8b, {j:v}.8b",
    "smlal {m:v}.8h, {f:v}.8b, {k:v}.8b",
    "smlal {m:v}.8h, {h:v}.8b, {l:v}.8b",
    "sadalp {u:v}.4s, {m:v}.8h",
    "smull2 {m:v}.8h, {b:v}.16b, {i:v}.16b",
    "smlal2 {m:v}.8h, {d:v}.16b, {j:v}.16b",
    "smlal2 {m:v}.8h, {f:v}.16b, {k:v}.16b",
    "smlal2 {m:v}.8h, {h:v}.16b, {l:v}.16b",
    "sadalp {v:v}.4s, {m:v}.8h"
);
four_groups!(
    add_four_groups,
    "Two and two fit into 16 bits together.",
    "smull {m:v}.8h, {a:v}.8b, {i:v}.8b",
    "smlal {m:v}.8h, {c:v}.8b, {j:v}.8b",
    "sadalp {s:v}.4s, {m:v}.8h",
    "smull {m:v}.8h, {e:v}.8b, {k:v}.8b",
    "smlal {m:v}.8h, {g:v}.8b, {l:v}.8b",
    "sadalp {s:v}.4s, {m:v}.8h",
    "smull2 {m:v}.8h, {a:v}.16b, {i:v}.16b",
    "smlal2 {m:v}.8h, {c:v}.16b, {j:v}.16b",
    "sadalp {t:v}.4s, {m:v}.8h",
    "smull2 {m:v}.8h, {e:v}.16b, {k:v}.16b",
    "smlal2 {m:v}.8h, {g:v}.16b, {l:v}.16b",
    "sadalp {t:v}.4s, {m:v}.8h",
    "smull {m:v}.8h, {b:v}.8b, {i:v}.8b",
    "smlal {m:v}.8h, {d:v}.8b, {j:v}.8b",
    "sadalp {u:v}.4s, {m:v}.8h",
    "smull {m:v}.8h, {f:v}.8b, {k:v}.8b",
    "smlal {m:v}.8h, {h:v}.8b, {l:v}.8b",
    "sadalp {u:v}.4s, {m:v}.8h",
    "smull2 {m:v}.8h, {b:v}.16b, {i:v}.16b",
    "smlal2 {m:v}.8h, {d:v}.16b, {j:v}.16b",
    "sadalp {v:v}.4s, {m:v}.8h",
    "smull2 {m:v}.8h, {f:v}.16b, {k:v}.16b",
    "smlal2 {m:v}.8h, {h:v}.16b, {l:v}.16b",
    "sadalp {v:v}.4s, {m:v}.8h"
);
