//! The loop over an output that all kernels share.

use std::iter;

use super::block::{At, Block, MAX_OUTPUTS, MAX_PIXELS, Packing, Segment, Simd};
use super::convolution::Convolution;
use crate::processor::Strip;
use crate::reconstruct::layout::View;

/// Output pixels of a row that share one pass over the blocks: few enough that their input stays in the first
/// cache.
const PASS: usize = 64;

/// Where a convolution's output goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) view: View,
    /// The output's channels are `up` x `up` phases, which are laid out as so many pixels (ONNX's
    /// DepthToSpace, DCR).
    pub(crate) up: usize,
    /// Least and greatest output (ONNX's Clip).
    pub(crate) clip: [i8; 2],
}

/// A convolution made ready for a kernel and for places in its input and output.
#[derive(Clone, Debug)]
pub(crate) struct PackedConvolution<K: Simd> {
    kernel: K,
    blocks: Vec<Block<K::Weight>>,
    /// The window of the first pixel starts here.
    start: usize,
    /// From a window to the one below and the one to the right of it.
    step: [usize; 2],
    /// Rows and columns, before phases are laid out.
    size: [usize; 2],
    /// Pixels of the first tile of a row of so many.
    first_tile: [u8; PASS + 1],
    target: Target,
}

/// Pixels of the first tile for each number of pixels, so that there are as few tiles as can be.
fn first_tiles(pixels: &[usize]) -> [u8; PASS + 1] {
    let (mut first, mut tiles) = ([0; PASS + 1], [0; PASS + 1]);
    for left in 1..=PASS {
        let fitting = pixels.iter().copied().filter(|&count| count <= left);
        let count = fitting
            .min_by_key(|count| tiles[left - count])
            .expect("tiles of one pixel");
        (first[left], tiles[left]) = (count as u8, 1 + tiles[left - count]);
    }
    first
}

impl<K: Simd> PackedConvolution<K> {
    /// Packs the weights for an input of `height` x `width` at `from`, with at least the convolution's
    /// padding around it.
    ///
    /// # Panics
    /// Where the window does not fit the input, or there is less room around it.
    pub(crate) fn new(
        kernel: K,
        conv: &Convolution,
        [height, width]: [usize; 2],
        from: View,
        target: Target,
    ) -> Self {
        let packing = Packing {
            conv,
            row: from.row,
            pixel: from.pixel,
            up: target.up,
            clip: target.clip,
        };
        let padding = conv.padding.top * from.row + conv.padding.left * from.pixel;
        Self {
            kernel,
            blocks: packing.blocks::<K>(),
            start: from.base.checked_sub(padding).expect("room for the padding"),
            step: [from.row, from.pixel].map(|step| step * conv.stride),
            size: conv
                .output_size(height, width)
                .expect("the window fits into the padded input"),
            first_tile: first_tiles(K::PIXELS),
            target,
        }
    }

    /// Bytes of weights that it reads and of outputs that it writes.
    pub(crate) fn bytes(&self) -> usize {
        let outputs: usize = self
            .blocks
            .iter()
            .flat_map(|block| &block.segments)
            .map(|segment| segment.count)
            .sum();
        let weights: usize = self.blocks.iter().map(|block| block.weights.len()).sum();
        weights * size_of::<K::Weight>() + self.size[0] * self.size[1] * outputs * size_of::<K::Value>()
    }

    /// Rows, before phases are laid out.
    pub(crate) fn rows(&self) -> usize {
        self.size[0]
    }

    /// Where in the output's buffer a row begins.
    pub(crate) fn row(&self, y: usize) -> usize {
        self.target.view.at(y * self.target.up, 0)
    }

