//! What a screen shows, as plain data.

use std::sync::Arc;
use std::time::Duration;

use beltwatch_core::{Alarm, Counters, Fault, State, Verdict};
use beltwatch_vision::judge::score::Score;
use beltwatch_vision::picture::Picture;

/// Parts in the trend of scores.
pub const TREND: usize = 60;

/// Everything that is on the screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// What people call the station.
    pub station: String,
    /// The recipe's product and hash.
    pub recipe: String,
    /// Scores above it are rejected.
    pub threshold: Score,
    /// The recipe's own, which an operator may have moved.
    pub taught_threshold: Score,
    /// Ready or not, and why.
    pub state: State,
    /// The program has ended: what stays on a panel then must not look alive.
    pub ended: bool,
    /// Every part goes on, whatever its verdict.
    pub bypassed: bool,
    /// What is wrong now.
    pub faults: Vec<Fault>,
    /// What people are called for now.
    pub alarms: Vec<Alarm>,
    /// The part that was decided last.
    pub last: Option<LastPart>,
    /// What the camera saw last.
    pub live: Option<Arc<Picture>>,
    /// The last part that was rejected for what was seen on it.
    pub reject: Option<LastReject>,
    /// Since they were set to zero.
    pub counters: Counters,
    /// The belt's present speed in parts a minute.
    pub parts_per_minute: Option<f64>,
    /// The last [`TREND`] parts, the oldest first.
    pub trend: Vec<TrendPoint>,
    /// From the verdict to its deadline: the shortest of the parts in the trend.
    pub margin: Option<Duration>,
}

/// A part whose fate is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastPart {
    /// Its number.
    pub tag: u32,
    /// What it got.
    pub verdict: Verdict,
    /// Whether it went on all the same.
    pub bypassed: bool,
    /// What the inspection found, if it was asked.
    pub score: Option<Score>,
}

/// A part in the trend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrendPoint {
    /// What the inspection found, if it was asked.
    pub score: Option<Score>,
    /// Whether the part was rejected, whatever for.
    pub rejected: bool,
}

/// A rejected part for the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastReject {
    /// Its number.
    pub tag: u32,
    /// What the inspection found.
    pub score: Score,
    /// What it looked like.
    pub seen: Arc<Reject>,
}

/// A rejected part as the network saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The network's input.
    pub picture: Picture,
    /// A value a pixel: what is wrong where; the threshold stands at 128.
    pub heat: Vec<u8>,
}
