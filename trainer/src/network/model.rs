//! The network in burn; the topology of each of its coders is told in [`super::folded`].

use burn::module::{Module, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};

use super::batch_norm::BatchNorm;
use super::config::{NetworkConfig, SideKind};
use super::kernels::Kernels;
use super::memory::TrainedMemory;
use super::moments::Moments;
use crate::rng::Rng;

/// Keeps the head's first weights apart from the reconstruction's.
const HEAD: u64 = 0x4ead;
/// Log odds of a defect before anything is learned.
const UNLIKELY: f32 = -2.0;
/// The value of the brightest pixel.
const PIXEL_MOST: f32 = 127.0 / 128.0;

/// Convolution 3x3 with stride 2, batch norm, ReLU.
#[derive(Module, Debug)]
pub struct Down<B: Backend> {
    /// `[outputs, inputs, 3, 3]`.
    pub weight: Param<Tensor<B, 4>>,
    /// Of the outputs.
    pub norm: BatchNorm<B>,
}

/// Transposed convolution 4x4 with stride 2, batch norm, ReLU.
#[derive(Module, Debug)]
pub struct Up<B: Backend> {
    /// `[inputs, outputs, 4, 4]`.
    pub weight: Param<Tensor<B, 4>>,
    /// Of the outputs.
    pub norm: BatchNorm<B>,
}

/// The last transposed convolution: to the picture's channels, no norm, no activation.
#[derive(Module, Debug)]
pub struct Last<B: Backend> {
    /// `[inputs, channels, 4, 4]`.
    pub weight: Param<Tensor<B, 4>>,
    /// `[channels, 1, 1, 1]`.
    pub bias: Param<Tensor<B, 4>>,
}

/// The network's parameters.
#[derive(Module, Debug)]
pub struct Model<B: Backend> {
    /// Redraws the picture.
    pub coder: Coder<B>,
    /// The learned difference of picture and reconstruction.
    pub head: Option<Coder<B>>,
}

/// An encoder and a decoder with side paths between them.
#[derive(Module, Debug)]
pub struct Coder<B: Backend> {
    /// Level 1 first.
    pub encoder: Vec<Down<B>>,
    /// Level 1 first; none where the level has no memory.
    pub memories: Vec<Option<TrainedMemory<B>>>,
    /// Lowest resolution first.
    pub decoder: Vec<Up<B>>,
    /// To the picture.
    pub last: Last<B>,
    /// Level 1 first: whether the encoder's feature itself joins the decoder.
    pub skips: Vec<bool>,
}

/// What a forward pass gives.
#[derive(Clone, Debug)]
pub struct Output<B: Backend> {
    /// The reconstruction, C x N x S x S.
    pub picture: Tensor<B, 4>,
    /// The learned difference, 1 x N x S x S: the logarithm of the odds that a pixel is part of a defect.
    pub difference: Option<Tensor<B, 4>>,
    /// Sum over the memories of the mean entropy of their addressing, `[1]`.
    pub entropy: Tensor<B, 1>,
    /// Of each batch norm, encoder first, the head's last.
    pub moments: Vec<Moments<B>>,
}

impl<B: Backend> Model<B> {
    /// A network with fresh weights, the same for the same seed on every backend. `config` must be valid.
    pub fn new(config: &NetworkConfig, seed: u64, device: &B::Device) -> Self {
        let head = config
            .of_head()
            .map(|head| Coder::new(&head, 1, seed ^ HEAD, device).comparing(config.channels));
        Self {
            coder: Coder::new(config, config.channels, seed, device),
            head,
        }
    }
}

impl<B: AutodiffBackend> Model<B> {
    /// The same network, of which only the head learns.
    pub fn with_reconstruction_done(&self) -> Self {
        Self {
            coder: self.coder.clone().no_grad(),
            head: self.head.clone(),
        }
    }
}

impl<B: Backend> Coder<B> {
    /// A head that starts out comparing: its first level sees the difference of picture and reconstruction,
    /// and nothing is a defect until it learns otherwise. It learns in half the steps.
    fn comparing(mut self, channels: usize) -> Self {
        let leaf = |tensor: Tensor<B, 4>| Param::from_data(tensor.to_data(), &tensor.device());
        let of_picture = self.encoder[0].weight.val().narrow(1, 0, channels);
        self.encoder[0].weight = leaf(Tensor::cat(vec![of_picture.clone(), of_picture.neg()], 1));
        self.last.bias = leaf(self.last.bias.val() + UNLIKELY);
        self
    }

