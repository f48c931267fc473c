//! Light on a surface: a key lamp, a fill lamp, the surroundings, cast shadow and ambient occlusion.
//!
//! Metal reflects with the anisotropic GGX distribution (Burley 2012), written in slopes: the tool's grooves
//! run around the part's middle, so a facet's slope spreads widely across them and little along them.

use super::random::{Rng, mix};
use super::shelter::{Shelter, opening};
use super::surface::Surface;

/// Spread of facet slopes along and across the tool's grooves, and of a rough surface.
const ALONG: f32 = 0.25;
const ACROSS: f32 = 0.62;
const DULL: f32 = 0.75;
/// How strongly metal shows the key lamp, the fill lamp and the surroundings; the gloss of dull things.
const KEY: f32 = 0.62;
const FILL: f32 = 0.15;
const AROUND: f32 = 0.13;
const GLOSS: f32 = 0.25;

/// The light of one picture.
pub(super) struct Light {
    key: [f32; 3],
    key_slope: [f32; 2],
    fill_slope: [f32; 2],
    /// Linear red, green and blue of the key lamp and of the room.
    lamp: [f32; 3],
    room: [f32; 3],
}

/// Linear red, green and blue at each sample.
pub(super) type Linear = Vec<[f32; 3]>;

impl Light {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let azimuth = (128.0 + rng.within(-3.0, 3.0)).to_radians();
        let elevation = (50.0 + rng.within(-1.5, 1.5)).to_radians();
        let (flat, up) = (libm::cosf(elevation), libm::sinf(elevation));
        let key = [flat * libm::cosf(azimuth), -flat * libm::sinf(azimuth), up];
        let gain = rng.within(0.92, 1.08);
        let warmth = rng.within(-0.018, 0.018);
        let fill = rng.within(-0.03, 0.03);
        Self {
            key,
            key_slope: [-key[0] / (key[2] + 1.0), -key[1] / (key[2] + 1.0)],
            fill_slope: [-0.42 + fill, -0.20],
            lamp: [gain * (1.02 + warmth), gain, gain * (0.965 - warmth)],
            room: [gain * (0.95 + warmth), gain, gain * (1.07 - warmth)],
        }
    }

    /// The light that the surface sends to the camera above it. Row by row in plain loops without branches,
    /// which the compiler turns into vector instructions.
    pub(super) fn shade(&self, surface: &Surface, centre: [f32; 2]) -> Linear {
        let shelter = Shelter::new(surface, self.key);
        let w = surface.width;
        let mut row_of = Row::new(w);
        let mut out = Vec::with_capacity(surface.height.len());
        for row in 0..surface.rows {
            let span = row * w..(row + 1) * w;
            row_of.slopes(surface, row);
            row_of.shelter(&shelter, row, surface.cell, &surface.height[span.clone()]);
            self.reflect(&mut row_of, surface, row, centre);
            let lights = row_of.lamp.iter().zip(&row_of.room);
            out.extend(
                surface.albedo[span]
                    .iter()
                    .zip(lights)
                    .map(|(albedo, (lamp, room))| {
                        let light: [f32; 3] =
                            std::array::from_fn(|c| self.lamp[c] * lamp + self.room[c] * room);
                        [albedo[0] * light[0], albedo[1] * light[1], albedo[2] * light[2]]
                    }),
            );
        }
        out
    }

    fn reflect(&self, line: &mut Row, surface: &Surface, row: usize, centre: [f32; 2]) {
        let w = surface.width;
        let (metal, rough) = (&surface.metal[row * w..][..w], &surface.rough[row * w..][..w]);
        let Row {
            slope: [gx, gy],
            open,
            lit,
            lamp,
            room,
        } = line;
        let (gx, gy, open, lit) = (&gx[..w], &gy[..w], &open[..w], &lit[..w]);
        let (lamp, room) = (&mut lamp[..w], &mut room[..w]);
        let dy = surface.y(row) - centre[1];
        let first = surface.x(0) - centre[0];
        for i in 0..w {
            let slope = [gx[i], gy[i]];
            let steep = slope[0] * slope[0] + slope[1] * slope[1];
            let upright = 1.0 / (1.0 + steep).sqrt();
            let facing = (self.key[2] - slope[0] * self.key[0] - slope[1] * self.key[1]) * upright;
            let facing = facing.max(0.0);
            let dx = first + i as i32 as f32 * surface.pitch;
            let per_r = 1.0 / (dx * dx + dy * dy + 1e-6).sqrt();
            let radial = [dx * per_r, dy * per_r];
            let spread = [
                mix(1.0 / ALONG, 1.0 / DULL, rough[i]),
                mix(1.0 / ACROSS, 1.0 / DULL, rough[i]),
            ];
            let key = lobe(self.key_slope, slope, radial, spread);
            let fill = lobe(self.fill_slope, slope, radial, spread);
            let around = (AROUND * upright * upright - 0.05 * slope[1] * upright).max(0.0);
            let hollow = mix(0.7, 1.0, open[i]);
            let gloss = GLOSS * (facing * facing) * (facing * facing);
            lamp[i] = lit[i] * mix(1.05 * facing + gloss, KEY * key * hollow, metal[i]);
            let mirrored = FILL * fill * mix(1.0, lit[i], 0.5) * hollow + around * open[i];
            room[i] = mix(0.50 * upright * open[i], mirrored, metal[i]);
        }
    }
}

