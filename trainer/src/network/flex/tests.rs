//! Our own operations against burn's stock ones.

use burn::tensor::Tensor;

use super::*;
use crate::network::fold::floats;
use crate::network::kernels::{stock_cut, stock_down, stock_join, stock_normalise_relu, stock_up};
use crate::rng::Rng;

fn random<const D: usize>(rng: &mut Rng, shape: [usize; D]) -> Tensor<Diff, D> {
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| rng.range(-1.0, 1.0))
        .collect();
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

fn close<const D: usize>(own: Tensor<Diff, D>, stock: Tensor<Diff, D>) {
    assert_eq!(own.dims(), stock.dims());
    let (own, stock) = (floats(own), floats(stock));
    let largest = stock.iter().fold(0.1_f32, |m, v| m.max(v.abs()));
    let worst = own
        .iter()
        .zip(&stock)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst < 2e-5 * largest, "{worst} of {largest}");
}

type Way<'a, const D: usize, const I: usize> = &'a dyn Fn([Tensor<Diff, D>; I]) -> Tensor<Diff, D>;

/// Compares output and all gradients; the loss weighs each output differently.
fn same<const D: usize, const I: usize>(
    inputs: [Tensor<Diff, D>; I],
    own: impl Fn([Tensor<Diff, D>; I]) -> Tensor<Diff, D>,
    stock: impl Fn([Tensor<Diff, D>; I]) -> Tensor<Diff, D>,
) {
    let run = |way: Way<'_, D, I>| {
        let leaves = inputs.clone().map(|t| t.detach().require_grad());
        let y = way(leaves.clone());
        let weight = random(&mut Rng::new(&[17]), y.dims()).detach();
        let gradients = (y.clone() * weight).sum().backward();
        let of = leaves.map(|leaf| Tensor::from_inner(leaf.grad(&gradients).expect("must have a gradient")));
        (y, of)
    };
    let ((own, own_gradients), (stock, stock_gradients)) = (run(&own), run(&stock));
    close(own, stock);
    own_gradients
        .into_iter()
        .zip(stock_gradients)
        .for_each(|(own, stock)| close(own, stock));
}

#[test]
fn convolutions_equal_the_stock_ones_forwards_and_back() {
    let rng = &mut Rng::new(&[1]);
    for [inputs, pictures, outputs, height, width] in [[3, 2, 5, 8, 6], [1, 1, 1, 2, 2], [4, 3, 2, 6, 10]] {
        let x = random(rng, [inputs, pictures, height, width]);
        let w = random(rng, [outputs, inputs, 3, 3]);
        same(
            [x.clone(), w],
            |[x, w]| Diff::down(x, w),
            |[x, w]| stock_down(x, w),
        );
        let w = random(rng, [inputs, outputs, 4, 4]);
        same([x, w], |[x, w]| Diff::up(x, w), |[x, w]| stock_up(x, w));
    }
}

#[test]
fn a_strided_input_is_read_in_its_order() {
    let rng = &mut Rng::new(&[2]);
    let (x, w) = (random(rng, [2, 3, 8, 6]), random(rng, [4, 3, 3, 3]));
    same(
        [x.clone(), w],
        |[x, w]| Diff::down(x.swap_dims(0, 1), w),
        |[x, w]| stock_down(x.swap_dims(0, 1), w),
    );
    let w = random(rng, [3, 4, 4, 4]);
    same(
        [x, w],
        |[x, w]| Diff::up(x.swap_dims(0, 1), w),
        |[x, w]| stock_up(x.swap_dims(0, 1), w),
    );
}

#[test]
fn batch_norm_equals_the_stock_one_forwards_and_back() {
    let rng = &mut Rng::new(&[3]);
    for (channels, length) in [(3, 50), (1, 7), (5, 64)] {
        let (x, scale) = (random(rng, [channels, length]), random(rng, [channels, 1]));
        let shift = random(rng, [channels, 1]);
        let (_, own) = Diff::normalise_relu(x.clone(), scale.clone(), shift.clone());
        let (_, stock) = stock_normalise_relu(x.clone(), scale.clone(), shift.clone());
        close(own.mean, stock.mean);
        close(own.variance, stock.variance);
        same(
            [x, scale, shift],
            |[x, scale, shift]| Diff::normalise_relu(x, scale, shift).0,
            |[x, scale, shift]| stock_normalise_relu(x, scale, shift).0,
        );
    }
}

#[test]
fn blocks_equal_the_stock_ones_forwards_and_back() {
    let rng = &mut Rng::new(&[4]);
    for (planes, size, grid) in [(3, 6, 2), (1, 4, 4), (2, 12, 3), (5, 8, 1)] {
        let x = random(rng, [planes, size, size]);
        same([x.clone()], |[x]| Diff::cut(x, grid), |[x]| stock_cut(x, grid));
        let blocks = stock_cut(x.clone(), grid);
        same([blocks], |[x]| Diff::join(x, grid), |[x]| stock_join(x, grid));
        close(Diff::join(Diff::cut(x.clone(), grid), grid), x);
    }
}

/// SSIM's variances are small differences of `f32` sums, so each way is off by up to 1e-3 of the largest
/// gradient.
#[test]
fn ssim_equals_the_stock_one_forwards_and_back() {
    let rng = &mut Rng::new(&[5]);
    let mut pairs: Vec<_> = [(3, 24), (1, 32), (2, 11), (2, 7), (1, 3)]
        .map(|(planes, size)| {
            let b = random(rng, [planes, size, size]);
            (b.clone() * 0.7 + random(rng, [planes, size, size]) * 0.3, b)
        })
        .into();
    // the means cancel the constant that keeps their ratio finite, to the last bit
    let one = |value: f32| {
        Tensor::<Diff, 3>::from_data(TensorData::new(vec![value], [1, 1, 1]), &Default::default())
    };
    pairs.push((one(-crate::network::ssim::C1 / 2.0), one(1.0)));
    for (a, b) in pairs {
        let run = |way: &dyn Fn(Tensor<Diff, 3>) -> Tensor<Diff, 1>| {
            let leaf = a.clone().detach().require_grad();
            let y = way(leaf.clone());
            let gradient = leaf.grad(&y.backward()).expect("must have a gradient");
            (floats(y)[0], floats(Tensor::<Diff, 3>::from_inner(gradient)))
        };
        let (own, own_gradient) = run(&|a| Diff::ssim(a, b.clone()));
        let (stock, stock_gradient) = run(&|a| crate::network::ssim::stock(a, b.clone()));
        assert!((own - stock).abs() < 1e-4, "{own}, stock {stock}");
        let largest = stock_gradient.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        let pairs = own_gradient.iter().zip(&stock_gradient);
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(
            own_gradient.iter().all(|d| d.is_finite()),
            "{:?}: {own_gradient:?}",
            b.dims()
        );
        assert!(worst < 1e-3 * largest, "{:?}: {worst} of {largest}", b.dims());
    }
}
