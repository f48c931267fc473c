//! How plain a defect is to an eye, and the amplitude at which it is as plain as wanted.
//!
//! The same scratch glares in one place and vanishes in another, by its direction to the lamp. So a defect's
//! amplitude is not drawn but solved for: the place is lit with and without the defect until the pictures
//! differ as wanted.

use super::camera::{Camera, gather};
use super::flaw::Flaw;
use super::light::{Light, Linear};
use super::product::Product;
use super::surface::Surface;

/// Pixels at 128 x 128 over which a defect's contrast is measured: the smallest patch that an eye takes for a
/// thing.
pub(super) const SPOT: usize = 9;
/// Bounds of the amplitude.
const AMPLITUDE: [f32; 2] = [0.001, 1.0];
/// Halvings of the amplitude's range, in the logarithm: the last step is a factor of 1.03.
const HALVINGS: usize = 8;
/// Width beyond a defect's reach where its shadow and occlusion change the light, in reference pixels.
const HALO: f32 = 12.0;

/// What a defect's contrast depends on besides the surface.
pub(super) struct Scene<'a> {
    pub(super) product: &'a Product,
    pub(super) light: &'a Light,
    pub(super) camera: &'a Camera,
    /// Samples along a side of a pixel at 128 x 128.
    pub(super) block: usize,
}

impl Scene<'_> {
    /// Sets the amplitude at which the defect has the contrast `target`, in grey levels, or the greatest that
    /// it can have.
    pub(super) fn calibrate(&self, flaw: &mut Flaw, good: &Surface, target: f32) {
        let [x, y] = flaw.middle;
        let patch = good.crop(x, y, flaw.reach + HALO, self.block);
        let before = self.light.shade(&patch, self.product.centre);
        let mut change = |amplitude: f32| {
            let mut changed = patch.clone();
            flaw.amplitude = amplitude;
            flaw.apply(&mut changed, self.product);
            self.contrast(
                &before,
                &self.light.shade(&changed, self.product.centre),
                patch.width,
            )
        };
        let [mut low, mut high] = AMPLITUDE;
        if change(high) > target {
            for _ in 0..HALVINGS {
                let middle = (low * high).sqrt();
                if change(middle) < target {
                    low = middle
                } else {
                    high = middle
                }
            }
        }
        flaw.amplitude = high;
    }

    /// Mean change of the [`SPOT`] most changed pixels at 128 x 128, in grey levels.
    fn contrast(&self, before: &Linear, after: &Linear, width: usize) -> f32 {
        let (before, after) = (
            gather(before, width, self.block),
            gather(after, width, self.block),
        );
        let mut changes: Vec<f32> = before
            .iter()
            .zip(&after)
            .map(|(b, a)| self.change(b, a))
            .collect();
        changes.sort_unstable_by(|a, b| b.total_cmp(a));
        let count = SPOT.min(changes.len());
        changes[..count].iter().sum::<f32>() / count.max(1) as f32
    }

    fn change(&self, before: &[f32; 3], after: &[f32; 3]) -> f32 {
        let channels = before.iter().zip(after);
        channels
            .map(|(b, a)| (self.camera.encode(*b) - self.camera.encode(*a)).abs())
            .sum::<f32>()
            / 3.0
    }
}
