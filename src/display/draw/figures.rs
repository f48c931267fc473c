//! Counters, rates, speed, margin.

use beltwatch_core::Cause;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::primitives::Rectangle;

use super::layout::{self, Layout};
use super::text::{self, Align};
use super::{CAUTION, Frame, INK, MUTED, PANEL, View, fill, words};

/// A verdict that comes with less time to spare is as good as late.
const TIGHT_MS: u128 = 5;

struct Figure {
    name: &'static str,
    value: String,
    colour: Rgb888,
}

pub(super) fn draw(frame: &mut Frame, view: &View, layout: &Layout) {
    let figures = figures(view);
    let place = layout.figures;
    let small = layout.small;
    let (causes, grid) = {
        let height = (small * 2.0) as u32;
        let (grid, causes) = layout::split_top(place, place.size.height.saturating_sub(height), 0);
        (causes, grid)
    };
    // a figure needs about so much room in one line
    let columns = (grid.size.width / (small * 17.0) as u32).clamp(1, 3);
    let rows = (figures.len() as u32).div_ceil(columns);
    let (mut cells, mut rest) = (Vec::new(), grid);
    for row in 0..rows {
        let (mut line, below) = layout::split_top(rest, rest.size.height / (rows - row), 0);
        for column in 0..columns {
            let (cell, right) = layout::split_left(line, line.size.width / (columns - column), 0);
            cells.push(cell);
            line = right;
        }
        rest = below;
    }
    for (figure, cell) in figures.iter().zip(cells) {
        draw_figure(frame, figure, cell, layout);
    }
    text::line(frame, &by_cause(view), causes, small, MUTED, Align::Left);
}

fn draw_figure(frame: &mut Frame, figure: &Figure, cell: Rectangle, layout: &Layout) {
    let small = layout.small;
    let (cell, _) = layout::split_top(cell, cell.size.height.saturating_sub(1).max(1), 0);
    if cell.size.height as f32 > small * 4.2 {
        let (cell, _) = layout::split_top(cell, cell.size.height.saturating_sub(layout.gap), 0);
        let (cell, _) = layout::split_left(cell, cell.size.width.saturating_sub(layout.gap), 0);
        fill(frame, cell, PANEL);
        let inner = layout::shrink(cell, layout.gap);
        let (name, value) = layout::split_top(inner, (small * 1.6) as u32, 0);
        text::line(frame, figure.name, name, small * 0.8, MUTED, Align::Left);
        text::line(frame, &figure.value, value, small * 1.9, figure.colour, Align::Left);
    } else {
        let (cell, _) = layout::split_left(cell, cell.size.width.saturating_sub(layout.gap), 0);
        let (name, value) = layout::split_left(cell, cell.size.width * 52 / 100, layout.gap);
        text::line(frame, figure.name, name, small, MUTED, Align::Left);
        text::line(frame, &figure.value, value, small * 1.25, figure.colour, Align::Right);
    }
}

fn figures(view: &View) -> Vec<Figure> {
    let counters = &view.counters;
    let rejected = counters.rejected.total();
    let decided = counters.passed + counters.bypassed + rejected;
    let rate = if decided == 0 { 0.0 } else { rejected as f64 * 100.0 / decided as f64 };
    let margin = view.margin.map_or("–".to_owned(), |m| format!("{} ms", m.as_millis()));
    let is_tight = view.margin.is_some_and(|m| m.as_millis() < TIGHT_MS);
    let figure = |name, value| Figure { name, value, colour: INK };
    vec![
        figure("PARTS", grouped(counters.triggers)),
        figure("PARTS/MIN", view.parts_per_minute.map_or("–".to_owned(), |p| format!("{p:.0}"))),
        figure("REJECTED", grouped(rejected)),
        figure("REJECT RATE", format!("{rate:.1} %")),
        figure("PASSED", grouped(counters.passed)),
        Figure { name: "MARGIN", value: margin, colour: if is_tight { CAUTION } else { INK } },
    ]
}

/// Rejects by cause, the causes that there were.
fn by_cause(view: &View) -> String {
    let mut rejected = view.counters.rejected;
    let counts = Cause::ALL.into_iter().map(|c| (words::cause(c), *rejected.of(c)));
    let bypassed = ("Let through", view.counters.bypassed);
    let all = counts.chain([bypassed]).filter(|&(_, count)| count > 0);
    let texts: Vec<String> = all.map(|(cause, count)| format!("{cause} {}", grouped(count))).collect();
    if texts.is_empty() { "No rejects".to_owned() } else { texts.join(" · ") }
}

/// A number in groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let mut groups: Vec<&str> = tail.as_bytes().chunks(3).filter_map(|g| std::str::from_utf8(g).ok()).collect();
    if !head.is_empty() {
        groups.insert(0, head);
    }
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_groups() {
        let numbers = [0, 7, 999, 1000, 123_456, 1_234_567];
        assert_eq!(numbers.map(grouped), ["0", "7", "999", "1 000", "123 456", "1 234 567"]);
    }

    #[test]
    fn causes_that_there_were() {
        let mut view = View::default();
        assert_eq!(by_cause(&view), "No rejects");
        (view.counters.rejected.defect, view.counters.rejected.no_image, view.counters.bypassed) = (1200, 3, 9);
        assert_eq!(by_cause(&view), "Defect 1 200 · No picture 3 · Let through 9");
    }

    #[test]
    fn the_rate_counts_parts_that_are_decided() {
        let mut view = View::default();
        view.counters.triggers = 9;
        (view.counters.passed, view.counters.bypassed, view.counters.rejected.manual) = (4, 2, 2);
        assert_eq!(figures(&view)[3].value, "25.0 %");
        assert_eq!(figures(&View::default())[3].value, "0.0 %");
    }
}
