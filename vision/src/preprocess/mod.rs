//! From the camera's picture to the network's input: channels, size and position.
//!
//! Device, trainer and tests use this one function, so that a recipe sees on the line what it was taught on.

mod align;
mod corrector;
mod pose;
mod warp;

pub use corrector::{Corrector, resampled};
pub use pose::{MOST_SHIFT_ONE_IN, MOST_TURN, PictureShape, Pose, PositionLimits};

use crate::picture::Picture;
use crate::picture::resize::Resizer;
use crate::processor::Team;

/// How far a picture's aspect ratio may be from one that was taught, in percent.
const ASPECT_TOLERANCE_PERCENT: u64 = 10;

/// Why a picture does not fit a recipe.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum PreprocessError {
    #[error(
        "the picture is {width}x{height}, but the recipe was taught on {taught}: its shape must be within \
         {ASPECT_TOLERANCE_PERCENT} % of that. Set the camera to the taught size, or teach again"
    )]
    Shape {
        /// Pixels.
        width: usize,
        /// Pixels.
        height: usize,
        /// The sizes taught.
        taught: String,
    },
    #[error("the picture has no pixels")]
    Empty,
}

/// Converts pictures to `size` x `size` x `channels`.
pub struct Preprocessor {
    size: usize,
    channels: usize,
    taught: Vec<[usize; 2]>,
    /// The camera's picture in the recipe's channels, where it has others.
    converted: Picture,
    resizer: Resizer,
    corrector: Option<Corrector>,
    pose: Pose,
}

impl Preprocessor {
    /// `taught`: the sizes `[width, height]` that pictures may have, empty for any.
    pub fn new(size: usize, channels: usize, taught: &[[usize; 2]]) -> Self {
        let (converted, resizer) = Default::default();
        Self {
            size,
            channels,
            taught: taught.to_vec(),
            converted,
            resizer,
            corrector: None,
            pose: Pose::default(),
        }
    }

    /// The same, which then brings the part to where it lies on `reference`, a grey picture of `size` x
    /// `size`.
    #[must_use]
    pub fn with_position(mut self, reference: &Picture, limits: PositionLimits) -> Self {
        self.corrector = Some(Corrector::new(
            reference,
            PictureShape::of_taught(&self.taught),
            limits,
        ));
        self
    }

    /// Where the part of the last picture lay; the zero pose without position correction.
    pub fn pose(&self) -> Pose {
        self.pose
    }

    /// Writes the network's input to `out`, which takes the recipe's size and channels. The whole picture is
    /// stretched to the square ([`crate::picture::resize`]). Then its position is corrected, where that was
    /// asked for.
    pub fn apply(&mut self, picture: &Picture, out: &mut Picture) -> Result<(), PreprocessError> {
        self.apply_by(&mut Team::alone(), picture, out)
    }

    /// The same by a team: the input does not depend on it.
    pub fn apply_by(
        &mut self,
        team: &mut Team,
        picture: &Picture,
        out: &mut Picture,
    ) -> Result<(), PreprocessError> {
        self.check(picture)?;
        let source = if picture.channels == self.channels {
            picture
        } else {
            picture.write_channels(self.channels, &mut self.converted);
            &self.converted
        };
        (out.width, out.height, out.channels) = (self.size, self.size, self.channels);
        out.data.resize(self.size * self.size * self.channels, 0);
        if (source.width, source.height) == (self.size, self.size) {
            out.data.copy_from_slice(&source.data);
        } else {
            self.resizer.resize(source, out);
        }
        if let Some(corrector) = &mut self.corrector {
            self.pose = corrector.correct_by(team, out);
        }
        Ok(())
    }

    fn check(&self, picture: &Picture) -> Result<(), PreprocessError> {
        let (width, height) = (picture.width, picture.height);
        if picture.data.is_empty() || picture.data.len() != width * height * picture.channels {
            return Err(PreprocessError::Empty);
        }
        if self.taught.is_empty() || self.taught.iter().any(|&[w, h]| similar(width, height, w, h)) {
            return Ok(());
        }
        let taught: Vec<String> = self.taught.iter().map(|[w, h]| format!("{w}x{h}")).collect();
        Err(PreprocessError::Shape {
            width,
            height,
            taught: taught.join(", "),
        })
    }
}

/// Whether `w1 / h1` is within the tolerance of `w2 / h2`.
fn similar(w1: usize, h1: usize, w2: usize, h2: usize) -> bool {
    let (a, b) = (w1 as u64 * h2 as u64, w2 as u64 * h1 as u64);
    a.abs_diff(b) * 100 <= a.min(b) * ASPECT_TOLERANCE_PERCENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: usize, height: usize) -> Picture {
        let data = (0..width * height * 3).map(|i| (i * 7 % 251) as u8).collect();
        Picture {
            width,
            height,
            channels: 3,
            data,
        }
    }

    #[test]
    fn the_same_bytes_on_every_target() {
        let mut out = Picture::default();
        Preprocessor::new(8, 1, &[])
            .apply(&ramp(21, 13), &mut out)
            .expect("valid");
        let golden = [
            100, 74, 108, 164, 156, 96, 79, 127, 156, 159, 106, 91, 123, 161, 146, 91,
        ];
        assert_eq!(out.data[..16], golden, "{:?}", &out.data[..16]);
    }

    #[test]
    fn a_flat_picture_stays_flat() {
        for value in [0, 1, 128, 255] {
            let mut out = Picture::default();
            Preprocessor::new(32, 3, &[])
                .apply(&Picture::filled(77, 50, 3, value), &mut out)
                .expect("valid");
            assert_eq!(out, Picture::filled(32, 32, 3, value));
        }
    }

    #[test]
    fn another_shape_is_refused_and_a_near_one_is_not() {
        let mut p = Preprocessor::new(32, 3, &[[256, 208]]);
        let mut out = Picture::default();
        assert!(p.apply(&Picture::filled(512, 428, 3, 9), &mut out).is_ok());
        let error = p
            .apply(&Picture::filled(256, 136, 3, 9), &mut out)
            .expect_err("another shape");
        assert!(
            error.to_string().contains("256x136") && error.to_string().contains("256x208"),
            "{error}"
        );
        assert_eq!(
            p.apply(&Picture::default(), &mut out),
            Err(PreprocessError::Empty)
        );
    }
}
