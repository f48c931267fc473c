//! From the difference image to the u8 map that HEE reads: plain levels, or spreads above the normal mean.
//!
//! The noise map holds the mean and the spread of the difference over normal pictures, pixel by pixel, so
//! that edges that the network always draws a little wrong stop counting. The result is offset by two
//! spreads: a normal pixel lies *around* the zero level, and HEE sees on which side.

use crate::picture::Picture;
use crate::processor::vectorised;

/// The zero level of a map with a noise map lies this many spreads above 0.
const ZERO_SPREADS: u8 = 2;
/// Spreads in Q4.4 is the finest unit.
pub const MAX_FRACTION_BITS: u8 = 4;
/// More than the map's range, in its unit.
const BEYOND: i32 = 512;
/// Q8.8 of the least spread, a sixteenth of a level: below it lies only the rounding of the input.
const LEAST_SPREAD: u16 = 16;

/// Mean and spread of the difference image over normal pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoiseMap {
    /// Q8.8 levels, one a pixel.
    pub mean: Vec<u16>,
    /// Q8.8 levels, one a pixel, at least a sixteenth of a level after [`Deviation::new`].
    pub spread: Vec<u16>,
    /// Fractional bits of a spread in the u8 map, 0 to [`MAX_FRACTION_BITS`]: 4 is Q4.4.
    pub fraction_bits: u8,
}

/// Turns difference images into u8 maps.
#[derive(Clone, Debug)]
pub struct Deviation {
    map: Option<Scaled>,
}

#[derive(Clone, Debug)]
struct Scaled {
    mean: Vec<u16>,
    /// `2^(16 + fraction_bits) / spread`, so that one multiplication stands for the division.
    gain: Vec<i32>,
    /// Differences from the mean beyond this are beyond the map's range; their product with the gain fits 32
    /// bits.
    reach: Vec<i32>,
    zero: u8,
}

impl Deviation {
    /// With a noise map the unit is a spread in `fraction_bits`, without one a level.
    pub fn new(noise: Option<&NoiseMap>) -> Self {
        let map = noise.map(|noise| {
            let bits = noise.fraction_bits.min(MAX_FRACTION_BITS);
            let gain = |&s: &u16| (1i32 << (16 + bits)) / i32::from(s.max(LEAST_SPREAD));
            let gain: Vec<i32> = noise.spread.iter().map(gain).collect();
            let reach = gain.iter().map(|gain| (BEYOND << 16) / gain).collect();
            Scaled {
                mean: noise.mean.clone(),
                gain,
                reach,
                zero: ZERO_SPREADS << bits,
            }
        });
        Self { map }
    }

    /// The value of a pixel that is as different as the normal mean: 0 without a noise map.
    pub fn zero(&self) -> u8 {
        self.map.as_ref().map_or(0, |m| m.zero)
    }

    /// Writes the u8 map (saturating, rounded down) of a difference image in Q8.8 levels.
    pub fn apply(&self, difference: &[u16], out: &mut [u8]) {
        let Some(map) = &self.map else {
            for (out, &d) in out.iter_mut().zip(difference) {
                *out = (d >> 8) as u8;
            }
            return;
        };
        measure(map, difference, out);
    }
}

vectorised! {
    /// So many spreads above the mean, on top of the zero level.
    fn measure(map: &Scaled, difference: &[u16], out: &mut [u8]) {
        let noise = map.mean.iter().zip(&map.gain).zip(&map.reach);
        for ((out, &d), ((&mean, &gain), &reach)) in out.iter_mut().zip(difference).zip(noise) {
            let from_mean = (i32::from(d) - i32::from(mean)).max(-reach).min(reach);
            *out = (((from_mean * gain) >> 16) + i32::from(map.zero)).clamp(0, 255) as u8;
        }
    }
}

impl NoiseMap {
    /// Mean and spread as pictures to look at: brightest = largest.
    pub fn pictures(&self, width: usize) -> [Picture; 2] {
        [&self.mean, &self.spread].map(|values| {
            let top = u32::from(values.iter().copied().max().unwrap_or(1).max(1));
            let data = values.iter().map(|&v| (u32::from(v) * 255 / top) as u8).collect();
            Picture {
                width,
                height: values.len() / width,
                channels: 1,
                data,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spreads_above_the_mean_in_q4_4() {
        let noise = NoiseMap {
            mean: vec![512; 5],
            spread: vec![256, 256, 128, 256, 0],
            fraction_bits: 4,
        };
        let deviation = Deviation::new(Some(&noise));
        let mut out = [0; 5];
        deviation.apply(&[512, 512 + 256, 512 + 64, 0, 513], &mut out);
        // the mean; one spread above; half of a smaller spread; two below; 1/256 over the least spread
        assert_eq!(out, [32, 48, 40, 0, 33]);
        assert_eq!(deviation.zero(), 32);
    }

    proptest! {
        #[test]
        fn agrees_with_exact_division_to_one_step(
            d in 0u16..,
            mean in 0u16..2000,
            spread in 16u16..5000,
            bits in 0u8..=4,
        ) {
            let noise = NoiseMap { mean: vec![mean], spread: vec![spread], fraction_bits: bits };
            let mut out = [0];
            Deviation::new(Some(&noise)).apply(&[d], &mut out);
            let spreads = (f64::from(d) - f64::from(mean)) / f64::from(spread);
            let exact = spreads * f64::from(1 << bits) + f64::from(2 << bits);
            let exact = exact.clamp(0.0, 255.0);
            // the reciprocal is cut to 1 part in 2^(16 + bits) / spread
            prop_assert!((f64::from(out[0]) - exact).abs() <= 1.0 + 255.0 * f64::from(spread) / 65536.0, "{} \
                {exact}", out[0]);
        }

        #[test]
        fn nothing_overflows_and_what_is_beyond_is_cut(
            d in 0u16..,
            mean in 0u16..,
            spread in 0u16..,
            bits in 0u8..=4,
        ) {
            let noise = NoiseMap { mean: vec![mean], spread: vec![spread], fraction_bits: bits };
            let mut out = [0];
            Deviation::new(Some(&noise)).apply(&[d], &mut out);
            let gain = (1i64 << (16 + bits)) / i64::from(spread.max(LEAST_SPREAD));
            let exact = (((i64::from(d) - i64::from(mean)) * gain) >> 16) + i64::from(ZERO_SPREADS << bits);
            prop_assert_eq!(i64::from(out[0]), exact.clamp(0, 255));
        }

        #[test]
        fn grows_with_the_difference(
            a in 0u16..,
            b in 0u16..,
            mean in 0u16..,
            spread in 0u16..,
            bits in 0u8..=4,
        ) {
            let noise = NoiseMap { mean: vec![mean; 2], spread: vec![spread; 2], fraction_bits: bits };
            let mut out = [0; 2];
            Deviation::new(Some(&noise)).apply(&[a.min(b), a.max(b)], &mut out);
            prop_assert!(out[0] <= out[1]);
        }
    }
}
