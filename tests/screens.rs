//! The operator's screen in every state and size, against the pictures in `tests/screens/`, pixel by pixel.
//! After a wanted change `BELTWATCH_WRITE_SCREENS=1 cargo test --release --test screens` writes them anew:
//! look at them before a commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use beltwatch::devices::capture::{PartCamera, Rendered};
use beltwatch::devices::display::{Canvas, LastPart, LastReject, Reject, TREND, TrendPoint, View, draw};
use beltwatch_core::{Alarm, Cause, Counters, Fault, Rejected, State, Verdict};
use beltwatch_vision::judge::score::Score;
use beltwatch_vision::picture::Picture;
use beltwatch_vision::preprocess::Preprocessor;
use embedded_graphics::prelude::Size;

const SIZES: [(u32, u32); 4] = [(320, 240), (800, 480), (1920, 1080), (240, 320)];

/// Small and soft, so that the screens' files are small.
fn part(index: u64, defective: bool) -> Picture {
    let rendered = Rendered::with_defects(7, move |_| defective)
        .show(index)
        .expect("a rendered part")
        .picture;
    let mut small = Picture::default();
    Preprocessor::new(80, 3, &[])
        .apply(&rendered, &mut small)
        .expect("any size");
    small
}

/// A defective part, with a heat map of where it is not like a good one, as soft as the inspection's.
fn defect(index: u64) -> Reject {
    let (good, picture) = (part(index, false), part(index, true));
    let (good, bad) = (good.with_channels(1), picture.with_channels(1));
    let differs =
        |x: usize, y: usize| u32::from(good.at(x, y, 0).abs_diff(bad.at(x, y, 0)).saturating_sub(12));
    let (width, height) = (picture.width, picture.height);
    let around = |at: usize, end: usize| at.saturating_sub(1)..(at + 2).min(end);
    let heat = (0..width * height).map(|i| {
        let (x, y) = (i % width, i / width);
        let sum: u32 = around(y, height)
            .flat_map(|y| around(x, width).map(move |x| (x, y)))
            .map(|(x, y)| differs(x, y))
            .sum();
        (4 * sum).min(255) as u8
    });
    Reject {
        heat: heat.collect(),
        picture,
    }
}

fn running() -> View {
    let score = |i: usize| {
        Score::from_f64(if i % 23 == 9 {
            4.5
        } else {
            0.7 + (i * i % 17) as f64 / 30.0
        })
    };
    let trend = (0..TREND).map(|i| TrendPoint {
        score: (i != 30 && i != 31).then(|| score(i)),
        rejected: i % 23 == 9 || i == 31,
    });
    View {
        station: "Line 3".to_owned(),
        recipe: "bottle caps 3f9a21c0".to_owned(),
        threshold: Score::from_f64(2.0),
        taught_threshold: Score::from_f64(2.0),
        state: State::ContinuousExecution,
        last: Some(LastPart {
            tag: 18_204,
            verdict: Verdict::Pass,
            bypassed: false,
            score: Some(Score::from_f64(0.93)),
        }),
        live: Some(Arc::new(part(3, false))),
        reject: Some(LastReject {
            tag: 18_187,
            score: Score::from_f64(4.5),
            seen: Arc::new(defect(2)),
        }),
        counters: Counters {
            triggers: 18_207,
            passed: 17_951,
            rejected: Rejected {
                defect: 241,
                no_image: 9,
                spacing: 3,
                ..Rejected::default()
            },
            ..Counters::default()
        },
        parts_per_minute: Some(297.6),
        trend: trend.collect(),
        margin: Some(Duration::from_micros(311_400)),
        ..View::default()
    }
}

fn rejected() -> View {
    let tag = 18_205;
    let score = Score::from_f64(5.25);
    let mut view = running();
    let seen = defect(4);
    view.live = Some(Arc::new(seen.picture.clone()));
    view.reject = Some(LastReject {
        tag,
        score,
        seen: Arc::new(seen),
    });
    view.last = Some(LastPart {
        tag,
        verdict: Verdict::Reject(Cause::Defect),
        bypassed: false,
        score: Some(score),
    });
    view.trend.remove(0);
    view.trend.push(TrendPoint {
        score: Some(score),
        rejected: true,
    });
    view
}

