//! Resampling a whole picture at a pose: Catmull and Rom's cubic (1974), which keeps edges as sharp between pixels as on them.

use super::Pose;
use crate::picture::Picture;

/// Places between two pixels.
const PHASES: i64 = 256;
/// Weights of four neighbours add up to this.
const ONE: i32 = 1 << 11;

/// The weights of four neighbours for each place between the middle two.
#[derive(Clone, Debug)]
pub(super) struct Warp {
    weights: Vec<[i32; 4]>,
}

impl Warp {
    pub(super) fn new() -> Self {
        Self { weights: (0..PHASES).map(weights).collect() }
    }

    /// Writes `picture` as it looks when what lies at `pose` is brought back. What was beyond its frame is drawn as the
    /// nearest pixel within.
    pub(super) fn apply(&self, picture: &Picture, pose: Pose, out: &mut [u8]) {
        match picture.channels {
            1 => self.channels::<1>(picture, pose, out),
            _ => self.channels::<3>(picture, pose, out),
        }
    }

    fn channels<const C: usize>(&self, picture: &Picture, pose: Pose, out: &mut [u8]) {
        let (width, height) = (picture.width as i64, picture.height as i64);
        for (row, out) in out.chunks_exact_mut(picture.width * C).enumerate() {
            let places = pose.places(row, picture.width, picture.height);
            for (out, [at_x, at_y]) in out.chunks_exact_mut(C).zip(places) {
                let phase = |p: i64| &self.weights[((p >> 8) & (PHASES - 1)) as usize];
                let (across, along) = (phase(at_x), phase(at_y));
                let columns: [usize; 4] = std::array::from_fn(|i| near(at_x, i, width) * C);
                let mut sums = [0i32; C];
                for (i, &weight) in along.iter().enumerate() {
                    let line = &picture.data[near(at_y, i, height) * picture.width * C..];
                    for (c, sum) in sums.iter_mut().enumerate() {
                        let row: i32 = (0..4).map(|k| across[k] * i32::from(line[columns[k] + c])).sum();
                        // Q4 levels: the product with the second weight still fits
                        *sum += weight * (row >> 7);
                    }
                }
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = ((sum + (ONE << 3)) / (ONE << 4)).clamp(0, 255) as u8;
                }
            }
        }
    }
}

/// The `i`-th of the four pixels around a place in 1/65536 pixel, within the picture.
fn near(place: i64, i: usize, side: i64) -> usize {
    ((place >> 16) + i as i64 - 1).clamp(0, side - 1) as usize
}

/// Weights for `phase` / 256 of the way from the second neighbour to the third.
fn weights(phase: i64) -> [i32; 4] {
    let (t, one) = (phase, PHASES);
    // each over 2 * 256^3
    let exact = [
        -t * t * t + 2 * t * t * one - t * one * one,
        3 * t * t * t - 5 * t * t * one + 2 * one * one * one,
        -3 * t * t * t + 4 * t * t * one + t * one * one,
        t * t * t - t * t * one,
    ];
    let scaled = exact.map(|w| (w * i64::from(ONE) / (2 * one * one * one)) as i32);
    let rest = ONE - scaled.iter().sum::<i32>();
    let larger = if 2 * t < one { 1 } else { 2 };
    std::array::from_fn(|i| if i == larger { scaled[i] + rest } else { scaled[i] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_the_cubics() {
        assert_eq!(weights(0), [0, ONE, 0, 0]);
        // -1/16, 9/16, 9/16, -1/16
        assert_eq!(weights(128), [-128, 1152, 1152, -128]);
        assert!((0..256).all(|t| weights(t).iter().sum::<i32>() == ONE));
    }

    #[test]
    fn a_whole_pixel_is_a_copy() {
        let data: Vec<u8> = (0..96 * 96 * 3).map(|i| (i * 7 % 251) as u8).collect();
        let picture = Picture { width: 96, height: 96, channels: 3, data };
        let mut out = vec![0; picture.data.len()];
        Warp::new().apply(&picture, Pose::new(2.0, -1.0, 0.0), &mut out);
        for (y, x, c) in [(1, 0, 0), (40, 50, 1), (95, 93, 2)] {
            assert_eq!(out[(y * 96 + x) * 3 + c], picture.at(x + 2, y - 1, c));
        }
    }

    #[test]
    fn flat_stays_flat_and_nothing_wraps() {
        for value in [0, 1, 254, 255] {
            let picture = Picture::filled(64, 64, 1, value);
            let mut out = vec![9; 64 * 64];
            Warp::new().apply(&picture, Pose::new(3.3, 70.0, 11.0), &mut out);
            assert!(out.iter().all(|&v| v == value));
        }
        let data = (0..64 * 64).map(|i| if (i / 5) % 2 == 0 { 255 } else { 0 }).collect();
        let stripes = Picture { width: 64, height: 64, channels: 1, data };
        let mut out = vec![9; 64 * 64];
        Warp::new().apply(&stripes, Pose::new(0.5, 0.0, 0.0), &mut out);
        // overshoot is cut: a stripe stays black or white inside
        assert!(out[64 * 30 + 1..64 * 30 + 60].contains(&255) && out.contains(&0));
    }
}
