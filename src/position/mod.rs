//! Position correction: a part that lies shifted or turned is brought to where the reference lies, so that each pixel shows
//! the same place of every part.
//!
//! Rigid registration to a grey reference picture on a pyramid, by the inverse compositional algorithm (Baker and
//! Matthews, 2004) with errors clipped so that a defect or a missing component does not pull. The sums over pixels are
//! integers and the four unknowns are solved with + - * / alone, so that every processor finds the same pose. It starts from
//! turns all over the range. The number of operations is bounded; nothing is allocated after `new`.

mod align;
mod warp;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::picture::Picture;
use crate::team::Team;
use align::{Level, MOST_SIDE, Resolution};
use warp::Warp;

/// Sides of the pyramid, coarse to fine, with the registration steps at each and how many of the poses that were found go on
/// to the next. A side that does not divide the picture's is left out; 32 divides every recipe's.
const PYRAMID: [Resolution; 4] = [
    Resolution { side: 16, steps: 6, keep: 4 },
    Resolution { side: 32, steps: 6, keep: 1 },
    Resolution { side: 64, steps: 4, keep: 1 },
    Resolution { side: MOST_SIDE, steps: 4, keep: 1 },
];
/// The coarsest side is tried from turns this far apart, in degrees.
const START_EVERY: f64 = 8.0;
/// The largest turn that can be corrected, in degrees.
pub const MOST_TURN: f64 = 180.0;
/// Turns that are no farther apart than this, in 1/65536 radian, are of one pose.
const NEAR: i64 = (START_EVERY.to_radians() * 65_536.0 + 0.5) as i64;
/// A quarter turn in 1/65536 radian.
const QUARTER: i64 = 102_944;
/// The largest shift that can be corrected: one part in this many of the side.
pub const MOST_SHIFT_ONE_IN: usize = 8;

/// What is corrected: `[position]` in a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The largest shift along x and along y in pixels of the network's picture, 0 to an eighth of its side.
    pub shift: f64,
    /// The largest turn either way in degrees, 0 to 180.
    pub turn: f64,
}

/// Width and height of the camera's picture. It was stretched to the network's square, in which what is turned is sheared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    width: i32,
    height: i32,
}

impl Default for Shape {
    fn default() -> Self {
        Self { width: 1, height: 1 }
    }
}

impl Shape {
    /// Of a picture of that width and height, each from 1 to 65535.
    pub fn of([width, height]: [usize; 2]) -> Self {
        let side = |v: usize| v.clamp(1, 65_535) as i32;
        Self { width: side(width), height: side(height) }
    }

    /// Of pictures that were taught in those sizes; of several ones that of the first, from which the others differ little.
    pub fn of_taught(sizes: &[[usize; 2]]) -> Self {
        sizes.first().copied().map_or_else(Self::default, Self::of)
    }

    /// Width by height.
    pub fn aspect(self) -> f32 {
        self.width as f32 / self.height as f32
    }

    /// A length down the square, laid along it.
    fn along(self, down: i64) -> i64 {
        down * i64::from(self.height) / i64::from(self.width)
    }

    /// A length along the square, laid down it.
    fn down(self, along: i64) -> i64 {
        along * i64::from(self.width) / i64::from(self.height)
    }

    /// How much of a picture's pixels it shows again when it is turned by a quarter, at most.
    fn in_common(self) -> f64 {
        f64::from(self.width.min(self.height)) / f64::from(self.width.max(self.height))
    }
}

/// Where a part lies: the point `p` of the reference is at `turn(p) + (x, y)`, both from the pictures' centres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pose {
    /// To the right, in 1/65536 pixel of the network's picture.
    pub x: i32,
    /// Down, in 1/65536 pixel.
    pub y: i32,
    /// Clockwise as seen on a screen, in 1/65536 radian of the camera's picture.
    pub turn: i32,
    /// Of the camera's picture.
    pub shape: Shape,
}

impl Pose {
    /// Pixels to the right, pixels down, degrees clockwise, in a square.
    pub fn new(x: f64, y: f64, degrees: f64) -> Self {
        let fixed = |v: f64| (v * 65_536.0).round() as i32;
        Self { x: fixed(x), y: fixed(y), turn: fixed(degrees.to_radians()), shape: Shape::default() }
    }

