//! The convolution as its definition reads: what all kernels must equal, and what the trainer emulates the
//! device with.

use super::convolution::{Convolution, requantise};

impl Convolution {
    /// Convolves `input` (height x width x inputs, `size` is height and width) to rows x columns x outputs.
    ///
    /// # Panics
    /// Where `input` has another length, or the window does not fit it.
    pub fn run(&self, input: &[i8], size: [usize; 2]) -> Vec<i8> {
        let [rows, columns] = self
            .output_size(size[0], size[1])
            .expect("the window fits into the padded input");
        assert_eq!(input.len(), size[0] * size[1] * self.inputs, "input length");
        let mut output = vec![0; rows * columns * self.outputs];
        let places = (0..rows).flat_map(|y| (0..columns).map(move |x| [y, x]));
        for (pixel, place) in output.chunks_exact_mut(self.outputs).zip(places) {
            self.pixel(input, size, place, pixel);
        }
        output
    }

    /// The outputs of one pixel.
    fn pixel(&self, input: &[i8], size: [usize; 2], [y, x]: [usize; 2], pixel: &mut [i8]) {
        let rows = Overlap::new(y * self.stride, self.padding.top, self.window[0], size[0]);
        let columns = Overlap::new(x * self.stride, self.padding.left, self.window[1], size[1]);
        for (o, value) in pixel.iter_mut().enumerate() {
            let mut accumulator = self.bias[o];
            for row in 0..rows.count {
                let from = (rows.place + row) * size[1] + columns.place;
                let tap = (o * self.window[0] + rows.tap + row) * self.window[1] + columns.tap;
                let length = columns.count * self.inputs;
                let x = &input[from * self.inputs..][..length];
                let weight = &self.weight[tap * self.inputs..][..length];
                accumulator = accumulator.wrapping_add(dot(x, self.input_zero, weight));
            }
            *value = requantise(accumulator, self.multiplier[o], self.output_zero);
        }
    }
}

/// Where a window lies on the picture, along one axis; the padding around it stands for zeros and adds
/// nothing.
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
            Some(count) if count > 0 => Self {
                tap,
                place: start + tap - padding,
                count,
            },
            _ => Self {
                tap: 0,
                place: 0,
                count: 0,
            },
        }
    }
}

fn dot(x: &[i8], zero: i8, weight: &[i8]) -> i32 {
    let zero = i16::from(zero);
    x.iter().zip(weight).fold(0, |sum: i32, (&x, &w)| {
        sum.wrapping_add(i32::from(i16::from(x) - zero) * i32::from(i16::from(w)))
    })
}
