//! The loss: `MSE + (1 - SSIM) + entropy`, and for the learned difference `focal + dice`.
//!
//! All on the network's own values, `(u8 - 128) / 128` in [-1, 1], so the range of SSIM is 2.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use crate::network::kernels::Kernels;
use crate::network::model::Output;

/// Weights of the loss's terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossWeights {
    /// Of the mean squared error.
    pub mse: f32,
    /// Of `1 - SSIM`.
    pub ssim: f32,
    /// Of the memories' mean addressing entropy (nats, summed over the memories).
    pub entropy: f32,
    /// Of the learned difference's focal and dice loss.
    #[serde(default = "one")]
    pub head: f32,
}

fn one() -> f32 {
    1.0
}

impl Default for LossWeights {
    fn default() -> Self {
        Self {
            mse: 1.0,
            ssim: 1.0,
            entropy: 2e-4,
            head: one(),
        }
    }
}

/// The loss and its terms, `[1]` each.
pub struct Loss<B: Backend> {
    /// What is minimised.
    pub total: Tensor<B, 1>,
    /// Mean squared error.
    pub mse: Tensor<B, 1>,
    /// Structural similarity, 1 at best.
    pub ssim: Tensor<B, 1>,
    /// Addressing entropy.
    pub entropy: Tensor<B, 1>,
    /// Focal and dice loss of the learned difference, 0 where there is none.
    pub head: Tensor<B, 1>,
}

impl LossWeights {
    /// The loss of `output` against the clean pictures `target` (C x N x S x S) and the defects' `mask` (1 x
    /// N x S x S). The reconstruction learns from the first `learned` pictures, the head from all.
    pub fn loss<B: Kernels>(
        &self,
        output: Output<B>,
        target: Tensor<B, 4>,
        mask: Tensor<B, 4>,
        learned: usize,
    ) -> Loss<B> {
        let (picture, target) = (output.picture.narrow(1, 0, learned), target.narrow(1, 0, learned));
        let mse = (picture.clone() - target.clone()).square().mean();
        let ssim = ssim(picture, target);
        let mut total = mse.clone() * self.mse
            + (ssim.clone().neg() + 1.0) * self.ssim
            + output.entropy.clone() * self.entropy;
        let head = match output.difference {
            Some(difference) => {
                let head = focal_and_dice(difference, mask);
                total = total + head.clone() * self.head;
                head
            }
            None => mse.zeros_like(),
        };
        Loss {
            total,
            mse,
            ssim,
            entropy: output.entropy,
            head,
        }
    }
}

/// Focal loss (Lin et al. 2017; gamma 2, alpha 0.75, times 10 so that both weigh alike) plus dice loss
/// (Milletari et al. 2016; a picture at a time) of log odds against a mask of zeros and ones, both 1 x N x S
/// x S.
fn focal_and_dice<B: Backend>(log_odds: Tensor<B, 4>, mask: Tensor<B, 4>) -> Tensor<B, 1> {
    let [_, pictures, height, width] = mask.dims();
    let flat = |t: Tensor<B, 4>| t.reshape([pictures, height * width]);
    let (z, mask) = (flat(log_odds), flat(mask));
    let p = sigmoid(z.clone());
    // -ln of the probability of what is so, from the log odds: finite however sure the head is
    let surprise = z.clone().clamp_min(0.0) - z.clone() * mask.clone() + (z.abs().neg().exp() + 1.0).log();
    let right = p.clone() * mask.clone() + (p.clone().neg() + 1.0) * (mask.clone().neg() + 1.0);
    let weight = mask.clone() * 0.5 + 0.25;
    let focal = (weight * (right.neg() + 1.0).square() * surprise).mean() * 10.0;
    let overlap = (p.clone() * mask.clone()).sum_dim(1) * 2.0 + 1.0;
    let dice = (overlap / ((p + mask).sum_dim(1) + 1.0)).mean().neg() + 1.0;
    focal + dice
}

