//! Gradient magnitude similarity (Xue et al., 2014) of picture and reconstruction, at three scales: it sees edges and
//! structure, not brightness.
//!
//! Single precision in a fixed order without fused operations, so every processor computes the same.

/// Scales; each halves the one before.
const SCALES: usize = 3;
/// What a scale adds at most, in Q8.8 levels: all of them 255 levels.
const FULL: f32 = (255 * 256 / SCALES) as f32;
/// Stabilises flat places: (1.4 levels per pixel)^2, in the unit of the gradients, 1/24 level per pixel.
const STABLE: f32 = 18_874.0;
/// Grey values count in thirds of a level, so that three channels need no division.
const THIRDS: u16 = 3;

/// Writes the difference in Q8.8 levels, one value a pixel; `width` and height are multiples of 4. `grey` holds two planes
/// to work in.
pub(super) fn difference(
    picture: &[u8],
    reconstruction: &[u8],
    channels: usize,
    width: usize,
    out: &mut [u16],
    grey: &mut [Vec<u16>; 2],
) {
    for (plane, bytes) in grey.iter_mut().zip([picture, reconstruction]) {
        let weight = if channels == 1 { THIRDS } else { 1 };
        for (grey, pixel) in plane.iter_mut().zip(bytes.chunks_exact(channels)) {
            *grey = pixel.iter().map(|&v| u16::from(v)).sum::<u16>() * weight;
        }
    }
    out.fill(0);
    let (mut columns, mut rows) = (width, out.len() / width);
    for scale in 0..SCALES {
        let [a, b] = &*grey;
        for y in 0..rows {
            let [a, b] = [a, b].map(|plane| Around::new(&plane[..columns * rows], columns, y));
            for x in 0..columns {
                let (a, b) = (a.magnitude(x), b.magnitude(x));
                let different = (a - b) * (a - b) / (a * a + b * b + STABLE) * FULL;
                let side = 1 << scale;
                for row in out[(y * side) * width..].chunks_mut(width).take(side) {
                    row[x * side..(x + 1) * side].iter_mut().for_each(|v| *v += different as u16);
                }
            }
        }
        grey.iter_mut().for_each(|plane| halve(plane, columns, rows));
        (columns, rows) = (columns / 2, rows / 2);
    }
}

/// A row and its neighbours; the border is repeated.
struct Around<'a> {
    rows: [&'a [u16]; 3],
}

impl<'a> Around<'a> {
    fn new(plane: &'a [u16], columns: usize, y: usize) -> Self {
        let last = plane.len() / columns - 1;
        Self { rows: [y.saturating_sub(1), y, (y + 1).min(last)].map(|row| &plane[row * columns..][..columns]) }
    }

    /// The Sobel gradient's magnitude in 1/24 level per pixel, as the larger part and three eighths of the smaller one:
    /// within 7 % of the Euclidean one, in both pictures alike.
    fn magnitude(&self, x: usize) -> f32 {
        let [above, here, below] = self.rows;
        let (left, right) = (x.saturating_sub(1), (x + 1).min(here.len() - 1));
        let at = |row: &[u16], x: usize| i32::from(row[x]);
        let down = at(below, left) + 2 * at(below, x) + at(below, right)
            - at(above, left)
            - 2 * at(above, x)
            - at(above, right);
        let across = at(above, right) + 2 * at(here, right) + at(below, right)
            - at(above, left)
            - 2 * at(here, left)
            - at(below, left);
        let (down, across) = (down.abs(), across.abs());
        (down.max(across) + down.min(across) * 3 / 8) as f32
    }
}

/// Means of 2 x 2 pixels, rounded, in place.
fn halve(plane: &mut [u16], columns: usize, rows: usize) {
    let half = columns / 2;
    for y in 0..rows / 2 {
        for x in 0..half {
            let corner = 2 * y * columns + 2 * x;
            let sum = plane[corner] + plane[corner + 1] + plane[corner + columns] + plane[corner + columns + 1];
            plane[y * half + x] = (sum + 2) / 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(picture: &[u8], reconstruction: &[u8], channels: usize, width: usize) -> Vec<u16> {
        let pixels = picture.len() / channels;
        let mut out = vec![0; pixels];
        difference(picture, reconstruction, channels, width, &mut out, &mut [vec![0; pixels], vec![0; pixels]]);
        out
    }

    #[test]
    fn brightness_is_no_difference_an_edge_is() {
        let step = |low, high| (0..256).map(|i| if i % 16 < 8 { low } else { high }).collect::<Vec<u8>>();
        assert_eq!(run(&step(40, 140), &step(90, 190), 1, 16), vec![0; 256]);
        let found = run(&step(100, 200), &step(150, 150), 1, 16);
        // gone altogether: full at the edge, on every scale; nothing four fields of the coarsest scale away
        assert!(found[8 * 16 + 7] > 250 * 256 && found[8 * 16] < 1000, "{} {}", found[8 * 16 + 7], found[8 * 16]);
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
        let grey =
            |v: &[u8]| v.chunks(3).map(|p| p.iter().map(|&v| f64::from(v)).sum::<f64>() / 3.0).collect::<Vec<_>>();
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
            assert!((f64::from(*found) / 256.0 - expected).abs() < 1.5, "{} {expected}", f64::from(*found) / 256.0);
        }
    }
}
