//! Pictures of another size, in fixed point: a triangle filter as wide as a new pixel, which covers its whole
//! area where the picture becomes smaller and interpolates where it becomes larger.
//!
//! Nothing is allocated as long as the sizes stay. Weights sum up to one exactly, so that a flat picture
//! stays flat.

use crate::picture::Picture;
use crate::processor::vectorised;

/// Fractional bits of a weight.
const WEIGHT_BITS: u32 = 14;
/// Fractional bits of a level between the two passes.
const LINE_BITS: u32 = 6;
/// Values that are summed together: so many that they are seen as one vector, whatever the number of weights.
const LANES: usize = 64;
/// New pixels of a row that are made together: what they are made from fits the innermost cache.
const TOGETHER: usize = 32;

/// Stretches pictures from one size to another.
#[derive(Clone, Debug, Default)]
pub struct Resizer {
    columns: Axis,
    rows: Axis,
    /// Rows of the old picture's width, which lie where new ones do.
    lines: Vec<i16>,
    /// Some of their pixels, those of all rows beside each other.
    beside: Vec<i16>,
    /// The new rows' pixels, those of all rows beside each other.
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
    fn set(&mut self, from: usize, to: usize) {
        if (self.from, self.to) == (from, to) {
            return;
        }
        let step = from as f64 / to as f64;
        let reach = step.max(1.0);
        let centre = |place: usize| (place as f64 + 0.5) * step;
        let span = |place: usize| {
            let first = (centre(place) - reach).max(0.0) as usize;
            (first, ((centre(place) + reach).ceil() as usize).min(from))
        };
        let taps = (0..to)
            .map(span)
            .map(|(first, end)| end - first)
            .max()
            .unwrap_or(0);
        *self = Self {
            from,
            to,
            taps,
            firsts: Vec::with_capacity(to),
            weights: Vec::with_capacity(to * taps),
        };
        for place in 0..to {
            let first = span(place).0.min(from - taps);
            let exact = |at: usize| (1.0 - (at as f64 + 0.5 - centre(place)).abs() / reach).max(0.0);
            let whole = f64::from(1 << WEIGHT_BITS) / (first..first + taps).map(exact).sum::<f64>();
            let start = self.weights.len();
            self.weights
                .extend((first..first + taps).map(|at| (exact(at) * whole).round() as i16));
            let weights = &mut self.weights[start..];
            // the largest takes what rounding left over
            let left = (1 << WEIGHT_BITS) - weights.iter().map(|&w| i32::from(w)).sum::<i32>();
            if let Some(largest) = weights.iter_mut().max_by_key(|weight| **weight) {
                *largest += left as i16;
            }
            self.firsts.push(first);
        }
    }

    /// Each new pixel's first old pixel and the weights from there on.
    #[inline(always)]
    fn spans(&self) -> impl Iterator<Item = (usize, &[i16])> {
        self.firsts
            .iter()
            .copied()
            .zip(self.weights.chunks_exact(self.taps))
    }
}

impl Resizer {
    /// Stretches `source` to the size of `out`, which has as many channels (1 or 3) and room for them;
    /// neither is empty.
    pub fn resize(&mut self, source: &Picture, out: &mut Picture) {
        self.columns.set(source.width, out.width);
        self.rows.set(source.height, out.height);
        // three values are moved fastest as four
        if source.channels == 1 {
            self.stretch::<1, 1>(source, out)
        } else {
            self.stretch::<3, 4>(source, out)
        }
    }

    /// `WIDE` values are moved for the `CHANNELS` of a pixel.
    fn stretch<const CHANNELS: usize, const WIDE: usize>(&mut self, source: &Picture, out: &mut Picture) {
        let (row, new_row) = (source.width * CHANNELS, out.width * CHANNELS);
        let (room, together) = (row + WIDE - CHANNELS, LANES / WIDE);
        self.lines.resize(together * room, 0);
        self.beside.resize(source.width * LANES, 0);
        self.bytes.resize(out.width * LANES, 0);
        let mut spans = self.rows.spans();
        for y in (0..out.height).step_by(together) {
            let lines = self.lines.chunks_exact_mut(room).zip(&mut spans);
            lines.for_each(|(line, (first, weights))| {
                down(&source.data[first * row..], weights, &mut line[..row])
            });
            along::<CHANNELS, WIDE>(&self.lines, &self.columns, &mut self.beside, &mut self.bytes);
            let pixels = self.bytes.as_chunks::<LANES>().0;
            for (line, y) in (y..out.height.min(y + together)).enumerate() {
                let of_line = pixels.iter().flat_map(|all| all.as_chunks().0.get(line));
                spread::<WIDE>(of_line, CHANNELS, &mut out.data[y * new_row..]);
            }
        }
    }
}

