//! From the trained model to plain numbers: batch norms folded into the convolutions before them.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::batch_norm::BatchNorm;
use super::config::NetworkConfig;
use super::folded::{self, FoldedNetwork, FoldedNetworks};
use super::kernels::Kernels;
use super::model::{Coder, Model};
use super::moments::{EPSILON, Moments};

impl<B: Kernels> Model<B> {
    /// The networks with `moments` (in the order of [`super::model::Output::moments`]) folded in.
    pub fn fold(&self, config: &NetworkConfig, moments: &[Moments<B>]) -> FoldedNetworks {
        let (of_coder, of_head) = moments.split_at(self.coder.norms());
        let head = self
            .head
            .as_ref()
            .map(|head| head.fold(config.size, 2 * config.channels, of_head));
        FoldedNetworks {
            reconstruction: self.coder.fold(config.size, config.channels, of_coder),
            head,
        }
    }
}

impl<B: Kernels> Coder<B> {
    fn fold(&self, size: usize, channels: usize, moments: &[Moments<B>]) -> FoldedNetwork {
        let (of_encoder, of_decoder) = moments.split_at(self.encoder.len());
        let encoder = self.encoder.iter().zip(of_encoder).map(|(down, moments)| {
            let [outputs, inputs, ..] = down.weight.dims();
            let (factor, bias) = factor_and_bias(&down.norm, moments);
            let mut weight = floats(down.weight.val());
            for (filter, factor) in weight.chunks_exact_mut(inputs * 9).zip(factor) {
                filter.iter_mut().for_each(|w| *w *= factor);
            }
            folded::Conv {
                outputs,
                inputs,
                weight,
                bias,
            }
        });
        let mut decoder: Vec<_> = (self.decoder.iter().zip(of_decoder))
            .map(|(up, moments)| {
                let [inputs, outputs, ..] = up.weight.dims();
                let (factor, bias) = factor_and_bias(&up.norm, moments);
                let mut weight = floats(up.weight.val());
                for filters in weight.chunks_exact_mut(outputs * 16) {
                    for (filter, factor) in filters.chunks_exact_mut(16).zip(&factor) {
                        filter.iter_mut().for_each(|w| *w *= factor);
                    }
                }
                folded::UpConv {
                    inputs,
                    outputs,
                    weight,
                    bias,
                }
            })
            .collect();
        let [inputs, outputs, ..] = self.last.weight.dims();
        let (weight, bias) = (floats(self.last.weight.val()), floats(self.last.bias.val()));
        decoder.push(folded::UpConv {
            inputs,
            outputs,
            weight,
            bias,
        });
        let sides = self
            .memories
            .iter()
            .zip(&self.skips)
            .map(|(memory, &skip)| match memory {
                None if skip => folded::Side::Skip,
                None => folded::Side::None,
                Some(memory) => {
                    let [_, items, dimension] = memory.values.dims();
                    let values = floats(memory.values.val());
                    let (grid, temperature) = (memory.grid(), memory.temperature());
                    folded::Side::Memory(folded::FoldedMemory {
                        grid,
                        items,
                        dimension,
                        temperature,
                        values,
                    })
                }
            });
        FoldedNetwork {
            size,
            channels,
            encoder: encoder.collect(),
            sides: sides.collect(),
            decoder,
        }
    }
}

/// What a norm multiplies its filter with, and the bias it adds.
fn factor_and_bias<B: Backend>(norm: &BatchNorm<B>, moments: &Moments<B>) -> (Vec<f32>, Vec<f32>) {
    let (scale, shift) = (floats(norm.scale.val()), floats(norm.shift.val()));
    let (mean, variance) = (floats(moments.mean.clone()), floats(moments.variance.clone()));
    let factor: Vec<f32> = scale
        .iter()
        .zip(&variance)
        .map(|(s, v)| s / (v + EPSILON).sqrt())
        .collect();
    let bias = (shift.iter().zip(&mean).zip(&factor))
        .map(|((shift, mean), factor)| shift - mean * factor)
        .collect();
    (factor, bias)
}

