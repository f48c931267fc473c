//! The line at the top: READY, FAULT, BYPASS; recipe and station.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::layout::{self, Layout};
use super::signs::{self, Sign};
use super::text::{self, Align};
use super::{CAUTION, Canvas, DARK, GOOD, IDLE, INK, MUTED, OVERRIDE, PANEL, View, fill};

pub(super) fn draw(canvas: &mut Canvas, view: &View, layout: &Layout) {
    fill(canvas, layout.status, PANEL);
    let mut rest = layout.status;
    let ready = view.state.is_ready() && !view.ended;
    rest = if ready {
        chip(canvas, rest, layout, (Sign::Pass, "READY"), (GOOD, INK))
    } else {
        chip(canvas, rest, layout, (Sign::Stopped, "NOT READY"), (IDLE, INK))
    };
    if !view.faults.is_empty() && !view.ended {
        rest = chip(canvas, rest, layout, (Sign::Warning, "FAULT"), (CAUTION, DARK));
    }
    if view.bypassed && !view.ended {
        rest = chip(canvas, rest, layout, (Sign::Bypass, "BYPASS"), (OVERRIDE, INK));
    }
    let rest = layout::shrink(rest, layout.gap);
    let cap = layout.status.size.height as f32 * 0.34;
    let station = format!("{}   ", view.station);
    let wide = text::width(&station, cap) + text::width(&view.recipe, cap);
    if wide <= rest.size.width as f32 {
        let (left, right) = layout::split_left(rest, rest.size.width / 2, 0);
        text::line(canvas, &view.station, left, cap, MUTED, Align::Left);
        text::line(canvas, &view.recipe, right, cap, INK, Align::Right);
    } else {
        text::line(canvas, &view.recipe, rest, cap, INK, Align::Right);
    }
}

/// Draws a sign and a word at the left of a place. Returns what is left of it.
fn chip(
    canvas: &mut Canvas,
    place: Rectangle,
    layout: &Layout,
    (sign, word): (Sign, &str),
    (colour, ink): (Rgb888, Rgb888),
) -> Rectangle {
    let Size { width: room, height } = place.size;
    let cap = height as f32 * 0.46;
    let pad = height / 4;
    let side = height * 62 / 100;
    let width = (pad + side + pad + text::width(word, cap).ceil() as u32 + 2 * pad).min(room);
    let (chip, rest) = layout::split_left(place, width, layout.gap);
    fill(canvas, chip, colour);
    let (_, inner) = layout::split_left(chip, pad, 0);
    let (left, right) = layout::split_left(inner, side, pad);
    signs::draw(canvas, sign, layout::square(left), ink, colour);
    let (right, _) = layout::split_left(right, right.size.width.saturating_sub(pad), 0);
    text::line(canvas, word, right, cap, ink, Align::Left);
    rest
}
