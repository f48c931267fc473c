//! A camera over rendered parts, without an end.

use super::rendered::Schedule;
use super::{CaptureError, PartCamera, Shown, Truth};

/// Width and height of a rendered part in pixels.
const SIZE: usize = 256;

/// Parts drawn from a seed; the part at a place is always the same.
#[derive(Clone, Copy, Debug)]
pub struct Rendered {
    schedule: Schedule,
}

impl Rendered {
    /// `defect_rate`: the share of defective parts, 0 to 1.
    pub fn new(seed: u64, defect_rate: f64) -> Self {
        Self { schedule: Schedule { seed, defect_rate: defect_rate as f32 } }
    }
}

impl PartCamera for Rendered {
    fn show(&mut self, index: u64) -> Result<Shown, CaptureError> {
        let part = self.schedule.part(index, SIZE);
        let truth = part.defect.map_or(Truth::Good, |d| Truth::Defect(d.name().to_owned()));
        Ok(Shown {
            name: format!("rendered part {} of seed {}", index, self.schedule.seed),
            truth,
            picture: part.picture,
        })
    }

    fn parts(&self) -> Option<u64> {
        None
    }
}
