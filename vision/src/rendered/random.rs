//! Random numbers and noise that are the same on every processor: integer hashes and plain IEEE arithmetic
//! only.

use crate::splitmix::{SplitMix64, mix as scramble};

/// A stream of [`SplitMix64`].
#[derive(Clone, Debug)]
pub(super) struct Rng(SplitMix64);

impl Rng {
    /// The stream `purpose` of part `index` of `seed`: streams do not influence each other, so a part with a
    /// defect is the same part as without it.
    pub(super) fn new(seed: u64, index: u64, purpose: u64) -> Self {
        Self(SplitMix64(scramble(
            scramble(scramble(seed).wrapping_add(index)).wrapping_add(purpose),
        )))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0.bits()
    }

    /// Uniform in 0 .. 1.
    pub(super) fn unit(&mut self) -> f32 {
        self.0.unit()
    }

    pub(super) fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in 0 .. `n`; `n` is at least 1.
    pub(super) fn below(&mut self, n: usize) -> usize {
        (((self.next() >> 32) * n as u64) >> 32) as usize
    }

    /// Near enough to the normal distribution for sensor noise: the sum of four 16-bit uniforms, mean 0,
    /// deviation 1.
    pub(super) fn normal(&mut self) -> f32 {
        let z = self.next();
        let sum = (z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48);
        (sum as f32 - 131_070.0) * (1.732_050_8 / 65_536.0)
    }
}

/// Lattice points along a side of a [`Noise`], after which it repeats.
pub(super) const LATTICE: usize = 128;

/// Smooth two-dimensional value noise, -1 .. 1, with one lattice point per unit, repeating after [`LATTICE`]
/// units.
#[derive(Clone, Debug)]
pub(super) struct Noise(Vec<f32>);

impl Noise {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let quarter =
            |z: u64| [z, z >> 16, z >> 32, z >> 48].map(|v| (v & 0xffff) as f32 * (2.0 / 65_535.0) - 1.0);
        Self(
            (0..LATTICE * LATTICE / 4)
                .flat_map(|_| quarter(rng.next()))
                .collect(),
        )
    }

    pub(super) fn at(&self, x: f32, y: f32) -> f32 {
        let (x0, y0) = (floor(x), floor(y));
        let (u, v) = (ease(x - x0 as f32), ease(y - y0 as f32));
        let column = |x: i32| x as usize % LATTICE;
        let line = |y: i32| &self.0[y as usize % LATTICE * LATTICE..][..LATTICE];
        let (above, below) = (line(y0), line(y0.wrapping_add(1)));
        let (left, right) = (column(x0), column(x0.wrapping_add(1)));
        mix(
            mix(above[left], above[right], u),
            mix(below[left], below[right], u),
            v,
        )
    }

    /// Three octaves of [`Noise::at`], about -1 .. 1.
    pub(super) fn rough(&self, x: f32, y: f32) -> f32 {
        0.57 * self.at(x, y)
            + 0.29 * self.at(2.0 * x + 17.3, 2.0 * y)
            + 0.14 * self.at(4.0 * x, 4.0 * y + 31.7)
    }
}

/// `a` at 0, `b` at 1.
#[inline(always)]
pub(super) fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// The integer part: `f32::floor` is a call where the processor's baseline lacks the instruction.
fn floor(x: f32) -> i32 {
    let i = x as i32;
    i - i32::from(x < i as f32)
}

fn ease(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// Hermite's step of a value in 0 .. 1.
pub(super) fn smooth(t: f32) -> f32 {
    ease(t.clamp(0.0, 1.0))
}

/// 1 well inside `edge`, 0 well outside it, over `width`.
pub(super) fn inside(r: f32, edge: f32, width: f32) -> f32 {
    smooth((edge - r) / width + 0.5)
}

/// 1 at 0, falling smoothly to 0 at 1 and beyond.
pub(super) fn bump(t: f32) -> f32 {
    let q = (1.0 - t * t).max(0.0);
    q * q
}

/// The angle of (x, y) in turns, -0.5 .. 0.5, within 1e-5 (a minimax polynomial: the libraries' differ in the
/// last bit).
pub(super) fn turns(x: f32, y: f32) -> f32 {
    let (ax, ay) = (x.abs(), y.abs());
    let (low, high) = if ax > ay { (ay, ax) } else { (ax, ay) };
    let t = low / high.max(1e-20);
    let s = t * t;
    let octant =
        t * (0.159_131_83 + s * (-0.052_649_67 + s * (0.028_525_2 + s * (-0.013_363_1 + s * 0.003_315_6))));
    let quadrant = if ax > ay { octant } else { 0.25 - octant };
    let half = if x < 0.0 { 0.5 - quadrant } else { quadrant };
    if y < 0.0 { -half } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_is_the_angle() {
        for i in -499..500 {
            let expected = i as f32 / 1000.0;
            let angle = expected * std::f32::consts::TAU;
            let got = turns(3.0 * libm::cosf(angle), 3.0 * libm::sinf(angle));
            assert!((got - expected).abs() < 2e-4, "{expected}: {got}");
        }
    }

    #[test]
    fn normal_has_mean_0_and_deviation_1() {
        let mut rng = Rng::new(1, 2, 3);
        let values: Vec<f32> = (0..40_000).map(|_| rng.normal()).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / values.len() as f32;
        assert!(
            mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03,
            "{mean} {variance}"
        );
    }

    #[test]
    fn noise_closes_around_a_circle() {
        let noise = Noise::new(&mut Rng::new(4, 0, 0));
        for i in 0..50 {
            let y = i as f32 * 0.37;
            assert!((noise.at(0.0, y) - noise.at(LATTICE as f32, y)).abs() < 1e-5);
        }
    }
}
