//! A small generator, so that a run is the same on every machine and with every version of every crate.

use beltwatch_vision::splitmix::{GAMMA, SplitMix64, mix};

/// [`SplitMix64`]. Each use has a stream of its own, named by its keys.
#[derive(Clone, Debug)]
pub struct Rng(SplitMix64);

impl Rng {
    /// The stream named by `keys`, for example seed, step and place in the batch.
    pub fn new(keys: &[u64]) -> Self {
        let mixed = |state: u64, key: &u64| mix(state ^ mix(key.wrapping_add(GAMMA)));
        Self(SplitMix64(keys.iter().fold(keys.len() as u64, mixed)))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// Uniform in [0, 1), 24 bits.
    pub fn unit(&mut self) -> f32 {
        self.0.unit()
    }

    /// Uniform between `low` and `high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in the logarithm: as often between 1 and 2 as between 10 and 20. Both bounds above 0.
    pub fn log_range(&mut self, low: f32, high: f32) -> f32 {
        low * (high / low).powf(self.unit())
    }

    /// One of 0, 1, ... `count - 1`; 0 where `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// -1 or 1.
    pub fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// One of the items; none where there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// A random order of 0, 1, ... `count - 1` (Fisher and Yates).
    pub fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for i in (1..count).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_splitmix64() {
        // From the reference C code with seed 1234567.
        let mut rng = Rng(SplitMix64(1_234_567));
        assert_eq!(
            [rng.bits(), rng.bits()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn streams_differ_by_each_key_and_by_order() {
        let first = |keys: &[u64]| Rng::new(keys).bits();
        let all = [
            first(&[1, 2]),
            first(&[2, 1]),
            first(&[1, 3]),
            first(&[1]),
            first(&[1, 2, 0]),
            first(&[0, 1, 2]),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(!all[..i].contains(a));
        }
    }

    #[test]
    fn numbers_fill_their_range() {
        let mut rng = Rng::new(&[5]);
        let mean = (0..10_000).map(|_| rng.range(-1.0, 3.0)).sum::<f32>() / 10_000.0;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
        let mut seen = [0; 7];
        (0..7_000).for_each(|_| seen[rng.below(7)] += 1);
        assert!(seen.iter().all(|&n| (850..1150).contains(&n)), "{seen:?}");
        assert!(
            (0..1000)
                .map(|_| rng.log_range(0.01, 0.3))
                .all(|v| (0.0099..0.3001).contains(&v))
        );
        let mut order = rng.permutation(50);
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
