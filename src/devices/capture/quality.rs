//! Can a picture be judged at all? Black, saturated and repeated frames mean a camera that fails, not a part
//! that is bad.

use std::hash::{DefaultHasher, Hasher};

use beltwatch_core::Quality;
use beltwatch_vision::picture::Picture;

/// A picture whose brightest values are all below this is black: a lens cap, a dead lamp, an unplugged
/// sensor.
const BLACK: u8 = 16;
/// Values from here on are saturated.
const SATURATED: u8 = 254;
/// A picture with a larger share of saturated values than this shows nothing: 9 of 10.
const SATURATED_SHARE: (usize, usize) = (9, 10);

/// Looks at one picture after the other.
#[derive(Clone, Debug, Default)]
pub struct FrameCheck {
    last: Option<u64>,
}

impl FrameCheck {
    /// What a picture is at first sight. A real sensor's noise never gives the same picture twice, so one
    /// that equals the picture before, bit for bit, is not new.
    pub fn check(&mut self, picture: &Picture) -> Quality {
        let mut hasher = DefaultHasher::new();
        hasher.write(&picture.data);
        let hash = hasher.finish();
        let repeated = self.last.replace(hash) == Some(hash);
        let saturated = picture.data.iter().filter(|&&v| v >= SATURATED).count();
        match () {
            () if picture.data.iter().all(|&v| v < BLACK) => Quality::Black,
            () if saturated * SATURATED_SHARE.1 > picture.data.len() * SATURATED_SHARE.0 => {
                Quality::Saturated
            }
            () if repeated => Quality::Repeated,
            () => Quality::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_show_nothing() {
        let mut check = FrameCheck::default();
        let grey = |value| Picture::filled(8, 8, 1, value);
        let mut picture = grey(100);
        assert_eq!(check.check(&picture), Quality::Good);
        assert_eq!(check.check(&picture), Quality::Repeated);
        picture.data[5] = 101;
        assert_eq!(check.check(&picture), Quality::Good);
        assert_eq!(check.check(&grey(15)), Quality::Black);
        assert_eq!(check.check(&grey(255)), Quality::Saturated);
        let mut dark = grey(0);
        dark.data[0] = 16;
        assert_eq!(check.check(&dark), Quality::Good);
        let mut bright = grey(255);
        bright.data[..7].fill(253);
        assert_eq!(check.check(&bright), Quality::Good);
        bright.data[0] = 255;
        assert_eq!(check.check(&bright), Quality::Saturated);
    }
}
