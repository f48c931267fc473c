//! Good pictures with networks that have not been taught on them: the deployed one, or with cross-fitting a
//! further one for each fold.

use std::collections::HashSet;
use std::path::PathBuf;

use beltwatch_vision::judge::difference::deviation::NoiseMap;
use beltwatch_vision::judge::score::Score;
use beltwatch_vision::picture::Picture;
use beltwatch_vision::preprocess::Pose;
use beltwatch_vision::reconstruct::{InputShape, Reconstructor};

use super::differences::{collect, maps};
use super::error::ExportError;
use super::redraw::Redraw;
use super::settings::ExportSettings;
use crate::evenly::evenly;
use crate::network::folded::{FoldedNetwork, FoldedNetworks};
use crate::quantise::{self, FloatReconstructor};
use crate::rng::Rng;
use crate::teach::config::FEW;
use crate::teach::data::TeachingSet;
use crate::thresholds::scoring::{Redrawn, Scoring};
use crate::train::defects;

/// So many pictures, from all over the set, fix the quantisation's ranges.
const CALIBRATION_PICTURES: usize = 64;
/// Held-out pictures are scored with a noise map without them: of so many shares of theirs one at a time is
/// left out.
const MOST_SHARES: usize = 32;

/// A network in its two forms, as files and ready to draw.
pub(super) struct Quantised {
    pub(super) model: Vec<u8>,
    pub(super) float_model: Vec<u8>,
    pub(super) int8: Reconstructor,
    pub(super) float: FloatReconstructor,
}

impl Quantised {
    /// With ranges from `pictures`, those that it was taught on.
    pub(super) fn of(
        networks: &FoldedNetworks,
        pictures: &[Picture],
        seed: u64,
    ) -> Result<Self, ExportError> {
        let normals: Vec<Picture> = evenly(pictures.len(), CALIBRATION_PICTURES)
            .map(|place| pictures[place].clone())
            .collect();
        let quantised = quantise::quantise(networks, &normals, &with_defects(&normals, pictures, seed))?;
        let model = quantise::export(&quantised);
        quantise::verify(&model, &quantised, &normals[..normals.len().min(4)])?;
        let float_model = quantise::export_float(networks);
        let FoldedNetwork { size, channels, .. } = networks.reconstruction;
        let int8 = Reconstructor::load(&model, InputShape { size, channels })?;
        let float = FloatReconstructor::load(&float_model)?;
        Ok(Self {
            model,
            float_model,
            int8,
            float,
        })
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
    /// Held out too, but standing out above the others.
    odd: Vec<usize>,
    /// Over pictures of which none is held out here.
    noise: Vec<NoiseMap>,
}

/// Of the held-out ones.
fn pictures<'a>(set: &'a TeachingSet, places: &[usize]) -> impl Iterator<Item = (&'a Picture, Pose)> {
    places.iter().map(|&place| set.held_out_at(place))
}

/// The held-out pictures with networks and noise maps that have not seen them.
pub(super) struct Unseen<'a> {
    set: &'a TeachingSet,
    deployed: &'a Quantised,
    /// Whether each fold has a network of its own.
    is_cross_fitted: bool,
    folds: Vec<Fold<'a>>,
    /// For the recipe.
    noise: Vec<NoiseMap>,
}

impl<'a> Unseen<'a> {
    /// `further` networks are those of cross-fitting; without any the `deployed` one has not seen what was
    /// held out.
    pub(super) fn new(
        set: &'a TeachingSet,
        deployed: &'a Quantised,
        further: &'a [Quantised],
        settings: &ExportSettings,
    ) -> Result<Self, ExportError> {
        let fold = |network, (taught, held_out)| Fold {
            network,
            taught,
            held_out,
            odd: Vec::new(),
            noise: Vec::new(),
        };
        let all = || (0..set.train.len()).collect();
        let folds = match further {
            [] if set.train.len() < FEW => vec![fold(deployed, (all(), (0..set.held_out.len()).collect()))],
            [] => {
                let shares = set.held_out.len().min(MOST_SHARES);
                let share = |first| (first..set.held_out.len()).step_by(shares).collect();
                (0..shares)
                    .map(|first| fold(deployed, (all(), share(first))))
                    .collect()
            }
            _ => further
                .iter()
                .enumerate()
                .map(|(number, network)| fold(network, set.split(number)))
                .collect(),
        };
        let mut unseen = Self {
            set,
            deployed,
            is_cross_fitted: !further.is_empty(),
            folds,
            noise: Vec::new(),
        };
        unseen.measure(settings)?;
        Ok(unseen)
    }

