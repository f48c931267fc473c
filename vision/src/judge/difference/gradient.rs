//! Gradient magnitude similarity (Xue et al., 2014) of picture and reconstruction, at three scales: it sees
//! edges and structure, not brightness.
//!
//! Single precision in a fixed order without fused operations, so every processor computes the same.

/// Scales; each halves the one before.
const SCALES: usize = 3;
/// What a scale adds at most, in Q8.8 levels: all of them 255 levels.
const FULL: f32 = (255 * 256 / SCALES) as f32;
/// Stabilises flat places: (1.4 levels per pixel)^2, in the unit of the gradients, 1/24 level per pixel.
const STABLE: f32 = 18_874.0;
/// Grey values count in thirds of a level, so that three channels need no division.
const THIRDS: i16 = 3;

/// Planes to work in, allocated once.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    /// Of picture and reconstruction, with a column on both sides that repeats the border.
    grey: [Vec<i16>; 2],
    /// Gradient magnitudes of a row of each.
    magnitudes: [Vec<f32>; 2],
    row: Vec<u16>,
}

impl Scratch {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let (plane, row) = (vec![0; (width + 2) * height], vec![0.0; width]);
        Self {
            grey: [plane.clone(), plane],
            magnitudes: [row.clone(), row],
            row: vec![0; width],
        }
    }
}

/// Writes the difference in Q8.8 levels, one value a pixel; `width` and height are multiples of 4.
pub(super) fn difference(
    picture: &[u8],
    reconstruction: &[u8],
    channels: usize,
    width: usize,
    out: &mut [u16],
    scratch: &mut Scratch,
) {
    let Scratch {
        grey,
        magnitudes,
        row,
    } = scratch;
    for (plane, bytes) in grey.iter_mut().zip([picture, reconstruction]) {
        match channels {
            1 => fill::<1>(plane, bytes, width, THIRDS),
            _ => fill::<3>(plane, bytes, width, 1),
        }
    }
    out.fill(0);
    let (mut columns, mut rows) = (width, out.len() / width);
    for scale in 0..SCALES {
        for y in 0..rows {
            for (plane, magnitudes) in grey.iter().zip(&mut *magnitudes) {
                magnitudes_of(
                    &plane[..(columns + 2) * rows],
                    columns,
                    y,
                    &mut magnitudes[..columns],
                );
            }
            let [a, b] = &*magnitudes;
            for (different, (a, b)) in row.iter_mut().zip(a.iter().zip(b)).take(columns) {
                *different = ((a - b) * (a - b) / (a * a + b * b + STABLE) * FULL) as u16;
            }
            let lines = &mut out[(y << scale) * width..][..width << scale];
            for line in lines.chunks_exact_mut(width) {
                match scale {
                    0 => add::<1>(line, row),
                    1 => add::<2>(line, row),
                    _ => add::<4>(line, row),
                }
            }
        }
        grey.iter_mut().for_each(|plane| halve(plane, columns, rows));
        (columns, rows) = (columns / 2, rows / 2);
    }
}

/// The sum of the channels, weighted.
fn fill<const C: usize>(plane: &mut [i16], bytes: &[u8], width: usize, weight: i16) {
    for (line, bytes) in plane
        .chunks_exact_mut(width + 2)
        .zip(bytes.chunks_exact(width * C))
    {
        for (grey, pixel) in line[1..].iter_mut().zip(bytes.as_chunks::<C>().0) {
            *grey = pixel.iter().map(|&v| i16::from(v)).sum::<i16>() * weight;
        }
        repeat_border(line);
    }
}

fn repeat_border(line: &mut [i16]) {
    if let [first, second, .., before_last, last] = line {
        (*first, *last) = (*second, *before_last);
    }
}

/// Adds each value to `N` neighbours.
fn add<const N: usize>(line: &mut [u16], values: &[u16]) {
    for (to, value) in line.as_chunks_mut::<N>().0.iter_mut().zip(values) {
        to.iter_mut().for_each(|to| *to += value);
    }
}

