//! The operators of an int8 model, NHWC with N = 1.

use std::sync::Arc;

use crate::reconstruct::kernels::{Convolution, Value};
use crate::reconstruct::layout::{Shape, View};
use crate::reconstruct::memory::PartitionMemory;

/// An operator with one activation as input and one as output.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operator {
    Convolution(Arc<Convolution>),
    DepthToSpace(DepthToSpace),
    Clip(Clip),
    Memory(Arc<PartitionMemory>),
}

/// Moves channels to space: `block` x `block` pixels out of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DepthToSpace {
    pub(crate) block: usize,
    /// Whether a channel's number counts the block's places first and the output channels within (ONNX's
    /// DCR), or the output channels first (CRD).
    pub(crate) depth_first: bool,
}

/// Bounds of stored values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Clip {
    pub(crate) lowest: i8,
    pub(crate) highest: i8,
}

impl Operator {
    /// Weights, and a memory's items as keys and as values.
    pub(crate) fn weights(&self) -> usize {
        match self {
            Self::Convolution(conv) => conv.weight.len(),
            Self::Memory(memory) => memory.keys.len() + memory.values.len(),
            Self::DepthToSpace(_) | Self::Clip(_) => 0,
        }
    }

    /// The output's shape, or why an input of `shape` does not fit.
    pub(crate) fn output_shape(&self, [height, width, channels]: Shape) -> Result<Shape, String> {
        match self {
            Self::Convolution(conv) if conv.inputs != channels => Err(format!(
                "weights for {} input channels, but the input has {channels}",
                conv.inputs
            )),
            Self::Convolution(conv) => match conv.output_size(height, width) {
                Some([rows, columns]) => Ok([rows, columns, conv.outputs]),
                None => Err(format!("the window does not fit an input of {height} x {width}")),
            },
            Self::DepthToSpace(DepthToSpace { block, .. }) => match channels.checked_rem(block * block) {
                Some(0) => Ok([height * block, width * block, channels / (block * block)]),
                _ => Err(format!(
                    "{channels} channels cannot be divided into blocks of {block} x {block}"
                )),
            },
            Self::Clip(_) => Ok([height, width, channels]),
            Self::Memory(memory) if memory.shape() != [height, width, channels] => {
                let [rows, columns, depth] = memory.shape();
                Err(format!(
                    "memory for a map of {rows} x {columns} x {depth}, but the input has {height} x {width} \
                     x {channels}"
                ))
            }
            Self::Memory(_) => Ok([height, width, channels]),
        }
    }
}

impl DepthToSpace {
    /// Moves the values of an input of `shape`.
    pub(crate) fn run<V: Value>(
        self,
        (input, from): (&[V], View),
        shape: Shape,
        (output, to): (&mut [V], View),
    ) {
        let (block, [height, width, channels]) = (self.block, shape);
        let depth = channels / (block * block);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let pixel = &input[from.at(y, x)..][..channels];
            for (row, column) in (0..block).flat_map(|row| (0..block).map(move |column| (row, column))) {
                let phase = row * block + column;
                for (c, value) in output[to.at(y * block + row, x * block + column)..][..depth]
                    .iter_mut()
                    .enumerate()
                {
                    *value = pixel[if self.depth_first {
                        phase * depth + c
                    } else {
                        c * block * block + phase
                    }];
                }
            }
        }
    }
}

impl Clip {
    /// Everything passes.
    pub(crate) const NONE: Self = Self {
        lowest: i8::MIN,
        highest: i8::MAX,
    };

    /// Copies an activation of `shape`, each value within the bounds.
    pub(crate) fn run<V: Value>(
        self,
        (input, from): (&[V], View),
        shape: Shape,
        (output, to): (&mut [V], View),
    ) {
        for (from, to) in from.pixels(shape).zip(to.pixels(shape)) {
            for (value, stored) in output[to..to + shape[2]]
                .iter_mut()
                .zip(&input[from..from + shape[2]])
            {
                // Not `clamp`: bounds from a file may be the wrong way round, and ONNX then gives the upper
                // one.
                *value = V::of(stored.stored().max(self.lowest).min(self.highest));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dense([_, width, channels]: Shape) -> View {
        View {
            base: 0,
            row: width * channels,
            pixel: channels,
        }
    }

    #[test]
    fn depth_to_space_places_channels_as_onnx_does() {
        let run = |depth_first: bool, shape: Shape, to: Shape| {
            let mut output = [0i8; 8];
            let op = DepthToSpace {
                block: 2,
                depth_first,
            };
            op.run(
                (&[0, 1, 2, 3, 4, 5, 6, 7], dense(shape)),
                shape,
                (&mut output, dense(to)),
            );
            output
        };
        // One pixel of 8 channels becomes 2 x 2 pixels of 2.
        assert_eq!(run(true, [1, 1, 8], [2, 2, 2]), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(run(false, [1, 1, 8], [2, 2, 2]), [0, 4, 1, 5, 2, 6, 3, 7]);
        // Two pixels of 4 channels side by side become 2 rows of 4 pixels.
        assert_eq!(run(true, [1, 2, 4], [2, 4, 1]), [0, 1, 4, 5, 2, 3, 6, 7]);
    }

    #[test]
    fn clip_bounds() {
        let mut output = [0; 4];
        let shape = [1, 4, 1];
        let clip = Clip {
            lowest: -3,
            highest: 100,
        };
        clip.run(
            (&[-128i8, -3, 5, 127], dense(shape)),
            shape,
            (&mut output, dense(shape)),
        );
        assert_eq!(output, [-3, -3, 5, 100]);
    }
}
