//! Every kernel of this processor against the reference, and the reference against a case worked out by hand.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::scalar::Scalar;
use super::*;
use crate::processor::{Strip, Team};
use crate::reconstruct::layout::View;
use crate::reconstruct::run::operator::{Clip, DepthToSpace};

/// How a convolution is run beside its own parameters.
#[derive(Clone, Copy, Debug)]
struct Around {
    /// Channels of other activations beside the input's and the output's pixels.
    strangers: [usize; 2],
    up: usize,
    clip: Clip,
}

const PLAIN: Around = Around {
    strangers: [0, 0],
    up: 1,
    clip: Clip::NONE,
};

/// What the definition gives.
fn expected(conv: &Convolution, input: &[i8], size: [usize; 2], around: Around) -> Vec<i8> {
    let output = conv.run(input, size);
    let [rows, columns] = conv.output_size(size[0], size[1]).unwrap();
    let shape = [rows, columns, conv.outputs];
    let depth = conv.outputs / (around.up * around.up);
    let mut pixels = vec![0; output.len()];
    let dense = |width: usize, channels: usize| View {
        base: 0,
        row: width * channels,
        pixel: channels,
    };
    let (from, to) = (dense(columns, conv.outputs), dense(columns * around.up, depth));
    DepthToSpace {
        block: around.up,
        depth_first: true,
    }
    .run((&output, from), shape, (&mut pixels, to));
    pixels
        .into_iter()
        .map(|v| v.max(around.clip.lowest).min(around.clip.highest))
        .collect()
}

/// Runs `conv` with a kernel, among strangers' values that must stay as they are, on one thread and on two.
fn run_with<K: Simd>(
    kernel: K,
    conv: &Convolution,
    input: &[i8],
    size: [usize; 2],
    around: Around,
) -> Vec<i8> {
    let [alone, shared] =
        [Team::alone(), Team::pair().unwrap()].map(|team| run_by(team, kernel, conv, input, size, around));
    assert_eq!(alone, shared, "halves differ from the whole");
    alone
}

fn run_by<K: Simd>(
    mut team: Team,
    kernel: K,
    conv: &Convolution,
    input: &[i8],
    size: [usize; 2],
    around: Around,
) -> Vec<i8> {
    let [height, width] = size;
    let [rows, columns] = conv
        .output_size(height, width)
        .unwrap()
        .map(|side| side * around.up);
    let depth = conv.outputs / (around.up * around.up);
    let padding = &conv.padding;
    let pixel = conv.inputs + around.strangers[0];
    let row = (padding.left + width + padding.right) * pixel;
    let from = View {
        base: padding.top * row + padding.left * pixel + around.strangers[0],
        row,
        pixel,
    };
    let zero = K::Value::of(conv.input_zero);
    let mut buffer = vec![zero; (padding.top + height + padding.bottom) * row + K::READ];
    for (values, place) in input
        .chunks(conv.inputs)
        .zip(from.pixels([height, width, conv.inputs]))
    {
        buffer[place..]
            .iter_mut()
            .zip(values)
            .for_each(|(to, &value)| *to = K::Value::of(value));
        buffer[place - around.strangers[0]..place].fill(K::Value::of(99));
    }
    let pixel = depth + around.strangers[1];
    let to = View {
        base: 0,
        row: columns * pixel,
        pixel,
    };
    let target = Target {
        view: to,
        up: around.up,
        clip: [around.clip.lowest, around.clip.highest],
    };
    let mut output = vec![K::Value::of(-77); rows * columns * pixel + K::READ];
    let packed = PackedConvolution::new(kernel, conv, size, from, target);
    let all = Strip::whole(packed.rows(), &mut output);
    all.share(&mut team, |row| packed.row(row), |rows| packed.run(&buffer, rows));
    let places = to.pixels([rows, columns, depth]);
    let mut values = Vec::new();
    for place in places {
        values.extend(output[place..place + depth].iter().map(|v| v.stored()));
        assert!(
            output[place + depth..place + pixel]
                .iter()
                .all(|v| v.stored() == -77),
            "a stranger was changed"
        );
    }
    values
}

fn run_around(conv: &Convolution, kernel: Kernel, input: &[i8], size: [usize; 2], around: Around) -> Vec<i8> {
    with_kernel!(kernel, |simd| run_with(simd, conv, input, size, around))
        .expect("a kernel of this processor")
}

