//! What the camera saw last, and the last reject with its heat map.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::layout::{self, Layout};
use super::text::{self, Align};
use super::{Frame, INK, MUTED, PANEL, View, fill};
use crate::heatmap;
use crate::picture::Picture;

pub(super) fn draw(frame: &mut Frame, view: &View, layout: &Layout) {
    let live = captioned(frame, layout, layout.live, "CAMERA", "");
    match &view.live {
        Some(picture) => show(frame, live, picture),
        None => text::block(frame, "no picture", live, layout.small, MUTED, Align::Centre),
    }
    let reject = view.reject.as_ref();
    let number = reject.map_or(String::new(), |r| format!("{}", r.tag));
    let place = captioned(frame, layout, layout.reject, "LAST DEFECT", &number);
    match reject {
        Some(reject) => show(frame, place, &heatmap::overlay(&reject.seen.picture, &reject.seen.heat)),
        None => text::block(frame, "none yet", place, layout.small, MUTED, Align::Centre),
    }
}

/// A place for a picture, below its caption.
fn captioned(frame: &mut Frame, layout: &Layout, place: Rectangle, caption: &str, number: &str) -> Rectangle {
    let (top, below) = layout::split_top(place, (layout.small * 2.0) as u32, 0);
    let name_width = text::width(caption, layout.small).ceil() as u32;
    let (name, rest) = layout::split_left(top, name_width, layout.gap);
    text::line(frame, caption, name, layout.small, MUTED, Align::Left);
    if rest.size.width > 4 * layout.gap {
        text::line(frame, number, rest, layout.small, INK, Align::Right);
    }
    fill(frame, below, PANEL);
    below
}

/// The picture as large as its place, in its own shape.
fn show(frame: &mut Frame, place: Rectangle, picture: &Picture) {
    let (width, height) = (picture.width as u64, picture.height as u64);
    let room = place.size;
    if picture.data.is_empty() || picture.data.len() as u64 != width * height * picture.channels as u64 {
        return;
    }
    let is_wide = width * u64::from(room.height) >= height * u64::from(room.width);
    let size = if is_wide {
        Size::new(room.width, (height * u64::from(room.width) / width) as u32)
    } else {
        Size::new((width * u64::from(room.height) / height) as u32, room.height)
    };
    let place = layout::middle(place, size);
    let Some(pixels) = resized(picture, size) else { return };
    let channels = picture.channels;
    let row_length = size.width as usize * channels;
    for (y, row) in pixels.chunks_exact(row_length.max(1)).enumerate() {
        let rgb = row.chunks_exact(channels).map(|p| match p {
            [r, g, b] => u32::from_be_bytes([0, *r, *g, *b]),
            _ => u32::from(p[0]) * 0x01_0101,
        });
        frame.write_row(place.top_left + Point::new(0, y as i32), rgb);
    }
}

fn resized(picture: &Picture, size: Size) -> Option<Vec<u8>> {
    let pixel = if picture.channels == 1 { PixelType::U8 } else { PixelType::U8x3 };
    let from = ImageRef::new(picture.width as u32, picture.height as u32, &picture.data, pixel).ok()?;
    let mut to = Image::new(size.width, size.height, pixel);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
    Resizer::new().resize(&from, &mut to, &options).ok()?;
    Some(to.into_vec())
}
