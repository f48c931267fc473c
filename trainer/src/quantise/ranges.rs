//! Scales and zero points of the activations, from what the network will see.

use beltwatch_vision::reconstruct::Quantisation;

use super::float::{FloatNetwork, Map};
use super::histogram::Histogram;
use crate::network::folded::{FoldedNetwork, Side};

/// The picture's and the reconstruction's: `(u8 - 128) / 128`.
pub const PIXELS: Quantisation = Quantisation {
    scale: 1.0 / 128.0,
    zero_point: 0,
};

/// The learned difference's: a sixteenth of a unit of log odds, -8 to 7.9.
pub const LOG_ODDS: Quantisation = Quantisation {
    scale: 1.0 / 16.0,
    zero_point: 0,
};

/// The quantisation of every activation.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranges {
    /// Of `f_1` to `f_L`.
    pub features: Vec<Quantisation>,
    /// Of `memory_l(f_l)`; of no meaning where a level has no memory.
    pub drawn: Vec<Quantisation>,
    /// Of the decoder's outputs, lowest resolution first.
    pub ups: Vec<Quantisation>,
}

/// Runs the network over inputs; `range` is chosen for each activation but the `output`.
pub(super) fn ranges(
    net: &FoldedNetwork,
    inputs: &[Map],
    output: Quantisation,
    range: fn(&Histogram) -> [f32; 2],
) -> Ranges {
    let float = FloatNetwork::new(net);
    let levels = net.encoder.len();
    let mut features = vec![Histogram::default(); levels];
    let mut drawn = features.clone();
    let mut ups = features.clone();
    for input in inputs {
        let activations = float.run(input);
        let all = [
            (&mut features, activations.features),
            (&mut drawn, activations.drawn),
            (&mut ups, activations.ups),
        ];
        for (histograms, maps) in all {
            histograms
                .iter_mut()
                .zip(&maps)
                .for_each(|(histogram, map)| histogram.add(&map.data));
        }
    }
    let quantise = |histograms: &[Histogram]| {
        histograms
            .iter()
            .map(|h| quantisation(range(h)))
            .collect::<Vec<_>>()
    };
    let mut ranges = Ranges {
        features: quantise(&features),
        drawn: quantise(&drawn),
        ups: quantise(&ups),
    };
    // What is joined shares one scale and zero point: the range that covers both.
    for (level, side) in net.sides[..levels - 1].iter().enumerate() {
        let up = levels - 2 - level;
        let (other, histogram) = match side {
            Side::None => continue,
            Side::Skip => (&mut ranges.features[level], &features[level]),
            Side::Memory(_) => (&mut ranges.drawn[level], &drawn[level]),
        };
        let (a, b) = (range(&ups[up]), range(histogram));
        let shared = quantisation([a[0].min(b[0]), a[1].max(b[1])]);
        *other = shared;
        ranges.ups[up] = shared;
    }
    ranges.ups[levels - 1] = output;
    ranges
}

/// The steps for a range around zero; 0 is stored exactly.
fn quantisation([low, high]: [f32; 2]) -> Quantisation {
    let scale = ((high - low) / 255.0).max(1e-9);
    let zero_point = (-128.0 - low / scale).round().clamp(-128.0, 127.0) as i8;
    Quantisation { scale, zero_point }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_cover_the_range() {
        let positive = quantisation([0.0, 5.1]);
        assert_eq!(positive.zero_point, -128);
        assert!((positive.scale - 0.02).abs() < 1e-7);
        let both = quantisation([-1.0, 3.0]);
        assert_eq!(both.store(-1.0), -128);
        assert_eq!(both.store(3.0), 127);
        assert_eq!(both.value(both.zero_point), 0.0);
        assert_eq!(quantisation([0.0, 0.0]).store(0.0), -128);
    }
}
