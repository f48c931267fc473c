//! Registration on one level of the pyramid.

use super::pose::{PictureShape, Pose};
use crate::processor::vectorised;

/// Errors are clipped to this many levels, in Q8.
const CLIP: i32 = 40 << 8;
/// The largest side of a level.
pub(super) const MOST_SIDE: usize = 128;
/// Unknowns: right, down, turn, and a difference in brightness that is none of the part's.
const UNKNOWNS: usize = 4;
/// What one of each slope is in levels a pixel, a radian and a level.
const UNITS: [f64; UNKNOWNS] = [0.5, 0.5, 0.25, 1.0];

/// A level of the pyramid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolution {
    /// In pixels.
    pub side: usize,
    /// Of registration, from each pose.
    pub steps: usize,
    /// How many of the poses that were found go on to the next level.
    pub keep: usize,
}

/// The reference and the picture at one resolution.
#[derive(Clone, Debug)]
pub(super) struct Level {
    side: usize,
    keep: usize,
    /// Pixels of the network's picture a pixel of the level.
    factor: usize,
    steps: usize,
    /// So many pixels must be in view.
    least: usize,
    reference: Vec<u8>,
    /// How reference pixels change with each of the first three unknowns: twice as much a pixel to the right,
    /// twice a pixel down, four times a radian.
    slopes: [Vec<i32>; 3],
    inverse: [[f64; UNKNOWNS]; UNKNOWNS],
    picture: Vec<u8>,
    /// Of some reference pixels; has room for all.
    errors: Vec<i32>,
    /// Of columns of the whole picture.
    sums: Vec<u32>,
}