/// One row of samples on its way to light.
struct Row {
    slope: [Vec<f32>; 2],
    /// How open to the surroundings, 0 .. 1.
    open: Vec<f32>,
    /// Share of the key lamp, 0 .. 1.
    lit: Vec<f32>,
    /// Light that a white sample sends on from the key lamp, and from everything else.
    lamp: Vec<f32>,
    room: Vec<f32>,
}

impl Row {
    fn new(width: usize) -> Self {
        let zeros = || vec![0.0; width];
        Self {
            slope: [zeros(), zeros()],
            open: zeros(),
            lit: zeros(),
            lamp: zeros(),
            room: zeros(),
        }
    }

    fn slopes(&mut self, surface: &Surface, row: usize) {
        let (w, last) = (surface.width, surface.rows - 1);
        let per_slope = 0.5 / surface.pitch;
        let line = &surface.height[row * w..][..w];
        let above = &surface.height[row.saturating_sub(1) * w..][..w];
        let below = &surface.height[(row + 1).min(last) * w..][..w];
        for i in 1..w.saturating_sub(1) {
            self.slope[0][i] = (line[i + 1] - line[i - 1]) * per_slope;
        }
        for i in 0..w {
            self.slope[1][i] = (below[i] - above[i]) * per_slope;
        }
    }

    /// Interpolates the cells' values; what lies below the mean height around it is less open.
    fn shelter(&mut self, shelter: &Shelter, row: usize, cell: usize, height: &[f32]) {
        let (top, bottom, v) = between(row, cell, shelter.rows);
        let mut place = 0;
        let mut share = vec![0.0; cell];
        for (k, s) in share.iter_mut().enumerate() {
            *s = (k as f32 + 0.5) / cell as f32 - 0.5;
        }
        let column = |i: usize| {
            shelter
                .cells
                .each_ref()
                .map(|c| mix(c[top * shelter.width + i], c[bottom * shelter.width + i], v))
        };
        let (mut left, mut own) = (column(0), column(0));
        for i in 0..shelter.width {
            let right = column((i + 1).min(shelter.width - 1));
            for s in &share {
                let side = if *s < 0.0 { left } else { right };
                let at: [f32; 3] = std::array::from_fn(|k| mix(own[k], side[k], s.abs()));
                self.open[place] = opening([at[0], at[1]], height[place]);
                self.lit[place] = at[2];
                place += 1;
            }
            (left, own) = (own, right);
        }
        // Samples beyond the last whole cell.
        let (open, lit) = (self.open[place - 1], self.lit[place - 1]);
        self.open[place..].fill(open);
        self.lit[place..].fill(lit);
    }
}

/// The two of `count` cells of `cell` samples whose middles a sample lies between, and how far it is from the
/// first.
fn between(sample: usize, cell: usize, count: usize) -> (usize, usize, f32) {
    let place = (sample as f32 + 0.5) / cell as f32 - 0.5;
    let k = (place.max(0.0) as usize).min(count - 1);
    (k, (k + 1).min(count - 1), (place - k as f32).clamp(0.0, 1.0))
}

/// How much of a lamp with half-vector slope `lamp` facets around `slope` mirror to the camera, 0 .. 1;
/// `spread` holds the inverse spreads along and across the grooves.
#[inline(always)]
fn lobe(lamp: [f32; 2], slope: [f32; 2], radial: [f32; 2], spread: [f32; 2]) -> f32 {
    let (dx, dy) = (lamp[0] - slope[0], lamp[1] - slope[1]);
    let across = (dx * radial[0] + dy * radial[1]) * spread[1];
    let along = (dy * radial[0] - dx * radial[1]) * spread[0];
    let q = 1.0 + across * across + along * along;
    1.0 / (q * q)
}
