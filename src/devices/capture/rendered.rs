//! A camera over rendered parts, without an end.

use beltwatch_vision::rendered::Schedule;

use super::{CaptureError, PartCamera, Shown, Truth};

/// Width and height of a rendered part in pixels.
const SIZE: usize = 256;

/// Which parts of a belt are defective.
type Defective = Box<dyn Fn(u64) -> bool + Send>;

/// Parts drawn from a seed; the part at a place is always the same.
pub struct Rendered {
    schedule: Schedule,
    defective: Option<Defective>,
}

impl Rendered {
    /// `defect_rate`: the share of defective parts, 0 to 1.
    pub fn new(seed: u64, defect_rate: f64) -> Self {
        Self {
            schedule: Schedule {
                seed,
                defect_rate: defect_rate as f32,
            },
            defective: None,
        }
    }

    /// `defective` says which parts are, by their place on the belt.
    pub fn with_defects(seed: u64, defective: impl Fn(u64) -> bool + Send + 'static) -> Self {
        Self {
            defective: Some(Box::new(defective)),
            ..Self::new(seed, 0.0)
        }
    }
}

impl PartCamera for Rendered {
    fn show(&mut self, index: u64) -> Result<Shown, CaptureError> {
        let rate = self
            .defective
            .as_ref()
            .map_or(self.schedule.defect_rate, |is| f32::from(u8::from(is(index))));
        let part = Schedule {
            defect_rate: rate,
            ..self.schedule
        }
        .part(index, SIZE);
        let truth = part
            .defect
            .map_or(Truth::Good, |d| Truth::Defect(d.name().to_owned()));
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
