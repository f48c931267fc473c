//! `teach` as its users run it: what it says of sets that are too small or damaged, full disks and runs that
//! are killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::picture::Picture;
use beltwatch_vision::recipe::Recipe;
use beltwatch_vision::splitmix::mix;

/// A good part: a bright disc on a dark ground, with a little noise.
fn part(number: usize, width: usize, height: usize) -> Picture {
    let noise = |i: usize| (mix(((number as u64) << 32) | i as u64) % 11) as u8;
    let level = |i: usize| {
        let (x, y) = (
            (i % width) as f64 / width as f64 - 0.5,
            (i / width) as f64 / height as f64 - 0.5,
        );
        if x.hypot(y) < 0.3 { 170 } else { 50 }
    };
    let data = (0..width * height).map(|i| level(i) + noise(i)).collect();
    Picture {
        width,
        height,
        channels: 1,
        data,
    }
}

struct Bench(tempfile::TempDir);

impl Bench {
    /// A folder `parts` with so many good pictures, each of a size of `sizes` in turn.
    fn new(count: usize, sizes: &[[usize; 2]]) -> Self {
        let bench = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir(bench.path("parts")).expect("writable");
        for number in 0..count {
            let [width, height] = sizes[number % sizes.len()];
            part(number, width, height)
                .save_png(&bench.path(&format!("parts/{number:03}.png")))
                .expect("writable");
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, program: &str, before: &[&str], steps: usize) -> Command {
        let mut command = Command::new(program);
        command
            .args(before)
            .arg("teach")
            .arg(self.path("parts"))
            .arg("--out")
            .arg(self.path("recipe"));
        command.args([
            "--size",
            "32",
            "--device",
            "cpu",
            "--no-float-model",
            "--steps",
            &steps.to_string(),
        ]);
        command
    }

    fn teach(&self, steps: usize) -> Output {
        self.command(PROGRAM, &[], steps)
            .output()
            .expect("the program starts")
    }

    fn start(&self, steps: usize) -> Child {
        self.command(PROGRAM, &[], steps)
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts")
    }

    fn model(&self) -> Vec<u8> {
        Recipe::load(&self.path("recipe")).expect("a whole recipe").model
    }
}

/// Steps that teach little and take no time.
const FEW: usize = 8;
/// Steps that take longer than it takes to kill them.
const MANY: usize = 300;
const PROGRAM: &str = env!("CARGO_BIN_EXE_beltwatch-train");

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits for a run to begin.
fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "{} does not come",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(child.id().to_string())
        .status();
    assert!(sent.expect("kill is there").success());
}

#[test]
fn too_few_pictures_are_counted() {
    for count in [0, 1, 5] {
        let output = Bench::new(count, &[[48, 48]]).teach(FEW);
        let message = said(&output);
        assert_eq!(output.status.code(), Some(1), "{message}");
        let named = if count == 0 {
            "holds no pictures".to_owned()
        } else {
            format!("{count} good pictures are too few")
        };
        assert!(message.contains(&named), "{count}: {message}");
    }
}

#[test]
fn ten_pictures_make_a_recipe_that_says_what_it_cannot_promise() {
    let bench = Bench::new(10, &[[48, 48]]);
    let output = bench.teach(FEW);
    let message = said(&output);
    assert!(output.status.success(), "{message}");
    assert!(
        message.contains("2 held-out pictures") && message.contains("297 more held-out pictures"),
        "{message}"
    );
    assert!(
        fs::read_to_string(bench.path("recipe.run/teach.toml"))
            .expect("the decisions")
            .contains("[recipe]")
    );
    assert!(
        !bench.path("recipe.run/threshold-by").exists(),
        "no picture's score is the threshold: {message}"
    );
}

