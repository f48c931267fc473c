//! A running line as its operators see it: control socket, counters, record and replay, another recipe.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use beltwatch::board::SIMULATED;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use steady::steadily;

mod steady;

const PROGRAM: &str = env!("CARGO_BIN_EXE_beltwatch");

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo")
}

/// A test that fails leaves no program behind.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// A line on the built-in belt, with a control socket, a folder for counters and a record.
struct Running {
    child: Program,
    folder: tempfile::TempDir,
}

impl Running {
    fn start(folder: tempfile::TempDir, more: &[&str]) -> Self {
        Self::start_with(&demo(), folder, more)
    }

    fn start_with(recipe: &Path, folder: tempfile::TempDir, more: &[&str]) -> Self {
        let at = |name: &str| folder.path().join(name);
        let child = Command::new(PROGRAM)
            .args(["run", "--quiet", "--speed", "10", "--parts", "100000", "--recipe"])
            .arg(recipe)
            .arg("--control")
            .arg(at("socket"))
            .arg("--state")
            .arg(at("state"))
            .arg("--sheet")
            .arg(at("sheet.png"))
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let running = Self {
            child: Program(child),
            folder,
        };
        running.until("it listens", |r| r.ask(&["status"]).status.success());
        running
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ask(&self, words: &[&str]) -> Output {
        let socket = self.at("socket");
        Command::new(PROGRAM)
            .args(["control", "--socket"])
            .arg(socket)
            .args(words)
            .output()
            .expect("it starts")
    }

    fn tell(&self, words: &[&str]) {
        let output = self.ask(words);
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn status(&self) -> Value {
        serde_json::from_slice(&self.ask(&["status"]).stdout).expect("JSON")
    }

    fn has_thread(&self, name: &str) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.0.id())).expect("it lives");
        threads
            .flatten()
            .any(|t| fs::read_to_string(t.path().join("comm")).is_ok_and(|comm| comm.trim() == name))
    }

    fn counter(&self, name: &str) -> u64 {
        self.status()["counters"][name].as_u64().expect("a counter")
    }

    fn until(&self, what: &str, mut there: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        while !there(self) {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{what}: {:?}",
                self.ask(&["status"])
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn end(mut self, signal: Signal) -> tempfile::TempDir {
        kill_process(Pid::from_child(&self.child.0), signal).expect("it lives");
        let status = self.child.0.wait().expect("it ends");
        assert_eq!(status.success(), signal == Signal::TERM, "{status}");
        self.folder
    }
}

/// The demo's recipe, to change something in it.
fn copy_of_demo(folder: &Path) -> PathBuf {
    let copy = folder.join("recipe");
    fs::create_dir_all(copy.join("golden")).expect("writable");
    for name in ["", "golden"] {
        for entry in fs::read_dir(demo().join(name))
            .expect("a folder")
            .flatten()
            .filter(|e| e.path().is_file())
        {
            fs::copy(entry.path(), copy.join(name).join(entry.file_name())).expect("a copy");
        }
    }
    copy
}

fn saved(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("state/counters.json")).expect("saved")).expect("whole")
}

#[test]
fn operators_are_heard_and_counters_outlive_a_kill() {
    steadily(|| {
        let line = Running::start(tempfile::tempdir().expect("a temporary folder"), &[]);
        line.until("parts pass", |r| r.counter("passed") >= 2);
        let status = line.status();
        assert_eq!(
            (&status["state"], &status["ready"]),
            (&"continuous-execution".into(), &true.into())
        );
        line.tell(&["bypass-on"]);
        line.until("parts are bypassed", |r| r.counter("bypassed") >= 2);
        line.tell(&["bypass-off"]);
        line.tell(&["test-fire"]);
        line.until("the gate was fired", |r| r.counter("test_fires") == 1);
        line.tell(&["challenge"]);
        line.until("the challenge part left", |r| {
            r.status()["counters"]["rejected"]["challenge"] == 1
        });
        line.tell(&["halt"]);
        line.until("it is halted", |r| r.status()["state"] == "halted");
        line.tell(&["start"]);
        line.until("it runs again", |r| r.status()["ready"] == true);
        let unknown = line.ask(&["jump"]);
        assert_eq!(unknown.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&unknown.stderr).contains("test-fire"));
        std::thread::sleep(Duration::from_millis(1100));
        let before = line.counter("triggers");
        let folder = line.end(Signal::KILL);

        let after = saved(folder.path())["counters"]["triggers"]
            .as_u64()
            .expect("a count");
        assert!(
            after + 12 >= before,
            "at most a second of 10 parts a second is lost: {before} before, {after} after"
        );
        let log = fs::read_to_string(folder.path().join("state/actions.jsonl")).expect("a log");
        for action in ["bypass", "test-fire", "challenge", "halt"] {
            assert!(log.contains(action), "{action} is not in {log}");
        }
        let again = Running::start(folder, &[]);
        assert!(again.counter("triggers") + 64 >= after);
        again.tell(&["reset-counters"]);
        again.until("counting begins anew", |r| r.counter("triggers") < 20);
        let folder = again.end(Signal::TERM);
        assert!(
            saved(folder.path())["counters"]["triggers"]
                .as_u64()
                .expect("a count")
                < 50
        );
    });
}

