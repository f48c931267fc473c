//! Procedural defects, drawn on good pictures: the network learns to restore what is under them, and the recipe's
//! self-test has something to find.
//!
//! A defect is a shape (how much of each pixel it covers, see [`shape`]) and a fill (what is seen there instead,
//! see [`fill`]). Sizes run from about 1 % to 30 % of the picture's side, light and dark areas up to the whole picture;
//! strengths run from hardly visible to opaque.

mod fill;
mod shape;

use beltwatch::picture::Picture;
use serde::{Deserialize, Serialize};

use super::rng::Rng;
use shape::Cover;

/// Sort of a procedural defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DefectKind {
    /// A thin curved line of changing width, lighter, darker or coloured.
    Scratch,
    /// A round or lobed spot of one colour: a pit, a drop, a foreign body.
    Blob,
    /// Noise-shaped discolouration: rust, oil, mould.
    Stain,
    /// A piece of another picture, or of another place of the same picture.
    Patch,
    /// A place out of focus or smeared.
    Blur,
    /// A lighter or darker area, up to the whole picture.
    Shade,
}

impl DefectKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Scratch, Self::Blob, Self::Stain, Self::Patch, Self::Blur, Self::Shade];
}

/// Which defects are pasted on the network's input, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefectConfig {
    /// Part of the pictures that get any, 0 to 1.
    pub probability: f32,
    /// The most defects on one picture, at least 1.
    pub most: usize,
    /// What may be pasted.
    pub kinds: Vec<DefectKind>,
}

impl Default for DefectConfig {
    fn default() -> Self {
        Self { probability: 0.8, most: 3, kinds: DefectKind::ALL.to_vec() }
    }
}

impl DefectConfig {
    /// Pastes defects on `picture`, or none, as the configuration says. `others` are good pictures for patches.
    pub fn apply(&self, rng: &mut Rng, picture: &mut Picture, others: &[Picture]) {
        if self.kinds.is_empty() || !rng.chance(self.probability) {
            return;
        }
        // One most often, each further one half as likely.
        let count = (1..self.most).find(|_| rng.chance(0.5)).unwrap_or(self.most.max(1));
        for _ in 0..count {
            if let Some(&kind) = rng.pick(&self.kinds) {
                paste_kind(rng, picture, others, kind);
            }
        }
    }
}

/// A change of at least this many levels, in any channel, counts as the defect's in the mask.
pub const VISIBLE: u8 = 6;

/// Pastes one defect of any kind; `others` are pictures for patches, of the same channels, and may be empty.
/// Returns the mask of the changed pixels (0 or 255, one channel). It marks at least one pixel, unless the picture is
/// empty.
pub fn paste(rng: &mut Rng, picture: &mut Picture, others: &[Picture]) -> Picture {
    let kind = DefectKind::ALL[rng.below(DefectKind::ALL.len())];
    let clean = picture.clone();
    // A faint or fitting one (a patch of the same colour, blur of a smooth place) can stay below what is visible.
    for kind in [kind, kind, kind, DefectKind::Patch, DefectKind::Blob, DefectKind::Blob] {
        paste_kind(rng, picture, others, kind);
        let mask = changes(&clean, picture);
        if mask.data.iter().filter(|&&m| m != 0).count() >= (picture.width.min(picture.height) / 16).max(1) {
            return mask;
        }
        picture.data.copy_from_slice(&clean.data);
    }
    invert_middle(picture);
    changes(&clean, picture)
}

/// Pastes one defect of this kind. It may come out invisible.
pub fn paste_kind(rng: &mut Rng, picture: &mut Picture, others: &[Picture], kind: DefectKind) {
    let (width, height) = (picture.width, picture.height);
    if width == 0 || height == 0 {
        return;
    }
    let side = width.min(height) as f32;
    let centre = [rng.unit() * width as f32, rng.unit() * height as f32];
    let mut cover = Cover::new(width, height);
    let size = rng.log_range(0.01, 0.3) * side;
    let filled = match kind {
        DefectKind::Scratch => {
            cover.scratch(rng, centre, side);
            fill::tint(rng, picture)
        }
        DefectKind::Blob => {
            cover.lobes(rng, centre, size.max(1.5) / 2.0);
            fill::tint(rng, picture)
        }
        DefectKind::Stain => {
            cover.stain(rng, centre, size.max(0.06 * side));
            fill::tint(rng, picture)
        }
        DefectKind::Patch => {
            let size = size.max(0.03 * side);
            if rng.chance(0.5) {
                cover.lobes(rng, centre, size / 2.0)
            } else {
                cover.rectangle(rng, centre, size)
            };
            fill::patch(rng, picture, others)
        }
        DefectKind::Blur => {
            cover.lobes(rng, centre, size.max(0.06 * side) / 2.0);
            fill::blur(rng, picture, side)
        }
        DefectKind::Shade => {
            let size = rng.log_range(0.05, 2.5) * side;
            cover.lobes(rng, centre, size / 2.0);
            cover.soften(rng.log_range(0.005, 0.3) * size);
            fill::shade(rng, picture)
        }
    };
    let strength = if kind == DefectKind::Patch { rng.range(0.5, 1.0) } else { rng.log_range(0.2, 1.0) };
    blend(picture, &filled, &cover, strength);
}

