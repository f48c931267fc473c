//! Parts between the eye and the gate. Pure: time comes as an argument, nothing is allocated.

mod queue;

pub use queue::{Full, Part, Placed, Timing, TrackingQueue};

/// A part's number, given at its eye edge and kept to the end. It wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u32);

impl Tag {
    /// The tag of the next part.
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}
