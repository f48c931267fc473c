//! `study`: what was measured is kept, and never taken for what was not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use beltwatch_vision::picture::Picture;
use beltwatch_vision::splitmix::mix;

const PROGRAM: &str = env!("CARGO_BIN_EXE_beltwatch-train");
/// No measurement of so few test pictures comes out as this.
const MARK: f64 = 0.123;

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().expect("a temporary folder"));
        for (folder, numbers) in [
            ("train/good", 0..12),
            ("test/good", 100..103),
            ("test/bad", 200..203),
        ] {
            fs::create_dir_all(bench.path("discs").join(folder)).expect("writable");
            numbers.for_each(|number| bench.add(folder, number));
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A picture of a disc with some noise.
    fn add(&self, folder: &str, number: usize) {
        let level = |i: usize| {
            let inside = (i % 40).abs_diff(20).pow(2) + (i / 40).abs_diff(20).pow(2) < 150;
            let noise = (mix(((number as u64) << 32) | i as u64) % 11) as u8;
            noise + if inside { 170 } else { 50 }
        };
        let picture = Picture {
            width: 40,
            height: 40,
            channels: 1,
            data: (0..1600).map(level).collect(),
        };
        picture
            .save_png(&self.path("discs").join(folder).join(format!("{number}.png")))
            .expect("writable");
    }

    fn study(&self, steps: usize) -> Output {
        let plan = format!(
            "title = \"Discs\"\ndata = \".\"\ncategories = [\"discs\"]\nseeds = [1]\npreset = \
             \"quick\"\nsize = 32\nsteps = {steps}\n\
             [[variant]]\nname = \"default\"\n"
        );
        fs::write(self.path("study.toml"), plan).expect("writable");
        let mut command = Command::new(PROGRAM);
        command
            .arg("study")
            .arg(self.path("study.toml"))
            .arg("--out")
            .arg(self.path("out"))
            .args(["--device", "cpu"]);
        command.output().expect("the program starts")
    }

    fn results(&self) -> PathBuf {
        self.path("out/discs/default/seed-1/results.json")
    }

    fn image_auroc(&self) -> f64 {
        read(&self.results())["image_auroc"].as_f64().expect("a number")
    }

    /// So that it is seen whether it is measured again.
    fn mark(&self) {
        let mut results = read(&self.results());
        results["image_auroc"] = MARK.into();
        fs::write(self.results(), results.to_string()).expect("writable");
    }
}

fn read(path: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON")
}

fn done(output: &Output) {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn results_are_kept_as_long_as_they_are_those_of_the_study() {
    let bench = Bench::new();
    done(&bench.study(2));
    bench.mark();
    let again = bench.study(2);
    done(&again);
    assert!(
        String::from_utf8_lossy(&again.stdout).contains("0.123"),
        "it is kept, and in the table"
    );

    bench.add("train/good", 50);
    done(&bench.study(2));
    assert!(bench.image_auroc() != MARK, "other pictures were taught");

    bench.mark();
    fs::rename(bench.path("discs/test"), bench.path("aside")).expect("writable");
    assert!(!bench.study(3).status.success(), "taught, but not to be tested");
    fs::rename(bench.path("aside"), bench.path("discs/test")).expect("writable");
    done(&bench.study(3));
    assert!(bench.image_auroc() != MARK, "two steps are not three");
}