    /// The same in a picture of that shape.
    #[must_use]
    pub fn in_shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// Where the reference lies from a picture of this pose.
    #[must_use]
    pub fn inverse(self) -> Self {
        let back = Self { turn: -self.turn, ..self };
        let [x, y] = back.turned()([self.x, self.y].map(i64::from)).map(|way| -(way >> 16) as i32);
        Self { x, y, ..back }
    }

    /// Which pixel of a picture of `side` x `side` shows each pixel of the reference, both counted row by row; `None` where it
    /// lies beyond the frame.
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
        (0..side).map(self.lines(side)).map(move |line| line.moved(1 << 15).inside((side as i64) << 16, side))
    }

    /// How much of a picture of `side` x `side` pixels is still in view once it is brought to the reference's pose.
    pub fn in_view(self, side: usize) -> f64 {
        self.view(side).map(|columns| columns.len()).sum::<usize>() as f64 / (side * side).max(1) as f64
    }

    /// Whether the turns differ by no more than the starts of the coarsest search do.
    fn is_near(self, other: Self) -> bool {
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
        let (cos, sin) = ((1 << 16) - square + fourth - times_turn(fifth, 6), turn - cube + fifth);
        match quarters.rem_euclid(4) {
            0 => [cos, sin],
            1 => [-sin, cos],
            2 => [-cos, -sin],
            _ => [sin, -cos],
        }
    }

    /// What ways to the right and down in the reference become here, in 1/65536.
    fn turned(self) -> impl Fn([i64; 2]) -> [i64; 2] + Copy {
        let [cos, sin] = self.cos_sin();
        let (along, across) = (self.shape.along(sin), self.shape.down(sin));
        move |[right, down]| [cos * right - along * down, across * right + cos * down]
    }

    /// Where the rows of a reference of `side` x `side` pixels lie in a picture of that size.
    fn lines(self, side: usize) -> impl Fn(usize) -> Line + Copy {
        let (turned, side) = (self.turned(), side as i64);
        move |row| {
            // from the centre in half pixels to the first pixel's own centre
            let [x, y] = turned([1 - side, 2 * row as i64 + 1 - side]).map(|way| (side << 15) - (1 << 15) + way / 2);
            Line { first: [i64::from(self.x) + x, i64::from(self.y) + y], step: turned([1, 0]) }
        }
    }

    fn within(self, limits: Self) -> Self {
        let clamp = |v: i32, most: i32| v.clamp(-most, most);
        Self { x: clamp(self.x, limits.x), y: clamp(self.y, limits.y), turn: clamp(self.turn, limits.turn), ..self }
    }
}

/// Places in a picture at equal steps, column and row in 1/65536 pixel.
#[derive(Clone, Copy, Debug)]
struct Line {
    first: [i64; 2],
    step: [i64; 2],
}

impl Line {
    #[inline(always)]
    fn at(self, number: usize) -> [i64; 2] {
        [0, 1].map(|axis| self.first[axis] + number as i64 * self.step[axis])
    }

    /// The same places, moved along both axes.
    #[inline(always)]
    fn moved(self, by: i64) -> Self {
        Self { first: self.first.map(|p| p + by), ..self }
    }

    /// Which of the first `count` places lie from 0 up to, but not at, `end` along both axes.
    fn inside(self, end: i64, count: usize) -> Range<usize> {
        let along = |first: i64, step: i64| match step.signum() {
            0 if (0..end).contains(&first) => 0..count as i64,
            0 => 0..0,
            1 => -first.div_euclid(step)..(end - 1 - first).div_euclid(step) + 1,
            _ => (first - end).div_euclid(-step) + 1..first.div_euclid(-step) + 1,
        };
        let [x, y] = [0, 1].map(|axis| along(self.first[axis], self.step[axis]));
        let [from, to] = [x.start.max(y.start), x.end.min(y.end)].map(|number| number.clamp(0, count as i64) as usize);
        from..to.max(from)
    }
}

/// Brings pictures of one size to the reference's pose.
#[derive(Clone, Debug)]
pub struct Corrector {
    levels: Vec<Level>,
    starts: Vec<Pose>,
    /// The starts' ends on one level, with their errors.
    ends: Vec<(u64, Pose)>,
    limits: Pose,
    grey: Vec<u8>,
    warp: Warp,
    warped: Vec<u8>,
}

