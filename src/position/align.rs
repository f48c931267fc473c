//! Registration on one level of the pyramid.

use super::Pose;

/// Errors are clipped to this many levels, in Q8.
const CLIP: i32 = 40 << 8;
/// Unknowns: right, down, turn, and a difference in brightness that is none of the part's.
const UNKNOWNS: usize = 4;
/// What one of each slope is in levels a pixel, a radian and a level.
const UNITS: [f64; UNKNOWNS] = [0.5, 0.5, 0.25, 1.0];

/// The reference and the picture at one resolution.
#[derive(Clone, Debug)]
pub(super) struct Level {
    side: usize,
    /// Pixels of the network's picture a pixel of the level.
    factor: usize,
    steps: usize,
    reference: Vec<u8>,
    /// How a reference pixel changes with each of the first three unknowns: twice as much a pixel to the right, twice a
    /// pixel down, four times a radian.
    slopes: Vec<[i32; 3]>,
    inverse: [[f64; UNKNOWNS]; UNKNOWNS],
    picture: Vec<u8>,
}

impl Level {
    /// `reference` is `full` x `full`; `side` divides `full`.
    pub(super) fn new(reference: &[u8], full: usize, side: usize, steps: usize) -> Self {
        let factor = full / side;
        let mut small = vec![0; side * side];
        reduce(reference, full, factor, &mut small);
        let at = |x: usize, y: usize| i32::from(small[y * side + x]);
        let slopes = (0..side * side).map(|i| {
            let (x, y) = (i % side, i / side);
            // at the rim nothing is known of what lies beyond
            if x == 0 || y == 0 || x + 1 == side || y + 1 == side {
                return [0; 3];
            }
            let (right, down) = (at(x + 1, y) - at(x - 1, y), at(x, y + 1) - at(x, y - 1));
            let [from_centre_x, from_centre_y] = [x, y].map(|v| 2 * v as i32 + 1 - side as i32);
            [right, down, from_centre_x * down - from_centre_y * right]
        });
        let slopes: Vec<[i32; 3]> = slopes.collect();
        let mut normal = [[0.0; UNKNOWNS]; UNKNOWNS];
        for slope in &slopes {
            let [right, down, turn] = slope.map(f64::from);
            let row: [f64; UNKNOWNS] = std::array::from_fn(|k| [right, down, turn, 1.0][k] * UNITS[k]);
            for (i, j) in (0..UNKNOWNS).flat_map(|i| (0..UNKNOWNS).map(move |j| (i, j))) {
                normal[i][j] += row[i] * row[j];
            }
        }
        Self { side, factor, steps, inverse: invert(normal), reference: small, slopes, picture: vec![0; side * side] }
    }

    /// Takes a picture of `full` x `full` pixels.
    pub(super) fn look(&mut self, grey: &[u8], full: usize) {
        reduce(grey, full, self.factor, &mut self.picture);
    }

    /// Goes from `pose` downhill; returns where it came, and how well reference and picture agree there.
    pub(super) fn register(&self, mut pose: Pose, limits: Pose) -> (Pose, u64) {
        let mut brighter = 0;
        for _ in 0..self.steps {
            let mut sums = [0i64; UNKNOWNS];
            self.compare(pose, |i, error| {
                let clipped = (error - brighter).clamp(-CLIP, CLIP);
                let slope = self.slopes[i];
                (0..3).for_each(|k| sums[k] += i64::from(slope[k]) * i64::from(clipped));
                sums[3] += i64::from(clipped);
            });
            // from Q8 levels and the slopes' units to pixels, radians and levels
            let step = self
                .inverse
                .map(|row| (0..UNKNOWNS).map(|k| row[k] * (sums[k] as f64 * UNITS[k])).sum::<f64>() / 256.0);
            brighter += (step[3] * 256.0) as i32;
            pose = self.step_back(pose, step).within(limits);
        }
        (pose, self.error(pose))
    }

    /// `pose` after the inverse of a small step `[right, down, turn, _]` of the reference.
    fn step_back(&self, pose: Pose, step: [f64; UNKNOWNS]) -> Pose {
        let bounded = |v: f64, most: f64| (v.clamp(-most, most) * 65_536.0) as i64;
        // a flat reference has no slopes and any step would do: none is taken further than a quarter of the picture
        let most = self.side as f64 / 4.0;
        let (right, down) = (bounded(step[0], most), bounded(step[1], most));
        let turned = Pose { turn: pose.turn - bounded(step[2], 0.2) as i32, ..pose };
        let ([cos, sin], factor) = (turned.cos_sin(), self.factor as i64);
        Pose {
            x: pose.x - (((cos * right - sin * down) >> 16) * factor) as i32,
            y: pose.y - (((sin * right + cos * down) >> 16) * factor) as i32,
            turn: turned.turn,
        }
    }

