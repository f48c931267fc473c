//! Weights in the order in which the kernels read them.
//!
//! In NHWC the window's columns lie next to each other, so a window's row is one contiguous dot product: a
//! *run*. Outputs are taken in blocks; taps that are zero for a whole block are left out of its runs. x2 up
//! is exported as four phases of 2 x 2 taps in a 3 x 3 window, of which each phase leaves out five. Phases
//! that share a block, where they are narrow, are shifted against each other such that all use the same 2 x 2
//! taps: those around a corner of four pixels.

use super::convolution::Convolution;

/// Most outputs in a block, of any kernel.
pub(crate) const MAX_OUTPUTS: usize = 32;
/// Most pixels in a tile, of any kernel.
pub(crate) const MAX_PIXELS: usize = 8;

/// An activation's value as a kernel reads it.
pub(crate) trait Value: Copy + Default + Send + Sync + 'static {
    /// What is added to the int8 number.
    const OFFSET: i32;
    /// From the int8 number.
    fn of(stored: i8) -> Self;
    /// The int8 number.
    fn stored(self) -> i8;
}

impl Value for i8 {
    const OFFSET: i32 = 0;

    fn of(stored: i8) -> Self {
        stored
    }

    fn stored(self) -> i8 {
        self
    }
}

impl Value for i16 {
    const OFFSET: i32 = 0;

    fn of(stored: i8) -> Self {
        stored.into()
    }

    fn stored(self) -> i8 {
        self as i8
    }
}

impl Value for u8 {
    const OFFSET: i32 = 128;

    fn of(stored: i8) -> Self {
        stored as u8 ^ 0x80
    }

    fn stored(self) -> i8 {
        (self ^ 0x80) as i8
    }
}

/// A kernel: computes up to `PIXELS[0]` neighbouring pixels x up to `OUTPUTS[0]` outputs at once.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// The activations' values.
    type Value: Value;
    /// The weights.
    type Weight: Copy + From<i8> + Into<i32> + Send + Sync + 'static;
    /// Widths of blocks in outputs, the largest, at most [`MAX_OUTPUTS`], first.
    const OUTPUTS: &'static [usize];
    /// Neighbouring inputs of one output that are multiplied together.
    const GROUP: usize;
    /// Numbers of pixels that a tile may have, the largest, at most [`MAX_PIXELS`], first and 1 last.
    const PIXELS: &'static [usize];
    /// Values that are read together, of which those behind a run are not used.
    const READ: usize = Self::GROUP;

    /// Convolves one block of `x` at some windows. The block's requantised outputs of the first one go to the
    /// start of `y`, the others' behind them.
    ///
    /// # Panics
    /// Where a window is not inside `x`, or an output is not inside `y`.
    fn tile(self, block: &Block<Self::Weight>, x: &[Self::Value], at: At, y: &mut [Self::Value]);

    /// Does `rounds` rounds of nothing but multiply-adds between registers, and returns how many a round has.
    fn multiply(self, rounds: usize) -> usize;
}

/// Calls `tile::<PIXELS, PARTS>` of the kernel around for a tile's pixels, one of those listed or 1, and a
/// block of the `$wide` outputs of two parts, or of one.
#[cfg(target_arch = "x86_64")]
macro_rules! tile_of_size {
    ($block:ident, $x:ident, $at:ident, $y:ident, $wide:literal: $($pixels:literal)*) => {
        match ($at.count, $block.width) {
            $(($pixels, $wide) => tile::<$pixels, 2>($block, $x, $at, $y),)*
            (_, $wide) => tile::<1, 2>($block, $x, $at, $y),
            $(($pixels, _) => tile::<$pixels, 1>($block, $x, $at, $y),)*
            _ => tile::<1, 1>($block, $x, $at, $y),
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use tile_of_size;

/// The windows of a tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    /// Where the first one starts.
    pub(super) start: usize,
    /// From one to the next.
    pub(super) step: usize,
    /// How many there are, one of the kernel's `PIXELS`.
    pub(super) count: usize,
    /// From one's outputs to the next one's.
    pub(super) apart: usize,
}

impl At {
    /// Makes sure that all that a kernel reads of `block`'s windows is inside of `x`, and all that it writes
    /// inside of `y`.
    #[inline]
    pub(super) fn check<V, W>(self, block: &Block<W>, x: &[V], y: &[V]) {
        assert!(
            self.start + (self.count - 1) * self.step + block.reach <= x.len(),
            "windows inside the input"
        );
        assert!(
            (self.count - 1) * self.apart + block.width <= y.len(),
            "outputs inside the output"
        );
    }
}

/// Consecutive non-zero taps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Run {
    /// Values from the window's start.
    pub(super) offset: usize,
    /// Length in groups, the last one filled with zero weights.
    pub(super) groups: usize,
}

/// Outputs of a block that go to one phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment {
    /// Places in the block,
    pub(super) first: usize,
    /// and their number.
    pub(super) count: usize,
    /// Row and column of the phase among `up` x `up` pixels.
    pub(super) phase: [usize; 2],
    /// Channel within the phase.
    pub(super) channel: usize,
    /// The pixel's row and column are those of the window less these.
    pub(super) shift: [usize; 2],
}