/// The Sobel gradient's magnitudes of row `y` in 1/24 level per pixel, as the larger part and three eighths
/// of the smaller one: within 7 % of the Euclidean one, in both pictures alike. The border is repeated.
fn magnitudes_of(plane: &[i16], columns: usize, y: usize, magnitudes: &mut [f32]) {
    let pitch = columns + 2;
    let last = plane.len() / pitch - 1;
    let [above, here, below] =
        [y.saturating_sub(1), y, (y + 1).min(last)].map(|y| &plane[y * pitch..][..pitch]);
    let side = |from: usize| [above, here, below].map(|row| &row[from..][..columns]);
    let ([a0, b0, c0], [a1, _, c1], [a2, b2, c2]) = (side(0), side(1), side(2));
    for (x, magnitude) in magnitudes.iter_mut().enumerate() {
        // at most 4 * 765 each, so three times the smaller one fits
        let down = (c0[x] + 2 * c1[x] + c2[x] - a0[x] - 2 * a1[x] - a2[x]).abs();
        let across = (a2[x] + 2 * b2[x] + c2[x] - a0[x] - 2 * b0[x] - c0[x]).abs();
        *magnitude = f32::from(down.max(across) + down.min(across) * 3 / 8);
    }
}

/// Means of 2 x 2 pixels, rounded, in place.
fn halve(plane: &mut [i16], columns: usize, rows: usize) {
    let (pitch, half) = (columns + 2, columns / 2);
    for y in 0..rows / 2 {
        for x in 0..half {
            let corner = 2 * y * pitch + 1 + 2 * x;
            let sum = plane[corner] + plane[corner + 1] + plane[corner + pitch] + plane[corner + pitch + 1];
            plane[y * (half + 2) + 1 + x] = (sum + 2) / 4;
        }
        repeat_border(&mut plane[y * (half + 2)..][..half + 2]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(picture: &[u8], reconstruction: &[u8], channels: usize, width: usize) -> Vec<u16> {
        let pixels = picture.len() / channels;
        let mut out = vec![0; pixels];
        difference(
            picture,
            reconstruction,
            channels,
            width,
            &mut out,
            &mut Scratch::new(width, pixels / width),
        );
        out
    }

    #[test]
    fn brightness_is_no_difference_an_edge_is() {
        let step = |low, high| {
            (0..256)
                .map(|i| if i % 16 < 8 { low } else { high })
                .collect::<Vec<u8>>()
        };
        assert_eq!(run(&step(40, 140), &step(90, 190), 1, 16), vec![0; 256]);
        let found = run(&step(100, 200), &step(150, 150), 1, 16);
        // gone altogether: full at the edge, on every scale; nothing four fields of the coarsest scale away
        assert!(
            found[8 * 16 + 7] > 250 * 256 && found[8 * 16] < 1000,
            "{} {}",
            found[8 * 16 + 7],
            found[8 * 16]
        );
    }

    #[test]
    fn equals_its_definition() {
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let (a, b): (Vec<u8>, Vec<u8>) = (0..3 * 64).map(|_| (noise(), noise())).unzip();
        let found = run(&a, &b, 3, 8);
        let grey = |v: &[u8]| {
            v.chunks(3)
                .map(|p| p.iter().map(|&v| f64::from(v)).sum::<f64>() / 3.0)
                .collect::<Vec<_>>()
        };
        let (mut planes, mut side) = ([grey(&a), grey(&b)], 8);
        let mut expected = vec![0.0; 64];
        for scale in 0..3 {
            let magnitude = |p: &[f64], x: usize, y: usize| {
                let at = |dx: isize, dy: isize| {
                    let clamp = |v: usize, d: isize| (v as isize + d).clamp(0, side as isize - 1) as usize;
                    p[clamp(y, dy) * side + clamp(x, dx)]
                };
                let sobel = |f: &dyn Fn(isize, isize) -> f64| {
                    (f(-1, 1) + 2.0 * f(0, 1) + f(1, 1) - f(-1, -1) - 2.0 * f(0, -1) - f(1, -1)).abs() / 8.0
                };
                let (down, across) = (sobel(&|i, j| at(i, j)), sobel(&|i, j| at(j, i)));
                down.max(across) + 0.375 * down.min(across)
            };
            for (i, expected) in expected.iter_mut().enumerate() {
                let (x, y) = ((i % 8) >> scale, (i / 8) >> scale);
                let [m, n] = [magnitude(&planes[0], x, y), magnitude(&planes[1], x, y)];
                *expected += (m - n).powi(2) / (m * m + n * n + 32.77) * 255.0 / 3.0;
            }
            let half = side / 2;
            planes = planes.map(|p| {
                (0..half * half)
                    .map(|i| {
                        let c = i / half * 2 * side + i % half * 2;
                        (p[c] + p[c + 1] + p[c + side] + p[c + side + 1]) / 4.0
                    })
                    .collect()
            });
            side = half;
        }
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (f64::from(*found) / 256.0 - expected).abs() < 1.5,
                "{} {expected}",
                f64::from(*found) / 256.0
            );
        }
    }
}