fn run(conv: &Convolution, kernel: Kernel, input: &[i8], size: [usize; 2]) -> Vec<i8> {
    run_around(conv, kernel, input, size, PLAIN)
}

fn supported() -> impl Iterator<Item = Kernel> {
    Kernel::ALL.iter().copied().filter(|kernel| kernel.is_supported())
}

#[test]
fn hand_computed_case() {
    // One channel, 3 x 3 window, stride 2, padding 1, on a 2 x 2 picture whose zero point is 1: one output.
    // Values less zero: 1 2 / 3 4 under the window's lower right taps 10 20 / 30 -40.
    let conv = Convolution {
        inputs: 1,
        outputs: 1,
        window: [3, 3],
        stride: 2,
        padding: Padding {
            top: 1,
            left: 1,
            bottom: 1,
            right: 1,
        },
        weight: vec![99, 99, 99, 99, 10, 20, 99, 30, -40],
        bias: vec![5],
        multiplier: vec![0.5],
        input_zero: 1,
        output_zero: -3,
    };
    // 10 + 40 + 90 - 160 + 5 = -15; halved -7.5, to even -8; less 3.
    for kernel in supported() {
        assert_eq!(run(&conv, kernel, &[2, 3, 4, 5], [2, 2]), [-11], "{kernel}");
    }
}

#[test]
fn extreme_values_do_not_saturate_inside() {
    for (x, w) in [(-128, -127), (-128, 127), (127, 127)] {
        let conv = Convolution {
            inputs: 64,
            outputs: 20,
            window: [1, 1],
            stride: 1,
            padding: Padding::default(),
            weight: vec![w; 64 * 20],
            bias: vec![0; 20],
            multiplier: vec![1.0 / (64.0 * 128.0 * 2.0); 20],
            input_zero: 0,
            output_zero: 0,
        };
        let expected = (f64::from(x) * f64::from(w) / 256.0).round_ties_even() as i8;
        for kernel in supported() {
            assert_eq!(
                run(&conv, kernel, &[x; 64 * 9], [3, 3]),
                vec![expected; 9 * 20],
                "{kernel}"
            );
        }
    }
}

#[test]
fn names_lead_back_to_their_kernels() {
    for &kernel in Kernel::ALL {
        assert_eq!(kernel.name().parse(), Ok(kernel));
    }
    assert!(Kernel::best().is_supported());
    assert!("cuda".parse::<Kernel>().is_err());
    // commands and reports have them
    let names = "scalar avx2 avx-vnni avx512-vnni neon-smlal neon-sdot neon-i8mm";
    assert!(
        Kernel::ALL
            .iter()
            .map(|kernel| kernel.name())
            .eq(names.split(' '))
    );
}

/// x2 up: four phases, each with 2 x 2 of 3 x 3 taps, shifted against each other.
fn up(inputs: usize, depth: usize) -> Convolution {
    let mut weight = Vec::new();
    for o in 0..4 * depth {
        let [py, px] = [o / depth / 2, o / depth % 2];
        for tap in 0..9 {
            let used = (py..py + 2).contains(&(tap / 3)) && (px..px + 2).contains(&(tap % 3));
            weight.extend((0..inputs).map(|i| {
                if used {
                    ((o * 31 + tap * 7 + i * 13) % 255) as i8
                } else {
                    0
                }
            }));
        }
    }
    let weight = weight.into_iter().map(|w: i8| w.max(-127)).collect();
    Convolution {
        inputs,
        outputs: 4 * depth,
        window: [3, 3],
        stride: 1,
        padding: Padding {
            top: 1,
            left: 1,
            bottom: 1,
            right: 1,
        },
        weight,
        bias: (0..4 * depth as i32).map(|o| o * 100 - 700).collect(),
        multiplier: vec![1.0 / 500.0; 4 * depth],
        input_zero: -20,
        output_zero: 5,
    }
}

#[test]
fn phases_go_to_their_places() {
    for (inputs, depth) in [(32, 1), (16, 3), (5, 4), (8, 8), (16, 12), (4, 16), (3, 40)] {
        let conv = up(inputs, depth);
        for size in [[5, 18], [1, 1], [3, 33]] {
            let input: Vec<i8> = (0..size[0] * size[1] * inputs)
                .map(|i| (i * 37 % 256) as u8 as i8)
                .collect();
            let around = Around {
                strangers: [2, 3],
                up: 2,
                clip: Clip {
                    lowest: -90,
                    highest: 100,
                },
            };
            let wanted = expected(&conv, &input, size, around);
            for kernel in supported() {
                assert_eq!(
                    run_around(&conv, kernel, &input, size, around),
                    wanted,
                    "{kernel} {inputs} {depth} {size:?}"
                );
            }
        }
    }
}

