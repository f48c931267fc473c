//! The noise map: mean and spread of the difference image over normal pictures.

use beltwatch_vision::judge::difference::deviation::{MAX_FRACTION_BITS, NoiseMap};
use beltwatch_vision::preprocess::Pose;
use serde::{Deserialize, Serialize};

/// This share of the mean spread is added to every pixel's, so that a pixel that happened to be quiet in a
/// few pictures does not shout on the line.
const FLOOR: f64 = 0.25;

/// What the difference is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Noise {
    /// Each pixel's own mean and spread over good pictures: for parts that hold their place
    Pixel,
    /// One mean and spread of all pixels: for parts that lie askew, and for textures
    Even,
    /// Nothing: differences count in levels, of one form only
    None,
}

/// Collects difference images (Q8.8 levels) of one size.
#[derive(Clone, Debug)]
pub struct NoiseStatistics {
    width: usize,
    looked_at: Vec<bool>,
    /// Of each pixel, how many pictures show it.
    counts: Vec<u64>,
    sum: Vec<u64>,
    squares: Vec<u64>,
}

impl NoiseStatistics {
    /// Of pictures with `width` pixels in a row, of which those that are `looked_at` count.
    pub fn new(width: usize, looked_at: Vec<bool>) -> Self {
        let pixels = looked_at.len();
        Self {
            width,
            looked_at,
            counts: vec![0; pixels],
            sum: vec![0; pixels],
            squares: vec![0; pixels],
        }
    }

    /// The sum of a plane's values over what is looked at.
    fn total(&self, plane: impl Iterator<Item = f64>) -> f64 {
        plane
            .zip(&self.looked_at)
            .filter_map(|(value, &counts)| counts.then_some(value))
            .sum()
    }

    /// Takes in a difference image of a part that lay at `pose`: what of it is in view. Up to a million keep
    /// the sums exact.
    pub fn add(&mut self, difference: &[u16], pose: Pose) {
        let rows = (0..difference.len()).step_by(self.width);
        for place in rows
            .zip(pose.view(self.width))
            .flat_map(|(row, view)| row + view.start..row + view.end)
        {
            let d = u64::from(difference[place]);
            self.counts[place] += 1;
            self.sum[place] += d;
            self.squares[place] += d * d;
        }
    }

    /// Takes in all that `other` did, of the same size.
    pub fn add_all(&mut self, other: &Self) {
        let more =
            |all: &mut [u64], part: &[u64]| all.iter_mut().zip(part).for_each(|(all, part)| *all += part);
        more(&mut self.counts, &other.counts);
        more(&mut self.sum, &other.sum);
        more(&mut self.squares, &other.squares);
    }

    /// What it is without `other`, all of which it took in.
    pub fn without(&self, other: &Self) -> Self {
        let less = |all: &[u64], part: &[u64]| all.iter().zip(part).map(|(all, part)| all - part).collect();
        Self {
            width: self.width,
            looked_at: self.looked_at.clone(),
            counts: less(&self.counts, &other.counts),
            sum: less(&self.sum, &other.sum),
            squares: less(&self.squares, &other.squares),
        }
    }
}

/// The noise map of what was collected where parts hold their place: each pixel's mean and standard
/// deviation, smoothed over 3 x 3 pixels, the spread raised by a quarter of its mean over what is looked at,
/// or by `least` levels where that is more. A pixel that no picture shows has those of all the others.
pub fn noise_map(statistics: &NoiseStatistics, least: f64) -> NoiseMap {
    let even = even_noise_map(statistics, 0.0);
    if statistics.counts.iter().all(|&count| count == 0) {
        return even;
    }
    let of_pixel = |place: usize| match statistics.counts[place] {
        0 => (f64::from(even.mean[place]), f64::from(even.spread[place])),
        n => {
            let mean = statistics.sum[place] as f64 / n as f64;
            (
                mean,
                (statistics.squares[place] as f64 / n as f64 - mean * mean)
                    .max(0.0)
                    .sqrt(),
            )
        }
    };
    let (mean, spread): (Vec<f64>, Vec<f64>) = (0..statistics.counts.len()).map(of_pixel).unzip();
    let looked_at = statistics
        .looked_at
        .iter()
        .filter(|&&counts| counts)
        .count()
        .max(1) as f64;
    let floor = (FLOOR * statistics.total(spread.iter().copied()) / looked_at).max(256.0 * least);
    let q8_8 = |v: f64| v.round().clamp(0.0, f64::from(u16::MAX)) as u16;
    let smooth = |plane: &[f64]| box_3x3(plane, statistics.width);
    NoiseMap {
        mean: smooth(&mean).into_iter().map(q8_8).collect(),
        spread: smooth(&spread)
            .into_iter()
            .map(|s| q8_8(s + floor).max(1))
            .collect(),
        fraction_bits: MAX_FRACTION_BITS,
    }
}

/// The noise map where parts do not hold their place, so that no pixel's own past says anything: one mean and
/// one standard deviation, of all pixels that are looked at and in view of all pictures, `least` levels at
/// least. No pictures: mean 0, spread 1 level.
pub fn even_noise_map(statistics: &NoiseStatistics, least: f64) -> NoiseMap {
    let planes = [&statistics.counts, &statistics.sum, &statistics.squares];
    let [count, sum, squares] = planes.map(|plane| statistics.total(plane.iter().map(|&v| v as f64)));
    let n = count.max(1.0);
    let (mean, square) = (sum / n, squares / n);
    let spread = if count == 0.0 {
        256.0
    } else {
        (square - mean * mean).max(0.0).sqrt()
    };
    let everywhere = |v: f64| vec![v.round().clamp(0.0, f64::from(u16::MAX)) as u16; statistics.sum.len()];
    NoiseMap {
        mean: everywhere(mean),
        spread: everywhere(spread.max(256.0 * least).max(1.0)),
        fraction_bits: MAX_FRACTION_BITS,
    }
}

