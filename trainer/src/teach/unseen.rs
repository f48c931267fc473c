//! Good pictures with networks that have not been taught on them: the deployed one, or with cross-fitting a further one for each
//! fold.

use std::collections::HashSet;
use std::path::PathBuf;

use beltwatch::difference::deviation::NoiseMap;
use beltwatch::picture::Picture;
use beltwatch::reconstruct::{InputShape, Reconstructor};
use beltwatch::verdict::Score;

use super::choose::Choice;
use super::data::TeachingSet;
use super::recipe::{ExportError, ExportSettings, with_defects};
use super::redraw::Redraw;
use crate::calibrate::scoring::{Redrawn, Scoring};
use crate::network::folded::{FoldedNetwork, FoldedNetworks};
use crate::quantise::{self, FloatReconstructor};

/// Pictures that set the quantisation's ranges.
const CALIBRATION_PICTURES: usize = 64;

/// A network in its two forms, as files and ready to draw.
pub(super) struct Quantised {
    pub(super) model: Vec<u8>,
    pub(super) float_model: Vec<u8>,
    pub(super) int8: Reconstructor,
    pub(super) float: FloatReconstructor,
    pub(super) has_head: bool,
}

impl Quantised {
    /// With ranges from `pictures`, those that it was taught on.
    pub(super) fn of(networks: &FoldedNetworks, pictures: &[Picture], seed: u64) -> Result<Self, ExportError> {
        let normals = &pictures[..pictures.len().min(CALIBRATION_PICTURES)];
        let quantised = quantise::quantise(networks, normals, &with_defects(normals, pictures, seed, 1))?;
        let model = quantise::export(&quantised);
        quantise::verify(&model, &quantised, &normals[..normals.len().min(4)])?;
        let float_model = quantise::export_float(networks);
        let FoldedNetwork { size, channels, .. } = networks.reconstruction;
        let int8 = Reconstructor::load(&model, InputShape { size, channels })?;
        let float = FloatReconstructor::load(&float_model)?;
        Ok(Self { model, float_model, int8, float, has_head: networks.head.is_some() })
    }
}

/// A network, and places in the teaching set.
struct Fold<'a> {
    network: &'a Quantised,
    taught: Vec<usize>,
    held_out: Vec<usize>,
    noise: Vec<NoiseMap>,
}

/// The held-out pictures with the networks that have not seen them.
pub(super) struct Unseen<'a> {
    set: &'a TeachingSet,
    /// As the device brings them before the network.
    held_out: &'a [Picture],
    folds: Vec<Fold<'a>>,
    cross_fitted: bool,
    size: usize,
}

impl<'a> Unseen<'a> {
    /// `further` networks are those of cross-fitting; without any the `deployed` one has not seen what was held out.
    pub(super) fn new(
        set: &'a TeachingSet,
        held_out: &'a [Picture],
        deployed: &'a Quantised,
        further: &'a [Quantised],
    ) -> Self {
        let all = |network| Fold {
            network,
            taught: (0..set.train.len()).collect(),
            held_out: (0..held_out.len()).collect(),
            noise: Vec::new(),
        };
        let part = |(number, network)| {
            let (taught, held_out) = set.split(number);
            Fold { network, taught, held_out, noise: Vec::new() }
        };
        let folds = match further {
            [] => vec![all(deployed)],
            _ => further.iter().enumerate().map(part).collect(),
        };
        let size = set.train.first().map_or(0, |picture| picture.width);
        Self { set, held_out, folds, cross_fitted: !further.is_empty(), size }
    }

    /// Measures each network's noise on what it was taught on.
    pub(super) fn measure_noise(&mut self, choice: &Choice) -> Result<(), ExportError> {
        for fold in &mut self.folds {
            let taught = fold.taught.iter().map(|&place| &self.set.train[place]);
            fold.noise = match self.cross_fitted {
                true => choice.measure(&fold.network.int8, taught)?,
                false => choice.noise.clone(),
            };
        }
        Ok(())
    }

    /// Each held-out picture's score before HEE.
    pub(super) fn first_look(&self, choice: &Choice, settings: &ExportSettings) -> Result<Vec<Score>, ExportError> {
        let mut scores = vec![Score::default(); self.held_out.len()];
        let drawn = self.drawn(|network| &network.int8)?;
        for ((fold, scoring), drawn) in self.folds.iter().zip(self.scorings(choice, settings)).zip(drawn) {
            fold.held_out.iter().zip(scoring.scores(&drawn, false)).for_each(|(&place, score)| scores[place] = score);
        }
        Ok(scores)
    }

    /// Leaves out files, among the taught and among the held-out ones.
    pub(super) fn leave_out(&mut self, files: &HashSet<&PathBuf>) {
        for fold in &mut self.folds {
            fold.taught.retain(|&place| !files.contains(&self.set.train_files[place]));
            fold.held_out.retain(|&place| !files.contains(&self.set.held_out[place].0));
        }
    }

    /// The held-out pictures as the folds' networks draw them.
    pub(super) fn drawn<N: Redraw + 'a>(
        &self,
        of: fn(&'a Quantised) -> &'a N,
    ) -> Result<Vec<Vec<Redrawn>>, ExportError> {
        let draw = |fold: &Fold<'a>| of(fold.network).all(fold.held_out.iter().map(|&place| &self.held_out[place]));
        self.folds.iter().map(draw).collect()
    }

    /// How each fold's pictures are scored, not calibrated yet.
    pub(super) fn scorings(&self, choice: &Choice, settings: &ExportSettings) -> Vec<Scoring> {
        let uncapped = settings.uncapped(&choice.judging().forms);
        self.folds.iter().map(|fold| Scoring::new(uncapped.clone(), fold.noise.clone(), self.size)).collect()
    }
}
