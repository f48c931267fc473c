//! The partition memory bank made ready for running.
//!
//! Within, it computes in f32, with additions, multiplications, both fused into one, divisions and square
//! roots only, each in a fixed order, and an exponential of its own: every processor gives the same bytes.
//! Channels are the lanes, so the order does not depend on the width of the processor's vectors.

use super::{LENGTH_EPSILON, PartitionMemory};
use crate::processor::{Strip, vectorised};
use crate::reconstruct::kernels::Value;
use crate::reconstruct::layout::View;
use crate::reconstruct::quantisation::{Quantisation, ROUND};

/// Channels that are computed together.
const LANES: usize = 16;
/// Rows of a matrix that are multiplied together: a column is read once for all of them.
const ROWS: usize = 4;
/// Columns of a matrix for each turn of the loop: that many times fewer jumps.
const UNROLLED: usize = 4;
type Lanes = [f32; LANES];

/// A memory bank's items in the order in which they are multiplied.
#[derive(Clone, Debug)]
pub(crate) struct PackedMemory {
    channels: usize,
    /// Blocks along each axis.
    grid: usize,
    items: usize,
    /// Height and width of a block.
    block: [usize; 2],
    /// `[block][four items][dimension][item]`, the last four filled with zeros.
    keys: Vec<[f32; ROWS]>,
    /// `[block][four of the dimension][items][one of the four]`, the last four filled with zeros.
    values: Vec<[f32; ROWS]>,
    input: Quantisation,
    output: Quantisation,
}

/// Memory that the bank works in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    stored: Vec<[i8; LANES]>,
    queries: Vec<Lanes>,
    weights: Vec<Lanes>,
    drawn: Vec<Lanes>,
}

impl PackedMemory {
    pub(crate) fn new(memory: &PartitionMemory) -> Self {
        let (items, dimension) = (memory.items, memory.dimension());
        let of_block = items * dimension;
        Self {
            channels: memory.channels,
            grid: memory.grid,
            items,
            block: memory.block,
            keys: memory
                .keys
                .chunks(of_block)
                .flat_map(|keys| pack(keys, [items, dimension], [dimension, 1]))
                .collect(),
            values: memory
                .values
                .chunks(of_block)
                .flat_map(|values| pack(values, [dimension, items], [1, dimension]))
                .collect(),
            input: memory.input,
            output: memory.output,
        }
    }

    /// Bytes of its items, as keys and as values.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.keys.as_slice()) + size_of_val(self.values.as_slice())
    }

    /// Rows of blocks.
    pub(crate) fn rows(&self) -> usize {
        self.grid
    }

    /// Where in a buffer that is seen as `to` a row of blocks begins.
    pub(crate) fn row(&self, to: View, y: usize) -> usize {
        to.at(y * self.block[0], 0)
    }

    /// Redraws what is in `input`, in some rows of blocks.
    pub(crate) fn run<V: Value>(
        &self,
        (input, from): (&[V], View),
        (mut output, to): (Strip<'_, V>, View),
        scratch: &mut Scratch,
    ) {
        let [rows, columns] = self.block;
        let (items, dimension) = (self.items, rows * columns);
        let Scratch {
            stored,
            queries,
            weights,
            drawn,
        } = scratch;
        stored.resize(dimension, [0; LANES]);
        queries.resize(dimension, [0.0; LANES]);
        weights.resize(items.next_multiple_of(ROWS), [0.0; LANES]);
        drawn.resize(dimension.next_multiple_of(ROWS), [0.0; LANES]);
        let blocks = self.grid * self.grid;
        let keys = self.keys.chunks_exact(self.keys.len() / blocks);
        let values = self.values.chunks_exact(self.values.len() / blocks);
        let within = output.rows.start * self.grid..output.rows.end * self.grid;
        for (block, (keys, values)) in keys.zip(values).enumerate().take(within.end).skip(within.start) {
            let (top, left) = (block / self.grid * rows, block % self.grid * columns);
            for first in (0..self.channels).step_by(LANES) {
                let count = LANES.min(self.channels - first);
                for (y, stored) in stored.chunks_exact_mut(columns).enumerate() {
                    let row = &input[from.at(top + y, left) + first..];
                    for (stored, pixel) in stored.iter_mut().zip(row.chunks(from.pixel)) {
                        *stored = load(&pixel[..count]);
                    }
                }
                directions(stored, self.input, queries);
                multiply(keys, queries, weights);
                let mut total = [0.0; LANES];
                address(&mut weights[..items], &mut total);
                multiply(values, &weights[..items], drawn);
                quantise(drawn, &total, self.output, stored);
                for (y, stored) in stored.chunks_exact(columns).enumerate() {
                    let row = output.at(to.at(top + y, left) + first);
                    for (stored, pixel) in stored.iter().zip(row.chunks_mut(to.pixel)) {
                        store(*stored, &mut pixel[..count]);
                    }
                }
            }
        }
    }
}

