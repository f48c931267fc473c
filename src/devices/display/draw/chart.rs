//! The scores of the last parts against the threshold.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::layout::{self, Layout};
use super::text::{self, Align};
use super::{BAD, CAUTION, Canvas, INK, MUTED, PANEL, View, fill};
use crate::devices::display::{TREND, TrendPoint};

const PASSED: Rgb888 = Rgb888::new(64, 190, 150);

pub(super) fn draw(canvas: &mut Canvas, view: &View, layout: &Layout) {
    let (caption, place) = layout::split_top(layout.chart, (layout.small * 1.8) as u32, 0);
    let mut limit = format!("LIMIT {:.2}", view.threshold.to_f64());
    let is_moved = view.threshold != view.taught_threshold;
    if is_moved {
        limit += &format!(" (TAUGHT {:.2})", view.taught_threshold.to_f64());
    }
    let (left, right) = layout::split_left(caption, caption.size.width / 2, layout.gap);
    text::line(canvas, "SCORES", left, layout.small, MUTED, Align::Left);
    text::line(
        canvas,
        &limit,
        right,
        layout.small,
        if is_moved { CAUTION } else { INK },
        Align::Right,
    );
    fill(canvas, place, PANEL);
    let place = layout::shrink(place, 1);
    // the newest part is at the right; the threshold is at half of the height
    let first = TREND.saturating_sub(view.trend.len());
    for (i, point) in view.trend.iter().rev().take(TREND).rev().enumerate() {
        bar(canvas, view, place, first + i, *point);
    }
    let thick = (layout.gap / 3).max(1);
    let middle = place.top_left.y + place.size.height as i32 / 2;
    let dash = (4 * layout.gap) as usize;
    for x in place.columns().step_by(dash) {
        let line = Rectangle::new(Point::new(x, middle), Size::new(dash as u32 * 5 / 8, thick));
        fill(canvas, line.intersection(&place), INK);
    }
}

fn bar(canvas: &mut Canvas, view: &View, place: Rectangle, slot: usize, point: TrendPoint) {
    let Size { width, height } = place.size;
    let from = slot as u32 * width / TREND as u32;
    let to = (slot as u32 + 1) * width / TREND as u32;
    let gap = u32::from(to - from >= 3);
    let column = |height_of: u32| {
        let size = Size::new((to - from - gap).max(1), height_of);
        Rectangle::new(
            place.top_left + Point::new(from as i32, (height - height_of) as i32),
            size,
        )
    };
    let Some(score) = point.score else {
        // no score: a gap where it passed, a hanging bar where it was rejected for something else
        if point.rejected {
            let (hanging, _) = layout::split_top(column(height), height / 4, 0);
            fill(canvas, hanging, CAUTION);
        }
        return;
    };
    let full = (2 * u32::from(view.threshold.0)).max(1);
    let tall = (u32::from(score.0).min(full) * height / full).max(2).min(height);
    fill(canvas, column(tall), if point.rejected { BAD } else { PASSED });
    if point.rejected {
        let (cap, _) = layout::split_top(column(tall), (height / 16).max(2), 0);
        fill(canvas, cap, INK);
    }
}