#[test]
fn phases_may_lie_two_pixels_apart() {
    // the second phase uses the last of three columns only, the others use none
    let mut conv = Convolution {
        inputs: 1,
        outputs: 8,
        window: [1, 3],
        stride: 1,
        padding: Padding {
            top: 1,
            left: 2,
            bottom: 0,
            right: 2,
        },
        weight: vec![0; 24],
        bias: vec![0; 8],
        multiplier: vec![1.0; 8],
        input_zero: 0,
        output_zero: 0,
    };
    conv.weight[11] = -1;
    let around = Around {
        strangers: [0, 0],
        up: 2,
        clip: Clip {
            lowest: -128,
            highest: 127,
        },
    };
    for width in 1..20 {
        let input: Vec<i8> = (0..3 * width as i8).collect();
        let wanted = expected(&conv, &input, [3, width], around);
        for kernel in supported() {
            assert_eq!(
                run_around(&conv, kernel, &input, [3, width], around),
                wanted,
                "{kernel} {width}"
            );
        }
    }
}

#[test]
fn narrow_phases_share_the_taps_around_a_corner() {
    let conv = up(32, 3);
    let packing = block::Packing {
        conv: &conv,
        row: 34 * 32,
        pixel: 32,
        up: 2,
        clip: [-128, 127],
    };
    let [block] = packing.blocks::<Scalar>().try_into().unwrap();
    let taps: usize = block.runs.iter().map(|run| run.groups).sum();
    assert_eq!(taps, 4 * 32, "2 x 2 taps of 32 inputs for all four phases");
}

prop_compose! {
    fn cases()(
        inputs in prop::sample::select(vec![1, 2, 3, 4, 5, 8, 15, 16, 17, 32, 33, 64]),
        outputs in prop::sample::select(vec![1, 3, 4, 7, 8, 9, 12, 16, 17, 33, 48]),
        window in prop::sample::select(vec![[1, 1], [3, 3], [2, 2], [1, 3], [5, 2]]),
        stride in 1..=2usize,
        size in [1..14usize, 1..14usize],
        padding in [0..3usize, 0..3, 0..3, 0..3],
    )(
        weight in prop::collection::vec(-127..=127i8, inputs * outputs * window[0] * window[1]),
        // Zero taps for groups of outputs, as the phases of x2 up have them.
        dropped in prop::collection::vec(any::<bool>(), outputs.div_ceil(4) * window[0] * window[1]),
        bias in prop::collection::vec(prop_oneof![-10_000..10_000i32, any::<i32>()], outputs),
        multiplier in prop::collection::vec(prop_oneof![1e-5..1e-2f32, 1.0..1e30f32], outputs),
        input in prop::collection::vec(any::<i8>(), size[0] * size[1] * inputs),
        zeros in any::<[i8; 2]>(),
        (inputs, outputs, window, stride, size, padding) in
            Just((inputs, outputs, window, stride, size, padding)),
    ) -> (Convolution, Vec<i8>, [usize; 2]) {
        let taps = window[0] * window[1];
        let weight = weight.into_iter().enumerate().map(|(i, w)| {
            let (o, tap) = (i / inputs / taps, i / inputs % taps);
            if dropped[o / 4 * taps + tap] { 0 } else { w }
        }).collect();
        let padding = Padding { top: padding[0], left: padding[1], bottom: padding[2], right: padding[3] };
        let [input_zero, output_zero] = zeros;
        let conv = Convolution {
            inputs, outputs, window, stride, padding, weight, bias, multiplier, input_zero, output_zero,
        };
        (conv, input, size)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn kernels_equal_the_reference(
        (conv, input, size) in cases(),
        strangers in [0..5usize, 0..20usize],
        clip in any::<[i8; 2]>(),
        is_up in any::<bool>(),
    ) {
        prop_assume!(conv.output_size(size[0], size[1]).is_some());
        let up = if is_up && conv.outputs.is_multiple_of(4) { 2 } else { 1 };
        let around = Around { strangers, up, clip: Clip { lowest: clip[0], highest: clip[1] } };
        let expected = expected(&conv, &input, size, around);
        for kernel in supported() {
            prop_assert_eq!(&run_around(&conv, kernel, &input, size, around), &expected, "{}", kernel);
        }
    }
}
