//! How a network is trained, as configuration.

use serde::{Deserialize, Serialize};

use super::augment::Augmentation;
use super::defects::DefectConfig;
use super::loss::LossWeights;
use crate::network::{ConfigError, NetworkConfig};

/// Everything that decides a run's result beside its pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Optimiser steps.
    pub steps: usize,
    /// Pictures a step.
    pub batch: usize,
    /// Share of the pictures, and of each step's, 0 to 0.5, from which only the head learns: they show it how
    /// well parts are drawn that the reconstruction does not know by heart.
    #[serde(default)]
    pub set_aside: f64,
    /// Share of the steps, the last ones, 0 to 0.9, in which only the head learns: it goes on longer for the
    /// same time, and what it compares with no longer changes under it.
    #[serde(default)]
    pub head_alone: f64,
    /// Highest learning rate: it rises linearly over the first twentieth of the steps and falls as a cosine
    /// to 1 %.
    pub learning_rate: f64,
    /// Decoupled weight decay of AdamW.
    pub weight_decay: f32,
    /// Names every random choice of the run.
    pub seed: u64,
    /// The network.
    pub network: NetworkConfig,
    /// The loss.
    pub loss: LossWeights,
    /// Variation of the good pictures.
    pub augmentation: Augmentation,
    /// Defects on the input.
    pub defects: DefectConfig,
}

/// Why a run cannot begin.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum TrainConfigError {
    /// The network's part.
    #[error(transparent)]
    Network(#[from] ConfigError),
    /// A number out of its range.
    #[error("{key} is {value}: it must be {range}")]
    Range {
        key: &'static str,
        /// As configured.
        value: String,
        range: &'static str,
    },
}

impl TrainConfig {
    /// A usable network from about 100 pictures in about 5 minutes on two cores: 128 px.
    pub fn quick(channels: usize) -> Self {
        Self::of(1500, NetworkConfig::deep(128, channels))
    }

    /// The full training: 256 px.
    pub fn standard(channels: usize) -> Self {
        Self::of(6000, NetworkConfig::deep(256, channels))
    }

    fn of(steps: usize, network: NetworkConfig) -> Self {
        Self {
            steps,
            batch: 8,
            set_aside: 0.0,
            head_alone: 0.0,
            learning_rate: 1e-3,
            weight_decay: 1e-4,
            seed: 1,
            network,
            loss: LossWeights::default(),
            augmentation: Augmentation::default(),
            defects: DefectConfig::default(),
        }
    }

    /// The same training with the default network for pictures of `size` pixels.
    pub fn with_size(mut self, size: usize) -> Self {
        self.network = NetworkConfig::deep(size, self.network.channels);
        self
    }

    /// From how many of `pictures`, and of a step's, the reconstruction learns: all, or fewer and at least
    /// one of both.
    pub fn learned_from(&self, pictures: usize) -> [usize; 2] {
        let all = [pictures, self.batch];
        let fewer = all.map(|count| count - (self.set_aside * count as f64).round() as usize);
        let is_part = fewer.iter().zip(all).all(|(fewer, all)| (1..all).contains(fewer));
        if is_part && !self.network.head.is_empty() {
            fewer
        } else {
            all
        }
    }

    /// The first step (from 0) in which only the head learns.
    pub fn head_alone_from(&self) -> usize {
        let alone = if self.network.head.is_empty() {
            0.0
        } else {
            self.head_alone
        };
        self.steps - (alone * self.steps as f64).round() as usize
    }

