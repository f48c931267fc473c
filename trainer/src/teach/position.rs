//! Whether parts lie where others lie, and the reference by which those that do not are brought there.

use beltwatch_vision::picture::Picture;
use beltwatch_vision::preprocess::{
    Corrector, MOST_SHIFT_ONE_IN, MOST_TURN, PictureShape, Pose, PositionLimits, resampled,
};

use super::natural::{COMPARED, reduce};
use crate::evenly::evenly;

/// At most so many pictures are looked at.
const MOST_LOOKED_AT: usize = 200;
/// From so many the first reference is chosen.
const CANDIDATES: usize = 40;
/// Rounds of registration; each has the mean of the last one's corrected pictures as its reference.
const ROUNDS: usize = 3;
/// Parts whose corners lie within this many pixels of where the others' lie hold their place.
const HELD: f64 = 1.0;
/// Correction pays where it leaves no more than this of what pictures differ by: parts that lie askew come to
/// a half, while the best pose of parts that differ otherwise is a guess, which turns good pictures about.
const PAYS: f64 = 0.75;
/// Parts that are not turned further than this, in degrees, lie askew.
const MOST_ASKEW: f64 = 20.0;
/// A turn of more than this part of the largest is about as large.
const NEARLY: f64 = 0.9;
/// Where one in five is turned by about as much as that, more of them lie farther: a hexagon is never more
/// than 30 degrees from its place, and looks near to it within 20.
const AT_THE_END: f64 = 0.2;
/// Parts on the line may lie this much farther off than those that were taught,
const MARGIN: f64 = 1.5;
/// and at least so many pixels,
const LEAST_SHIFT: f64 = 2.0;
/// and degrees.
const LEAST_TURN: f64 = 1.0;

/// Where teaching pictures lie.
#[derive(Clone, Debug, PartialEq)]
pub struct Places {
    /// The mean of all pictures, brought to one place; grey, as large as they are.
    pub reference: Picture,
    /// Of the camera's pictures.
    pub shape: PictureShape,
    /// How far parts on the line may be expected off their place.
    pub limits: PositionLimits,
    /// Nine in ten pictures lie with their corners within this many pixels of the reference's.
    pub off: f64,
    /// As many of the pictures, of 1, are turned by about as much as was looked for.
    pub at_the_end: f64,
    /// As much of every picture is still in view after correction, of 1.
    pub in_view: f64,
    /// Mean distance of a picture from the mean of all after correction, as a part of the one before.
    pub left: f64,
}

impl Places {
    /// Looks at preprocessed, square `pictures` of one shape; at least one. Turns of any angle are allowed
    /// for where they bring pictures together that small ones do not.
    pub fn find(pictures: &[Picture], shape: PictureShape) -> Self {
        let grey: Vec<Picture> = evenly(pictures.len(), MOST_LOOKED_AT)
            .map(|i| pictures[i].with_channels(1))
            .collect();
        let (first, before) = (&grey[middle(&grey)], scatter(&grey));
        let within = |turn| Self::within(&grey, first, before, shape, turn);
        let askew = within(MOST_ASKEW);
        if askew.held() {
            return askew;
        }
        let turned = within(MOST_TURN);
        let enough = if askew.at_the_end > AT_THE_END { 1.0 } else { PAYS };
        if turned.left < enough * askew.left {
            turned
        } else {
            askew
        }
    }

