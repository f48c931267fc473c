//! Kinds of defects, how large and how plain they are, and where they lie.

use std::f32::consts::TAU;

use super::flaw::{Flaw, Form};
use super::product::{BORE, BOSS, HOLE, Product, RIM, hole};
use super::random::{Noise, Rng, mix};

/// What can be wrong with a rendered part.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum DefectKind {
    /// A groove with raised lips, cut by something hard.
    Scratch,
    /// A smooth hollow with a swollen rim, left by a blow.
    Dent,
    /// Dried liquid or heat tint: the colour changes, the height does not.
    Stain,
    /// Material broken off at the rim, the bore or a hole.
    Chip,
    /// A fine jagged gap that starts at an edge.
    Crack,
    /// A stamped character that is weak or not there.
    MissingMark,
    /// A hair, swarf or crumb lying on the part.
    ForeignBody,
}

/// The size and contrast of a kind of defect at strength 0 and at strength 1.
struct Limits {
    kind: DefectKind,
    /// Length (scratch, crack, foreign body) or radius (dent, stain, chip), in 256ths of the picture's side.
    size: [f32; 2],
    /// Mean change of the [`SPOT`](super::contrast::SPOT) most changed pixels, in grey levels of the
    /// noise-free picture at 128 x 128. At strength 1 some shapes cannot reach it; they are then as plain as
    /// they can be.
    contrast: [f32; 2],
}

/// The faintest defect that is drawn and the plainest. A good part's own grain and noise are about 2 grey
/// levels at 128 x 128 (a test measures it), so the faintest are a few times as strong over about
/// [`SPOT`](super::contrast::SPOT) pixels.
const LIMITS: [Limits; 7] = [
    Limits {
        kind: DefectKind::Scratch,
        size: [22.0, 70.0],
        contrast: [30.0, 60.0],
    },
    Limits {
        kind: DefectKind::Dent,
        size: [6.5, 13.0],
        contrast: [28.0, 60.0],
    },
    Limits {
        kind: DefectKind::Stain,
        size: [7.0, 18.0],
        contrast: [21.0, 50.0],
    },
    Limits {
        kind: DefectKind::Chip,
        size: [5.5, 12.0],
        contrast: [30.0, 80.0],
    },
    Limits {
        kind: DefectKind::Crack,
        size: [14.0, 40.0],
        contrast: [32.0, 60.0],
    },
    Limits {
        kind: DefectKind::MissingMark,
        size: [1.0, 1.0],
        contrast: [50.0, 200.0],
    },
    Limits {
        kind: DefectKind::ForeignBody,
        size: [9.0, 30.0],
        contrast: [35.0, 80.0],
    },
];

impl DefectKind {
    /// Every kind.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The name, as folders of a data set have it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    fn limits(self) -> &'static Limits {
        LIMITS
            .iter()
            .find(|l| l.kind == self)
            .expect("a test checks that LIMITS has every kind")
    }

    /// The contrast that a defect of this kind should have, in grey levels at 128 x 128.
    pub(super) fn contrast(self, strength: f32) -> f32 {
        let [faint, plain] = self.limits().contrast;
        // Equal steps of strength are equal factors of contrast, as the eye judges it.
        faint * libm::powf(plain / faint, strength)
    }

    /// Draws a defect of this kind somewhere on the part.
    pub(super) fn draw(self, rng: &mut Rng, product: &Product, strength: f32) -> Flaw {
        let [small, large] = self.limits().size;
        let size = mix(small, large, strength) * rng.within(0.85, 1.2);
        let noise = Noise::new(rng);
        match self {
            Self::Scratch => {
                let middle = anywhere(rng, product);
                let path = wander(rng, middle, size, 0.5, 0.0);
                Flaw::new(
                    path,
                    0.0,
                    noise,
                    Form::Scratch {
                        width: rng.within(0.6, 1.1),
                    },
                )
            }
            Self::Dent => {
                let oval = rng.within(0.7, 1.0);
                Flaw::new(
                    vec![anywhere(rng, product)],
                    size,
                    noise,
                    Form::Dent {
                        turn: direction(rng),
                        oval,
                    },
                )
            }
            Self::Stain => {
                let tint = stain_tint(rng);
                let ring = rng.within(0.0, 0.8);
                Flaw::new(
                    vec![anywhere(rng, product)],
                    size,
                    noise,
                    Form::Stain { tint, ring },
                )
            }
            Self::Chip => {
                let at = on_edge(rng, product);
                Flaw::new(vec![at], size, noise, Form::Chip { tilt: direction(rng) })
            }
            Self::Crack => {
                let path = crack(rng, product, size);
                Flaw::new(
                    path,
                    0.0,
                    noise,
                    Form::Crack {
                        width: rng.within(0.8, 1.2),
                    },
                )
            }
            Self::MissingMark => {
                let mark = product.marks[rng.below(product.marks.len())].clone();
                let at = product.frame(mark.middle);
                Flaw::new(vec![at], mark.reach(), noise, Form::MissingMark { mark })
            }
            Self::ForeignBody => {
                let body = material(rng);
                let width = rng.within(0.9, 1.8) * if size < 14.0 { 1.4 } else { 1.0 };
                let middle = anywhere(rng, product);
                let path = wander(rng, middle, size, 3.0, 0.5);
                Flaw::new(path, 0.0, noise, Form::ForeignBody { width, body })
            }
        }
    }
}

fn direction(rng: &mut Rng) -> [f32; 2] {
    let angle = rng.within(0.0, TAU);
    [libm::cosf(angle), libm::sinf(angle)]
}