    /// Measures the noise: of each fold, and for the recipe.
    fn measure(&mut self, settings: &ExportSettings) -> Result<(), ExportError> {
        let Self {
            set,
            deployed,
            is_cross_fitted,
            ..
        } = *self;
        let size = self.size();
        let taught = |places: &[usize], network: &Quantised| {
            collect(
                settings,
                places.iter().map(|&place| set.taught_at(place)),
                size,
                &network.int8,
            )
        };
        if is_cross_fitted {
            let mut all: Vec<usize> = self
                .folds
                .iter()
                .flat_map(|fold| fold.held_out.iter().copied())
                .collect();
            all.sort_unstable();
            self.noise = maps(settings, &taught(&all, deployed)?);
            for fold in &mut self.folds {
                fold.noise = maps(settings, &taught(&fold.taught, fold.network)?);
            }
            return Ok(());
        }
        let mut all = taught(&self.folds[0].taught, deployed)?;
        if let [only] = self.folds.as_mut_slice() {
            // among few pictures the places where the held-out ones happen to be loud would stay blind
            only.noise = maps(settings, &all);
            self.noise.clone_from(&only.noise);
            return Ok(());
        }
        let share = |fold: &Fold<'_>| collect(settings, pictures(set, &fold.held_out), size, &deployed.int8);
        let shares = self.folds.iter().map(share).collect::<Result<Vec<_>, _>>()?;
        for share in &shares {
            all.iter_mut()
                .zip(share)
                .for_each(|(all, share)| all.add_all(share));
        }
        for (fold, share) in self.folds.iter_mut().zip(&shares) {
            let others: Vec<_> = all
                .iter()
                .zip(share)
                .map(|(all, share)| all.without(share))
                .collect();
            fold.noise = maps(settings, &others);
        }
        self.noise = maps(settings, &all);
        Ok(())
    }

    /// The noise maps for the recipe.
    pub(super) fn noise(&self) -> &Vec<NoiseMap> {
        &self.noise
    }

    /// Width and height of the pictures.
    pub(super) fn size(&self) -> usize {
        self.set.train.first().map_or(0, |picture| picture.width)
    }

    /// Each held-out picture's score before HEE.
    pub(super) fn first_look(&self, settings: &ExportSettings) -> Result<Vec<Score>, ExportError> {
        let mut scores = vec![Score::default(); self.set.held_out.len()];
        let drawn = self.drawn(|network| &network.int8)?;
        for ((fold, scoring), drawn) in self.folds.iter().zip(self.scorings(settings)).zip(drawn) {
            fold.held_out
                .iter()
                .zip(scoring.scores(&drawn, false))
                .for_each(|(&place, score)| scores[place] = score);
        }
        Ok(scores)
    }

    /// Leaves out what the settings say, among the taught and among the held-out ones, sets the `odd` files
    /// apart, and measures noise anew.
    pub(super) fn leave_out(
        &mut self,
        odd: &HashSet<&PathBuf>,
        settings: &ExportSettings,
    ) -> Result<(), ExportError> {
        let Self { set, .. } = *self;
        let is_left_out = |file: &PathBuf| settings.leave_out.contains(file);
        let (taught, held_out) = (
            |place: usize| &set.train_files[place],
            |place: usize| &set.held_out[place].0,
        );
        for fold in &mut self.folds {
            fold.taught
                .retain(|&place| !is_left_out(taught(place)) && !odd.contains(taught(place)));
            fold.held_out.retain(|&place| !is_left_out(held_out(place)));
            (fold.odd, fold.held_out) = fold
                .held_out
                .iter()
                .partition(|&&place| odd.contains(held_out(place)));
        }
        self.measure(settings)
    }

    /// The held-out pictures as the folds' networks draw them.
    pub(super) fn drawn<N: Redraw + 'a>(
        &self,
        of: fn(&'a Quantised) -> &'a N,
    ) -> Result<Vec<Vec<Redrawn>>, ExportError> {
        self.folds
            .iter()
            .map(|fold| of(fold.network).all(pictures(self.set, &fold.held_out)))
            .collect()
    }

    /// The scores of those that stand out, fold after fold.
    pub(super) fn scores_of_odd(&self, scorings: &[Scoring]) -> Result<Vec<Score>, ExportError> {
        let mut scores = Vec::new();
        for (fold, scoring) in self.folds.iter().zip(scorings) {
            scores.extend(scoring.scores(&fold.network.int8.all(pictures(self.set, &fold.odd))?, true));
        }
        Ok(scores)
    }

    /// The files of the held-out pictures, fold after fold.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.folds
            .iter()
            .flat_map(|fold| &fold.held_out)
            .map(|&place| &self.set.held_out[place].0)
    }

    /// How each fold's pictures are scored, not calibrated yet.
    pub(super) fn scorings(&self, settings: &ExportSettings) -> Vec<Scoring> {
        let scoring = |fold: &Fold<'_>| Scoring::new(settings.uncapped(), fold.noise.clone(), self.size());
        self.folds.iter().map(scoring).collect()
    }
}
