//! Procedural defects, drawn on good pictures: the network learns to restore what is under them, its head to
//! mark them, and the recipe's self-test has something to find.
//!
//! A defect is a shape (how much of each pixel it covers, see [`shape`]) and a fill (what is seen there
//! instead, see [`fill`]), drawn independently of each other. A defect that nobody could see is drawn again.

mod fill;
mod shape;

use beltwatch_vision::picture::Picture;
use serde::{Deserialize, Serialize};

use crate::rng::Rng;
use shape::{Cover, box_blur};

/// What is seen where a procedural defect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// A piece of another picture, or of another place of the same picture: something missing, too much,
    /// displaced.
    Patch,
    /// One colour: a pit, a drop, a foreign body.
    Tint,
    /// Noise or stripes of two colours: rust, fibres, mould.
    Texture,
    /// The picture lighter or darker, flatter or harder: a stain, oil, wear.
    Shade,
    /// The picture out of focus: a smear.
    Blur,
}

impl Fill {
    /// Every fill.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// How often it is drawn beside the others.
    const fn weight(self) -> f32 {
        match self {
            Self::Patch => 0.40,
            Self::Tint => 0.22,
            Self::Texture => 0.18,
            Self::Shade => 0.14,
            Self::Blur => 0.06,
        }
    }
}

/// Which defects are pasted on the network's input, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefectConfig {
    /// Part of the pictures that get any, 0 to 1.
    pub probability: f32,
    /// The most defects on one picture, at least 1.
    pub most: usize,
    /// What may be seen in them; empty: no defects.
    pub fills: Vec<Fill>,
    /// Part of the pictures, 0 to 1, where a large area is a little lighter or darker. That is no defect: the
    /// network learns to even it out, its head not to mark it.
    pub drift: f32,
}

impl Default for DefectConfig {
    fn default() -> Self {
        Self {
            probability: 0.75,
            most: 3,
            fills: Fill::ALL.to_vec(),
            drift: 0.15,
        }
    }
}

impl DefectConfig {
    /// Lets the light drift and pastes defects on `picture`, or neither, as the configuration says. `others`
    /// are good pictures for patches. Returns the mask of the defects, one value a pixel.
    pub fn apply(&self, rng: &mut Rng, picture: &mut Picture, others: &[Picture]) -> Vec<bool> {
        let mut mask = vec![false; picture.width * picture.height];
        if rng.chance(self.drift) {
            drift(rng, picture);
        }
        if self.fills.is_empty() || !rng.chance(self.probability) {
            return mask;
        }
        // One most often, each further one half as likely.
        let count = (1..self.most)
            .find(|_| rng.chance(0.5))
            .unwrap_or(self.most.max(1));
        for _ in 0..count {
            if let Some(defect) = paste_visible(rng, picture, others, &self.fills) {
                mask.iter_mut().zip(defect).for_each(|(all, one)| *all |= one);
            }
        }
        mask
    }
}

/// Pastes one defect of any kind; `others` are pictures for patches, of the same channels, and may be empty.
/// It is visible, unless the picture is empty.
pub fn paste(rng: &mut Rng, picture: &mut Picture, others: &[Picture]) {
    if paste_visible(rng, picture, others, Fill::ALL).is_none() {
        invert_middle(picture);
    }
}

/// Levels by which the neighbourhood of a pixel changes, in its most changed channel, where it counts as the
/// defect's.
const VISIBLE: f32 = 7.0;
/// A defect has at least one pixel that changes by so many levels.
const CLEAR: f32 = 15.0;
/// And covers at least one in so many pixels of the picture: 10 at 128 x 128.
const LEAST_SHARE: usize = 1600;
/// But no more than this share of it: what is wrong all over is no place to mark.
const LARGEST_SHARE: f32 = 0.6;
/// How often an invisible defect is drawn again.
const TRIES: usize = 6;

