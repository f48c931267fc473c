//! Pictures of another size, in fixed point: a triangle filter as wide as a new pixel, which covers its whole area where the
//! picture becomes smaller and interpolates where it becomes larger.
//!
//! Nothing is allocated as long as the sizes stay. Weights sum up to one exactly, so that a flat picture stays flat.

use crate::picture::Picture;
use crate::vectorised::vectorised;

/// Fractional bits of a weight.
const WEIGHT_BITS: u32 = 14;
/// Fractional bits of a level between the two passes.
const LINE_BITS: u32 = 6;
/// Neighbouring values that are summed together.
const LANES: usize = 32;
/// Values of a pixel that are moved together, whether it has as many or not.
const BESIDE: usize = 4;

/// Stretches pictures from one size to another.
#[derive(Clone, Debug, Default)]
pub struct Resizer {
    columns: Axis,
    rows: Axis,
    /// A row of the old picture's width, which lies where the new one's does; [`BESIDE`] more values.
    line: Vec<i16>,
    /// What [`gather`] does, and the weights of it: see [`Axis::beside`].
    gathered: Vec<i16>,
    beside: Vec<i16>,
    /// The new row's pixels, [`BESIDE`] values each.
    bytes: Vec<u8>,
}

/// From which old pixels each new one along one axis is made.
#[derive(Clone, Debug, Default)]
struct Axis {
    from: usize,
    to: usize,
    /// Old pixels of a new one.
    taps: usize,
    /// The first of them for each new pixel.
    firsts: Vec<usize>,
    /// Their weights, `taps` for each new pixel.
    weights: Vec<i16>,
}

impl Axis {
    /// Returns whether anything is new.
    fn set(&mut self, from: usize, to: usize) -> bool {
        if (self.from, self.to) == (from, to) {
            return false;
        }
        let step = from as f64 / to as f64;
        let reach = step.max(1.0);
        let centre = |place: usize| (place as f64 + 0.5) * step;
        let span = |place: usize| {
            let first = (centre(place) - reach).max(0.0) as usize;
            (first, ((centre(place) + reach).ceil() as usize).min(from))
        };
        let taps = (0..to).map(span).map(|(first, end)| end - first).max().unwrap_or(0);
        *self = Self { from, to, taps, firsts: Vec::with_capacity(to), weights: Vec::with_capacity(to * taps) };
        for place in 0..to {
            let first = span(place).0.min(from - taps);
            let exact = |at: usize| (1.0 - (at as f64 + 0.5 - centre(place)).abs() / reach).max(0.0);
            let whole = f64::from(1 << WEIGHT_BITS) / (first..first + taps).map(exact).sum::<f64>();
            let start = self.weights.len();
            self.weights.extend((first..first + taps).map(|at| (exact(at) * whole).round() as i16));
            let weights = &mut self.weights[start..];
            // the largest takes what rounding left over
            let left = (1 << WEIGHT_BITS) - weights.iter().map(|&w| i32::from(w)).sum::<i32>();
            if let Some(largest) = weights.iter_mut().max_by_key(|weight| **weight) {
                *largest += left as i16;
            }
            self.firsts.push(first);
        }
        true
    }

    /// The weights of all first old pixels, then of all second ones, and so on, [`BESIDE`] times each; with room up to a multiple
    /// of [`LANES`].
    fn beside(&self) -> Vec<i16> {
        let of_tap = |tap: usize| self.weights.iter().skip(tap).step_by(self.taps);
        let mut all = vec![0; self.taps * self.room()];
        for (tap, to) in all.chunks_exact_mut(self.room()).enumerate() {
            to.as_chunks_mut::<BESIDE>().0.iter_mut().zip(of_tap(tap)).for_each(|(to, &weight)| *to = [weight; BESIDE]);
        }
        all
    }

    /// Values of one old pixel of each new one.
    fn room(&self) -> usize {
        (self.to * BESIDE).next_multiple_of(LANES)
    }

    /// Each new pixel's first old pixel and the weights from there on.
    #[inline(always)]
    fn spans(&self) -> impl Iterator<Item = (usize, &[i16])> {
        self.firsts.iter().copied().zip(self.weights.chunks_exact(self.taps))
    }
}

impl Resizer {
    /// Stretches `source` to the size of `out`, which has as many channels and room for them; neither is empty.
    pub fn resize(&mut self, source: &Picture, out: &mut Picture) {
        let channels = source.channels;
        let (row, new_row) = (source.width * channels, out.width * channels);
        self.rows.set(source.height, out.height);
        if self.columns.set(source.width, out.width) {
            self.beside = self.columns.beside();
        }
        self.line.resize(row + BESIDE - channels, 0);
        self.gathered.resize(self.beside.len(), 0);
        self.bytes.resize(self.columns.room(), 0);
        for (y, (first, weights)) in self.rows.spans().enumerate() {
            down(&source.data[first * row..], weights, &mut self.line[..row]);
            gather(&self.line, channels, &self.columns, &mut self.gathered);
            along(&self.gathered, &self.beside, &mut self.bytes);
            spread(&self.bytes.as_chunks().0[..out.width], channels, &mut out.data[y * new_row..]);
        }
    }
}

