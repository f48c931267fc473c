//! The reference: the convolution as its definition reads. It runs where no other kernel fits, and is what the
//! trainer emulates the device with.

use super::convolution::{Convolution, requantise};

/// Writes the convolution of `input` (`height` x `width` x inputs) to `output` (rows x columns x outputs).
pub(super) fn convolve(conv: &Convolution, input: &[i8], size: [usize; 2], output_size: [usize; 2], output: &mut [i8]) {
    let places = (0..output_size[0]).flat_map(|y| (0..output_size[1]).map(move |x| [y, x]));
    for (pixel, [y, x]) in output.chunks_exact_mut(conv.outputs).zip(places) {
        let rows = Overlap::new(y * conv.stride, conv.padding.top, conv.window[0], size[0]);
        let columns = Overlap::new(x * conv.stride, conv.padding.left, conv.window[1], size[1]);
        for (o, value) in pixel.iter_mut().enumerate() {
            let mut accumulator = conv.bias[o];
            for row in 0..rows.count {
                let from = (rows.place + row) * size[1] + columns.place;
                let tap = (o * conv.window[0] + rows.tap + row) * conv.window[1] + columns.tap;
                let length = columns.count * conv.inputs;
                let x = &input[from * conv.inputs..][..length];
                let weight = &conv.weight[tap * conv.inputs..][..length];
                accumulator = accumulator.wrapping_add(dot(x, conv.input_zero, weight));
            }
            *value = requantise(accumulator, conv.multiplier[o], conv.output_zero);
        }
    }
}

/// Where a window lies on the picture, along one axis; the padding around it stands for zeros and adds nothing.
struct Overlap {
    /// First tap on the picture.
    tap: usize,
    /// Where that is in the picture.
    place: usize,
    /// Taps on the picture.
    count: usize,
}

impl Overlap {
    /// `start` counts from the padding's edge.
    fn new(start: usize, padding: usize, window: usize, size: usize) -> Self {
        let tap = padding.saturating_sub(start);
        let end = (size + padding).saturating_sub(start).min(window);
        match end.checked_sub(tap) {
            Some(count) if count > 0 => Self { tap, place: start + tap - padding, count },
            _ => Self { tap: 0, place: 0, count: 0 },
        }
    }
}

fn dot(x: &[i8], zero: i8, weight: &[i8]) -> i32 {
    let zero = i16::from(zero);
    x.iter()
        .zip(weight)
        .fold(0, |sum: i32, (&x, &w)| sum.wrapping_add(i32::from(i16::from(x) - zero) * i32::from(i16::from(w))))
}
