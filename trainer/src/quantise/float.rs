//! The folded network in floating point: what calibration measures, and what int8 is compared with.

use beltwatch_vision::picture::Picture;
use beltwatch_vision::reconstruct::memory::LENGTH_EPSILON;
use rayon::prelude::*;

use crate::network::folded::{Conv, FoldedMemory, FoldedNetwork, Side, UpConv};

/// A feature map, height x width x channels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
    /// `[height][width][channels]`.
    pub data: Vec<f32>,
}

impl Map {
    /// A picture of interleaved pixels, values `(u8 - 128) / 128`.
    pub fn of_picture(picture: &Picture) -> Self {
        let data = picture
            .data
            .iter()
            .map(|&v| (f32::from(v) - 128.0) / 128.0)
            .collect();
        Self {
            height: picture.height,
            width: picture.width,
            channels: picture.channels,
            data,
        }
    }

    /// The channels of both, one after the other.
    pub fn beside(&self, other: &Self) -> Self {
        let pixels = self
            .data
            .chunks_exact(self.channels)
            .zip(other.data.chunks_exact(other.channels));
        let data = pixels.flat_map(|(a, b)| a.iter().chain(b).copied()).collect();
        Self {
            height: self.height,
            width: self.width,
            channels: self.channels + other.channels,
            data,
        }
    }
}

/// What a picture becomes on its way through the network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activations {
    /// `f_1` to `f_L`, after their ReLU.
    pub features: Vec<Map>,
    /// `memory_l(f_l)` of each level; empty maps where a level has no memory.
    pub drawn: Vec<Map>,
    /// The decoder's outputs, lowest resolution first, after their ReLU; the last is the reconstruction.
    pub ups: Vec<Map>,
}

impl Activations {
    /// What the network gives.
    pub fn output(&self) -> &Map {
        self.ups.last().expect("a network has at least one level")
    }
}

/// The network with its weights in the order in which a pixel's channels meet them.
#[derive(Clone, Debug)]
pub struct FloatNetwork<'a> {
    net: &'a FoldedNetwork,
    encoder: Vec<Taps>,
    decoder: Vec<Taps>,
}

/// Weights `[taps][inputs][outputs]` and bias.
#[derive(Clone, Debug)]
struct Taps {
    inputs: usize,
    outputs: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl<'a> FloatNetwork<'a> {
    /// Makes `net` ready to run.
    pub fn new(net: &'a FoldedNetwork) -> Self {
        let encoder = net.encoder.iter().map(|conv: &Conv| {
            let at = |tap: usize, i: usize, o: usize| conv.weight[(o * conv.inputs + i) * 9 + tap];
            Taps::new(conv.inputs, conv.outputs, 9, &conv.bias, at)
        });
        let decoder = net.decoder.iter().map(|up: &UpConv| {
            let at = |tap: usize, i: usize, o: usize| up.weight[(i * up.outputs + o) * 16 + tap];
            Taps::new(up.inputs, up.outputs, 16, &up.bias, at)
        });
        Self {
            net,
            encoder: encoder.collect(),
            decoder: decoder.collect(),
        }
    }

    /// Runs a map of the network's size and channels.
    ///
    /// # Panics
    /// Where `input` has another shape.
    pub fn run(&self, input: &Map) -> Activations {
        let (size, channels) = (self.net.size, self.net.channels);
        assert_eq!(
            [input.height, input.width, input.channels],
            [size, size, channels],
            "the network's shape"
        );
        let mut all = Activations::default();
        for taps in &self.encoder {
            let map = taps.convolve(all.features.last().unwrap_or(input));
            all.features.push(relu(map));
        }
        for (feature, side) in all.features.iter().zip(&self.net.sides) {
            all.drawn.push(if let Side::Memory(memory) = side {
                draw(memory, feature)
            } else {
                Map::default()
            });
        }
        let levels = self.encoder.len();
        let mut y = match &self.net.sides[levels - 1] {
            Side::Memory(_) => all.drawn[levels - 1].clone(),
            Side::None | Side::Skip => all.features[levels - 1].clone(),
        };
        for (step, taps) in self.decoder.iter().enumerate() {
            let up = taps.convolve_up(&y);
            if step + 1 == levels {
                all.ups.push(up);
                break;
            }
            let up = relu(up);
            let level = levels - 2 - step;
            y = match &self.net.sides[level] {
                Side::None => up.clone(),
                Side::Skip => up.beside(&all.features[level]),
                Side::Memory(_) => up.beside(&all.drawn[level]),
            };
            all.ups.push(up);
        }
        all
    }
}

impl Taps {
    fn new(
        inputs: usize,
        outputs: usize,
        taps: usize,
        bias: &[f32],
        at: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let at = &at;
        let weight = (0..taps)
            .flat_map(|tap| (0..inputs).flat_map(move |i| (0..outputs).map(move |o| at(tap, i, o))))
            .collect();
        Self {
            inputs,
            outputs,
            weight,
            bias: bias.to_vec(),
        }
    }

    /// 3 x 3, stride 2, padding 1.
    fn convolve(&self, input: &Map) -> Map {
        self.gather(
            input,
            [input.height.div_ceil(2), input.width.div_ceil(2)],
            3,
            |place, tap| (2 * place + tap).checked_sub(1),
        )
    }

