//! The screen: one design for every size, from a 320 x 240 panel to a full HD monitor, upright ones too.
//!
//! From two metres the banner counts: what happened to the last part, or why nothing is inspected. Every
//! state has a colour, a sign of its own shape and a word, so that none of the three has to be told from
//! another by colour alone.

mod banner;
mod chart;
mod figures;
mod layout;
mod pictures;
mod signs;
mod status;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};

use self::layout::Layout;
use super::text::{self, Align};
use super::{Canvas, View, words};

const BACKGROUND: Rgb888 = Rgb888::new(12, 16, 20);
const PANEL: Rgb888 = Rgb888::new(30, 37, 44);
const INK: Rgb888 = Rgb888::WHITE;
const MUTED: Rgb888 = Rgb888::new(166, 180, 192);
/// Green that leans to blue and red that leans to orange differ for red-green blind eyes too.
const GOOD: Rgb888 = Rgb888::new(0, 128, 92);
const BAD: Rgb888 = Rgb888::new(208, 28, 12);
const CAUTION: Rgb888 = Rgb888::new(255, 200, 0);
const OVERRIDE: Rgb888 = Rgb888::new(24, 96, 224);
const IDLE: Rgb888 = Rgb888::new(84, 96, 108);
const DARK: Rgb888 = Rgb888::new(10, 10, 10);

/// Draws the whole screen. The same view gives the same pixels on every machine.
pub fn draw(view: &View, canvas: &mut Canvas) {
    let layout = Layout::new(canvas.size(), !view.alarms.is_empty());
    fill(canvas, canvas.bounding_box(), BACKGROUND);
    status::draw(canvas, view, &layout);
    banner::draw(canvas, view, &layout);
    if let Some(place) = layout.alarm {
        alarm(canvas, view, place, &layout);
    }
    pictures::draw(canvas, view, &layout);
    figures::draw(canvas, view, &layout);
    chart::draw(canvas, view, &layout);
}

fn alarm(canvas: &mut Canvas, view: &View, place: Rectangle, layout: &Layout) {
    let Some(&first) = view.alarms.first() else { return };
    let more = match view.alarms.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    fill(canvas, place, CAUTION);
    let (sign, words) = layout::split_left(layout::shrink(place, layout.gap), place.size.height, layout.gap);
    signs::draw(canvas, signs::Sign::Warning, layout::square(sign), DARK, CAUTION);
    let text = format!("ALARM  {}{more}", words::alarm(first));
    let cap = place.size.height as f32 * 0.42;
    text::block(canvas, &text, words, cap, DARK, Align::Left);
}

fn fill(canvas: &mut Canvas, place: Rectangle, colour: Rgb888) {
    let Ok(()) = place.into_styled(PrimitiveStyle::with_fill(colour)).draw(canvas);
}
