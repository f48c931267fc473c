//! Which changes good parts show among themselves: by these the teaching pictures may be varied.
//!
//! A change (a flip, a turn, a shift) is *natural* where a changed picture is about as near to its nearest
//! other teaching picture as an unchanged one is; a flip or a turn onto itself also where the two differ
//! most. So a part that always lies the same way is never shown to the network upside down, and one that lies
//! as it likes is.

use beltwatch_vision::picture::Picture;

use crate::evenly::evenly;
use crate::thresholds::quantile::median;
use crate::train::Augmentation;
use crate::train::augment::{Rows, STRAIGHT, resample, turned};

/// A changed picture may be this much farther from its nearest neighbour than an unchanged one.
const NATURAL: f64 = 1.25;
/// And where a flipped or turned one differs most, by this much more: a mark that lies on one side only is a
/// spot in the mean.
const ALIKE: f64 = 1.5;
/// It is looked for in so many of a thousand values.
const SPOTS: usize = 5;
/// Pictures are changed at this side, in pixels,
const CHANGED: usize = 64;
/// and compared at this one: what is smaller than two pixels of `CHANGED` is not compared.
pub(super) const COMPARED: usize = 32;
/// At most so many pictures are changed; each is compared with all.
const MOST_CHANGED: usize = 60;
/// Rotations that are tried, in degrees.
const ROTATIONS: [f32; 7] = [1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0];
/// Shifts that are tried, as parts of the side.
const SHIFTS: [f32; 3] = [1.0 / 128.0, 1.0 / 64.0, 1.0 / 32.0];
/// Colours drift by so many times what they are spread among the pictures,
const TINT_SPREADS: f32 = 2.0;
/// and within these limits.
const TINTS: [f32; 2] = [0.02, 0.2];
/// Of a picture whose sides differ by no more than this a quarter turn leaves little outside.
const SQUARE: f32 = 1.1;
/// A part's place is looked at with this shift.
const NO_PLACE: f32 = 1.0 / 8.0;

/// What the pictures show.
#[derive(Clone, Debug, PartialEq)]
pub struct Natural {
    /// How the teaching pictures are varied.
    pub augmentation: Augmentation,
    /// Whether nothing has a place in the picture: a texture.
    pub texture: bool,
    /// Whether parts lie at any angle.
    pub any_angle: bool,
}

