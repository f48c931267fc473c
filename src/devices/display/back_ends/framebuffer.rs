//! An old-style framebuffer (`/dev/fb0`), in the pixel format that it has. Written, not mapped: drivers that
//! have to be told about new pixels see a write.
// Asking for the format takes two ioctls that no safe wrapper has.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use embedded_graphics::prelude::*;
use rustix::ioctl::{Getter, ioctl};

use super::{DisplayError, Screen};
use crate::devices::display::Canvas;

const FBIOGET_VSCREENINFO: u32 = 0x4600;
const FBIOGET_FSCREENINFO: u32 = 0x4602;

/// `struct fb_bitfield` of linux/fb.h
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Bits {
    offset: u32,
    length: u32,
    msb_right: u32,
}

/// `struct fb_var_screeninfo`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Variable {
    width: u32,
    height: u32,
    virtual_size: [u32; 2],
    offset: [u32; 2],
    bits_per_pixel: u32,
    greyscale: u32,
    red: Bits,
    green: Bits,
    blue: Bits,
    rest: [u32; 23],
}

/// `struct fb_fix_screeninfo`; `usize` is C's `unsigned long`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Fixed {
    id: [u8; 16],
    memory: usize,
    memory_length: u32,
    kind: [u32; 3],
    pan: [u16; 3],
    line_length: u32,
    io: usize,
    io_length: u32,
    accelerator: u32,
    capabilities: [u16; 3],
}

const _: () = assert!(size_of::<Variable>() == 160, "as in linux/fb.h");
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Fixed>() == 80, "as in linux/fb.h");

/// Where red, green and blue are in a pixel.
#[derive(Clone, Copy, Debug)]
struct Format {
    bytes: usize,
    colours: [Bits; 3],
}

impl Format {
    /// The pixel of `0x00RRGGBB`, in the machine's byte order; the first `bytes` of it count.
    fn pixel(&self, rgb: u32) -> u32 {
        let part = |bits: &Bits, shift: u32| (((rgb >> shift) & 0xff) >> (8 - bits.length)) << bits.offset;
        self.colours
            .iter()
            .zip([16, 8, 0])
            .map(|(bits, shift)| part(bits, shift))
            .sum()
    }

    fn of(v: &Variable) -> Option<Self> {
        let colours = [v.red, v.green, v.blue];
        let fits = |b: &Bits| {
            (1..=8).contains(&b.length) && b.offset + b.length <= v.bits_per_pixel && b.msb_right == 0
        };
        let is_known = matches!(v.bits_per_pixel, 16 | 32) && v.greyscale == 0 && colours.iter().all(fits);
        is_known.then_some(Self {
            bytes: v.bits_per_pixel as usize / 8,
            colours,
        })
    }
}

#[derive(Debug)]
pub(super) struct Framebuffer {
    file: File,
    path: PathBuf,
    size: Size,
    format: Format,
    /// Bytes before the first visible pixel, and from line to line.
    start: u64,
    pitch: usize,
    bytes: Vec<u8>,
}

impl Framebuffer {
    pub(super) fn open(path: &Path) -> Result<Self, DisplayError> {
        let failed = |source| {
            let what = format!(
                "{}: is it a framebuffer, and may this user open it (group `video`)?",
                path.display()
            );
            DisplayError::System { what, source }
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(failed)?;
        // SAFETY: with this number the kernel writes a `struct fb_var_screeninfo`, which has this layout, or
        // fails
        let v = unsafe { ioctl(&file, Getter::<{ FBIOGET_VSCREENINFO as _ }, Variable>::new()) };
        let v = v.map_err(|e| failed(e.into()))?;
        // SAFETY: with this number the kernel writes a `struct fb_fix_screeninfo`, which has this layout, or
        // fails
        let f = unsafe { ioctl(&file, Getter::<{ FBIOGET_FSCREENINFO as _ }, Fixed>::new()) };
        let f = f.map_err(|e| failed(e.into()))?;
        let Some(format) = Format::of(&v) else {
            return Err(DisplayError::Device(format!(
                "{}: {} bits a pixel in this order are not supported; set it to RGB565 or XRGB8888 (`fbset \
                 -depth 32`)",
                path.display(),
                v.bits_per_pixel
            )));
        };
        let (pitch, row) = (f.line_length as usize, v.width as usize * format.bytes);
        let start =
            u64::from(v.offset[1]) * u64::from(f.line_length) + u64::from(v.offset[0]) * format.bytes as u64;
        let end = start + u64::from(v.height.saturating_sub(1)) * pitch as u64 + row as u64;
        if row == 0 || v.height == 0 || pitch < row || end > u64::from(f.memory_length) {
            let why = format!("{}: {v:?} does not fit its memory, {f:?}", path.display());
            return Err(DisplayError::Device(why));
        }
        let size = Size::new(v.width, v.height);
        log::info!(
            "display: {}, {}x{}, {} bits a pixel",
            path.display(),
            v.width,
            v.height,
            v.bits_per_pixel
        );
        Ok(Self {
            file,
            path: path.to_owned(),
            size,
            format,
            start,
            pitch,
            bytes: Vec::new(),
        })
    }
}

impl Screen for Framebuffer {
    fn size(&self) -> Size {
        self.size
    }

