//! Pictures as the camera sends them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageBuffer, Rgb, RgbImage};

const JPEG_QUALITY: u8 = 95;

/// How a frame's bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Two pixels in four bytes: luma, blue, luma, red; BT.601, 16 to 235.
    Yuyv,
    /// A JPEG file a frame.
    Mjpeg,
}

impl Format {
    /// As V4L2 and board files have it.
    pub(crate) fn four_characters(self) -> &'static str {
        match self {
            Self::Yuyv => "YUYV",
            Self::Mjpeg => "MJPG",
        }
    }
}

/// A picture in every format.
#[derive(Clone)]
pub(crate) struct Picture(Arc<Bytes>);

struct Bytes {
    size: (u32, u32),
    yuyv: Vec<u8>,
    mjpeg: Vec<u8>,
}

impl Picture {
    /// Reads a picture file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let picture = image::open(path).with_context(|| format!("{}: cannot be read", path.display()))?;
        Self::of(&picture.to_rgb8())
    }

    /// Noise around a mean, as an empty belt gives it: no two seeds give the same.
    pub(crate) fn noise(width: u32, height: u32, mean: u8, seed: u32) -> Result<Self> {
        let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
        Self::of(&ImageBuffer::from_fn(width, height, |_, _| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            Rgb([mean.saturating_add((state & 7) as u8); 3])
        }))
    }

    pub(crate) fn of(picture: &RgbImage) -> Result<Self> {
        let mut mjpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut mjpeg, JPEG_QUALITY).encode_image(picture)?;
        Ok(Self(Arc::new(Bytes {
            size: picture.dimensions(),
            yuyv: yuyv(picture),
            mjpeg,
        })))
    }

    /// Width and height in pixels.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.0.size
    }

    /// What can be seen in the frame without compression: colours at half the width.
    pub(crate) fn as_seen_in_yuyv(&self) -> RgbImage {
        let (width, height) = self.0.size;
        ImageBuffer::from_fn(width, height, |x, y| {
            let at = ((y * width + x) / 2 * 4) as usize;
            let pair = &self.0.yuyv[at..at + 4];
            Rgb(colour(pair[(x % 2 * 2) as usize], pair[1], pair[3]))
        })
    }

    pub(crate) fn bytes(&self, format: Format) -> &[u8] {
        match format {
            Format::Yuyv => &self.0.yuyv,
            Format::Mjpeg => &self.0.mjpeg,
        }
    }
}

/// The width must be even.
fn yuyv(picture: &RgbImage) -> Vec<u8> {
    let mut out = Vec::with_capacity(picture.as_raw().len() / 3 * 2);
    for pair in picture.as_raw().chunks_exact(6) {
        let [left, right] = [&pair[..3], &pair[3..]].map(luma_and_chroma);
        let mean = |at: usize| ((left[at] + right[at]) / 2.0).round() as u8;
        out.extend([left[0].round() as u8, mean(1), right[0].round() as u8, mean(2)]);
    }
    out
}

/// BT.601 in the range of studio video.
fn luma_and_chroma(rgb: &[u8]) -> [f32; 3] {
    let [r, g, b] = [0, 1, 2].map(|c| f32::from(rgb[c]));
    [
        16.0 + (65.481 * r + 128.553 * g + 24.966 * b) / 255.0,
        128.0 + (-37.797 * r - 74.203 * g + 112.0 * b) / 255.0,
        128.0 + (112.0 * r - 93.786 * g - 18.214 * b) / 255.0,
    ]
}

/// The other way, in the numbers that everybody uses: 16 bits behind the point, rounded to nearest.
fn colour(luma: u8, blue: u8, red: u8) -> [u8; 3] {
    let (y, b, r) = (i32::from(luma) - 16, i32::from(blue) - 128, i32::from(red) - 128);
    let sums = [104_597 * r, -25_675 * b - 53_279 * r, 132_201 * b];
    sums.map(|chroma| ((76_309 * y + chroma + (1 << 15)) >> 16).clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(colour: [u8; 3]) -> Vec<u8> {
        Picture::of(&RgbImage::from_pixel(16, 2, Rgb(colour)))
            .unwrap()
            .bytes(Format::Yuyv)[..4]
            .to_vec()
    }

    #[test]
    fn colours_as_the_standard_has_them() {
        assert_eq!(flat([0, 0, 0]), [16, 128, 16, 128]);
        assert_eq!(flat([255, 255, 255]), [235, 128, 235, 128]);
        assert_eq!(flat([255, 0, 0]), [81, 90, 81, 240]);
        assert_eq!(flat([0, 0, 255]), [41, 240, 41, 110]);
    }

    #[test]
    fn colours_come_back() {
        for wanted in [[0, 0, 0], [255, 255, 255], [200, 30, 90], [12, 250, 128]] {
            let picture = Picture::of(&RgbImage::from_pixel(4, 2, Rgb(wanted)))
                .unwrap()
                .as_seen_in_yuyv();
            assert!(
                picture
                    .pixels()
                    .all(|p| p.0.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 2)),
                "{wanted:?}"
            );
        }
    }

    #[test]
    fn noise_differs_and_the_jpeg_is_one() {
        let [a, b] = [1, 2].map(|seed| Picture::noise(32, 32, 60, seed).unwrap());
        assert_ne!(a.bytes(Format::Yuyv), b.bytes(Format::Yuyv));
        let again = image::load_from_memory(a.bytes(Format::Mjpeg)).unwrap();
        assert_eq!((again.width(), again.height()), (32, 32));
    }
}
