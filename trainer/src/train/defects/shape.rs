//! Shapes of defects: how much of each pixel is covered, 0 to 1.

use crate::rng::Rng;

/// Coverage of each pixel of a picture.
pub(super) struct Cover {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Cover {
    /// Nothing covered.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            values: vec![0.0; width * height],
        }
    }

    /// A shape of any kind, size and place.
    pub(super) fn draw(rng: &mut Rng, width: usize, height: usize) -> Self {
        let mut cover = Self::new(width, height);
        let side = width.min(height) as f32;
        let centre = super::centre(rng, width, height);
        match rng.unit() {
            ..0.30 => {
                let size = (rng.log_range(0.03, 0.3) * side).max(1.5);
                cover.lobes(rng, centre, size / 2.0);
            }
            ..0.62 => cover.stain(rng, centre, side),
            ..0.80 => {
                let size = (rng.log_range(0.03, 0.35) * side).max(1.5);
                cover.rectangle(rng, centre, size);
            }
            _ => cover.scratch(rng, centre, side),
        }
        cover
    }

    /// Coverage of each pixel, row by row.
    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Raises the coverage within `reach` of `centre` to what `at` says of the offset (x, y) from it.
    fn raise(&mut self, centre: [f32; 2], reach: f32, at: impl Fn(f32, f32) -> f32) {
        let bounds = |centre: f32, count: usize| {
            ((centre - reach).max(0.0) as usize).min(count)
                ..((centre + reach).max(-1.0) + 2.0).min(count as f32) as usize
        };
        for y in bounds(centre[1], self.height) {
            for x in bounds(centre[0], self.width) {
                let value = &mut self.values[y * self.width + x];
                *value = value.max(at(x as f32 - centre[0], y as f32 - centre[1]).clamp(0.0, 1.0));
            }
        }
    }

    /// A curved line that begins at `from`; its length, width and bends are random.
    pub(super) fn scratch(&mut self, rng: &mut Rng, from: [f32; 2], side: f32) {
        let length = rng.log_range(0.08, 0.8) * side;
        let width = rng.log_range(0.008, 0.04) * side;
        let (mut direction, mut bend) = (
            rng.range(0.0, std::f32::consts::TAU),
            rng.range(-2.0, 2.0) / length,
        );
        let wobble = rng.range(0.0, 2.0) / length;
        let (waves, phase) = (rng.range(1.0, 6.0), rng.range(0.0, 6.0));
        let [mut x, mut y] = from;
        let steps = (length * 2.0).ceil().max(2.0);
        for step in 0..steps as usize {
            let along = step as f32 / steps;
            // Pointed ends, and a width that swells and fades on the way.
            let swell = (along * std::f32::consts::PI).sin().sqrt()
                * (0.7 + 0.3 * (waves * along * 6.0 + phase).sin());
            // Half a pixel at least, fainter where the line is thinner than that.
            let (radius, strength) = ((width * swell / 2.0).max(0.5), (width * swell).min(1.0));
            self.raise([x, y], radius + 1.0, |dx, dy| {
                strength * (radius + 0.5 - dx.hypot(dy))
            });
            bend += rng.range(-wobble, wobble) * 0.3;
            direction += bend * 0.5;
            x += direction.cos() * 0.5;
            y += direction.sin() * 0.5;
        }
    }

    /// A stretched disc with a lobed outline and a random sharpness.
    pub(super) fn lobes(&mut self, rng: &mut Rng, centre: [f32; 2], radius: f32) {
        let stretch = rng.log_range(1.0, 2.0).sqrt();
        let (sin, cos) = rng.range(0.0, std::f32::consts::TAU).sin_cos();
        let waves: Vec<[f32; 2]> = (2..6)
            .map(|order| {
                [
                    rng.range(0.0, 0.5) / order as f32,
                    rng.range(0.0, std::f32::consts::TAU),
                ]
            })
            .collect();
        let soft = (radius * rng.log_range(0.05, 0.6)).max(1.0);
        self.raise(centre, radius * 2.5 + soft, |dx, dy| {
            let (u, v) = ((cos * dx + sin * dy) / stretch, (cos * dy - sin * dx) * stretch);
            let angle = v.atan2(u);
            let lobed: f32 = (waves.iter().zip(2_u8..))
                .map(|(w, n)| w[0] * (f32::from(n) * angle + w[1]).sin())
                .sum();
            (radius * (1.0 + lobed) - u.hypot(v)) / soft + 0.5
        });
    }

    /// A turned rectangle with sharp edges.
    pub(super) fn rectangle(&mut self, rng: &mut Rng, centre: [f32; 2], size: f32) {
        let (long, short) = (size / 2.0, size / 2.0 * rng.range(0.2, 1.0));
        let (sin, cos) = rng.range(0.0, std::f32::consts::PI).sin_cos();
        self.raise(centre, size, |dx, dy| {
            let (u, v) = (cos * dx + sin * dy, cos * dy - sin * dx);
            (long - u.abs()).min(short - v.abs()) + 0.5
        });
    }

    /// The hills of a noise landscape within a soft window, both of any size.
    fn stain(&mut self, rng: &mut Rng, centre: [f32; 2], side: f32) {
        let size = (rng.log_range(0.12, 1.2) * side).max(1.5);
        self.lobes(rng, centre, size / 2.0);
        let grains = [rng.log_range(3.0, 32.0), rng.log_range(4.0, 45.0)];
        let [rough, fine] = grains.map(|nodes| Landscape::new(rng, self.width, self.height, side / nodes));
        let at = |place: usize| {
            let (x, y) = ((place % self.width) as f32, (place / self.width) as f32);
            0.7 * rough.at(x, y) + 0.3 * fine.at(x, y)
        };
        let hills: Vec<f32> = (0..self.values.len()).map(at).collect();
        let mut inside: Vec<f32> = self
            .values
            .iter()
            .zip(&hills)
            .filter(|(window, _)| **window > 0.5)
            .map(|(_, &hill)| hill)
            .collect();
        inside.sort_unstable_by(f32::total_cmp);
        // this share of the window stays free
        let free = rng.range(0.3, 0.85);
        let level = inside
            .get((free * inside.len() as f32) as usize)
            .copied()
            .unwrap_or(0.5);
        let steep = rng.log_range(8.0, 40.0);
        self.values
            .iter_mut()
            .zip(hills)
            .for_each(|(v, hill)| *v *= ((hill - level) * steep).clamp(0.0, 1.0));
    }

    /// Blurs the shape's edge over about `radius` pixels.
    pub(super) fn soften(&mut self, radius: f32) {
        let reach = (radius / 2.0) as usize;
        for _ in 0..2 {
            box_blur(&mut self.values, self.width, self.height, 1, reach);
        }
    }
}