/// Pastes one defect and returns its mask, or leaves the picture as it is where none came out visible.
fn paste_visible(
    rng: &mut Rng,
    picture: &mut Picture,
    others: &[Picture],
    fills: &[Fill],
) -> Option<Vec<bool>> {
    if picture.width == 0 || picture.height == 0 {
        return None;
    }
    (0..TRIES).find_map(|_| {
        let cover = Cover::draw(rng, picture.width, picture.height);
        let fill = draw_fill(rng, fills);
        let (filled, strength) = fill::draw(rng, fill, picture, others);
        let mut changed = picture.clone();
        blend(&mut changed, &filled, &cover, strength);
        let mask = visible(picture, &changed, &cover)?;
        *picture = changed;
        Some(mask)
    })
}

fn draw_fill(rng: &mut Rng, fills: &[Fill]) -> Fill {
    let total: f32 = fills.iter().map(|f| f.weight()).sum();
    let mut at = rng.range(0.0, total);
    let chosen = fills.iter().find(|fill| {
        at -= fill.weight();
        at < 0.0
    });
    chosen.or(fills.last()).copied().unwrap_or(Fill::Tint)
}

/// The mask of a defect, where it is one that can be seen.
fn visible(before: &Picture, after: &Picture, cover: &Cover) -> Option<Vec<bool>> {
    let pixels = before
        .data
        .chunks_exact(before.channels)
        .zip(after.data.chunks_exact(before.channels));
    let most = |(a, b): (&[u8], &[u8])| {
        a.iter()
            .zip(b)
            .map(|(a, b)| f32::from(a.abs_diff(*b)))
            .fold(0.0, f32::max)
    };
    let change: Vec<f32> = pixels.map(most).collect();
    let mut nearby = change.clone();
    box_blur(&mut nearby, before.width, before.height, 1, 1);
    let mask: Vec<bool> = cover
        .values()
        .iter()
        .zip(&nearby)
        .map(|(&cover, &change)| cover > 0.25 && change >= VISIBLE)
        .collect();
    let marked = mask.iter().filter(|&&m| m).count();
    let clear = mask
        .iter()
        .zip(&change)
        .any(|(&marked, &change)| marked && change >= CLEAR);
    let least = (mask.len() / LEAST_SHARE).max(1);
    (clear && marked >= least && marked as f32 <= LARGEST_SHARE * mask.len() as f32).then_some(mask)
}

/// A large, soft area gets up to 7 % of the full range lighter or darker.
fn drift(rng: &mut Rng, picture: &mut Picture) {
    let (width, height) = (picture.width, picture.height);
    let side = width.min(height) as f32;
    let mut cover = Cover::new(width, height);
    let (centre, size) = (centre(rng, width, height), rng.range(0.5, 2.0) * side);
    cover.lobes(rng, centre, size / 2.0);
    cover.soften(0.25 * side);
    let offset = rng.range(-18.0, 18.0);
    let filled: Vec<f32> = picture.data.iter().map(|&v| f32::from(v) + offset).collect();
    blend(picture, &filled, &cover, 1.0);
}

fn centre(rng: &mut Rng, width: usize, height: usize) -> [f32; 2] {
    [rng.unit() * width as f32, rng.unit() * height as f32]
}

fn blend(picture: &mut Picture, filled: &[f32], cover: &Cover, strength: f32) {
    let pixels = picture.data.chunks_exact_mut(picture.channels);
    for ((pixel, filled), cover) in pixels
        .zip(filled.chunks_exact(picture.channels))
        .zip(cover.values())
    {
        for (value, filled) in pixel.iter_mut().zip(filled) {
            let from = f32::from(*value);
            *value = (from + (filled - from) * cover.min(1.0) * strength).round() as u8;
        }
    }
}