/// Looks for the natural changes of preprocessed, square `pictures` of one shape. `base` has the amounts that
/// pictures do not tell (gain, brightness) and the shape of the camera's. At least two pictures; with fewer
/// nothing is natural.
pub fn natural(pictures: &[Picture], base: &Augmentation) -> Natural {
    let size = pictures.first().map_or(0, |p| p.width);
    let small: Vec<Picture> = pictures.iter().map(|p| reduce(p, CHANGED)).collect();
    let compared: Vec<Vec<f32>> = small.iter().map(thumbnail).collect();
    let nearest = |of: usize, thumbnail: &[f32], distance: Distance| {
        let others = compared.iter().enumerate().filter(|(other, _)| *other != of);
        others
            .map(|(_, other)| distance(thumbnail, other))
            .fold(f32::INFINITY, f32::min)
    };
    let chosen: Vec<usize> = evenly(pictures.len(), MOST_CHANGED).collect();
    let by = |distance: Distance| -> (Distance, Vec<f32>) {
        (
            distance,
            chosen
                .iter()
                .map(|&i| nearest(i, &compared[i], distance))
                .collect(),
        )
    };
    let (by_mean, by_spots) = (by(mean), by(spots));
    let farther = |rows: Rows, shift: [f32; 2], (distance, unchanged): &(Distance, Vec<f32>)| {
        let farther = chosen.iter().zip(unchanged).map(|(&i, unchanged)| {
            let side = small[i].width as f32;
            let changed = resample(&small[i], rows, shift.map(|s| s * side), |_, v| v);
            // half a level is what rounding does to a picture
            f64::from((nearest(i, &thumbnail(&changed), *distance) + 0.5) / (unchanged + 0.5))
        });
        median(&mut farther.collect::<Vec<_>>()).unwrap_or(f64::INFINITY)
    };
    let several = pictures.len() > 1;
    let is_natural = |rows, shift| several && farther(rows, shift, &by_mean) <= NATURAL;
    let looks_alike = |rows| is_natural(rows, [0.0; 2]) && farther(rows, [0.0; 2], &by_spots) <= ALIKE;
    let shifted = |s: f32| is_natural(STRAIGHT, [s, 0.0]) && is_natural(STRAIGHT, [0.0, s]);
    let either_way = |degrees: f32| {
        [degrees, -degrees]
            .iter()
            .all(|&d| is_natural(turned(d, base.aspect), [0.0; 2]))
    };
    let texture = shifted(NO_PLACE);
    let any_angle = !texture && either_way(90.0) && either_way(45.0);
    let is_square = (1.0 / SQUARE..=SQUARE).contains(&base.aspect);
    let largest = |all: &[f32], is: &dyn Fn(f32) -> bool| all.iter().copied().take_while(|&v| is(v)).last();
    let augmentation = Augmentation {
        // a camera's mount gives a little, whatever the pictures show
        shift: largest(&SHIFTS, &shifted).unwrap_or(SHIFTS[0]) * size as f32,
        rotation: match (texture, any_angle) {
            // turning blurs the very grain that a texture is judged by
            (true, _) => 0.0,
            (_, true) => 180.0,
            _ => largest(&ROTATIONS, &either_way).unwrap_or(0.0),
        },
        tint: tint(&small),
        flip_horizontal: looks_alike([[-1.0, 0.0], [0.0, 1.0]]),
        flip_vertical: looks_alike([[1.0, 0.0], [0.0, -1.0]]),
        half_turn: any_angle || looks_alike([[-1.0, 0.0], [0.0, -1.0]]),
        quarter_turn: is_square
            && (any_angle || [90.0, -90.0].iter().all(|&d| looks_alike(turned(d, base.aspect)))),
        ..base.clone()
    };
    Natural {
        augmentation,
        texture,
        any_angle,
    }
}

/// How much colours drift: by the spread of each channel's share in the picture's light. Nothing where there
/// is no colour.
fn tint(pictures: &[Picture]) -> f32 {
    let channels = pictures.first().map_or(1, |p| p.channels);
    if channels == 1 {
        return 0.0;
    }
    let light = |p: &Picture, first: usize, step: usize| {
        p.data
            .iter()
            .skip(first)
            .step_by(step)
            .map(|&v| u32::from(v))
            .sum::<u32>() as f32
            + 1.0
    };
    let spread = |c: usize| {
        let shares: Vec<f32> = pictures
            .iter()
            .map(|p| light(p, c, channels) / light(p, 0, 1))
            .collect();
        let mean = shares.iter().sum::<f32>() / shares.len() as f32;
        (shares.iter().map(|s| (s / mean - 1.0).powi(2)).sum::<f32>() / shares.len() as f32).sqrt()
    };
    let most = (0..channels).map(spread).fold(0.0, f32::max);
    (TINT_SPREADS * most).clamp(TINTS[0], TINTS[1])
}

impl std::fmt::Display for Natural {
    /// In words, for people.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let a = &self.augmentation;
        match (self.texture, self.any_angle) {
            (true, _) => write!(f, "a texture, nothing has a place")?,
            (_, true) => write!(f, "parts that lie at any angle")?,
            _ if a.rotation > 0.0 => write!(f, "parts that lie up to {} degrees askew", a.rotation)?,
            _ => write!(f, "parts that lie one way")?,
        }
        let symmetries = [
            (a.flip_horizontal, "flipped left to right"),
            (a.flip_vertical, "flipped top to bottom"),
            (a.half_turn, "upside down"),
            (a.quarter_turn, "turned by a quarter"),
        ];
        let named: Vec<&str> = symmetries.iter().filter(|s| s.0).map(|s| s.1).collect();
        match named.as_slice() {
            [] => write!(f, "; none looks alike flipped or turned"),
            named => write!(f, "; they look alike {}", named.join(", ")),
        }
    }
}