/// Smooth noise in [0, 1]: random values on a lattice, interpolated (value noise).
pub(super) struct Landscape {
    grain: f32,
    columns: usize,
    lattice: Vec<f32>,
}

impl Landscape {
    /// For a picture of `width` x `height` pixels; `grain` is the lattice's pitch in pixels, at least half a
    /// pixel.
    pub(super) fn new(rng: &mut Rng, width: usize, height: usize, grain: f32) -> Self {
        let grain = grain.max(0.5);
        let nodes = |count: usize| (count as f32 / grain) as usize + 2;
        let columns = nodes(width);
        Self {
            grain,
            columns,
            lattice: (0..columns * nodes(height)).map(|_| rng.unit()).collect(),
        }
    }

    /// The height at a place within the picture.
    pub(super) fn at(&self, x: f32, y: f32) -> f32 {
        let (x, y) = (x / self.grain, y / self.grain);
        let (left, top) = (x as usize, y as usize);
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (u, v) = (smooth(x - left as f32), smooth(y - top as f32));
        let row = |y: usize| {
            let nodes = &self.lattice[y * self.columns + left..][..2];
            nodes[0] * (1.0 - u) + nodes[1] * u
        };
        row(top) * (1.0 - v) + row(top + 1) * v
    }
}

/// Mean over a square of `2 * reach + 1` pixels, cut at the border; `channels` values a pixel.
pub(super) fn box_blur(values: &mut [f32], width: usize, height: usize, channels: usize, reach: usize) {
    if reach == 0 {
        return;
    }
    let mut line = Vec::with_capacity(width.max(height));
    let mut pass = |first: usize, step: usize, count: usize| {
        line.clear();
        line.extend((0..count).map(|i| values[first + i * step]));
        let mut sum: f32 = line[..reach.min(count)].iter().sum();
        for i in 0..count {
            if let Some(value) = line.get(i + reach) {
                sum += value;
            }
            if i > reach {
                sum -= line[i - reach - 1];
            }
            let inside = (i + reach + 1).min(count) - i.saturating_sub(reach);
            values[first + i * step] = sum / inside as f32;
        }
    };
    for row in 0..height {
        (0..channels).for_each(|c| pass(row * width * channels + c, channels, width));
    }
    for column in 0..width * channels {
        pass(column, width * channels, height);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn box_blur_is_the_mean_of_the_square() {
        let mut values: Vec<f32> = (0..60).map(|v| ((v * 37) % 23) as f32).collect();
        let before = values.clone();
        box_blur(&mut values, 6, 5, 2, 2);
        for (x, y, c) in [(0, 0, 0), (3, 2, 1), (5, 4, 0), (1, 4, 1)] {
            let square: Vec<f32> = (0..5_usize)
                .flat_map(|r| (0..6_usize).map(move |q| (r, q)))
                .filter(|(r, q)| r.abs_diff(y) <= 2 && q.abs_diff(x) <= 2)
                .map(|(r, q)| before[(r * 6 + q) * 2 + c])
                .collect();
            let mean = square.iter().sum::<f32>() / square.len() as f32;
            assert!((values[(y * 6 + x) * 2 + c] - mean).abs() < 1e-4);
        }
    }

    #[test]
    fn a_disc_covers_its_area_and_stays_in_place() {
        let mut cover = Cover::new(100, 80);
        cover.raise([40.0, 30.0], 12.0, |dx, dy| 10.5 - dx.hypot(dy));
        let area: f32 = cover.values().iter().sum();
        assert!((area - 314.0).abs() < 6.0, "{area}");
        assert_eq!(cover.values()[30 * 100 + 40], 1.0);
        assert_eq!(cover.values()[30 * 100 + 52], 0.0);
    }

    #[test]
    fn shapes_outside_the_picture_are_cut() {
        for centre in [[-50.0, -50.0], [500.0, 10.0], [5.0, 500.0], [0.0, 0.0]] {
            let mut cover = Cover::new(20, 10);
            let mut rng = Rng::new(&[1]);
            cover.lobes(&mut rng, centre, 6.0);
            cover.scratch(&mut rng, centre, 20.0);
            cover.rectangle(&mut rng, centre, 6.0);
            cover.stain(&mut rng, centre, 20.0);
            cover.soften(9.0);
            assert!(cover.values().iter().all(|v| (-1e-6..=1.001).contains(v)));
        }
    }
}
