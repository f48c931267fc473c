//! Every scenario under `tests/scenarios` comes out as it says.

use std::fs;
use std::path::Path;

use beltwatch_belt::{Scenario, run};

#[test]
fn all_scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(&folder).expect("the scenarios").map(|e| e.expect("a file").path()).collect();
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
    assert!(wrong.is_empty(), "{} things wrong:\n{}", wrong.len(), wrong.join("\n"));
}
