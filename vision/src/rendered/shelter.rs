//! What keeps light from a surface: its own hills, near (ambient occlusion) and towards the lamp (cast
//! shadow).

use super::surface::Surface;

/// Radii of the two neighbourhoods of ambient occlusion, in reference pixels, and how much each darkens.
const OCCLUSION: [(f32, f32); 2] = [(3.0, 0.34), (11.0, 0.11)];

/// How open to the surroundings a sample is, 0 .. 1, by the mean heights of its near and far neighbourhood.
#[inline(always)]
pub(super) fn opening(mean: [f32; 2], height: f32) -> f32 {
    let near = OCCLUSION[0].1 * (mean[0] - height).max(0.0);
    let far = OCCLUSION[1].1 * (mean[1] - height).max(0.0);
    let closed = near + far;
    1.0 / (1.0 + closed * (1.0 + closed))
}

/// Ambient occlusion and cast shadow, on a coarse grid of cells.
pub(super) struct Shelter {
    pub(super) width: usize,
    pub(super) rows: usize,
    /// Mean height of the near and the far neighbourhood, share of the key lamp.
    pub(super) cells: [Vec<f32>; 3],
}

impl Shelter {
    pub(super) fn new(surface: &Surface, key: [f32; 3]) -> Self {
        let cell = surface.cell;
        let (width, rows) = (surface.width / cell, surface.rows / cell);
        let size = surface.pitch * cell as f32;
        let mut coarse = vec![0.0; width * rows];
        for (row, line) in surface
            .height
            .chunks_exact(surface.width)
            .take(rows * cell)
            .enumerate()
        {
            let out = &mut coarse[row / cell * width..][..width];
            for (sum, samples) in out.iter_mut().zip(line.chunks_exact(cell)) {
                *sum += samples.iter().sum::<f32>();
            }
        }
        let share = 1.0 / (cell * cell) as f32;
        coarse.iter_mut().for_each(|h| *h *= share);
        let [near, far] =
            OCCLUSION.map(|(radius, _)| box_mean(&coarse, width, rows, (radius / size + 0.5) as usize));
        let lit = cast(&coarse, width, rows, size, key);
        Self {
            width,
            rows,
            cells: [near, far, lit],
        }
    }
}

/// The share of the lamp that each cell sees: the height field is followed towards the lamp.
fn cast(height: &[f32], width: usize, rows: usize, size: f32, key: [f32; 3]) -> Vec<f32> {
    const REACH: [f32; 8] = [1.0, 2.0, 3.2, 4.6, 6.2, 8.0, 10.2, 13.0];
    let flat = (key[0] * key[0] + key[1] * key[1]).sqrt();
    let rise = key[2] / flat;
    let steps = REACH.map(|reach| {
        let (dx, dy) = (reach * key[0] / flat / size, reach * key[1] / flat / size);
        (
            (dx + 100.5) as i32 - 100,
            (dy + 100.5) as i32 - 100,
            reach * rise,
            1.0 / (0.22 * reach + 0.9),
        )
    });
    let mut lit = vec![1.0; width * rows];
    for row in 0..rows {
        for column in 0..width {
            let own = height[row * width + column];
            let mut blocked = 0.0_f32;
            for (dx, dy, rise, sharpness) in steps {
                let x = (column as i32 + dx).clamp(0, width as i32 - 1) as usize;
                let y = (row as i32 + dy).clamp(0, rows as i32 - 1) as usize;
                blocked = blocked.max((height[y * width + x] - own - rise) * sharpness + 0.0);
            }
            lit[row * width + column] = 1.0 - 0.92 * blocked.min(1.0);
        }
    }
    box_mean(&lit, width, rows, 1)
}

/// The mean over a square of half side `radius`, edges repeated. In fixed point: a running sum of floats
/// would carry its rounding, and with it a trace of each defect, across the whole picture.
fn box_mean(values: &[f32], width: usize, rows: usize, radius: usize) -> Vec<f32> {
    const ONE: f32 = 4096.0;
    let reach = radius as i64;
    let mut along = vec![0_i32; values.len()];
    for (line, out) in values.chunks_exact(width).zip(along.chunks_exact_mut(width)) {
        let at = |i: i64| (line[i.clamp(0, width as i64 - 1) as usize] * ONE) as i32;
        let mut sum: i32 = (-reach..=reach).map(at).sum();
        for (i, o) in (0..).zip(out) {
            *o = sum;
            sum += at(i + reach + 1) - at(i - reach);
        }
    }
    let line = |i: i64| &along[i.clamp(0, rows as i64 - 1) as usize * width..][..width];
    let mut sum = vec![0_i32; width];
    for i in -reach..=reach {
        sum.iter_mut().zip(line(i)).for_each(|(s, v)| *s += v);
    }
    let side = (2 * radius + 1) as f32;
    let share = 1.0 / (side * side * ONE);
    let mut out = vec![0.0; values.len()];
    for (row, out) in (0..).zip(out.chunks_exact_mut(width)) {
        out.iter_mut().zip(&sum).for_each(|(o, s)| *o = *s as f32 * share);
        for ((s, enters), leaves) in sum.iter_mut().zip(line(row + reach + 1)).zip(line(row - reach)) {
            *s += enters - leaves;
        }
    }
    out
}
