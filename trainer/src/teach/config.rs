//! What `teach` decides for itself, and the file in which all of it can be told.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use beltwatch_vision::judge::difference::Form;
use beltwatch_vision::judge::region::{LOOK, Regions};
use beltwatch_vision::judge::score::Pooling;
use beltwatch_vision::judge::smooth::MAX_SIGMA;
use beltwatch_vision::picture::Picture;
use beltwatch_vision::preprocess::PictureShape;
use beltwatch_vision::recipe::{is_false_reject_target, is_size};
use serde::{Deserialize, Serialize};

use super::TeachError;
use super::natural::{Natural, natural};
use super::position::Places;
use crate::thresholds::Noise;
use crate::train::{Augmentation, Device, TrainConfig};

/// Pictures a step: as many steps as the time allows matter more than what each of them sees.
const BATCH: usize = 4;
/// The anomaly map's smoothing, as a part of the picture's side: 2 pixels at 256. It need not be wider, the
/// score is a mean over many pixels anyway, and thin defects would fade.
const SMOOTHING_ONE_IN: f64 = 128.0;
/// Part of the pictures that only the learned difference learns from, where there are few: the reconstruction
/// knows those by heart, and how it draws them says nothing of how it draws others.
const SET_ASIDE: f64 = 0.25;
/// Fewer are few.
pub(super) const FEW: usize = 100;
/// No more steps a picture than this: a network that has seen few pictures too often knows them by heart, and
/// takes every new one for a defect.
const STEPS_A_PICTURE: usize = 50;
/// Steps that pay however few pictures there are, and the most that do however many there are.
const STEPS: [usize; 2] = [1500, 20_000];
/// Part of the steps in which the learned difference learns alone.
const HEAD_ALONE: f64 = 0.5;
/// With cross-fitting, the networks beside the deployed one.
pub(super) const FOLDS: RangeInclusive<usize> = 2..=10;
/// Widths of the learned difference's levels.
const HEAD: [usize; 5] = [16, 32, 64, 64, 64];

/// All that decides a recipe beside its pictures, as in `OUT.run/teach.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeachConfig {
    /// How differences are judged.
    pub recipe: RecipeConfig,
    /// How the network is trained.
    pub train: TrainConfig,
}

/// How differences are judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeConfig {
    /// Whether parts are brought to the place of a reference before anything else.
    pub position: bool,
    /// The difference images, which are averaged: `learned` needs `train.network.head`, several need noise
    /// maps.
    pub forms: Vec<Form>,
    /// What they are measured against.
    pub noise: Noise,
    /// Smoothing of the anomaly map in pixels of the network's picture, 0 to 8.
    pub smoothing: f64,
    /// How the anomaly map becomes a score.
    #[serde(default)]
    pub pooling: Pooling,
    /// Share of good parts that may be rejected, above 0 and below 0.5.
    pub false_reject: f64,
    /// Cross-fitting: so many further networks are trained, each without its share of the pictures, so that
    /// all pictures can set the threshold. Left out: a share of the pictures is held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    /// What of the picture counts, as polygons in pixels of the network's picture, after position correction.
    /// Left out: all.
    #[serde(default, skip_serializing_if = "Regions::is_everything")]
    pub regions: Regions,
    /// Pictures of no good parts: nothing is measured on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leave_out: Vec<PathBuf>,
}

/// Length and size of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// 128 px, about 5 minutes on 2 cores
    Quick,
    /// 256 px, less than an hour on 2 cores
    #[default]
    Standard,
}

impl Preset {
    /// Width and height of the network's picture in pixels.
    pub fn size(self) -> usize {
        match self {
            Self::Quick => 128,
            Self::Standard => 256,
        }
    }

    fn steps(self, device: Device) -> usize {
        match (self, device) {
            (Self::Quick, _) => 1000,
            (Self::Standard, Device::Cpu) => 5000,
            (Self::Standard, Device::Cuda) => 6000,
        }
    }
}

/// A duration as people write it: `90s`, `20m`, `2h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(pub Duration);

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let seconds = match &text[number.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err("give a number and a unit: 90s, 20m or 2h".to_owned()),
        };
        match number.parse::<u64>() {
            Ok(count) if (60..=7 * 86_400).contains(&count.saturating_mul(seconds)) => {
                Ok(Self(Duration::from_secs(count * seconds)))
            }
            _ => Err("it must be a whole number, from 60s to 168h in all".to_owned()),
        }
    }
}

