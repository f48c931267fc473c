//! Rendered parts: turned and stamped aluminium caps on a conveyor belt, with or without a defect, drawn from
//! a seed.
//!
//! A part is a height field with a material ([`product`]); a defect changes both ([`flaw`]) before lamps and
//! surroundings fall on it ([`light`]) and the camera takes the picture ([`camera`]). The same seed gives the
//! same bytes on every processor: plain IEEE arithmetic in one fixed order, and no library function that may
//! round differently.

mod camera;
mod contrast;
mod defect;
mod flaw;
mod light;
mod product;
mod random;
mod schedule;
mod shelter;
mod stamp;
mod surface;

use crate::picture::Picture;
use camera::Camera;
use contrast::Scene;
pub use defect::DefectKind;
use flaw::Flaw;
use light::Light;
use product::Product;
use random::Rng;
pub use schedule::{Fate, Schedule};

/// Sides that can be rendered, in pixels; others are moved to the nearest of these.
pub const SIZES: std::ops::RangeInclusive<usize> = 32..=1024;

/// A picture of a part and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedPart {
    /// The picture, RGB, square.
    pub picture: Picture,
    /// Where the defect is: one channel of the picture's size, 255 on the defect and 0 elsewhere.
    pub mask: Picture,
    /// What is wrong with the part, if anything is.
    pub defect: Option<DefectKind>,
}

/// Streams of random numbers that do not influence each other.
mod purpose {
    pub(super) const PRODUCT: u64 = 1;
    pub(super) const LIGHT: u64 = 2;
    pub(super) const CAMERA: u64 = 3;
    pub(super) const DEFECT: u64 = 4;
    pub(super) const FATE: u64 = 5;
}

/// Renders part `index` of the series `seed` in a picture of `size` x `size` pixels (see [`SIZES`]).
///
/// `strength` says how plain the defect is, from 0 (at the limit of what an eye sees) to 1. A part with a
/// defect is, but for that, the same part as without it.
pub fn render(seed: u64, index: u64, size: usize, defect: Option<DefectKind>, strength: f32) -> RenderedPart {
    let size = size.clamp(*SIZES.start(), *SIZES.end());
    // At least two samples a pixel and two a reference pixel, along each side; whole pixels at 128 x 128 in
    // any case.
    let fine = 512_usize.div_ceil(size).max(2);
    let side = size * fine;
    let pitch = 256.0 / side as f32;

    let product = Product::new(&mut Rng::new(seed, index, purpose::PRODUCT));
    let light = Light::new(&mut Rng::new(seed, index, purpose::LIGHT));
    let mut camera = Camera::new(&mut Rng::new(seed, index, purpose::CAMERA));
    let mut surface = product.surface(side, pitch, (side / 256).max(1));
    let mut mask = Picture::filled(size, size, 1, 0);
    if let Some(kind) = defect {
        let mut rng = Rng::new(seed, index, purpose::DEFECT);
        let strength = strength.clamp(0.0, 1.0);
        let mut flaw = kind.draw(&mut rng, &product, strength);
        let scene = Scene {
            product: &product,
            light: &light,
            camera: &camera,
            block: (side / 128).max(1),
        };
        scene.calibrate(&mut flaw, &surface, kind.contrast(strength));
        flaw.apply(&mut surface, &product);
        mask = mask_of(&flaw, &product, size, fine);
    }
    let picture = camera.take(&light.shade(&surface, product.centre), size, fine);
    RenderedPart {
        picture,
        mask,
        defect,
    }
}

/// Marks the pixels that the defect touches, by points that lie as densely as the surface's samples.
fn mask_of(flaw: &Flaw, product: &Product, size: usize, fine: usize) -> Picture {
    let pitch = 256.0 / (size * fine) as f32;
    let place = |pixel: usize, k: usize| ((pixel * fine + k) as f32 + 0.5) * pitch - 128.0;
    let mut mask = Picture::filled(size, size, 1, 0);
    for (i, value) in mask.data.iter_mut().enumerate() {
        if !flaw.near(place(i % size, fine / 2), place(i / size, fine / 2)) {
            continue;
        }
        let touched = (0..fine * fine).any(|k| {
            let (x, y) = (place(i % size, k % fine), place(i / size, k / fine));
            flaw.cover([x, y], product.own(x, y))
        });
        *value = if touched { 255 } else { 0 };
    }
    mask
}

#[cfg(test)]
mod tests;