/// A place on the metal, each area as likely as another, in frame coordinates.
fn anywhere(rng: &mut Rng, product: &Product) -> [f32; 2] {
    loop {
        let (low, high) = (BORE + 7.0, RIM - 7.0);
        let r = (low * low + (high * high - low * low) * rng.unit()).sqrt();
        let way = direction(rng);
        let own = [r * way[0], r * way[1]];
        if (0..3).all(|i| far(own, hole(i), HOLE + 5.0)) {
            return product.frame(own);
        }
    }
}

fn far(a: [f32; 2], b: [f32; 2], distance: f32) -> bool {
    let (dx, dy) = (a[0] - b[0], a[1] - b[1]);
    dx * dx + dy * dy > distance * distance
}

/// A place on an edge that can break: mostly the rim, sometimes the bore or a hole.
fn on_edge(rng: &mut Rng, product: &Product) -> [f32; 2] {
    let way = direction(rng);
    let (middle, r) = match rng.below(6) {
        0 => ([0.0, 0.0], BORE + 1.5),
        1 => (hole(rng.below(3)), HOLE + 3.0),
        2 => ([0.0, 0.0], BOSS),
        _ => ([0.0, 0.0], RIM - 1.5),
    };
    product.frame([middle[0] + r * way[0], middle[1] + r * way[1]])
}

/// A path of `length` around `middle` that bends by up to `bend` radians over its length, with kinks.
fn wander(rng: &mut Rng, middle: [f32; 2], length: f32, bend: f32, kink: f32) -> Vec<[f32; 2]> {
    const PIECES: usize = 14;
    let step = length / PIECES as f32;
    let mut angle = rng.within(0.0, TAU);
    let bend = rng.within(-bend, bend) / PIECES as f32;
    let mut path = vec![[0.0, 0.0]];
    let mut at = [0.0, 0.0];
    for _ in 0..PIECES {
        angle += bend + rng.within(-kink, kink);
        at = [at[0] + step * libm::cosf(angle), at[1] + step * libm::sinf(angle)];
        path.push(at);
    }
    let [x, y] = path[PIECES / 2];
    path.iter()
        .map(|p| [p[0] - x + middle[0], p[1] - y + middle[1]])
        .collect()
}

/// A jagged path inwards from the rim, or outwards from the bore or a hole.
fn crack(rng: &mut Rng, product: &Product, length: f32) -> Vec<[f32; 2]> {
    let way = direction(rng);
    let (middle, r, sense) = match rng.below(3) {
        0 => ([0.0, 0.0], BORE, 1.0),
        1 => (hole(rng.below(3)), HOLE + 1.0, 1.0),
        _ => ([0.0, 0.0], RIM - 1.0, -1.0),
    };
    let mut at = [middle[0] + r * way[0], middle[1] + r * way[1]];
    let mut path = vec![product.frame(at)];
    let mut gone = 0.0;
    while gone < length {
        let step = rng.within(1.5, 4.0);
        let swerve = rng.within(-0.9, 0.9);
        let (c, s) = (libm::cosf(swerve), libm::sinf(swerve));
        at[0] += sense * step * (c * way[0] - s * way[1]);
        at[1] += sense * step * (s * way[0] + c * way[1]);
        path.push(product.frame(at));
        gone += step;
    }
    path
}

/// What a stain leaves of red, green and blue: oil, rust, heat tint, soot or a pale dried residue.
fn stain_tint(rng: &mut Rng) -> [f32; 3] {
    let [r, g, b] = [
        [0.52, 0.42, 0.29],
        [0.54, 0.40, 0.28],
        [0.42, 0.44, 0.56],
        [0.30, 0.30, 0.31],
        [0.44, 0.46, 0.41],
    ][rng.below(5)];
    let shift = rng.within(0.8, 1.25);
    [r * shift, g * rng.within(0.9, 1.1) * shift, b * shift]
}

/// Reflectance and metal share of something lying about: hair, rubber, plastic or swarf.
fn material(rng: &mut Rng) -> ([f32; 3], f32) {
    let tone = rng.within(0.7, 1.4);
    let (colour, metal) = match rng.below(4) {
        0 => ([0.02, 0.015, 0.012], 0.0),
        1 => ([0.015, 0.016, 0.018], 0.0),
        2 => (
            [
                rng.within(0.02, 0.3),
                rng.within(0.02, 0.2),
                rng.within(0.02, 0.3),
            ],
            0.0,
        ),
        _ => ([0.30, 0.27, 0.22], 0.6),
    };
    (colour.map(|c| c * tone), metal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_name_and_limits() {
        // folders of data sets have them
        let names = "scratch dent stain chip crack missing_mark foreign_body";
        assert!(
            DefectKind::ALL
                .iter()
                .map(|kind| kind.name())
                .eq(names.split(' '))
        );
        for &kind in DefectKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            let limits = kind.limits();
            assert!(
                limits.size[0] <= limits.size[1] && limits.contrast[0] < limits.contrast[1],
                "{kind:?}"
            );
            assert!((kind.contrast(0.0) - limits.contrast[0]).abs() < 1e-3);
            assert!((kind.contrast(1.0) - limits.contrast[1]).abs() < 1e-3);
        }
        assert!("good".parse::<DefectKind>().is_err());
    }

    #[test]
    fn places_are_on_metal() {
        let product = Product::new(&mut Rng::new(1, 0, 0));
        let mut rng = Rng::new(2, 0, 0);
        for _ in 0..500 {
            let [x, y] = anywhere(&mut rng, &product);
            let [u, v] = product.own(x, y);
            let r = (u * u + v * v).sqrt();
            assert!(r > BORE && r < RIM, "{r}");
            assert!((0..3).all(|i| far([u, v], hole(i), HOLE)));
        }
    }
}
