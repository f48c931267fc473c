//! The way of the belt over time: pieces of constant acceleration, and when it passes which place.

use std::sync::Arc;

use serde::Deserialize;

const SECOND: f64 = 1e9;

/// A ramp to a speed, and some time at it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leg {
    /// The speed; 0 is a stop, a negative one runs back.
    pub to_mm_s: f64,
    /// Time in which it is reached, at constant acceleration.
    #[serde(default)]
    pub ramp_ms: f64,
    /// Time for which it is held.
    #[serde(default)]
    pub hold_ms: f64,
}

/// A piece of constant acceleration in which the belt does not turn. Times are nanoseconds and ways
/// millimetres from the start of the cycle; the last piece of a course that does not repeat goes on for ever.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u64,
    length: u64,
    from: f64,
    to: f64,
    speed: f64,
    acceleration: f64,
}

impl Piece {
    fn way(&self, after: u64) -> f64 {
        let t = after as f64 / SECOND;
        self.from + t * (self.speed + 0.5 * self.acceleration * t)
    }

    /// When it has gone `distance` (positive) from its start, whichever way it goes.
    fn after(&self, distance: f64) -> u64 {
        let sign = if self.to >= self.from { 1.0 } else { -1.0 };
        let (v, a) = (self.speed * sign, self.acceleration * sign);
        let t = 2.0 * distance / (v + (v * v + 2.0 * a * distance).max(0.0).sqrt());
        ((t * SECOND).round().max(0.0) as u64).min(self.length)
    }
}

/// Where the belt is at every time.
#[derive(Clone, Debug)]
pub struct Course {
    pieces: Arc<[Piece]>,
    period: u64,
    advance: f64,
}

impl Course {
    /// The way by a profile's legs. A profile that repeats starts at its last speed, another at rest; where
    /// it does not repeat its last speed lasts.
    pub(crate) fn new(legs: &[Leg], repeat: bool) -> Self {
        let mut pieces = Vec::new();
        let (mut time, mut way) = (0, 0.0);
        let mut add = |speed: f64, acceleration: f64, length: u64| {
            if length > 0 {
                let mut piece = Piece {
                    start: time,
                    length,
                    from: way,
                    to: way,
                    speed,
                    acceleration,
                };
                piece.to = if length == u64::MAX {
                    f64::INFINITY
                } else {
                    piece.way(length)
                };
                (time, way) = (time.saturating_add(length), piece.to);
                pieces.push(piece);
            }
        };
        let mut speed = if repeat {
            legs.last().map_or(0.0, |l| l.to_mm_s)
        } else {
            0.0
        };
        for (i, leg) in legs.iter().enumerate() {
            let ramp = crate::nanos(leg.ramp_ms);
            if ramp > 0 {
                let acceleration = (leg.to_mm_s - speed) * SECOND / ramp as f64;
                if speed * leg.to_mm_s < 0.0 {
                    // the belt turns within the ramp
                    let turn = ((-speed / acceleration * SECOND).round() as u64).clamp(1, ramp - 1);
                    add(speed, -speed * SECOND / turn as f64, turn);
                    add(0.0, leg.to_mm_s * SECOND / (ramp - turn) as f64, ramp - turn);
                } else {
                    add(speed, acceleration, ramp);
                }
            }
            speed = leg.to_mm_s;
            let lasts = !repeat && i + 1 == legs.len();
            add(
                speed,
                0.0,
                if lasts {
                    u64::MAX
                } else {
                    crate::nanos(leg.hold_ms)
                },
            );
        }
        Self {
            pieces: pieces.into(),
            period: if repeat { time } else { u64::MAX },
            advance: if repeat { way } else { 0.0 },
        }
    }

    /// How far a cycle of a profile that repeats takes the belt, in millimetres; infinite where it does not
    /// repeat.
    pub(crate) fn advance(&self) -> f64 {
        if self.period == u64::MAX {
            self.pieces.last().map_or(0.0, |p| p.to)
        } else {
            self.advance
        }
    }

    /// The belt's place at `time` nanoseconds, in millimetres.
    pub fn way(&self, time: u64) -> f64 {
        let (cycle, within) = (time / self.period, time % self.period);
        let i = self.pieces.partition_point(|p| p.start <= within) - 1;
        cycle as f64 * self.advance + self.pieces[i].way(within - self.pieces[i].start)
    }
}

/// A piece of a course, in place and time of the whole.
#[derive(Clone, Debug)]
struct Cursor {
    course: Course,
    cycle: u64,
    index: usize,
}

impl Cursor {
    fn new(course: &Course) -> Self {
        Self {
            course: course.clone(),
            cycle: 0,
            index: 0,
        }
    }

    fn next(&mut self) {
        self.index += 1;
        if self.index == self.course.pieces.len() {
            (self.index, self.cycle) = (0, self.cycle + 1);
        }
    }

    fn from(&self) -> f64 {
        self.cycle as f64 * self.course.advance + self.course.pieces[self.index].from
    }

    fn to(&self) -> f64 {
        match self.course.pieces.get(self.index + 1) {
            Some(next) => self.cycle as f64 * self.course.advance + next.from,
            None if self.course.period == u64::MAX => f64::INFINITY,
            None => (self.cycle + 1) as f64 * self.course.advance,
        }
    }

    fn time(&self, distance: f64) -> u64 {
        let piece = &self.course.pieces[self.index];
        self.cycle * self.course.period + piece.start + piece.after(distance)
    }
}

/// When the belt is first as far as a place, asked for places that only grow.
#[derive(Clone, Debug)]
pub(crate) struct Reach(Cursor);

impl Reach {
    pub(crate) fn new(course: &Course) -> Self {
        Self(Cursor::new(course))
    }

