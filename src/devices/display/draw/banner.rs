//! What is read from afar: the last part's fate, or why nothing is inspected.

use beltwatch_core::Verdict;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::layout::{self, Layout};
use super::signs::{self, Sign};
use super::text::{self, Align};
use super::{BAD, CAUTION, Canvas, DARK, GOOD, IDLE, INK, OVERRIDE, View, fill, words};
use crate::devices::display::LastPart;

struct Banner {
    colour: Rgb888,
    ink: Rgb888,
    /// At its edges, where nothing is as it should be.
    stripes: Option<Rgb888>,
    sign: Sign,
    word: &'static str,
    /// Why, where that is one word or two.
    cause: Option<&'static str>,
    details: Vec<String>,
}

pub(super) fn draw(canvas: &mut Canvas, view: &View, layout: &Layout) {
    let banner = choose(view);
    let place = layout.banner;
    fill(canvas, place, banner.colour);
    let edge = place.size.height / 9;
    if let Some(colour) = banner.stripes {
        let (top, _) = layout::split_top(place, edge, 0);
        let (_, bottom) = layout::split_top(place, place.size.height - edge, 0);
        stripes(canvas, top, colour);
        stripes(canvas, bottom, colour);
    }
    let pad = place.size.height / 14;
    let inner = layout::shrink(place, edge + pad / 2);
    let side_by_side = place.size.width * 10 > place.size.height * 38;
    let (top, below) = if side_by_side {
        (inner, None)
    } else {
        let (top, below) = layout::split_top(inner, inner.size.height * 66 / 100, pad / 2);
        (top, Some(below))
    };
    let (sign, rest) = layout::split_left(top, top.size.height, 2 * pad);
    signs::draw(
        canvas,
        banner.sign,
        layout::square(sign),
        banner.ink,
        banner.colour,
    );
    let cap = place.size.height as f32 * 0.135;
    match below {
        None => {
            let (word, details) = layout::split_left(rest, rest.size.width * 57 / 100, 2 * pad);
            text::line(
                canvas,
                banner.word,
                word,
                place.size.height as f32 * 0.46,
                banner.ink,
                Align::Left,
            );
            let height = details.size.height * if banner.cause.is_some() { 56 } else { 0 } / 100;
            let (cause, details) = layout::split_top(details, height, 0);
            text::block(
                canvas,
                banner.cause.unwrap_or_default(),
                cause,
                cap * 1.5,
                banner.ink,
                Align::Left,
            );
            text::block(
                canvas,
                &banner.details.join("\n"),
                details,
                cap,
                banner.ink,
                Align::Left,
            );
        }
        Some(below) => {
            // a J reaches below its line
            let (word, _) = layout::split_top(rest, rest.size.height * 94 / 100, 0);
            text::line(
                canvas,
                banner.word,
                word,
                rest.size.height as f32 * 0.82,
                banner.ink,
                Align::Left,
            );
            let details = banner
                .cause
                .into_iter()
                .chain(banner.details.iter().map(String::as_str));
            let most_important: Vec<&str> = details.take(2).collect();
            text::block(
                canvas,
                &most_important.join(" · "),
                below,
                cap,
                banner.ink,
                Align::Left,
            );
        }
    }
}

fn choose(view: &View) -> Banner {
    let grey = |sign, word, detail: &str| Banner {
        colour: IDLE,
        ink: INK,
        stripes: None,
        sign,
        word,
        cause: None,
        details: vec![detail.to_owned()],
    };
    if view.ended {
        return grey(Sign::Stopped, "OFF", "The program has ended");
    }
    if let Some(&first) = view.faults.first() {
        let mut details = vec![words::fault(first).to_owned()];
        match view.faults.len() - 1 {
            0 => {}
            1 => details.push("and another fault".to_owned()),
            more => details.push(format!("and {more} other faults")),
        }
        return Banner {
            colour: CAUTION,
            ink: DARK,
            stripes: Some(DARK),
            sign: Sign::Warning,
            word: "FAULT",
            cause: None,
            details,
        };
    }
    if let Some((word, detail)) = words::waiting(view.state) {
        let sign = if word == "STOPPED" {
            Sign::Stopped
        } else {
            Sign::Waiting
        };
        return grey(sign, word, detail);
    }
    if view.bypassed {
        let mut details = vec!["Nothing is rejected".to_owned()];
        if let Some(LastPart {
            verdict: Verdict::Reject(cause),
            bypassed: true,
            ..
        }) = view.last
        {
            details.push(format!(
                "Last part: {}, let through",
                words::cause(cause).to_lowercase()
            ));
        }
        return Banner {
            colour: OVERRIDE,
            ink: INK,
            stripes: Some(INK),
            sign: Sign::Bypass,
            word: "BYPASS",
            cause: None,
            details,
        };
    }
    let Some(last) = view.last else {
        return Banner {
            colour: GOOD,
            ink: INK,
            stripes: None,
            sign: Sign::Open,
            word: "READY",
            cause: None,
            details: vec!["Waiting for the first part".to_owned()],
        };
    };
    let score = last.score.map(|score| {
        let sign = if score > view.threshold { ">" } else { "≤" };
        format!(
            "Score\u{a0}{:.2}\u{a0}{sign}\u{a0}{:.2}",
            score.to_f64(),
            view.threshold.to_f64()
        )
    });
    let part = format!("Part {}", last.tag);
    match last.verdict {
        Verdict::Pass => Banner {
            colour: GOOD,
            ink: INK,
            stripes: None,
            sign: Sign::Pass,
            word: "PASS",
            cause: None,
            details: score.into_iter().chain([part]).collect(),
        },
        Verdict::Reject(cause) => Banner {
            colour: BAD,
            ink: INK,
            stripes: None,
            sign: Sign::Reject,
            word: "REJECT",
            cause: Some(words::cause(cause)),
            details: score.into_iter().chain([part]).collect(),
        },
    }
}

/// Slanting stripes, as wide as the place is high.
fn stripes(canvas: &mut Canvas, place: Rectangle, colour: Rgb888) {
    let pitch = (2 * place.size.height).max(2) as i32;
    for y in place.rows() {
        let shift = y - place.top_left.y;
        let mut x = place.top_left.x - pitch + shift.rem_euclid(pitch);
        while x < place.top_left.x + place.size.width as i32 {
            let stripe = Rectangle::new(Point::new(x, y), Size::new(pitch as u32 / 2, 1));
            fill(canvas, stripe.intersection(&place), colour);
            x += pitch;
        }
    }
}
