//! The partition memory bank with channel queries, after Xing and Li (2023), with int8 at both ends.
//!
//! Within, it computes in f32, with additions, multiplications, both fused into one, divisions and square roots only, each in a
//! fixed order, and an exponential of its own: every processor gives the same bytes. Channels are the lanes, so the order
//! does not depend on the width of the processor's vectors.

use super::kernels::Value;
use super::layout::View;
use crate::vectorised::vectorised;

/// Channels that are computed together.
const LANES: usize = 32;
/// Adding and taking away 1.5 * 2^23 rounds a small number to the nearest integer, ties to even, without a call.
const ROUND: f32 = 12_582_912.0;

type Lanes = [f32; LANES];

/// Added to a query's squared length, so that a query of zeros has one.
pub const LENGTH_EPSILON: f32 = 1e-12;

/// The scale and zero point of an int8 tensor: `value = scale * (stored - zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantisation {
    /// Value of a step, positive.
    pub scale: f32,
    /// What stands for 0.
    pub zero_point: i8,
}

impl Quantisation {
    /// The value of a stored number.
    pub fn value(self, stored: i8) -> f32 {
        self.scale * f32::from(i16::from(stored) - i16::from(self.zero_point))
    }

    /// The nearest stored number, ties to even, saturating.
    pub fn store(self, value: f32) -> i8 {
        let zero = f32::from(self.zero_point);
        let steps = (value / self.scale).clamp(-128.0 - zero, 127.0 - zero);
        ((steps + ROUND) - ROUND + zero) as i8
    }
}

/// A memory bank for a feature map of height x width x channels.
///
/// The map is cut into `grid` x `grid` blocks. Each channel of a block is a query, a vector of `dimension` values. It
/// is compared with the block's items by cosine and temperature, the softmax's weights below 1 / items are dropped
/// (never the largest), the rest is normalised, and the weighted sum of the items takes the query's place.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionMemory {
    /// Blocks along each axis.
    pub grid: usize,
    /// Items of a block.
    pub items: usize,
    /// Height and width of a block.
    pub block: [usize; 2],
    /// `[grid * grid][items][dimension]`: the items normalised and divided by the temperature.
    pub keys: Vec<f32>,
    /// `[grid * grid][items][dimension]`: the items.
    pub values: Vec<f32>,
    /// Of the input.
    pub input: Quantisation,
    /// Of the output.
    pub output: Quantisation,
}

/// Memory that the bank works in.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    queries: Vec<Lanes>,
    weights: Vec<Lanes>,
    drawn: Vec<Lanes>,
}

impl PartitionMemory {
    /// Multiply-adds for a picture of so many channels: each channel of a block is compared with all items, which are then
    /// summed up.
    pub(super) fn multiply_adds(&self, channels: usize) -> u64 {
        (2 * channels * self.keys.len()) as u64
    }

