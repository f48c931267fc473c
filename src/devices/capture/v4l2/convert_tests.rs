use image::ImageEncoder;
use proptest::prelude::*;

use super::*;
use crate::devices::capture::v4l2::{Matrix, Range};

const FULL: Coding = Coding {
    matrix: Matrix::Bt601,
    range: Range::Full,
};
const LIMITED: Coding = Coding {
    matrix: Matrix::Bt601,
    range: Range::Limited,
};

fn layout(pixel: Pixel, width: usize, height: usize, stride: usize, coding: Coding) -> Layout {
    Layout {
        pixel,
        width,
        height,
        stride,
        coding,
    }
}

fn jpeg(width: usize, height: usize) -> Vec<u8> {
    let rgb: Vec<u8> = (0..width * height * 3).map(|i| (i * i / 7 % 251) as u8).collect();
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90)
        .write_image(&rgb, width as u32, height as u32, image::ExtendedColorType::Rgb8)
        .expect("memory");
    bytes
}

#[test]
fn padding_is_left_out() {
    let grey = layout(Pixel::Grey, 3, 2, 4, LIMITED)
        .picture(&[1, 2, 3, 99, 4, 5, 6], true)
        .expect("a picture");
    assert_eq!((grey.channels, grey.data), (1, vec![1, 2, 3, 4, 5, 6]));
    let bytes = [1, 2, 3, 4, 5, 6, 99, 7, 8, 9, 10, 11, 12];
    let rgb = layout(Pixel::Rgb3, 2, 2, 7, LIMITED)
        .picture(&bytes, true)
        .expect("a picture");
    assert_eq!(rgb.data, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let grey = layout(Pixel::Rgb3, 2, 2, 7, LIMITED)
        .picture(&bytes, false)
        .expect("a picture");
    assert_eq!(grey, rgb.with_channels(1));
}

#[test]
fn yuyv_is_converted_pair_by_pair() {
    // by hand, BT.601, full range: see the colours in `yuv.rs`
    let bytes = [100, 100, 0, 150, 255, 128, 76, 128, 9, 9];
    let pair = layout(Pixel::Yuyv, 2, 1, 4, FULL)
        .picture(&bytes, true)
        .expect("a picture");
    assert_eq!(pair.data, [131, 94, 50, 31, 0, 0]);
    let rows = layout(Pixel::Yuyv, 2, 2, 4, FULL)
        .picture(&bytes, true)
        .expect("a picture");
    assert_eq!(rows.data[6..], [255, 255, 255, 76, 76, 76]);
    let odd = layout(Pixel::Yuyv, 1, 2, 4, FULL)
        .picture(&bytes, true)
        .expect("a picture");
    assert_eq!(odd.data, [131, 94, 50, 255, 255, 255]);
    let grey = layout(Pixel::Yuyv, 2, 2, 4, LIMITED)
        .picture(&bytes, false)
        .expect("a picture");
    // 1.164383 * 84 = 97.81, below 0, above 255, 1.164383 * 60 = 69.86
    assert_eq!((grey.channels, grey.data), (1, vec![98, 0, 255, 70]));
}

#[test]
fn nv12_has_one_colour_for_four_pixels() {
    // three by three pixels in rows of five bytes, then two rows of two pairs
    let bytes = [
        100, 100, 0, 7, 7, 100, 0, 255, 7, 7, 0, 100, 100, 7, 7, 100, 150, 128, 128, 7, 128, 128, 100, 150,
    ];
    let picture = layout(Pixel::Nv12, 3, 3, 5, FULL)
        .picture(&bytes, true)
        .expect("a picture");
    let (coloured, dark) = ([131, 94, 50], [31, 0, 0]);
    let rows = [
        [coloured, coloured, [0; 3]],
        [coloured, dark, [255; 3]],
        [[0; 3], [100; 3], coloured],
    ];
    assert_eq!(picture.data, rows.as_flattened().as_flattened());
    let grey = layout(Pixel::Nv12, 3, 3, 5, FULL)
        .picture(&bytes, false)
        .expect("a picture");
    assert_eq!(grey.data, [100, 100, 0, 100, 0, 255, 0, 100, 100]);
}

#[test]
fn a_frame_that_is_cut_off_by_one_byte_is_short() {
    for (pixel, stride, needed) in [
        (Pixel::Grey, 6, 6 + 5),
        (Pixel::Yuyv, 12, 12 + 12),
        (Pixel::Nv12, 6, 6 * 2 + 6),
        (Pixel::Rgb3, 15, 15 + 15),
    ] {
        let layout = layout(pixel, 5, 2, stride, FULL);
        let bytes = vec![50; needed];
        assert!(layout.picture(&bytes, true).is_ok(), "{pixel}");
        let short = layout.picture(&bytes[1..], true);
        assert_eq!(short, Err(Flaw::Short(needed - 1, needed)), "{pixel}");
    }
    let overlapping = layout(Pixel::Yuyv, 5, 2, 11, FULL);
    assert!(overlapping.picture(&[0; 100], true).is_err());
}

#[test]
fn jpeg_is_decoded_at_the_streams_size_only() {
    let bytes = jpeg(40, 24);
    let decode = |width, height, colour| layout(Pixel::Mjpeg, width, height, 0, FULL).picture(&bytes, colour);
    let picture = decode(40, 24, true).expect("a picture");
    let reference = image::load_from_memory(&bytes).expect("a JPEG").into_rgb8();
    let furthest = picture
        .data
        .iter()
        .zip(reference.as_raw())
        .map(|(a, b)| a.abs_diff(*b))
        .max();
    assert!(
        furthest <= Some(3),
        "{furthest:?} away from another decoder's picture"
    );
    assert_eq!(decode(40, 24, false).expect("grey").channels, 1);
    assert_eq!(decode(48, 24, true), Err(Flaw::Size(40, 24, 48, 24)));
    assert!(decode(32, 24, true).is_err() && decode(40, 23, true).is_err());
    // drivers pad the buffer behind the picture's end
    let padded = [&bytes[..], &[0; 64]].concat();
    assert_eq!(
        layout(Pixel::Mjpeg, 40, 24, 0, FULL).picture(&padded, true),
        Ok(picture)
    );
    for length in [0, 1, 2, bytes.len() / 2, bytes.len() - 1] {
        let cut = layout(Pixel::Mjpeg, 40, 24, 0, FULL).picture(&bytes[..length], true);
        assert!(matches!(cut, Err(Flaw::Jpeg(_))), "{length}: {cut:?}");
    }
}

fn any_layout() -> impl Strategy<Value = Layout> {
    let pixel = prop::sample::select(Pixel::ALL.to_vec());
    let coding = prop::sample::select(vec![FULL, LIMITED]);
    (pixel, 0_usize..40, 0_usize..40, 0_usize..130, coding).prop_map(
        |(pixel, width, height, stride, coding)| Layout {
            pixel,
            width,
            height,
            stride,
            coding,
        },
    )
}

proptest! {
    #[test]
    fn whatever_the_bytes_it_is_a_picture_of_that_size_or_a_flaw(
        layout in any_layout(), bytes in prop::collection::vec(any::<u8>(), 0..4000), colour: bool,
    ) {
        match layout.picture(&bytes, colour) {
            Ok(picture) => {
                prop_assert!(bytes.len() >= layout.needed());
                prop_assert_eq!((picture.width, picture.height), (layout.width, layout.height));
                prop_assert_eq!(picture.data.len(), layout.width * layout.height * picture.channels);
            }
            Err(Flaw::Short(found, needed)) => {
                prop_assert!(found < needed || layout.width * layout.height == 0);
            }
            Err(_) => prop_assert_eq!(layout.pixel, Pixel::Mjpeg),
        }
    }

    #[test]
    fn extreme_sizes_do_not_overflow(
        pixel in prop::sample::select(Pixel::ALL.to_vec()), width in (usize::MAX >> 3)..(usize::MAX >> 2),
        height in 1_usize..usize::MAX >> 2, stride: usize,
    ) {
        let layout = layout(pixel, width, height, stride, FULL);
        prop_assert!(layout.picture(&[0; 64], true).is_err());
    }

    #[test]
    fn a_jpeg_with_spoilt_bytes_is_a_picture_or_a_flaw(
        spoilt in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()), colour: bool,
    ) {
        let mut bytes = jpeg(40, 24);
        for (place, value) in spoilt {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
            bytes.extend([0xff, 0xd9]);
        }
        if let Ok(picture) = layout(Pixel::Mjpeg, 40, 24, 0, FULL).picture(&bytes, colour) {
            prop_assert_eq!(picture.data.len(), 40 * 24 * picture.channels);
        }
    }
}
