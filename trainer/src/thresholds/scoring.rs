//! All that scores depend on: the noise map's unit and HEE's cap, from normal pictures that were not taught
//! on.

use beltwatch_vision::judge::difference::Form;
use beltwatch_vision::judge::difference::deviation::NoiseMap;
use beltwatch_vision::judge::score::Score;
use beltwatch_vision::judge::{Judge, JudgeSettings, Seen, hee};
use beltwatch_vision::picture::Picture;
use beltwatch_vision::preprocess::Pose;

/// Held-out scores stay below this, half of the range, so that defects have room above them.
const MOST_NORMAL_SCORE: Score = Score(u16::MAX / 2);

/// A preprocessed picture and how a network draws it; both of one square shape.
#[derive(Clone, Debug)]
pub struct Redrawn {
    /// As the network sees it.
    pub picture: Picture,
    /// Where its part lay.
    pub pose: Pose,
    /// As the network draws it.
    pub reconstruction: Picture,
    /// The learned difference of both, empty where the network has none.
    pub learned: Vec<u8>,
}

impl Redrawn {
    /// Lets `judge` score it.
    pub fn judge(&self, judge: &mut Judge) -> beltwatch_vision::judge::Judgement {
        judge.judge(&Seen::new(
            &self.picture,
            &self.reconstruction,
            &self.learned,
            self.pose,
        ))
    }
}

/// How pictures are scored.
#[derive(Clone, Debug)]
pub struct Scoring {
    /// For the recipe.
    pub settings: JudgeSettings,
    /// For the recipe; one a form or none, with their unit set.
    pub noise: Vec<NoiseMap>,
    size: usize,
}

impl Scoring {
    /// Of pictures of this size.
    pub fn new(settings: JudgeSettings, noise: Vec<NoiseMap>, size: usize) -> Self {
        Self {
            settings,
            noise,
            size,
        }
    }

    /// Sets the finest unit of the noise maps that leaves defects room above the held-out pictures, and HEE's
    /// cap in it: the same ones for all `scorings`, of which each has the pictures held out from its network.
    pub fn calibrate(scorings: &mut [Self], held_out: &[Vec<Redrawn>]) {
        loop {
            scorings
                .iter_mut()
                .for_each(|scoring| scoring.settings.hee.cap = u8::MAX);
            let (mut errors, mut zero) = (Vec::new(), 0);
            for (scoring, pictures) in scorings.iter().zip(held_out) {
                let mut judge = scoring.judge();
                zero = judge.zero();
                errors.extend(pictures.iter().map(|r| r.judge(&mut judge).error));
            }
            let by_learned_alone = scorings
                .iter()
                .all(|scoring| scoring.settings.forms == [Form::Learned]);
            let cap = if by_learned_alone {
                hee::cap_of_learned(&errors, zero)
            } else {
                hee::cap(&errors, zero)
            };
            scorings
                .iter_mut()
                .for_each(|scoring| scoring.settings.hee.cap = cap);
            let pairs = scorings.iter().zip(held_out);
            let largest = pairs
                .flat_map(|(scoring, pictures)| scoring.scores(pictures, true))
                .max()
                .unwrap_or_default();
            let mut maps = scorings
                .iter_mut()
                .flat_map(|scoring| &mut scoring.noise)
                .peekable();
            if largest <= MOST_NORMAL_SCORE || maps.peek().is_none_or(|map| map.fraction_bits == 0) {
                return;
            }
            maps.for_each(|map| map.fraction_bits -= 1);
        }
    }

    /// The same settings and unit for another network's noise.
    pub fn alike(other: &Self, mut noise: Vec<NoiseMap>) -> Self {
        noise
            .iter_mut()
            .zip(&other.noise)
            .for_each(|(map, other)| map.fraction_bits = other.fraction_bits);
        Self {
            settings: other.settings.clone(),
            noise,
            size: other.size,
        }
    }

    /// A judge that scores so.
    pub fn judge(&self) -> Judge {
        Judge::new(&self.settings, &self.noise, self.size, self.size)
    }

    /// The scores of pictures, with HEE or without.
    pub fn scores(&self, pictures: &[Redrawn], with_hee: bool) -> Vec<Score> {
        let mut judge = if with_hee {
            self.judge()
        } else {
            self.judge().without_hee()
        };
        pictures.iter().map(|r| r.judge(&mut judge).score).collect()
    }
}

#[cfg(test)]
mod tests {
    use beltwatch_vision::judge::region::Regions;
    use beltwatch_vision::judge::score::Pooling;

    use super::*;

    fn absolute() -> JudgeSettings {
        JudgeSettings::uncapped(&[Form::Absolute], 0.0, Pooling::Max, &Regions::default())
    }

    fn calibrated(noise: Vec<NoiseMap>, held_out: &[Redrawn]) -> Scoring {
        let mut scorings = [Scoring::new(absolute(), noise, 32)];
        Scoring::calibrate(&mut scorings, &[held_out.to_vec()]);
        let [scoring] = scorings;
        scoring
    }

    fn off_by(levels: u8) -> Redrawn {
        let flat = |value| Picture::filled(32, 32, 1, value);
        Redrawn {
            picture: flat(100 + levels),
            pose: Pose::default(),
            reconstruction: flat(100),
            learned: Vec::new(),
        }
    }

    #[test]
    fn the_cap_comes_from_the_held_out_pictures() {
        let scoring = calibrated(vec![], &[off_by(3), off_by(7)]);
        // the mode's upper edge is 8, and half as far again
        assert_eq!(scoring.settings.hee.cap, 12);
        assert_eq!(scoring.scores(&[off_by(40)], true), [Score(28 * 256)]);
        assert_eq!(scoring.scores(&[off_by(40)], false), [Score(40 * 256)]);
    }

    #[test]
    fn normal_pictures_leave_room_for_defects() {
        let noise = NoiseMap {
            mean: vec![0; 1024],
            spread: vec![256; 1024],
            fraction_bits: 4,
        };
        // a spot of twelve spreads on a held-out picture fills the range in Q4.4
        let mut spotted = off_by(0);
        for y in 8..16 {
            spotted.picture.data[y * 32 + 8..y * 32 + 16].fill(112);
        }
        let bits =
            |r: &Redrawn| calibrated(vec![noise.clone()], std::slice::from_ref(r)).noise[0].fraction_bits;
        assert_eq!((bits(&off_by(0)), bits(&spotted)), (4, 3));
    }
}
