//! Plain Rust, which the compiler turns into whatever instructions there are.

use std::hint::black_box;

use super::block::{At, Block, Simd};

/// Outputs in a block.
const WIDTH: usize = 16;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar;

impl Simd for Scalar {
    type Value = i8;
    type Weight = i16;
    const OUTPUTS: &'static [usize] = &[WIDTH];
    const GROUP: usize = 1;
    const PIXELS: &'static [usize] = &[1];

    fn tile(self, block: &Block<i16>, x: &[i8], at: At, y: &mut [i8]) {
        at.check(block, x, y);
        let window = &x[at.start..];
        let mut sums = block.bias;
        let mut weights = block.weights.as_chunks::<WIDTH>().0.iter();
        for run in &block.runs {
            for (&x, weights) in window[run.offset..run.offset + run.groups]
                .iter()
                .zip(weights.by_ref())
            {
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum = sum.wrapping_add(i32::from(x) * i32::from(weight));
                }
            }
        }
        let [lowest, highest] = block.bounds;
        for ((value, sum), multiplier) in y[..WIDTH].iter_mut().zip(sums).zip(block.multiplier) {
            let steps = (sum as f32 * multiplier).max(lowest).min(highest);
            *value = (steps.round_ties_even() as i32 + i32::from(block.zero)) as i8;
        }
    }

    fn multiply(self, rounds: usize) -> usize {
        let (mut sums, mut x) = ([0i32; 4 * WIDTH], [1i16; 4 * WIDTH]);
        for _ in 0..rounds {
            for (sum, &x) in sums.iter_mut().zip(&x) {
                *sum = sum.wrapping_add(i32::from(*sum as i16) * i32::from(x));
            }
            x = black_box(x);
        }
        black_box(sums);
        4 * WIDTH
    }
}
