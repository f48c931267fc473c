//! Counters, rates, speed, margin.

use beltwatch_core::Cause;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::Size;
use embedded_graphics::primitives::Rectangle;

use super::layout::{self, Layout};
use super::text::{self, Align};
use super::{CAUTION, Canvas, INK, MUTED, PANEL, View, fill, words};

/// A verdict that comes with less time to spare is as good as late.
const TIGHT_MS: u128 = 5;
/// Pixels that a name above a number needs at least.
const ROOMY_ROW: u32 = 28;

struct Figure {
    name: &'static str,
    value: String,
    colour: Rgb888,
}

pub(super) fn draw(canvas: &mut Canvas, view: &View, layout: &Layout) {
    let place = layout.figures;
    let causes_height = (layout.small * 2.0) as u32;
    let (grid, causes) = layout::split_top(place, place.size.height.saturating_sub(causes_height), 0);
    // names above their numbers where there is room, the most important ones in lines of their own elsewhere
    let is_roomy = grid.size.height >= ROOMY_ROW * 3;
    let figures = if is_roomy { figures(view) } else { important(view) };
    let columns = if is_roomy || grid.size.width >= grid.size.height * 4 {
        2
    } else {
        1
    };
    for (figure, cell) in figures.iter().zip(cells(grid, columns, figures.len() as u32)) {
        if is_roomy {
            tile(canvas, figure, cell, layout);
        } else {
            row(canvas, figure, cell, layout);
        }
    }
    text::line(canvas, &by_cause(view), causes, layout.small, MUTED, Align::Left);
}

/// Cells of the same size, row by row.
fn cells(grid: Rectangle, columns: u32, count: u32) -> Vec<Rectangle> {
    let rows = count.div_ceil(columns);
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
    cells
}

/// The name above the number.
fn tile(canvas: &mut Canvas, figure: &Figure, cell: Rectangle, layout: &Layout) {
    let height = cell.size.height as f32;
    let tile = Rectangle::new(
        cell.top_left,
        cell.size.saturating_sub(Size::new_equal(layout.gap)),
    );
    fill(canvas, tile, PANEL);
    let (_, inner) = layout::split_left(tile, layout.gap, 0);
    let (name, rest) = layout::split_top(inner, (height * 0.36) as u32, 0);
    let (value, _) = layout::split_top(rest, (height * 0.46) as u32, 0);
    text::line(canvas, figure.name, name, height * 0.19, MUTED, Align::Left);
    text::line(
        canvas,
        &figure.value,
        value,
        height * 0.38,
        figure.colour,
        Align::Left,
    );
}

/// The name beside the number.
fn row(canvas: &mut Canvas, figure: &Figure, cell: Rectangle, layout: &Layout) {
    let cap = layout.small.min(cell.size.height as f32 * 0.6);
    let name_width = text::width(figure.name, cap).ceil() as u32;
    let (cell, _) = layout::split_left(cell, cell.size.width.saturating_sub(2 * layout.gap), 0);
    let (name, value) = layout::split_left(cell, name_width, layout.gap);
    text::line(canvas, figure.name, name, cap, MUTED, Align::Left);
    text::line(
        canvas,
        &figure.value,
        value,
        cap * 1.2,
        figure.colour,
        Align::Right,
    );
}

fn figures(view: &View) -> Vec<Figure> {
    let rejected = view.counters.rejected.total();
    let figure = |name, value| Figure {
        name,
        value,
        colour: INK,
    };
    vec![
        figure("PARTS", grouped(view.counters.triggers)),
        figure("REJECTED", grouped(rejected)),
        figure("PASSED", grouped(view.counters.passed)),
        figure("REJECT RATE", format!("{:.1} %", reject_rate(view))),
        figure("PARTS/MIN", speed(view)),
        margin(view),
    ]
}

/// For a screen that has room for four.
fn important(view: &View) -> Vec<Figure> {
    let rejected = format!(
        "{}  {:.1} %",
        grouped(view.counters.rejected.total()),
        reject_rate(view)
    );
    let figure = |name, value| Figure {
        name,
        value,
        colour: INK,
    };
    vec![
        figure("PARTS", grouped(view.counters.triggers)),
        figure("REJ.", rejected),
        figure("PER MIN", speed(view)),
        margin(view),
    ]
}

/// Of the parts that are decided, in percent.
fn reject_rate(view: &View) -> f64 {
    let rejected = view.counters.rejected.total();
    let decided = view.counters.passed + view.counters.bypassed + rejected;
    if decided == 0 {
        0.0
    } else {
        rejected as f64 * 100.0 / decided as f64
    }
}

fn speed(view: &View) -> String {
    view.parts_per_minute
        .map_or("–".to_owned(), |p| format!("{p:.0}"))
}

fn margin(view: &View) -> Figure {
    let is_tight = view.margin.is_some_and(|m| m.as_millis() < TIGHT_MS);
    Figure {
        name: "MARGIN",
        value: view
            .margin
            .map_or("–".to_owned(), |m| format!("{} ms", m.as_millis())),
        colour: if is_tight { CAUTION } else { INK },
    }
}

/// Rejects by cause, the causes that there were.
fn by_cause(view: &View) -> String {
    let mut rejected = view.counters.rejected;
    let counts = Cause::ALL
        .iter()
        .copied()
        .map(|c| (words::cause(c), *rejected.of(c)));
    let bypassed = ("Let through", view.counters.bypassed);
    let all = counts.chain([bypassed]).filter(|&(_, count)| count > 0);
    let texts: Vec<String> = all
        .map(|(cause, count)| format!("{cause} {}", grouped(count)))
        .collect();
    if texts.is_empty() {
        "No rejects".to_owned()
    } else {
        texts.join(" · ")
    }
}

/// A number in groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let mut groups: Vec<&str> = tail
        .as_bytes()
        .chunks(3)
        .filter_map(|g| std::str::from_utf8(g).ok())
        .collect();
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
        assert_eq!(
            numbers.map(grouped),
            ["0", "7", "999", "1 000", "123 456", "1 234 567"]
        );
    }

    #[test]
    fn causes_that_there_were() {
        let mut view = View::default();
        assert_eq!(by_cause(&view), "No rejects");
        (
            view.counters.rejected.defect,
            view.counters.rejected.no_image,
            view.counters.bypassed,
        ) = (1200, 3, 9);
        assert_eq!(by_cause(&view), "Defect 1 200 · No picture 3 · Let through 9");
    }

    #[test]
    fn the_rate_counts_parts_that_are_decided() {
        let mut view = View::default();
        view.counters.triggers = 9;
        (
            view.counters.passed,
            view.counters.bypassed,
            view.counters.rejected.manual,
        ) = (4, 2, 2);
        assert_eq!(reject_rate(&view), 25.0);
        assert_eq!(reject_rate(&View::default()), 0.0);
    }
}
