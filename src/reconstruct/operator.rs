//! The operators of an int8 model, NHWC with N = 1.

use std::cell::RefCell;

use super::kernels::{self, PackedConvolution};
use super::memory::{self, PartitionMemory};

/// Height, width and channels of an activation.
pub(super) type Shape = [usize; 3];

/// An operator with one activation as input and one as output.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operator {
    Convolution(Box<PackedConvolution>),
    DepthToSpace(DepthToSpace),
    Clip(Clip),
    Memory(Box<PartitionMemory>),
}

/// Moves channels to space: `block` x `block` pixels out of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct DepthToSpace {
    pub(super) block: usize,
    /// Whether a channel's number counts the block's places first and the output channels within (ONNX's DCR), or the
    /// output channels first (CRD).
    pub(super) depth_first: bool,
}

/// Bounds of stored values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clip {
    pub(super) lowest: i8,
    pub(super) highest: i8,
}

impl Operator {
    /// The output's shape, or why an input of `shape` does not fit.
    pub(super) fn output_shape(&self, [height, width, channels]: Shape) -> Result<Shape, String> {
        match self {
            Self::Convolution(conv) if conv.inputs() != channels => {
                Err(format!("weights for {} input channels, but the input has {channels}", conv.inputs()))
            }
            Self::Convolution(conv) => match conv.output_size(height, width) {
                Some([rows, columns]) => Ok([rows, columns, conv.outputs()]),
                None => Err(format!("the window does not fit an input of {height} x {width}")),
            },
            Self::DepthToSpace(DepthToSpace { block, .. }) => match channels.checked_rem(block * block) {
                Some(0) => Ok([height * block, width * block, channels / (block * block)]),
                _ => Err(format!("{channels} channels cannot be divided into blocks of {block} x {block}")),
            },
            Self::Clip(_) => Ok([height, width, channels]),
            Self::Memory(memory) if memory.size() != [height, width] => {
                let [rows, columns] = memory.size();
                Err(format!("memory for a map of {rows} x {columns}, but the input has {height} x {width}"))
            }
            Self::Memory(_) => Ok([height, width, channels]),
        }
    }

    /// Runs the operator; the lengths must be those of `shape` and of the output shape.
    pub(super) fn run(&self, input: &[i8], shape: Shape, output: &mut [i8]) {
        let [height, width, channels] = shape;
        SCRATCH.with_borrow_mut(|(conv_scratch, memory_scratch)| match self {
            Self::Convolution(conv) => conv.run(input, [height, width], output, conv_scratch),
            Self::DepthToSpace(op) => op.run(input, shape, output),
            Self::Clip(op) => op.run(input, output),
            Self::Memory(memory) => memory.run(input, channels, output, memory_scratch),
        });
    }
}

thread_local! {
    /// Working memory; a thread runs one operator at a time.
    static SCRATCH: RefCell<(kernels::Scratch, memory::Scratch)> = RefCell::default();
}

impl DepthToSpace {
    pub(super) fn run(&self, input: &[i8], [_, width, channels]: Shape, output: &mut [i8]) {
        let block = self.block;
        let depth = channels / (block * block);
        let line = width * block * depth;
        for (row, lines) in input.chunks_exact(width * channels).zip(output.chunks_exact_mut(line * block)) {
            for (y, line) in lines.chunks_exact_mut(line).enumerate() {
                for (pixel, places) in row.chunks_exact(channels).zip(line.chunks_exact_mut(block * depth)) {
                    if self.depth_first {
                        places.copy_from_slice(&pixel[y * block * depth..][..block * depth]);
                    } else {
                        for (i, value) in places.iter_mut().enumerate() {
                            let (x, c) = (i / depth, i % depth);
                            *value = pixel[(c * block + y) * block + x];
                        }
                    }
                }
            }
        }
    }
}

impl Clip {
    pub(super) fn run(&self, input: &[i8], output: &mut [i8]) {
        for (value, &stored) in output.iter_mut().zip(input) {
            // Not `clamp`: bounds from a file may be the wrong way round, and ONNX then gives the upper one.
            *value = stored.max(self.lowest).min(self.highest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_to_space_places_channels_as_onnx_does() {
        // One pixel of 8 channels becomes 2 x 2 pixels of 2.
        let input = [0, 1, 2, 3, 4, 5, 6, 7];
        let mut output = [0; 8];
        DepthToSpace { block: 2, depth_first: true }.run(&input, [1, 1, 8], &mut output);
        assert_eq!(output, [0, 1, 2, 3, 4, 5, 6, 7]);
        DepthToSpace { block: 2, depth_first: false }.run(&input, [1, 1, 8], &mut output);
        assert_eq!(output, [0, 4, 1, 5, 2, 6, 3, 7]);
        // Two pixels of 4 channels side by side become 2 rows of 4 pixels.
        DepthToSpace { block: 2, depth_first: true }.run(&input, [1, 2, 4], &mut output);
        assert_eq!(output, [0, 1, 4, 5, 2, 3, 6, 7]);
    }

    #[test]
    fn clip_bounds() {
        let mut output = [0; 4];
        Clip { lowest: -3, highest: 100 }.run(&[-128, -3, 5, 127], &mut output);
        assert_eq!(output, [-3, -3, 5, 100]);
    }
}