#[test]
fn with_cross_fitting_all_pictures_are_taught_on_and_all_set_the_threshold() {
    let bench = Bench::new(12, &[[48, 48]]);
    let options = ["--folds", "3", "--false-reject", "0.1"];
    let output = bench
        .command(PROGRAM, &[], FEW)
        .args(options)
        .output()
        .expect("the program starts");
    let message = said(&output);
    assert!(output.status.success(), "{message}");
    assert!(
        message.contains("12 held-out pictures") && message.contains("one of 3 further networks"),
        "{message}"
    );
    let manifest = Recipe::load(&bench.path("recipe")).expect("whole").manifest;
    let counts = [
        manifest.training.pictures,
        manifest.training.held_out,
        manifest.score.held_out_scores.len(),
    ];
    assert_eq!(counts, [12; 3]);
    // the highest of 13 is one in ten: it is the threshold, and shown
    assert_eq!(
        manifest.score.held_out_scores.iter().max(),
        Some(&manifest.score.threshold)
    );
    let line = message
        .lines()
        .find(|line| line.starts_with("the threshold is the score of"))
        .unwrap_or_default();
    let shown = fs::read_dir(bench.path("recipe.run/threshold-by"))
        .expect("pictures")
        .flatten();
    let mut names: Vec<String> = shown
        .map(|file| file.file_name().to_string_lossy()[3..].to_owned())
        .collect();
    names.sort();
    assert!(
        names.len() == 3 && names.iter().all(|name| line.contains(name.as_str())),
        "{names:?} {message}"
    );
    assert!(
        line.contains(&format!(".png {}", manifest.score.threshold)),
        "{message}"
    );
    let highest = line
        .split_whitespace()
        .find(|word| word.ends_with(".png"))
        .expect("a picture");
    let options = [&options[..], &["--force", "--leave-out", highest]].concat();
    let output = bench
        .command(PROGRAM, &[], FEW)
        .args(options)
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", said(&output));
    let without = Recipe::load(&bench.path("recipe")).expect("whole").manifest.score;
    assert_eq!(without.held_out_scores.len(), 11);
    assert!(
        without.threshold_basis.contains("11 held-out pictures"),
        "{}",
        without.threshold_basis
    );
    let told = fs::read_to_string(bench.path("recipe.run/teach.toml")).expect("the decisions");
    assert!(told.contains("leave_out") && told.contains(highest), "{told}");
    let output = bench
        .command(PROGRAM, &[], FEW)
        .args(["--force", "--leave-out", "none.png"])
        .output()
        .expect("it starts");
    assert!(
        output.status.code() == Some(2) && said(&output).contains("none.png"),
        "{}",
        said(&output)
    );
    for fold in 1..=3 {
        assert!(
            bench
                .path(&format!("recipe.run/fold-{fold}/checkpoint.bin"))
                .exists()
        );
    }
    let output = bench
        .command(PROGRAM, &[], FEW)
        .args(["--force", "--folds", "1"])
        .output()
        .expect("it starts");
    assert!(
        output.status.code() == Some(2) && said(&output).contains("--folds 1"),
        "{}",
        said(&output)
    );
}