/// More steps than this with so many pictures do no good, whatever the time.
pub(super) fn steps_that_pay(pictures: usize) -> usize {
    let [least, most] = STEPS;
    (STEPS_A_PICTURE * pictures).clamp(least, most)
}

/// What was decided, and why, in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The decisions.
    pub config: TeachConfig,
    /// What the pictures show.
    pub shown: Natural,
    /// Where the parts lie; none of a texture, or of parts at any angle.
    pub places: Option<Places>,
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = &self.config.train.network;
        let colours = if network.channels == 1 { "grey" } else { "colour" };
        let noise = match self.config.recipe.noise {
            Noise::Pixel => "each pixel is measured against its own past",
            Noise::Even => "all pixels are measured alike",
            Noise::None => "differences are measured in levels",
        };
        write!(
            f,
            "{colours}, {0} x {0} pixels, {1} steps; {2}; {noise}",
            network.size, self.config.train.steps, self.shown
        )?;
        let regions = &self.config.recipe.regions;
        if !regions.is_everything() {
            let mask = regions.mask(network.size, network.size);
            let share = mask.iter().filter(|&&v| v == LOOK).count() as f64 / mask.len() as f64;
            write!(f, "; {:.0} % of the picture is looked at", 100.0 * share)?;
        }
        match &self.places {
            Some(places) if self.config.recipe.position => write!(
                f,
                "; position is corrected, up to {} pixels and {} degrees, which leaves {:.0} % of what \
                 pictures differ by, and of each at least {:.0} % in view",
                places.limits.shift,
                places.limits.turn,
                100.0 * places.left,
                100.0 * places.in_view
            ),
            Some(places) if places.held() => {
                write!(f, "; parts hold their place within {:.1} pixels", places.off)
            }
            Some(_) => write!(f, "; correcting their position would not bring pictures together"),
            None => Ok(()),
        }
    }
}

