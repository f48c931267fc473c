//! Which of a camera's formats and frame rates is taken, and why, in words.

use std::fmt;

use super::pixel::FourCc;
use crate::board::{Pixel, Wish};

/// A time between two frames, as the driver has it: `numerator / denominator` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Upper number.
    pub numerator: u32,
    /// Lower number.
    pub denominator: u32,
}

impl Interval {
    /// Frames a second; 0 where the driver says nothing of use.
    pub fn fps(self) -> f64 {
        if self.numerator == 0 {
            0.0
        } else {
            f64::from(self.denominator) / f64::from(self.numerator)
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fps", (self.fps() * 100.0).round() / 100.0)
    }
}

/// Sizes that a format comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// One.
    One(u32, u32),
    /// From, to, and in steps of, in pixels of width and height.
    Steps([u32; 3], [u32; 3]),
}

impl Sizes {
    fn has(self, width: u32, height: u32) -> bool {
        let within = |[from, to, step]: [u32; 3], v: u32| {
            (from..=to).contains(&v) && (v - from).is_multiple_of(step.max(1))
        };
        match self {
            Self::One(w, h) => (w, h) == (width, height),
            Self::Steps(w, h) => within(w, width) && within(h, height),
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(w, h) => write!(f, "{w}x{h}"),
            Self::Steps(w, h) => write!(f, "{}x{} to {}x{}", w[0], h[0], w[1], h[1]),
        }
    }
}

/// Frame rates of a format at the wanted size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rates {
    /// The driver does not say.
    Unknown,
    /// These.
    These(Vec<Interval>),
    /// Any between the shortest and the longest time.
    Between(Interval, Interval),
}

/// What a camera offers in one format.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The format.
    pub code: FourCc,
    /// Its sizes.
    pub sizes: Vec<Sizes>,
    /// Its rates at the wanted size.
    pub rates: Rates,
}

/// What is taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The format.
    pub pixel: Pixel,
    /// The driver's code for it.
    pub code: FourCc,
    /// The time between two frames, where the driver lets it be chosen.
    pub interval: Option<Interval>,
    /// Why, a line each: first what is taken, then what of each other format.
    pub reasons: Vec<String>,
}

/// Why nothing is taken.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ModeError {
    #[error(
        "it gives Bayer mosaics only ({0}): this is a sensor without its image processor. Use it through \
         libcamera: `libcamerify beltwatch ...`, or use a USB camera"
    )]
    Bayer(String),
    #[error("it gives none of GREY, YUYV, NV12, MJPEG and RGB3, only {0}")]
    Unknown(String),
    #[error("it does not give what the board file asks for: {}", .0.join("; "))]
    Unfit(Vec<String>),
}

/// A rate this much below the wanted one is still the wanted one: 30000/1001 is meant by 30.
const SLACK: f64 = 0.995;

