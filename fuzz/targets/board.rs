//! Board files.
#![no_main]

use std::path::Path;

use beltwatch::board::Board;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(board) = Board::parse(text, Path::new("board.toml")) {
        // what a line would be made of
        let _ = board.settings().map(|settings| board.scenario(&settings, 3));
    }
});
