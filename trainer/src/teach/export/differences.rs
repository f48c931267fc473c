//! The differences of good pictures as a network draws them; `thresholds/noise.rs` makes the noise map
//! of them.

use beltwatch_vision::judge::difference::Form;
use beltwatch_vision::judge::difference::deviation::NoiseMap;
use beltwatch_vision::judge::region::{LOOK, Regions};
use beltwatch_vision::judge::score::Pooling;
use beltwatch_vision::judge::{Judge, JudgeSettings};
use beltwatch_vision::picture::Picture;
use beltwatch_vision::preprocess::Pose;

use super::error::ExportError;
use super::redraw::Redraw;
use super::settings::ExportSettings;
use crate::thresholds::noise::NoiseStatistics;
use crate::thresholds::{Noise, even_noise_map, noise_map};

/// Least spread of the learned difference in levels, half a unit of log odds. With few pictures it comes to
/// know those that it was taught on by heart: nothing moves there any more, and each new part would be
/// infinitely far from them.
const LEAST_OF_LEARNED: f64 = 8.0;

/// The differences of square pictures that `network` draws: of each form that is judged by. Nothing without
/// noise maps.
pub(super) fn collect<'a>(
    settings: &ExportSettings,
    pictures: impl Iterator<Item = (&'a Picture, Pose)>,
    size: usize,
    network: &impl Redraw,
) -> Result<Vec<NoiseStatistics>, ExportError> {
    if settings.noise == Noise::None {
        return Ok(Vec::new());
    }
    let plain = JudgeSettings::uncapped(&settings.forms, 0.0, Pooling::Max, &Regions::default());
    let mut judge = Judge::new(&plain, &[], size, size);
    let looked_at = settings
        .regions
        .mask(size, size)
        .into_iter()
        .map(|v| v == LOOK)
        .collect();
    let mut statistics = vec![NoiseStatistics::new(size, looked_at); settings.forms.len()];
    network.each(pictures, |redrawn| {
        redrawn.judge(&mut judge);
        statistics
            .iter_mut()
            .zip(judge.differences())
            .for_each(|(s, difference)| s.add(difference, redrawn.pose));
    })?;
    Ok(statistics)
}

/// The noise map of each form.
pub(super) fn maps(settings: &ExportSettings, statistics: &[NoiseStatistics]) -> Vec<NoiseMap> {
    let map = if settings.noise == Noise::Even {
        even_noise_map
    } else {
        noise_map
    };
    let of_form = |(form, statistics)| {
        map(
            statistics,
            if form == &Form::Learned {
                LEAST_OF_LEARNED
            } else {
                0.0
            },
        )
    };
    settings.forms.iter().zip(statistics).map(of_form).collect()
}
