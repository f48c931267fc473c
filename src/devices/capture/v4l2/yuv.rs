//! Y, Cb, Cr to red, green, blue: fixed-point, 16 bits behind the point, rounded to nearest.

/// Which luma weights the camera used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601: nearly all cameras.
    Bt601,
    /// ITU-R BT.709.
    Bt709,
}

/// Which part of a byte's range the camera uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// 0 to 255.
    Full,
    /// Y from 16 to 235, Cb and Cr from 16 to 240.
    Limited,
}

/// What the values in a buffer mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    /// Luma weights.
    pub matrix: Matrix,
    /// Range of values.
    pub range: Range,
}

/// Factors in 1/65536: of Y, of Cr in red, of Cb and Cr in green, of Cb in blue; and Y's zero.
struct Factors {
    zero: i32,
    y: i32,
    red: i32,
    green: (i32, i32),
    blue: i32,
}

const HALF: i32 = 1 << 15;

fn clamp(v: i32) -> u8 {
    (v >> 16).clamp(0, 255) as u8
}

impl Factors {
    #[inline]
    fn rgb(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        let y = (i32::from(y) - self.zero) * self.y + HALF;
        [
            clamp(y + self.red * cr),
            clamp(y - self.green.0 * cb - self.green.1 * cr),
            clamp(y + self.blue * cb),
        ]
    }
}

impl Coding {
    const fn factors(self) -> Factors {
        match (self.matrix, self.range) {
            (Matrix::Bt601, Range::Full) => Factors {
                zero: 0,
                y: 65_536,
                red: 91_881,
                green: (22_554, 46_802),
                blue: 116_130,
            },
            (Matrix::Bt601, Range::Limited) => Factors {
                zero: 16,
                y: 76_309,
                red: 104_597,
                green: (25_675, 53_279),
                blue: 132_201,
            },
            (Matrix::Bt709, Range::Full) => Factors {
                zero: 0,
                y: 65_536,
                red: 103_206,
                green: (12_276, 30_679),
                blue: 121_609,
            },
            (Matrix::Bt709, Range::Limited) => Factors {
                zero: 16,
                y: 76_309,
                red: 117_489,
                green: (13_975, 34_925),
                blue: 138_438,
            },
        }
    }

    /// One pixel.
    pub fn rgb(self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        self.factors().rgb(y, cb, cr)
    }

    /// Y alone, as grey from 0 to 255.
    pub(super) fn luma(self, y: impl Iterator<Item = u8>, out: &mut [u8]) {
        let f = self.factors();
        y.zip(out)
            .for_each(|(y, out)| *out = clamp((i32::from(y) - f.zero) * f.y + HALF));
    }

    /// A row of YUYV to RGB. A last single pixel has its pair's colour.
    pub(super) fn yuyv(self, row: &[u8], out: &mut [u8]) {
        let f = self.factors();
        for (pair, out) in row.chunks_exact(4).zip(out.chunks_mut(6)) {
            let rgb = [pair[0], pair[2]].map(|y| f.rgb(y, pair[1], pair[3]));
            let rgb = rgb.as_flattened();
            out.copy_from_slice(&rgb[..out.len()]);
        }
    }

    /// A row of NV12's Y and its row of Cb and Cr to RGB.
    pub(super) fn nv12(self, luma: &[u8], chroma: &[u8], out: &mut [u8]) {
        let f = self.factors();
        let pairs = luma.chunks(2).zip(chroma.chunks_exact(2)).zip(out.chunks_mut(6));
        for ((luma, chroma), out) in pairs {
            for (&y, out) in luma.iter().zip(out.chunks_exact_mut(3)) {
                out.copy_from_slice(&f.rgb(y, chroma[0], chroma[1]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CODINGS: [(Matrix, Range, f64, f64); 4] = [
        (Matrix::Bt601, Range::Full, 0.299, 0.114),
        (Matrix::Bt601, Range::Limited, 0.299, 0.114),
        (Matrix::Bt709, Range::Full, 0.2126, 0.0722),
        (Matrix::Bt709, Range::Limited, 0.2126, 0.0722),
    ];

    /// As the standards have it, in real numbers from the luma weights alone.
    fn reference(range: Range, kr: f64, kb: f64, [y, cb, cr]: [u8; 3]) -> [f64; 3] {
        let (y, scale) = match range {
            Range::Full => (f64::from(y), 255.0),
            Range::Limited => ((f64::from(y) - 16.0) * 255.0 / 219.0, 224.0),
        };
        let (cb, cr) = (
            (f64::from(cb) - 128.0) * 255.0 / scale,
            (f64::from(cr) - 128.0) * 255.0 / scale,
        );
        let (r, b) = (y + 2.0 * (1.0 - kr) * cr, y + 2.0 * (1.0 - kb) * cb);
        [r, (y - kr * r - kb * b) / (1.0 - kr - kb), b].map(|v| v.clamp(0.0, 255.0))
    }

    #[test]
    fn colours_calculated_by_hand() {
        let full = Coding {
            matrix: Matrix::Bt601,
            range: Range::Full,
        };
        let limited = Coding {
            matrix: Matrix::Bt601,
            range: Range::Limited,
        };
        // 100 + 1.402 * 22 = 130.84; 100 + 0.344136 * 28 - 0.714136 * 22 = 93.92; 100 - 1.772 * 28 = 50.38
        assert_eq!(full.rgb(100, 100, 150), [131, 94, 50]);
        assert_eq!(full.rgb(76, 85, 255), [254, 0, 0]);
        assert_eq!(
            (full.rgb(0, 128, 128), full.rgb(255, 128, 128)),
            ([0; 3], [255; 3])
        );
        // 1.164383 * 84 = 97.81; + 1.596027 * 22 = 132.92; + 0.391762 * 28 - 0.812968 * 22 = 90.89; -
        // 2.017232 * 28 = 41.33
        assert_eq!(limited.rgb(100, 100, 150), [133, 91, 41]);
        assert_eq!(
            (limited.rgb(16, 128, 128), limited.rgb(235, 128, 128)),
            ([0; 3], [255; 3])
        );
        assert_eq!(
            (limited.rgb(0, 128, 128), limited.rgb(255, 128, 128)),
            ([0; 3], [255; 3])
        );
        // the bars of a test card: white, red, blue at 100 %, as BT.601 codes them
        assert_eq!(limited.rgb(81, 90, 240), [254, 0, 0]);
        assert_eq!(limited.rgb(41, 240, 110), [0, 0, 255]);
    }

    proptest! {
        #[test]
        fn every_colour_is_within_rounding_of_the_standard(yuv: [u8; 3]) {
            for (matrix, range, kr, kb) in CODINGS {
                let rgb = Coding { matrix, range }.rgb(yuv[0], yuv[1], yuv[2]);
                let exact = reference(range, kr, kb, yuv);
                for (got, exact) in rgb.iter().zip(exact) {
                    prop_assert!((f64::from(*got) - exact).abs() < 0.51, "{matrix:?} {range:?} {yuv:?}: \
                        {rgb:?}, {exact}");
                }
            }
        }
    }
}
