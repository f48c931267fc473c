//! Every kernel of this processor against the reference, and the reference against a case worked out by hand.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::{Convolution, Kernel, PackedConvolution, Padding, Scratch};

/// Runs `conv` with `kernel`.
fn run(conv: &Convolution, kernel: Kernel, input: &[i8], size: [usize; 2]) -> Vec<i8> {
    let [rows, columns] = conv.output_size(size[0], size[1]).unwrap();
    let mut output = vec![0; rows * columns * conv.outputs];
    PackedConvolution::new(conv.clone(), kernel).run(input, size, &mut output, &mut Scratch::default());
    output
}

fn supported() -> impl Iterator<Item = Kernel> {
    Kernel::ALL.into_iter().filter(|kernel| kernel.is_supported())
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
        padding: Padding { top: 1, left: 1, bottom: 1, right: 1 },
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
            assert_eq!(run(&conv, kernel, &[x; 64 * 9], [3, 3]), vec![expected; 9 * 20], "{kernel}");
        }
    }
}

#[test]
fn names_lead_back_to_their_kernels() {
    for kernel in Kernel::ALL {
        assert_eq!(Kernel::from_name(kernel.name()), Some(kernel));
    }
    assert!(Kernel::best().is_supported());
    assert_eq!(Kernel::from_name("cuda"), None);
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
    fn kernels_equal_the_reference((conv, input, size) in cases()) {
        prop_assume!(conv.output_size(size[0], size[1]).is_some());
        let expected = run(&conv, Kernel::Scalar, &input, size);
        for kernel in supported() {
            prop_assert_eq!(&run(&conv, kernel, &input, size), &expected, "{}", kernel);
        }
    }
}
