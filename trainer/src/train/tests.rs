//! The loop as a whole, on a network that trains in a moment.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use beltwatch_vision::picture::Picture;
use tempfile::tempdir;

use super::{Device, Outcome, Progress, TrainConfig, TrainError, checkpoint, train};
use crate::network::folded::{FoldedNetwork, Side};
use crate::network::{FoldedNetworks, NetworkConfig, SideKind};
use crate::rng::Rng;

fn config() -> TrainConfig {
    let network = NetworkConfig {
        size: 16,
        channels: 1,
        widths: vec![4, 6, 8],
        sides: vec![SideKind::Skip, SideKind::Pmb, SideKind::Pmb],
        grids: vec![2, 2, 2],
        items: 8,
        temperature: 0.1,
        head: vec![4, 4],
    };
    TrainConfig {
        steps: 12,
        batch: 3,
        head_alone: 0.5,
        network,
        ..TrainConfig::quick(1)
    }
}

/// Bars of one width at different places.
fn pictures() -> Vec<Picture> {
    let mut rng = Rng::new(&[8]);
    let bars = (0..7).map(|i| {
        let data = (0..256)
            .map(|p| if (p % 16 + i) % 8 < 4 { 60 } else { 190 } + rng.below(9) as u8)
            .collect();
        Picture {
            width: 16,
            height: 16,
            channels: 1,
            data,
        }
    });
    bars.collect()
}

/// Trains until `stop_after` steps are done.
fn run(config: &TrainConfig, folder: &Path, stop_after: usize) -> (Outcome, Vec<Progress>) {
    let stop = AtomicBool::new(false);
    let mut seen = Vec::new();
    let mut note = |progress: &Progress| {
        seen.push(progress.clone());
        stop.store(progress.step >= stop_after, Ordering::Relaxed);
    };
    let outcome = train(config, &pictures(), folder, Device::Cpu, &stop, &mut note).unwrap();
    (outcome, seen)
}

fn bits(networks: &FoldedNetworks) -> Vec<u32> {
    [
        std::slice::from_ref(&networks.reconstruction),
        networks.head.as_slice(),
    ]
    .map(bits_of)
    .concat()
}

fn bits_of(networks: &[FoldedNetwork]) -> Vec<u32> {
    let all = || networks.iter();
    let convolutions = all()
        .flat_map(|n| &n.encoder)
        .flat_map(|c| c.weight.iter().chain(&c.bias));
    let values = convolutions.chain(
        all()
            .flat_map(|n| &n.decoder)
            .flat_map(|u| u.weight.iter().chain(&u.bias)),
    );
    let sides = all().flat_map(|n| &n.sides);
    let memories = sides.filter_map(|side| {
        if let Side::Memory(m) = side {
            Some(&m.values)
        } else {
            None
        }
    });
    values.chain(memories.flatten()).map(|v| v.to_bits()).collect()
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    let config = config();
    let whole = tempdir().unwrap();
    let (whole, seen) = run(&config, whole.path(), usize::MAX);
    assert!(whole.finished);
    assert_eq!(
        seen.iter().map(|p| p.step).collect::<Vec<_>>(),
        (1..=12).collect::<Vec<_>>()
    );
    let folder = tempdir().unwrap();
    let mut networks = Vec::new();
    for (stop_after, done) in [(5, 5), (6, 6), (usize::MAX, 12)] {
        let (part, _) = run(&config, folder.path(), stop_after);
        assert_eq!((part.steps_done, part.finished), (done, done == 12));
        networks.push(bits(&part.networks));
    }
    assert_ne!(networks[0], networks[1]);
    assert_eq!(networks[2], bits(&whole.networks));
    // A finished run only folds its checkpoint.
    let (again, seen) = run(&config, folder.path(), usize::MAX);
    assert!(again.finished && seen.is_empty());
    assert_eq!(bits(&again.networks), networks[2]);
    assert!(!folder.path().join("checkpoint.tmp").exists());
}

#[test]
fn in_the_last_steps_only_the_head_learns() {
    let config = config();
    let after = [5, 6, 8].map(|steps| run(&config, tempdir().unwrap().path(), steps).0.networks);
    let drawn = after
        .each_ref()
        .map(|n| bits_of(std::slice::from_ref(&n.reconstruction)));
    let heads = after.each_ref().map(|n| bits_of(n.head.as_slice()));
    assert_ne!(drawn[0], drawn[1]);
    assert_eq!(drawn[1], drawn[2]);
    assert_ne!(heads[1], heads[2]);
}

