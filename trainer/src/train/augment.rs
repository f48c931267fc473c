//! Small changes that a good part may show: place, angle, light.

use beltwatch_vision::picture::Picture;
use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// How much the good pictures are varied. Every amount is the largest; each picture draws its own below it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Shift along each axis, in pixels.
    pub shift: f32,
    /// Rotation either way, in degrees of the camera's picture. 0 keeps the pixel grid: nothing is
    /// interpolated.
    pub rotation: f32,
    /// Width of the camera's picture by its height: it was stretched to a square, in which what is turned is
    /// sheared.
    #[serde(default = "square")]
    pub aspect: f32,
    /// Relative change of contrast and brightness together: 0.05 is 5 %.
    pub gain: f32,
    /// Added brightness, as a part of the full range.
    pub brightness: f32,
    /// Relative change of each colour by itself, as the white balance of a camera drifts: 0.05 is 5 %.
    #[serde(default)]
    pub tint: f32,
    /// Left and right exchanged.
    pub flip_horizontal: bool,
    /// Top and bottom exchanged.
    pub flip_vertical: bool,
    /// Upside down, without a mirror.
    pub half_turn: bool,
    /// A quarter turn either way.
    pub quarter_turn: bool,
}

fn square() -> f32 {
    1.0
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            shift: 1.0,
            rotation: 0.0,
            aspect: square(),
            gain: 0.05,
            brightness: 0.02,
            tint: 0.0,
            flip_horizontal: false,
            flip_vertical: false,
            half_turn: false,
            quarter_turn: false,
        }
    }
}

impl Augmentation {
    /// A varied copy of a square picture. What comes in from outside repeats the border.
    pub fn apply(&self, rng: &mut Rng, picture: &Picture) -> Picture {
        let shift = [0, 1].map(|_| rng.range(-self.shift, self.shift));
        let degrees = rng.range(-self.rotation, self.rotation);
        let gain = 1.0 + rng.range(-self.gain, self.gain);
        let offset = rng.range(-self.brightness, self.brightness) * 255.0;
        let gains = [(); 3].map(|()| gain * (1.0 + rng.range(-self.tint, self.tint)));
        let symmetries = [
            self.flip_horizontal,
            self.flip_vertical,
            self.half_turn,
            self.quarter_turn,
        ];
        let [horizontal, vertical, half, quarter] = symmetries.map(|allowed| rng.chance(0.5) && allowed);
        // Rows of the matrix from the new picture's places to the old one's, about the centre.
        let mut rows = if self.rotation == 0.0 {
            STRAIGHT
        } else {
            turned(degrees, self.aspect)
        };
        for (mirrored, axis) in [(horizontal != half, 0), (vertical != half, 1)] {
            if mirrored {
                rows.iter_mut().for_each(|row| row[axis] = -row[axis]);
            }
        }
        if quarter {
            rows.iter_mut()
                .for_each(|row| *row = [-row[1] * self.aspect, row[0] / self.aspect]);
        }
        let shift = if self.rotation == 0.0 {
            shift.map(f32::round)
        } else {
            shift
        };
        resample(picture, rows, shift, |c, v| v * gains[c] + offset)
    }
}

/// Rows of a 2 x 2 matrix.
pub(crate) type Rows = [[f32; 2]; 2];
/// No turn, no mirror.
pub(crate) const STRAIGHT: Rows = [[1.0, 0.0], [0.0, 1.0]];

/// A turn in a picture of that aspect, which was stretched to a square.
pub(crate) fn turned(degrees: f32, aspect: f32) -> Rows {
    let (sin, cos) = degrees.to_radians().sin_cos();
    [[cos, -sin / aspect], [sin * aspect, cos]]
}

