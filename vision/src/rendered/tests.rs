//! Tests of whole rendered pictures.

use proptest::prelude::*;

use crate::rendered::*;

/// FNV-1a (Fowler, Noll and Vo), 64 bits.
fn hash(pictures: [&Picture; 2]) -> u64 {
    let bytes = pictures.into_iter().flat_map(|p| &p.data);
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The picture at half its size, in grey levels, each pixel the mean of four and of the three colours.
fn halved(picture: &Picture) -> Vec<f32> {
    let half = picture.width / 2;
    let grey = |x, y| (0..3).map(|c| f32::from(picture.at(x, y, c))).sum::<f32>() / 3.0;
    (0..half * half)
        .map(|i| {
            let (x, y) = (i % half * 2, i / half * 2);
            (grey(x, y) + grey(x + 1, y) + grey(x, y + 1) + grey(x + 1, y + 1)) / 4.0
        })
        .collect()
}

/// After a wanted change of the pictures, the hashes that a failure prints are the new ones.
#[test]
fn same_bytes_on_every_processor() {
    let golden = [
        (None, 0.0, 256, 0x8369_8c82_bb2e_fde8),
        (None, 0.0, 96, 0xa5e9_1532_692c_56ff),
        (Some(DefectKind::Scratch), 0.0, 256, 0xdf52_b74f_ae83_2d9a),
        (Some(DefectKind::Dent), 0.5, 256, 0x2591_7732_3279_7f53),
        (Some(DefectKind::Stain), 1.0, 256, 0xeced_d6c7_4fbd_1797),
        (Some(DefectKind::Chip), 0.2, 256, 0xaa1c_9d1f_7060_68cf),
        (Some(DefectKind::Crack), 0.7, 128, 0x8d72_20bf_6c5f_c65b),
        (Some(DefectKind::MissingMark), 0.4, 256, 0x2c32_7eb2_23df_5c58),
        (Some(DefectKind::ForeignBody), 0.9, 300, 0xf6d2_734a_b441_a213),
    ];
    let got: Vec<u64> = (0..)
        .zip(golden)
        .map(|(i, (kind, strength, size, _))| {
            let part = render(2024, i, size, kind, strength);
            hash([&part.picture, &part.mask])
        })
        .collect();
    let expected: Vec<u64> = golden.iter().map(|g| g.3).collect();
    assert_eq!(got, expected, "rendered pictures changed: {got:#018x?}");
}

#[test]
fn a_defect_changes_nothing_elsewhere() {
    for (i, kind) in (0..).zip(DefectKind::ALL.iter().copied()) {
        let good = render(3, i, 256, None, 0.0);
        let bad = render(3, i, 256, Some(kind), 0.6);
        assert!(good.mask.data.iter().all(|v| *v == 0) && good.defect.is_none());
        assert!(bad.mask.data.iter().all(|v| *v == 0 || *v == 255) && bad.defect == Some(kind));
        let marked: Vec<usize> = (0..256 * 256).filter(|p| bad.mask.data[*p] == 255).collect();
        assert!(
            (8..6000).contains(&marked.len()),
            "{kind:?}: {} pixels",
            marked.len()
        );
        let span = |of: fn(usize) -> usize| {
            let places = || marked.iter().map(|p| of(*p));
            places().min().expect("not empty").saturating_sub(30)..places().max().expect("not empty") + 30
        };
        let (columns, rows) = (span(|p| p % 256), span(|p| p / 256));
        for p in 0..256 * 256 {
            let same = good.picture.data[3 * p..3 * p + 3] == bad.picture.data[3 * p..3 * p + 3];
            assert!(
                same || columns.contains(&(p % 256)) && rows.contains(&(p / 256)),
                "{kind:?}: pixel {p}"
            );
        }
    }
}

/// What the pictures show, noise and lens included, is what the limits promise.
#[test]
fn the_faintest_are_faint_but_there() {
    for &kind in DefectKind::ALL {
        for i in 0..12 {
            let good = halved(&render(5, i, 256, None, 0.0).picture);
            let bad = halved(&render(5, i, 256, Some(kind), 0.0).picture);
            let mut change: Vec<f32> = good.iter().zip(&bad).map(|(g, b)| (g - b).abs()).collect();
            change.sort_by(|a, b| b.total_cmp(a));
            let spot = change[..contrast::SPOT].iter().sum::<f32>() / contrast::SPOT as f32;
            let wanted = kind.contrast(0.0);
            assert!(
                (0.7 * wanted..1.25 * wanted).contains(&spot),
                "{kind:?} {i}: {spot} instead of {wanted}"
            );
        }
    }
}

/// The part's own grain, as the deviation of a pixel from its neighbours around the ring, at 128 x 128.
#[test]
fn grain_is_weak() {
    for i in 0..6 {
        let grey = halved(&render(6, i, 256, None, 0.0).picture);
        let at = |turn: f32| {
            let (x, y) = (45.0 * libm::cosf(turn), 45.0 * libm::sinf(turn));
            grey[(64.0 + y) as usize * 128 + (64.0 + x) as usize]
        };
        // Between a hole and the stamp.
        let bends: Vec<f32> = (0..60)
            .map(|k| 0.85 + k as f32 * 0.004)
            .map(|t| at(t) - 0.5 * (at(t - 0.03) + at(t + 0.03)))
            .collect();
        let deviation = (bends.iter().map(|b| b * b).sum::<f32>() / bends.len() as f32 / 1.5).sqrt();
        assert!((0.3..4.0).contains(&deviation), "{i}: {deviation}");
    }
}

#[test]
fn a_small_picture_is_the_large_one_reduced() {
    let large = halved(&render(8, 1, 256, Some(DefectKind::Stain), 1.0).picture);
    let small = render(8, 1, 128, Some(DefectKind::Stain), 1.0).picture;
    let difference: f32 = (0..128 * 128)
        .map(|p| {
            let grey = small.data[3 * p..3 * p + 3]
                .iter()
                .map(|v| f32::from(*v))
                .sum::<f32>()
                / 3.0;
            (grey - large[p]).abs()
        })
        .sum::<f32>()
        / 16_384.0;
    assert!(difference < 4.0, "{difference}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_argument_gives_a_part(
        seed: u64,
        index: u64,
        size in 0_usize..400,
        kind in 0_usize..8,
        strength: f32,
    ) {
        let part = render(seed, index, size, DefectKind::ALL.get(kind).copied(), strength);
        let side = size.clamp(*SIZES.start(), *SIZES.end());
        prop_assert_eq!((part.picture.width, part.picture.height, part.picture.channels), (side, side, 3));
        prop_assert_eq!(part.picture.data.len(), side * side * 3);
        prop_assert_eq!((part.mask.width, part.mask.channels, part.mask.data.len()), (side, 1, side * side));
        prop_assert_eq!(part.mask.data.contains(&255), part.defect.is_some());
    }
}