    /// By turns of up to `turn` degrees; the reference begins as `first`, and the pictures' scatter is
    /// `before`.
    fn within(grey: &[Picture], first: &Picture, before: f64, shape: PictureShape, turn: f64) -> Self {
        let side = first.width;
        let widest = PositionLimits {
            shift: (side / MOST_SHIFT_ONE_IN) as f64,
            turn,
        };
        let mut reference = first.clone();
        let (mut poses, mut corrected) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            if round > 0 {
                reference = resampled(&reference, to_the_middle(&poses));
            }
            let mut corrector = Corrector::new(&reference, shape, widest);
            corrected = grey.to_vec();
            poses = corrected
                .iter_mut()
                .map(|picture| corrector.correct(picture))
                .collect();
            reference = mean(&corrected);
        }
        let most = |of: &dyn Fn(&Pose) -> f64| poses.iter().map(of).fold(0.0, f64::max);
        let along = |pose: &Pose| pose.shift().map(f64::abs).into_iter().fold(0.0, f64::max);
        let limit = |most: f64, least: f64, widest: f64| (most * MARGIN).max(least).min(widest).ceil();
        let mut corners: Vec<f64> = poses.iter().map(|pose| off(*pose, side)).collect();
        corners.sort_unstable_by(f64::total_cmp);
        Self {
            shape,
            limits: PositionLimits {
                shift: limit(most(&along), LEAST_SHIFT, widest.shift),
                turn: limit(most(&|pose| pose.degrees().abs()), LEAST_TURN, widest.turn),
            },
            off: corners.get(corners.len() * 9 / 10).copied().unwrap_or(0.0),
            at_the_end: poses
                .iter()
                .filter(|pose| pose.degrees().abs() > NEARLY * turn)
                .count() as f64
                / poses.len().max(1) as f64,
            in_view: poses.iter().map(|pose| pose.in_view(side)).fold(1.0, f64::min),
            left: if before > 0.0 {
                scatter(&corrected) / before
            } else {
                1.0
            },
            reference,
        }
    }

    /// Whether parts lie as one.
    pub fn held(&self) -> bool {
        self.off <= HELD
    }

    /// Whether correction brings pictures together.
    pub fn correction_pays(&self) -> bool {
        !self.held() && self.left <= PAYS
    }

    /// Brings pictures to the reference's place; where they lay.
    pub fn correct<'a>(&self, pictures: impl Iterator<Item = &'a mut Picture>) -> Vec<Pose> {
        let mut corrector = Corrector::new(&self.reference, self.shape, self.limits);
        pictures.map(|picture| corrector.correct(picture)).collect()
    }
}

/// How far a corner of the picture is moved, in pixels.
fn off(pose: Pose, side: usize) -> f64 {
    let [x, y] = pose.shift();
    x.hypot(y) + pose.degrees().to_radians().abs() * side as f64 * std::f64::consts::FRAC_1_SQRT_2
}

/// Where a reference is to lie so that the pictures lie about it, and the least of each is moved out of view:
/// a part that is turned about the middle stays there.
fn to_the_middle(poses: &[Pose]) -> Pose {
    let back: Vec<[f64; 2]> = poses.iter().map(|pose| pose.inverse().shift()).collect();
    let [x, y] =
        [0, 1].map(|axis| back.iter().map(|shift| shift[axis]).sum::<f64>() / back.len().max(1) as f64);
    Pose::new(x, y, 0.0)
}

/// The picture that is nearest to the others.
fn middle(pictures: &[Picture]) -> usize {
    let chosen: Vec<usize> = evenly(pictures.len(), CANDIDATES).collect();
    let distances = |i: usize| {
        chosen
            .iter()
            .map(|&j| distance(&pictures[i], &pictures[j]))
            .sum::<u64>()
    };
    chosen.iter().copied().min_by_key(|&i| distances(i)).unwrap_or(0)
}

fn distance(a: &Picture, b: &Picture) -> u64 {
    a.data
        .iter()
        .zip(&b.data)
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum()
}

fn mean(pictures: &[Picture]) -> Picture {
    let mut sums = vec![0u32; pictures.first().map_or(0, |p| p.data.len())];
    for picture in pictures {
        sums.iter_mut()
            .zip(&picture.data)
            .for_each(|(sum, &v)| *sum += u32::from(v));
    }
    let count = pictures.len().max(1) as u32;
    let data = sums
        .into_iter()
        .map(|sum| ((sum + count / 2) / count) as u8)
        .collect();
    Picture {
        data,
        ..pictures.first().cloned().unwrap_or_default()
    }
}