#[test]
fn a_bad_recipe_is_refused_and_the_old_one_goes_on_also_on_two_cores() {
    steadily(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let broken = copy_of_demo(folder.path());
        let mut model = fs::read(broken.join("model.onnx")).expect("a model");
        model.truncate(model.len() / 2);
        fs::write(broken.join("model.onnx"), model).expect("writable");
        let board = folder.path().join("board.toml");
        fs::write(&board, SIMULATED.replace("\ncores = 1", "\ncores = 2")).expect("writable");
        let line = Running::start(folder, &["--board", board.to_str().expect("UTF-8")]);
        line.until("parts pass", |r| r.counter("passed") >= 2);
        assert!(line.has_thread("helper"));
        let refused = line.ask(&["recipe", broken.to_str().expect("UTF-8")]);
        assert!(!refused.status.success());
        assert!(
            String::from_utf8_lossy(&refused.stderr).contains("model.onnx"),
            "{refused:?}"
        );
        assert_eq!(line.status()["ready"], true);
        line.tell(&["recipe", demo().to_str().expect("UTF-8")]);
        line.until("the new recipe is in force", |r| r.status()["ready"] == true);
        assert!(line.has_thread("helper"));
        let passed = line.counter("passed");
        line.until("it goes on", |r| r.counter("passed") > passed + 3);
        assert_eq!(line.status()["counters"]["late_verdicts"], 0);
        line.end(Signal::TERM);
    });
}

#[test]
fn an_operator_moves_the_threshold_and_sees_what_it_promises() {
    steadily(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let recipe = copy_of_demo(folder.path());
        let manifest = fs::read_to_string(recipe.join("recipe.toml")).expect("a manifest");
        let scores = "held_out_scores = [60.0, 61.0, 62.0, 63.0]";
        let line = |line| {
            if str::starts_with(line, "held_out_scores") {
                scores
            } else {
                line
            }
        };
        let changed: Vec<&str> = manifest.lines().map(line).collect();
        assert!(changed.contains(&scores));
        fs::write(recipe.join("recipe.toml"), changed.join("\n")).expect("writable");
        let line = Running::start_with(&recipe, folder, &[]);
        let defects = |r: &Running| {
            r.status()["counters"]["rejected"]["defect"]
                .as_u64()
                .expect("a count")
        };
        let taught = line.status()["threshold"].clone();
        line.until("bad parts leave", |r| defects(r) > 0);
        for bad in [&["threshold"][..], &["threshold", "0"], &["threshold", "300"]] {
            assert_eq!(line.ask(bad).status.code(), Some(2), "{bad:?}");
        }
        assert_eq!(line.status()["threshold"], taught);

        let low = String::from_utf8(line.ask(&["threshold", "61"]).stdout).expect("UTF-8");
        assert!(
            low.contains("2 of 4 held-out good pictures above it (50.0 %): at most 90.2 %"),
            "{low}"
        );
        line.tell(&["threshold", "255.5"]);
        line.until("it is in force", |r| r.status()["threshold"] == 255.5);
        assert_eq!(line.status()["false_rejects"]["rejected"], 0);
        // those that were judged before are under way
        let passed = line.counter("passed");
        line.until("they have left", |r| r.counter("passed") > passed + 8);
        let (before, passed) = (defects(&line), line.counter("passed"));
        line.until("bad parts pass", |r| r.counter("passed") > passed + 25);
        assert_eq!(defects(&line), before);
        let folder = line.end(Signal::TERM);
        let log = fs::read_to_string(folder.path().join("state/actions.jsonl")).expect("a log");
        assert!(log.contains("\"threshold 255.500\""), "{log}");

        let again = Running::start_with(&recipe, folder, &[]);
        assert_eq!(again.status()["threshold"], 255.5, "it outlives a restart");
        again.tell(&["threshold", "taught"]);
        again.until("it is as taught", |r| r.status()["threshold"] == taught);
        let before = defects(&again);
        again.until("bad parts leave again", |r| defects(r) > before);
        let folder = again.end(Signal::TERM);
        assert_eq!(saved(folder.path())["threshold"], Value::Null);
    });
}

