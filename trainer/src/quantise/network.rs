//! The int8 network as plain numbers, and its exact emulation without tract.

use beltwatch_vision::reconstruct::kernels::Padding;
use beltwatch_vision::reconstruct::memory::PartitionMemory;
use beltwatch_vision::reconstruct::{QLinearConv, Quantisation, pixel_value, stored_value};

use super::float::length;
use super::ranges::{PIXELS, Ranges};
use crate::network::folded::{Conv, FoldedMemory, FoldedNetwork, Side, UpConv};

/// What joins the decoder at a level, in int8.
#[derive(Clone, Debug, PartialEq)]
pub enum QuantisedSide {
    /// Nothing.
    None,
    /// The encoder's feature.
    Skip,
    /// The encoder's feature as the memory draws it; at the last level it stands in line.
    Memory(PartitionMemory),
}

/// All that is exported, in int8.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantisedNetworks {
    /// Redraws the picture.
    pub reconstruction: QuantisedNetwork,
    /// The learned difference of picture and reconstruction.
    pub head: Option<QuantisedNetwork>,
}

impl QuantisedNetworks {
    /// The reconstruction of a picture (size x size x channels, interleaved) and, where there is a head, the
    /// learned difference (size x size), as the device computes them, byte for byte.
    ///
    /// # Panics
    /// Where `picture` has another length.
    pub fn emulate(&self, picture: &[u8]) -> [Vec<u8>; 2] {
        let stored: Vec<i8> = picture.iter().map(|&v| stored_value(v)).collect();
        let drawn = self.reconstruction.emulate(stored.clone());
        let pixels = |stored: Vec<i8>| stored.into_iter().map(pixel_value).collect();
        let side = self.reconstruction.size;
        let difference = self
            .head
            .as_ref()
            .map(|head| head.emulate(concatenate(&stored, &drawn, side * side)));
        [pixels(drawn), pixels(difference.unwrap_or_default())]
    }
}

/// An int8 network; the way of a picture is that of [`FoldedNetwork`].
#[derive(Clone, Debug, PartialEq)]
pub struct QuantisedNetwork {
    /// Width and height in pixels.
    pub size: usize,
    /// Channels that go in.
    pub channels: usize,
    /// Level 1 first.
    pub encoder: Vec<QLinearConv>,
    /// Level 1 first.
    pub sides: Vec<QuantisedSide>,
    /// Lowest resolution first: 3 x 3 convolutions to four phases (channel = phase * outputs + output), which
    /// DepthToSpace lays out as 2 x 2 pixels.
    pub decoder: Vec<QLinearConv>,
}

impl QuantisedNetwork {
    /// Quantises the weights for activations of `ranges`.
    pub(super) fn new(net: &FoldedNetwork, ranges: &Ranges) -> Self {
        let levels = net.encoder.len();
        let inputs = std::iter::once(PIXELS).chain(ranges.features.iter().copied());
        let encoder = net.encoder.iter().zip(inputs.zip(&ranges.features));
        let sides = net.sides.iter().enumerate().map(|(level, side)| match side {
            Side::None => QuantisedSide::None,
            Side::Skip => QuantisedSide::Skip,
            Side::Memory(memory) => {
                let side = net.size >> (level + 1);
                QuantisedSide::Memory(bank(
                    memory,
                    [side, net.encoder[level].outputs],
                    ranges.features[level],
                    ranges.drawn[level],
                ))
            }
        });
        let bottom = match net.sides[levels - 1] {
            Side::Memory(_) => ranges.drawn[levels - 1],
            Side::None | Side::Skip => ranges.features[levels - 1],
        };
        let inputs = std::iter::once(bottom).chain(ranges.ups.iter().copied());
        let decoder = net.decoder.iter().zip(inputs.zip(&ranges.ups));
        Self {
            size: net.size,
            channels: net.channels,
            encoder: encoder
                .map(|(conv, (input, &output))| down(conv, input, output))
                .collect(),
            sides: sides.collect(),
            decoder: decoder
                .map(|(conv, (input, &output))| up(conv, input, output))
                .collect(),
        }
    }

    /// The stored number below which a decoder step's ReLU cuts, where the zero point does not do that by
    /// itself.
    pub fn floor(&self, step: usize) -> Option<i8> {
        let zero = self.decoder[step].output.zero_point;
        (step + 1 < self.decoder.len() && zero > i8::MIN).then_some(zero)
    }

    fn emulate(&self, mut y: Vec<i8>) -> Vec<i8> {
        assert_eq!(
            y.len(),
            self.size * self.size * self.channels,
            "the picture must have the network's size"
        );
        let mut side = self.size;
        let mut joined = Vec::new();
        for (conv, kind) in self.encoder.iter().zip(&self.sides) {
            y = run(conv, &y, side);
            side /= 2;
            joined.push(match kind {
                QuantisedSide::None => Vec::new(),
                QuantisedSide::Skip => y.clone(),
                QuantisedSide::Memory(memory) => memory.draw(&y),
            });
        }
        if let Some(QuantisedSide::Memory(_)) = self.sides.last() {
            y = joined.pop().unwrap_or_default();
        }
        for (step, conv) in self.decoder.iter().enumerate() {
            y = phases_to_pixels(&run(conv, &y, side), side, conv.outputs / 4);
            side *= 2;
            if let Some(floor) = self.floor(step) {
                y.iter_mut().for_each(|v| *v = (*v).max(floor));
            }
            let level = (self.decoder.len() - 1).checked_sub(step + 1);
            if let Some(other) = level
                .map(|level| &joined[level])
                .filter(|other| !other.is_empty())
            {
                y = concatenate(&y, other, side * side);
            }
        }
        y
    }
}