fn box_3x3(plane: &[f64], width: usize) -> Vec<f64> {
    let height = plane.len() / width;
    let near = |at: usize, end: usize| at.saturating_sub(1)..=(at + 1).min(end - 1);
    let mean = |x: usize, y: usize| {
        let values: Vec<f64> = near(y, height)
            .flat_map(|y| near(x, width).map(move |x| plane[y * width + x]))
            .collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    (0..plane.len()).map(|i| mean(i % width, i / width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_spread_of_two_pictures() {
        let mut statistics = NoiseStatistics::new(4, vec![true; 16]);
        statistics.add(&[1000; 16], Pose::default());
        statistics.add(&[3000; 16], Pose::default());
        let map = noise_map(&statistics, 0.0);
        // mean 2000, standard deviation 1000, raised by a quarter of the mean spread
        assert_eq!((map.mean, map.spread), (vec![2000; 16], vec![1250; 16]));
    }

    #[test]
    fn parts_of_a_set_add_up_to_it() {
        let differences: Vec<Vec<u16>> = (0..5)
            .map(|i| (0..16).map(|p| 900 * i + 77 * p).collect())
            .collect();
        let of = |some: &[Vec<u16>]| {
            let mut statistics = NoiseStatistics::new(4, vec![true; 16]);
            some.iter()
                .for_each(|difference| statistics.add(difference, Pose::default()));
            statistics
        };
        let mut sum = of(&differences[..2]);
        sum.add_all(&of(&differences[2..]));
        assert_eq!(noise_map(&sum, 0.0), noise_map(&of(&differences), 0.0));
        assert_ne!(noise_map(&sum, 0.0), noise_map(&of(&differences[..2]), 0.0));
        assert_eq!(
            noise_map(&sum.without(&of(&differences[2..])), 0.0),
            noise_map(&of(&differences[..2]), 0.0)
        );
    }

    #[test]
    fn a_quiet_set_is_not_taken_for_a_quiet_line() {
        let mut statistics = NoiseStatistics::new(4, vec![true; 16]);
        statistics.add(&[7; 16], Pose::default());
        assert_eq!(noise_map(&statistics, 16.0).spread, [16 * 256; 16]);
        assert_eq!(even_noise_map(&statistics, 16.0).spread, [16 * 256; 16]);
        assert_eq!(noise_map(&statistics, 0.0).spread, [1; 16]);
    }

    #[test]
    fn where_nothing_has_a_place_every_pixel_counts_alike() {
        let mut statistics = NoiseStatistics::new(4, vec![true; 4]);
        statistics.add(&[0, 0, 0, 4000], Pose::default());
        statistics.add(&[0, 4000, 0, 0], Pose::default());
        let map = even_noise_map(&statistics, 0.0);
        // a quarter of the values is 4000, the others 0: standard deviation 4000 * sqrt(3) / 4
        assert_eq!((map.mean, map.spread), (vec![1000; 4], vec![1732; 4]));
        assert_eq!(
            even_noise_map(&NoiseStatistics::new(2, vec![true; 4]), 0.0).spread,
            [256; 4]
        );
    }

    #[test]
    fn what_was_made_up_is_no_past() {
        let mut statistics = NoiseStatistics::new(4, vec![true; 16]);
        // parts that lay a pixel and two to the right: their last columns were beyond the frame
        statistics.add(&[1000, 1000, 1000, 9000].repeat(4), Pose::new(1.0, 0.0, 0.0));
        statistics.add(&[3000, 3000, 9000, 9000].repeat(4), Pose::new(2.0, 0.0, 0.0));
        let even = even_noise_map(&statistics, 0.0);
        assert_eq!(
            (even.mean[0], even.spread[0]),
            (1800, 980),
            "of twelve pixels of 1000 and eight of 3000"
        );
        let map = noise_map(&statistics, 0.0);
        // columns of 2000, 2000, 1000 and, in no picture, 1800, each smoothed with its neighbours
        assert_eq!(map.mean[..4], [2000, 1667, 1600, 1400]);
    }

    #[test]
    fn what_is_not_looked_at_sets_no_unit() {
        // the right half is another machine's rollers
        let mut statistics = NoiseStatistics::new(4, [true, true, false, false].repeat(4));
        statistics.add(&[1000, 1000, 0, 0].repeat(4), Pose::default());
        statistics.add(&[3000, 3000, 60_000, 60_000].repeat(4), Pose::default());
        let even = even_noise_map(&statistics, 0.0);
        assert_eq!((even.mean, even.spread), (vec![2000; 16], vec![1000; 16]));
        assert_eq!(noise_map(&statistics, 0.0).spread[0], 1250);
    }

    #[test]
    fn a_quiet_pixel_has_a_spread_all_the_same() {
        let mut statistics = NoiseStatistics::new(8, vec![true; 64]);
        let mut picture = [0u16; 64];
        statistics.add(&picture, Pose::default());
        picture[..32].fill(4000);
        statistics.add(&picture, Pose::default());
        let map = noise_map(&statistics, 0.0);
        assert_eq!(map.spread[63], 250);
        assert!(
            noise_map(&NoiseStatistics::new(2, vec![true; 4]), 0.0)
                .spread
                .iter()
                .all(|&s| s == 256)
        );
    }
}