/// Samples `picture` bilinearly at `rows * (place - centre) + centre + shift`; `tone` maps a channel's values
/// of 0 to 255.
pub(crate) fn resample(
    picture: &Picture,
    rows: Rows,
    shift: [f32; 2],
    tone: impl Fn(usize, f32) -> f32,
) -> Picture {
    let (width, height, channels) = (picture.width, picture.height, picture.channels);
    let centre = [(width as f32 - 1.0) / 2.0, (height as f32 - 1.0) / 2.0];
    let limit = [width as f32 - 1.0, height as f32 - 1.0];
    let mut data = Vec::with_capacity(picture.data.len());
    for y in 0..height {
        for x in 0..width {
            let from = [x as f32 - centre[0], y as f32 - centre[1]];
            let [(x0, x1, u), (y0, y1, v)] = [0, 1].map(|axis| {
                let at = rows[axis][0] * from[0] + rows[axis][1] * from[1] + centre[axis] + shift[axis];
                let at = at.clamp(0.0, limit[axis]);
                let low = at.floor();
                (low as usize, (low + 1.0).min(limit[axis]) as usize, at - low)
            });
            for c in 0..channels {
                let value = |x, y| f32::from(picture.at(x, y, c));
                let top = value(x0, y0) * (1.0 - u) + value(x1, y0) * u;
                let bottom = value(x0, y1) * (1.0 - u) + value(x1, y1) * u;
                data.push(tone(c, top * (1.0 - v) + bottom * v).round() as u8);
            }
        }
    }
    Picture {
        width,
        height,
        channels,
        data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: Augmentation = Augmentation {
        shift: 0.0,
        rotation: 0.0,
        aspect: 1.0,
        gain: 0.0,
        brightness: 0.0,
        tint: 0.0,
        flip_horizontal: false,
        flip_vertical: false,
        half_turn: false,
        quarter_turn: false,
    };

    fn picture() -> Picture {
        let mut rng = Rng::new(&[9]);
        Picture {
            width: 8,
            height: 8,
            channels: 3,
            data: (0..192).map(|_| rng.bits() as u8).collect(),
        }
    }

    #[test]
    fn nothing_asked_nothing_changed() {
        assert_eq!(STILL.apply(&mut Rng::new(&[1]), &picture()), picture());
    }

    #[test]
    fn shifts_move_whole_pixels_and_repeat_the_border() {
        let moved = resample(&picture(), [[1.0, 0.0], [0.0, 1.0]], [2.0, -1.0], |_, v| v);
        for (x, y) in (0..8).flat_map(|x| (0..8).map(move |y| (x, y))) {
            let from = ((x + 2).min(7), y.max(1) - 1);
            assert_eq!(moved.at(x, y, 1), picture().at(from.0, from.1, 1));
        }
    }

    #[test]
    fn turns_and_flips_permute_the_pixels() {
        let symmetries = [
            (
                Augmentation {
                    flip_horizontal: true,
                    ..STILL
                },
                2,
            ),
            (
                Augmentation {
                    half_turn: true,
                    ..STILL
                },
                2,
            ),
            (
                Augmentation {
                    half_turn: true,
                    quarter_turn: true,
                    ..STILL
                },
                4,
            ),
            (
                Augmentation {
                    flip_vertical: true,
                    half_turn: true,
                    ..STILL
                },
                4,
            ),
            (
                Augmentation {
                    flip_horizontal: true,
                    flip_vertical: true,
                    quarter_turn: true,
                    ..STILL
                },
                8,
            ),
        ];
        let mut sorted = picture().data;
        sorted.sort_unstable();
        for (config, count) in symmetries {
            let mut seen = std::collections::HashSet::new();
            for key in 0..100 {
                let turned = config.apply(&mut Rng::new(&[key]), &picture());
                let mut values = turned.data.clone();
                values.sort_unstable();
                assert_eq!(values, sorted);
                seen.insert(turned.data);
            }
            assert_eq!(seen.len(), count, "{config:?}");
        }
        let upside_down = resample(&picture(), [[-1.0, 0.0], [0.0, -1.0]], [0.0; 2], |_, v| v);
        assert_eq!(upside_down.at(1, 2, 0), picture().at(6, 5, 0));
    }

    #[test]
    fn each_colour_drifts_by_itself() {
        let config = Augmentation { tint: 0.1, ..STILL };
        let seen: Vec<_> = (0..50)
            .map(|key| {
                config
                    .apply(&mut Rng::new(&[key]), &Picture::filled(1, 1, 3, 100))
                    .data
            })
            .collect();
        assert!(seen.iter().flatten().all(|v| (90..=110).contains(v)), "{seen:?}");
        assert!(
            seen.iter().any(|v| v[0] > 103 && v[1] < 97) && seen.iter().any(|v| v[1] > 103 && v[2] < 97),
            "{seen:?}"
        );
    }

    #[test]
    fn light_changes_stay_in_their_range_and_saturate() {
        let config = Augmentation {
            gain: 0.1,
            brightness: 0.1,
            ..STILL
        };
        let (grey, white) = (Picture::filled(4, 4, 1, 100), Picture::filled(4, 4, 1, 255));
        let mut values = std::collections::HashSet::new();
        for key in 0..200 {
            let value = config.apply(&mut Rng::new(&[key]), &grey).data[0];
            assert!((64..=136).contains(&value), "{value}");
            values.insert(value);
            assert!(config.apply(&mut Rng::new(&[key]), &white).data[0] > 200);
        }
        assert!(values.len() > 30);
    }

    #[test]
    fn turns_are_those_of_the_camera_s_picture() {
        // 8 to the right of the middle of a picture twice as wide as high are as long as 16 down
        let mut dot = Picture::filled(33, 33, 1, 0);
        dot.data[16 * 33 + 24] = 255;
        let brightest = |picture: &Picture| {
            picture
                .data
                .iter()
                .position(|&v| v == 255)
                .map(|i| (i % 33, i / 33))
        };
        let quarters = Augmentation {
            aspect: 2.0,
            quarter_turn: true,
            half_turn: true,
            ..STILL
        };
        let seen: std::collections::HashSet<_> = (0..100)
            .map(|key| brightest(&quarters.apply(&mut Rng::new(&[key]), &dot)))
            .collect();
        assert_eq!(seen, [(24, 16), (8, 16), (16, 0), (16, 32)].map(Some).into());
        assert_eq!(
            brightest(&resample(&dot, turned(90.0, 2.0), [0.0; 2], |_, v| v)),
            Some((16, 0))
        );
    }

    #[test]
    fn rotation_keeps_the_middle_and_moves_the_rim() {
        let mut picture = Picture::filled(33, 33, 1, 0);
        picture.data[16 * 33 + 16] = 255;
        picture.data[16 * 33 + 32] = 200;
        let config = Augmentation {
            rotation: 20.0,
            ..STILL
        };
        let turned = config.apply(&mut Rng::new(&[4]), &picture);
        assert_eq!(turned.at(16, 16, 0), 255);
        assert!(turned.at(32, 16, 0) < 100);
    }
}
