//! Where a part lies, and where its pixels are then.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The largest turn that can be corrected, in degrees.
pub const MOST_TURN: f64 = 180.0;
/// The largest shift that can be corrected: one part in this many of the side.
pub const MOST_SHIFT_ONE_IN: usize = 8;
/// The search is started from turns this far apart, in degrees.
pub(super) const START_EVERY: f64 = 8.0;
/// Turns that are no farther apart than this, in 1/65536 radian, are of one pose.
const NEAR: i64 = (START_EVERY.to_radians() * 65_536.0 + 0.5) as i64;
/// A quarter turn in 1/65536 radian.
const QUARTER: i64 = 102_944;

/// What is corrected: `[position]` in a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionLimits {
    /// The largest shift along x and along y in pixels of the network's picture, 0 to an eighth of its side.
    pub shift: f64,
    /// The largest turn either way in degrees, 0 to 180.
    pub turn: f64,
}

/// Width and height of the camera's picture. It was stretched to the network's square, in which what is
/// turned is sheared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureShape {
    pub(super) width: i32,
    pub(super) height: i32,
}

impl Default for PictureShape {
    fn default() -> Self {
        Self { width: 1, height: 1 }
    }
}

impl PictureShape {
    /// Of a picture of that width and height, each from 1 to 65535.
    pub fn of([width, height]: [usize; 2]) -> Self {
        let side = |v: usize| v.clamp(1, 65_535) as i32;
        Self {
            width: side(width),
            height: side(height),
        }
    }

    /// Of pictures that were taught in those sizes; of several ones that of the first, from which the others
    /// differ little.
    pub fn of_taught(sizes: &[[usize; 2]]) -> Self {
        sizes.first().copied().map_or_else(Self::default, Self::of)
    }

    /// Width by height.
    pub fn aspect(self) -> f32 {
        self.width as f32 / self.height as f32
    }

    /// A length down the square, laid along it.
    pub(super) fn along(self, down: i64) -> i64 {
        down * i64::from(self.height) / i64::from(self.width)
    }

    /// A length along the square, laid down it.
    pub(super) fn down(self, along: i64) -> i64 {
        along * i64::from(self.width) / i64::from(self.height)
    }

    /// How much of a picture's pixels it shows again when it is turned by a quarter, at most.
    pub(super) fn in_common(self) -> f64 {
        f64::from(self.width.min(self.height)) / f64::from(self.width.max(self.height))
    }
}

/// Where a part lies: the point `p` of the reference is at `turn(p) + (x, y)`, both from the pictures'
/// centres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pose {
    /// To the right, in 1/65536 pixel of the network's picture.
    pub x: i32,
    /// Down, in 1/65536 pixel.
    pub y: i32,
    /// Clockwise as seen on a screen, in 1/65536 radian of the camera's picture.
    pub turn: i32,
    /// Of the camera's picture.
    pub shape: PictureShape,
}

impl Pose {
    /// Pixels to the right, pixels down, degrees clockwise, in a square.
    pub fn new(x: f64, y: f64, degrees: f64) -> Self {
        let fixed = |v: f64| (v * 65_536.0).round() as i32;
        Self {
            x: fixed(x),
            y: fixed(y),
            turn: fixed(degrees.to_radians()),
            shape: PictureShape::default(),
        }
    }

    /// The same in a picture of that shape.
    #[must_use]
    pub fn in_shape(self, shape: PictureShape) -> Self {
        Self { shape, ..self }
    }

    /// Where the reference lies from a picture of this pose.
    #[must_use]
    pub fn inverse(self) -> Self {
        let back = Self {
            turn: -self.turn,
            ..self
        };
        let [x, y] = back.turned()([self.x, self.y].map(i64::from)).map(|way| -(way >> 16) as i32);
        Self { x, y, ..back }
    }

    /// Which pixel of a picture of `side` x `side` shows each pixel of the reference, both counted row by
    /// row; `None` where it lies beyond the frame.
    pub fn places(self, side: usize) -> impl Iterator<Item = Option<usize>> {
        let line = self.lines(side);
        (0..side).map(line).flat_map(move |line| {
            (0..side).map(move |column| {
                let at = line.at(column).map(|v| (v + (1 << 15)) >> 16);
                let [column, row] = at.map(|v| usize::try_from(v).ok().filter(|&v| v < side));
                Some(row? * side + column?)
            })
        })
    }

    /// Which columns of each row of the reference lie within the frame of a picture of `side` x `side`.
    pub fn view(self, side: usize) -> impl Iterator<Item = Range<usize>> {
        (0..side)
            .map(self.lines(side))
            .map(move |line| line.moved(1 << 15).inside((side as i64) << 16, side))
    }

    /// How much of a picture of `side` x `side` pixels is still in view once it is brought to the reference's
    /// pose.
    pub fn in_view(self, side: usize) -> f64 {
        self.view(side).map(|columns| columns.len()).sum::<usize>() as f64 / (side * side).max(1) as f64
    }

    /// Whether the turns differ by no more than the starts of the coarsest search do.
    pub(super) fn is_near(self, other: Self) -> bool {
        let apart = (i64::from(self.turn) - i64::from(other.turn)).rem_euclid(4 * QUARTER);
        apart.min(4 * QUARTER - apart) <= NEAR
    }

    /// Whether it is the reference's own.
    pub(crate) fn is_in_place(self) -> bool {
        (self.x, self.y, self.turn) == (0, 0, 0)
    }

    /// Pixels to the right, pixels down.
    pub fn shift(self) -> [f64; 2] {
        [self.x, self.y].map(|v| f64::from(v) / 65_536.0)
    }

