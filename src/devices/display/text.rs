//! Text of any size. One typeface, bold, that is read from afar; sizes are heights of a capital letter in
//! pixels.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::Canvas;

static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    let font = include_bytes!("font/DejaVuSansCondensed-Bold.ttf");
    FontRef::try_from_slice(font).expect("the built-in font is checked by a test")
});
/// Line height of the font over the height of its capitals, both from its tables: (1901 + 483) / 1493.
const SCALE: f32 = 2384.0 / 1493.0;
/// Smaller capitals than this nobody can read on any panel.
const SMALLEST: f32 = 6.0;

/// Where in its place a line of text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Centre,
    Right,
}

/// The width of a line in pixels, `cap` pixels high.
pub(super) fn width(text: &str, cap: f32) -> f32 {
    let font = FONT.as_scaled(PxScale::from(cap * SCALE));
    let mut last = None;
    let advance = |c| {
        let id = font.glyph_id(c);
        let kern = last.replace(id).map_or(0.0, |last| font.kern(last, id));
        kern + font.h_advance(id)
    };
    text.chars().map(advance).sum()
}

/// The largest size up to `cap` in which the text is not wider than `room`, both in pixels.
pub(super) fn fit(text: &str, room: u32, cap: f32) -> f32 {
    let wide = width(text, cap);
    // a little less, so that rounding does not make it too wide again
    if wide <= room as f32 {
        cap
    } else {
        (cap * 0.999 * room as f32 / wide).max(SMALLEST)
    }
}

/// Draws a line in the middle of the height of its place, as large as fits there up to `cap`; what is too
/// long even in the smallest size is cut. Returns the size that it got.
pub(super) fn line(
    canvas: &mut Canvas,
    text: &str,
    place: Rectangle,
    cap: f32,
    colour: Rgb888,
    align: Align,
) -> f32 {
    let room = place.size.width;
    let cap = fit(text, room, cap.min(place.size.height as f32));
    let text = cut(text, room, cap);
    let spare = room as f32 - width(&text, cap);
    let x = place.top_left.x as f32
        + match align {
            Align::Left => 0.0,
            Align::Centre => spare / 2.0,
            Align::Right => spare,
        };
    // whole pixels: the edges of letters stay sharp
    let baseline = (place.top_left.y as f32 + (place.size.height as f32 + cap) / 2.0).round();
    draw(canvas, &text, x.round(), baseline, cap, colour);
    cap
}

/// Breaks a text into lines that are not wider than `room`, at its spaces (not at U+00A0) and line ends.
pub(super) fn wrap(text: &str, room: u32, cap: f32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let longer = if line.is_empty() {
                word.to_owned()
            } else {
                format!("{line} {word}")
            };
            if line.is_empty() || width(&longer, cap) <= room as f32 {
                line = longer;
            } else {
                lines.push(std::mem::replace(&mut line, word.to_owned()));
            }
        }
        lines.push(line);
    }
    lines
}

/// Draws a text that may take several lines, as large as fits up to `cap`, in the middle of its place's
/// height.
pub(super) fn block(
    canvas: &mut Canvas,
    text: &str,
    place: Rectangle,
    cap: f32,
    colour: Rgb888,
    align: Align,
) {
    const LEADING: f32 = 1.6;
    let Size { width: room, height } = place.size;
    let mut cap = cap;
    let lines = loop {
        let lines = wrap(text, room, cap);
        let tall = lines.len() as f32 * cap * LEADING <= height as f32;
        if (tall && lines.iter().all(|l| width(l, cap) <= room as f32)) || cap <= SMALLEST {
            break lines;
        }
        cap = (cap * 0.94).max(SMALLEST);
    };
    let pitch = cap * LEADING;
    let top = place.top_left.y as f32 + (height as f32 - lines.len() as f32 * pitch) / 2.0;
    for (i, text) in lines.iter().enumerate() {
        let at = Point::new(place.top_left.x, (top + i as f32 * pitch).round() as i32);
        line(
            canvas,
            text,
            Rectangle::new(at, Size::new(room, pitch.round() as u32)),
            cap,
            colour,
            align,
        );
    }
}