/// The outputs that a tile computes together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Block<W> {
    /// In outputs, one of the kernel's.
    pub(super) width: usize,
    pub(super) runs: Vec<Run>,
    /// Values from a window's start to the end of what a kernel may read of it.
    pub(super) reach: usize,
    /// `[run][group][width][GROUP]`.
    pub(super) weights: Vec<W>,
    /// `[run][four groups]`: whether the products of four groups with whatever inputs add up within 16 bits.
    pub(super) is_narrow: Vec<bool>,
    /// With the input's zero point folded in.
    pub(super) bias: [i32; MAX_OUTPUTS],
    pub(super) multiplier: [f32; MAX_OUTPUTS],
    /// Least and greatest output, less the zero point.
    pub(super) bounds: [f32; 2],
    /// Least and greatest output.
    pub(super) clip: [i8; 2],
    pub(super) zero: i8,
    pub(super) segments: Vec<Segment>,
    /// So many more rows and columns of windows than of pixels: by how much phases are shifted against each
    /// other.
    pub(super) more: [usize; 2],
}

/// What the blocks of a convolution have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing<'a> {
    pub(super) conv: &'a Convolution,
    /// Values from a row or a pixel of the input to the next.
    pub(super) row: usize,
    pub(super) pixel: usize,
    /// The output's channels are `up` x `up` phases of a larger picture.
    pub(super) up: usize,
    /// Least and greatest output.
    pub(super) clip: [i8; 2],
}

/// Rows and columns of the window, from the first used tap to the last one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Used {
    first: [usize; 2],
    size: [usize; 2],
}

/// Whether so many groups' weights times whatever int8 inputs add up within 16 bits, each place of a group by
/// itself.
fn adds_up_within_16_bits<W: Copy + Into<i32>>(groups: &[W], length: usize) -> bool {
    (0..length).all(|place| {
        groups[place..]
            .iter()
            .step_by(length)
            .map(|&w| w.into().abs())
            .sum::<i32>()
            <= 255
    })
}

impl<W> Block<W> {
    /// Whether its outputs lie together at a pixel, all of them, so that they can be written there at once.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.segments.as_slice(), [one] if one.count == self.width && one.shift == [0, 0])
    }
}