impl Corrector {
    /// `reference`: grey and square, of the side of the pictures to come, a multiple of 32; `shape`: of the camera's.
    ///
    /// # Panics
    /// Where it is not.
    pub fn new(reference: &Picture, shape: Shape, limits: Limits) -> Self {
        let side = reference.width;
        assert!(reference.channels == 1 && reference.height == side && side.is_multiple_of(32), "a grey square");
        let pyramid = PYRAMID.iter().filter(|level| side.is_multiple_of(level.side));
        let turns = (limits.turn / START_EVERY).floor() as i32;
        let starts = (-turns..=turns).map(|i| Pose::new(0.0, 0.0, f64::from(i) * START_EVERY).in_shape(shape));
        let starts: Vec<Pose> = starts.collect();
        Self {
            levels: pyramid.map(|&level| Level::new(&reference.data, side, shape, level)).collect(),
            ends: Vec::with_capacity(starts.len()),
            starts,
            limits: Pose::new(limits.shift, limits.shift, limits.turn),
            grey: vec![0; side * side],
            warp: Warp::new(side),
            warped: Vec::with_capacity(side * side * 3),
        }
    }

    /// Brings the picture to the reference's pose and returns the one it had. Beyond the limits it is brought nearer, not
    /// all the way.
    ///
    /// # Panics
    /// Where the picture is not of the reference's side.
    pub fn correct(&mut self, picture: &mut Picture) -> Pose {
        self.correct_by(&mut Team::alone(), picture)
    }

    /// The same by a team: the picture does not depend on it.
    ///
    /// # Panics
    /// Where the picture is not of the reference's side.
    pub fn correct_by(&mut self, team: &mut Team, picture: &mut Picture) -> Pose {
        let pose = self.find(picture);
        self.apply(team, picture, pose);
        pose
    }

    /// The pose of a picture, within the limits.
    ///
    /// # Panics
    /// Where the picture is not of the reference's side.
    pub fn find(&mut self, picture: &Picture) -> Pose {
        assert_eq!(picture.width * picture.height, self.grey.len(), "a picture of the reference's size");
        picture.write_grey(&mut self.grey);
        self.levels.iter_mut().for_each(|level| level.look(&self.grey));
        let Self { levels, starts, ends, limits, .. } = self;
        ends.clear();
        ends.extend(starts.iter().map(|&start| (0, start)));
        for level in levels.iter_mut() {
            ends.iter_mut().for_each(|(_, pose)| *pose = level.register(*pose, *limits));
            level.keep_best(ends);
        }
        let (Some(finest), Some(&(_, found))) = (levels.last_mut(), ends.first()) else { return Pose::default() };
        // what looks like nothing that was taught stays where it is
        if finest.error(found) < finest.error(Pose::default()) { found } else { Pose::default() }
    }

    /// Resamples a picture so that what lies at `pose` comes to the reference's.
    fn apply(&mut self, team: &mut Team, picture: &mut Picture, pose: Pose) {
        if pose.is_in_place() {
            return;
        }
        self.warped.resize(picture.data.len(), 0);
        self.warp.apply(team, picture, pose, &mut self.warped);
        std::mem::swap(&mut picture.data, &mut self.warped);
    }
}