/// Mean distance of pictures from their mean, in levels; so small that what resampling does to fine grain
/// does not count.
fn scatter(pictures: &[Picture]) -> f64 {
    let pictures: Vec<Picture> = pictures.iter().map(|p| reduce(p, COMPARED)).collect();
    let mean = mean(&pictures);
    let total: u64 = pictures.iter().map(|p| distance(p, &mean)).sum();
    total as f64 / (mean.data.len() * pictures.len()).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn notched_plate(x: f64, y: f64) -> bool {
        x.abs() < 40.0 && y.abs() < 30.0 && !(x > 20.0 && y < -10.0) && (x + 15.0).hypot(y) > 8.0
    }

    fn hexagon(x: f64, y: f64) -> bool {
        [0.0, 60.0, 120.0]
            .into_iter()
            .map(f64::to_radians)
            .all(|a| (x * a.cos() + y * a.sin()).abs() < 40.0)
    }

    /// Pictures of a part with some noise, each at a pose of `at` and in a light of its own.
    fn drawn(part: fn(f64, f64) -> bool, count: u64, mut at: impl FnMut(&mut Rng) -> Pose) -> Vec<Picture> {
        let one = |key| {
            let mut rng = Rng::new(&[key, 77]);
            let pose = at(&mut rng);
            let ((sin, cos), [dx, dy]) = (pose.degrees().to_radians().sin_cos(), pose.shift());
            let light = f64::from(rng.range(-8.0, 8.0));
            let level = |i: usize| {
                let (x, y) = ((i % 128) as f64 - 63.5 - dx, (i / 128) as f64 - 63.5 - dy);
                if part(cos * x + sin * y, cos * y - sin * x) {
                    180.0 + light
                } else {
                    60.0 + light
                }
            };
            let data = (0..128 * 128)
                .map(|i| (level(i) + f64::from(rng.range(-6.0, 6.0))) as u8)
                .collect();
            Picture {
                width: 128,
                height: 128,
                channels: 1,
                data,
            }
        };
        (0..count).map(one).collect()
    }

    fn plates(count: u64, at: impl FnMut(&mut Rng) -> Pose) -> Vec<Picture> {
        drawn(notched_plate, count, at)
    }

    /// Shifted by up to 6 pixels and turned by up to `turn` degrees.
    fn anywhere(turn: f32) -> impl FnMut(&mut Rng) -> Pose {
        move |rng| {
            let [x, y, turn] = [6.0, 6.0, turn].map(|most| f64::from(rng.range(-most, most)));
            Pose::new(x, y, turn)
        }
    }

    /// Where plates lie that lie anywhere; corrected, they hold their place.
    fn brought_together(turn: f32) -> Places {
        let mut pictures = plates(30, anywhere(turn));
        let places = Places::find(&pictures, PictureShape::default());
        places.correct(pictures.iter_mut());
        let again = Places::find(&pictures, PictureShape::default());
        assert!(again.held(), "off {}, left {}", again.off, again.left);
        places
    }

    #[test]
    fn parts_that_lie_askew_are_brought_together() {
        let places = brought_together(4.0);
        assert!(
            !places.held() && places.correction_pays(),
            "off {}, left {}",
            places.off,
            places.left
        );
        assert!((6.0..=16.0).contains(&places.limits.shift) && (4.0..=14.0).contains(&places.limits.turn));
    }

    #[test]
    fn parts_at_any_angle_are_brought_together() {
        let hexagons = Places::find(&drawn(hexagon, 30, anywhere(180.0)), PictureShape::default());
        for places in [brought_together(180.0), hexagons] {
            assert!(
                places.correction_pays() && places.limits.turn == 180.0,
                "{:?}, left {}",
                places.limits,
                places.left
            );
        }
    }

    #[test]
    fn parts_in_place_are_left_there() {
        let places = Places::find(&plates(20, |_| Pose::default()), PictureShape::default());
        assert!(
            places.held() && !places.correction_pays(),
            "off {}, left {}",
            places.off,
            places.left
        );
        assert_eq!(
            places.limits,
            PositionLimits {
                shift: 2.0,
                turn: 1.0
            }
        );
    }

    #[test]
    fn what_has_no_place_is_not_brought_to_one() {
        let noise = |key| {
            let mut rng = Rng::new(&[key]);
            let data = (0..128 * 128).map(|_| 100 + rng.below(80) as u8).collect();
            Picture {
                width: 128,
                height: 128,
                channels: 1,
                data,
            }
        };
        let places = Places::find(&(0..20).map(noise).collect::<Vec<_>>(), PictureShape::default());
        assert!(
            !places.correction_pays(),
            "off {}, left {}",
            places.off,
            places.left
        );
    }

    #[test]
    fn one_picture_lies_where_it_lies() {
        let places = Places::find(&plates(1, |_| Pose::default()), PictureShape::default());
        assert!(places.held() && !places.correction_pays());
    }
}
