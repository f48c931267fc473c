//! What is seen where a defect is: pictures as large as the one they are pasted on, as levels that may lie
//! outside of 0 to 255.

use beltwatch_vision::picture::Picture;

use super::Fill;
use super::shape::{Landscape, box_blur};
use crate::rng::Rng;

/// Draws a fill, and how opaque it is (0 to 1).
pub(super) fn draw(rng: &mut Rng, fill: Fill, picture: &Picture, others: &[Picture]) -> (Vec<f32>, f32) {
    match fill {
        Fill::Patch => (patch(rng, picture, others), rng.range(0.6, 1.0)),
        Fill::Tint => (tint(rng, picture), rng.log_range(0.25, 1.0)),
        Fill::Texture => (texture(rng, picture), rng.log_range(0.25, 1.0)),
        Fill::Shade => (shade(rng, picture), 1.0),
        Fill::Blur => (blur(rng, picture), 1.0),
    }
}

/// One colour: grey, coloured, or clearly lighter or darker than some place of the picture; now and then with
/// a grain.
fn tint(rng: &mut Rng, picture: &Picture) -> Vec<f32> {
    let channels = picture.channels;
    let mut colour = colour(rng);
    if rng.chance(0.35) {
        let place = rng.below(picture.width * picture.height) * channels;
        let change = rng.sign() * rng.range(25.0, 100.0);
        let pixel = &picture.data[place..place + channels];
        colour
            .iter_mut()
            .zip(pixel)
            .for_each(|(c, &v)| *c = f32::from(v) + change);
    }
    let grain = if rng.chance(0.4) {
        rng.range(0.0, 30.0)
    } else {
        0.0
    };
    let mut filled = Vec::with_capacity(picture.data.len());
    for _ in 0..picture.width * picture.height {
        let noise = if grain > 0.0 {
            rng.range(-grain, grain)
        } else {
            0.0
        };
        filled.extend(colour[..channels].iter().map(|c| c + noise));
    }
    filled
}

/// Grey or coloured, as often.
fn colour(rng: &mut Rng) -> [f32; 3] {
    if rng.chance(0.5) {
        [rng.range(0.0, 255.0); 3]
    } else {
        [0; 3].map(|_| rng.range(0.0, 255.0))
    }
}

/// Noise, or stripes that it bends, between two colours.
fn texture(rng: &mut Rng, picture: &Picture) -> Vec<f32> {
    let (width, height, channels) = (picture.width, picture.height, picture.channels);
    let side = width.min(height) as f32;
    let (first, second) = (colour(rng), colour(rng));
    let hard = rng.log_range(1.0, 6.0);
    let stripes = rng.chance(0.5).then(|| {
        let (sin, cos) = rng.range(0.0, std::f32::consts::TAU).sin_cos();
        let pitch = rng.log_range(0.025, 0.3) * side;
        [cos, sin].map(|v| v * std::f32::consts::TAU / pitch)
    });
    let grain = if stripes.is_some() {
        side / 4.0
    } else {
        side / rng.log_range(4.0, 64.0)
    };
    let landscape = Landscape::new(rng, width, height, grain);
    let mut filled = Vec::with_capacity(picture.data.len());
    for y in 0..height {
        for x in 0..width {
            let noise = landscape.at(x as f32, y as f32);
            let wave = |[right, down]: [f32; 2]| {
                0.5 + 0.5 * (right * x as f32 + down * y as f32 + 4.0 * noise).sin()
            };
            let mixed = ((stripes.map_or(noise, wave) - 0.5) * hard + 0.5).clamp(0.0, 1.0);
            filled.extend(
                first
                    .iter()
                    .zip(second)
                    .take(channels)
                    .map(|(a, b)| a * mixed + b * (1.0 - mixed)),
            );
        }
    }
    filled
}

/// Another picture or the same one, moved and perhaps turned, mirrored, lighter or darker.
fn patch(rng: &mut Rng, picture: &Picture, others: &[Picture]) -> Vec<f32> {
    let (width, height, channels) = (picture.width, picture.height, picture.channels);
    let fits = |other: &&Picture| other.channels == channels && other.width > 0 && other.height > 0;
    let source = rng
        .pick(others)
        .filter(fits)
        .filter(|_| rng.chance(0.5))
        .unwrap_or(picture);
    // At least an eighth of the side away, or the same place of a picture of the same part would hardly
    // differ.
    let mut offset = |count: usize| count / 8 + rng.below(count - count / 4);
    let (right, down) = (offset(source.width), offset(source.height));
    let (turned, mirrored) = (rng.chance(0.25), [rng.chance(0.3), rng.chance(0.3)]);
    let (gain, change) = if rng.chance(0.3) {
        (rng.range(0.6, 1.4), rng.range(-40.0, 40.0))
    } else {
        (1.0, 0.0)
    };
    let mut filled = Vec::with_capacity(picture.data.len());
    for y in 0..height {
        for x in 0..width {
            let [mut u, mut v] = if turned { [y, x] } else { [x, y] };
            u = (u + right) % source.width;
            v = (v + down) % source.height;
            if mirrored[0] {
                u = source.width - 1 - u;
            }
            if mirrored[1] {
                v = source.height - 1 - v;
            }
            let place = (v * source.width + u) * channels;
            let pixel = &source.data[place..place + channels];
            filled.extend(
                pixel
                    .iter()
                    .map(|&v| (f32::from(v) - 128.0) * gain + 128.0 + change),
            );
        }
    }
    filled
}

/// The picture out of focus.
fn blur(rng: &mut Rng, picture: &Picture) -> Vec<f32> {
    let side = picture.width.min(picture.height) as f32;
    let reach = (rng.log_range(0.008, 0.05) * side).round().max(1.0) as usize;
    let mut values: Vec<f32> = picture.data.iter().map(|&v| f32::from(v)).collect();
    for _ in 0..2 {
        box_blur(
            &mut values,
            picture.width,
            picture.height,
            picture.channels,
            reach,
        );
    }
    values
}

/// The picture in other light: lighter or darker, flatter or harder.
fn shade(rng: &mut Rng, picture: &Picture) -> Vec<f32> {
    let offset = rng.sign() * rng.log_range(15.0, 100.0);
    let gain = rng.log_range(0.5, 1.7);
    let pivot = rng.range(60.0, 200.0);
    picture
        .data
        .iter()
        .map(|&v| (f32::from(v) - pivot) * gain + pivot + offset)
        .collect()
}
