//! Resampling a whole picture at a pose: Catmull and Rom's cubic (1974), which keeps edges as sharp between
//! pixels as on them.

use super::pose::{Line, Pose};
use crate::picture::Picture;
use crate::picture::resize::spread;
use crate::processor::{Strip, Team, vectorised};

/// Places between two pixels.
const PHASES: i64 = 256;
/// Weights of four neighbours add up to this.
const ONE: i32 = 1 << 11;

/// A pixel's values, whether it has as many or not: all are computed together.
type Pixel = [u8; 4];

/// The weights of four neighbours for each place between the middle two, and memory to work in.
#[derive(Clone, Debug)]
pub(super) struct Warp {
    weights: Vec<[i16; 4]>,
    pixels: Vec<Pixel>,
    /// One for each thread.
    rows: [Vec<Pixel>; 2],
}

impl Warp {
    /// For pictures of `side` x `side` pixels.
    pub(super) fn new(side: usize) -> Self {
        let weights = (0..PHASES).map(weights).collect();
        let row = || vec![Pixel::default(); side];
        Self {
            weights,
            pixels: Vec::with_capacity(side * side),
            rows: [row(), row()],
        }
    }

    /// Writes `picture`, a square, as it looks when what lies at `pose` is brought back. What was beyond its
    /// frame is drawn as the nearest pixel within.
    pub(super) fn apply(&mut self, team: &mut Team, picture: &Picture, pose: Pose, out: &mut [u8]) {
        let Self {
            weights,
            pixels,
            rows,
        } = self;
        let Picture {
            width: side,
            channels,
            ..
        } = *picture;
        pixels.clear();
        // what lies behind a pixel is computed with it and not drawn
        pixels.extend(
            picture
                .data
                .chunks_exact(channels)
                .enumerate()
                .map(|(place, values)| {
                    picture.data[place * channels..]
                        .first_chunk()
                        .copied()
                        .unwrap_or_else(|| {
                            let mut last = Pixel::default();
                            last[..channels].copy_from_slice(values);
                            last
                        })
                }),
        );
        let (place, line) = (|row| row * side * channels, pose.lines(side));
        Strip::whole(side, out).share_with(rows, team, place, |mut strip, drawn| {
            for row in strip.rows.clone() {
                draw(weights, pixels, line(row), drawn);
                spread(drawn.iter(), channels, strip.at(place(row)));
            }
        });
    }
}

vectorised! {
    /// A row of a square picture, from the picture's pixels.
    fn draw(weights: &[[i16; 4]], pixels: &[Pixel], line: Line, out: &mut [Pixel]) {
        let side = out.len();
        // all four neighbours along both axes are in the picture
        let inner = line.moved(-1 << 16).inside((side as i64 - 3) << 16, side);
        for (column, out) in out.iter_mut().enumerate() {
            let at = line.at(column);
            let [across, along] = at.map(|p| &weights[((p >> 8) & (PHASES - 1)) as usize]);
            let first = at.map(|p| (p >> 16) - 1);
            *out = if inner.contains(&column) {
                let first = first[1] as usize * side + first[0] as usize;
                between(|i| *pixels[first + i * side..].first_chunk().expect("inner pixels have four \
                    neighbours"), along, across)
            } else {
                between(|i| beyond(pixels, side, first, i), along, across)
            };
        }
    }
}

/// Four neighbours of a row where not all lie in the picture: the nearest ones that do.
fn beyond(pixels: &[Pixel], side: usize, [left, top]: [i64; 2], row: usize) -> [Pixel; 4] {
    let near = |from: i64, i: usize| (from + i as i64).clamp(0, side as i64 - 1) as usize;
    std::array::from_fn(|i| pixels[near(top, row) * side + near(left, i)])
}

/// What lies between four rows of four pixels. Products of 16 bits, in loops over all values, become vector
/// instructions.
#[inline(always)]
fn between(row: impl Fn(usize) -> [Pixel; 4], along: &[i16; 4], across: &[i16; 4]) -> Pixel {
    let mut values = [0; 16];
    for (i, &weight) in along.iter().enumerate() {
        let row = row(i);
        for (value, &level) in values.iter_mut().zip(row.as_flattened()) {
            *value += i32::from(weight) * i32::from(i16::from(level));
        }
    }
    // Q4 levels, which fit
    let values = values.map(|value| (value >> 7) as i16);
    let mut sums = [ONE << 3; 4];
    for (pixel, &weight) in values.as_chunks::<4>().0.iter().zip(across) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += i32::from(weight) * i32::from(value);
        }
    }
    sums.map(|sum| (sum >> 15).clamp(0, 255) as u8)
}