    /// Learning rate of a step (from 0).
    pub fn learning_rate_at(&self, step: usize) -> f64 {
        let warm_up = (self.steps / 20).clamp(1, 500);
        if step < warm_up {
            return self.learning_rate * (step + 1) as f64 / warm_up as f64;
        }
        let along = (step - warm_up) as f64 / self.steps.saturating_sub(warm_up).max(1) as f64;
        self.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + (along.min(1.0) * std::f64::consts::PI).cos()))
    }

    /// Says what is wrong, if anything.
    pub fn validate(&self) -> Result<(), TrainConfigError> {
        self.network.validate()?;
        let range = |ok: bool, key, value: &dyn ToString, range| {
            if ok {
                Ok(())
            } else {
                Err(TrainConfigError::Range {
                    key,
                    value: value.to_string(),
                    range,
                })
            }
        };
        let not_negative = |v: f32| v >= 0.0 && v.is_finite();
        range(self.steps > 0, "steps", &self.steps, "at least 1")?;
        range(
            i64::try_from(self.seed).is_ok(),
            "seed",
            &self.seed,
            "0 to 9223372036854775807",
        )?;
        range(
            (1..=1024).contains(&self.batch),
            "batch",
            &self.batch,
            "1 to 1024",
        )?;
        range(
            (0.0..=0.5).contains(&self.set_aside),
            "set_aside",
            &self.set_aside,
            "0 to 0.5",
        )?;
        range(
            (0.0..=0.9).contains(&self.head_alone),
            "head_alone",
            &self.head_alone,
            "0 to 0.9",
        )?;
        let rate = self.learning_rate;
        range(
            rate > 0.0 && rate <= 1.0,
            "learning_rate",
            &rate,
            "above 0 and at most 1",
        )?;
        range(
            not_negative(self.weight_decay),
            "weight_decay",
            &self.weight_decay,
            "0 or more",
        )?;
        let loss = &self.loss;
        for (key, weight) in [
            ("loss.mse", loss.mse),
            ("loss.ssim", loss.ssim),
            ("loss.entropy", loss.entropy),
            ("loss.head", loss.head),
        ] {
            range(not_negative(weight), key, &weight, "0 or more")?;
        }
        range(
            loss.mse + loss.ssim > 0.0,
            "loss.mse + loss.ssim",
            &0,
            "above 0: nothing would be learned",
        )?;
        let a = &self.augmentation;
        let half = (self.network.size / 2) as f32;
        range(
            (0.0..=half).contains(&a.shift),
            "augmentation.shift",
            &a.shift,
            "0 to half the size, in pixels",
        )?;
        range(
            (0.0..=180.0).contains(&a.rotation),
            "augmentation.rotation",
            &a.rotation,
            "0 to 180 degrees",
        )?;
        range(
            a.aspect > 0.0 && a.aspect.is_finite(),
            "augmentation.aspect",
            &a.aspect,
            "above 0",
        )?;
        range(
            (0.0..1.0).contains(&a.gain),
            "augmentation.gain",
            &a.gain,
            "0 or more and below 1",
        )?;
        range(
            (0.0..1.0).contains(&a.brightness),
            "augmentation.brightness",
            &a.brightness,
            "0 or more and below 1",
        )?;
        range(
            (0.0..1.0).contains(&a.tint),
            "augmentation.tint",
            &a.tint,
            "0 or more and below 1",
        )?;
        let d = &self.defects;
        range(
            (0.0..=1.0).contains(&d.probability),
            "defects.probability",
            &d.probability,
            "0 to 1",
        )?;
        range((1..=100).contains(&d.most), "defects.most", &d.most, "1 to 100")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_survive_toml() {
        for config in [
            TrainConfig::quick(3),
            TrainConfig::standard(1),
            TrainConfig::standard(3).with_size(128),
        ] {
            assert_eq!(config.validate(), Ok(()));
            let text = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<TrainConfig>(&text).unwrap(), config);
            assert!(toml::from_str::<TrainConfig>(&text.replace("gain", "gian")).is_err());
        }
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let with = |change: &dyn Fn(&mut TrainConfig)| {
            let mut config = TrainConfig::quick(3);
            change(&mut config);
            config.validate().expect_err("must be refused").to_string()
        };
        assert_eq!(with(&|c| c.steps = 0), "steps is 0: it must be at least 1");
        assert!(with(&|c| c.batch = 0).starts_with("batch"));
        assert!(with(&|c| c.set_aside = 0.6).starts_with("set_aside"));
        assert!(with(&|c| c.head_alone = 1.0).starts_with("head_alone"));
        assert!(with(&|c| c.learning_rate = f64::NAN).starts_with("learning_rate"));
        assert!(with(&|c| c.defects.probability = 1.5).starts_with("defects.probability"));
        assert!(with(&|c| c.augmentation.shift = 65.0).starts_with("augmentation.shift"));
        assert!(with(&|c| c.augmentation.aspect = 0.0).starts_with("augmentation.aspect"));
        assert!(with(&|c| c.loss.ssim = f32::INFINITY).starts_with("loss.ssim"));
        assert!(with(&|c| c.network.size = 100).starts_with("network.size"));
    }

    #[test]
    fn something_is_always_learned_from() {
        let config = |batch, set_aside| {
            let mut config = TrainConfig {
                batch,
                set_aside,
                ..TrainConfig::quick(1)
            };
            config.network.head = vec![16];
            config
        };
        assert_eq!(config(4, 0.25).learned_from(32), [24, 3]);
        assert_eq!(
            [config(1, 0.5).learned_from(32), config(4, 0.5).learned_from(1)],
            [[32, 1], [1, 4]]
        );
        assert_eq!(
            [config(1, 0.25), config(4, 0.0)].map(|c| c.learned_from(32)),
            [[32, 1], [32, 4]]
        );
    }

    #[test]
    fn the_learning_rate_rises_then_falls() {
        let config = TrainConfig {
            steps: 1000,
            ..TrainConfig::quick(3)
        };
        let rate = |step| config.learning_rate_at(step) / config.learning_rate;
        assert!((rate(0) - 0.02).abs() < 1e-9);
        assert!((rate(49) - 1.0).abs() < 1e-9);
        assert!((rate(525) - 0.505).abs() < 1e-3);
        assert!((rate(999) - 0.01).abs() < 1e-4);
        assert!((50..999).all(|s| rate(s) >= rate(s + 1)));
    }
}