fn cut(text: &str, room: u32, cap: f32) -> String {
    if width(text, cap) <= room as f32 {
        return text.to_owned();
    }
    let mut text = text.to_owned();
    while text.pop().is_some() {
        let cut = format!("{}…", text.trim_end());
        if width(&cut, cap) <= room as f32 {
            return cut;
        }
    }
    String::new()
}

fn draw(canvas: &mut Canvas, text: &str, x: f32, baseline: f32, cap: f32, colour: Rgb888) {
    let scale = PxScale::from(cap * SCALE);
    let font = FONT.as_scaled(scale);
    let (mut pen, mut last) = (x, None);
    for c in text.chars() {
        let id = font.glyph_id(c);
        pen += last.replace(id).map_or(0.0, |last| font.kern(last, id));
        let glyph = Glyph {
            id,
            scale,
            position: point(pen, baseline),
        };
        if let Some(outline) = FONT.outline_glyph(glyph) {
            let corner = outline.px_bounds().min;
            outline.draw(|dx, dy, cover| {
                let (x, y) = (corner.x as i32 + dx as i32, corner.y as i32 + dy as i32);
                canvas.blend(x, y, colour, (cover.clamp(0.0, 1.0) * 255.0).round() as u8);
            });
        }
        pen += font.h_advance(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows and columns that hold something else than black.
    fn inked(canvas: &Canvas) -> (Vec<usize>, Vec<usize>) {
        let rows: Vec<&[u32]> = canvas.rows().collect();
        let columns = (0..rows[0].len())
            .filter(|&x| rows.iter().any(|r| r[x] != 0))
            .collect();
        (
            (0..rows.len())
                .filter(|&y| rows[y].iter().any(|&p| p != 0))
                .collect(),
            columns,
        )
    }

    #[test]
    fn sizes_are_heights_of_capitals_and_lines_stay_in_their_place() {
        let place = Rectangle::new(Point::new(10, 20), Size::new(200, 60));
        let mut canvas = Canvas::new(Size::new(300, 100));
        assert_eq!(
            line(&mut canvas, "HEM", place, 40.0, Rgb888::WHITE, Align::Right),
            40.0
        );
        let (rows, columns) = inked(&canvas);
        assert_eq!((rows.first(), rows.last()), (Some(&30), Some(&69)));
        assert!(*columns.last().expect("ink") < 210 && columns[0] > 80);
        let mut canvas = Canvas::new(Size::new(300, 100));
        let size = line(
            &mut canvas,
            "HEMHEMHEMHEM",
            place,
            40.0,
            Rgb888::WHITE,
            Align::Left,
        );
        assert!(size < 30.0 && inked(&canvas).1.iter().all(|x| (10..210).contains(x)));
        for room in 50..200 {
            assert_eq!(
                cut("BYPASS", room, fit("BYPASS", room, 90.0)),
                "BYPASS",
                "shrunk, not cut"
            );
        }
    }

    #[test]
    fn long_texts_are_broken_or_cut() {
        let room = width("camera gone:", 8.0).ceil() as u32;
        assert_eq!(
            wrap("camera gone: check its\ncable", room, 8.0),
            ["camera gone:", "check its", "cable"]
        );
        let long = "a name that is far too long for its place".repeat(3);
        assert!(
            cut(&long, 100, SMALLEST).ends_with('…') && width(&cut(&long, 100, SMALLEST), SMALLEST) <= 100.0
        );
        assert_eq!(cut("wide", 0, SMALLEST), "");
        let mut canvas = Canvas::new(Size::new(64, 20));
        let place = Rectangle::new(Point::new(0, 0), Size::new(64, 20));
        block(&mut canvas, &long, place, 12.0, Rgb888::WHITE, Align::Centre);
    }

    #[test]
    fn operators_read_their_own_language() {
        for c in "AZaz09äÖßéčŁğØЖяΩ→≤≥–…·%".chars() {
            assert_ne!(FONT.glyph_id(c).0, 0, "{c}");
        }
    }
}