fn states() -> Vec<(&'static str, View)> {
    let last = |cause| {
        Some(LastPart {
            tag: 18_206,
            verdict: Verdict::Reject(cause),
            bypassed: true,
            score: None,
        })
    };
    let mut bypass = running();
    (bypass.bypassed, bypass.last, bypass.counters.bypassed) = (true, last(Cause::Defect), 31);
    let fault = View {
        state: State::Error,
        faults: vec![Fault::Camera, Fault::GateLate],
        live: None,
        margin: None,
        parts_per_minute: Some(0.0),
        ..running()
    };
    let alarm = View {
        alarms: vec![Alarm::ConsecutiveRejects],
        margin: Some(Duration::from_millis(3)),
        taught_threshold: Score::from_f64(2.4),
        ..rejected()
    };
    let starting = View {
        station: "Line 3".to_owned(),
        recipe: "bottle caps 3f9a21c0".to_owned(),
        threshold: Score::from_f64(2.0),
        taught_threshold: Score::from_f64(2.0),
        state: State::Initialized,
        ..View::default()
    };
    vec![
        ("pass", running()),
        ("reject", rejected()),
        ("fault", fault),
        ("bypass", bypass),
        ("starting", starting),
        ("alarm", alarm),
    ]
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/screens")
        .join(name)
}

#[test]
fn every_state_in_every_size() {
    let write = std::env::var_os("BELTWATCH_WRITE_SCREENS").is_some();
    let mut wrong = Vec::new();
    for (state, view) in states() {
        for (width, height) in SIZES {
            let name = format!("{state}-{width}x{height}.png");
            let mut frame = Canvas::new(Size::new(width, height));
            draw(&view, &mut frame);
            let drawn = Picture {
                width: width as usize,
                height: height as usize,
                channels: 3,
                data: frame.to_rgb(),
            };
            if write {
                drawn
                    .save_png(&golden(&name))
                    .expect("tests/screens can be written");
                continue;
            }
            let wanted = Picture::open(&golden(&name)).map(|p| p.with_channels(3));
            if wanted.as_ref().is_ok_and(|wanted| *wanted == drawn) {
                continue;
            }
            let there = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
            drawn.save_png(&there).expect("the target folder can be written");
            let differ = wanted.map_or_else(|e| e.to_string(), |wanted| differing(&wanted, &drawn));
            wrong.push(format!(
                "{name}: {differ}; what is drawn now: {}",
                there.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn any_size_can_be_drawn() {
    for (width, height) in [
        (0, 0),
        (1, 1),
        (16, 16),
        (2000, 16),
        (16, 2000),
        (37, 53),
        (641, 359),
    ] {
        for (_, view) in states() {
            draw(&view, &mut Canvas::new(Size::new(width, height)));
        }
    }
}

#[test]
fn no_text_is_too_long() {
    let long = "a word and another ".repeat(40);
    let mut view = running();
    (view.recipe, view.station) = (long.clone(), long);
    view.faults = Fault::ALL.to_vec();
    view.counters.triggers = u64::MAX;
    view.threshold = Score(0);
    draw(&view, &mut Canvas::new(Size::new(320, 240)));
}

fn differing(wanted: &Picture, drawn: &Picture) -> String {
    let pixels = wanted.data.chunks_exact(3).zip(drawn.data.chunks_exact(3));
    format!("{} pixels differ", pixels.filter(|(a, b)| a != b).count())
}

#[test]
#[ignore = "a measurement"]
fn how_long_a_screen_takes() {
    for (state, view) in states() {
        for (width, height) in SIZES {
            let mut frame = Canvas::new(Size::new(width, height));
            let times = (0..30).map(|_| {
                let start = std::time::Instant::now();
                draw(&view, &mut frame);
                start.elapsed()
            });
            println!("{state} {width}x{height}: {:?}", times.min());
        }
    }
}
