//! One step's pictures: a pure function of seed and step.

use beltwatch_vision::picture::Picture;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::TrainConfig;
use crate::rng::Rng;

/// What the network sees and what it should draw, as plain values.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// C x N x S x S: augmented pictures with defects.
    pub input: Vec<f32>,
    /// C x N x S x S: the same pictures without defects.
    pub target: Vec<f32>,
    /// 1 x N x S x S: 1 where a defect is, else 0.
    pub mask: Vec<f32>,
    /// C, N, S, S.
    pub dims: [usize; 4],
    /// The reconstruction learns from so many, the head from all of them.
    pub learned: usize,
}

/// The network's value of a pixel: the int8 tensor on the device is exactly `u8 ^ 0x80` with scale 1/128.
pub fn value(pixel: u8) -> f32 {
    (f32::from(pixel) - 128.0) / 128.0
}

/// The pixel of a network's value, rounded and saturated.
pub fn pixel(value: f32) -> u8 {
    (value * 128.0 + 128.0).round().clamp(0.0, 255.0) as u8
}

impl Batch {
    /// The batch of `step`. Each picture comes once in a round, rounds are shuffled; those that only the head
    /// learns from have rounds of their own, and come last.
    pub fn prepare(config: &TrainConfig, pictures: &[Picture], step: u64) -> Self {
        let (size, channels) = (config.network.size, config.network.channels);
        let dims = [channels, config.batch, size, size];
        let values = vec![0.0; dims.iter().product()];
        let [first, learned] = config.learned_from(pictures.len());
        let mut batch = Self {
            input: values.clone(),
            target: values,
            mask: Vec::new(),
            dims,
            learned,
        };
        let all = Rng::new(&[config.seed, 0xa51d]).permutation(pictures.len());
        let (drawn, set_aside) = all.split_at(first);
        for slot in 0..config.batch {
            let mut rng = Rng::new(&[config.seed, 0xba7c, step, slot as u64]);
            let (from, slot_of, slots) = if slot < learned {
                (drawn, slot, learned)
            } else {
                (set_aside, slot - learned, config.batch - learned)
            };
            let count = step * slots as u64 + slot_of as u64;
            let (round, place) = (count / from.len() as u64, count % from.len() as u64);
            let chosen =
                from[Rng::new(&[config.seed, 0x04de, round]).permutation(from.len())[place as usize]];
            let clean = config.augmentation.apply(&mut rng, &pictures[chosen]);
            batch.put(false, slot, &clean);
            let mut picture = clean.clone();
            let mask = config.defects.apply(&mut rng, &mut picture, pictures);
            batch.put(true, slot, &picture);
            batch
                .mask
                .extend(mask.into_iter().map(|marked| f32::from(u8::from(marked))));
        }
        batch
    }

    fn put(&mut self, input: bool, slot: usize, picture: &Picture) {
        let values = if input { &mut self.input } else { &mut self.target };
        let [channels, pictures, size, _] = self.dims;
        for (c, plane) in (0..channels).zip(values.chunks_exact_mut(pictures * size * size)) {
            let plane = &mut plane[slot * size * size..][..size * size];
            for (to, from) in plane.iter_mut().zip(picture.data.chunks_exact(channels)) {
                *to = value(from[c]);
            }
        }
    }

    /// Input, target and mask as tensors.
    pub fn into_tensors<B: Backend>(self, device: &B::Device) -> [Tensor<B, 4>; 3] {
        let [_, pictures, height, width] = self.dims;
        let mask = [1, pictures, height, width];
        [
            (self.input, self.dims),
            (self.target, self.dims),
            (self.mask, mask),
        ]
        .map(|(values, dims)| Tensor::from_data(TensorData::new(values, dims), device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_survive_the_network_s_scale() {
        assert!((0..=255).all(|v| pixel(value(v)) == v));
        assert_eq!([pixel(-9.0), pixel(9.0)], [0, 255]);
        assert_eq!([value(0), value(128)], [-1.0, 0.0]);
    }

    #[test]
    fn a_round_shows_each_picture_once_and_targets_are_clean() {
        let mut config = TrainConfig::quick(3);
        config.network = crate::network::NetworkConfig::deep(32, 3);
        config.augmentation = super::super::Augmentation {
            shift: 0.0,
            gain: 0.0,
            brightness: 0.0,
            ..Default::default()
        };
        let pictures: Vec<Picture> = (0..12).map(|i| Picture::filled(32, 32, 3, 20 * i)).collect();
        let mut seen = Vec::new();
        for step in 0..3 {
            let batch = Batch::prepare(&config, &pictures, step);
            assert_eq!(batch, Batch::prepare(&config, &pictures, step));
            for slot in 0..8 {
                let of = |values: &[f32]| values[(8 + slot) * 1024..][..1024].to_vec();
                let target = of(&batch.target);
                assert!(target.iter().all(|v| *v == target[0]));
                seen.push(pixel(target[0]));
            }
            assert_ne!(batch.input, batch.target);
            assert!(batch.mask.contains(&1.0) && batch.mask.contains(&0.0) && batch.mask.len() == 8192);
        }
        for round in seen.chunks_exact_mut(12) {
            round.sort_unstable();
            assert_eq!(round, (0..12).map(|i| 20 * i).collect::<Vec<u8>>());
        }
    }

    #[test]
    fn what_is_set_aside_comes_last_and_never_among_the_others() {
        let mut config = TrainConfig {
            batch: 4,
            set_aside: 0.25,
            ..TrainConfig::quick(1)
        };
        config.network = crate::network::NetworkConfig {
            head: vec![4],
            ..crate::network::NetworkConfig::deep(32, 1)
        };
        config.augmentation = super::super::Augmentation {
            shift: 0.0,
            gain: 0.0,
            brightness: 0.0,
            ..Default::default()
        };
        let pictures: Vec<Picture> = (0..12).map(|i| Picture::filled(32, 32, 1, 20 * i)).collect();
        let (mut drawn, mut aside) = (Vec::new(), Vec::new());
        for step in 0..3 {
            let batch = Batch::prepare(&config, &pictures, step);
            assert_eq!(batch.learned, 3);
            for (slot, picture) in batch.target.chunks_exact(1024).enumerate() {
                if slot < 3 { &mut drawn } else { &mut aside }.push(pixel(picture[0]));
            }
        }
        let mut all = [drawn, aside].concat();
        all.sort_unstable();
        assert_eq!(all, (0..12).map(|i| 20 * i).collect::<Vec<u8>>());
        config.network.head.clear();
        assert_eq!(
            Batch::prepare(&config, &pictures, 0).learned,
            4,
            "nobody would learn from what is set aside"
        );
    }
}