vectorised! {
    /// The weighted sum of as many rows of `rows` as there are weights.
    fn down(rows: &[u8], weights: &[i16], line: &mut [i16]) {
        let (chunks, rest) = line.as_chunks_mut::<LANES>();
        let whole = chunks.len() * LANES;
        let width = whole + rest.len();
        for (n, chunk) in chunks.iter_mut().enumerate() {
            sum(rows, width, weights, n * LANES, chunk);
        }
        sum(rows, width, weights, whole, rest);
    }

    /// The weighted sums along several lines.
    fn along<const CHANNELS: usize, const WIDE: usize>(
        lines: &[i16],
        columns: &Axis,
        beside: &mut [i16],
        bytes: &mut [u8],
    ) {
        let room = lines.len() / (LANES / WIDE);
        let beside = beside.as_chunks_mut::<LANES>().0;
        let new = columns.firsts.chunks(TOGETHER).zip(columns.weights.chunks(TOGETHER * columns.taps));
        for ((firsts, weights), bytes) in new.zip(bytes.as_chunks_mut::<LANES>().0.chunks_mut(TOGETHER)) {
            let from = firsts[0];
            let beside = &mut beside[..firsts[firsts.len() - 1] + columns.taps - from];
            for (n, line) in lines.chunks_exact(room).enumerate() {
                put_beside::<CHANNELS, WIDE>(&line[from * CHANNELS..], n * WIDE, beside);
            }
            let weights = weights.chunks_exact(columns.taps);
            for ((first, weights), bytes) in firsts.iter().zip(weights).zip(bytes) {
                let mut sums = [1 << (WEIGHT_BITS + LINE_BITS - 1); LANES];
                for (pixel, &weight) in beside[first - from..].iter().zip(weights) {
                    let weight = i32::from(weight);
                    sums.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += i32::from(value) * weight);
                }
                *bytes = sums.map(|sum| (sum >> (WEIGHT_BITS + LINE_BITS)) as u8);
            }
        }
    }
}

/// Puts a line's pixels, `WIDE` values of each, to the values from `at` on of pixels of several lines.
#[inline(always)]
fn put_beside<const CHANNELS: usize, const WIDE: usize>(
    line: &[i16],
    at: usize,
    beside: &mut [[i16; LANES]],
) {
    for (to, pixel) in beside.iter_mut().zip(line.windows(WIDE).step_by(CHANNELS)) {
        to[at..][..WIDE].copy_from_slice(pixel);
    }
}

/// Puts a row's pixels together, so many values of each. Of the rows behind it, which are still to come, some
/// values are overwritten.
#[inline(always)]
pub(crate) fn spread<'a, const WIDE: usize>(
    pixels: impl Iterator<Item = &'a [u8; WIDE]>,
    channels: usize,
    out: &mut [u8],
) {
    for (place, pixel) in pixels.enumerate() {
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
        sums.iter_mut()
            .zip(values)
            .for_each(|(sum, &value)| *sum += i32::from(value) * i32::from(weight));
    }
    line.iter_mut()
        .zip(sums)
        .for_each(|(to, sum)| *to = (sum >> (WEIGHT_BITS - LINE_BITS)) as i16);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resized(source: &Picture, width: usize, height: usize) -> Picture {
        let mut out = Picture::filled(width, height, source.channels, 0);
        Resizer::default().resize(source, &mut out);
        out
    }

    /// Pixel by pixel in floating point, as the filter's definition says.
    fn exact(source: &Picture, width: usize, height: usize, [x, y, c]: [usize; 3]) -> f64 {
        let weights = |from: usize, to: usize, place: usize| {
            let step = from as f64 / to as f64;
            let off =
                move |at: usize| ((at as f64 + 0.5) - (place as f64 + 0.5) * step).abs() / step.max(1.0);
            let weights: Vec<f64> = (0..from).map(|at| (1.0 - off(at)).max(0.0)).collect();
            let whole: f64 = weights.iter().sum();
            weights.into_iter().map(move |w| w / whole)
        };
        let level = |x: usize, y: usize| f64::from(source.data[(y * source.width + x) * source.channels + c]);
        let row = |y: usize| {
            weights(source.width, width, x)
                .enumerate()
                .map(|(x, w)| w * level(x, y))
                .sum::<f64>()
        };
        weights(source.height, height, y)
            .enumerate()
            .map(|(y, w)| w * row(y))
            .sum()
    }

    #[test]
    fn half_the_size_by_hand() {
        let source = Picture {
            width: 4,
            height: 1,
            channels: 1,
            data: vec![0, 80, 160, 240],
        };
        // weights 3, 3, 1 of 7 at the border: 400 / 7 and 1280 / 7
        assert_eq!(resized(&source, 2, 1).data, [57, 183]);
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            [width, height, to_width, to_height] in proptest::array::uniform4(1usize..70),
            colour: bool,
            key: u64,
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
        fn flat_stays_flat(
            [width, height, to_width, to_height] in proptest::array::uniform4(1usize..300),
            level: u8,
        ) {
            let source = Picture::filled(width, height, 1, level);
            let flat = Picture::filled(to_width, to_height, 1, level);
            prop_assert_eq!(resized(&source, to_width, to_height), flat);
        }
    }

    #[test]
    fn one_resizer_for_pictures_of_several_sizes() {
        let mut resizer = Resizer::default();
        for (width, height) in [(40, 30), (8, 90), (40, 30), (1, 1)] {
            let data = (0..width * height).map(|i| (i * 7 % 251) as u8).collect();
            let source = Picture {
                width,
                height,
                channels: 1,
                data,
            };
            let mut out = Picture::filled(16, 16, 1, 0);
            resizer.resize(&source, &mut out);
            assert_eq!(out, resized(&source, 16, 16));
        }
    }
}
