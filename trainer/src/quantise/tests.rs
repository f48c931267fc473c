//! Float forward, float ONNX, int8 emulation and device against each other, on random networks.
#![allow(clippy::unwrap_used)]

use beltwatch_vision::picture::Picture;
use beltwatch_vision::reconstruct::{InputShape, Kernel, ReconstructError, Reconstructor};
use proptest::prelude::*;

use super::float::FloatNetwork;
use super::*;
use crate::network::folded::{Conv, FoldedMemory, FoldedNetwork, Side, UpConv};

/// Numbers from a seed (xorshift).
struct Random(u64);

impl Random {
    /// Roughly normal, mean 0, variance 1.
    fn normal(&mut self) -> f32 {
        let sum: f64 = (0..12).map(|_| self.uniform()).sum();
        (sum - 6.0) as f32
    }

    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn weights(&mut self, count: usize, fan_in: usize) -> Vec<f32> {
        let deviation = (2.0 / fan_in as f32).sqrt();
        (0..count).map(|_| self.normal() * deviation).collect()
    }
}

#[derive(Clone, Copy)]
enum Kind {
    None,
    Skip,
    /// Grid and items.
    Memory(usize, usize),
}

/// A network that gives as many channels as it takes, or with a head another one of a single channel.
fn networks(
    size: usize,
    channels: usize,
    levels: &[(usize, Kind)],
    head: &[(usize, Kind)],
    random: &mut Random,
) -> FoldedNetworks {
    let reconstruction = network(size, [channels, channels], levels, random);
    let head = (!head.is_empty()).then(|| network(size, [2 * channels, 1], head, random));
    FoldedNetworks { reconstruction, head }
}

fn network(
    size: usize,
    [channels, gives]: [usize; 2],
    levels: &[(usize, Kind)],
    random: &mut Random,
) -> FoldedNetwork {
    let (mut encoder, mut sides, mut decoder) = (vec![], vec![], vec![]);
    let mut inputs = channels;
    for (i, &(outputs, kind)) in levels.iter().enumerate() {
        let weight = random.weights(outputs * inputs * 9, inputs * 9);
        let bias = (0..outputs).map(|_| random.normal() * 0.1).collect();
        encoder.push(Conv {
            outputs,
            inputs,
            weight,
            bias,
        });
        inputs = outputs;
        sides.push(match kind {
            Kind::None => Side::None,
            Kind::Skip => Side::Skip,
            Kind::Memory(grid, items) => {
                let dimension = ((size >> (i + 1)) / grid).pow(2);
                let values = (0..grid * grid * items * dimension)
                    .map(|_| random.normal() * 0.5 + 0.3)
                    .collect();
                Side::Memory(FoldedMemory {
                    grid,
                    items,
                    dimension,
                    temperature: 0.1,
                    values,
                })
            }
        });
    }
    for level in (0..levels.len()).rev() {
        let outputs = if level == 0 { gives } else { levels[level - 1].0 };
        let mut weight = random.weights(inputs * outputs * 16, inputs * 4);
        if level == 0 && gives > 1 {
            weight.iter_mut().for_each(|w| *w *= 0.15);
        }
        let bias = (0..outputs).map(|_| random.normal() * 0.05).collect();
        decoder.push(UpConv {
            inputs,
            outputs,
            weight,
            bias,
        });
        inputs = if level == 0 || matches!(levels[level - 1].1, Kind::None) {
            outputs
        } else {
            2 * outputs
        };
    }
    FoldedNetwork {
        size,
        channels,
        encoder,
        sides,
        decoder,
    }
}

fn picture(size: usize, channels: usize, random: &mut Random) -> Picture {
    let mut picture = Picture::filled(size, size, channels, 0);
    let waves: Vec<[f64; 3]> = (0..channels * 3)
        .map(|_| [(); 3].map(|()| random.uniform() * 0.5))
        .collect();
    for (i, value) in picture.data.iter_mut().enumerate() {
        let (x, y, c) = (i / channels % size, i / channels / size, i % channels);
        let sum: f64 = waves[3 * c..3 * c + 3]
            .iter()
            .map(|w| (w[0] * x as f64 + w[1] * y as f64 + 9.0 * w[2]).sin())
            .sum();
        *value = (128.0 + 38.0 * sum + 4.0 * f64::from(random.normal())) as u8;
    }
    picture
}

