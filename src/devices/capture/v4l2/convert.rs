//! From a driver's buffer to a picture, in integers, so that the same bytes give the same picture on every
//! processor.

use beltwatch_vision::picture::{Picture, is_whole_jpeg};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::yuv::Coding;
use crate::board::Pixel;

/// How a frame lies in its buffer, as the driver said when the stream was set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What a pixel is.
    pub pixel: Pixel,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes from a row to the next, padding included; 0 where there are no rows (MJPEG).
    pub stride: usize,
    /// What Y, Cb and Cr mean.
    pub coding: Coding,
}

/// Why a buffer is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Flaw {
    #[error("the driver marked it as corrupt")]
    Marked,
    #[error("it is cut off: {0} bytes of {1}")]
    Short(usize, usize),
    #[error("its JPEG cannot be decoded: {0}")]
    Jpeg(String),
    #[error("it is {0} x {1} pixels, not {2} x {3}")]
    Size(usize, usize, usize, usize),
    #[error("its time stamp is not of this moment: {0} ms off")]
    Stamp(i64),
}

impl Layout {
    /// The picture in a buffer: RGB, or, where the format has no colour or `colour` is false, grey.
    ///
    /// # Errors
    /// The bytes are too few or no picture. Never a panic, whatever the bytes.
    pub fn picture(&self, bytes: &[u8], colour: bool) -> Result<Picture, Flaw> {
        let Self {
            pixel, width, height, ..
        } = *self;
        if pixel == Pixel::Mjpeg {
            return self.jpeg(bytes, colour);
        }
        let needed = self.needed();
        if bytes.len() < needed || width == 0 || height == 0 {
            return Err(Flaw::Short(bytes.len(), needed));
        }
        let channels = if colour && pixel != Pixel::Grey { 3 } else { 1 };
        let mut picture = Picture::filled(width, height, channels, 0);
        for (y, out) in picture.data.chunks_exact_mut(width * channels).enumerate() {
            let row = &bytes[y * self.stride..];
            match (pixel, channels) {
                (Pixel::Grey, _) => out.copy_from_slice(&row[..width]),
                (Pixel::Nv12, 1) => self.coding.luma(row.iter().copied(), out),
                (Pixel::Yuyv, 1) => self.coding.luma(row.iter().copied().step_by(2), out),
                (Pixel::Yuyv, _) => self.coding.yuyv(row, out),
                (Pixel::Nv12, _) => {
                    let chroma = &bytes[self.stride * (height + y / 2)..];
                    self.coding.nv12(&row[..width], chroma, out);
                }
                (_, 3) => out.copy_from_slice(&row[..width * 3]),
                (_, _) => row
                    .chunks_exact(3)
                    .zip(out)
                    .for_each(|(rgb, out)| *out = beltwatch_vision::picture::luma(rgb)),
            }
        }
        Ok(picture)
    }

    /// The bytes that a whole frame has at least; the last row needs no padding. `usize::MAX` where rows
    /// overlap.
    pub fn needed(&self) -> usize {
        let Self {
            pixel,
            width,
            height,
            stride,
            ..
        } = *self;
        let pairs = 2 * width.div_ceil(2);
        let (rows, last) = match pixel {
            Pixel::Grey => (height, width),
            Pixel::Yuyv => (height, 2 * pairs),
            Pixel::Rgb3 => (height, 3 * width),
            Pixel::Nv12 => (height + height.div_ceil(2), pairs),
            Pixel::Mjpeg => return 0,
        };
        let above = rows
            .saturating_sub(1)
            .checked_mul(stride)
            .filter(|_| stride >= last);
        above
            .and_then(|above| above.checked_add(last))
            .unwrap_or(usize::MAX)
    }

    fn jpeg(&self, bytes: &[u8], colour: bool) -> Result<Picture, Flaw> {
        let Self { width, height, .. } = *self;
        if !is_whole_jpeg(bytes) {
            return Err(Flaw::Jpeg("it has no end".to_owned()));
        }
        let bad = |e: zune_jpeg::errors::DecodeErrors| Flaw::Jpeg(e.to_string());
        let out = if colour { ColorSpace::RGB } else { ColorSpace::Luma };
        // the decoder's portable code: its vector code differs from processor to processor
        let options = DecoderOptions::default()
            .set_use_unsafe(false)
            .set_strict_mode(true)
            .set_max_width(width)
            .set_max_height(height)
            .jpeg_set_out_colorspace(out);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(bad)?;
        match decoder.dimensions() {
            Some((w, h)) if (w, h) == (width, height) => {}
            other => {
                let (w, h) = other.unwrap_or_default();
                return Err(Flaw::Size(w, h, width, height));
            }
        }
        let channels = if colour { 3 } else { 1 };
        let mut picture = Picture::filled(width, height, channels, 0);
        if decoder.output_buffer_size() != Some(picture.data.len()) {
            return Err(Flaw::Jpeg("its colours are none that a camera sends".to_owned()));
        }
        decoder.decode_into(&mut picture.data).map_err(bad)?;
        Ok(picture)
    }
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