impl TeachConfig {
    /// Decides by the preprocessed teaching pictures, all of one size, whose position is not corrected yet;
    /// `shape` is that of the camera's.
    pub fn decide(
        preset: Preset,
        device: Device,
        pictures: &[Picture],
        channels: usize,
        shape: PictureShape,
    ) -> Decided {
        let size = pictures.first().map_or_else(|| preset.size(), |p| p.width);
        let mut train = TrainConfig::standard(channels).with_size(size);
        train.network.head = HEAD.to_vec();
        train.head_alone = HEAD_ALONE;
        train.steps = preset.steps(device).min(steps_that_pay(pictures.len()));
        train.batch = BATCH;
        train.set_aside = if pictures.len() < FEW { SET_ASIDE } else { 0.0 };
        let seen = Augmentation {
            aspect: shape.aspect(),
            ..Augmentation::default()
        };
        let mut shown = natural(pictures, &seen);
        let may_have_a_place = !shown.texture && !pictures.is_empty();
        let places = may_have_a_place.then(|| Places::find(pictures, shape));
        let places = places.filter(|places| !shown.any_angle || places.correction_pays());
        let position = places.as_ref().is_some_and(Places::correction_pays);
        if let (true, Some(places)) = (position, &places) {
            let mut corrected = pictures.to_vec();
            places.correct(corrected.iter_mut());
            shown = natural(&corrected, &seen);
        }
        train.augmentation = shown.augmentation.clone();
        // where nothing has a place, no pixel has a past
        let noise = if places.is_some() {
            Noise::Pixel
        } else {
            Noise::Even
        };
        let recipe = RecipeConfig {
            position,
            forms: vec![Form::Learned],
            noise,
            smoothing: size as f64 / SMOOTHING_ONE_IN,
            pooling: Pooling::default(),
            false_reject: 0.01,
            folds: None,
            regions: Regions::default(),
            leave_out: Vec::new(),
        };
        Decided {
            config: Self { recipe, train },
            shown,
            places,
        }
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, TeachError> {
        let bad = |message: String| TeachError::Config {
            path: path.to_owned(),
            message,
        };
        let text = std::fs::read_to_string(path).map_err(|e| bad(format!("cannot be read: {e}")))?;
        toml::from_str(&text).map_err(|e| bad(e.to_string()))
    }

    /// Writes a file.
    pub fn write(&self, path: &Path) -> Result<(), TeachError> {
        let text = toml::to_string(self).map_err(|e| TeachError::Config {
            path: path.to_owned(),
            message: e.to_string(),
        })?;
        std::fs::write(path, text).map_err(|source| TeachError::Write {
            path: PathBuf::from(path),
            source,
        })
    }

    /// The keys under `train` that differ from those of the run that was begun, with both values.
    pub(super) fn unlike(&self, begun: &Self) -> Vec<String> {
        let [now, begun] = [self, begun].map(|config| toml::Value::try_from(&config.train).ok());
        let mut found = Vec::new();
        differing("train", now.as_ref(), begun.as_ref(), &mut found);
        found
    }

    /// Says what is wrong, if anything.
    pub fn validate(&self) -> Result<(), TeachError> {
        self.train.validate()?;
        let size = self.train.network.size;
        if !is_size(size) {
            return Err(TeachError::Size { size });
        }
        let RecipeConfig {
            forms,
            noise,
            smoothing,
            false_reject,
            folds,
            regions,
            ..
        } = &self.recipe;
        let (smoothing, false_reject) = (*smoothing, *false_reject);
        let together = Form::go_together(forms, *noise != Noise::None);
        if !together || (forms.contains(&Form::Learned) && self.train.network.head.is_empty()) {
            let named: Vec<_> = forms.iter().map(|f| f.name()).collect();
            return Err(TeachError::Forms {
                forms: named.join(", "),
            });
        }
        if !regions.fit(size) {
            return Err(TeachError::Regions { size });
        }
        if !is_false_reject_target(false_reject) {
            return Err(TeachError::Target(false_reject));
        }
        if let Some(folds) = folds.filter(|folds| !FOLDS.contains(folds)) {
            return Err(TeachError::Folds(folds));
        }
        if !(0.0..=MAX_SIGMA).contains(&smoothing) {
            return Err(TeachError::Smoothing(smoothing));
        }
        Ok(())
    }
}

fn differing(key: &str, now: Option<&toml::Value>, begun: Option<&toml::Value>, found: &mut Vec<String>) {
    if let (Some(toml::Value::Table(now)), Some(toml::Value::Table(begun))) = (now, begun) {
        let names: BTreeSet<&String> = now.keys().chain(begun.keys()).collect();
        for name in names {
            differing(&format!("{key}.{name}"), now.get(name), begun.get(name), found);
        }
    } else if now != begun {
        let [now, begun] =
            [now, begun].map(|value| value.map_or("nothing".to_owned(), toml::Value::to_string));
        found.push(format!("{key} is {now} and was {begun}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_number_and_a_unit() {
        let seconds = |text: &str| text.parse::<Budget>().map(|b| b.0.as_secs());
        assert_eq!(
            [seconds("90s"), seconds("20m"), seconds("2h")],
            [Ok(90), Ok(1200), Ok(7200)]
        );
        for bad in [
            "",
            "20",
            "m",
            "1.5h",
            "-3m",
            "20min",
            "59s",
            "169h",
            "99999999999999999999h",
            "20ü",
        ] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn few_pictures_are_not_learned_by_heart() {
        let steps = |preset: Preset, count| {
            let pictures = vec![Picture::filled(32, 32, 1, 90); count];
            TeachConfig::decide(preset, Device::Cpu, &pictures, 1, PictureShape::default())
                .config
                .train
                .steps
        };
        assert_eq!(
            [10, 27, 72, 300].map(|count| steps(Preset::Standard, count)),
            [1500, 1500, 3600, 5000]
        );
        assert_eq!([10, 300].map(|count| steps(Preset::Quick, count)), [1000; 2]);
    }

    #[test]
    fn what_is_decided_is_valid_and_survives_its_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("teach.toml");
        for (preset, device) in [(Preset::Quick, Device::Cpu), (Preset::Standard, Device::Cuda)] {
            let pictures = vec![Picture::filled(preset.size(), preset.size(), 1, 90); 3];
            let decided = TeachConfig::decide(preset, device, &pictures, 1, PictureShape::default());
            decided.config.validate().expect("valid");
            decided.config.write(&path).expect("writable");
            assert_eq!(TeachConfig::read(&path).expect("readable"), decided.config);
        }
        std::fs::write(&path, "[recipe]\nnoise = \"pixle\"\n").expect("writable");
        let error = TeachConfig::read(&path)
            .expect_err("a typing mistake")
            .to_string();
        assert!(error.contains("line 2") && error.contains("pixle"), "{error}");
    }
}