    pub(crate) fn time(&mut self, place: f64) -> u64 {
        while self.0.to() < place {
            self.0.next();
        }
        self.0.time((place - self.0.from()).max(0.0))
    }
}

/// Marks along the belt, in order; the `n`th at the place that the function gives.
pub(crate) type Marks = Box<dyn Fn(i64) -> f64 + Send>;

/// A mark that passes a fixed place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Crossing {
    pub(crate) at: u64,
    pub(crate) mark: i64,
    pub(crate) forward: bool,
}

/// Every mark that passes, forward and backward, in order of time.
pub(crate) struct Crossings {
    cursor: Cursor,
    marks: Marks,
    /// Marks up to this one have passed.
    passed: i64,
    until: u64,
}

impl Crossings {
    /// `passed` is the last mark at or before the belt's start, place 0; it is looked no further than
    /// `until`.
    pub(crate) fn new(course: &Course, marks: Marks, passed: i64, until: u64) -> Self {
        Self {
            cursor: Cursor::new(course),
            marks,
            passed,
            until,
        }
    }

    /// The next one; `None` where none is left.
    pub(crate) fn next(&mut self) -> Option<Crossing> {
        loop {
            let (from, to) = (self.cursor.from(), self.cursor.to());
            if to >= from {
                let mark = (self.marks)(self.passed + 1);
                if mark <= to && mark.is_finite() {
                    self.passed += 1;
                    let at = self.cursor.time((mark - from).max(0.0));
                    return Some(Crossing {
                        at,
                        mark: self.passed,
                        forward: true,
                    });
                }
            } else {
                let mark = (self.marks)(self.passed);
                if mark > to {
                    self.passed -= 1;
                    let at = self.cursor.time((from - mark).max(0.0));
                    return Some(Crossing {
                        at,
                        mark: self.passed + 1,
                        forward: false,
                    });
                }
            }
            if to.is_infinite() || self.cursor.time(0.0) > self.until {
                return None;
            }
            self.cursor.next();
        }
    }
}

impl Course {
    /// Whether it never runs back.
    pub(crate) fn is_forward(&self) -> bool {
        self.pieces.iter().all(|p| p.to >= p.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(to_mm_s: f64, ramp_ms: f64, hold_ms: f64) -> Leg {
        Leg {
            to_mm_s,
            ramp_ms,
            hold_ms,
        }
    }

    /// From rest in 1 s to 100 mm/s, one second so, in 2 s to -100 mm/s, 0.25 s so, at once to 50 mm/s.
    fn there_and_back() -> Course {
        Course::new(
            &[
                leg(100.0, 1000.0, 1000.0),
                leg(-100.0, 2000.0, 250.0),
                leg(50.0, 0.0, 0.0),
            ],
            false,
        )
    }

    #[test]
    fn ways_by_hand() {
        let course = there_and_back();
        let ways = [0, 500, 1000, 2000, 3000, 4000, 4250, 5250].map(|ms| course.way(ms * 1_000_000));
        assert_eq!(ways, [0.0, 12.5, 50.0, 150.0, 200.0, 150.0, 125.0, 175.0]);
    }

    #[test]
    fn places_are_first_reached_by_hand() {
        let course = there_and_back();
        let mut reach = Reach::new(&course);
        let times = [12.5, 50.0, 100.0, 200.0, 225.0].map(|mm| reach.time(mm) as f64 / 1e6);
        assert_eq!(times, [500.0, 1000.0, 1500.0, 3000.0, 6250.0]);
    }

    #[test]
    fn marks_pass_both_ways() {
        let marks = Box::new(|n: i64| {
            if n < 0 {
                f64::NEG_INFINITY
            } else {
                140.0 + 20.0 * n as f64
            }
        });
        let mut crossings = Crossings::new(&there_and_back(), marks, -1, u64::MAX);
        let seen: Vec<_> = (0..7)
            .filter_map(|_| crossings.next())
            .map(|c| (c.mark, c.forward, c.at / 1_000_000))
            .collect();
        let by_hand = [(0, true, 1900), (1, true, 2105), (2, true, 2367), (3, true, 3000)];
        assert_eq!(seen[0], by_hand[0]);
        assert_eq!(
            seen.iter().map(|s| (s.0, s.1)).collect::<Vec<_>>(),
            [
                (0, true),
                (1, true),
                (2, true),
                (3, true),
                (3, false),
                (2, false),
                (1, false)
            ]
        );
        assert!(seen.windows(2).all(|w| w[0].2 <= w[1].2));
    }

    #[test]
    fn a_course_that_repeats_goes_on_as_it_began() {
        let course = Course::new(&[leg(0.0, 100.0, 50.0), leg(300.0, 100.0, 400.0)], true);
        assert_eq!(
            (course.advance(), course.way(100_000_000), course.way(650_000_000)),
            (150.0, 15.0, 150.0)
        );
        let mut reach = Reach::new(&course);
        for n in 0..50u64 {
            assert_eq!(reach.time(150.0 * n as f64 + 15.0), 650_000_000 * n + 100_000_000);
            assert!(
                (course.way(650_000_000 * n + 400_000_000) - course.advance() * n as f64 - 75.0).abs() < 1e-9
            );
        }
    }

    #[test]
    fn when_and_where_agree() {
        let course = Course::new(
            &[
                leg(500.0, 300.0, 400.0),
                leg(-80.0, 200.0, 100.0),
                leg(900.0, 700.0, 10.0),
            ],
            true,
        );
        let mut reach = Reach::new(&course);
        for n in 1..3000 {
            let (place, time) = (f64::from(n) * 0.7, reach.time(f64::from(n) * 0.7));
            let off = course.way(time) - place;
            assert!(off.abs() < 1e-6, "{place}: {off}");
        }
    }
}