impl Level {
    /// `reference` is `full` x `full`; `level.side` divides `full`.
    pub(super) fn new(reference: &[u8], full: usize, shape: PictureShape, level: Resolution) -> Self {
        let Resolution { side, steps, keep } = level;
        let factor = full / side;
        let (mut small, mut sums) = (vec![0; side * side], vec![0; full]);
        reduce(reference, factor, &mut sums, &mut small);
        let at = |x: usize, y: usize| i32::from(small[y * side + x]);
        let slopes = (0..side * side).map(|i| {
            let (x, y) = (i % side, i / side);
            // at the rim nothing is known of what lies beyond
            if x == 0 || y == 0 || x + 1 == side || y + 1 == side {
                return [0; 3];
            }
            let (right, down) = (at(x + 1, y) - at(x - 1, y), at(x, y + 1) - at(x, y - 1));
            let [from_centre_x, from_centre_y] = [x, y].map(|v| 2 * v as i64 + 1 - side as i64);
            let turned =
                shape.down(from_centre_x * i64::from(down)) - shape.along(from_centre_y * i64::from(right));
            [right, down, turned.clamp(i32::MIN.into(), i32::MAX.into()) as i32]
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
        Self {
            side,
            keep,
            factor,
            steps,
            least: ((side * side) as f64 * shape.in_common() / 2.0).ceil() as usize,
            inverse: invert(normal),
            reference: small,
            slopes: std::array::from_fn(|k| slopes.iter().map(|slope| slope[k]).collect()),
            picture: vec![0; side * side],
            errors: Vec::with_capacity(side * side),
            sums,
        }
    }

    /// Takes a picture of the side that the reference had.
    pub(super) fn look(&mut self, grey: &[u8]) {
        reduce(grey, self.factor, &mut self.sums, &mut self.picture);
    }

    /// Goes from `pose` downhill.
    pub(super) fn register(&self, mut pose: Pose, limits: Pose) -> Pose {
        let mut brighter = 0;
        for _ in 0..self.steps {
            let mut sums = [0i64; UNKNOWNS];
            self.compare(pose, |first, errors| {
                let slopes = self
                    .slopes
                    .each_ref()
                    .map(|slopes| &slopes[first..][..errors.len()]);
                add_up(slopes, errors, brighter, &mut sums);
            });
            // from Q8 levels and the slopes' units to pixels, radians and levels
            let step = self.inverse.map(|row| {
                (0..UNKNOWNS)
                    .map(|k| row[k] * (sums[k] as f64 * UNITS[k]))
                    .sum::<f64>()
                    / 256.0
            });
            brighter += (step[3] * 256.0) as i32;
            pose = self.step_back(pose, step).within(limits);
        }
        pose
    }

    /// `pose` after the inverse of a small step `[right, down, turn, _]` of the reference.
    fn step_back(&self, pose: Pose, step: [f64; UNKNOWNS]) -> Pose {
        let bounded = |v: f64, most: f64| (v.clamp(-most, most) * 65_536.0) as i64;
        // a flat reference has no slopes and any step would do: none is taken further than a quarter of the
        // picture
        let most = self.side as f64 / 4.0;
        let (right, down) = (bounded(step[0], most), bounded(step[1], most));
        let turned = Pose {
            turn: pose.turn - bounded(step[2], 0.2) as i32,
            ..pose
        };
        let [x, y] = turned.turned()([right, down]).map(|way| (way >> 16) * self.factor as i64);
        // of a picture that is all width a step may leave every number behind
        let moved =
            |from: i32, by: i64| (i64::from(from) - by).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        Pose {
            x: moved(pose.x, x),
            y: moved(pose.y, y),
            ..turned
        }
    }

    /// Sum of the clipped errors at `pose`, the mean difference in brightness taken off, as a mean of the
    /// pixels that both show.
    pub(super) fn error(&mut self, pose: Pose) -> u64 {
        let mut errors = std::mem::take(&mut self.errors);
        errors.clear();
        self.compare(pose, |_, some| errors.extend_from_slice(some));
        let count = errors.len();
        // less than half of what a quarter turn leaves in view is no place at all
        let error = if count < self.least {
            u64::MAX
        } else {
            let mean = (errors.iter().map(|&error| i64::from(error)).sum::<i64>() / count as i64) as i32;
            let clipped = errors
                .iter()
                .map(|error| u64::from((error - mean).unsigned_abs().min(CLIP as u32)));
            clipped.sum::<u64>() * 256 / count as u64
        };
        self.errors = errors;
        error
    }

    /// Leaves the poses of the least errors, one of each place, the best first.
    pub(super) fn keep_best(&mut self, ends: &mut Vec<(u64, Pose)>) {
        if ends.len() <= self.keep {
            return;
        }
        ends.iter_mut()
            .for_each(|(error, pose)| *error = self.error(*pose));
        for kept in 0..self.keep {
            let (best, rest) = ends.split_at(kept);
            let is_new = |pose: &Pose| best.iter().all(|(_, other)| !pose.is_near(*other));
            let others = rest.iter().enumerate().filter(|(_, (_, pose))| is_new(pose));
            let Some((next, _)) = others.min_by_key(|(_, (error, _))| *error) else {
                return ends.truncate(kept);
            };
            ends.swap(kept, kept + next);
        }
        ends.truncate(self.keep);
    }

    /// Calls `each` with the reference pixels whose places at `pose` lie in the picture, row by row: the
    /// first one of a row, and by how many levels (Q8) the picture is brighter there and at the next ones.
    fn compare(&self, pose: Pose, mut each: impl FnMut(usize, &[i32])) {
        let side = self.side;
        let of_level = |v: i32| v / self.factor as i32;
        let pose = Pose {
            x: of_level(pose.x),
            y: of_level(pose.y),
            ..pose
        };
        let mut errors = [0; MOST_SIDE];
        for (row, line) in (0..side).map(pose.lines(side)).enumerate() {
            let columns = line.inside((side as i64 - 1) << 16, side);
            let first = row * side + columns.start;
            let errors = &mut errors[..columns.len()];
            let reference = &self.reference[first..][..errors.len()];
            for ((error, &reference), column) in errors.iter_mut().zip(reference).zip(columns) {
                *error = self.sample(line.at(column)) - (i32::from(reference) << 8);
            }
            each(first, errors);
        }
    }

    /// The picture between four pixels, in Q8 levels; place in 1/65536 pixel, inside of the picture.
    #[inline]
    fn sample(&self, [x, y]: [i64; 2]) -> i32 {
        let at = (y >> 16) as usize * self.side + (x >> 16) as usize;
        let [u, v] = [x, y].map(|p| ((p >> 8) & 255) as i32);
        let between = |pair: &[u8]| i32::from(pair[0]) * (256 - u) + i32::from(pair[1]) * u;
        let [upper, lower] = [at, at + self.side].map(|at| between(&self.picture[at..][..2]));
        (upper * (256 - v) + lower * v) >> 8
    }
}

vectorised! {
    /// Adds the slopes times the clipped errors, and the clipped errors.
    fn add_up(slopes: [&[i32]; 3], errors: &[i32], brighter: i32, sums: &mut [i64; UNKNOWNS]) {
        let [right, down, turn] = slopes;
        let mut added = [0; UNKNOWNS];
        for (((error, &right), &down), &turn) in errors.iter().zip(right).zip(down).zip(turn) {
            let clipped = i64::from((error - brighter).clamp(-CLIP, CLIP));
            for (sum, slope) in added.iter_mut().zip([right, down, turn, 1]) {
                *sum += i64::from(slope) * clipped;
            }
        }
        sums.iter_mut().zip(added).for_each(|(sum, added)| *sum += added);
    }

    /// Box means of a square grey picture with as many columns as there are `sums`.
    fn reduce(from: &[u8], factor: usize, sums: &mut [u32], out: &mut [u8]) {
        let full = sums.len();
        let area = (factor * factor) as u32;
        for (rows, out) in from.chunks_exact(full * factor).zip(out.chunks_exact_mut(full / factor)) {
            sums.fill(0);
            for row in rows.chunks_exact(full) {
                sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += u32::from(value));
            }
            for (out, columns) in out.iter_mut().zip(sums.chunks_exact(factor)) {
                let sum = columns.iter().sum::<u32>() + area / 2;
                *out = if area.is_power_of_two() { sum >> area.trailing_zeros() } else { sum / area } as u8;
            }
        }
    }
}

/// The inverse of a symmetric matrix by Gauss and Jordan; unknowns that the reference says nothing of get no
/// step.
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