/// The last resort: nothing else was visible.
fn invert_middle(picture: &mut Picture) {
    let (width, height, channels) = (picture.width, picture.height, picture.channels);
    for y in height * 7 / 16..(height * 9).div_ceil(16) {
        for x in width * 7 / 16..(width * 9).div_ceil(16) {
            let pixel = &mut picture.data[(y * width + x) * channels..][..channels];
            pixel.iter_mut().for_each(|v| *v = if *v < 128 { 255 } else { 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn textured(key: u64, channels: usize) -> Picture {
        let mut rng = Rng::new(&[key]);
        let data = (0..64 * 64 * channels)
            .map(|i| (90 + (i / 7) % 60 + rng.below(20)) as u8)
            .collect();
        Picture {
            width: 64,
            height: 64,
            channels,
            data,
        }
    }

    fn changed(before: &Picture, after: &Picture) -> usize {
        before
            .data
            .iter()
            .zip(&after.data)
            .filter(|(a, b)| a != b)
            .count()
    }

    #[test]
    fn the_mask_lies_on_the_defect() {
        for key in 0..300 {
            let channels = if key % 2 == 0 { 3 } else { 1 };
            let (clean, other) = (textured(1, channels), textured(2, channels));
            let mut picture = clean.clone();
            let Some(mask) = paste_visible(&mut Rng::new(&[key]), &mut picture, &[other], Fill::ALL) else {
                assert_eq!(picture, clean, "nothing visible, nothing changed");
                continue;
            };
            let marked = mask.iter().filter(|&&m| m).count();
            assert!((2..=2458).contains(&marked), "{key}: {marked}");
            for (i, _) in mask.iter().enumerate().filter(|(_, marked)| **marked) {
                let (x, y) = (i % 64, i / 64);
                let near = (y.saturating_sub(1)..=(y + 1).min(63))
                    .flat_map(|y| (x.saturating_sub(1)..=(x + 1).min(63)).map(move |x| y * 64 + x));
                let differs = |i: usize| {
                    (0..channels).any(|c| clean.data[i * channels + c] != picture.data[i * channels + c])
                };
                assert!(
                    near.into_iter().any(differs),
                    "{key}: a mark where nothing changed"
                );
            }
        }
    }

    #[test]
    fn each_fill_comes_out_visible_small_and_large() {
        for &fill in Fill::ALL {
            let paste = |key| {
                let mut picture = textured(1, 3);
                paste_visible(
                    &mut Rng::new(&[key, 77]),
                    &mut picture,
                    &[textured(2, 3)],
                    &[fill],
                )
            };
            let areas: Vec<usize> = (0..200)
                .filter_map(paste)
                .map(|mask| mask.iter().filter(|&&m| m).count())
                .collect();
            assert!(areas.len() > 150, "{fill:?}: {} of 200 visible", areas.len());
            assert!(areas.iter().any(|a| (1..40).contains(a)), "{fill:?}: none small");
            assert!(areas.iter().any(|&a| a > 400), "{fill:?}: none large");
        }
    }

    #[test]
    fn same_key_same_defect_and_any_size_works() {
        let drawn = |key| {
            let mut picture = textured(1, 3);
            paste(&mut Rng::new(&[key]), &mut picture, &[]);
            picture
        };
        assert_eq!(drawn(5), drawn(5));
        assert_ne!(drawn(5), drawn(6));
        for (width, height) in [(0, 0), (1, 1), (2, 1), (3, 40), (50, 7)] {
            for key in 0..60 {
                let clean = Picture::filled(width, height, 1, 128);
                let mut picture = clean.clone();
                paste(&mut Rng::new(&[key]), &mut picture, &[]);
                assert_eq!(changed(&clean, &picture) > 0, width > 0, "{width} x {height}");
            }
        }
    }

    #[test]
    fn probability_is_kept_and_drift_is_not_marked() {
        let drawn = |probability, drift| {
            let config = DefectConfig {
                probability,
                drift,
                ..DefectConfig::default()
            };
            let one = move |key| {
                let clean = textured(1, 1);
                let mut picture = clean.clone();
                let mask = config.apply(&mut Rng::new(&[key]), &mut picture, &[textured(2, 1)]);
                (changed(&clean, &picture) > 0, mask.contains(&true))
            };
            (0..400).map(one).fold((0, 0), |(a, b), (changed, marked)| {
                (a + usize::from(changed), b + usize::from(marked))
            })
        };
        assert_eq!(drawn(0.0, 0.0), (0, 0));
        let (changed, marked) = drawn(0.5, 0.0);
        assert!(changed == marked && (160..=240).contains(&marked), "{marked}");
        let (changed, marked) = drawn(0.0, 1.0);
        assert!(changed > 350 && marked == 0, "{changed} {marked}");
    }
}
