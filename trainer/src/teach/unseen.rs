//! Good pictures with networks that have not been taught on them: the deployed one, or with cross-fitting a further one for each
//! fold.

use std::collections::HashSet;
use std::path::PathBuf;

use beltwatch::difference::deviation::NoiseMap;
use beltwatch::picture::Picture;
use beltwatch::reconstruct::{InputShape, Reconstructor};
use beltwatch::verdict::Score;

use super::data::TeachingSet;
use super::noise::measure;
use super::recipe::{ExportError, ExportSettings};
use super::redraw::Redraw;
use crate::calibrate::scoring::{Redrawn, Scoring};
use crate::network::folded::{FoldedNetwork, FoldedNetworks};
use crate::quantise::{self, FloatReconstructor};
use crate::train::defects;
use crate::train::rng::Rng;

/// Pictures that set the quantisation's ranges.
const CALIBRATION_PICTURES: usize = 64;

/// A network in its two forms, as files and ready to draw.
pub(super) struct Quantised {
    pub(super) model: Vec<u8>,
    pub(super) float_model: Vec<u8>,
    pub(super) int8: Reconstructor,
    pub(super) float: FloatReconstructor,
}

impl Quantised {
    /// With ranges from `pictures`, those that it was taught on.
    pub(super) fn of(networks: &FoldedNetworks, pictures: &[Picture], seed: u64) -> Result<Self, ExportError> {
        let normals = &pictures[..pictures.len().min(CALIBRATION_PICTURES)];
        let quantised = quantise::quantise(networks, normals, &with_defects(normals, pictures, seed))?;
        let model = quantise::export(&quantised);
        quantise::verify(&model, &quantised, &normals[..normals.len().min(4)])?;
        let float_model = quantise::export_float(networks);
        let FoldedNetwork { size, channels, .. } = networks.reconstruction;
        let int8 = Reconstructor::load(&model, InputShape { size, channels })?;
        let float = FloatReconstructor::load(&float_model)?;
        Ok(Self { model, float_model, int8, float })
    }
}

/// The pictures, each with a procedural defect.
fn with_defects(pictures: &[Picture], others: &[Picture], seed: u64) -> Vec<Picture> {
    let paste = |(number, picture): (usize, &Picture)| {
        let mut picture = picture.clone();
        let key = [seed, number as u64, u64::from_le_bytes(*b"quantise")];
        defects::paste(&mut Rng::new(&key), &mut picture, others);
        picture
    };
    pictures.iter().enumerate().map(paste).collect()
}

/// A network, and places in the teaching set.
struct Fold<'a> {
    network: &'a Quantised,
    taught: Vec<usize>,
    held_out: Vec<usize>,
    /// Over what it was taught on.
    noise: Vec<NoiseMap>,
}

/// The held-out pictures with the networks that have not seen them.
pub(super) struct Unseen<'a> {
    set: &'a TeachingSet,
    /// As the device brings them before the network.
    held_out: &'a [Picture],
    folds: Vec<Fold<'a>>,
}

impl<'a> Unseen<'a> {
    /// `further` networks are those of cross-fitting; without any the `deployed` one has not seen what was held out.
    pub(super) fn new(
        set: &'a TeachingSet,
        held_out: &'a [Picture],
        deployed: &'a Quantised,
        further: &'a [Quantised],
        settings: &ExportSettings,
    ) -> Result<Self, ExportError> {
        let networks = if further.is_empty() { std::slice::from_ref(deployed) } else { further };
        let mut unseen = Self { set, held_out, folds: Vec::new() };
        for (number, network) in networks.iter().enumerate() {
            let (taught, held_out) = match further {
                [] => ((0..set.train.len()).collect(), (0..held_out.len()).collect()),
                _ => set.split(number),
            };
            let pictures = taught.iter().map(|&place: &usize| &set.train[place]);
            let noise = measure(settings, pictures, &network.int8)?;
            unseen.folds.push(Fold { network, taught, held_out, noise });
        }
        Ok(unseen)
    }

    /// Of the only network, or the first one.
    pub(super) fn noise(&self) -> &Vec<NoiseMap> {
        &self.folds[0].noise
    }

    /// Width and height of the pictures.
    pub(super) fn size(&self) -> usize {
        self.set.train.first().map_or(0, |picture| picture.width)
    }

    /// Each held-out picture's score before HEE.
    pub(super) fn first_look(&self, settings: &ExportSettings) -> Result<Vec<Score>, ExportError> {
        let mut scores = vec![Score::default(); self.held_out.len()];
        let drawn = self.drawn(|network| &network.int8)?;
        for ((fold, scoring), drawn) in self.folds.iter().zip(self.scorings(settings)).zip(drawn) {
            fold.held_out.iter().zip(scoring.scores(&drawn, false)).for_each(|(&place, score)| scores[place] = score);
        }
        Ok(scores)
    }

    /// Leaves out files, among the taught and among the held-out ones, and measures noise anew.
    pub(super) fn leave_out(
        &mut self,
        files: &HashSet<&PathBuf>,
        settings: &ExportSettings,
    ) -> Result<(), ExportError> {
        for fold in &mut self.folds {
            fold.taught.retain(|&place| !files.contains(&self.set.train_files[place]));
            fold.held_out.retain(|&place| !files.contains(&self.set.held_out[place].0));
            let taught = fold.taught.iter().map(|&place| &self.set.train[place]);
            fold.noise = measure(settings, taught, &fold.network.int8)?;
        }
        Ok(())
    }

    /// The held-out pictures as the folds' networks draw them.
    pub(super) fn drawn<N: Redraw + 'a>(
        &self,
        of: fn(&'a Quantised) -> &'a N,
    ) -> Result<Vec<Vec<Redrawn>>, ExportError> {
        self.folds
            .iter()
            .map(|fold| of(fold.network).all(fold.held_out.iter().map(|&place| &self.held_out[place])))
            .collect()
    }

    /// How each fold's pictures are scored, not calibrated yet.
    pub(super) fn scorings(&self, settings: &ExportSettings) -> Vec<Scoring> {
        let scoring = |fold: &Fold<'_>| Scoring::new(settings.uncapped(), fold.noise.clone(), self.size());
        self.folds.iter().map(scoring).collect()
    }
}