#[test]
fn another_seed_gives_another_network() {
    let (a, b) = (config(), TrainConfig { seed: 2, ..config() });
    let [a, b] = [a, b].map(|config| bits(&run(&config, tempdir().unwrap().path(), 2).0.networks));
    assert_ne!(a, b);
}

#[test]
fn training_learns() {
    let config = TrainConfig {
        steps: 150,
        learning_rate: 5e-3,
        head_alone: 0.0,
        ..config()
    };
    let (_, seen) = run(&config, tempdir().unwrap().path(), usize::MAX);
    let (first, last) = (&seen[0], &seen[149]);
    assert!(last.mse < 0.3 * first.mse, "{first} -> {last}");
    assert!(last.ssim > first.ssim + 0.4, "{first} -> {last}");
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempdir().unwrap();
    run(&config(), folder.path(), 1);
    let stop = AtomicBool::new(false);
    let attempt = |config: &TrainConfig, pictures: &[Picture]| {
        train(config, pictures, folder.path(), Device::Cpu, &stop, &mut |_| ()).unwrap_err()
    };
    let other = TrainConfig {
        steps: 13,
        ..config()
    };
    assert!(matches!(
        attempt(&other, &pictures()),
        TrainError::OtherRun { .. }
    ));
    let mut changed = pictures();
    changed[3].data[0] ^= 1;
    assert!(matches!(
        attempt(&config(), &changed),
        TrainError::OtherRun { .. }
    ));
    assert!(
        attempt(&config(), &changed)
            .to_string()
            .contains("use another folder")
    );
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let folder = tempdir().unwrap();
    run(&config(), folder.path(), 1);
    let path = folder.path().join(checkpoint::FILE);
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for bytes in [
        &good[..0],
        &good[..50],
        &good[..good.len() - 1],
        b"something else",
        &flipped,
    ] {
        fs::write(&path, bytes).unwrap();
        let stop = AtomicBool::new(false);
        let error = train(
            &config(),
            &pictures(),
            folder.path(),
            Device::Cpu,
            &stop,
            &mut |_| (),
        )
        .unwrap_err();
        assert!(matches!(error, TrainError::Damaged { .. }), "{error}");
    }
    fs::write(&path, good).unwrap();
    assert_eq!(run(&config(), folder.path(), 3).0.steps_done, 3);
}

#[test]
fn wrong_input_gets_the_right_error() {
    let folder = tempdir().unwrap();
    let attempt = |config: &TrainConfig, pictures: &[Picture]| {
        train(
            config,
            pictures,
            folder.path(),
            Device::Cpu,
            &AtomicBool::new(false),
            &mut |_| (),
        )
        .unwrap_err()
    };
    assert!(matches!(attempt(&config(), &[]), TrainError::NoPictures));
    let mut wrong = pictures();
    wrong[2] = Picture::filled(16, 15, 1, 0);
    assert!(matches!(
        attempt(&config(), &wrong),
        TrainError::PictureSize {
            index: 2,
            height: 15,
            ..
        }
    ));
    wrong[2] = Picture::filled(16, 16, 3, 0);
    assert!(matches!(
        attempt(&config(), &wrong),
        TrainError::PictureSize {
            channels: 3,
            expected: 1,
            ..
        }
    ));
    assert!(matches!(
        attempt(&TrainConfig { batch: 0, ..config() }, &pictures()),
        TrainError::Config(_)
    ));
    let blocked = folder.path().join("file");
    fs::write(&blocked, "").unwrap();
    let error = train(
        &config(),
        &pictures(),
        &blocked,
        Device::Cpu,
        &AtomicBool::new(false),
        &mut |_| (),
    )
    .unwrap_err();
    assert!(matches!(error, TrainError::Write { .. }), "{error}");
}

#[test]
fn a_diverging_run_says_so() {
    let folder = tempdir().unwrap();
    let config = TrainConfig {
        learning_rate: 1.0,
        weight_decay: 3e38,
        ..config()
    };
    let error = train(
        &config,
        &pictures(),
        folder.path(),
        Device::Cpu,
        &AtomicBool::new(false),
        &mut |_| (),
    )
    .unwrap_err();
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
}