/// Weights for `phase` / 256 of the way from the second neighbour to the third.
fn weights(phase: i64) -> [i16; 4] {
    let (t, one) = (phase, PHASES);
    // each over 2 * 256^3
    let exact = [
        -t * t * t + 2 * t * t * one - t * one * one,
        3 * t * t * t - 5 * t * t * one + 2 * one * one * one,
        -3 * t * t * t + 4 * t * t * one + t * one * one,
        t * t * t - t * t * one,
    ];
    let scaled = exact.map(|w| (w * i64::from(ONE) / (2 * one * one * one)) as i16);
    let rest = ONE as i16 - scaled.iter().sum::<i16>();
    let larger = if 2 * t < one { 1 } else { 2 };
    std::array::from_fn(|i| if i == larger { scaled[i] + rest } else { scaled[i] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_the_cubics() {
        assert_eq!(weights(0), [0, 2048, 0, 0]);
        // -1/16, 9/16, 9/16, -1/16
        assert_eq!(weights(128), [-128, 1152, 1152, -128]);
        assert!((0..256).all(|t| weights(t).iter().sum::<i16>() == 2048));
    }

    #[test]
    fn a_whole_pixel_is_a_copy() {
        let data: Vec<u8> = (0..96 * 96 * 3).map(|i| (i * 7 % 251) as u8).collect();
        let picture = Picture {
            width: 96,
            height: 96,
            channels: 3,
            data,
        };
        let mut out = vec![0; picture.data.len()];
        Warp::new(96).apply(&mut Team::alone(), &picture, Pose::new(2.0, -1.0, 0.0), &mut out);
        for (y, x, c) in [(1, 0, 0), (40, 50, 1), (95, 93, 2)] {
            assert_eq!(out[(y * 96 + x) * 3 + c], picture.at(x + 2, y - 1, c));
        }
    }

    #[test]
    fn flat_stays_flat_and_nothing_wraps() {
        for value in [0, 1, 254, 255] {
            let picture = Picture::filled(64, 64, 1, value);
            let mut out = vec![9; 64 * 64];
            Warp::new(64).apply(&mut Team::alone(), &picture, Pose::new(3.3, 70.0, 11.0), &mut out);
            assert!(out.iter().all(|&v| v == value));
        }
        let data = (0..64 * 64)
            .map(|i| if (i / 5) % 2 == 0 { 255 } else { 0 })
            .collect();
        let stripes = Picture {
            width: 64,
            height: 64,
            channels: 1,
            data,
        };
        let mut out = vec![9; 64 * 64];
        Warp::new(64).apply(&mut Team::alone(), &stripes, Pose::new(0.5, 0.0, 0.0), &mut out);
        // overshoot is cut: a stripe stays black or white inside
        assert!(out[64 * 30 + 1..64 * 30 + 60].contains(&255) && out.contains(&0));
    }

    #[test]
    fn the_inside_is_drawn_as_the_rim_is() {
        let mut warp = Warp::new(48);
        let data = (0..48 * 48 * 3).map(|i: usize| (i * i / 7 % 253) as u8).collect();
        let picture = Picture {
            width: 48,
            height: 48,
            channels: 3,
            data,
        };
        for pose in [
            Pose::new(0.0, 0.0, 7.0),
            Pose::new(-3.4, 2.6, -20.0),
            Pose::new(0.25, -0.75, 0.0),
        ] {
            let mut out = vec![0; picture.data.len()];
            warp.apply(&mut Team::pair().expect("a thread"), &picture, pose, &mut out);
            let line = pose.lines(48);
            for (place, drawn) in out.chunks_exact(3).enumerate() {
                let at = line(place / 48).at(place % 48);
                let [across, along] = at.map(|p| &warp.weights[((p >> 8) & 255) as usize]);
                let first = at.map(|p| (p >> 16) - 1);
                let exact = between(|i| beyond(&warp.pixels, 48, first, i), along, across);
                assert_eq!(drawn, &exact[..3], "{pose:?} {place}");
            }
        }
    }
}