fn run(conv: &QLinearConv, input: &[i8], side: usize) -> Vec<i8> {
    conv.to_convolution().run(input, [side; 2])
}

fn phases_to_pixels(input: &[i8], side: usize, outputs: usize) -> Vec<i8> {
    let mut output = vec![0; input.len()];
    for y in 0..2 * side {
        for x in 0..2 * side {
            let from = ((y / 2 * side + x / 2) * 4 + y % 2 * 2 + x % 2) * outputs;
            output[(y * 2 * side + x) * outputs..][..outputs].copy_from_slice(&input[from..from + outputs]);
        }
    }
    output
}

fn concatenate(a: &[i8], b: &[i8], pixels: usize) -> Vec<i8> {
    let pixels = a
        .chunks_exact(a.len() / pixels)
        .zip(b.chunks_exact(b.len() / pixels));
    pixels.flat_map(|(a, b)| a.iter().chain(b).copied()).collect()
}

/// The memory of a level whose feature is `side` x `side` x `channels`.
fn bank(
    memory: &FoldedMemory,
    [side, channels]: [usize; 2],
    input: Quantisation,
    output: Quantisation,
) -> PartitionMemory {
    PartitionMemory {
        channels,
        grid: memory.grid,
        items: memory.items,
        block: [side / memory.grid; 2],
        keys: keys(memory),
        values: memory.values.clone(),
        input,
        output,
    }
}

/// The items normalised and divided by the temperature: a product with a query's direction is its similarity.
pub(super) fn keys(memory: &FoldedMemory) -> Vec<f32> {
    let keys = memory.values.chunks_exact(memory.dimension).flat_map(|item| {
        let divisor = length(item.iter().copied()) * memory.temperature;
        item.iter().map(move |v| v / divisor)
    });
    keys.collect()
}

fn down(conv: &Conv, input: Quantisation, output: Quantisation) -> QLinearConv {
    quantise(
        [conv.outputs, conv.inputs],
        2,
        &conv.weight,
        &conv.bias,
        input,
        output,
    )
}

/// Each phase of a transposed 4 x 4, stride 2, padding 1 is a 2 x 2 part of a 3 x 3 window at the low
/// resolution: even pixels take kernel rows 3 and 1 from the row before and their own, odd ones 2 and 0 from
/// their own and the next.
fn up(conv: &UpConv, input: Quantisation, output: Quantisation) -> QLinearConv {
    const ROWS: [[Option<usize>; 3]; 2] = [[Some(3), Some(1), None], [None, Some(2), Some(0)]];
    let mut weight = Vec::with_capacity(conv.weight.len() * 9 / 4);
    for phase in 0..4 {
        for o in 0..conv.outputs {
            for i in 0..conv.inputs {
                let kernel = &conv.weight[(i * conv.outputs + o) * 16..][..16];
                for row in ROWS[phase / 2] {
                    for column in ROWS[phase % 2] {
                        weight.push(
                            row.zip(column)
                                .map_or(0.0, |(row, column)| kernel[row * 4 + column]),
                        );
                    }
                }
            }
        }
    }
    quantise(
        [4 * conv.outputs, conv.inputs],
        1,
        &weight,
        &conv.bias.repeat(4),
        input,
        output,
    )
}

/// Quantises the weights of a 3 x 3 convolution with padding 1, symmetrically for each output.
fn quantise(
    [outputs, inputs]: [usize; 2],
    stride: usize,
    weight: &[f32],
    bias: &[f32],
    input: Quantisation,
    output: Quantisation,
) -> QLinearConv {
    let mut conv = QLinearConv {
        inputs,
        outputs,
        window: [3, 3],
        stride,
        padding: Padding {
            top: 1,
            left: 1,
            bottom: 1,
            right: 1,
        },
        weight: Vec::with_capacity(weight.len()),
        weight_scale: Vec::with_capacity(outputs),
        bias: Vec::with_capacity(outputs),
        input,
        output,
    };
    for (weight, bias) in weight.chunks_exact(inputs * 9).zip(bias) {
        let largest = weight.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
        // A bias counts in steps of input scale * weight scale; 2^22 of them still leave the products their
        // room.
        let for_bias = bias.abs() / input.scale / (1 << 22) as f32;
        let scale = (largest / 127.0).max(for_bias).max(1e-9);
        conv.weight.extend(
            weight
                .iter()
                .map(|w| (w / scale).round_ties_even().clamp(-127.0, 127.0) as i8),
        );
        conv.weight_scale.push(scale);
        conv.bias
            .push((bias / (input.scale * scale)).round_ties_even() as i32);
    }
    conv
}
