//! Chance that depends on the seed and on what it is for, not on the order in which it is asked.

/// What chance is drawn for; each has its own stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Scatter = 1,
    Defect,
    Bounce,
    PulseLost,
    PulseDoubled,
    PulseKernel,
    CameraFault,
    CameraJitter,
    Inference,
}

/// Draws by the seed; finalizer of SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice(pub(crate) u64);

fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Dice {
    /// The `index`th number of a stream, in [0, 1).
    pub(crate) fn unit(self, stream: Stream, index: u64) -> f64 {
        (mix(mix(self.0 ^ mix(stream as u64)) ^ index) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Whether the `index`th throw hits, at this rate.
    pub(crate) fn hits(self, stream: Stream, index: u64, rate: f64) -> bool {
        rate > 0.0 && self.unit(stream, index) < rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_uniform_and_differ() {
        for seed in 0..4 {
            let mean = |s| (0..10_000).map(|i| Dice(seed).unit(s, i)).sum::<f64>() / 10_000.0;
            assert!((mean(Stream::Scatter) - 0.5).abs() < 0.02);
            let equal = (0..1000).filter(|&i| {
                Dice(seed).hits(Stream::Scatter, i, 0.5) == Dice(seed).hits(Stream::Defect, i, 0.5)
            });
            assert!((400..600).contains(&equal.count()));
        }
        assert_eq!(
            (0..100).filter(|&i| Dice(1).hits(Stream::Defect, i, 0.0)).count(),
            0
        );
    }
}
