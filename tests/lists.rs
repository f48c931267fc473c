//! What is listed by hand for people is complete: the page for plant engineers names everything that the line
//! can say.

use std::fs;
use std::path::Path;

use beltwatch::line;
use beltwatch_core::{Alarm, Cause, Counters, Fault};

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// What is written is what is shown.
fn names<T: serde::Serialize + std::fmt::Display>(all: &[T]) -> Vec<String> {
    let name = |one: &T| {
        assert_eq!(serde_json::to_value(one).expect("a name"), one.to_string());
        one.to_string()
    };
    all.iter().map(name).collect()
}

#[test]
fn the_page_of_the_line_explains_every_cause_fault_alarm_and_counter() {
    let counters = serde_json::to_value(Counters::default()).expect("numbers");
    let counters = counters.as_object().expect("named").keys().cloned();
    let page = page("board/LINE.md");
    for name in names(Cause::ALL)
        .into_iter()
        .chain(names(Fault::ALL))
        .chain(names(Alarm::ALL))
        .chain(counters)
    {
        assert!(
            page.contains(&format!("`{name}`")),
            "board/LINE.md does not name `{name}`"
        );
    }
}

#[test]
fn the_help_and_the_page_of_the_line_name_every_command() {
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_beltwatch"));
    let help = { program }
        .args(["control", "--help"])
        .output()
        .expect("the program starts")
        .stdout;
    let help = String::from_utf8(help)
        .expect("text")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let page = page("board/LINE.md");
    for word in line::words().split(", ") {
        assert!(help.contains(word), "`control --help` does not name {word}");
        assert!(
            page.contains(&format!("`{word}`")),
            "board/LINE.md does not name `{word}`"
        );
    }
}