/// The values of a tensor in row-major order.
pub(crate) fn floats<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    let data: TensorData = tensor.into_data().convert::<f32>();
    data.into_vec().expect("just converted to f32")
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::network::folded::{Conv, FoldedMemory, Side, UpConv};
    use crate::rng::Rng;

    /// Rows of pixels of each channel.
    type Feature = (usize, Vec<f32>);

    fn conv(c: &Conv, size: usize, x: &[f32]) -> Feature {
        let half = size / 2;
        let mut y = vec![0.0; c.outputs * half * half];
        for (place, value) in y.iter_mut().enumerate() {
            let (o, row, column) = (place / (half * half), place / half % half, place % half);
            let mut sum = c.bias[o];
            for i in 0..c.inputs {
                for (tap, w) in c.weight[(o * c.inputs + i) * 9..][..9].iter().enumerate() {
                    let (r, q) = (2 * row + tap / 3, 2 * column + tap % 3);
                    if (1..=size).contains(&r) && (1..=size).contains(&q) {
                        sum += w * x[i * size * size + (r - 1) * size + q - 1];
                    }
                }
            }
            *value = sum;
        }
        (half, y)
    }

    fn up(u: &UpConv, size: usize, x: &[f32]) -> Feature {
        let double = 2 * size;
        let mut y: Vec<f32> = u.bias.iter().flat_map(|b| vec![*b; double * double]).collect();
        for (place, v) in x.iter().enumerate() {
            let (i, row, column) = (place / (size * size), place / size % size, place % size);
            for o in 0..u.outputs {
                for (tap, w) in u.weight[(i * u.outputs + o) * 16..][..16].iter().enumerate() {
                    let (r, q) = (2 * row + tap / 4, 2 * column + tap % 4);
                    if (1..=double).contains(&r) && (1..=double).contains(&q) {
                        y[o * double * double + (r - 1) * double + q - 1] += w * v;
                    }
                }
            }
        }
        (double, y)
    }

    fn relu((size, mut x): Feature) -> Feature {
        x.iter_mut().for_each(|v| *v = v.max(0.0));
        (size, x)
    }

    fn recall(m: &FoldedMemory, size: usize, x: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        let h = size / m.grid;
        for channel in 0..x.len() / (size * size) {
            for block in 0..m.grid * m.grid {
                let at = |p: usize| {
                    channel * size * size + (block / m.grid * h + p / h) * size + block % m.grid * h + p % h
                };
                let query: Vec<f32> = (0..h * h).map(|p| x[at(p)]).collect();
                let items: Vec<&[f32]> = m.values[block * m.items * h * h..][..m.items * h * h]
                    .chunks_exact(h * h)
                    .collect();
                let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
                let length = |a: &[f32]| (dot(a, a) + 1e-12).sqrt();
                let exp: Vec<f32> = (items.iter())
                    .map(|i| (dot(&query, i) / length(&query) / length(i) / m.temperature).exp())
                    .collect();
                let sum: f32 = exp.iter().sum();
                let mut a: Vec<f32> = exp.iter().map(|e| e / sum).collect();
                let (mean, best) = (1.0 / m.items as f32, a.iter().copied().fold(0.0, f32::max));
                a.iter_mut()
                    .for_each(|a| *a *= f32::from(u8::from(*a > mean || *a == best)));
                let sum: f32 = a.iter().sum();
                for p in 0..h * h {
                    y[at(p)] = items.iter().zip(&a).map(|(i, a)| i[p] * a / sum).sum();
                }
            }
        }
        y
    }

    /// The module text of `folded`, word by word.
    fn plain(network: &FoldedNetwork, picture: &[f32]) -> Vec<f32> {
        let mut features: Vec<Feature> = vec![(network.size, picture.to_vec())];
        for c in &network.encoder {
            let (size, x) = &features[features.len() - 1];
            features.push(relu(conv(c, *size, x)));
        }
        let levels = network.encoder.len();
        let join = |level: usize| match &network.sides[level - 1] {
            Side::None => Vec::new(),
            Side::Skip => features[level].1.clone(),
            Side::Memory(m) => recall(m, features[level].0, &features[level].1),
        };
        let mut y = features[levels].clone();
        if network.sides[levels - 1] != Side::None {
            y.1 = join(levels);
        }
        for level in (1..levels).rev() {
            y = relu(up(&network.decoder[levels - 1 - level], y.0, &y.1));
            y.1.extend(join(level));
        }
        up(&network.decoder[levels - 1], y.0, &y.1).1
    }

    fn shaken(model: Model<Flex>, rng: &mut Rng) -> (Model<Flex>, Vec<Moments<Flex>>) {
        let mut random = |channels: usize, low, high| {
            let values: Vec<f32> = (0..channels).map(|_| rng.range(low, high)).collect();
            Tensor::<Flex, 2>::from_data(TensorData::new(values, [channels, 1]), &Default::default())
        };
        let mut model = model;
        let mut moments = Vec::new();
        let coders = std::iter::once(&mut model.coder).chain(&mut model.head);
        let norms = coders.flat_map(|coder| {
            let up = coder.decoder.iter_mut().map(|up| &mut up.norm);
            coder.encoder.iter_mut().map(|down| &mut down.norm).chain(up)
        });
        for norm in norms {
            let [channels, _] = norm.scale.dims();
            norm.scale = burn::module::Param::from_tensor(random(channels, 0.5, 2.0));
            norm.shift = burn::module::Param::from_tensor(random(channels, -0.2, 0.5));
            moments.push(Moments {
                mean: random(channels, -0.3, 0.3),
                variance: random(channels, 0.05, 1.0),
            });
        }
        (model, moments)
    }

    #[test]
    fn folded_network_equals_the_model() {
        for (seed, config) in [
            NetworkConfig {
                widths: vec![6, 8, 10],
                ..three(SideKind::None, SideKind::Pmb, SideKind::Pmb)
            },
            NetworkConfig {
                channels: 1,
                ..three(SideKind::Pmb, SideKind::Skip, SideKind::None)
            },
            NetworkConfig {
                head: vec![4, 6, 5],
                ..three(SideKind::Skip, SideKind::None, SideKind::Pmb)
            },
        ]
        .into_iter()
        .enumerate()
        {
            config.validate().unwrap();
            let mut rng = Rng::new(&[seed as u64]);
            let (model, moments) = shaken(Model::new(&config, 7, &Default::default()), &mut rng);
            let pixels = config.channels * 32 * 32;
            // Two pictures, C x N x S x S.
            let x: Vec<f32> = (0..2 * pixels).map(|_| rng.range(-1.0, 1.0)).collect();
            let tensor = TensorData::new(x.clone(), [config.channels, 2, 32, 32]);
            let y = model.forward(Tensor::from_data(tensor, &Default::default()), Some(&moments));
            let difference = y.difference.map(|d| floats(d.swap_dims(0, 1)));
            let y = floats(y.picture.swap_dims(0, 1));
            let folded = model.fold(&config, &moments);
            assert_eq!(folded.head.is_some(), difference.is_some());
            let same = |found: &[f32], expected: &[f32]| {
                assert_eq!(found.len(), expected.len());
                let worst = found
                    .iter()
                    .zip(expected)
                    .map(|(a, b)| (a - b).abs())
                    .fold(0.0, f32::max);
                assert!(worst < 1e-4, "{config:?}: {worst}");
                assert!(
                    found.iter().any(|v| v.abs() > 0.05),
                    "a dead network proves nothing"
                );
            };
            for n in 0..2 {
                let mut picture: Vec<f32> = (0..config.channels)
                    .flat_map(|c| x[(c * 2 + n) * 1024..][..1024].to_vec())
                    .collect();
                let drawn = plain(&folded.reconstruction, &picture);
                same(&drawn, &y[n * pixels..][..pixels]);
                if let (Some(head), Some(difference)) = (&folded.head, &difference) {
                    picture.extend(drawn.iter().map(|v| v.clamp(-1.0, 127.0 / 128.0)));
                    same(&plain(head, &picture), &difference[n * 1024..][..1024]);
                }
            }
        }
    }

    use crate::network::SideKind;

    fn three(a: SideKind, b: SideKind, c: SideKind) -> NetworkConfig {
        NetworkConfig {
            size: 32,
            channels: 3,
            widths: vec![5, 7, 6],
            sides: vec![a, b, c],
            grids: vec![4, 2, 2],
            items: 9,
            temperature: 0.1,
            head: vec![],
        }
    }
}
