//! Signs: each state has its own outline, and its own mark inside.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{
    Circle, Line, Polyline, PrimitiveStyle, PrimitiveStyleBuilder, Rectangle, StrokeAlignment, Triangle,
};

use super::{Canvas, fill, layout};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A circle with a tick.
    Pass,
    /// An octagon with a cross.
    Reject,
    /// A triangle with an exclamation mark.
    Warning,
    /// A bar with arrows: parts go through.
    Bypass,
    /// A circle with three dots.
    Waiting,
    /// A circle with a square.
    Stopped,
    /// An empty circle: nothing yet.
    Open,
}

/// Draws a sign in a square: its area in `ink`, its mark in `paper`.
pub(super) fn draw(canvas: &mut Canvas, sign: Sign, place: Rectangle, ink: Rgb888, paper: Rgb888) {
    let side = place.size.width;
    // a place in the square, in thousandths of its side
    let at = |x: i32, y: i32| place.top_left + Point::new(x * side as i32 / 1000, y * side as i32 / 1000);
    let mark = PrimitiveStyle::with_stroke(paper, (side * 130 / 1000).max(2));
    let disc = Circle::new(place.top_left, side);
    let filled = PrimitiveStyle::with_fill(ink);
    match sign {
        Sign::Pass => {
            let Ok(()) = disc.into_styled(filled).draw(canvas);
            let Ok(()) = Polyline::new(&[at(240, 520), at(430, 710), at(770, 310)])
                .into_styled(mark)
                .draw(canvas);
        }
        Sign::Reject => {
            octagon(canvas, place, ink);
            for (from, to) in [(at(290, 290), at(710, 710)), (at(710, 290), at(290, 710))] {
                let Ok(()) = Line::new(from, to).into_styled(mark).draw(canvas);
            }
        }
        Sign::Warning => {
            let Ok(()) = Triangle::new(at(500, 30), at(0, 950), at(1000, 950))
                .into_styled(filled)
                .draw(canvas);
            let thick = side as i32 * 130 / 1000;
            let stroke = |top: i32, bottom: i32| {
                let (from, to) = (
                    at(500, top) - Point::new(thick / 2, 0),
                    at(500, bottom) + Point::new(thick / 2, 0),
                );
                Rectangle::with_corners(from, to)
            };
            fill(canvas, stroke(330, 670), paper);
            fill(canvas, stroke(750, 870), paper);
        }
        Sign::Bypass => {
            let bar = Rectangle::with_corners(at(0, 160), at(999, 839));
            fill(canvas, bar, ink);
            for x in [170, 440] {
                let arrow = [at(x, 300), at(x + 240, 500), at(x, 700)];
                let Ok(()) = Polyline::new(&arrow).into_styled(mark).draw(canvas);
            }
        }
        Sign::Waiting => {
            let Ok(()) = disc.into_styled(filled).draw(canvas);
            for x in [250, 500, 750] {
                let dot = Circle::with_center(at(x, 500), side * 150 / 1000);
                let Ok(()) = dot.into_styled(PrimitiveStyle::with_fill(paper)).draw(canvas);
            }
        }
        Sign::Stopped => {
            let Ok(()) = disc.into_styled(filled).draw(canvas);
            fill(canvas, layout::middle(place, place.size * 40 / 100), paper);
        }
        Sign::Open => {
            let ring = PrimitiveStyleBuilder::new()
                .stroke_color(ink)
                .stroke_width((side * 110 / 1000).max(2))
                .stroke_alignment(StrokeAlignment::Inside);
            let Ok(()) = disc.into_styled(ring.build()).draw(canvas);
        }
    }
}

fn octagon(canvas: &mut Canvas, place: Rectangle, colour: Rgb888) {
    let side = place.size.width as i32;
    // 1 / (2 + sqrt 2) of the side is cut off at each corner
    let corner = side * 293 / 1000;
    for y in 0..side {
        let cut = (corner - y).max(corner - (side - 1 - y)).max(0);
        let row = Rectangle::new(
            place.top_left + Point::new(cut, y),
            Size::new((side - 2 * cut) as u32, 1),
        );
        fill(canvas, row, colour);
    }
}