/// Box means of a square picture: to `side` pixels, or as near as a whole factor comes.
pub(super) fn reduce(picture: &Picture, side: usize) -> Picture {
    let factor = (picture.width / side).max(1);
    let (width, height, channels) = (picture.width / factor, picture.height / factor, picture.channels);
    let mut data = Vec::with_capacity(width * height * channels);
    for (y, x, c) in
        (0..height).flat_map(|y| (0..width).flat_map(move |x| (0..channels).map(move |c| (y, x, c))))
    {
        let box_of =
            (0..factor * factor).map(|i| picture.at(x * factor + i % factor, y * factor + i / factor, c));
        let sum: usize = box_of.map(usize::from).sum();
        data.push((sum / (factor * factor)) as u8);
    }
    Picture {
        width,
        height,
        channels,
        data,
    }
}

fn thumbnail(picture: &Picture) -> Vec<f32> {
    reduce(picture, COMPARED)
        .data
        .into_iter()
        .map(f32::from)
        .collect()
}

/// How far two thumbnails differ, in levels.
type Distance = fn(&[f32], &[f32]) -> f32;

fn mean(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len().max(1) as f32
}

/// Where they differ most: the mean of so many values of a thousand.
fn spots(a: &[f32], b: &[f32]) -> f32 {
    let mut differences: Vec<f32> = a.iter().zip(b).map(|(a, b)| (a - b).abs()).collect();
    let count = (differences.len() / 1000 * SPOTS).clamp(1, differences.len());
    let (larger, last, _) = differences.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
    (larger.iter().sum::<f32>() + *last) / count as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// `count` pictures of what `at` draws at (x, y), each in [-1, 1] from the picture's centre, with a
    /// little noise.
    fn drawn(
        count: u64,
        noise: f32,
        mut at: impl FnMut(&mut Rng) -> Box<dyn Fn(f32, f32) -> f32>,
    ) -> Vec<Picture> {
        let one = |key| {
            let mut rng = Rng::new(&[key]);
            let level = at(&mut rng);
            let from_centre = |i: usize| (i as f32 + 0.5) / 64.0 - 1.0;
            let data = (0..128 * 128)
                .map(|i| level(from_centre(i % 128), from_centre(i / 128)) + rng.range(-noise, noise))
                .map(|v| v as u8)
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

    /// An L: no symmetry of the square maps it onto itself.
    fn angle(x: f32, y: f32) -> f32 {
        let inside = |x0, x1, y0, y1| (x0..x1).contains(&x) && (y0..y1).contains(&y);
        if inside(-0.5, -0.2, -0.7, 0.6) || inside(-0.2, 0.5, 0.3, 0.6) {
            200.0
        } else {
            60.0
        }
    }

    fn symmetries(a: &Augmentation) -> [bool; 4] {
        [a.flip_horizontal, a.flip_vertical, a.half_turn, a.quarter_turn]
    }

    #[test]
    fn a_part_that_holds_its_place_is_left_alone() {
        let found = natural(&drawn(12, 4.0, |_| Box::new(angle)), &Augmentation::default());
        assert_eq!(
            (found.texture, found.any_angle, found.augmentation.rotation),
            (false, false, 0.0)
        );
        assert_eq!(
            (symmetries(&found.augmentation), found.augmentation.shift),
            ([false; 4], 1.0)
        );
        assert!(
            found.to_string().starts_with("parts that lie one way; none"),
            "{found}"
        );
    }

    #[test]
    fn a_symmetrical_part_is_flipped() {
        let oval = |x: f32, y: f32| if x.hypot(y * 2.0) < 0.6 { 200.0 } else { 60.0 };
        let found = natural(&drawn(12, 4.0, |_| Box::new(oval)), &Augmentation::default());
        assert_eq!(symmetries(&found.augmentation), [true, true, true, false]);
        assert!(!found.texture && !found.any_angle);
    }

    #[test]
    fn a_small_mark_says_which_way_a_part_lies() {
        let marked = |x: f32, y: f32| {
            let is_mark = (x - 0.4).abs() < 0.05 && y.abs() < 0.05;
            if x.hypot(y * 2.0) >= 0.6 {
                60.0
            } else {
                [200.0, 80.0][usize::from(is_mark)]
            }
        };
        let found = natural(&drawn(12, 24.0, |_| Box::new(marked)), &Augmentation::default());
        assert_eq!(symmetries(&found.augmentation), [false, true, false, false]);
    }

    #[test]
    fn a_part_that_lies_askew_may_be_turned_a_little() {
        let askew = |rng: &mut Rng| -> Box<dyn Fn(f32, f32) -> f32> {
            let ((sin, cos), shift) = (
                rng.range(-0.12, 0.12).sin_cos(),
                [0, 1].map(|_| rng.range(-0.06, 0.06)),
            );
            Box::new(move |x, y| angle(cos * x + sin * y + shift[0], cos * y - sin * x + shift[1]))
        };
        let found = natural(&drawn(40, 4.0, askew), &Augmentation::default());
        assert!((2.0..=8.0).contains(&found.augmentation.rotation), "{found:?}");
        assert!(
            found.augmentation.shift > 1.0 && !found.any_angle && !found.texture,
            "{found:?}"
        );
        assert_eq!(symmetries(&found.augmentation), [false; 4]);
    }

    #[test]
    fn a_part_at_any_angle_is_turned_all_round_but_not_mirrored() {
        let turned = |rng: &mut Rng| -> Box<dyn Fn(f32, f32) -> f32> {
            let (sin, cos) = rng.range(0.0, std::f32::consts::TAU).sin_cos();
            Box::new(move |x, y| angle(cos * x + sin * y, cos * y - sin * x))
        };
        let found = natural(&drawn(48, 4.0, turned), &Augmentation::default());
        assert_eq!(
            (found.any_angle, found.augmentation.rotation),
            (true, 180.0),
            "{found:?}"
        );
        assert!(found.augmentation.half_turn && !found.texture);
    }

    #[test]
    fn parts_in_wide_pictures_are_turned_as_they_lie() {
        let turned = |rng: &mut Rng| -> Box<dyn Fn(f32, f32) -> f32> {
            let (sin, cos) = rng.range(0.0, std::f32::consts::TAU).sin_cos();
            Box::new(move |x, y| angle(1.5 * cos * x + sin * y, cos * y - 1.5 * sin * x))
        };
        let (pictures, wide) = (
            drawn(48, 4.0, turned),
            Augmentation {
                aspect: 1.5,
                ..Augmentation::default()
            },
        );
        let found = natural(&pictures, &wide);
        assert!(
            found.any_angle && found.augmentation.half_turn && !found.augmentation.quarter_turn,
            "{found:?}"
        );
        assert!(!natural(&pictures, &Augmentation::default()).any_angle);
    }

    #[test]
    fn a_texture_has_no_place() {
        let found = natural(
            &drawn(20, 60.0, |_| Box::new(|_, _| 128.0)),
            &Augmentation::default(),
        );
        assert!(found.texture && symmetries(&found.augmentation) == [true; 4]);
        assert_eq!(
            (found.augmentation.rotation, found.augmentation.shift),
            (0.0, 4.0)
        );
    }

    #[test]
    fn colours_drift_as_far_as_among_the_pictures() {
        let lit = |blue: u8| Picture {
            width: 64,
            height: 64,
            channels: 3,
            data: [100, 100, blue].repeat(64 * 64),
        };
        let tint = |blues: &[u8]| tint(&blues.iter().map(|&blue| lit(blue)).collect::<Vec<_>>());
        // blue's share of the light is 0.887 and 1.103 of a third: 10.9 % either way of its mean
        assert!((tint(&[84, 116]) - 0.2).abs() < 1e-6 && (tint(&[95, 105]) - 0.067).abs() < 1e-3);
        assert_eq!([tint(&[100, 100]), tint(&[])], [0.02, 0.0]);
        assert_eq!(
            super::tint(&[Picture::filled(64, 64, 1, 9), Picture::filled(64, 64, 1, 90)]),
            0.0
        );
    }

    #[test]
    fn too_few_pictures_show_nothing() {
        for count in 0..2 {
            let found = natural(&drawn(count, 4.0, |_| Box::new(angle)), &Augmentation::default());
            assert_eq!((found.texture, found.augmentation.rotation), (false, 0.0));
        }
    }
}
