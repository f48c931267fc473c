//! Where everything is.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// The parts of a screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    /// The line at the top: ready or not, recipe.
    pub(super) status: Rectangle,
    /// What is read from afar.
    pub(super) banner: Rectangle,
    /// Where there is an alarm.
    pub(super) alarm: Option<Rectangle>,
    /// What the camera saw last.
    pub(super) live: Rectangle,
    /// The last reject with its heat map.
    pub(super) reject: Rectangle,
    /// Counters.
    pub(super) figures: Rectangle,
    /// The trend of scores.
    pub(super) chart: Rectangle,
    /// Pixels between two things.
    pub(super) gap: u32,
    /// Capitals of the smallest text, in pixels.
    pub(super) small: f32,
}

impl Layout {
    /// For a screen of `size`; it works on any, and can be read from 320 x 240 or 240 x 320 on.
    pub(super) fn new(size: Size, has_alarm: bool) -> Self {
        let is_upright = size.height > size.width;
        let short = size.width.min(size.height);
        let gap = (short / 80).max(2);
        let small = (short as f32 / 34.0).max(6.0);
        let share =
            |landscape: u32, upright: u32| size.height * if is_upright { upright } else { landscape } / 1000;

        let all = Rectangle::new(Point::zero(), size);
        let (status, rest) = split_top(all, share(92, 72), 0);
        let (banner, rest) = split_top(rest, share(370, 265), gap);
        let (alarm, rest) = if has_alarm {
            let (alarm, rest) = split_top(rest, share(90, 62), gap);
            (Some(alarm), rest)
        } else {
            (None, rest)
        };
        let rest = shrink(rest, gap);
        let rest = Rectangle::new(
            rest.top_left - Point::new(0, gap as i32),
            rest.size + Size::new(0, gap),
        );
        let caption = (small * 2.0) as u32;
        let (pictures, rest) = if is_upright {
            let side = (rest.size.width.saturating_sub(gap) / 2).min(rest.size.height * 54 / 100);
            split_top(rest, side + caption, gap)
        } else {
            let side = rest
                .size
                .height
                .saturating_sub(caption)
                .min(rest.size.width * 32 / 100);
            split_left(rest, 2 * side + gap, 2 * gap)
        };
        let (live, reject) = split_left(pictures, pictures.size.width.saturating_sub(gap) / 2, gap);
        let (figures, chart) = split_top(
            rest,
            rest.size.height * if is_upright { 54 } else { 60 } / 100,
            gap,
        );
        Self {
            status,
            banner,
            alarm,
            live,
            reject,
            figures,
            chart,
            gap,
            small,
        }
    }
}

/// The top of a place, and what is left of it below a gap.
pub(super) fn split_top(place: Rectangle, height: u32, gap: u32) -> (Rectangle, Rectangle) {
    let height = height.min(place.size.height);
    let below = (height + gap).min(place.size.height);
    let rest_at = place.top_left + Size::new(0, below);
    let rest = Rectangle::new(rest_at, Size::new(place.size.width, place.size.height - below));
    (
        Rectangle::new(place.top_left, Size::new(place.size.width, height)),
        rest,
    )
}

/// The left of a place, and what is left of it after a gap.
pub(super) fn split_left(place: Rectangle, width: u32, gap: u32) -> (Rectangle, Rectangle) {
    let width = width.min(place.size.width);
    let after = (width + gap).min(place.size.width);
    let rest_at = place.top_left + Size::new(after, 0);
    let rest = Rectangle::new(rest_at, Size::new(place.size.width - after, place.size.height));
    (
        Rectangle::new(place.top_left, Size::new(width, place.size.height)),
        rest,
    )
}

/// The place without an edge of `by` pixels.
pub(super) fn shrink(place: Rectangle, by: u32) -> Rectangle {
    place.offset(-(by.min(place.size.width.min(place.size.height) / 2) as i32))
}

/// The largest square in the middle of a place.
pub(super) fn square(place: Rectangle) -> Rectangle {
    middle(place, Size::new_equal(place.size.width.min(place.size.height)))
}

/// A rectangle of `size` in the middle of a place that has room for it.
pub(super) fn middle(place: Rectangle, size: Size) -> Rectangle {
    let spare = place.size.saturating_sub(size);
    Rectangle::new(place.top_left + spare / 2, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_on_the_screen_and_nothing_over_another() {
        for (width, height) in [
            (320, 240),
            (480, 320),
            (800, 480),
            (1280, 800),
            (1920, 1080),
            (240, 320),
            (1080, 1920),
        ] {
            for has_alarm in [false, true] {
                let layout = Layout::new(Size::new(width, height), has_alarm);
                let screen = Rectangle::new(Point::zero(), Size::new(width, height));
                let Layout {
                    status,
                    banner,
                    alarm,
                    live,
                    reject,
                    figures,
                    chart,
                    ..
                } = layout;
                let all: Vec<_> = [status, banner, live, reject, figures, chart]
                    .into_iter()
                    .chain(alarm)
                    .collect();
                for (i, one) in all.iter().enumerate() {
                    assert_eq!(one.intersection(&screen), *one, "{width}x{height} {layout:?}");
                    assert!(
                        one.size.width * one.size.height > width * height / 80,
                        "{width}x{height} {i} {layout:?}"
                    );
                    assert!(
                        all[..i]
                            .iter()
                            .all(|other| other.intersection(one).is_zero_sized()),
                        "{width}x{height}"
                    );
                }
            }
        }
    }

    #[test]
    fn any_size_has_a_layout() {
        for (width, height) in [(0, 0), (1, 1), (0, 500), (500, 0), (16, 16), (4000, 3), (3, 4000)] {
            Layout::new(Size::new(width, height), true);
        }
    }
}