fn blend(picture: &mut Picture, filled: &[u8], cover: &Cover, strength: f32) {
    let pixels = picture.data.chunks_exact_mut(picture.channels);
    for ((pixel, filled), cover) in pixels.zip(filled.chunks_exact(picture.channels)).zip(cover.values()) {
        for (value, filled) in pixel.iter_mut().zip(filled) {
            let (from, to) = (f32::from(*value), f32::from(*filled));
            *value = (from + (to - from) * cover.min(1.0) * strength).round() as u8;
        }
    }
}

/// The mask of the pixels that differ visibly (0 or 255, one channel).
pub(super) fn changes(before: &Picture, after: &Picture) -> Picture {
    let pixels = before.data.chunks_exact(before.channels).zip(after.data.chunks_exact(before.channels));
    let changed = |(a, b): (&[u8], &[u8])| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) >= VISIBLE);
    let data = pixels.map(|pair| if changed(pair) { 255 } else { 0 }).collect();
    Picture { width: before.width, height: before.height, channels: 1, data }
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
        let data = (0..64 * 64 * channels).map(|i| (90 + (i / 7) % 60 + rng.below(20)) as u8).collect();
        Picture { width: 64, height: 64, channels, data }
    }

    #[test]
    fn the_mask_marks_exactly_what_changed() {
        for key in 0..300 {
            let channels = if key % 2 == 0 { 3 } else { 1 };
            let (clean, other) = (textured(1, channels), textured(2, channels));
            let mut picture = clean.clone();
            let mask = paste(&mut Rng::new(&[key]), &mut picture, &[other]);
            assert_eq!((mask.width, mask.height, mask.channels), (64, 64, 1));
            assert!(mask.data.contains(&255), "{key}");
            for (i, &marked) in mask.data.iter().enumerate() {
                let range = i * channels..(i + 1) * channels;
                let change = range.map(|i| clean.data[i].abs_diff(picture.data[i])).max();
                assert_eq!(marked == 255, change >= Some(VISIBLE));
            }
        }
    }

    #[test]
    fn each_kind_comes_out_visible_small_and_large() {
        for kind in DefectKind::ALL {
            let areas: Vec<usize> = (0..200)
                .map(|key| {
                    let clean = textured(1, 3);
                    let mut picture = clean.clone();
                    paste_kind(&mut Rng::new(&[key, 77]), &mut picture, &[textured(2, 3)], kind);
                    changes(&clean, &picture).data.iter().filter(|&&m| m != 0).count()
                })
                .collect();
            let visible = areas.iter().filter(|&&a| a > 0).count();
            assert!(visible > 100, "{kind:?}: {visible} of 200 visible");
            assert!(areas.iter().any(|a| (1..40).contains(a)), "{kind:?}: none small");
            assert!(areas.iter().any(|&a| a > 60), "{kind:?}: none large");
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
                let mut picture = Picture::filled(width, height, 1, 128);
                let mask = paste(&mut Rng::new(&[key]), &mut picture, &[]);
                assert_eq!(mask.data.len(), width * height);
                assert_eq!(mask.data.contains(&255), width > 0);
            }
        }
    }

    #[test]
    fn probability_is_kept() {
        let count = |probability| {
            let config = DefectConfig { probability, ..DefectConfig::default() };
            let hit = |key| {
                let mut picture = textured(1, 1);
                config.apply(&mut Rng::new(&[key]), &mut picture, &[textured(2, 1)]);
                picture != textured(1, 1)
            };
            (0..400).filter(|&key| hit(key)).count()
        };
        assert_eq!(count(0.0), 0);
        assert!((140..=205).contains(&count(0.5)), "{}", count(0.5));
        assert!(count(1.0) > 340);
    }
}
