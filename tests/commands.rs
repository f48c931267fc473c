//! The program as its users run it: verdicts, exit codes, messages.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use beltwatch_vision::picture::Picture;
use beltwatch_vision::rendered::{DefectKind, render};
use serde_json::Value;

const SEED: u64 = 990_017;

fn beltwatch(args: &[&str]) -> Output {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo");
    let args = args.iter().map(|&a| {
        if a == "DEMO" {
            recipe.to_str().expect("UTF-8")
        } else {
            a
        }
    });
    Command::new(env!("CARGO_BIN_EXE_beltwatch"))
        .args(args)
        .output()
        .expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Good and plainly bad rendered parts, in the layout of a test set.
fn parts(root: &Path, count: u64) {
    for (folder, defect) in [
        ("good", None),
        ("scratch", Some(DefectKind::Scratch)),
        ("stain", Some(DefectKind::Stain)),
    ] {
        fs::create_dir_all(root.join(folder)).expect("writable");
        for index in 0..count {
            let part = render(SEED, index + 1000 * folder.len() as u64, 256, defect, 1.0);
            part.picture
                .save_png(&root.join(folder).join(format!("{index}.png")))
                .expect("writable");
        }
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn the_belt_gives_the_verdicts_of_inspect_and_each_reject_its_pulse() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let pictures = dir.path().join("parts");
    parts(&pictures, 6);
    let inspected = beltwatch(&["inspect", "--recipe", "DEMO", "--json", path(&pictures)]);
    assert!(inspected.status.success(), "{}", stderr(&inspected));
    let lines = String::from_utf8(inspected.stdout).expect("UTF-8");
    let expected: HashMap<String, Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("one object a line"))
        .map(|line| (line["file"].as_str().expect("a file").to_owned(), line))
        .collect();
    assert_eq!(expected.len(), 18);

    let (json, sheet) = (dir.path().join("run.json"), dir.path().join("rejects.png"));
    let args = [
        "run",
        "--recipe",
        "DEMO",
        "--pictures",
        path(&pictures),
        "--speed",
        "5",
        "--quiet",
    ];
    let run = beltwatch(&[&args[..], &["--json", path(&json), "--sheet", path(&sheet)]].concat());
    assert!(run.status.success(), "{}", stderr(&run));
    let report: Value = serde_json::from_slice(&fs::read(&json).expect("written")).expect("JSON");
    let list = report["part_list"].as_array().expect("a list");
    assert_eq!((list.len(), &report["parts"]), (18, &Value::from(18)));
    let mut rejected = 0;
    for part in list {
        let inspected = &expected[part["file"].as_str().expect("a file")];
        for key in ["verdict", "cause", "score"] {
            assert_eq!(part[key], inspected[key], "{key} of {part}");
        }
        assert_eq!(
            part["ejected"],
            Value::from(part["verdict"] == "reject"),
            "{part}"
        );
        rejected += u64::from(part["verdict"] == "reject");
    }
    assert_eq!(report["rejected"], Value::from(rejected));
    assert_eq!(report["passed"], Value::from(18 - rejected));
    assert_eq!(report["truth"]["defective"], Value::from(12));
    assert!(rejected >= 12, "plain defects must be found: {report}");
    assert!(Picture::open(&sheet).is_ok_and(|p| p.width > 256));
}

#[test]
fn maps_show_what_the_network_saw() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (file, maps) = (dir.path().join("part.png"), dir.path().join("maps"));
    render(SEED, 1, 256, Some(DefectKind::Stain), 1.0)
        .picture
        .save_png(&file)
        .expect("writable");
    let output = beltwatch(&["inspect", "--recipe", "DEMO", "--maps", path(&maps), path(&file)]);
    assert!(output.status.success(), "{}", stderr(&output));
    let written: Vec<PathBuf> = fs::read_dir(&maps)
        .expect("made")
        .map(|e| e.expect("readable").path())
        .collect();
    for kind in ["input", "reconstruction", "difference", "heat"] {
        let map = written
            .iter()
            .find(|p| path(p).ends_with(&format!(".{kind}.png")))
            .expect(kind);
        assert_eq!(Picture::open(map).expect("a picture").width, 128);
    }
}

#[test]
fn a_picture_that_cannot_be_judged_is_a_reject_and_the_others_are_judged() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let good = dir.path().join("good.png");
    render(SEED, 2, 256, None, 0.0)
        .picture
        .save_png(&good)
        .expect("writable");
    let broken = dir.path().join("broken.png");
    fs::write(&broken, &fs::read(&good).expect("readable")[..5000]).expect("writable");
    let wide = dir.path().join("wide.png");
    Picture::filled(640, 200, 3, 90)
        .save_png(&wide)
        .expect("writable");
    let missing = dir.path().join("missing.png");
    let files = [path(&broken), path(&wide), path(&missing), path(&good)];
    let output = beltwatch(&[&["inspect", "--recipe", "DEMO", "--json"], &files[..]].concat());
    assert_eq!(output.status.code(), Some(5));
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    for line in &lines[..3] {
        assert_eq!(
            (&line["verdict"], &line["cause"], &line["score"]),
            (&"reject".into(), &"no-image".into(), &Value::Null)
        );
    }
    assert_eq!(lines[3]["cause"], Value::Null);
    let messages = stderr(&output);
    for part in [
        "broken.png: is not a readable",
        "640x200",
        "taught on 256x256",
        "missing.png: cannot be opened",
        "3 of 4",
    ] {
        assert!(messages.contains(part), "{part} is not in {messages}");
    }
}

#[test]
fn exit_codes_tell_what_was_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let board = dir.path().join("board.toml");
    fs::write(
        &board,
        include_str!("../board/simulated.toml").replace("\npulse =", "\npuls ="),
    )
    .expect("writable");
    let none = path(dir.path());
    let cases: [(&[&str], i32, &str); 6] = [
        (&["run", "--recipe", none], 3, "Is this a recipe folder?"),
        (&["run", "--recipe", "DEMO", "--board", path(&board)], 4, "puls"),
        (&["run", "--recipe", "DEMO", "--speed", "0"], 2, "--speed 0"),
        (
            &[
                "run",
                "--recipe",
                "DEMO",
                "--pictures",
                &format!("{none}/nowhere"),
            ],
            5,
            "cannot be listed",
        ),
        (
            &[
                "run",
                "--recipe",
                "DEMO",
                "--parts",
                "1",
                "--quiet",
                "--sheet",
                "/dev/null/x.png",
                "--json",
                "/dev/null/x",
            ],
            6,
            "cannot be written",
        ),
        (&["inspect"], 2, "--recipe"),
    ];
    for (args, code, message) in cases {
        let output = beltwatch(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(message), "{args:?}: {}", stderr(&output));
    }
}