    /// Sum of the clipped errors at `pose`, the mean difference in brightness taken off, as a mean of the pixels that both
    /// show.
    pub(super) fn error(&self, pose: Pose) -> u64 {
        let (mut sum, mut count) = (0i64, 0i64);
        self.compare(pose, |_, error| {
            sum += i64::from(error);
            count += 1;
        });
        // less than half of the reference in view is no place at all
        if 2 * count < (self.side * self.side) as i64 {
            return u64::MAX;
        }
        let (mean, mut total) = ((sum / count) as i32, 0);
        self.compare(pose, |_, error| total += u64::from((error - mean).unsigned_abs().min(CLIP as u32)));
        total * 256 / count as u64
    }

    /// Calls `each` with every reference pixel whose place at `pose` lies in the picture, and by how many levels (Q8) the
    /// picture is brighter there.
    fn compare(&self, pose: Pose, mut each: impl FnMut(usize, i32)) {
        let of_level = |v: i32| v / self.factor as i32;
        let pose = Pose { x: of_level(pose.x), y: of_level(pose.y), ..pose };
        let inside = 0..(self.side as i64 - 1) << 16;
        for row in 0..self.side {
            for (column, [x, y]) in pose.places(row, self.side, self.side).enumerate() {
                if inside.contains(&x) && inside.contains(&y) {
                    let i = row * self.side + column;
                    each(i, self.sample(x, y) - (i32::from(self.reference[i]) << 8));
                }
            }
        }
    }

    /// The picture between four pixels, in Q8 levels; place in 1/65536 pixel, inside of the picture.
    fn sample(&self, x: i64, y: i64) -> i32 {
        let (column, row) = ((x >> 16) as usize, (y >> 16) as usize);
        let [u, v] = [x, y].map(|p| ((p >> 8) & 255) as i32);
        let at = |dx: usize, dy: usize| i32::from(self.picture[(row + dy) * self.side + column + dx]);
        let upper = at(0, 0) * (256 - u) + at(1, 0) * u;
        let lower = at(0, 1) * (256 - u) + at(1, 1) * u;
        (upper * (256 - v) + lower * v) >> 8
    }
}

/// Box means of a square grey picture.
fn reduce(from: &[u8], full: usize, factor: usize, out: &mut [u8]) {
    let side = full / factor;
    let area = (factor * factor) as u32;
    for (y, row) in out.chunks_exact_mut(side).enumerate() {
        for (x, out) in row.iter_mut().enumerate() {
            let line = |i: usize| &from[(y * factor + i) * full + x * factor..][..factor];
            let sum: u32 = (0..factor).flat_map(line).map(|&v| u32::from(v)).sum();
            *out = ((sum + area / 2) / area) as u8;
        }
    }
}

/// The inverse of a symmetric matrix by Gauss and Jordan; unknowns that the reference says nothing of get no step.
fn invert(mut matrix: [[f64; UNKNOWNS]; UNKNOWNS]) -> [[f64; UNKNOWNS]; UNKNOWNS] {
    let mut inverse = [[0.0; UNKNOWNS]; UNKNOWNS];
    (0..UNKNOWNS).for_each(|i| inverse[i][i] = 1.0);
    let whole: [f64; UNKNOWNS] = std::array::from_fn(|i| matrix[i][i]);
    for pivot in 0..UNKNOWNS {
        let value = matrix[pivot][pivot];
        if value <= 1e-6 * whole[pivot] || value <= 0.0 {
            inverse.iter_mut().for_each(|row| row[pivot] = 0.0);
            inverse[pivot] = [0.0; UNKNOWNS];
            matrix.iter_mut().for_each(|row| row[pivot] = 0.0);
            matrix[pivot] = [0.0; UNKNOWNS];
            continue;
        }
        for k in 0..UNKNOWNS {
            matrix[pivot][k] /= value;
            inverse[pivot][k] /= value;
        }
        for row in (0..UNKNOWNS).filter(|&row| row != pivot) {
            let times = matrix[row][pivot];
            for k in 0..UNKNOWNS {
                matrix[row][k] -= times * matrix[pivot][k];
                inverse[row][k] -= times * inverse[pivot][k];
            }
        }
    }
    inverse
}
