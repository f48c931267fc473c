//! The partition memory bank with channel queries, after Xing and Li (2023), with int8 at both ends.

pub(super) mod packed;

use super::layout::Shape;
use super::quantisation::Quantisation;

/// Added to a query's squared length, so that a query of zeros has one.
pub const LENGTH_EPSILON: f32 = 1e-12;

/// A memory bank for a feature map of height x width x channels.
///
/// The map is cut into `grid` x `grid` blocks. Each channel of a block is a query, a vector of `dimension`
/// values. It is compared with the block's items by cosine and temperature, the softmax's weights below 1 /
/// items are dropped (never the largest), the rest is normalised, and the weighted sum of the items takes the
/// query's place.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionMemory {
    /// Channels of the map.
    pub channels: usize,
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

impl PartitionMemory {
    /// Multiply-adds for a picture: each channel of a block is compared with all items, which are then summed
    /// up.
    pub(super) fn multiply_adds(&self) -> u64 {
        (2 * self.channels * self.keys.len()) as u64
    }

    /// Values of an item.
    pub fn dimension(&self) -> usize {
        self.block[0] * self.block[1]
    }

    /// Height, width and channels of the map.
    pub(super) fn shape(&self) -> Shape {
        let [height, width] = self.block.map(|side| side * self.grid);
        [height, width, self.channels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One block of two values, one channel.
    fn bank(items: &[[f32; 2]], temperature: f32) -> PartitionMemory {
        let quantisation = Quantisation {
            scale: 0.01,
            zero_point: 0,
        };
        let keys = items.iter().flat_map(|item| {
            let length = (item[0] * item[0] + item[1] * item[1]).sqrt();
            item.map(|v| v / length / temperature)
        });
        PartitionMemory {
            channels: 1,
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
        assert_eq!(bank.draw(&[100, 0]), [50, 0]);
        assert_eq!(bank.draw(&[0, 1]), [0, 30]);
    }

    #[test]
    fn equal_items_all_stay() {
        // A query of zeros is equally near to all: each weight is 1 / items, none above it.
        let bank = bank(&[[0.5, 0.0], [0.0, 0.3]], 0.1);
        assert_eq!(bank.draw(&[0, 0]), [25, 15]);
    }

    #[test]
    fn weights_below_the_mean_are_dropped() {
        // Cosines 1, 0.6, 0 at temperature 1: softmax 0.4906, 0.3289, 0.1805, mean 0.3333: only the first
        // stays.
        let one = bank(&[[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], 1.0);
        assert_eq!(one.draw(&[100, 0]), [100, 0]);
        // Cosines 1, 0.8, 0: 0.4512, 0.3693, 0.1660: two stay, 0.5498 and 0.4502 after normalising.
        let two = bank(&[[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], 1.0);
        assert_eq!(two.draw(&[100, 0]), [91, 27]);
    }

    #[test]
    fn channels_are_independent() {
        let bank = bank(&[[0.5, 0.1], [0.2, -0.3], [-0.4, 0.9]], 0.5);
        let channels = 21;
        let input: Vec<i8> = (0..2 * channels).map(|i| ((i * 37) % 251) as u8 as i8).collect();
        let output = PartitionMemory {
            channels,
            ..bank.clone()
        }
        .draw(&input);
        for c in 0..channels {
            let alone = bank.draw(&[input[c], input[channels + c]]);
            assert_eq!(alone, [output[c], output[channels + c]]);
        }
    }

    #[test]
    fn blocks_have_their_own_items() {
        // A grid of 2 x 2 blocks of one value: the only item of each block is drawn whatever the query.
        let quantisation = Quantisation {
            scale: 1.0,
            zero_point: -10,
        };
        let bank = PartitionMemory {
            channels: 1,
            grid: 2,
            items: 1,
            block: [1, 1],
            keys: vec![1.0; 4],
            values: vec![1.0, 2.0, 3.0, 4.0],
            input: quantisation,
            output: quantisation,
        };
        assert_eq!(bank.draw(&[5, 6, 7, 8]), [-9, -8, -7, -6]);
    }
}