    fn show(&mut self, canvas: &Canvas) -> Result<(), DisplayError> {
        let row_bytes = self.size.width as usize * self.format.bytes;
        self.bytes
            .resize((self.size.height as usize - 1) * self.pitch + row_bytes, 0);
        for (line, row) in self.bytes.chunks_mut(self.pitch).zip(canvas.rows()) {
            for (to, rgb) in line.chunks_exact_mut(self.format.bytes).zip(row) {
                match to {
                    [a, b] => [*a, *b] = (self.format.pixel(*rgb) as u16).to_ne_bytes(),
                    to => to.copy_from_slice(&self.format.pixel(*rgb).to_ne_bytes()),
                }
            }
        }
        let what = || self.path.display().to_string();
        self.file
            .write_all_at(&self.bytes, self.start)
            .map_err(|source| DisplayError::System { what: what(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(offset: u32, length: u32) -> Bits {
        Bits {
            offset,
            length,
            msb_right: 0,
        }
    }

    fn screen(bits_per_pixel: u32, [red, green, blue]: [Bits; 3]) -> Variable {
        let (virtual_size, offset) = ([2, 2], [0, 0]);
        Variable {
            width: 2,
            height: 2,
            virtual_size,
            offset,
            bits_per_pixel,
            greyscale: 0,
            red,
            green,
            blue,
            rest: [0; 23],
        }
    }

    #[test]
    fn pixels_in_the_formats_that_there_are() {
        let rgb565 = Format::of(&screen(16, [bits(11, 5), bits(5, 6), bits(0, 5)])).expect("known");
        assert_eq!(rgb565.pixel(0xff_0000), 0xf800);
        assert_eq!(rgb565.pixel(0x00_ff00), 0x07e0);
        assert_eq!(rgb565.pixel(0x08_0408), 0x0821);
        let xrgb = Format::of(&screen(32, [bits(16, 8), bits(8, 8), bits(0, 8)])).expect("known");
        assert_eq!((xrgb.pixel(0x12_3456), xrgb.bytes), (0x12_3456, 4));
        let bgr = Format::of(&screen(32, [bits(0, 8), bits(8, 8), bits(16, 8)])).expect("known");
        assert_eq!(bgr.pixel(0x12_3456), 0x56_3412);
        assert!(Format::of(&screen(8, [bits(0, 8), bits(0, 8), bits(0, 8)])).is_none());
        assert!(
            Format::of(&screen(16, [bits(12, 5), bits(5, 6), bits(0, 5)])).is_none(),
            "out of the pixel"
        );
    }

    #[test]
    fn rows_go_where_the_driver_wants_them() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("fb");
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(&path)
            .expect("room");
        let format = Format::of(&screen(16, [bits(11, 5), bits(5, 6), bits(0, 5)])).expect("known");
        let size = Size::new(2, 2);
        let mut to = Framebuffer {
            file,
            path: path.clone(),
            size,
            format,
            start: 3,
            pitch: 6,
            bytes: Vec::new(),
        };
        let mut canvas = Canvas::new(size);
        canvas
            .clear(embedded_graphics::pixelcolor::Rgb888::RED)
            .expect("memory");
        to.show(&canvas).expect("room");
        let [low, high] = 0xf800u16.to_ne_bytes();
        let row = [low, high, low, high];
        let bytes = std::fs::read(&path).expect("written");
        assert_eq!(bytes, [&[0, 0, 0][..], &row, &[0, 0], &row].concat());
    }

    #[test]
    fn what_is_no_framebuffer_is_an_error() {
        for path in ["/dev/null", "/dev/there-is-none"] {
            let error = Framebuffer::open(Path::new(path))
                .expect_err("no framebuffer")
                .to_string();
            assert!(error.contains(path) && error.contains("video"), "{error}");
        }
    }
}