/// A picture resampled so that what lies at `pose` comes to the reference's.
pub fn resampled(picture: &Picture, pose: Pose) -> Picture {
    let mut out = picture.clone();
    if !pose.is_in_place() {
        Warp::new(picture.width).apply(&mut Team::alone(), picture, pose, &mut out.data);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A plate with a notch, a hole and printed bars, drawn at a pose: sharp to a quarter of a pixel.
    fn part(side: usize, pose: Pose) -> Picture {
        let ((sin, cos), [dx, dy]) = (pose.degrees().to_radians().sin_cos(), pose.shift());
        let [across, high] = [pose.shape.width, pose.shape.height].map(f64::from);
        let short = across.min(high);
        let level = |x: f64, y: f64| {
            // on the belt, where turns are turns
            let (x, y) = ((x - dx) * across / short, (y - dy) * high / short);
            let (x, y) = ((cos * x + sin * y) / side as f64, (cos * y - sin * x) / side as f64);
            match () {
                () if x.abs() > 0.35 || y.abs() > 0.3 => 40.0,
                () if x > 0.2 && y < -0.15 => 40.0,
                () if (x + 0.2).hypot(y - 0.1) < 0.06 => 230.0,
                () if (0.0..0.25).contains(&x) && (0.05..0.2).contains(&y) && (x * 20.0).fract() < 0.5 => 90.0,
                () => 170.0,
            }
        };
        let centre = side as f64 / 2.0;
        let mean = |x: usize, y: usize| {
            let inner = |i: usize| [(i % 4) as f64, (i / 4) as f64].map(|v| (v + 0.5) / 4.0 - centre);
            (0..16).map(|i| level(x as f64 + inner(i)[0], y as f64 + inner(i)[1])).sum::<f64>() / 16.0
        };
        let data = (0..side * side).map(|i| mean(i % side, i / side).round() as u8).collect();
        Picture { width: side, height: side, channels: 1, data }
    }

    const SQUARE: Shape = Shape { width: 1, height: 1 };
    const LIMITS: Limits = Limits { shift: 16.0, turn: 12.0 };

    fn off(found: Pose, true_pose: Pose) -> [f64; 3] {
        let shift = [0, 1].map(|i| (found.shift()[i] - true_pose.shift()[i]).abs());
        let turn = (found.degrees() - true_pose.degrees()).rem_euclid(360.0);
        [shift[0], shift[1], turn.min(360.0 - turn)]
    }

    #[test]
    fn cosine_and_sine_are_near_enough() {
        for degrees in [-180.0, -137.0, -90.0, -45.1, -44.9, -20.0, -7.3, 0.0, 0.01, 5.0, 44.9, 45.1, 90.0, 179.0] {
            let [cos, sin] = Pose::new(0.0, 0.0, degrees).cos_sin().map(|v| v as f64 / 65_536.0);
            let exact = f64::to_radians(degrees);
            assert!((cos - exact.cos()).abs() < 5e-5 && (sin - exact.sin()).abs() < 5e-5, "{degrees}: {cos} {sin}");
        }
    }

    #[test]
    fn a_picture_in_place_stays_as_it_is() {
        let mut picture = part(128, Pose::default());
        let before = picture.clone();
        assert_eq!(Corrector::new(&before, SQUARE, LIMITS).correct(&mut picture), Pose::default());
        assert_eq!(picture, before);
    }

    #[test]
    fn a_defect_does_not_pull() {
        let pose = Pose::new(5.0, -3.0, 3.0);
        let mut picture = part(128, pose);
        for y in 20..60 {
            picture.data[y * 128 + 70..y * 128 + 110].fill(255);
        }
        let found = Corrector::new(&part(128, Pose::default()), SQUARE, LIMITS).find(&picture);
        assert!(off(found, pose).iter().all(|v| *v < 0.5), "{found:?}");
    }

    #[test]
    fn darker_light_does_not_pull() {
        let pose = Pose::new(-4.0, 6.0, -5.0);
        let mut picture = part(128, pose);
        picture.data.iter_mut().for_each(|v| *v = (u16::from(*v) * 8 / 10) as u8);
        let found = Corrector::new(&part(128, Pose::default()), SQUARE, LIMITS).find(&picture);
        assert!(off(found, pose).iter().all(|v| *v < 0.4), "{found:?}");
    }

    #[test]
    fn the_limits_are_kept() {
        let mut corrector = Corrector::new(&part(128, Pose::default()), SQUARE, Limits { shift: 2.0, turn: 1.0 });
        let found = corrector.find(&part(128, Pose::new(9.0, 0.0, 0.0)));
        assert!(found.shift().iter().all(|v| v.abs() <= 2.0) && found.degrees().abs() <= 1.001, "{found:?}");
    }

    #[test]
    fn the_same_pose_on_every_target() {
        let found =
            Corrector::new(&part(64, Pose::default()), SQUARE, LIMITS).find(&part(64, Pose::new(3.0, -2.0, 7.0)));
        assert_eq!(found, Pose { x: 197_575, y: -131_816, turn: 8019, shape: SQUARE });
    }

    /// The part is found at its pose.
    fn found(side: usize, pose: Pose, limits: Limits) -> Result<Picture, TestCaseError> {
        let mut picture = part(side, pose);
        let reference = part(side, Pose::default().in_shape(pose.shape));
        let found = Corrector::new(&reference, pose.shape, limits).correct(&mut picture);
        prop_assert!(off(found, pose).iter().all(|v| *v < 0.25), "{pose:?} {found:?}");
        Ok(picture)
    }

    #[test]
    fn a_pose_and_its_inverse_cancel() {
        let shape = Shape::of([640, 480]);
        for (pose, seen) in [
            (Pose::default(), 1.0),
            (Pose::new(32.0, 0.0, 0.0), 0.75),
            (Pose::new(0.0, -16.0, 180.0), 0.875),
            (Pose::new(0.0, 0.0, 90.0).in_shape(shape), 0.75),
        ] {
            assert!((pose.in_view(128) - seen).abs() < 0.01, "{pose:?}");
            assert!((pose.inverse().in_view(128) - seen).abs() < 0.01, "{pose:?}");
        }
        let pose = Pose::new(7.0, -3.0, 130.0).in_shape(shape);
        let picture = part(128, Pose::default().in_shape(shape));
        let undone = resampled(&resampled(&picture, pose.inverse()), pose);
        let wrong = undone.data.iter().zip(&picture.data);
        assert!(wrong.filter(|(a, b)| a.abs_diff(**b) > 60).count() < 128, "{pose:?}");
        assert!(off(pose.inverse().inverse(), pose).iter().all(|v| *v < 0.01));
    }

    proptest! {
        #[test]
        fn places_inside_are_all_those_that_are(first in prop::array::uniform2(-900i64..900), step in prop::array::uniform2(-70i64..70), end in 0i64..500) {
            let line = Line { first, step };
            let inside: Vec<usize> = (0..40).filter(|&n| line.at(n).iter().all(|p| (0..end).contains(p))).collect();
            let found: Vec<usize> = line.inside(end, 40).collect();
            prop_assert_eq!(found, inside);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_view_is_where_places_are(shape in prop::sample::select(vec![[1, 1], [16, 9], [65_535, 1]]), x in -40.0f64..40.0, y in -40.0f64..40.0, degrees in -180.0f64..180.0) {
            let pose = Pose::new(x, y, degrees).in_shape(Shape::of(shape));
            let there: Vec<bool> = pose.places(32).map(|place| place.is_some()).collect();
            let view = pose.view(32).flat_map(|columns| (0..32).map(move |column| columns.contains(&column)));
            prop_assert!(view.eq(there), "{pose:?}");
        }

        #[test]
        fn shifts_and_turns_are_found_and_undone(side in 1usize..=2, x in -9.0f64..9.0, y in -9.0f64..9.0, degrees in -10.0f64..10.0) {
            let side = side * 128;
            let (reference, picture) = (part(side, Pose::default()), found(side, Pose::new(x, y, degrees), LIMITS)?);
            // what was beyond the frame before cannot be there now: the part itself is
            let inner = |i: &usize| (i % side).abs_diff(side / 2) < side * 3 / 8 && (i / side).abs_diff(side / 2) < side * 3 / 8;
            let places: Vec<usize> = (0..side * side).filter(inner).collect();
            let wrong = places.iter().filter(|&&i| picture.data[i].abs_diff(reference.data[i]) > 60).count();
            prop_assert!(wrong * 200 < places.len(), "{wrong} of {}", places.len());
        }

        #[test]
        fn parts_at_any_angle_are_found(shape in prop::sample::select(vec![[1, 1], [4, 3], [16, 9], [3, 4]]), x in -9.0f64..9.0, y in -9.0f64..9.0, degrees in -180.0f64..180.0) {
            found(128, Pose::new(x, y, degrees).in_shape(Shape::of(shape)), Limits { turn: 180.0, ..LIMITS })?;
        }

        #[test]
        fn whatever_the_pictures_show_nothing_breaks(a in any::<[u8; 8]>(), b in any::<[u8; 8]>(), turn in 0.0f64..=180.0, shape in prop::sample::select(vec![[1, 1], [3, 2], [65_535, 1], [1, 65_535]]), channels in prop::sample::select(vec![1usize, 3])) {
            let noise = |seed: [u8; 8], channels: usize| {
                let data = (0..32 * 32 * channels).map(|i| seed[i % 8].wrapping_mul((i / 7) as u8)).collect();
                Picture { width: 32, height: 32, channels, data }
            };
            let mut picture = noise(b, channels);
            let pose = Corrector::new(&noise(a, 1), Shape::of(shape), Limits { shift: 4.0, turn }).correct(&mut picture);
            prop_assert!(pose.shift().iter().all(|v| v.abs() <= 4.0));
            prop_assert_eq!(picture.data.len(), 32 * 32 * channels);
        }
    }
}