impl Packing<'_> {
    /// All outputs, in blocks: parts of a phase, or whole phases where they are narrow.
    pub(super) fn blocks<K: Simd>(&self) -> Vec<Block<K::Weight>> {
        let phases = self.up * self.up;
        let depth = self.conv.outputs / phases;
        let segment = |phase: usize, channel: usize, count: usize| Segment {
            first: 0,
            count,
            phase: [phase / self.up, phase % self.up],
            channel,
            shift: [0, 0],
        };
        let widest = K::OUTPUTS[0];
        if depth > widest / 2 {
            let part = |phase| {
                let channels = (0..depth).step_by(widest);
                channels.map(move |channel| segment(phase, channel, widest.min(depth - channel)))
            };
            return (0..phases)
                .flat_map(part)
                .map(|segment| self.block::<K>(vec![segment]))
                .collect();
        }
        let together = widest / depth;
        let block = |first: usize| {
            let phases = first..phases.min(first + together);
            let at = |phase| Segment {
                first: (phase - first) * depth,
                ..segment(phase, 0, depth)
            };
            self.block::<K>(phases.map(at).collect())
        };
        (0..phases).step_by(together).map(block).collect()
    }

    /// Outputs of a segment, as the convolution counts them.
    fn outputs(&self, segment: &Segment) -> std::ops::Range<usize> {
        let depth = self.conv.outputs / (self.up * self.up);
        let first = (segment.phase[0] * self.up + segment.phase[1]) * depth + segment.channel;
        first..first + segment.count
    }

    fn block<K: Simd>(&self, mut segments: Vec<Segment>) -> Block<K::Weight> {
        let conv = self.conv;
        let used: Vec<Used> = segments
            .iter()
            .map(|segment| self.used(self.outputs(segment)))
            .collect();
        let window = self.shift(&mut segments, &used);
        // taps of the window and of the convolution: the shifted phases' taps lie on each other
        let tap = |segment: &Segment, [row, column]: [usize; 2]| {
            [
                row + window.first[0] + segment.shift[0],
                column + window.first[1] + segment.shift[1],
            ]
        };
        let weights = |segment: &Segment, o: usize, place: [usize; 2]| {
            let [row, column] = tap(segment, place);
            let inside = row < conv.window[0] && column < conv.window[1];
            let from = ((o * conv.window[0] + row) * conv.window[1] + column) * conv.inputs;
            inside.then(|| &conv.weight[from..from + conv.inputs])
        };
        let is_used = |place: [usize; 2]| {
            segments.iter().any(|segment| {
                self.outputs(segment)
                    .any(|o| weights(segment, o, place).is_some_and(|w| w.iter().any(|&w| w != 0)))
            })
        };
        let zero = f32::from(conv.output_zero);
        let lanes = segments.iter().map(|segment| segment.count).sum();
        let width = K::OUTPUTS
            .iter()
            .copied()
            .rfind(|&width| width >= lanes)
            .unwrap_or(K::OUTPUTS[0]);
        let mut block = Block {
            width,
            runs: Vec::new(),
            reach: 0,
            weights: Vec::new(),
            is_narrow: Vec::new(),
            bias: [0; MAX_OUTPUTS],
            multiplier: [0.0; MAX_OUTPUTS],
            bounds: self.clip.map(|bound| f32::from(bound) - zero),
            clip: self.clip,
            zero: conv.output_zero,
            segments: segments.clone(),
            more: [0, 1].map(|axis| {
                segments
                    .iter()
                    .map(|segment| segment.shift[axis])
                    .max()
                    .unwrap_or(0)
            }),
        };
        let offset = |[row, column]: [usize; 2]| {
            (row + window.first[0]) * self.row + (column + window.first[1]) * self.pixel
        };
        for row in 0..window.size[0] {
            let mut column = 0;
            while column < window.size[1] {
                // pixels that do not lie next to each other have a run each
                let most = if self.pixel == conv.inputs {
                    window.size[1]
                } else {
                    column + 1
                };
                let end = (column..most).find(|&c| !is_used([row, c])).unwrap_or(most);
                if end == column {
                    column += 1;
                    continue;
                }
                let length = (end - column) * conv.inputs;
                let run = Run {
                    offset: offset([row, column]),
                    groups: length.div_ceil(K::GROUP),
                };
                block.reach = block
                    .reach
                    .max(run.offset + (run.groups * K::GROUP).next_multiple_of(K::READ));
                block.runs.push(run);
                let start = block.weights.len();
                block
                    .weights
                    .resize(start + run.groups * width * K::GROUP, K::Weight::from(0));
                for segment in &segments {
                    for (i, o) in self.outputs(segment).enumerate() {
                        let taps = (column..end)
                            .filter_map(|c| weights(segment, o, [row, c]))
                            .flatten();
                        for (at, &weight) in taps.enumerate() {
                            let place =
                                (at / K::GROUP * width + segment.first + i) * K::GROUP + at % K::GROUP;
                            block.weights[start + place] = K::Weight::from(weight);
                        }
                    }
                }
                let fours = block.weights[start..].chunks(4 * width * K::GROUP);
                block
                    .is_narrow
                    .extend(fours.map(|four| adds_up_within_16_bits(four, width * K::GROUP)));
                column = end;
            }
        }
        for segment in &segments {
            for (i, o) in self.outputs(segment).enumerate() {
                let weight = &conv.weight[o * conv.taps()..][..conv.taps()];
                let sum: i32 = weight.iter().map(|&w| i32::from(w)).sum();
                let zero = i32::from(conv.input_zero) + K::Value::OFFSET;
                block.bias[segment.first + i] = conv.bias[o].wrapping_sub(sum.wrapping_mul(zero));
                block.multiplier[segment.first + i] = conv.multiplier[o];
            }
        }
        block
    }

    fn used(&self, outputs: std::ops::Range<usize>) -> Used {
        let conv = self.conv;
        let is_used = |row: usize, column: usize| {
            let tap = (row * conv.window[1] + column) * conv.inputs;
            outputs.clone().any(|o| {
                conv.weight[o * conv.taps() + tap..][..conv.inputs]
                    .iter()
                    .any(|&w| w != 0)
            })
        };
        let [rows, columns] = conv.window;
        let used_rows: Vec<_> = (0..rows)
            .filter(|&r| (0..columns).any(|c| is_used(r, c)))
            .collect();
        let used_columns: Vec<_> = (0..columns)
            .filter(|&c| (0..rows).any(|r| is_used(r, c)))
            .collect();
        let ends = [used_rows, used_columns].map(|used| match used.as_slice() {
            [] => (0, 1),
            [first, .., last] => (*first, last - first + 1),
            [one] => (*one, 1),
        });
        Used {
            first: ends.map(|(first, _)| first),
            size: ends.map(|(_, size)| size),
        }
    }

    /// Shifts the phases of a block such that their taps lie on each other, where that is possible; the
    /// window of all.
    fn shift(&self, segments: &mut [Segment], used: &[Used]) -> Used {
        let whole = Used {
            first: [0, 0],
            size: self.conv.window,
        };
        if segments.len() == 1 || self.conv.stride != 1 {
            return whole;
        }
        let axis = |axis: usize| {
            let firsts = used.iter().map(|used| used.first[axis]);
            let (first, last) = (firsts.clone().min().unwrap_or(0), firsts.max().unwrap_or(0));
            let size = used.iter().map(|used| used.size[axis]).max().unwrap_or(1);
            (first, size, last + size <= self.conv.window[axis])
        };
        let [rows, columns] = [axis(0), axis(1)];
        if !(rows.2 && columns.2) {
            return whole;
        }
        let window = Used {
            first: [rows.0, columns.0],
            size: [rows.1, columns.1],
        };
        for (segment, used) in segments.iter_mut().zip(used) {
            segment.shift = [0, 1].map(|axis| used.first[axis] - window.first[axis]);
        }
        window
    }
}
