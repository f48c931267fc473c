//! The difference image: how far a picture is from its reconstruction, pixel by pixel.
//!
//! Each form yields Q8.8 levels, which [`deviation`] turns into the u8 map that HEE reads. A recipe names its form;
//! another form is another file here and another line in [`Form`].

mod absolute;
pub mod deviation;

use serde::{Deserialize, Serialize};

/// The form of the difference image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// |picture - reconstruction|, the mean of the channels (Xing and Li, 2023).
    #[default]
    Absolute,
}

impl Form {
    /// The difference of two pictures of the same shape, interleaved with `channels` channels, in Q8.8 levels
    /// (0 to 255), lightly smoothed (3 x 3 binomial). `out` and `scratch` take one value a pixel.
    pub fn difference(
        self,
        picture: &[u8],
        reconstruction: &[u8],
        (width, channels): (usize, usize),
        out: &mut [u16],
        scratch: &mut [u16],
    ) {
        match self {
            Self::Absolute => absolute::difference(picture, reconstruction, channels, scratch),
        }
        binomial(scratch, width, out);
    }
}

/// 3 x 3 binomial smoothing, borders repeated; rounds down once, after the last sum.
fn binomial(from: &[u16], width: usize, to: &mut [u16]) {
    let height = from.len() / width;
    for y in 0..height {
        let rows = [y.saturating_sub(1), y, (y + 1).min(height - 1)].map(|r| &from[r * width..][..width]);
        let column = |x: usize| u32::from(rows[0][x]) + 2 * u32::from(rows[1][x]) + u32::from(rows[2][x]);
        for x in 0..width {
            let sum = column(x.saturating_sub(1)) + 2 * column(x) + column((x + 1).min(width - 1));
            to[y * width + x] = (sum / 16) as u16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_pixel_spreads_as_the_binomial_kernel() {
        let mut picture = vec![100u8; 25];
        picture[12] = 116;
        let (mut out, mut scratch) = (vec![0; 25], vec![0; 25]);
        Form::Absolute.difference(&picture, &[100; 25], (5, 1), &mut out, &mut scratch);
        let levels: Vec<u16> = out.iter().map(|v| v / 256).collect();
        assert_eq!(levels, [0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 2, 4, 2, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn the_largest_difference_fits() {
        for channels in [1, 3] {
            let n = 16 * channels;
            let (mut out, mut scratch) = (vec![0; 16], vec![0; 16]);
            Form::Absolute.difference(&vec![255; n], &vec![0; n], (4, channels), &mut out, &mut scratch);
            assert_eq!(out, vec![if channels == 1 { 255 * 256 } else { 255 * 3 * 85 }; 16]);
        }
    }
}
