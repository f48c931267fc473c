//! How differences are judged, chosen with the teaching pictures.

use beltwatch::difference::Form;
use beltwatch::difference::deviation::NoiseMap;
use beltwatch::judge::{Judge, Settings};
use beltwatch::picture::Picture;
use beltwatch::region::Regions;
use beltwatch::verdict::Pooling;

use super::recipe::{ExportError, ExportSettings, with_defects};
use super::redraw::Redraw;
use crate::calibrate::choice::{self, Judging};
use crate::calibrate::noise::NoiseStatistics;
use crate::calibrate::scoring::Scoring;
use crate::calibrate::{Noise, even_noise_map, noise_map};

/// Pictures by which it is chosen,
const PICTURES: usize = 64;
/// and procedural defects tried on each.
const DEFECTS_A_PICTURE: usize = 3;

/// The ways to judge that there were, and the one that was taken.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) candidates: Vec<Judging>,
    /// The share of procedural defects' comparisons that each won, 0 to 1. Without a choice nothing is compared.
    pub(super) shares: Vec<f64>,
    pub(super) chosen: usize,
    /// Of the chosen one, one a form or none.
    pub(super) noise: Vec<NoiseMap>,
}

impl Choice {
    /// Half of `pictures` says what is normal, the other half is judged by it; then the noise is measured on all.
    pub(super) fn make(
        network: &impl Redraw,
        has_head: bool,
        pictures: &[Picture],
        settings: &ExportSettings,
    ) -> Result<Self, ExportError> {
        let candidates = Judging::candidates(settings.forms.as_deref(), settings.noise, has_head);
        let other_half = || pictures.iter().skip(1).step_by(2);
        let mut differences = Differences::measure(&candidates, pictures.iter().step_by(2), network)?;
        let shares = match candidates.as_slice() {
            [_] => vec![1.0],
            several => {
                let size = differences.size;
                let way = |judging: &Judging| {
                    Scoring::new(settings.uncapped(&judging.forms), differences.noise(judging), size)
                };
                let ways: Vec<_> = several.iter().map(way).collect();
                let good: Vec<Picture> = other_half().take(PICTURES).cloned().collect();
                let defective = with_defects(&good, pictures, settings.training.seed, DEFECTS_A_PICTURE);
                choice::found(&ways, &network.all(&good)?, &network.all(&defective)?)
            }
        };
        let chosen = choice::best(&shares);
        differences.join(&Differences::measure(&candidates, other_half(), network)?);
        let noise = differences.noise(&candidates[chosen]);
        Ok(Self { candidates, shares, chosen, noise })
    }

    pub(super) fn judging(&self) -> &Judging {
        &self.candidates[self.chosen]
    }

    /// The noise of `pictures`, for the chosen way.
    pub(super) fn measure<'a>(
        &self,
        network: &impl Redraw,
        pictures: impl Iterator<Item = &'a Picture>,
    ) -> Result<Vec<NoiseMap>, ExportError> {
        let judging = self.judging();
        Ok(Differences::measure(std::slice::from_ref(judging), pictures, network)?.noise(judging))
    }
}

/// What is known of the difference images of all forms that may be judged by.
struct Differences {
    forms: Vec<Form>,
    statistics: Vec<NoiseStatistics>,
    size: usize,
}

impl Differences {
    /// Over square pictures, at least one.
    fn measure<'a>(
        candidates: &[Judging],
        pictures: impl Iterator<Item = &'a Picture>,
        network: &impl Redraw,
    ) -> Result<Self, ExportError> {
        let mut forms: Vec<Form> = Vec::new();
        for &form in candidates.iter().flat_map(|judging| &judging.forms) {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        let mut pictures = pictures.peekable();
        let size = pictures.peek().map_or(0, |picture| picture.width);
        let mut judge =
            Judge::new(&Settings::uncapped(&forms, 0.0, Pooling::Max, &Regions::default()), &[], size, size);
        let mut statistics = vec![NoiseStatistics::new(size, size); forms.len()];
        network.each(pictures, |redrawn| {
            redrawn.judge(&mut judge);
            statistics.iter_mut().zip(judge.differences()).for_each(|(s, difference)| s.add(difference));
        })?;
        Ok(Self { forms, statistics, size })
    }

    fn join(&mut self, other: &Self) {
        self.statistics.iter_mut().zip(&other.statistics).for_each(|(a, b)| a.join(b));
    }

    /// The noise map of each form that is judged by.
    fn noise(&self, judging: &Judging) -> Vec<NoiseMap> {
        let map = match judging.noise {
            Noise::Pixel => noise_map,
            Noise::Even => even_noise_map,
            Noise::None => return Vec::new(),
        };
        let known = self.forms.iter().zip(&self.statistics);
        let of = |form: &Form| known.clone().find(|(known, _)| *known == form).map(|(_, statistics)| map(statistics));
        judging.forms.iter().filter_map(of).collect()
    }
}
