//! Weights in the order in which the SIMD kernels read them, and the loop over an output that they share.
//!
//! In NHWC the window's columns lie next to each other, so a window's row is one contiguous dot product: a *run*.
//! Outputs are taken in blocks; taps that are zero for a whole block are left out of its runs. (x2 up is exported as
//! four phases of 2 x 2 taps in a 3 x 3 window: more than half of its taps are zero.)

use super::convolution::Convolution;

/// Most outputs in a block, of any kernel.
pub(super) const MAX_OUTPUTS: usize = 16;
/// Most pixels in a tile, of any kernel.
pub(super) const MAX_PIXELS: usize = 8;
/// Values that may be read beyond the last one of the input, of any kernel.
const SLACK: usize = 16;
/// Output pixels that share one pass over the blocks, in tiles: few enough that their input stays in the first cache.
const TILES: usize = 8;

/// A SIMD kernel: computes `PIXELS` pixels x `OUTPUTS` outputs at once.
pub(super) trait Simd: Copy {
    /// The input's values as the kernel reads them.
    type Value: Copy + Default + From<i8>;
    /// Outputs in a block, at most [`MAX_OUTPUTS`].
    const OUTPUTS: usize;
    /// Neighbouring inputs of one output that are multiplied together.
    const GROUP: usize;
    /// Pixels in a tile, at most [`MAX_PIXELS`].
    const PIXELS: usize;

    /// Convolves one block at the windows that start at `starts[..PIXELS]` of `x`.
    fn tile(self, block: &Block<Self::Value>, x: &Windows<'_, Self::Value>, starts: &[usize; MAX_PIXELS]) -> Tile;
}

/// Requantised outputs of a tile: `[pixel][output]`.
pub(super) type Tile = [[i8; MAX_OUTPUTS]; MAX_PIXELS];

/// The padded input.
pub(super) struct Windows<'a, V> {
    pub(super) values: &'a [V],
    /// Values in a row.
    pub(super) pitch: usize,
    /// Values from a window's start to the end of what a kernel may read of it.
    pub(super) reach: usize,
}

/// Consecutive non-zero taps in one row of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) row: usize,
    /// Values from the row's start.
    pub(super) start: usize,
    /// Length in values.
    pub(super) length: usize,
    /// Length in groups, the last one filled with zero weights.
    pub(super) groups: usize,
}

/// The outputs that a tile computes together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block<V> {
    pub(super) runs: Vec<Run>,
    /// `[run][group][OUTPUTS][GROUP]`.
    pub(super) weights: Vec<V>,
    /// With the input's zero point folded in.
    pub(super) bias: [i32; MAX_OUTPUTS],
    pub(super) multiplier: [f32; MAX_OUTPUTS],
    pub(super) zero: i8,
}

impl<V: Copy + Default + From<i8>> Block<V> {
    fn new<K: Simd<Value = V>>(conv: &Convolution, first: usize) -> Self {
        let outputs = first..conv.outputs.min(first + K::OUTPUTS);
        let mut block = Self {
            runs: runs(conv, outputs.clone(), K::GROUP),
            weights: Vec::new(),
            bias: [0; MAX_OUTPUTS],
            multiplier: [0.0; MAX_OUTPUTS],
            zero: conv.output_zero,
        };
        for (i, o) in outputs.clone().enumerate() {
            let weight = &conv.weight[o * conv.taps()..][..conv.taps()];
            let sum: i32 = weight.iter().map(|&w| i32::from(w)).sum();
            block.bias[i] = conv.bias[o].wrapping_sub(sum.wrapping_mul(i32::from(conv.input_zero)));
            block.multiplier[i] = conv.multiplier[o];
        }
        for run in &block.runs {
            let from = run.row * conv.window[1] * conv.inputs + run.start;
            for group in 0..run.groups {
                for o in first..first + K::OUTPUTS {
                    for at in group * K::GROUP..(group + 1) * K::GROUP {
                        let inside = o < outputs.end && at < run.length;
                        let weight = if inside { conv.weight[o * conv.taps() + from + at] } else { 0 };
                        block.weights.push(V::from(weight));
                    }
                }
            }
        }
        block
    }
}

