//! What an installation brings: the service's own command line works, every board file is one, and a card is
//! prepared or left alone.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use beltwatch::board::Board;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_services_command_runs_a_line() {
    let unit = fs::read_to_string(root().join("board/package/beltwatch.service")).expect("the unit");
    let unit = unit.replace("\\\n", " ");
    let command = unit
        .lines()
        .find_map(|l| l.strip_prefix("ExecStart=/usr/bin/beltwatch "))
        .expect("a command");
    let after = unit
        .lines()
        .find_map(|l| l.strip_prefix("ExecStopPost=/usr/bin/beltwatch "))
        .expect("a command");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = |name: &str| folder.path().join(name).display().to_string();
    let places = [
        (
            "/etc/beltwatch/board.toml",
            root().join("board/simulated.toml").display().to_string(),
        ),
        (
            "/etc/beltwatch/recipe",
            root().join("models/demo").display().to_string(),
        ),
        ("/var/lib/beltwatch/rejects.png", here("rejects.png")),
        ("/var/lib/beltwatch", here("state")),
        ("/run/beltwatch/control.sock", here("control.sock")),
    ];
    let run = |line: &str, more: &[&str]| {
        let line = places
            .iter()
            .fold(line.to_owned(), |line, (there, here)| line.replace(there, here));
        Command::new(env!("CARGO_BIN_EXE_beltwatch"))
            .args(line.split_whitespace())
            .args(more)
            .output()
            .expect("it starts")
    };
    let output = run(command, &["--parts", "3", "--speed", "20"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(folder.path().join("state/counters.json").exists());
    let output = run(after, &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_board_file_is_one() {
    let boards = fs::read_dir(root().join("board"))
        .expect("boards")
        .map(|e| e.expect("a file").path());
    let boards: Vec<_> = boards
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    assert!(boards.iter().any(|b| b.ends_with("simulated.toml")));
    for path in boards {
        if let Err(e) = Board::load(&path) {
            panic!("{e}");
        }
    }
}

fn flash(arguments: &[&Path]) -> Output {
    Command::new(root().join("board/flash.sh"))
        .args(arguments)
        .output()
        .expect("a shell")
}

#[test]
fn a_card_gets_everything_for_its_first_boot() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (card, package) = (
        folder.path().join("card"),
        folder.path().join("beltwatch_0.1.0_arm64.deb"),
    );
    fs::create_dir_all(card.join("etc/systemd/system")).expect("writable");
    fs::write(&package, "a package").expect("writable");
    let board = root().join("board/simulated.toml");
    for _ in 0..2 {
        let output = flash(&[&card, &package, &board, &root().join("models/demo")]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(
        fs::read(card.join("opt/beltwatch/beltwatch.deb")).expect("there"),
        b"a package"
    );
    assert_eq!(
        fs::read(card.join("etc/beltwatch/board.toml")).expect("there"),
        fs::read(board).expect("readable")
    );
    assert!(card.join("etc/beltwatch/recipe/model.onnx").exists());
    let wanted = card.join("etc/systemd/system/multi-user.target.wants/beltwatch-first-boot.service");
    assert!(
        fs::read_to_string(wanted)
            .expect("a link to the unit")
            .contains("dpkg")
    );
}

#[test]
fn what_is_no_card_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let package = folder.path().join("beltwatch_0.1.0_arm64.deb");
    fs::write(&package, "a package").expect("writable");
    let board = root().join("board/simulated.toml");
    let says = |arguments: &[&Path], words: &str| {
        let output = flash(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains(words),
            "{arguments:?}: {said}"
        );
    };
    says(&[Path::new("/"), &package, &board], "running system");
    says(&[folder.path(), &package, &board], "no root filesystem");
    fs::create_dir_all(folder.path().join("etc/systemd/system")).expect("writable");
    says(
        &[folder.path(), &folder.path().join("none_arm64.deb"), &board],
        "no package",
    );
    says(&[folder.path(), &board, &board], "not a package for arm64");
    says(&[folder.path(), &package, &board, folder.path()], "no recipe");
    says(&[folder.path()], "flash.sh ROOT");
    assert!(!folder.path().join("opt").exists(), "nothing was written");
}