    /// Takes `config.channels`, gives `outputs`.
    fn new(config: &NetworkConfig, outputs: usize, seed: u64, device: &B::Device) -> Self {
        let levels = config.levels();
        let mut rng = Rng::new(&[seed, 0x0001_4e17]);
        let mut weight = |dims: [usize; 4], fan_in: usize| {
            let bound = 1.0 / (fan_in as f32).sqrt();
            let data = (0..dims.iter().product())
                .map(|_| rng.range(-bound, bound))
                .collect();
            Param::from_data(TensorData::new::<f32, _>(data, dims), device)
        };
        let encoder = (0..levels).map(|l| {
            let (inputs, outputs) = (
                if l == 0 {
                    config.channels
                } else {
                    config.widths[l - 1]
                },
                config.widths[l],
            );
            Down {
                weight: weight([outputs, inputs, 3, 3], inputs * 9),
                norm: BatchNorm::new(outputs, device),
            }
        });
        let encoder = encoder.collect();
        // Width of what leaves a level's join, level 1 first.
        let joined = |l: usize| match config.sides[l] {
            _ if l + 1 == levels => config.widths[l],
            SideKind::None => config.widths[l],
            SideKind::Skip | SideKind::Pmb => 2 * config.widths[l],
        };
        // Each output pixel sees 2 x 2 of the 4 x 4 taps.
        let decoder = (1..levels).rev().map(|l| {
            let (inputs, outputs) = (joined(l), config.widths[l - 1]);
            Up {
                weight: weight([inputs, outputs, 4, 4], inputs * 4),
                norm: BatchNorm::new(outputs, device),
            }
        });
        let decoder = decoder.collect();
        let last = Last {
            weight: weight([joined(0), outputs, 4, 4], joined(0) * 4),
            bias: Param::from_tensor(Tensor::zeros([outputs, 1, 1, 1], device)),
        };
        let memories = (0..levels).map(|l| {
            let mut rng = Rng::new(&[seed, 0x3e30, l as u64]);
            (config.sides[l] == SideKind::Pmb).then(|| {
                let (grid, feature) = (config.grids[l], config.feature(l + 1));
                TrainedMemory::new(grid, config.items, feature, config.temperature, &mut rng, device)
            })
        });
        let skips = config.sides.iter().map(|side| *side == SideKind::Skip).collect();
        Self {
            encoder,
            memories: memories.collect(),
            decoder,
            last,
            skips,
        }
    }
}

impl<B: Kernels> Model<B> {
    /// Redraws pictures `x`, C x N x S x S with values `(u8 - 128) / 128`. The batch norms use the batch's
    /// own moments, or `fixed` ones, in the order of [`Output::moments`].
    ///
    /// The head sees the reconstruction as the device stores it, and sends nothing back into it: a
    /// reconstruction that helps its head to find defects would draw them.
    pub fn forward(&self, x: Tensor<B, 4>, fixed: Option<&[Moments<B>]>) -> Output<B> {
        let norms = self.coder.norms();
        let (of_coder, of_head) = fixed.map(|all| all.split_at(norms)).unzip();
        let (picture, entropy, mut moments) = self.coder.forward(x.clone(), of_coder);
        let difference = self.head.as_ref().map(|head| {
            let seen = picture.clone().detach().clamp(-1.0, PIXEL_MOST);
            let (difference, _, more) = head.forward(Tensor::cat(vec![x, seen], 0), of_head);
            moments.extend(more);
            difference
        });
        Output {
            picture,
            difference,
            entropy,
            moments,
        }
    }
}

impl<B: Kernels> Coder<B> {
    /// How many batch norms there are.
    pub(super) fn norms(&self) -> usize {
        self.encoder.len() + self.decoder.len()
    }

    fn forward(
        &self,
        x: Tensor<B, 4>,
        fixed: Option<&[Moments<B>]>,
    ) -> (Tensor<B, 4>, Tensor<B, 1>, Vec<Moments<B>>) {
        let levels = self.encoder.len();
        let mut moments = Vec::with_capacity(2 * levels - 1);
        let mut entropy = Tensor::zeros([1], &x.device());
        let mut normalise = |norm: &BatchNorm<B>, x| {
            let (y, used) = norm.forward_relu(x, fixed.map(|all| &all[moments.len()]));
            moments.push(used);
            y
        };
        let mut recall = |memory: &TrainedMemory<B>, x| {
            let (y, spread) = memory.forward(x);
            entropy = entropy.clone() + spread;
            y
        };
        let mut y = x;
        let mut features = Vec::with_capacity(levels);
        for down in &self.encoder {
            y = normalise(&down.norm, B::down(y, down.weight.val()));
            features.push(y.clone());
        }
        if let Some(memory) = &self.memories[levels - 1] {
            y = recall(memory, y);
        }
        for (up, level) in self.decoder.iter().zip((0..levels - 1).rev()) {
            y = normalise(&up.norm, B::up(y, up.weight.val()));
            if let Some(memory) = &self.memories[level] {
                y = Tensor::cat(vec![y, recall(memory, features[level].clone())], 0);
            } else if self.skips[level] {
                y = Tensor::cat(vec![y, features[level].clone()], 0);
            }
        }
        (
            B::up(y, self.last.weight.val()) + self.last.bias.val(),
            entropy,
            moments,
        )
    }
}