/// Best first. Without losses before JPEG, whose artefacts differ from picture to picture; with more colour
/// before less.
fn preference(colour: bool) -> [(Pixel, &'static str); 5] {
    let (rgb, yuyv, nv12) = (
        "uncompressed, every pixel with its colour",
        "uncompressed",
        "uncompressed, a colour for four pixels",
    );
    let jpeg = "compressed: blocks and ringing that differ from picture to picture";
    let grey = "without colour";
    if colour {
        [
            (Pixel::Rgb3, rgb),
            (Pixel::Yuyv, yuyv),
            (Pixel::Nv12, nv12),
            (Pixel::Mjpeg, jpeg),
            (Pixel::Grey, grey),
        ]
    } else {
        let (one, plane, two, three) = (
            "grey as it is",
            "uncompressed, grey in one plane",
            "uncompressed, half of it unused",
            "uncompressed, twice too much",
        );
        [
            (Pixel::Grey, one),
            (Pixel::Nv12, plane),
            (Pixel::Yuyv, two),
            (Pixel::Rgb3, three),
            (Pixel::Mjpeg, jpeg),
        ]
    }
}

/// Takes the best format that has the size and the rate.
///
/// # Errors
/// There is none; it says what the camera has instead.
pub fn choose(offers: &[Offer], wish: &Wish) -> Result<Choice, ModeError> {
    let names = || {
        offers
            .iter()
            .map(|o| o.code.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    if !offers.iter().any(|o| Pixel::from_fourcc(o.code).is_some()) {
        let all_bayer = !offers.is_empty() && offers.iter().all(|o| o.code.is_bayer());
        let names = if offers.is_empty() {
            "nothing".to_owned()
        } else {
            names()
        };
        return Err(if all_bayer {
            ModeError::Bayer(names)
        } else {
            ModeError::Unknown(names)
        });
    }
    let mut taken: Option<Choice> = None;
    let mut others = Vec::new();
    for (pixel, quality) in preference(wish.colour) {
        let offer = offers.iter().find(|o| Pixel::from_fourcc(o.code) == Some(pixel));
        let verdict = match offer {
            None => Err("not offered".to_owned()),
            Some(_) if wish.pixel.is_some_and(|p| p != pixel) => {
                Err("the board file asks for another".to_owned())
            }
            Some(offer) => fit(offer, wish).map(|interval| (offer.code, interval)),
        };
        match (verdict, &taken) {
            (Ok(_), Some(better)) => others.push(format!("{pixel}: {quality}; {} is better", better.pixel)),
            (Ok((code, interval)), None) => {
                let rate =
                    interval.map_or_else(|| "at the driver's own rate".to_owned(), |i| format!("at {i}"));
                let why = if wish.pixel.is_some() {
                    "as the board file asks"
                } else {
                    quality
                };
                let reason = format!("{pixel} {}x{} {rate}: {why}", wish.width, wish.height);
                taken = Some(Choice {
                    pixel,
                    code,
                    interval,
                    reasons: vec![reason],
                });
            }
            (Err(why), _) => others.push(format!("{pixel}: {why}")),
        }
    }
    match taken {
        Some(mut choice) => {
            choice.reasons.append(&mut others);
            Ok(choice)
        }
        None => Err(ModeError::Unfit(others)),
    }
}

/// The slowest rate that is fast enough: fewer frames leave more of the bus and of the processor.
fn fit(offer: &Offer, wish: &Wish) -> Result<Option<Interval>, String> {
    let Wish {
        width, height, fps, ..
    } = *wish;
    if !offer.sizes.iter().any(|s| s.has(width, height)) {
        let sizes: Vec<_> = offer.sizes.iter().map(Sizes::to_string).collect();
        return Err(format!("no {width}x{height}, only {}", sizes.join(", ")));
    }
    let enough = |i: &Interval| i.fps() >= fps * SLACK;
    let too_slow = |best: Interval| format!("{width}x{height} at {best} at most, {fps} wanted");
    match &offer.rates {
        Rates::Unknown => Ok(None),
        Rates::These(rates) => {
            let slowest = rates
                .iter()
                .copied()
                .filter(enough)
                .min_by(|a, b| a.fps().total_cmp(&b.fps()));
            let fastest = rates.iter().copied().max_by(|a, b| a.fps().total_cmp(&b.fps()));
            slowest
                .map(Some)
                .ok_or_else(|| fastest.map_or_else(|| "no frame rate".to_owned(), too_slow))
        }
        Rates::Between(shortest, longest) => {
            let exact = Interval {
                numerator: 1000,
                denominator: (fps * 1000.0).round() as u32,
            };
            match () {
                () if !enough(shortest) => Err(too_slow(*shortest)),
                () if longest.fps() >= fps => Ok(Some(*longest)),
                () => Ok(Some(exact)),
            }
        }
    }
}

#[cfg(test)]
#[path = "mode_tests.rs"]
mod tests;
