//! What a recipe is made with.

use std::path::PathBuf;

use beltwatch_vision::judge::JudgeSettings;
use beltwatch_vision::judge::difference::Form;
use beltwatch_vision::judge::region::Regions;
use beltwatch_vision::judge::score::Pooling;
use beltwatch_vision::picture::Picture;
use beltwatch_vision::preprocess::PositionLimits;
use beltwatch_vision::recipe::Training;

use crate::thresholds::Noise;

/// What a recipe is made with.
#[derive(Clone, Debug)]
pub struct ExportSettings {
    /// As an operator calls it.
    pub product: String,
    /// The reference of position correction and how far it goes, where there is one.
    pub position: Option<(Picture, PositionLimits)>,
    /// What of the picture counts.
    pub regions: Regions,
    /// Share of good parts that may be rejected.
    pub false_reject_target: f64,
    /// The difference images, at least one, several with noise maps only.
    pub forms: Vec<Form>,
    /// What they are measured against.
    pub noise: Noise,
    /// Smoothing in pixels of the network's picture.
    pub smoothing_sigma: f64,
    /// How the anomaly map becomes a score.
    pub pooling: Pooling,
    /// Whether `float.onnx` is written too, for `evaluate`.
    pub float_model: bool,
    /// Files of the set on which nothing is measured.
    pub leave_out: Vec<PathBuf>,
    /// How the network came about.
    pub training: Training,
}

impl ExportSettings {
    /// How differences are judged, as long as HEE has no cap yet.
    pub(super) fn uncapped(&self) -> JudgeSettings {
        JudgeSettings::uncapped(&self.forms, self.smoothing_sigma, self.pooling, &self.regions)
    }
}
