//! Which parts of a series are defective, and how.

use super::random::Rng;
use crate::rendered::{DefectKind, RenderedPart, purpose, render};

/// A series of parts of which some are defective; each part's fate depends on its index alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The series.
    pub seed: u64,
    /// Share of defective parts, 0 .. 1.
    pub defect_rate: f32,
}

/// What is wrong with a part of a [`Schedule`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fate {
    /// The kind of the defect; each is as likely as another.
    pub kind: DefectKind,
    /// How plain it is, 0 .. 1, evenly spread.
    pub strength: f32,
}

impl Schedule {
    /// What is wrong with part `index`, if anything is.
    pub fn fate(&self, index: u64) -> Option<Fate> {
        let mut rng = Rng::new(self.seed, index, purpose::FATE);
        let defective = rng.unit() < self.defect_rate;
        let fate = Fate {
            kind: DefectKind::ALL[rng.below(DefectKind::ALL.len())],
            strength: rng.unit(),
        };
        defective.then_some(fate)
    }

    /// Renders part `index` with its fate; see [`render`].
    pub fn part(&self, index: u64, size: usize) -> RenderedPart {
        let fate = self.fate(index);
        render(
            self.seed,
            index,
            size,
            fate.map(|f| f.kind),
            fate.map_or(0.0, |f| f.strength),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_kinds_are_as_asked() {
        let schedule = Schedule {
            seed: 9,
            defect_rate: 0.25,
        };
        let fates: Vec<Fate> = (0..8000).filter_map(|i| schedule.fate(i)).collect();
        assert!((1850..2150).contains(&fates.len()), "{}", fates.len());
        for &kind in DefectKind::ALL {
            let strengths: Vec<f32> = fates
                .iter()
                .filter(|f| f.kind == kind)
                .map(|f| f.strength)
                .collect();
            assert!(
                (200..370).contains(&strengths.len()),
                "{kind:?}: {}",
                strengths.len()
            );
            assert!(strengths.iter().any(|s| *s < 0.05) && strengths.iter().any(|s| *s > 0.95));
        }
        assert!((0..500).all(|i| {
            Schedule {
                defect_rate: 0.0,
                ..schedule
            }
            .fate(i)
            .is_none()
        }));
        assert!((0..500).all(|i| {
            Schedule {
                defect_rate: 1.0,
                ..schedule
            }
            .fate(i)
            .is_some()
        }));
    }
}
