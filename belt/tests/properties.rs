//! What must hold for any belt with any faults: nothing passes without a Pass verdict unless the settings say
//! so, every rejected part is hit, no pulse without a cause, the gate is never open for too long, counters
//! add up, no panic.
//!
//! `BELTWATCH_SCENARIOS` is the number of scenarios, `BELTWATCH_FIRST` the seed of the first one;
//! `BELTWATCH_SEED` runs a single one and prints all of it.

use std::panic::catch_unwind;

use beltwatch_belt::{Outcome, Scenario, run, run_with};

mod generator;

use generator::{Generated, Room, generate};

fn play(generated: &Generated) -> Outcome {
    match generated.room {
        Room::Three => run_with::<3>(&generated.scenario),
        Room::SixtyFour => run(&generated.scenario),
    }
}

/// What is wrong with the scenario of a seed.
fn wrong(seed: u64) -> Vec<String> {
    let Ok(generated) = catch_unwind(|| generate(seed)) else {
        return vec!["the generator found no scenario".into()];
    };
    match catch_unwind(|| play(&generated)) {
        Ok(outcome) => outcome.wrong,
        Err(_) => vec!["panic".into()],
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|v| v.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

#[test]
fn any_scenario() {
    if let Some(seed) = variable("BELTWATCH_SEED") {
        let generated = generate(seed);
        println!("{generated:#?}");
        let outcome = play(&generated);
        for (at, action) in &outcome.actions {
            println!("{:12.6} ms {action:?}", (at.0 as f64 - 1e9) / 1e6);
        }
        outcome.fates.iter().for_each(|fate| println!("{fate:?}"));
        assert!(outcome.wrong.is_empty(), "{:#?}", outcome.wrong);
        return;
    }
    let count = variable("BELTWATCH_SCENARIOS").unwrap_or(4000);
    let first = variable("BELTWATCH_FIRST").unwrap_or(0);
    let (mut failed, mut done) = (Vec::new(), 0);
    for seed in first..first + count {
        let wrong = wrong(seed);
        done += 1;
        if !wrong.is_empty() {
            let line = format!("BELTWATCH_SEED={seed}: {}", wrong.join("; "));
            if count > 10_000 {
                eprintln!("{line}");
            }
            failed.push(line);
        }
        if count > 10_000 && done % 10_000 == 0 {
            eprintln!("{done} of {count} scenarios, {} failed", failed.len());
        }
        if failed.len() >= 20 {
            break;
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {done} scenarios failed; run one of them alone:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn the_generator_makes_what_it_should() {
    let all: Vec<Generated> = (0..300).map(generate).collect();
    let share = |what: &dyn Fn(&Scenario) -> bool| all.iter().filter(|g| what(&g.scenario)).count();
    let shares = [
        share(&|s| s.line.scale == beltwatch_core::Scale::Encoder),
        share(&|s| s.line.free_running.is_some()),
        share(&|s| !s.product.close.is_empty()),
        share(&|s| !s.held.is_empty()),
        share(&|s| !s.camera.faults.is_empty()),
        share(&|s| !s.eye.lost.is_empty()),
        share(&|s| s.belt.profile.iter().any(|l| l.to_mm_s < 0.0)),
        share(&|s| s.commands.len() > 2),
        share(&|s| s.line.confirm.is_some()),
        share(&|s| !s.eye.stuck.is_empty()),
    ];
    assert!(shares.iter().all(|&s| s >= 9), "{shares:?}");
}
