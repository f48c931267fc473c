//! `recipe.toml`.
#![no_main]

use std::path::Path;

use beltwatch_vision::recipe::Manifest;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = Manifest::parse(text, Path::new("recipe.toml"));
});
