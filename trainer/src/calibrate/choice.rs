//! How differences are judged, chosen without a single real defect: by how well procedural ones are found on good pictures.

use std::fmt;

use beltwatch::difference::Form;

use super::Noise;
use super::scoring::{Redrawn, Scoring};
use crate::evaluate::metrics::Curve;

/// A way to judge differences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judging {
    /// The difference images, which are averaged.
    pub forms: Vec<Form>,
    /// What they are measured against.
    pub noise: Noise,
}

impl fmt::Display for Judging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms: Vec<_> = self.forms.iter().map(|form| form.name()).collect();
        let noise = match self.noise {
            Noise::Pixel => "each pixel's own noise",
            Noise::Even => "the noise of all pixels",
            Noise::None => "nothing",
        };
        write!(f, "{} against {noise}", forms.join(" and "))
    }
}

impl Judging {
    /// What can be chosen from where forms or noise are not given. A network with a head has a learned difference.
    pub fn candidates(forms: Option<&[Form]>, noise: Option<Noise>, head: bool) -> Vec<Self> {
        let noises = noise.map_or(vec![Noise::Pixel, Noise::Even], |noise| vec![noise]);
        let single = [Form::Absolute, Form::Gradient];
        let forms: Vec<Vec<Form>> = match forms {
            Some(forms) => vec![forms.to_vec()],
            None if !head => single.map(|form| vec![form]).to_vec(),
            None if noise == Some(Noise::None) => vec![vec![Form::Learned]],
            None => single.map(|form| vec![form, Form::Learned]).to_vec(),
        };
        let with = |noise| forms.iter().map(move |forms| Self { forms: forms.clone(), noise });
        noises.into_iter().flat_map(with).collect()
    }
}

/// The share of pairs, a picture with a procedural defect and one without, of which the defective one scores higher: one
/// number each of `ways`, 0 to 1.
pub fn found(ways: &[Scoring], good: &[Redrawn], defective: &[Redrawn]) -> Vec<f64> {
    let share = |way: &Scoring| {
        let scores = |pictures, bad| way.scores(pictures, false).into_iter().map(move |score| (score, bad));
        Curve::new(scores(good, false).chain(scores(defective, true)).collect()).auroc().unwrap_or(0.5)
    };
    ways.iter().map(share).collect()
}

/// A way must be better by this share to be taken in place of an earlier one: less is chance with some hundred pictures.
const CLEARLY: f64 = 0.01;

/// The place of the first share that none clearly exceeds.
pub fn best(shares: &[f64]) -> usize {
    let most = shares.iter().copied().fold(0.0, f64::max);
    shares.iter().position(|&share| share + CLEARLY >= most).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use beltwatch::difference::deviation::NoiseMap;
    use beltwatch::judge::Settings;
    use beltwatch::picture::Picture;
    use beltwatch::region::Regions;
    use beltwatch::verdict::Pooling;

    #[test]
    fn what_is_given_is_not_chosen() {
        let count = |forms, noise, head| Judging::candidates(forms, noise, head).len();
        assert_eq!(count(None, None, true), 4);
        assert_eq!(count(None, Some(Noise::Even), true), 2);
        assert_eq!(count(Some(&[Form::Gradient]), Some(Noise::Pixel), true), 1);
        let learned = |j: &Judging| j.forms.contains(&Form::Learned);
        assert!(!Judging::candidates(None, None, false).iter().any(learned));
        let levels = Judging::candidates(None, Some(Noise::None), true);
        assert!(levels.iter().all(|judging| judging.forms.len() == 1));
    }

    #[test]
    fn the_noise_map_that_finds_more_is_chosen() {
        // the left half is always 20 levels off; a defect is 12 levels on the quiet right half
        let drawn = |extra: u8| {
            let mut picture = Picture::filled(32, 32, 1, 100);
            picture.data.chunks_exact_mut(32).for_each(|row| row[..16].fill(120));
            picture.data[32 * 10 + 24..32 * 10 + 30].fill(100 + extra);
            picture.data[32 * 11 + 24..32 * 11 + 30].fill(100 + extra);
            let reconstruction = Picture::filled(32, 32, 1, 100);
            Redrawn { picture, reconstruction, learned: Vec::new() }
        };
        let map = |left: u16, right: u16| {
            let mean = (0..1024).map(|i| if i % 32 < 16 { left } else { right } * 256).collect();
            NoiseMap { mean, spread: vec![256; 1024], fraction_bits: 2 }
        };
        let ways = [map(10, 10), map(20, 0)].map(|noise| {
            Scoring::new(Settings::uncapped(&[Form::Absolute], 1.0, Pooling::Max, &Regions::default()), vec![noise], 32)
        });
        let shares = found(&ways, &[drawn(0), drawn(1)], &[drawn(12), drawn(14)]);
        assert_eq!(best(&shares), 1, "{shares:?}");
        assert_eq!([best(&[0.9, 0.905, 0.8]), best(&[0.9, 0.8, 0.95])], [0, 2]);
    }
}