/// A matrix of `rows` x `columns`, whose strides are given: `[four rows][column][row]`, the last four filled
/// with zeros.
fn pack(
    matrix: &[f32],
    [rows, columns]: [usize; 2],
    strides: [usize; 2],
) -> impl Iterator<Item = [f32; ROWS]> {
    let at = move |row, column| {
        if row < rows {
            matrix[row * strides[0] + column * strides[1]]
        } else {
            0.0
        }
    };
    (0..rows).step_by(ROWS).flat_map(move |first| {
        (0..columns).map(move |column| std::array::from_fn(|row| at(first + row, column)))
    })
}

/// Up to so many numbers; the lanes behind are 0.
#[inline(always)]
fn load<V: Value>(values: &[V]) -> [i8; LANES] {
    // a length that the compiler knows becomes a single move
    if let Ok(all) = <[V; LANES]>::try_from(values) {
        return all.map(V::stored);
    }
    let mut stored = [0; LANES];
    stored
        .iter_mut()
        .zip(values)
        .for_each(|(stored, value)| *stored = value.stored());
    stored
}

/// Stores as many as there is place for.
#[inline(always)]
fn store<V: Value>(stored: [i8; LANES], values: &mut [V]) {
    if let Ok(all) = <&mut [V; LANES]>::try_from(&mut *values) {
        *all = stored.map(V::of);
    } else {
        values
            .iter_mut()
            .zip(stored)
            .for_each(|(value, stored)| *value = V::of(stored));
    }
}