/// A network of each kind with its pictures.
fn cases() -> Vec<(FoldedNetworks, Vec<Picture>)> {
    use Kind::{Memory, None, Skip};
    type Levels<'a> = &'a [(usize, Kind)];
    let shapes: [(usize, usize, Levels<'_>, Levels<'_>); 7] = [
        (16, 1, &[(5, None)], &[]),
        (16, 3, &[(8, Memory(2, 5))], &[(6, None)]),
        (
            32,
            3,
            &[(8, None), (16, Skip), (12, None)],
            &[(8, Skip), (5, None)],
        ),
        (32, 1, &[(16, Skip), (7, Memory(2, 6)), (24, Memory(1, 9))], &[]),
        (
            64,
            3,
            &[(16, None), (33, None), (32, Memory(2, 20)), (64, Memory(2, 20))],
            &[(16, Skip), (32, Skip), (9, None)],
        ),
        (
            64,
            3,
            &[
                (16, Memory(4, 10)),
                (16, Skip),
                (32, Memory(4, 10)),
                (20, Skip),
                (40, Memory(1, 10)),
            ],
            &[],
        ),
        (
            48,
            1,
            &[(10, Memory(3, 7)), (18, Memory(2, 7))],
            &[(4, Skip), (8, Skip), (8, None)],
        ),
    ];
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let case = |(size, channels, levels, head)| {
        let net = networks(size, channels, levels, head, &mut random);
        let pictures = (0..6).map(|_| picture(size, channels, &mut random)).collect();
        (net, pictures)
    };
    shapes.map(case).into()
}

#[test]
fn float_model_equals_the_forward() {
    for (net, pictures) in cases() {
        let model = FloatReconstructor::load(&export_float(&net)).unwrap();
        let float = FloatNetwork::new(&net.reconstruction);
        let same = |found: &[f32], expected: &[f32]| {
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-4 * expected.abs().max(1.0),
                    "{found} instead of {expected}"
                );
            }
        };
        for picture in &pictures {
            let [drawn, log_odds] = model.run(&picture.data).unwrap();
            let input = Map::of_picture(picture);
            let mut expected = float.run(&input).output().clone();
            same(&drawn, &expected.data);
            let Some(head) = &net.head else { continue };
            expected
                .data
                .iter_mut()
                .for_each(|v| *v = v.clamp(-1.0, 127.0 / 128.0));
            same(
                &log_odds,
                &FloatNetwork::new(head)
                    .run(&input.beside(&expected))
                    .output()
                    .data,
            );
        }
    }
}

#[test]
fn device_equals_the_emulation_with_every_kernel() {
    for (net, pictures) in cases() {
        let q = quantise(&net, &pictures[..2], &pictures[2..4]).unwrap();
        let model = export(&q);
        for kernel in Kernel::ALL.iter().copied().filter(|kernel| kernel.is_supported()) {
            let shape = InputShape {
                size: net.reconstruction.size,
                channels: net.reconstruction.channels,
            };
            let mut device = Reconstructor::load_with(&model, shape, kernel).unwrap();
            for picture in &pictures {
                let mut output = vec![0; picture.data.len()];
                device.reconstruct(&picture.data, &mut output).unwrap();
                assert_eq!(
                    [&output[..], device.learned()],
                    q.emulate(&picture.data).each_ref().map(|v| &v[..]),
                    "{kernel}"
                );
            }
        }
        verify(&model, &q, &pictures).unwrap();
    }
}

#[test]
fn int8_is_close_to_float() {
    for (net, pictures) in cases() {
        let q = quantise(&net, &pictures[..2], &pictures[2..4]).unwrap();
        let float = FloatReconstructor::load(&export_float(&net)).unwrap();
        let drawn = pictures.iter().map(|picture| {
            let mut expected = vec![0; picture.data.len()];
            let log_odds = float.reconstruct(&picture.data, &mut expected).unwrap();
            (q.emulate(&picture.data), [expected, log_odds])
        });
        let drawn: Vec<_> = drawn.collect();
        for output in 0..if net.head.is_some() { 2 } else { 1 } {
            let (mut error, mut spread, mut count) = (0.0, 0.0, 0.0);
            for (found, expected) in &drawn {
                assert_eq!(found[output].len(), expected[output].len());
                for (&a, &b) in found[output].iter().zip(&expected[output]) {
                    error += f64::from(a.abs_diff(b)).powi(2);
                    spread += (f64::from(b) - 128.0).powi(2);
                    count += 1.0;
                }
            }
            let (error, spread) = ((error / count).sqrt(), (spread / count).sqrt());
            let FoldedNetwork { size, encoder, .. } = &net.reconstruction;
            println!(
                "{size} px, {} levels, output {output}: error {error:.2}, spread {spread:.1}",
                encoder.len()
            );
            // Random items lie close together, so that a step's difference may choose another one.
            assert!(
                error < 0.12 * spread + 1.0,
                "root mean square error {error:.2} of {spread:.1} steps"
            );
        }
    }
}

