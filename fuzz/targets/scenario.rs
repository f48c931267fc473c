//! Scenarios of the simulated belt.
#![no_main]

use std::path::Path;

use beltwatch_belt::Scenario;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(scenario) = Scenario::parse(text, Path::new("scenario.toml")) {
        let _ = (scenario.settings(), scenario.fastest());
    }
});