#[test]
fn one_shape_in_several_sizes_is_good_and_another_shape_is_named() {
    let bench = Bench::new(12, &[[48, 48], [96, 96], [64, 62]]);
    let output = bench.teach(FEW);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        Recipe::load(&bench.path("recipe"))
            .expect("whole")
            .manifest
            .input
            .pictures
            .len(),
        3
    );
    let bench = Bench::new(12, &[[48, 48]]);
    part(3, 96, 48)
        .save_png(&bench.path("parts/003.png"))
        .expect("writable");
    let output = bench.teach(FEW);
    assert!(
        said(&output).contains("003.png") && said(&output).contains("96x48"),
        "{}",
        said(&output)
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn one_damaged_file_among_three_hundred_is_left_out_and_listed() {
    let bench = Bench::new(300, &[[32, 32]]);
    let bytes = fs::read(bench.path("parts/123.png")).expect("readable");
    fs::write(bench.path("parts/123.png"), &bytes[..bytes.len() / 2]).expect("writable");
    let output = bench.teach(2);
    let message = said(&output);
    assert!(output.status.success(), "{message}");
    let line = message
        .lines()
        .find(|line| line.contains("123.png"))
        .unwrap_or_default();
    assert!(line.contains("left out"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_named_and_what_is_learned_is_kept() {
    let bench = Bench::new(10, &[[48, 48]]);
    // no file may grow beyond 64 KiB: what a full disk does to a checkpoint, without filling one
    let limit = format!("trap '' XFSZ; ulimit -f 64; exec {PROGRAM} \"$@\"");
    let output = bench
        .command("bash", &["-c", &limit, "sh"], FEW)
        .output()
        .expect("bash is there");
    let message = said(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("recipe.run") && message.contains("cannot be written"),
        "{message}"
    );
    assert!(!bench.path("recipe").exists(), "half a recipe is none");
    let output = bench.teach(FEW);
    assert!(output.status.success(), "{}", said(&output));
}

#[cfg(unix)]
#[test]
fn a_run_that_was_stopped_and_killed_ends_as_one_that_was_not() {
    let (bench, calm) = (Bench::new(10, &[[48, 48]]), Bench::new(10, &[[48, 48]]));
    let mut stopped = bench.start(MANY);
    wait_for(&bench.path("recipe.run/teach.toml"));
    signal(&stopped, "TERM");
    assert_eq!(
        stopped.wait().expect("it ends").code(),
        Some(130),
        "stopped with a checkpoint"
    );
    let mut killed = bench.start(MANY);
    std::thread::sleep(Duration::from_millis(300));
    signal(&killed, "KILL");
    killed.wait().expect("it ends");
    assert!(!bench.path("recipe").exists(), "half a recipe is none");
    assert!(bench.teach(MANY).status.success());
    assert!(calm.teach(MANY).status.success());
    assert!(bench.model() == calm.model(), "another network");
}

#[test]
fn more_good_pictures_promise_more() {
    let bench = Bench::new(40, &[[40, 40]]);
    assert!(bench.teach(FEW).status.success());
    let recipe = bench.path("recipe");
    let taught = Recipe::load(&recipe).expect("a whole recipe").manifest;
    assert_eq!(
        (
            taught.score.held_out_scores.len(),
            taught.score.taught_scores.len()
        ),
        (8, 32)
    );
    let with = |options: &[&str]| {
        Command::new(PROGRAM)
            .arg("calibrate")
            .arg(&recipe)
            .args(options)
            .output()
            .expect("the program starts")
    };
    let calibrate = |folder: &str| with(&[&bench.path(folder).to_string_lossy()]);
    let taught_on = calibrate("parts");
    assert!(
        said(&taught_on).contains("left out: 40 pictures that the recipe was taught"),
        "{}",
        said(&taught_on)
    );
    assert!(!taught_on.status.success());
    fs::create_dir(bench.path("more")).expect("writable");
    for number in 100..160 {
        part(number, 40, 40)
            .save_png(&bench.path(&format!("more/{number}.png")))
            .expect("writable");
    }
    let mut bad = part(200, 40, 40);
    bad.data[8 * 40..24 * 40].fill(255);
    bad.save_png(&bench.path("more/bad.png")).expect("writable");
    fs::copy(bench.path("more/100.png"), bench.path("more/100-again.png")).expect("a copy");

    let output = calibrate("more");
    assert!(output.status.success(), "{}", said(&output));
    for word in [
        "stands out",
        "bad.png",
        "100.png: the same picture",
        "1 of 69 held-out",
        "at most 6.7 %",
    ] {
        assert!(
            said(&output).contains(word),
            "`{word}` is not in {}",
            said(&output)
        );
    }
    let now = Recipe::load(&recipe).expect("a whole recipe").manifest;
    assert_eq!((now.score.held_out_scores.len(), now.training.held_out), (69, 69));
    let above = now
        .score
        .held_out_scores
        .iter()
        .filter(|&&score| score > now.score.threshold)
        .count();
    assert!(
        above == 1 && now.score.comparison_thresholds.is_empty(),
        "{above}: only the bad one"
    );
    let written = fs::read(recipe.join("recipe.toml")).expect("a manifest");

    let again = calibrate("more");
    assert!(
        !again.status.success() && said(&again).contains("no new picture is left"),
        "{}",
        said(&again)
    );
    fs::write(bench.path("more/torn.png"), b"\x89PNG").expect("writable");
    let torn = calibrate("more");
    assert!(
        !torn.status.success() && said(&torn).contains("torn.png"),
        "{}",
        said(&torn)
    );
    assert_eq!(
        fs::read(recipe.join("recipe.toml")).expect("a manifest"),
        written,
        "nothing is lost"
    );

    fs::create_dir(bench.path("bad")).expect("writable");
    for number in 300..308 {
        let mut bad = part(number, 40, 40);
        bad.data[8 * 40..24 * 40].fill(255);
        bad.save_png(&bench.path(&format!("bad/{number}.png")))
            .expect("writable");
    }
    let bad = calibrate("bad");
    assert!(
        !bad.status.success() && said(&bad).contains("8 of 8 pictures are above"),
        "{}",
        said(&bad)
    );
    assert_eq!(
        fs::read(recipe.join("recipe.toml")).expect("a manifest"),
        written,
        "nothing is lost"
    );
    assert_eq!(with(&[]).status.code(), Some(2));
    let looser = with(&["--false-reject", "0.2"]);
    assert!(looser.status.success(), "{}", said(&looser));
    let changed = Recipe::load(&recipe).expect("a whole recipe").manifest.score;
    assert!(changed.threshold < now.score.threshold && changed.held_out_scores == now.score.held_out_scores);
    assert_eq!(
        fs::read(recipe.join("recipe.toml.before")).expect("the one before"),
        written
    );
}

#[test]
fn a_run_that_was_begun_otherwise_is_named_and_stays_as_it_is() {
    let bench = Bench::new(12, &[[48, 48]]);
    assert!(bench.teach(FEW).status.success());
    let config = bench.path("recipe.run/teach.toml");
    let begun = fs::read(&config).expect("every decision");
    let other = bench
        .command(PROGRAM, &[], FEW + 1)
        .arg("--force")
        .output()
        .expect("it starts");
    assert!(
        !other.status.success() && said(&other).contains("train.steps is"),
        "{}",
        said(&other)
    );
    assert_eq!(fs::read(&config).expect("every decision"), begun);
    let again = bench
        .command(PROGRAM, &[], FEW)
        .args(["--force", "--export-now"])
        .output()
        .expect("it starts");
    assert!(again.status.success(), "{}", said(&again));
}

#[test]
fn what_the_mask_leaves_out_does_not_count() {
    let bench = Bench::new(20, &[[40, 40]]);
    let mut mask = Picture::filled(40, 40, 1, 255);
    mask.data[20 * 40..].fill(0);
    mask.save_png(&bench.path("mask.png")).expect("writable");
    let output = bench
        .command(PROGRAM, &[], FEW)
        .arg("--mask")
        .arg(bench.path("mask.png"))
        .output()
        .expect("it starts");
    assert!(
        output.status.success() && said(&output).contains("50 % of the picture is looked at"),
        "{}",
        said(&output)
    );
    let recipe = Recipe::load(&bench.path("recipe")).expect("a whole recipe");
    assert_eq!(recipe.manifest.regions.look.len(), 1);
    let config = fs::read_to_string(bench.path("recipe.run/teach.toml")).expect("every decision");
    assert!(config.contains("[recipe.regions]"), "{config}");

    let mut inspector = Inspector::new(&recipe).expect("it tests itself");
    let mut defective = part(0, 40, 40);
    defective.data[38 * 40..].fill(255);
    inspector.inspect(&defective).expect("a score");
    let anomaly = inspector.judge().anomaly();
    // smoothing reaches a pixel over the border
    assert!(anomaly[..15 * 32].iter().any(|&v| v != 0) && anomaly[18 * 32..].iter().all(|&v| v == 0));

    fs::remove_dir_all(bench.path("recipe")).expect("it is there");
    Picture::filled(10, 40, 1, 255)
        .save_png(&bench.path("mask.png"))
        .expect("writable");
    let output = bench
        .command(PROGRAM, &[], FEW)
        .arg("--mask")
        .arg(bench.path("mask.png"))
        .output()
        .expect("it starts");
    assert!(
        !output.status.success() && said(&output).contains("mask.png"),
        "{}",
        said(&output)
    );
}