    /// Bytes of its items, as keys and as values.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.keys.as_slice()) + size_of_val(self.values.as_slice())
    }

    /// Values of an item.
    pub fn dimension(&self) -> usize {
        self.block[0] * self.block[1]
    }

    /// Height and width of the map.
    pub fn size(&self) -> [usize; 2] {
        self.block.map(|side| side * self.grid)
    }

    /// Addresses the bank with `input` and returns what it draws, both height x width x `channels`.
    ///
    /// # Panics
    /// Where the length does not fit.
    pub fn draw(&self, input: &[i8], channels: usize) -> Vec<i8> {
        let [height, width] = self.size();
        assert_eq!(input.len(), height * width * channels, "input length");
        let dense = View { base: 0, row: width * channels, pixel: channels };
        let mut output = vec![0; input.len()];
        self.run((input, dense), channels, (&mut output, dense), &mut Scratch::default());
        output
    }

    /// The same, between views.
    pub(super) fn run<V: Value>(
        &self,
        input: (&[V], View),
        channels: usize,
        (output, to): (&mut [V], View),
        scratch: &mut Scratch,
    ) {
        let (items, dimension) = (self.items, self.dimension());
        let Scratch { queries, weights, drawn } = scratch;
        for block in 0..self.grid * self.grid {
            let keys = &self.keys[block * items * dimension..][..items * dimension];
            let values = &self.values[block * items * dimension..][..items * dimension];
            for first in (0..channels).step_by(LANES) {
                let count = LANES.min(channels - first);
                self.load(block, input, first, count, queries);
                normalise(queries);
                weights.resize(items, [0.0; LANES]);
                multiply(keys, [dimension, 1], queries, weights);
                let mut total = [0.0; LANES];
                address(weights, &mut total);
                drawn.resize(dimension, [0.0; LANES]);
                multiply(values, [1, dimension], weights, drawn);
                for (place, sum) in drawn.iter().enumerate() {
                    let to = self.place(block, place, to) + first;
                    for (lane, stored) in output[to..to + count].iter_mut().enumerate() {
                        *stored = V::of(self.output.store(sum[lane] / total[lane]));
                    }
                }
            }
        }
    }

    /// Where the pixel of a block's value lies.
    fn place(&self, block: usize, place: usize, view: View) -> usize {
        let y = block / self.grid * self.block[0] + place / self.block[1];
        let x = block % self.grid * self.block[1] + place % self.block[1];
        view.at(y, x)
    }

    /// The queries of channels `first..first + count`; the lanes behind stay 0.
    fn load<V: Value>(
        &self,
        block: usize,
        (input, from): (&[V], View),
        first: usize,
        count: usize,
        queries: &mut Vec<Lanes>,
    ) {
        queries.clear();
        queries.extend((0..self.dimension()).map(|place| {
            let from = self.place(block, place, from) + first;
            let mut lanes = [0.0; LANES];
            for (lane, stored) in lanes.iter_mut().zip(&input[from..from + count]) {
                *lane = self.input.value(stored.stored());
            }
            lanes
        }));
    }
}

vectorised! {
    /// Divides each query by its length.
    fn normalise(queries: &mut [Lanes]) {
        let mut squares = [0.0; LANES];
        for query in queries.iter() {
            for (square, value) in squares.iter_mut().zip(query) {
                *square = value.mul_add(*value, *square);
            }
        }
        let lengths = squares.map(|square| (square + LENGTH_EPSILON).sqrt());
        for query in queries {
            for (value, length) in query.iter_mut().zip(lengths) {
                *value /= length;
            }
        }
    }

    /// `out[row] = sum over i of matrix[row][i] * columns[i]`, in the order of i; `strides` are those of rows and of i.
    ///
    /// With the keys it gives cosine / temperature of each item, with the values the weighted sums of the items.
    fn multiply(matrix: &[f32], strides: [usize; 2], columns: &[Lanes], out: &mut [Lanes]) {
        // two rows at a time: each column is read once for both
        let (pairs, last) = out.as_chunks_mut::<2>();
        let first = 2 * pairs.len() * strides[0];
        for (pair, sums) in pairs.iter_mut().enumerate() {
            add_up(&matrix[2 * pair * strides[0]..], strides, columns, sums);
        }
        for sums in last {
            add_up(&matrix[first..], strides, columns, std::array::from_mut(sums));
        }
    }

    /// Turns similarities into weights, up to the factor that becomes `total`: the softmax, without those below 1 / items.
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
                // The best item's weight is exp(0) = 1 and the mean at most that: it stays also where all are equal.
                weight[lane] = if weight[lane] >= threshold[lane] { weight[lane] } else { 0.0 };
                total[lane] += weight[lane];
            }
        }
    }
}

#[inline(always)]
fn add_up<const ROWS: usize>(matrix: &[f32], strides: [usize; 2], columns: &[Lanes], out: &mut [Lanes; ROWS]) {
    let mut sums = [[0.0; LANES]; ROWS];
    let mut at = 0;
    for column in columns {
        for (row, sums) in sums.iter_mut().enumerate() {
            let factor = matrix[row * strides[0] + at];
            for lane in 0..LANES {
                sums[lane] = column[lane].mul_add(factor, sums[lane]);
            }
        }
        at += strides[1];
    }
    *out = sums;
}

