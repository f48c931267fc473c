//! A running line with an operator's screen: it shows what happens, and a screen that fails is not the line's
//! concern.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use beltwatch::board::SIMULATED;
use beltwatch_vision::picture::Picture;
use serde_json::Value;

use steady::steadily;

mod steady;

const PARTS: usize = 30;

/// Runs some parts with this `[display]`, in a folder. Returns what it said and the end table.
fn run(folder: &Path, display: &str) -> (Output, Value) {
    let board = format!("{SIMULATED}\n[display]\n{display}\n");
    fs::write(folder.join("board.toml"), board).expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_beltwatch"))
        .current_dir(folder)
        .args([
            "run",
            "--quiet",
            "--speed",
            "10",
            "--board",
            "board.toml",
            "--json",
            "end.json",
            "--parts",
        ])
        .arg(PARTS.to_string())
        .arg("--recipe")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo"))
        .output()
        .expect("the program starts");
    let end = fs::read_to_string(folder.join("end.json")).expect("an end table");
    (output, serde_json::from_str(&end).expect("JSON"))
}

fn decided(end: &Value) -> u64 {
    end["passed"].as_u64().expect("a count") + end["rejected"].as_u64().expect("a count")
}

#[test]
fn a_screen_that_is_left_behind_does_not_look_alive() {
    steadily(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (output, end) = run(
            folder.path(),
            "back_end.png = \"screen.png\"\nsize = [480, 800]\nrotation = 90",
        );
        assert!(output.status.success(), "{output:?}");
        assert_eq!(decided(&end), PARTS as u64);
        let screen = Picture::open(&folder.path().join("screen.png")).expect("a PNG");
        assert_eq!((screen.width, screen.height, screen.channels), (480, 800, 3));
        // the banner's edge: a quarter turn puts the top of the drawing at the right; grey, as in OFF
        let banner: Vec<u8> = (0..3).map(|c| screen.at(480 - 60, 4, c)).collect();
        assert_eq!(banner, [84, 96, 108]);
        // the pictures are there: the live one has every grey
        let greys: std::collections::BTreeSet<u8> = screen.data.iter().copied().collect();
        assert!(greys.len() > 200, "{} values", greys.len());
        assert!(!folder.path().join("screen.png.new").exists());
    });
}

#[test]
fn a_screen_that_fails_is_not_the_lines_concern() {
    steadily(|| {
        for display in [
            "back_end.png = \"no/folder/screen.png\"\nsize = [800, 480]",
            "back_end.framebuffer = \"/dev/null\"",
        ] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (output, end) = run(folder.path(), display);
            assert!(output.status.success(), "{output:?}");
            assert_eq!(decided(&end), PARTS as u64);
            assert_eq!(end["faults"].as_array().map(Vec::len), Some(0), "{end}");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(said.matches("the line goes on").count(), 1, "said once: {said}");
        }
    });
}