    /// Convolves `input` into rows of the output; both lie in the buffers of the views that it was packed
    /// for.
    pub(crate) fn run(&self, input: &[K::Value], mut output: Strip<'_, K::Value>) {
        let mut tile = [[K::Value::default(); MAX_OUTPUTS]; MAX_PIXELS];
        // where each segment's row begins
        let mut segment_rows = [None; MAX_OUTPUTS];
        let more = |axis: usize| {
            self.blocks
                .iter()
                .map(|block| block.more[axis])
                .max()
                .unwrap_or(0)
        };
        let (rows, columns) = (output.rows.end + more(0), self.size[1] + more(1));
        for y in output.rows.start..rows {
            for pass in (0..columns).step_by(PASS) {
                for block in &self.blocks {
                    let (rows, columns) = (output.rows.end + block.more[0], self.size[1] + block.more[1]);
                    let end = if y < rows { columns.min(pass + PASS) } else { pass };
                    let is_whole = block.is_whole();
                    let mut at = At {
                        start: self.start + y * self.step[0] + pass * self.step[1],
                        step: self.step[1],
                        count: 0,
                        apart: MAX_OUTPUTS,
                    };
                    let mut place = 0;
                    if is_whole {
                        (place, at.apart) = (self.place(&block.segments[0], [y, pass]), self.apart());
                    } else {
                        for (segment, row) in block.segments.iter().zip(&mut segment_rows) {
                            let y = y
                                .checked_sub(segment.shift[0])
                                .filter(|y| output.rows.contains(y));
                            *row = y.map(|y| self.place(segment, [y, 0]));
                        }
                    }
                    let mut x = pass;
                    while x < end {
                        at.count = self.first_tile[end - x].into();
                        if is_whole {
                            self.kernel.tile(block, input, at, output.at(place));
                            place += at.count * at.apart;
                        } else {
                            self.kernel.tile(block, input, at, tile.as_flattened_mut());
                            for (segment, &row) in block.segments.iter().zip(&segment_rows) {
                                if let Some(row) = row {
                                    self.store(segment, row, x, &tile[..at.count], &mut output);
                                }
                            }
                        }
                        at.start += at.count * at.step;
                        x += at.count;
                    }
                }
            }
        }
    }

    /// Where a segment of a pixel before phases are laid out goes.
    #[inline]
    fn place(&self, segment: &Segment, [y, x]: [usize; 2]) -> usize {
        let (Target { view, up, .. }, phase) = (self.target, segment.phase);
        view.at(y * up + phase[0], x * up + phase[1]) + segment.channel
    }

    /// How far behind a pixel's place that of the next one in its row lies.
    #[inline]
    fn apart(&self) -> usize {
        self.target.view.pixel * self.target.up
    }

    /// Puts a segment of a tile whose first window is that of column `x` to its places in the row that begins
    /// at `row`.
    #[inline]
    fn store(
        &self,
        segment: &Segment,
        row: usize,
        x: usize,
        tile: &[[K::Value; MAX_OUTPUTS]],
        output: &mut Strip<'_, K::Value>,
    ) {
        let Segment {
            first, count, shift, ..
        } = *segment;
        // windows of the tile whose pixel is in the picture
        let from = shift[1].saturating_sub(x);
        let to = (self.size[1] + shift[1]).saturating_sub(x).min(tile.len());
        if from >= to {
            return;
        }
        let apart = self.apart();
        let place = row + (x + from - shift[1]) * apart;
        // behind the last pixel there may be nothing
        let (last, before) = (&tile[to - 1], &tile[from..to - 1]);
        let (places, last_place) = output.at(place).split_at_mut(before.len() * apart);
        let tiles = before
            .iter()
            .zip(places.chunks_exact_mut(apart))
            .chain(iter::once((last, last_place)));
        // lengths that the compiler knows become single moves
        match count {
            16 => tiles.for_each(|(values, place)| place[..16].copy_from_slice(&values[first..first + 16])),
            8 => tiles.for_each(|(values, place)| place[..8].copy_from_slice(&values[first..first + 8])),
            3 => tiles.for_each(|(values, place)| place[..3].copy_from_slice(&values[first..first + 3])),
            1 => tiles.for_each(|(values, place)| place[0] = values[first]),
            _ => tiles
                .for_each(|(values, place)| place[..count].copy_from_slice(&values[first..first + count])),
        }
    }
}
