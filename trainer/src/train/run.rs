//! The training loop.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use beltwatch_vision::picture::Picture;
use burn::module::AutodiffModule;
use burn::optim::{AdamWConfig, GradientsParams, Optimizer};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::batch::Batch;
use super::{Outcome, Progress, TrainConfig, TrainError, checkpoint};
use crate::network::FoldedNetworks;
use crate::network::kernels::Kernels;
use crate::network::model::Model;
use crate::network::moments::Moments;

/// Time between two checkpoints.
const CHECKPOINT: Duration = Duration::from_secs(30);
/// Batches over which the batch norms' moments are measured after the last step.
const MEASURED_BATCHES: u64 = 24;

/// What a run works on.
pub(super) struct Run<'a> {
    pub(super) config: &'a TrainConfig,
    pub(super) pictures: &'a [Picture],
    pub(super) folder: &'a Path,
    pub(super) stop: &'a AtomicBool,
}

impl Run<'_> {
    /// See [`super::train`].
    pub(super) fn train<B>(
        &self,
        device: &B::Device,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Outcome, TrainError>
    where
        B: AutodiffBackend + Kernels,
        B::InnerBackend: Kernels,
    {
        let start = Instant::now();
        let config = self.config;
        let run = checkpoint::fingerprint(config, self.pictures);
        let (model, optimiser) = begin::<B>(config, device);
        let (first, model, optimiser) =
            checkpoint::load::<B, _, _>(self.folder, &run, model, optimiser, device)?;
        let mut meter = Meter::new();
        let (done, model, optimiser) = std::thread::scope(|scope| {
            // Two batches ahead: the step never waits, and a stopped run wastes little.
            let (sender, batches) = mpsc::sync_channel(2);
            scope.spawn(move || {
                (first as u64..config.steps as u64)
                    .try_for_each(|step| sender.send(Batch::prepare(config, self.pictures, step)))
            });
            let (mut done, mut model, mut optimiser) = (first, model, optimiser);
            let mut saved = Instant::now();
            for batch in batches {
                if self.stop.load(Ordering::Relaxed) {
                    break;
                }
                let (stepped, terms) = step(config, done, batch, model, &mut optimiser, device)?;
                model = stepped;
                done += 1;
                progress(&meter.update(done, config.steps, terms));
                if saved.elapsed() >= CHECKPOINT {
                    checkpoint::save(self.folder, &run, done, &model, &optimiser)?;
                    saved = Instant::now();
                }
            }
            Ok::<_, TrainError>((done, model, optimiser))
        })?;
        if done > first {
            checkpoint::save(self.folder, &run, done, &model, &optimiser)?;
        }
        Ok(Outcome {
            networks: self.measure_and_fold(&model.valid(), device),
            steps_done: done,
            finished: done == config.steps,
            final_loss: meter.terms.map(|terms| terms[0]),
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// Folds the batch norms with moments measured afresh with the final weights. Running means kept while
    /// training would lag behind the weights, and would be one more state to save.
    fn measure_and_fold<B: Kernels>(&self, model: &Model<B>, device: &B::Device) -> FoldedNetworks {
        // Batches that no step has seen.
        let batches = (0..MEASURED_BATCHES)
            .map(|n| Batch::prepare(self.config, self.pictures, u64::from(u32::MAX) + n));
        let all: Vec<_> = batches
            .map(|batch| {
                let [input, ..] = batch.into_tensors::<B>(device);
                model.forward(input, None).moments
            })
            .collect();
        let norms = all[0].len();
        let moments: Vec<_> = (0..norms)
            .map(|n| pool(all.iter().map(|batch| &batch[n])))
            .collect();
        model.fold(&self.config.network, &moments)
    }
}

/// The network and its optimiser before the first step.
pub(super) fn begin<B: AutodiffBackend + Kernels>(
    config: &TrainConfig,
    device: &B::Device,
) -> (Model<B>, impl Optimizer<Model<B>, B> + use<B>)
where
    B::InnerBackend: Kernels,
{
    let optimiser = AdamWConfig::new()
        .with_epsilon(1e-8)
        .with_weight_decay(config.weight_decay);
    (Model::new(&config.network, config.seed, device), optimiser.init())
}

/// Step `done` (from 0) with its batch; the network after it, and the loss with its terms before it.
pub(super) fn step<B: AutodiffBackend + Kernels>(
    config: &TrainConfig,
    done: usize,
    batch: Batch,
    model: Model<B>,
    optimiser: &mut impl Optimizer<Model<B>, B>,
    device: &B::Device,
) -> Result<(Model<B>, [f32; 5]), TrainError>
where
    B::InnerBackend: Kernels,
{
    let learned = batch.learned;
    let [input, target, mask] = batch.into_tensors::<B>(device);
    let output = if done < config.head_alone_from() {
        model.forward(input, None)
    } else {
        model.with_reconstruction_done().forward(input, None)
    };
    let loss = config.loss.loss(output, target, mask, learned);
    let terms = [loss.total.clone(), loss.mse, loss.ssim, loss.entropy, loss.head].map(scalar);
    if !terms[0].is_finite() {
        return Err(TrainError::Diverged { step: done });
    }
    let gradients = GradientsParams::from_grads(loss.total.backward(), &model);
    Ok((
        optimiser.step(config.learning_rate_at(done), model, gradients),
        terms,
    ))
}

/// Moments of all batches together: the mean variance within them plus the variance of their means.
fn pool<'a, B: Backend>(batches: impl Iterator<Item = &'a Moments<B>>) -> Moments<B> {
    let (means, variances): (Vec<_>, Vec<_>) = batches.map(|m| (m.mean.clone(), m.variance.clone())).unzip();
    let (means, variances) = (Tensor::cat(means, 1), Tensor::cat(variances, 1));
    let mean = means.clone().mean_dim(1);
    let between = (means - mean.clone()).square().mean_dim(1);
    Moments {
        mean,
        variance: variances.mean_dim(1) + between,
    }
}

fn scalar<B: Backend>(tensor: Tensor<B, 1>) -> f32 {
    burn::tensor::ElementConversion::elem(tensor.into_scalar())
}

/// Running means over about twenty steps.
struct Meter {
    terms: Option<[f32; 5]>,
    seconds: Option<f32>,
    last: Instant,
}

impl Meter {
    fn new() -> Self {
        Self {
            terms: None,
            seconds: None,
            last: Instant::now(),
        }
    }

    fn update(&mut self, step: usize, steps: usize, terms: [f32; 5]) -> Progress {
        let blend = |old: f32, new: f32| old + (new - old) * 0.05;
        let seconds = self.last.elapsed().as_secs_f32();
        self.last = Instant::now();
        let seconds_per_step = self.seconds.map_or(seconds, |old| blend(old, seconds));
        let mut mean = self.terms.unwrap_or(terms);
        mean.iter_mut()
            .zip(terms)
            .for_each(|(old, new)| *old = blend(*old, new));
        (self.seconds, self.terms) = (Some(seconds_per_step), Some(mean));
        let [loss, mse, ssim, entropy, head] = mean;
        Progress {
            step,
            steps,
            loss,
            mse,
            ssim,
            entropy,
            head,
            seconds_per_step,
        }
    }
}
