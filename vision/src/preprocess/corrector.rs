//! Position correction: a part that lies shifted or turned is brought to where the reference lies, so that
//! each pixel shows the same place of every part.
//!
//! Rigid registration to a grey reference picture on a pyramid, by the inverse compositional algorithm (Baker
//! and Matthews, 2004) with errors clipped so that a defect or a missing component does not pull. The sums
//! over pixels are integers and the four unknowns are solved with + - * / alone, so that every processor
//! finds the same pose. It starts from turns all over the range. The number of operations is bounded; nothing
//! is allocated after `new`.

use super::align::{Level, MOST_SIDE, Resolution};
use super::pose::{PictureShape, Pose, PositionLimits, START_EVERY};
use super::warp::Warp;
use crate::picture::Picture;
use crate::processor::Team;

/// Sides of the pyramid, coarse to fine, with the registration steps at each and how many of the poses that
/// were found go on to the next. A side that does not divide the picture's is left out; 32 divides every
/// recipe's.
const PYRAMID: [Resolution; 4] = [
    Resolution {
        side: 16,
        steps: 6,
        keep: 4,
    },
    Resolution {
        side: 32,
        steps: 6,
        keep: 1,
    },
    Resolution {
        side: 64,
        steps: 4,
        keep: 1,
    },
    Resolution {
        side: MOST_SIDE,
        steps: 4,
        keep: 1,
    },
];

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
    /// `reference`: grey and square, of the side of the pictures to come, a multiple of 32; `shape`: of the
    /// camera's.
    ///
    /// # Panics
    /// Where it is not.
    pub fn new(reference: &Picture, shape: PictureShape, limits: PositionLimits) -> Self {
        let side = reference.width;
        assert!(
            reference.channels == 1 && reference.height == side && side.is_multiple_of(32),
            "a grey square"
        );
        let pyramid = PYRAMID.iter().filter(|level| side.is_multiple_of(level.side));
        let turns = (limits.turn / START_EVERY).floor() as i32;
        let starts =
            (-turns..=turns).map(|i| Pose::new(0.0, 0.0, f64::from(i) * START_EVERY).in_shape(shape));
        let starts: Vec<Pose> = starts.collect();
        Self {
            levels: pyramid
                .map(|&level| Level::new(&reference.data, side, shape, level))
                .collect(),
            ends: Vec::with_capacity(starts.len()),
            starts,
            limits: Pose::new(limits.shift, limits.shift, limits.turn),
            grey: vec![0; side * side],
            warp: Warp::new(side),
            warped: Vec::with_capacity(side * side * 3),
        }
    }

    /// Brings the picture to the reference's pose and returns the one it had. Beyond the limits it is brought
    /// nearer, not all the way.
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
        assert_eq!(
            picture.width * picture.height,
            self.grey.len(),
            "a picture of the reference's size"
        );
        picture.write_grey(&mut self.grey);
        self.levels.iter_mut().for_each(|level| level.look(&self.grey));
        let Self {
            levels,
            starts,
            ends,
            limits,
            ..
        } = self;
        ends.clear();
        ends.extend(starts.iter().map(|&start| (0, start)));
        for level in levels.iter_mut() {
            ends.iter_mut()
                .for_each(|(_, pose)| *pose = level.register(*pose, *limits));
            level.keep_best(ends);
        }
        let (Some(finest), Some(&(_, found))) = (levels.last_mut(), ends.first()) else {
            return Pose::default();
        };
        // what looks like nothing that was taught stays where it is
        if finest.error(found) < finest.error(Pose::default()) {
            found
        } else {
            Pose::default()
        }
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
    use proptest::prelude::*;

    use super::*;

    /// A plate with a notch, a hole and printed bars, drawn at a pose: sharp to a quarter of a pixel.
    fn part(side: usize, pose: Pose) -> Picture {
        let ((sin, cos), [dx, dy]) = (pose.degrees().to_radians().sin_cos(), pose.shift());
        let [across, high] = [pose.shape.width, pose.shape.height].map(f64::from);
        let short = across.min(high);
        let level = |x: f64, y: f64| {
            // on the belt, where turns are turns
            let (x, y) = ((x - dx) * across / short, (y - dy) * high / short);
            let (x, y) = (
                (cos * x + sin * y) / side as f64,
                (cos * y - sin * x) / side as f64,
            );
            match () {
                () if x.abs() > 0.35 || y.abs() > 0.3 => 40.0,
                () if x > 0.2 && y < -0.15 => 40.0,
                () if (x + 0.2).hypot(y - 0.1) < 0.06 => 230.0,
                () if (0.0..0.25).contains(&x) && (0.05..0.2).contains(&y) && (x * 20.0).fract() < 0.5 => {
                    90.0
                }
                () => 170.0,
            }
        };
        let centre = side as f64 / 2.0;
        let mean = |x: usize, y: usize| {
            let inner = |i: usize| [(i % 4) as f64, (i / 4) as f64].map(|v| (v + 0.5) / 4.0 - centre);
            (0..16)
                .map(|i| level(x as f64 + inner(i)[0], y as f64 + inner(i)[1]))
                .sum::<f64>()
                / 16.0
        };
        let data = (0..side * side)
            .map(|i| mean(i % side, i / side).round() as u8)
            .collect();
        Picture {
            width: side,
            height: side,
            channels: 1,
            data,
        }
    }

    const SQUARE: PictureShape = PictureShape { width: 1, height: 1 };
    const LIMITS: PositionLimits = PositionLimits {
        shift: 16.0,
        turn: 12.0,
    };

    fn off(found: Pose, true_pose: Pose) -> [f64; 3] {
        let shift = [0, 1].map(|i| (found.shift()[i] - true_pose.shift()[i]).abs());
        let turn = (found.degrees() - true_pose.degrees()).rem_euclid(360.0);
        [shift[0], shift[1], turn.min(360.0 - turn)]
    }

    #[test]
    fn a_picture_in_place_stays_as_it_is() {
        let mut picture = part(128, Pose::default());
        let before = picture.clone();
        assert_eq!(
            Corrector::new(&before, SQUARE, LIMITS).correct(&mut picture),
            Pose::default()
        );
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
        picture
            .data
            .iter_mut()
            .for_each(|v| *v = (u16::from(*v) * 8 / 10) as u8);
        let found = Corrector::new(&part(128, Pose::default()), SQUARE, LIMITS).find(&picture);
        assert!(off(found, pose).iter().all(|v| *v < 0.4), "{found:?}");
    }

    #[test]
    fn the_limits_are_kept() {
        let mut corrector = Corrector::new(
            &part(128, Pose::default()),
            SQUARE,
            PositionLimits {
                shift: 2.0,
                turn: 1.0,
            },
        );
        let found = corrector.find(&part(128, Pose::new(9.0, 0.0, 0.0)));
        assert!(
            found.shift().iter().all(|v| v.abs() <= 2.0) && found.degrees().abs() <= 1.001,
            "{found:?}"
        );
    }

    #[test]
    fn the_same_pose_on_every_target() {
        let found = Corrector::new(&part(64, Pose::default()), SQUARE, LIMITS)
            .find(&part(64, Pose::new(3.0, -2.0, 7.0)));
        assert_eq!(
            found,
            Pose {
                x: 197_575,
                y: -131_816,
                turn: 8019,
                shape: SQUARE
            }
        );
    }

    /// The part is found at its pose.
    fn found(side: usize, pose: Pose, limits: PositionLimits) -> Result<Picture, TestCaseError> {
        let mut picture = part(side, pose);
        let reference = part(side, Pose::default().in_shape(pose.shape));
        let found = Corrector::new(&reference, pose.shape, limits).correct(&mut picture);
        prop_assert!(off(found, pose).iter().all(|v| *v < 0.25), "{pose:?} {found:?}");
        Ok(picture)
    }

    #[test]
    fn a_pose_and_its_inverse_cancel() {
        let shape = PictureShape::of([640, 480]);
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
        assert!(
            wrong.filter(|(a, b)| a.abs_diff(**b) > 60).count() < 128,
            "{pose:?}"
        );
        assert!(off(pose.inverse().inverse(), pose).iter().all(|v| *v < 0.01));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn shifts_and_turns_are_found_and_undone(
            side in 1usize..=2,
            x in -9.0f64..9.0,
            y in -9.0f64..9.0,
            degrees in -10.0f64..10.0,
        ) {
            let side = side * 128;
            let reference = part(side, Pose::default());
            let picture = found(side, Pose::new(x, y, degrees), LIMITS)?;
            // what was beyond the frame before cannot be there now: the part itself is
            let near = |place: usize| place.abs_diff(side / 2) < side * 3 / 8;
            let inner = |i: &usize| near(i % side) && near(i / side);
            let places: Vec<usize> = (0..side * side).filter(inner).collect();
            let wrong = places.iter().filter(|&&i| picture.data[i].abs_diff(reference.data[i]) > 60).count();
            prop_assert!(wrong * 200 < places.len(), "{wrong} of {}", places.len());
        }

        #[test]
        fn parts_at_any_angle_are_found(
            shape in prop::sample::select(vec![[1, 1], [4, 3], [16, 9], [3, 4]]),
            x in -9.0f64..9.0,
            y in -9.0f64..9.0,
            degrees in -180.0f64..180.0,
        ) {
            let pose = Pose::new(x, y, degrees).in_shape(PictureShape::of(shape));
            found(128, pose, PositionLimits { turn: 180.0, ..LIMITS })?;
        }

        #[test]
        fn whatever_the_pictures_show_nothing_breaks(
            a in any::<[u8; 8]>(),
            b in any::<[u8; 8]>(),
            turn in 0.0f64..=180.0,
            shape in prop::sample::select(vec![[1, 1], [3, 2], [65_535, 1], [1, 65_535]]),
            channels in prop::sample::select(vec![1usize, 3]),
        ) {
            let noise = |seed: [u8; 8], channels: usize| {
                let data = (0..32 * 32 * channels).map(|i| seed[i % 8].wrapping_mul((i / 7) as u8)).collect();
                Picture { width: 32, height: 32, channels, data }
            };
            let mut picture = noise(b, channels);
            let limits = PositionLimits { shift: 4.0, turn };
            let pose = Corrector::new(&noise(a, 1), PictureShape::of(shape), limits).correct(&mut picture);
            prop_assert!(pose.shift().iter().all(|v| v.abs() <= 4.0));
            prop_assert_eq!(picture.data.len(), 32 * 32 * channels);
        }
    }
}