#[test]
fn a_record_replays_to_the_same_bytes_even_after_a_kill() {
    steadily(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let record = folder.path().join("line.jsonl");
        let line = Running::start(folder, &["--record", record.to_str().expect("UTF-8")]);
        line.tell(&["reject-next"]);
        line.until("parts have left", |r| {
            r.status()["counters"]["rejected"]["manual"] == 1
        });
        line.until("parts have passed", |r| r.counter("passed") >= 5);
        std::thread::sleep(Duration::from_millis(600));
        let folder = line.end(Signal::KILL);
        let again = folder.path().join("again.jsonl");
        let replay = |record: &Path, out: Option<&Path>| {
            let mut command = Command::new(PROGRAM);
            command.arg("replay").arg(record);
            if let Some(out) = out {
                command.arg("--out").arg(out);
            }
            command.output().expect("it starts")
        };
        let output = replay(&record, Some(&again));
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let (recorded, replayed) = (
            fs::read(&record).expect("a record"),
            fs::read(&again).expect("a record"),
        );
        assert!(replayed.len() > 1000 && recorded.starts_with(&replayed));
        let text = String::from_utf8(recorded).expect("JSON");
        assert!(
            text.contains("\"sha256\""),
            "the pictures that were judged are named"
        );
        let changed = folder.path().join("changed.jsonl");
        fs::write(&changed, text.replacen("{\"reject\":\"manual\"}", "\"pass\"", 1)).expect("writable");
        let output = replay(&changed, None);
        assert_eq!(output.status.code(), Some(7));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("decided otherwise"),
            "{output:?}"
        );
    });
}

#[test]
fn a_disk_that_is_full_stops_nothing() {
    steadily(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let line = Running::start(folder, &[]);
        // the next save finds a folder in its place
        while fs::create_dir(line.at("state/counters.json.new")).is_err() {
            // one is under way
            std::thread::sleep(Duration::from_millis(1));
        }
        let passed = line.counter("passed");
        line.until("saves fail", |r| r.status()["saves_failed"].as_u64() > Some(1));
        line.until("parts go on", |r| r.counter("passed") > passed + 3);
        assert_eq!(line.status()["faults"], Value::Array(Vec::new()));
        line.end(Signal::TERM);
    });
}

/// What the README promises: READY within two seconds, at most 128 MiB, at most 2 GB written a day.
#[test]
fn it_is_ready_soon_stays_small_and_spares_the_card() {
    const DAY: u64 = 24 * 3600;
    steadily(|| {
        let begun = Instant::now();
        let line = Running::start(tempfile::tempdir().expect("a temporary folder"), &[]);
        line.until("READY", |line| line.status()["ready"] == true);
        let ready = begun.elapsed();
        assert!(ready < Duration::from_secs(2), "READY after {ready:?}");
        let process = line.child.0.id();
        let number = |file: &str, name: &str| -> u64 {
            let text = fs::read_to_string(format!("/proc/{process}/{file}")).expect("it lives");
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect(name);
            line.split_whitespace()
                .next()
                .and_then(|n| n.parse().ok())
                .expect("a number")
        };
        let [bytes, calls] = ["wchar:", "syscw:"].map(|name| number("io", name));
        let begun = Instant::now();
        std::thread::sleep(Duration::from_secs(5));
        let seconds = begun.elapsed().as_secs_f64();
        let a_day = |after: u64, before: u64| (after - before) as f64 / seconds * DAY as f64;
        let (bytes, calls) = (
            a_day(number("io", "wchar:"), bytes),
            a_day(number("io", "syscw:"), calls),
        );
        let peak = number("status", "VmHWM:") >> 10;
        eprintln!(
            "READY after {ready:?}, {peak} MiB, {calls:.0} writes and {:.2} GB a day",
            bytes / 1e9
        );
        assert!(
            bytes < 2e9 && calls < 200_000.0,
            "{calls:.0} writes and {bytes:.0} bytes a day"
        );
        assert!(peak < 128, "{peak} MiB");
        line.end(Signal::TERM);
    });
}