/// The runs of `outputs`.
fn runs(conv: &Convolution, outputs: std::ops::Range<usize>, group: usize) -> Vec<Run> {
    let used = |row: usize, column: usize| {
        let tap = (row * conv.window[1] + column) * conv.inputs;
        outputs.clone().any(|o| conv.weight[o * conv.taps() + tap..][..conv.inputs].iter().any(|&w| w != 0))
    };
    let mut runs = Vec::new();
    for row in 0..conv.window[0] {
        let mut column = 0;
        while column < conv.window[1] {
            let length = (column..conv.window[1]).take_while(|&c| used(row, c)).count();
            if length > 0 {
                let values = length * conv.inputs;
                runs.push(Run { row, start: column * conv.inputs, length: values, groups: values.div_ceil(group) });
            }
            column += length + 1;
        }
    }
    runs
}

/// A convolution packed for one kernel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Packed<V>(Vec<Block<V>>);

impl<V: Copy + Default + From<i8>> Packed<V> {
    pub(super) fn new<K: Simd<Value = V>>(conv: &Convolution) -> Self {
        Self((0..conv.outputs).step_by(K::OUTPUTS).map(|first| Block::new::<K>(conv, first)).collect())
    }

    /// Convolves `input` (`size` x inputs) into `output` (`output_size` x outputs).
    pub(super) fn convolve<K: Simd<Value = V>>(
        &self,
        kernel: K,
        conv: &Convolution,
        (input, size): (&[i8], [usize; 2]),
        (output, output_size): (&mut [i8], [usize; 2]),
        padded: &mut Vec<V>,
    ) {
        let pitch = pad(conv, input, size, padded);
        let reach = (conv.window[0] - 1) * pitch + conv.window[1] * conv.inputs + SLACK;
        let windows = Windows { values: padded, pitch, reach };
        let start = |pixel: usize| {
            let (y, x) = (pixel / output_size[1], pixel % output_size[1]);
            (y * pitch + x * conv.inputs) * conv.stride
        };
        let pixels = output_size[0] * output_size[1];
        for pass in (0..pixels).step_by(TILES * K::PIXELS) {
            for (b, block) in self.0.iter().enumerate() {
                for first in (pass..pixels.min(pass + TILES * K::PIXELS)).step_by(K::PIXELS) {
                    let count = K::PIXELS.min(pixels - first);
                    let starts = std::array::from_fn(|i| start(first + i.min(count - 1)));
                    let tile = kernel.tile(block, &windows, &starts);
                    store(
                        &tile[..count],
                        &mut output[first * conv.outputs..],
                        b * K::OUTPUTS,
                        K::OUTPUTS,
                        conv.outputs,
                    );
                }
            }
        }
    }
}

/// Copies a tile's outputs from `first` on into pixels of `outputs` channels.
fn store(tile: &[[i8; MAX_OUTPUTS]], output: &mut [i8], first: usize, block: usize, outputs: usize) {
    let count = block.min(outputs - first);
    for (values, pixel) in tile.iter().zip(output.chunks_exact_mut(outputs)) {
        pixel[first..first + count].copy_from_slice(&values[..count]);
    }
}

/// Copies the input with its padding and the slack behind it; returns the values in a row.
fn pad<V: Copy + From<i8>>(conv: &Convolution, input: &[i8], size: [usize; 2], padded: &mut Vec<V>) -> usize {
    let zero = V::from(conv.input_zero);
    let padding = &conv.padding;
    let pitch = (size[1] + padding.left + padding.right) * conv.inputs;
    let blank = |padded: &mut Vec<V>, count: usize| padded.extend(std::iter::repeat_n(zero, count));
    padded.clear();
    padded.reserve((size[0] + padding.top + padding.bottom) * pitch + SLACK);
    blank(padded, padding.top * pitch + padding.left * conv.inputs);
    for row in input.chunks_exact(size[1] * conv.inputs) {
        padded.extend(row.iter().map(|&v| V::from(v)));
        blank(padded, (padding.right + padding.left) * conv.inputs);
    }
    blank(padded, padding.bottom * pitch + SLACK);
    pitch
}