vectorised! {
    /// The values of what is stored, divided by the length that they have together.
    fn directions(stored: &[[i8; LANES]], quantisation: Quantisation, directions: &mut [Lanes]) {
        let mut squares = [0.0; LANES];
        for (values, stored) in directions.iter_mut().zip(stored) {
            for lane in 0..LANES {
                values[lane] = quantisation.value(stored[lane]);
                squares[lane] = values[lane].mul_add(values[lane], squares[lane]);
            }
        }
        let lengths = squares.map(|square| (square + LENGTH_EPSILON).sqrt());
        for values in directions {
            for (value, length) in values.iter_mut().zip(lengths) {
                *value /= length;
            }
        }
    }

    /// `sums` divided by `total` as they are stored.
    fn quantise(sums: &[Lanes], total: &Lanes, quantisation: Quantisation, stored: &mut [[i8; LANES]]) {
        for (stored, sums) in stored.iter_mut().zip(sums) {
            for lane in 0..LANES {
                stored[lane] = quantisation.store(sums[lane] / total[lane]);
            }
        }
    }

    /// `out[row] = sum over i of matrix[row][i] * columns[i]`, in the order of i, for a packed matrix.
    ///
    /// With the keys it gives cosine / temperature of each item, with the values the weighted sums of the
    /// items.
    fn multiply(matrix: &[[f32; ROWS]], columns: &[Lanes], out: &mut [Lanes]) {
        for (matrix, out) in matrix.chunks_exact(columns.len()).zip(out.as_chunks_mut::<ROWS>().0) {
            let mut sums = [[0.0; LANES]; ROWS];
            let (matrix, last_of_matrix) = matrix.as_chunks::<UNROLLED>();
            let (columns, last) = columns.as_chunks::<UNROLLED>();
            for (factors, columns) in matrix.iter().zip(columns) {
                for at in 0..UNROLLED {
                    add_up(&mut sums, &factors[at], &columns[at]);
                }
            }
            for (factors, column) in last_of_matrix.iter().zip(last) {
                add_up(&mut sums, factors, column);
            }
            *out = sums;
        }
    }

    /// Turns similarities into weights, up to the factor that becomes `total`: the softmax, without those
    /// below 1 / items.
    fn address(weights: &mut [Lanes], total: &mut Lanes) {
        let mut best = [f32::MIN; LANES];
        for similarity in weights.iter() {
            for (best, &s) in best.iter_mut().zip(similarity) {
                *best = larger(*best, s);
            }
        }
        let mut sum = [0.0; LANES];
        for weight in weights.iter_mut() {
            for lane in 0..LANES {
                weight[lane] = exp(weight[lane] - best[lane]);
                sum[lane] += weight[lane];
            }
        }
        let threshold = sum.map(|sum| sum / weights.len() as f32);
        *total = [0.0; LANES];
        for weight in weights {
            for lane in 0..LANES {
                // The best item's weight is exp(0) = 1 and the mean at most that: it stays also where all are
                // equal.
                weight[lane] = if weight[lane] >= threshold[lane] { weight[lane] } else { 0.0 };
                total[lane] += weight[lane];
            }
        }
    }
}

#[inline(always)]
fn add_up(sums: &mut [Lanes; ROWS], factors: &[f32; ROWS], column: &Lanes) {
    for (sums, factor) in sums.iter_mut().zip(factors) {
        for (sum, value) in sums.iter_mut().zip(column) {
            *sum = value.mul_add(*factor, *sum);
        }
    }
}

/// The larger one, by comparison alone (`f32::max` leaves the sign of zeros open).
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// e^x for x <= 0, within 2e-7 of it; exactly 1 at 0.
///
/// 2^n * e^r with |r| <= ln 2 / 2, e^r by its Taylor polynomial of degree 7; ln 2 in two parts after Cody and
/// Waite.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // rounds to an integer as ROUND does, and leaves the exponent of 2 to its power in the low bits
    const ROUND_TO_EXPONENT: f32 = ROUND + 127.0;
    let x = larger(x, -87.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND_TO_EXPONENT);
    let n = shifted - ROUND_TO_EXPONENT;
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x));
    let mut power = 1.0 / 5040.0;
    for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        power = r.mul_add(power, factor);
    }
    power * f32::from_bits(shifted.to_bits() << 23)
}

impl PartitionMemory {
    /// Addresses the bank with `input` and returns what it draws, both height x width x channels.
    ///
    /// # Panics
    /// Where the length does not fit.
    pub fn draw(&self, input: &[i8]) -> Vec<i8> {
        let [height, width, channels] = self.shape();
        assert_eq!(input.len(), height * width * channels, "input length");
        let dense = View {
            base: 0,
            row: width * channels,
            pixel: channels,
        };
        let mut output = vec![0; input.len()];
        PackedMemory::new(self).run(
            (input, dense),
            (Strip::whole(self.grid, &mut output), dense),
            &mut Scratch::default(),
        );
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_and_one_at_zero() {
        assert_eq!(exp(0.0), 1.0);
        for i in 0..87_000 {
            let x = -i as f32 * 1e-3;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 2e-7, "{x}");
        }
        assert!(exp(-1e30) > 0.0);
    }
}
