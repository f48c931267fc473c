//! What is seen where a defect is: pictures as large as the one they are pasted on.

use beltwatch::picture::Picture;

use super::shape::box_blur;
use crate::train::rng::Rng;

/// One colour, laid on the picture: grey, coloured, or taken from another place; now and then with a fine grain.
pub(super) fn tint(rng: &mut Rng, picture: &Picture) -> Vec<u8> {
    let channels = picture.channels;
    let place = rng.below(picture.width * picture.height) * channels;
    let mut colour = [0.0; 3];
    let grey = rng.range(0.0, 255.0);
    match rng.below(4) {
        0 | 1 => colour = [grey; 3],
        2 => colour = [0; 3].map(|_| rng.range(0.0, 255.0)),
        // A neighbour's colour, clearly lighter or darker.
        _ => {
            let change = rng.sign() * rng.range(20.0, 90.0);
            picture.data[place..place + channels]
                .iter()
                .zip(&mut colour)
                .for_each(|(v, c)| *c = f32::from(*v) + change);
        }
    }
    let grain = if rng.chance(0.4) { rng.range(0.0, 30.0) } else { 0.0 };
    // How much of the picture's own structure shines through.
    let structure = if rng.chance(0.3) { rng.range(0.2, 0.8) } else { 0.0 };
    let mut filled = Vec::with_capacity(picture.data.len());
    for pixel in picture.data.chunks_exact(channels) {
        let noise = if grain > 0.0 { rng.range(-grain, grain) } else { 0.0 };
        filled
            .extend(pixel.iter().zip(colour).map(|(v, c)| (c + noise + (f32::from(*v) - c) * structure).round() as u8));
    }
    filled
}

/// Another picture or the same one, moved and perhaps mirrored.
pub(super) fn patch(rng: &mut Rng, picture: &Picture, others: &[Picture]) -> Vec<u8> {
    let (width, height, channels) = (picture.width, picture.height, picture.channels);
    let fits = |other: &&Picture| other.channels == channels && other.width > 0 && other.height > 0;
    let source = rng.pick(others).filter(fits).filter(|_| rng.chance(0.5)).unwrap_or(picture);
    // At least an eighth of the side away, or the same place of a picture of the same part would hardly differ.
    let mut offset = |count: usize| count / 8 + rng.below(count - count / 4);
    let (right, down) = (offset(source.width), offset(source.height));
    let (mirror, flip) = (rng.chance(0.3), rng.chance(0.3));
    let mut filled = Vec::with_capacity(picture.data.len());
    for y in 0..height {
        let y = if flip { height - 1 - y } else { y };
        let row = (y + down) % source.height * source.width;
        for x in 0..width {
            let x = if mirror { width - 1 - x } else { x };
            let place = (row + (x + right) % source.width) * channels;
            filled.extend_from_slice(&source.data[place..place + channels]);
        }
    }
    filled
}

/// The picture out of focus, or a median-like smear along one axis.
pub(super) fn blur(rng: &mut Rng, picture: &Picture, side: f32) -> Vec<u8> {
    let reach = (rng.log_range(0.008, 0.05) * side).round().max(1.0) as usize;
    let mut values: Vec<f32> = picture.data.iter().map(|&v| f32::from(v)).collect();
    for _ in 0..2 {
        box_blur(&mut values, picture.width, picture.height, picture.channels, reach);
    }
    values.into_iter().map(|v| v.round() as u8).collect()
}

/// The picture in other light: lighter or darker, flatter or harder.
pub(super) fn shade(rng: &mut Rng, picture: &Picture) -> Vec<u8> {
    let offset = rng.sign() * rng.log_range(10.0, 120.0);
    let gain = rng.log_range(0.5, 1.6);
    let pivot = rng.range(60.0, 200.0);
    picture.data.iter().map(|&v| ((f32::from(v) - pivot) * gain + pivot + offset).round() as u8).collect()
}