    /// Degrees clockwise.
    pub fn degrees(self) -> f64 {
        (f64::from(self.turn) / 65_536.0).to_degrees()
    }

    /// Cosine and sine of the turn in 1/65536, by their series: the C library's differ between machines.
    fn cos_sin(self) -> [i64; 2] {
        let quarters = (i64::from(self.turn) + QUARTER / 2).div_euclid(QUARTER);
        let turn = i64::from(self.turn) - quarters * QUARTER;
        let times_turn = |v: i64, over: i64| v * turn / (over << 16);
        let square = times_turn(turn, 2);
        let cube = times_turn(square, 3);
        let fourth = times_turn(cube, 4);
        let fifth = times_turn(fourth, 5);
        let (cos, sin) = (
            (1 << 16) - square + fourth - times_turn(fifth, 6),
            turn - cube + fifth,
        );
        match quarters.rem_euclid(4) {
            0 => [cos, sin],
            1 => [-sin, cos],
            2 => [-cos, -sin],
            _ => [sin, -cos],
        }
    }

    /// What ways to the right and down in the reference become here, in 1/65536.
    pub(super) fn turned(self) -> impl Fn([i64; 2]) -> [i64; 2] + Copy {
        let [cos, sin] = self.cos_sin();
        let (along, across) = (self.shape.along(sin), self.shape.down(sin));
        move |[right, down]| [cos * right - along * down, across * right + cos * down]
    }

    /// Where the rows of a reference of `side` x `side` pixels lie in a picture of that size.
    pub(super) fn lines(self, side: usize) -> impl Fn(usize) -> Line + Copy {
        let (turned, side) = (self.turned(), side as i64);
        move |row| {
            // from the centre in half pixels to the first pixel's own centre
            let [x, y] =
                turned([1 - side, 2 * row as i64 + 1 - side]).map(|way| (side << 15) - (1 << 15) + way / 2);
            Line {
                first: [i64::from(self.x) + x, i64::from(self.y) + y],
                step: turned([1, 0]),
            }
        }
    }

    pub(super) fn within(self, limits: Self) -> Self {
        let clamp = |v: i32, most: i32| v.clamp(-most, most);
        Self {
            x: clamp(self.x, limits.x),
            y: clamp(self.y, limits.y),
            turn: clamp(self.turn, limits.turn),
            ..self
        }
    }
}

/// Places in a picture at equal steps, column and row in 1/65536 pixel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) first: [i64; 2],
    pub(super) step: [i64; 2],
}

impl Line {
    #[inline(always)]
    pub(super) fn at(self, number: usize) -> [i64; 2] {
        [0, 1].map(|axis| self.first[axis] + number as i64 * self.step[axis])
    }

    /// The same places, moved along both axes.
    #[inline(always)]
    pub(super) fn moved(self, by: i64) -> Self {
        Self {
            first: self.first.map(|p| p + by),
            ..self
        }
    }

    /// Which of the first `count` places lie from 0 up to, but not at, `end` along both axes.
    pub(super) fn inside(self, end: i64, count: usize) -> Range<usize> {
        let along = |first: i64, step: i64| match step.signum() {
            0 if (0..end).contains(&first) => 0..count as i64,
            0 => 0..0,
            1 => -first.div_euclid(step)..(end - 1 - first).div_euclid(step) + 1,
            _ => (first - end).div_euclid(-step) + 1..first.div_euclid(-step) + 1,
        };
        let [x, y] = [0, 1].map(|axis| along(self.first[axis], self.step[axis]));
        let [from, to] =
            [x.start.max(y.start), x.end.min(y.end)].map(|number| number.clamp(0, count as i64) as usize);
        from..to.max(from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cosine_and_sine_are_near_enough() {
        for degrees in [
            -180.0, -137.0, -90.0, -45.1, -44.9, -20.0, -7.3, 0.0, 0.01, 5.0, 44.9, 45.1, 90.0, 179.0,
        ] {
            let [cos, sin] = Pose::new(0.0, 0.0, degrees)
                .cos_sin()
                .map(|v| v as f64 / 65_536.0);
            let exact = f64::to_radians(degrees);
            assert!(
                (cos - exact.cos()).abs() < 5e-5 && (sin - exact.sin()).abs() < 5e-5,
                "{degrees}: {cos} {sin}"
            );
        }
    }

    proptest! {
        #[test]
        fn places_inside_are_all_those_that_are(
            first in prop::array::uniform2(-900i64..900),
            step in prop::array::uniform2(-70i64..70),
            end in 0i64..500,
        ) {
            let line = Line { first, step };
            let is_inside = |&n: &usize| line.at(n).iter().all(|p| (0..end).contains(p));
            let inside: Vec<usize> = (0..40).filter(is_inside).collect();
            let found: Vec<usize> = line.inside(end, 40).collect();
            prop_assert_eq!(found, inside);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_view_is_where_places_are(
            shape in prop::sample::select(vec![[1, 1], [16, 9], [65_535, 1]]),
            x in -40.0f64..40.0,
            y in -40.0f64..40.0,
            degrees in -180.0f64..180.0,
        ) {
            let pose = Pose::new(x, y, degrees).in_shape(PictureShape::of(shape));
            let there: Vec<bool> = pose.places(32).map(|place| place.is_some()).collect();
            let view = pose.view(32).flat_map(|columns| (0..32).map(move |column| columns.contains(&column)));
            prop_assert!(view.eq(there), "{pose:?}");
        }
    }
}
