//! Every scenario under `tests/scenarios` comes out as it says.

use std::fs;
use std::path::Path;

use beltwatch_belt::{Camera, Scenario, Span, run};
use beltwatch_core::{Fault, State};

#[test]
fn all_scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the scenarios")
        .map(|e| e.expect("a file").path())
        .collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).expect("a readable scenario");
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        match Scenario::parse(&text, file) {
            Err(error) => wrong.push(error.to_string()),
            Ok(scenario) => {
                let outcome = run(&scenario);
                if std::env::var_os("BELTWATCH_SHOW").is_some() {
                    println!(
                        "{name}: {:?} {:?} {:?} {:?}",
                        outcome.counters, outcome.faults, outcome.alarms, outcome.state
                    );
                }
                let all = outcome.wrong.iter().cloned().chain(outcome.unexpected(&scenario));
                wrong.extend(all.map(|w| format!("{name}: {w}")));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} things wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The camera comes and goes a thousand times: each time is counted, and the line is as it was.
#[test]
fn a_thousand_reconnects() {
    let unplugged = (0..1000).map(|i| 500.0 + 700.0 * f64::from(i)).map(|from| Span {
        from_ms: from,
        to_ms: from + 350.0,
    });
    let camera = Camera {
        latency_ms: 5.0,
        unplugged: unplugged.collect(),
        ..Camera::default()
    };
    let scenario = Scenario {
        parts: 3600,
        camera,
        ..Scenario::constant(200.0, 0.0)
    };
    scenario.check().expect("a scenario that can be");
    let outcome = run(&scenario);
    assert_eq!(outcome.wrong, Vec::<String>::new());
    assert_eq!(
        (outcome.counters.camera_reconnects, outcome.counters.triggers),
        (1000, 3600)
    );
    assert_eq!(outcome.faults, [Fault::Camera]);
    assert_eq!(outcome.state, State::ContinuousExecution);
}

/// The demo's belt, as it is built in code: a hundred thousand parts, none wrong.
#[test]
fn a_hundred_thousand_parts() {
    let outcome = run(&Scenario {
        parts: 100_000,
        ..Scenario::constant(200.0, 25.0)
    });
    assert_eq!(outcome.wrong, Vec::<String>::new());
    assert_eq!(outcome.counters.triggers, 100_000);
    assert_eq!(
        outcome.counters.passed + outcome.counters.rejected.defect,
        100_000
    );
}

#[test]
fn mistakes_are_told_where_they_are() {
    let cases = [
        ("parts = 3\nspeed = 4\n", "line 2, column 1"),
        ("[camera]\nfaults = [{ kind = \"blue\" }]\n", "line 2, column"),
        ("parts = 0\n", "parts = 0 must be from 1"),
        ("eye.bounces = 3\n", "eye.bounces must be even"),
        (
            "eye = { bounces = 2, bounce_us = 5000.0 }\n",
            "line.debounce_ms must be at least",
        ),
        (
            "belt.profile = [{ to_mm_s = -5.0 }]\n",
            "belt.profile: the belt must get on",
        ),
        (
            "belt.profile = [{ to_mm_s = 500.0, ramp_ms = 9.0 }]\n",
            "needs \"encoder\"",
        ),
        ("product.length_mm = 0.5\n", "pass while the eye settles"),
        (
            "product.close = [{ part = 3, behind_mm = 10.0 }]\n",
            "part 3 must lie behind",
        ),
        ("line.gate_mm = 70.0\n", "the gate must stand behind the camera"),
        ("line.min_spacing_mm = 20.0\n", "a pulse hits two parts"),
        (
            "held = [{ from_ms = 5.0, to_ms = 5.0 }]\n",
            "held: to_ms = 5 must be later",
        ),
        (
            "[expect.counters]\nrejected = { dust = 1 }\n",
            "rejected.dust is no counter",
        ),
    ];
    for (text, message) in cases {
        let error = Scenario::parse(text, Path::new("belt.toml"))
            .expect_err(text)
            .to_string();
        assert!(
            error.starts_with("belt.toml: ") && error.contains(message),
            "{text}: {error}"
        );
    }
}
