//! A sampled surface: height and material, finer than the picture's pixels.

/// What the camera looks at, sampled on a square grid. Lengths are in reference pixels (see
/// [`super::product`]).
#[derive(Clone, Debug)]
pub(super) struct Surface {
    /// Samples in a row.
    pub(super) width: usize,
    /// Rows.
    pub(super) rows: usize,
    /// Distance of two samples.
    pub(super) pitch: f32,
    /// Samples along a side of a cell, the grid of shadow and occlusion; about one reference pixel.
    pub(super) cell: usize,
    /// Column and row of the first sample in the whole frame.
    pub(super) origin: [usize; 2],
    /// Height above the belt.
    pub(super) height: Vec<f32>,
    /// Reflectance, linear red, green and blue.
    pub(super) albedo: Vec<[f32; 3]>,
    /// 1 where the surface reflects as turned metal, 0 where it scatters.
    pub(super) metal: Vec<f32>,
    /// 0 as the tool left it, 1 rough in every direction.
    pub(super) rough: Vec<f32>,
}

impl Surface {
    pub(super) fn flat(side: usize, pitch: f32, cell: usize) -> Self {
        let n = side * side;
        Self {
            width: side,
            rows: side,
            pitch,
            cell,
            origin: [0, 0],
            height: vec![0.0; n],
            albedo: vec![[0.0; 3]; n],
            metal: vec![0.0; n],
            rough: vec![0.0; n],
        }
    }

    /// The place of a column.
    pub(super) fn x(&self, column: usize) -> f32 {
        ((self.origin[0] + column) as f32 + 0.5) * self.pitch - 128.0
    }

    /// The place of a row.
    pub(super) fn y(&self, row: usize) -> f32 {
        ((self.origin[1] + row) as f32 + 0.5) * self.pitch - 128.0
    }

    /// Calls `touch(surface, sample, x, y)` for the samples in the square of half side `reach` around (x, y).
    pub(super) fn around(
        &mut self,
        x: f32,
        y: f32,
        reach: f32,
        mut touch: impl FnMut(&mut Self, usize, f32, f32),
    ) {
        let span = |middle: f32, origin: usize, count: usize| {
            let first = ((middle - reach + 128.0) / self.pitch).floor() as i64 - origin as i64;
            let last = ((middle + reach + 128.0) / self.pitch).ceil() as i64 - origin as i64;
            first.clamp(0, count as i64) as usize..last.clamp(0, count as i64) as usize
        };
        let (columns, rows) = (
            span(x, self.origin[0], self.width),
            span(y, self.origin[1], self.rows),
        );
        for row in rows {
            for column in columns.clone() {
                let (px, py) = (self.x(column), self.y(row));
                touch(self, row * self.width + column, px, py);
            }
        }
    }

    /// The part of it in the square of half side `reach` around (x, y), in whole blocks of `block` samples.
    pub(super) fn crop(&self, x: f32, y: f32, reach: f32, block: usize) -> Self {
        let span = |middle: f32, count: usize| {
            let low = ((middle - reach + 128.0) / self.pitch).max(0.0) as usize / block * block;
            let high = ((middle + reach + 128.0) / self.pitch).max(0.0) as usize / block * block + block;
            (low.min(count - block), high.min(count))
        };
        let ((x0, x1), (y0, y1)) = (span(x, self.width), span(y, self.rows));
        let width = x1 - x0;
        let rows = || (y0..y1).map(|row| row * self.width + x0..row * self.width + x1);
        Self {
            width,
            rows: y1 - y0,
            pitch: self.pitch,
            cell: self.cell,
            origin: [self.origin[0] + x0, self.origin[1] + y0],
            height: rows().flat_map(|r| self.height[r].iter().copied()).collect(),
            albedo: rows().flat_map(|r| self.albedo[r].iter().copied()).collect(),
            metal: rows().flat_map(|r| self.metal[r].iter().copied()).collect(),
            rough: rows().flat_map(|r| self.rough[r].iter().copied()).collect(),
        }
    }
}