vectorised! {
    /// The weighted sum of as many rows of `rows` as there are weights.
    fn down(rows: &[u8], weights: &[i16], line: &mut [i16]) {
        let (chunks, rest) = line.as_chunks_mut::<LANES>();
        let whole = chunks.len() * LANES;
        let width = whole + rest.len();
        chunks.iter_mut().enumerate().for_each(|(n, chunk)| sum(rows, width, weights, n * LANES, chunk));
        sum(rows, width, weights, whole, rest);
    }

    /// The weighted sums of what was gathered.
    fn along(gathered: &[i16], weights: &[i16], bytes: &mut [u8]) {
        let room = bytes.len();
        for (n, bytes) in bytes.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let mut sums = [1 << (WEIGHT_BITS + LINE_BITS - 1); LANES];
            for (values, weights) in gathered.chunks_exact(room).zip(weights.chunks_exact(room)) {
                let some = |all: &[i16]| -> [i16; LANES] { std::array::from_fn(|i| all[n * LANES..][..LANES][i]) };
                let (values, weights) = (some(values), some(weights));
                for i in 0..LANES {
                    sums[i] += i32::from(values[i]) * i32::from(weights[i]);
                }
            }
            *bytes = sums.map(|sum| (sum >> (WEIGHT_BITS + LINE_BITS)) as u8);
        }
    }
}

/// All first old pixels of the new ones, then all second ones, and so on.
fn gather(line: &[i16], channels: usize, columns: &Axis, gathered: &mut [i16]) {
    for (tap, to) in gathered.chunks_exact_mut(columns.room()).enumerate() {
        for (to, first) in to.as_chunks_mut::<BESIDE>().0.iter_mut().zip(&columns.firsts) {
            to.copy_from_slice(&line[(first + tap) * channels..][..BESIDE]);
        }
    }
}

/// Puts a row's pixels together, so many values of each. Of the rows behind it, which are still to come, some values are overwritten.
pub(crate) fn spread(pixels: &[[u8; BESIDE]], channels: usize, out: &mut [u8]) {
    for (place, pixel) in pixels.iter().enumerate() {
        match out[place * channels..].first_chunk_mut() {
            Some(out) => *out = *pixel,
            None => out[place * channels..][..channels].copy_from_slice(&pixel[..channels]),
        }
    }
}

/// [`down`] for some values of a line, [`LANES`] at most.
#[inline(always)]
fn sum(rows: &[u8], width: usize, weights: &[i16], from: usize, line: &mut [i16]) {
    let mut sums = [1 << (WEIGHT_BITS - LINE_BITS - 1); LANES];
    for (row, &weight) in rows.chunks_exact(width).zip(weights) {
        let values = &row[from..from + line.len()];
        sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += i32::from(value) * i32::from(weight));
    }
    line.iter_mut().zip(sums).for_each(|(to, sum)| *to = (sum >> (WEIGHT_BITS - LINE_BITS)) as i16);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resized(source: &Picture, width: usize, height: usize) -> Picture {
        let mut out = Picture::filled(width, height, source.channels, 0);
        Resizer::default().resize(source, &mut out);
        out
    }

    /// Pixel by pixel in floating point, as the filter's definition says.
    fn exact(source: &Picture, width: usize, height: usize, [x, y, c]: [usize; 3]) -> f64 {
        let weights = |from: usize, to: usize, place: usize| {
            let step = from as f64 / to as f64;
            let off = move |at: usize| ((at as f64 + 0.5) - (place as f64 + 0.5) * step).abs() / step.max(1.0);
            let weights: Vec<f64> = (0..from).map(|at| (1.0 - off(at)).max(0.0)).collect();
            let whole: f64 = weights.iter().sum();
            weights.into_iter().map(move |w| w / whole)
        };
        let level = |x: usize, y: usize| f64::from(source.data[(y * source.width + x) * source.channels + c]);
        let row = |y: usize| weights(source.width, width, x).enumerate().map(|(x, w)| w * level(x, y)).sum::<f64>();
        weights(source.height, height, y).enumerate().map(|(y, w)| w * row(y)).sum()
    }

    #[test]
    fn half_the_size_by_hand() {
        let source = Picture { width: 4, height: 1, channels: 1, data: vec![0, 80, 160, 240] };
        // weights 3, 3, 1 of 7 at the border: 400 / 7 and 1280 / 7
        assert_eq!(resized(&source, 2, 1).data, [57, 183]);
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            [width, height, to_width, to_height] in proptest::array::uniform4(1usize..70), colour: bool, key: u64,
        ) {
            let channels = if colour { 3 } else { 1 };
            let mut state = key | 1;
            let data = (0..width * height * channels).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            });
            let source = Picture { width, height, channels, data: data.collect() };
            let out = resized(&source, to_width, to_height);
            for (place, &found) in out.data.iter().enumerate().step_by(1 + out.data.len() / 50) {
                let (pixel, c) = (place / channels, place % channels);
                let wanted = exact(&source, to_width, to_height, [pixel % to_width, pixel / to_width, c]);
                prop_assert!((f64::from(found) - wanted).abs() < 0.75, "{found} {wanted}");
            }
        }

        #[test]
        fn flat_stays_flat([width, height, to_width, to_height] in proptest::array::uniform4(1usize..300), level: u8) {
            let source = Picture::filled(width, height, 1, level);
            prop_assert_eq!(resized(&source, to_width, to_height), Picture::filled(to_width, to_height, 1, level));
        }
    }

    #[test]
    fn one_resizer_for_pictures_of_several_sizes() {
        let mut resizer = Resizer::default();
        for (width, height) in [(40, 30), (8, 90), (40, 30), (1, 1)] {
            let data = (0..width * height).map(|i| (i * 7 % 251) as u8).collect();
            let source = Picture { width, height, channels: 1, data };
            let mut out = Picture::filled(16, 16, 1, 0);
            resizer.resize(&source, &mut out);
            assert_eq!(out, resized(&source, 16, 16));
        }
    }
}
