//! The camera: pixels that gather light, a lens a little out of focus, vignetting, noise, gamma.

use super::light::Linear;
use super::random::{Rng, mix};
use crate::picture::Picture;

/// Exposure: linear light that becomes white.
const WHITE: f32 = 0.60;
/// Light lost in the corners.
const VIGNETTE: f32 = 0.10;
/// Noise: deviation in linear light (1 = white) is the root of `READ + SHOT * light`.
const READ: f32 = 0.000_004;
const SHOT: f32 = 0.000_06;
/// Entries of the gamma table.
const STEPS: usize = 4096;

/// How one picture is taken.
pub(super) struct Camera {
    /// Variance of the blur, in reference pixels squared.
    blur: f32,
    noise: Rng,
    gamma: Vec<f32>,
}

impl Camera {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let blur = rng.within(0.18, 0.30);
        // Gamma 2.2, as most line cameras and displays have it; steps 0 .. 255.
        let gamma = (0..=STEPS + 1)
            .map(|i| 255.0 * libm::powf(i as f32 / STEPS as f32, 1.0 / 2.2))
            .collect();
        Self {
            blur,
            noise: rng.clone(),
            gamma,
        }
    }

    /// The display value of linear light, 0 .. 255.
    pub(super) fn encode(&self, light: f32) -> f32 {
        let place = (light / WHITE).clamp(0.0, 1.0) * STEPS as f32;
        let k = place as usize;
        mix(self.gamma[k], self.gamma[k + 1], place - k as f32)
    }

    /// A square picture of `size` pixels, each of which gathers `fine` x `fine` samples.
    pub(super) fn take(&mut self, light: &Linear, size: usize, fine: usize) -> Picture {
        let mut pixels = gather(light, size * fine, fine);
        self.defocus(&mut pixels, size);
        let mut picture = Picture::filled(size, size, 3, 0);
        let scale = 2.0 / size as f32;
        for (i, (pixel, out)) in pixels.iter().zip(picture.data.chunks_exact_mut(3)).enumerate() {
            let (x, y) = ((i % size) as f32 * scale - 1.0, (i / size) as f32 * scale - 1.0);
            let lens = 1.0 - 0.5 * VIGNETTE * (x * x + y * y);
            for (value, light) in out.iter_mut().zip(pixel) {
                let light = light * lens;
                let noise = (READ + SHOT * light).sqrt() * self.noise.normal();
                *value = (self.encode(light + noise) + 0.5) as u8;
            }
        }
        picture
    }

    /// Blurs with as many passes of the kernel (k, 1 - 2k, k) as give the variance.
    fn defocus(&self, pixels: &mut Linear, size: usize) {
        let variance = self.blur * (size * size) as f32 / 65_536.0;
        let passes = (variance * 2.0).ceil().max(1.0);
        let k = 0.5 * variance / passes;
        for _ in 0..passes as usize {
            for line in pixels.chunks_exact_mut(size) {
                let mut before = line[0];
                for i in 0..size {
                    let own = line[i];
                    let after = line[(i + 1).min(size - 1)];
                    line[i] = std::array::from_fn(|c| own[c] + k * (before[c] - 2.0 * own[c] + after[c]));
                    before = own;
                }
            }
            let mut before = pixels[..size].to_vec();
            for row in 0..size {
                let after = (row + 1).min(size - 1) * size;
                for i in 0..size {
                    let own = pixels[row * size + i];
                    let next = pixels[after + i];
                    pixels[row * size + i] =
                        std::array::from_fn(|c| own[c] + k * (before[i][c] - 2.0 * own[c] + next[c]));
                    before[i] = own;
                }
            }
        }
    }
}

/// The mean of blocks of `fine` x `fine` samples; what does not fill a block is left out.
pub(super) fn gather(light: &Linear, width: usize, fine: usize) -> Linear {
    let (columns, rows) = (width / fine, light.len() / width / fine);
    let mut out = vec![[0.0; 3]; columns * rows];
    for (row, line) in light.chunks_exact(width).take(rows * fine).enumerate() {
        for (sum, samples) in out[row / fine * columns..][..columns]
            .iter_mut()
            .zip(line.chunks_exact(fine))
        {
            for sample in samples {
                (0..3).for_each(|c| sum[c] += sample[c]);
            }
        }
    }
    let share = 1.0 / (fine * fine) as f32;
    out.iter_mut().flatten().for_each(|v| *v *= share);
    out
}