#[test]
fn a_head_s_range_ends_where_defects_do_however_many_pictures_there_are() {
    let (net, pictures) = cases().remove(2);
    let head = net.head.as_ref().unwrap();
    for count in [1, 27, 48, 64] {
        let (dull, loud) = (
            vec![Picture::filled(32, 32, 3, 120); count],
            vec![pictures[0].clone(); count],
        );
        let q = quantise(&net, &dull, &loud).unwrap();
        let [drawn, _] = q.emulate(&loud[0].data);
        let drawn = Picture {
            data: drawn,
            ..loud[0].clone()
        };
        let seen = FloatNetwork::new(head).run(&Map::of_picture(&loud[0]).beside(&Map::of_picture(&drawn)));
        let loudest = seen.features[0].data.iter().copied().fold(0.0, f32::max);
        let most = q.head.unwrap().encoder[0].output.value(127);
        assert!(most > 0.99 * loudest, "{count} pictures: {most} of {loudest}");
    }
}

#[test]
fn a_changed_model_is_caught() {
    let (net, pictures) = cases().remove(2);
    let q = quantise(&net, &pictures, &[]).unwrap();
    let (mut drawn, mut learned, mut headless) = (q.clone(), q.clone(), q.clone());
    drawn.reconstruction.decoder[0].bias[0] += 1 << 16;
    learned.head.as_mut().unwrap().decoder[0].bias[0] += 1 << 16;
    headless.head = None;
    for other in [drawn, learned, headless] {
        let error = verify(&export(&other), &q, &pictures).unwrap_err();
        assert!(
            matches!(error, QuantiseError::Mismatch { index: 0, .. }),
            "{error}"
        );
    }
}

#[test]
fn wrong_inputs_are_named() {
    let (net, pictures) = cases().remove(2);
    assert!(matches!(quantise(&net, &[], &[]), Err(QuantiseError::NoPictures)));
    let wrong = [pictures[0].clone(), Picture::filled(32, 31, 3, 0)];
    assert!(matches!(
        quantise(&net, &wrong, &[]),
        Err(QuantiseError::PictureShape {
            index: 1,
            height: 31,
            ..
        })
    ));
    let mut broken = net.clone();
    broken.reconstruction.decoder[1].bias[0] = f32::NAN;
    let error = quantise(&broken, &pictures, &[]).unwrap_err().to_string();
    assert!(
        error.contains("decoder 2") && error.contains("not finite"),
        "{error}"
    );
    let mut broken = net.clone();
    broken.reconstruction.encoder[1].inputs = 9;
    assert!(
        quantise(&broken, &pictures, &[])
            .unwrap_err()
            .to_string()
            .contains("takes 9 channels, but 8 come in")
    );
    let mut broken = net;
    broken.head.as_mut().unwrap().encoder[1].inputs = 9;
    assert!(
        quantise(&broken, &pictures, &[])
            .unwrap_err()
            .to_string()
            .contains("head: encoder 2 takes 9")
    );
}

#[test]
fn a_float_model_is_no_int8_model() {
    let (net, _) = cases().remove(2);
    let error = Reconstructor::load(
        &export_float(&net),
        InputShape {
            size: 32,
            channels: 3,
        },
    )
    .unwrap_err();
    let ReconstructError::Interface {
        what: "input",
        expected,
        found,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (expected.as_str(), found.as_str()),
        ("int8 [1, 3, 32, 32]", "float [1, 3, 32, 32]")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A damaged file is refused, or it runs.
    #[test]
    fn damaged_files_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let levels = [(4, Kind::Memory(2, 2)), (4, Kind::Memory(1, 3))];
        let net = networks(16, 1, &levels, &[(3, Kind::Skip), (4, Kind::None)], &mut Random(5));
        let q = quantise(&net, &[Picture::filled(16, 16, 1, 90)], &[]).unwrap();
        let mut bytes = export(&q);
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(mut device) = Reconstructor::load(&bytes, InputShape { size: 16, channels: 1 }) {
            device.reconstruct(&[1; 256], &mut [0; 256]).unwrap();
        }
    }
}

#[test]
fn the_device_counts_the_multiply_adds_that_the_configuration_says() {
    use crate::network::{NetworkConfig, SideKind};
    let mut random = Random(77);
    let levels = [(8, Kind::None), (16, Kind::Skip), (12, Kind::Memory(2, 9))];
    let nets = networks(32, 3, &levels, &[(8, Kind::Skip), (5, Kind::None)], &mut random);
    let config = NetworkConfig {
        size: 32,
        channels: 3,
        widths: vec![8, 16, 12],
        sides: vec![SideKind::None, SideKind::Skip, SideKind::Pmb],
        grids: vec![1, 1, 2],
        items: 9,
        temperature: 0.1,
        head: vec![8, 5],
    };
    let pictures = [picture(32, 3, &mut random)];
    let model = export(&quantise(&nets, &pictures, &pictures).unwrap());
    let device = Reconstructor::load(
        &model,
        InputShape {
            size: 32,
            channels: 3,
        },
    )
    .unwrap();
    assert_eq!(device.multiply_adds(), config.multiply_adds());
}