/// Mean SSIM of two batches of pictures, C x N x S x S; the gradient goes to `a`.
fn ssim<B: Kernels>(a: Tensor<B, 4>, b: Tensor<B, 4>) -> Tensor<B, 1> {
    let [channels, pictures, size, _] = a.dims();
    let planes = |x: Tensor<B, 4>| x.reshape([channels * pictures, size, size]);
    B::ssim(planes(a), planes(b))
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::TensorData;

    use super::*;
    use crate::rng::Rng;

    fn pictures(rng: &mut Rng) -> Vec<f32> {
        (0..2 * 24 * 24).map(|_| rng.range(-1.0, 1.0)).collect()
    }

    fn tensor(values: &[f32]) -> Tensor<Flex, 4> {
        Tensor::from_data(
            TensorData::new(values.to_vec(), [1, 2, 24, 24]),
            &Default::default(),
        )
    }

    /// Window by window, in double precision, as the definition says.
    fn slow_ssim(a: &[f32], b: &[f32]) -> f64 {
        let mut sum = 0.0;
        for (a, b) in a.chunks_exact(576).zip(b.chunks_exact(576)) {
            for place in 0..576_i32 {
                let (row, column) = (place / 24, place % 24);
                let (mut weights, mut moments) = (0.0, [0.0; 5]);
                for (r, c) in (row - 5..=row + 5).flat_map(|r| (column - 5..=column + 5).map(move |c| (r, c)))
                {
                    if (0..24).contains(&r) && (0..24).contains(&c) {
                        let w = (-f64::from((r - row).pow(2) + (c - column).pow(2)) / 4.5).exp();
                        let (x, y) = (
                            f64::from(a[(r * 24 + c) as usize]),
                            f64::from(b[(r * 24 + c) as usize]),
                        );
                        weights += w;
                        moments
                            .iter_mut()
                            .zip([x, y, x * x, y * y, x * y])
                            .for_each(|(m, v)| *m += w * v);
                    }
                }
                let [x, y, xx, yy, xy] = moments.map(|m| m / weights);
                let (c1, c2) = (0.0004, 0.0036);
                let top = (2.0 * x * y + c1) * (2.0 * (xy - x * y) + c2);
                sum += top / ((x * x + y * y + c1) * (xx - x * x + yy - y * y + c2));
            }
        }
        sum / 1152.0
    }

    #[test]
    fn focal_and_dice_by_hand() {
        let make = |values: Vec<f32>| {
            Tensor::<Flex, 4>::from_data(TensorData::new(values, [1, 1, 1, 2]), &Default::default())
        };
        // half sure of both: focal 10 * mean(0.75, 0.25) * 0.25 * ln 2, dice 1 - (2 * 0.5 + 1) / (1 + 1 + 1)
        let unsure = focal_and_dice(make(vec![0.0, 0.0]), make(vec![1.0, 0.0])).into_scalar();
        assert!(
            (unsure - (10.0 * 0.5 * 0.25 * std::f32::consts::LN_2 + 1.0 / 3.0)).abs() < 1e-5,
            "{unsure}"
        );
        let sure = focal_and_dice(make(vec![90.0, -90.0]), make(vec![1.0, 0.0])).into_scalar();
        let wrong = focal_and_dice(make(vec![-90.0, 90.0]), make(vec![1.0, 0.0])).into_scalar();
        assert!(
            sure.abs() < 1e-5 && (wrong - (10.0 * 0.5 * 90.0 + 2.0 / 3.0)).abs() < 1e-2,
            "{sure} {wrong}"
        );
    }

    #[test]
    fn ssim_equals_its_definition() {
        let mut rng = Rng::new(&[3]);
        let a = pictures(&mut rng);
        let b: Vec<f32> = a
            .iter()
            .map(|v| (v * 0.7 + rng.range(-0.3, 0.3)).clamp(-1.0, 1.0))
            .collect();
        let fast = ssim(tensor(&a), tensor(&b)).into_scalar();
        let slow = slow_ssim(&a, &b);
        assert!((f64::from(fast) - slow).abs() < 1e-5, "{fast} {slow}");
        assert!((0.3..0.95).contains(&slow), "{slow}");
        assert!((ssim(tensor(&a), tensor(&a)).into_scalar() - 1.0).abs() < 1e-6);
    }
}
