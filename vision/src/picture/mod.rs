//! Pictures in memory and on disk.

pub mod heatmap;
pub mod resize;

use std::fs::File;
use std::io::{BufWriter, Cursor, Write};
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, ImageReader, Limits};

/// The longest side that is read, in pixels: a line camera's picture is far below it, a decompression bomb is
/// not.
pub const MAX_SIDE: u32 = 16_384;

/// Endings of the names of picture files, in lower case.
const EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff"];

/// Whether a path is a file with the name of a picture that [`Picture::open`] reads.
pub fn is_picture_file(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str())) && path.is_file()
}

/// An 8-bit picture, grey or RGB, interleaved (`height` x `width` x `channels`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// `height * width * channels` values.
    pub data: Vec<u8>,
}

/// Why a picture could not be read or written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum PictureError {
    #[error("{path}: cannot be opened: {source}")]
    Open { path: PathBuf, source: std::io::Error },
    #[error("{path}: is not a readable PNG, JPEG, BMP or TIFF picture: {source}")]
    Decode {
        path: PathBuf,
        source: image::ImageError,
    },
    #[error("{path}: cannot be written: {source}")]
    Write {
        path: PathBuf,
        /// What the encoder or the system said.
        source: image::ImageError,
    },
}

impl Picture {
    /// A picture of one value.
    pub fn filled(width: usize, height: usize, channels: usize, value: u8) -> Self {
        Self {
            width,
            height,
            channels,
            data: vec![value; width * height * channels],
        }
    }

    /// Reads a PNG, JPEG, BMP or TIFF file; the content decides, not the name. Grey stays grey, all else
    /// becomes RGB; 16 bits are reduced to 8, transparency is dropped.
    pub fn open(path: &Path) -> Result<Self, PictureError> {
        Self::decode(&Self::read(path)?, path)
    }

    /// The bytes of a picture's file.
    pub fn read(path: &Path) -> Result<Vec<u8>, PictureError> {
        let open = |source| PictureError::Open {
            path: path.to_owned(),
            source,
        };
        // a pipe or a device would never end
        if !std::fs::metadata(path).map_err(open)?.is_file() {
            return Err(open(std::io::Error::other("it is no file")));
        }
        std::fs::read(path).map_err(open)
    }

    /// The picture that a file's bytes are; `path` is for messages.
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Self, PictureError> {
        let open = |source| PictureError::Open {
            path: path.to_owned(),
            source,
        };
        let decode = |source| PictureError::Decode {
            path: path.to_owned(),
            source,
        };
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(open)?;
        if reader.format() == Some(ImageFormat::Jpeg) && !is_whole_jpeg(bytes) {
            let why = image::error::DecodingError::new(ImageFormat::Jpeg.into(), "the file was cut off");
            return Err(decode(image::ImageError::Decoding(why)));
        }
        let mut limits = Limits::default();
        limits.max_image_width = Some(MAX_SIDE);
        limits.max_image_height = Some(MAX_SIDE);
        reader.limits(limits);
        Ok(Self::from_image(reader.decode().map_err(decode)?))
    }

    fn from_image(image: DynamicImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        if image.color().has_color() {
            Self {
                width,
                height,
                channels: 3,
                data: image.into_rgb8().into_raw(),
            }
        } else {
            Self {
                width,
                height,
                channels: 1,
                data: image.into_luma8().into_raw(),
            }
        }
    }

    /// Writes a PNG file.
    pub fn save_png(&self, path: &Path) -> Result<(), PictureError> {
        let colour = if self.channels == 1 {
            ExtendedColorType::L8
        } else {
            ExtendedColorType::Rgb8
        };
        let write = |source| PictureError::Write {
            path: path.to_owned(),
            source,
        };
        let io = |e| write(image::ImageError::IoError(e));
        let mut file = BufWriter::new(File::create(path).map_err(io)?);
        PngEncoder::new_with_quality(&mut file, CompressionType::Default, FilterType::Adaptive)
            .write_image(&self.data, self.width as u32, self.height as u32, colour)
            .map_err(write)?;
        // a full disk may show only here
        file.flush().map_err(io)
    }

