//! What the camera saw last, and the last reject with its heat map.

use std::cmp::Reverse;

use beltwatch_vision::picture::resize::Resizer;
use beltwatch_vision::picture::{Picture, heatmap};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Circle, PrimitiveStyle, Rectangle};

use super::layout::{self, Layout};
use super::text::{self, Align};
use super::{Canvas, DARK, INK, MUTED, PANEL, View, fill};
use crate::devices::display::{LastReject, Reject};

pub(super) fn draw(canvas: &mut Canvas, view: &View, layout: &Layout) {
    let live = captioned(canvas, layout, layout.live, "CAMERA", "");
    match &view.live {
        Some(picture) => {
            show(canvas, live, picture);
        }
        None => text::block(canvas, "no picture", live, layout.small, MUTED, Align::Centre),
    }
    let reject = view.reject.as_ref();
    let number = reject.map_or(String::new(), |r| format!("{}", r.tag));
    let place = captioned(canvas, layout, layout.reject, "LAST DEFECT", &number);
    match reject {
        Some(reject) => {
            let place = show(
                canvas,
                place,
                &heatmap::overlay(&reject.seen.picture, &reject.seen.heat),
            );
            if let Some(worst) = worst(reject, place) {
                ring(canvas, place, worst);
            }
        }
        None => text::block(canvas, "none yet", place, layout.small, MUTED, Align::Centre),
    }
}

/// A place for a picture, below its caption.
fn captioned(
    canvas: &mut Canvas,
    layout: &Layout,
    place: Rectangle,
    caption: &str,
    number: &str,
) -> Rectangle {
    let (top, below) = layout::split_top(place, (layout.small * 2.0) as u32, 0);
    let name_width = text::width(caption, layout.small).ceil() as u32;
    let (name, rest) = layout::split_left(top, name_width, layout.gap);
    text::line(canvas, caption, name, layout.small, MUTED, Align::Left);
    if text::width(number, layout.small) <= rest.size.width as f32 {
        text::line(canvas, number, rest, layout.small, INK, Align::Right);
    }
    fill(canvas, below, PANEL);
    below
}

/// Where on the screen the most suspicious place of a reject is.
fn worst(reject: &LastReject, place: Rectangle) -> Option<Point> {
    let Reject { picture, heat } = &*reject.seen;
    let (at, _) = heat
        .iter()
        .enumerate()
        .max_by_key(|&(at, &value)| (value, Reverse(at)))?;
    let (x, y) = (at % picture.width.max(1), at / picture.width.max(1));
    let along = |at: usize, of: usize, side: u32| (at as u64 * u64::from(side) / of.max(1) as u64) as i32;
    let Size { width, height } = place.size;
    Some(place.top_left + Point::new(along(x, picture.width, width), along(y, picture.height, height)))
}

/// A spot of a few pixels is not seen from two metres; this is.
fn ring(canvas: &mut Canvas, place: Rectangle, centre: Point) {
    let diameter = place.size.width / 6;
    let thick = (diameter / 12).max(1);
    for (colour, width) in [(DARK, thick * 3), (INK, thick)] {
        let ring =
            Circle::with_center(centre, diameter).into_styled(PrimitiveStyle::with_stroke(colour, width));
        let Ok(()) = ring.draw(&mut canvas.clipped(&place));
    }
}

/// The picture as large as its place, in its own shape; where that is.
fn show(canvas: &mut Canvas, place: Rectangle, picture: &Picture) -> Rectangle {
    let (width, height) = (picture.width as u64, picture.height as u64);
    let room = place.size;
    if picture.data.is_empty() || picture.data.len() as u64 != width * height * picture.channels as u64 {
        return place;
    }
    let is_wide = width * u64::from(room.height) >= height * u64::from(room.width);
    let size = if is_wide {
        Size::new(room.width, (height * u64::from(room.width) / width) as u32)
    } else {
        Size::new((width * u64::from(room.height) / height) as u32, room.height)
    };
    if size.width == 0 || size.height == 0 {
        return place;
    }
    let place = layout::middle(place, size);
    let channels = picture.channels;
    let mut shown = Picture::filled(size.width as usize, size.height as usize, channels, 0);
    Resizer::default().resize(picture, &mut shown);
    for (y, row) in shown.data.chunks_exact(shown.width * channels).enumerate() {
        let rgb = row.chunks_exact(channels).map(|p| match p {
            [r, g, b] => u32::from_be_bytes([0, *r, *g, *b]),
            _ => u32::from(p[0]) * 0x01_0101,
        });
        canvas.write_row(place.top_left + Point::new(0, y as i32), rgb);
    }
    place
}