/// The larger one, by comparison alone (`f32::max` leaves the sign of zeros open).
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// e^x for x <= 0, within 2e-7 of it; exactly 1 at 0.
///
/// 2^n * e^r with |r| <= ln 2 / 2, e^r by its Taylor polynomial of degree 7; ln 2 in two parts after Cody and Waite.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = larger(x, -87.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x));
    let mut power = 1.0 / 5040.0;
    for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        power = r.mul_add(power, factor);
    }
    // The low bits of `shifted` are n; moved to the exponent, they make 2^n.
    power * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()))
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

    /// One block of two values, one channel.
    fn bank(items: &[[f32; 2]], temperature: f32) -> PartitionMemory {
        let quantisation = Quantisation { scale: 0.01, zero_point: 0 };
        let keys = items.iter().flat_map(|item| {
            let length = (item[0] * item[0] + item[1] * item[1]).sqrt();
            item.map(|v| v / length / temperature)
        });
        PartitionMemory {
            grid: 1,
            items: items.len(),
            block: [1, 2],
            keys: keys.collect(),
            values: items.concat(),
            input: quantisation,
            output: quantisation,
        }
    }

    #[test]
    fn draws_the_item_of_the_same_direction() {
        // Cosines 1 and 0, at temperature 0.1: e^-10 is far below a half and dropped.
        let bank = bank(&[[0.5, 0.0], [0.0, 0.3]], 0.1);
        assert_eq!(bank.draw(&[100, 0], 1), [50, 0]);
        assert_eq!(bank.draw(&[0, 1], 1), [0, 30]);
    }

    #[test]
    fn equal_items_all_stay() {
        // A query of zeros is equally near to all: each weight is 1 / items, none above it.
        let bank = bank(&[[0.5, 0.0], [0.0, 0.3]], 0.1);
        assert_eq!(bank.draw(&[0, 0], 1), [25, 15]);
    }

    #[test]
    fn weights_below_the_mean_are_dropped() {
        // Cosines 1, 0.6, 0 at temperature 1: softmax 0.4906, 0.3289, 0.1805, mean 0.3333: only the first stays.
        let one = bank(&[[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], 1.0);
        assert_eq!(one.draw(&[100, 0], 1), [100, 0]);
        // Cosines 1, 0.8, 0: 0.4512, 0.3693, 0.1660: two stay, 0.5498 and 0.4502 after normalising.
        let two = bank(&[[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], 1.0);
        assert_eq!(two.draw(&[100, 0], 1), [91, 27]);
    }

    #[test]
    fn channels_are_independent() {
        let bank = bank(&[[0.5, 0.1], [0.2, -0.3], [-0.4, 0.9]], 0.5);
        let channels = 21;
        let input: Vec<i8> = (0..2 * channels).map(|i| ((i * 37) % 251) as u8 as i8).collect();
        let output = bank.draw(&input, channels);
        for c in 0..channels {
            let alone = bank.draw(&[input[c], input[channels + c]], 1);
            assert_eq!(alone, [output[c], output[channels + c]]);
        }
    }

    #[test]
    fn blocks_have_their_own_items() {
        // A grid of 2 x 2 blocks of one value: the only item of each block is drawn whatever the query.
        let quantisation = Quantisation { scale: 1.0, zero_point: -10 };
        let bank = PartitionMemory {
            grid: 2,
            items: 1,
            block: [1, 1],
            keys: vec![1.0; 4],
            values: vec![1.0, 2.0, 3.0, 4.0],
            input: quantisation,
            output: quantisation,
        };
        assert_eq!(bank.draw(&[5, 6, 7, 8], 1), [-9, -8, -7, -6]);
    }
}