    /// Transposed, 4 x 4, stride 2, padding 1: input `i` reaches output `2 i - 1 + tap`.
    fn convolve_up(&self, input: &Map) -> Map {
        self.gather(input, [2 * input.height, 2 * input.width], 4, |place, tap| {
            let twice = (place + 1).checked_sub(tap)?;
            twice.is_multiple_of(2).then_some(twice / 2)
        })
    }

    /// Each output pixel from the input pixels that `source` (output place and tap to input place, on both
    /// axes alike) names for its `window` x `window` taps.
    fn gather(
        &self,
        input: &Map,
        size: [usize; 2],
        window: usize,
        source: impl Fn(usize, usize) -> Option<usize> + Sync,
    ) -> Map {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let mut data = vec![0.0; size[0] * size[1] * outputs];
        data.par_chunks_mut(size[1] * outputs)
            .enumerate()
            .for_each(|(y, row)| {
                for (x, pixel) in row.chunks_exact_mut(outputs).enumerate() {
                    pixel.copy_from_slice(&self.bias);
                    for tap in 0..window * window {
                        let Some(iy) = source(y, tap / window).filter(|&iy| iy < input.height) else {
                            continue;
                        };
                        let Some(ix) = source(x, tap % window).filter(|&ix| ix < input.width) else {
                            continue;
                        };
                        let from = &input.data[(iy * input.width + ix) * inputs..][..inputs];
                        let weight = &self.weight[tap * inputs * outputs..][..inputs * outputs];
                        for (&value, weight) in from.iter().zip(weight.chunks_exact(outputs)) {
                            // Half of the values are zero after a ReLU.
                            if value != 0.0 {
                                pixel
                                    .iter_mut()
                                    .zip(weight)
                                    .for_each(|(sum, w)| *sum += value * w);
                            }
                        }
                    }
                }
            });
        Map {
            height: size[0],
            width: size[1],
            channels: outputs,
            data,
        }
    }
}

fn relu(mut map: Map) -> Map {
    map.data.iter_mut().for_each(|v| *v = v.max(0.0));
    map
}

/// Length of a vector, as training has it.
pub(super) fn length(vector: impl Iterator<Item = f32>) -> f32 {
    (vector.map(|v| v * v).sum::<f32>() + LENGTH_EPSILON).sqrt()
}

/// Redraws a feature from the memory's items.
fn draw(memory: &FoldedMemory, feature: &Map) -> Map {
    let (height, width) = (feature.height / memory.grid, feature.width / memory.grid);
    let mut output = feature.clone();
    for block in 0..memory.grid * memory.grid {
        let (top, left) = (block / memory.grid * height, block % memory.grid * width);
        let items =
            &memory.values[block * memory.items * memory.dimension..][..memory.items * memory.dimension];
        for channel in 0..feature.channels {
            let place = |i: usize| {
                ((top + i / width) * feature.width + left + i % width) * feature.channels + channel
            };
            let query: Vec<f32> = (0..memory.dimension).map(|i| feature.data[place(i)]).collect();
            for (i, value) in recall(memory, items, &query).into_iter().enumerate() {
                output.data[place(i)] = value;
            }
        }
    }
    output
}

fn recall(memory: &FoldedMemory, items: &[f32], query: &[f32]) -> Vec<f32> {
    let query_length = length(query.iter().copied());
    let similarity = items.chunks_exact(memory.dimension).map(|item| {
        let product: f32 = item.iter().zip(query).map(|(a, b)| a * b).sum();
        product / (query_length * length(item.iter().copied()) * memory.temperature)
    });
    let mut weights: Vec<f32> = similarity.collect();
    let best = weights.iter().copied().fold(f32::MIN, f32::max);
    weights.iter_mut().for_each(|w| *w = (*w - best).exp());
    let mean = weights.iter().sum::<f32>() / memory.items as f32;
    // The best one's weight is 1 here and the mean is never above it.
    weights
        .iter_mut()
        .filter(|w| **w < mean.min(1.0))
        .for_each(|w| *w = 0.0);
    let total: f32 = weights.iter().sum();
    let mut drawn = vec![0.0; memory.dimension];
    for (item, weight) in items.chunks_exact(memory.dimension).zip(weights) {
        drawn
            .iter_mut()
            .zip(item)
            .for_each(|(sum, value)| *sum += weight / total * value);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposed_convolution_by_hand() {
        // One pixel of value 2 on a 1 x 1 map spreads the inner 2 x 2 of the 4 x 4 kernel over 2 x 2 pixels.
        let weight = (0..16).map(|i| i as f32).collect();
        let up = Taps {
            inputs: 1,
            outputs: 1,
            weight,
            bias: vec![0.5],
        };
        let input = Map {
            height: 1,
            width: 1,
            channels: 1,
            data: vec![2.0],
        };
        assert_eq!(up.convolve_up(&input).data, [10.5, 12.5, 18.5, 20.5]);
    }

    #[test]
    fn convolution_by_hand() {
        // Ones everywhere on 2 x 2: the one output's window covers its lower right taps.
        let weight = (0..9).map(|i| i as f32).collect();
        let conv = Taps {
            inputs: 1,
            outputs: 1,
            weight,
            bias: vec![0.0],
        };
        let input = Map {
            height: 2,
            width: 2,
            channels: 1,
            data: vec![1.0; 4],
        };
        assert_eq!(conv.convolve(&input).data, [4.0 + 5.0 + 7.0 + 8.0]);
    }
}
