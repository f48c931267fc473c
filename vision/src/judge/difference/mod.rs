//! The difference image: how far a picture is from its reconstruction, pixel by pixel.
//!
//! Each form yields Q8.8 levels, which [`deviation`] turns into the u8 map that HEE reads. A recipe names its
//! form; another form is another file here and another line in [`Form`].

mod absolute;
pub mod deviation;
mod gradient;

use serde::{Deserialize, Serialize};

use crate::picture::Picture;
use crate::preprocess::Pose;
use crate::processor::vectorised;

/// The form of the difference image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Form {
    /// |picture - reconstruction|, the mean of the channels (Xing and Li, 2023).
    #[default]
    Absolute,
    /// Gradient magnitude similarity of both, at three scales (Xue et al., 2014): structure, not brightness.
    Gradient,
    /// What the network's head makes of both: how likely a pixel is part of a defect.
    Learned,
}

/// A picture and what the network made of it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// As the network saw it, interleaved with `channels` channels.
    pub picture: &'a [u8],
    /// As the network draws it, of the same shape.
    pub reconstruction: &'a [u8],
    /// The learned difference, a value a pixel; empty where the network has no head.
    pub learned: &'a [u8],
    /// 1 or 3.
    pub channels: usize,
    /// Where the part lay. What lies beyond the camera's frame was made up, and is not judged.
    pub pose: Pose,
}

impl<'a> Seen<'a> {
    /// A picture as the network saw it and as it drew it, both of one shape, of a part that lay at `pose`.
    pub fn new(picture: &'a Picture, reconstruction: &'a Picture, learned: &'a [u8], pose: Pose) -> Self {
        let channels = picture.channels;
        Self {
            picture: &picture.data,
            reconstruction: &reconstruction.data,
            learned,
            channels,
            pose,
        }
    }
}

/// Planes to work in, allocated once.
#[derive(Clone, Debug)]
pub struct Scratch {
    plane: Vec<u16>,
    gradient: gradient::Scratch,
    /// Sums of three rows, with the border repeated on both sides.
    columns: Vec<u32>,
}

impl Scratch {
    /// For pictures of this size.
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            plane: vec![0; width * height],
            gradient: gradient::Scratch::new(width, height),
            columns: vec![0; width + 2],
        }
    }
}

impl Form {
    /// Whether a recipe can have these: at least one and none twice, several only where each is measured in a
    /// noise map.
    pub fn go_together(forms: &[Self], noise_map: bool) -> bool {
        let once = forms
            .iter()
            .enumerate()
            .all(|(place, form)| !forms[..place].contains(form));
        once && (forms.len() == 1 || (forms.len() > 1 && noise_map))
    }

    /// As recipes write it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The difference image in Q8.8 levels (0 to 255), lightly smoothed (3 x 3 binomial); `out` takes one
    /// value a pixel. For `Gradient` width and height are multiples of 4.
    pub fn difference(self, seen: &Seen<'_>, width: usize, out: &mut [u16], scratch: &mut Scratch) {
        let Seen {
            picture,
            reconstruction,
            learned,
            channels,
            ..
        } = *seen;
        let Scratch {
            plane,
            gradient,
            columns,
        } = scratch;
        match self {
            Self::Absolute => absolute::difference(picture, reconstruction, channels, plane),
            Self::Gradient => gradient::difference(picture, reconstruction, channels, width, plane, gradient),
            Self::Learned => plane
                .iter_mut()
                .zip(learned)
                .for_each(|(out, &v)| *out = u16::from(v) * 256),
        }
        binomial(plane, width, out, columns);
    }
}

vectorised! {
    /// 3 x 3 binomial smoothing, borders repeated; rounds down once, after the last sum.
    fn binomial(from: &[u16], width: usize, to: &mut [u16], columns: &mut [u32]) {
        let last = from.len() / width - 1;
        for (y, to) in to.chunks_exact_mut(width).enumerate() {
            let rows = [y.saturating_sub(1), y, (y + 1).min(last)];
            let [above, here, below] = rows.map(|y| &from[y * width..][..width]);
            for (sum, ((&a, &b), &c)) in columns[1..].iter_mut().zip(above.iter().zip(here).zip(below)) {
                *sum = u32::from(a) + 2 * u32::from(b) + u32::from(c);
            }
            (columns[0], columns[width + 1]) = (columns[1], columns[width]);
            let three = columns.iter().zip(&columns[1..]).zip(&columns[2..]);
            for (to, ((&a, &b), &c)) in to.iter_mut().zip(three) {
                *to = ((a + 2 * b + c) / 16) as u16;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_place<'a>(picture: &'a [u8], reconstruction: &'a [u8], channels: usize) -> Seen<'a> {
        Seen {
            picture,
            reconstruction,
            learned: &[],
            channels,
            pose: Pose::default(),
        }
    }

    #[test]
    fn a_single_pixel_spreads_as_the_binomial_kernel() {
        let mut picture = vec![100u8; 25];
        picture[12] = 116;
        let (mut out, mut scratch) = (vec![0; 25], Scratch::new(5, 5));
        let seen = in_place(&picture, &[100; 25], 1);
        Form::Absolute.difference(&seen, 5, &mut out, &mut scratch);
        let levels: Vec<u16> = out.iter().map(|v| v / 256).collect();
        assert_eq!(
            levels,
            [
                0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 2, 4, 2, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0, 0
            ]
        );
    }

    #[test]
    fn the_learned_difference_is_taken_as_it_is() {
        let (mut out, mut scratch) = (vec![0; 16], Scratch::new(4, 4));
        let seen = Seen {
            learned: &[3; 16],
            ..in_place(&[9; 16], &[200; 16], 1)
        };
        Form::Learned.difference(&seen, 4, &mut out, &mut scratch);
        assert_eq!(out, [3 * 256; 16]);
    }

    #[test]
    fn the_largest_difference_fits() {
        for channels in [1, 3] {
            let n = 16 * channels;
            let (mut out, mut scratch) = (vec![0; 16], Scratch::new(4, 4));
            let (picture, reconstruction) = (vec![255; n], vec![0; n]);
            let seen = in_place(&picture, &reconstruction, channels);
            Form::Absolute.difference(&seen, 4, &mut out, &mut scratch);
            assert_eq!(
                out,
                vec![if channels == 1 { 255 * 256 } else { 255 * 3 * 85 }; 16]
            );
        }
    }
}
