//! What a camera's buffer may hold, in each format.
#![no_main]

use beltwatch::board::Pixel;
use beltwatch::devices::capture::v4l2::{Coding, Layout, Matrix, Range};

const PIXELS: [Pixel; 5] = [Pixel::Grey, Pixel::Yuyv, Pixel::Nv12, Pixel::Rgb3, Pixel::Mjpeg];

libfuzzer_sys::fuzz_target!(|input: (u8, u8, u8, u16, bool, &[u8])| {
    let (pixel, width, height, stride, colour, bytes) = input;
    let layout = Layout {
        pixel: PIXELS[usize::from(pixel) % PIXELS.len()],
        width: width.into(),
        height: height.into(),
        stride: stride.into(),
        coding: Coding {
            matrix: Matrix::Bt601,
            range: Range::Full,
        },
    };
    if let Ok(picture) = layout.picture(bytes, colour) {
        assert_eq!(
            picture.data.len(),
            picture.width * picture.height * picture.channels
        );
    }
});
