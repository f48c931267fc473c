//! Everything that a recipe takes from how good pictures are drawn: the noise, HEE's cap, the threshold.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use beltwatch_vision::judge::score::Score;

use super::error::ExportError;
use super::redraw::Redraw;
use super::settings::ExportSettings;
use super::unseen::{Quantised, Unseen};
use crate::teach::data::TeachingSet;
use crate::thresholds::outliers::outliers;
use crate::thresholds::scoring::{Redrawn, Scoring};
use crate::thresholds::{Threshold, threshold};

/// What was measured.
pub(super) struct Calibration {
    /// As the device scores.
    pub(super) scoring: Scoring,
    pub(super) threshold: Threshold,
    /// Scores of held-out pictures, those that stand out among them last,
    pub(super) held_out: Vec<Score>,
    /// and of those that were taught on.
    pub(super) taught: Vec<Score>,
    /// Of the float network, and without HEE.
    pub(super) comparison_thresholds: BTreeMap<String, Score>,
    /// Pictures that stand out above the others: nothing but the promise was measured on them.
    pub(super) suspicious: Vec<(PathBuf, Score)>,
    /// The held-out pictures that score highest, the highest first.
    pub(super) highest: Vec<(PathBuf, Score)>,
}

/// So many pictures are shown of those that the threshold stands on.
const HIGHEST: usize = 3;

impl Calibration {
    /// With cross-fitting the `further` networks have not seen a share of what is held out each.
    pub(super) fn make(
        set: &TeachingSet,
        deployed: &Quantised,
        further: &[Quantised],
        settings: &ExportSettings,
    ) -> Result<Self, ExportError> {
        let mut unseen = Unseen::new(set, deployed, further, settings)?;
        // a first look at all of them, to find those that do not belong there
        let first = Scoring::new(settings.uncapped(), unseen.noise().clone(), unseen.size());
        let mut judge = first.judge().without_hee();
        let mut taught = Vec::new();
        deployed.int8.each(
            (0..set.train.len()).map(|place| set.taught_at(place)),
            |redrawn| taught.push(redrawn.judge(&mut judge).score),
        )?;
        let mut suspicious = stand_out(set, &taught, &unseen.first_look(settings)?);
        suspicious.retain(|(file, _)| !settings.leave_out.contains(file));
        let odd: HashSet<&PathBuf> = suspicious.iter().map(|(file, _)| file).collect();
        let belongs = |place: &usize| {
            let file = &set.train_files[*place];
            !odd.contains(file) && !settings.leave_out.contains(file)
        };
        if !(odd.is_empty() && settings.leave_out.is_empty()) {
            unseen.leave_out(&odd, settings)?;
        }

        let [int8_drawn, float_drawn] = [unseen.drawn(|n| &n.int8)?, unseen.drawn(|n| &n.float)?];
        let mut scorings = unseen.scorings(settings);
        Scoring::calibrate(&mut scorings, &int8_drawn);
        let scoring = Scoring::alike(&scorings[0], unseen.noise().clone());
        let (mut judge, mut taught) = (scoring.judge(), Vec::new());
        let belonging = (0..set.train.len())
            .filter(belongs)
            .map(|place| set.taught_at(place));
        deployed
            .int8
            .each(belonging, |redrawn| taught.push(redrawn.judge(&mut judge).score))?;
        let scores = |drawn: &[Vec<Redrawn>], with_hee| -> Vec<Score> {
            scorings
                .iter()
                .zip(drawn)
                .flat_map(|(scoring, drawn)| scoring.scores(drawn, with_hee))
                .collect()
        };
        let threshold =
            |scores: &[Score], odd: &[Score]| threshold(scores, odd, &taught, settings.false_reject_target);
        let compared = |drawn, with_hee| threshold(&scores(drawn, with_hee), &[]).score;
        let comparison_thresholds = BTreeMap::from([
            ("int8_raw".to_owned(), compared(&int8_drawn, false)),
            ("float_hee".to_owned(), compared(&float_drawn, true)),
            ("float_raw".to_owned(), compared(&float_drawn, false)),
        ]);
        let mut held_out = scores(&int8_drawn, true);
        let odd = unseen.scores_of_odd(&scorings)?;
        let mut threshold = threshold(&held_out, &odd);
        if !further.is_empty() {
            threshold.basis += &format!(
                "; each was held out from one of {} further networks",
                further.len()
            );
        }
        let mut highest: Vec<_> = unseen.files().cloned().zip(held_out.iter().copied()).collect();
        highest.sort_by_key(|&(_, score)| Reverse(score));
        highest.truncate(HIGHEST);
        held_out.extend(odd);
        Ok(Self {
            scoring,
            threshold,
            held_out,
            taught,
            comparison_thresholds,
            suspicious,
            highest,
        })
    }
}

/// The pictures that stand out above the others. Held-out ones score higher as it is and are compared among
/// themselves.
fn stand_out(set: &TeachingSet, taught: &[Score], held_out: &[Score]) -> Vec<(PathBuf, Score)> {
    let mut found: Vec<_> = outliers(taught)
        .iter()
        .map(|&at| (set.train_files[at].clone(), taught[at]))
        .collect();
    for at in outliers(held_out) {
        let file = &set.held_out[at].0;
        if found.iter().all(|(other, _)| other != file) {
            found.push((file.clone(), held_out[at]));
        }
    }
    found
}