    /// The picture with `channels` (1 or 3) channels. Grey is `(77 R + 150 G + 29 B + 128) / 256`.
    pub fn with_channels(&self, channels: usize) -> Self {
        let mut out = Self::default();
        self.write_channels(channels, &mut out);
        out
    }

    /// Writes to `out` what [`Self::with_channels`] returns.
    pub fn write_channels(&self, channels: usize, out: &mut Self) {
        (out.width, out.height, out.channels) = (self.width, self.height, channels);
        match (self.channels, channels) {
            (3, 1) => {
                out.data.resize(self.data.len() / 3, 0);
                self.write_grey(&mut out.data);
            }
            (1, 3) => {
                out.data.clear();
                out.data.extend(self.data.iter().flat_map(|&v| [v, v, v]));
            }
            _ => out.data.clone_from(&self.data),
        }
    }

    /// Writes the levels of a grey picture, or the luma of a coloured one, to `out`, one a pixel.
    pub fn write_grey(&self, out: &mut [u8]) {
        match self.channels {
            3 => out
                .iter_mut()
                .zip(self.data.chunks_exact(3))
                .for_each(|(out, rgb)| *out = luma(rgb)),
            _ => out.iter_mut().zip(&self.data).for_each(|(out, &v)| *out = v),
        }
    }

    /// Draws `part`, of the same channels, with its left upper corner at column `x`, row `y`; rows beyond the
    /// last are left out.
    ///
    /// # Panics
    /// Where `part` is wider than what is right of `x`.
    pub fn paste(&mut self, part: &Self, x: usize, y: usize) {
        let lines = part.data.chunks_exact((part.width * part.channels).max(1));
        for (row, line) in (y..self.height).zip(lines) {
            let at = (row * self.width + x) * self.channels;
            self.data[at..at + line.len()].copy_from_slice(line);
        }
    }

    /// The value of channel `c` at column `x`, row `y`.
    ///
    /// # Panics
    /// Where the place is outside the picture.
    pub fn at(&self, x: usize, y: usize, c: usize) -> u8 {
        self.data[(y * self.width + x) * self.channels + c]
    }
}

/// The brightness of a red, green and blue pixel.
pub fn luma(rgb: &[u8]) -> u8 {
    ((77 * u32::from(rgb[0]) + 150 * u32::from(rgb[1]) + 29 * u32::from(rgb[2]) + 128) >> 8) as u8
}

/// Whether the last scan of a JPEG has its end. Decoders fill up what is missing with grey, which would pass
/// as a picture.
pub fn is_whole_jpeg(bytes: &[u8]) -> bool {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|w| w == marker);
    last([0xff, 0xd9]) > last([0xff, 0xda])
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;

    use super::*;

    #[test]
    fn a_jpeg_that_was_cut_off_is_no_picture() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("part.jpg");
        let data: Vec<u8> = (0..64 * 64).map(|i| (i * i % 251) as u8).collect();
        let mut bytes = Vec::new();
        JpegEncoder::new(&mut bytes)
            .write_image(&data, 64, 64, ExtendedColorType::L8)
            .expect("memory");
        std::fs::write(&path, &bytes).expect("writable");
        assert!(Picture::open(&path).is_ok());
        for share in [1, 50, 90, 99] {
            std::fs::write(&path, &bytes[..bytes.len() * share / 100]).expect("writable");
            let error = Picture::open(&path).expect_err("cut off").to_string();
            assert!(error.contains("part.jpg"), "{error}");
        }
    }

    #[test]
    fn pipes_and_devices_are_no_pictures() {
        let error = Picture::open(Path::new("/dev/zero"))
            .expect_err("no end")
            .to_string();
        assert!(error.contains("/dev/zero"), "{error}");
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let full = Path::new("/dev/full");
        let tiny = Picture::filled(2, 2, 1, 7);
        assert!(matches!(tiny.save_png(full), Err(PictureError::Write { .. })));
    }
}
