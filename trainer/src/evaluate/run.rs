//! Runs a recipe over a test set: the int8 network through the device's own code, the float network beside
//! it.

use std::path::PathBuf;
use std::{fs, io};

use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::judge::promise::Promise;
use beltwatch_vision::picture::Picture;
use beltwatch_vision::recipe::{self, FLOAT_MODEL_FILE, Recipe};

use super::error::EvaluateError;
use super::json::{COMPARISON_ROWS, Evaluation, RecipeFacts, Results};
use super::report::{self, PictureScore, Report};
use super::rows::{FloatNetwork, Row, cases, pass};
use super::table::table;
use super::{Counts, panels};
use crate::dataset::{Dataset, TestPicture};
use crate::say;

/// What to evaluate.
#[derive(Clone, Debug)]
pub struct EvaluateArgs {
    /// The recipe's folder.
    pub recipe: PathBuf,
    /// A data set with test pictures.
    pub data: PathBuf,
    /// The JSON file to write the results to.
    pub json: Option<PathBuf>,
    /// The file to write the report to.
    pub report: Option<PathBuf>,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The results.
    pub evaluation: Evaluation,
    /// What a reader should know, such as why a row is empty.
    pub notes: Vec<String>,
}

/// Evaluates a recipe, writes what was asked for, and prints the table.
pub fn run(args: &EvaluateArgs) -> Result<Evaluated, EvaluateError> {
    let outcome = evaluate(args)?;
    let counts = outcome.evaluation.counts;
    let mut text = format!(
        "{} test pictures: {} good, {} bad\n\n",
        counts.pictures, counts.good, counts.bad
    );
    text += &table(&outcome.evaluation);
    for note in &outcome.notes {
        text += &format!("\n{note}\n");
    }
    if let Some(page) = &args.report {
        text += &format!("\nreport: {}\n", page.display());
    }
    match say::out(text.trim_end()) {
        // the reader of a pipe went away: it has seen what it wanted
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(EvaluateError::Output(e)),
        _ => Ok(outcome),
    }
}

/// Evaluates a recipe and writes what was asked for.
pub fn evaluate(args: &EvaluateArgs) -> Result<Evaluated, EvaluateError> {
    if let Some(path) = &args.json {
        // better now than after all the work
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        file.map_err(|source| EvaluateError::Json {
            path: path.clone(),
            source,
        })?;
    }
    if let Some(path) = &args.report {
        report::prepare(path)?;
    }
    let dataset = Dataset::open(&args.data)?;
    let recipe = Recipe::load(&args.recipe)?;
    let cases = cases(dataset.for_testing()?, recipe.manifest.input.size)?;
    let mut inspector = Inspector::new(&recipe)?;
    let mut notes = Vec::new();
    let (known, test_set) = hashes(dataset.for_testing()?, &recipe)?;
    if known > 0 {
        notes.push(format!(
            "{known} of the test pictures went into the recipe when it was taught or calibrated: they say \
             nothing of other parts."
        ));
    }
    let score = &recipe.manifest.score;
    let [float_raw, float_hee, int8_raw] =
        COMPARISON_ROWS.map(|row| score.comparison_thresholds.get(row).copied());

    let [raw, hee] = pass(
        "int8",
        &cases,
        &mut inspector,
        Row::pair(&recipe, [int8_raw, Some(score.threshold)]),
    )?;
    let scored = hee.scored;
    let mut results = Results {
        int8_raw: raw.metrics,
        int8_hee: hee.metrics,
        ..Results::default()
    };
    if let Some(mut network) = FloatNetwork::open(&recipe)? {
        let [raw, hee] = pass(
            "float",
            &cases,
            &mut network,
            Row::pair(&recipe, [float_raw, float_hee]),
        )?;
        (results.float_raw, results.float_hee) = (raw.metrics, hee.metrics);
    } else {
        notes.push(format!(
            "The recipe has no {FLOAT_MODEL_FILE}, so the float rows were not run."
        ));
    }
    if score.comparison_thresholds.is_empty() {
        notes.push(
            "Only the device's row has a threshold: the recipe was calibrated with more pictures since it \
             was taught."
                .into(),
        );
    }

    let evaluation = Evaluation {
        dataset: args.data.clone(),
        recipe: facts(&recipe),
        counts: Counts::of(&scored),
        threshold: score.threshold.to_f64(),
        results,
    };
    if let Some(path) = &args.json {
        let written = fs::write(path, evaluation.to_json());
        written.map_err(|source| EvaluateError::Json {
            path: path.clone(),
            source,
        })?;
    }
    if let Some(path) = &args.report {
        let sections = panels::sections(&dataset.root, &scored, &mut inspector)?;
        let scores: Vec<PictureScore> = scored
            .iter()
            .map(|s| PictureScore {
                score: s.score,
                good: s.good(),
            })
            .collect();
        let tested = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
        let report = Report {
            evaluation: &evaluation,
            tested: &tested,
            test_set: &test_set,
            scores: &scores,
            sections: &sections,
            notes: &notes,
        };
        report::write(path, &report)?;
    }
    Ok(Evaluated { evaluation, notes })
}

/// How many of the test pictures the recipe has seen, and the SHA-256 of the list of theirs, a line each in
/// the set's order.
fn hashes(pictures: &[TestPicture], recipe: &Recipe) -> Result<(usize, String), EvaluateError> {
    let (mut known, mut list) = (0, String::new());
    for TestPicture { path, .. } in pictures {
        let sha256 = recipe::sha256_hex(&Picture::read(path)?);
        known += usize::from(recipe.manifest.pictures.contains_key(&sha256));
        list += &(sha256 + "\n");
    }
    Ok((known, recipe::sha256_hex(list.as_bytes())))
}

fn facts(recipe: &Recipe) -> RecipeFacts {
    let (training, score) = (&recipe.manifest.training, &recipe.manifest.score);
    let unfinished = if training.finished { "" } else { ", stopped early" };
    RecipeFacts {
        path: recipe.folder.clone(),
        sha256: recipe.sha256.clone(),
        product: recipe.manifest.product.clone(),
        network: training.network.clone(),
        training: format!(
            "{}: {} good pictures taught, {} held out, seed {}, {} steps{unfinished}",
            training.program, training.pictures, training.held_out, training.seed, training.steps
        ),
        false_reject_target: score.false_reject_target,
        threshold_basis: score.threshold_basis.clone(),
        promise: Promise::of(&score.held_out_scores, score.threshold),
        taught_scores: score.taught_scores.iter().map(|s| s.to_f64()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use beltwatch_vision::judge::difference::Form;
    use beltwatch_vision::judge::hee::{Estimator, Hee};
    use beltwatch_vision::judge::region::Regions;
    use beltwatch_vision::judge::score::{Pooling, Score};
    use beltwatch_vision::recipe::{
        self, DifferenceSettings, FORMAT, Golden, Input, MANIFEST_FILE, MODEL_FILE, Manifest, ScoreSettings,
        Training,
    };

    use super::*;
    use crate::network::folded::{Conv, FoldedNetwork, FoldedNetworks, Side, UpConv};
    use crate::quantise::{export, export_float, quantise};

    const SIZE: usize = 32;

    /// A recipe whose network draws every picture in middle grey, so that scores are known beforehand.
    fn grey_recipe(folder: &Path, with_float: bool) {
        let encoder = vec![Conv {
            outputs: 4,
            inputs: 1,
            weight: vec![0.01; 36],
            bias: vec![0.0; 4],
        }];
        let decoder = vec![UpConv {
            inputs: 4,
            outputs: 1,
            weight: vec![0.0; 64],
            bias: vec![0.0],
        }];
        let network = FoldedNetwork {
            size: SIZE,
            channels: 1,
            encoder,
            sides: vec![Side::None],
            decoder,
        };
        let network = FoldedNetworks {
            reconstruction: network,
            head: None,
        };
        let quantised = quantise(&network, &[part(0), part(90)], &[]).expect("a valid network");
        fs::write(folder.join(MODEL_FILE), export(&quantised)).expect("writable");
        let mut names = vec![MODEL_FILE.to_owned()];
        if with_float {
            fs::write(folder.join(FLOAT_MODEL_FILE), export_float(&network)).expect("writable");
            names.push(FLOAT_MODEL_FILE.to_owned());
        }
        let comparison = ["float_hee", "int8_raw"].map(|row| (row.to_owned(), Score::from_f64(15.0)));
        let manifest = Manifest {
            format: FORMAT,
            product: "grey tiles".to_owned(),
            input: Input {
                size: SIZE,
                channels: 1,
                pictures: vec![],
            },
            position: None,
            regions: Regions::default(),
            difference: DifferenceSettings {
                forms: vec![Form::Absolute],
                noise_map: false,
                fraction_bits: 0,
            },
            hee: Hee {
                estimator: Estimator::Fixed(3),
                cap: 255,
            },
            score: ScoreSettings {
                smoothing_sigma: 0.0,
                pooling: Pooling::Max,
                threshold: Score::from_f64(50.0),
                false_reject_target: 0.01,
                threshold_basis: "by hand".to_owned(),
                held_out_scores: Vec::new(),
                taught_scores: Vec::new(),
                comparison_thresholds: BTreeMap::from(comparison),
            },
            training: Training {
                program: "test".to_owned(),
                pictures: 2,
                held_out: 0,
                seed: 1,
                steps: 0,
                finished: true,
                final_loss: None,
                network: "grey".to_owned(),
            },
            files: BTreeMap::new(),
            golden: vec![Golden {
                file: "golden.png".to_owned(),
                shows: "good".to_owned(),
                score: Score(0),
            }],
            pictures: BTreeMap::new(),
        };
        part(0).save_png(&folder.join("golden.png")).expect("writable");
        names.push("golden.png".to_owned());
        recipe::write(folder, manifest, &names).expect("a valid recipe");
    }

    /// A grey part with a square that differs by `contrast` levels.
    fn part(contrast: u8) -> Picture {
        let mut picture = Picture::filled(SIZE, SIZE, 1, 128);
        (8..16).for_each(|y| picture.data[y * SIZE + 20..][..8].fill(128 + contrast));
        picture
    }

    fn save(root: &Path, file: &str, picture: &Picture) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().expect("inside the root")).expect("writable");
        picture.save_png(&path).expect("writable");
    }

    fn mask(size: usize) -> Picture {
        let mut mask = Picture {
            data: part(90).data.iter().map(|&v| u8::from(v > 128)).collect(),
            ..part(0)
        };
        mask.data.truncate(size * size);
        Picture {
            width: size,
            height: size,
            ..mask
        }
    }

    #[test]
    fn scores_known_beforehand() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (data, folder) = (root.path().join("data"), root.path().join("recipe"));
        fs::create_dir(&folder).expect("writable");
        grey_recipe(&folder, true);
        for (file, contrast) in [
            ("good/0", 0),
            ("good/1", 2),
            ("good/2", 60),
            ("dent/0", 90),
            ("dent/1", 20),
        ] {
            save(&data, &format!("test/{file}.png"), &part(contrast));
        }
        for name in ["0", "1"] {
            save(&data, &format!("ground_truth/dent/{name}_mask.png"), &mask(SIZE));
        }
        let args = EvaluateArgs {
            recipe: folder.clone(),
            data,
            json: Some(root.path().join("results.json")),
            report: Some(root.path().join("report.html")),
        };
        let outcome = evaluate(&args).expect("an evaluation");
        assert_eq!(
            outcome.evaluation.counts,
            Counts {
                pictures: 5,
                good: 3,
                bad: 2,
                masks: 2
            }
        );
        let results = &outcome.evaluation.results;
        // of the six pairs only (20, 60) is in the wrong order
        assert!(
            results
                .rows()
                .iter()
                .all(|(_, row)| row.image_auroc == Some(5.0 / 6.0)),
            "{results:?}"
        );
        // with HEE 57, 87 and 17 against 50; without HEE 60, 90 and 20 against 15
        let rates = |row: &super::super::Metrics| (row.false_reject_rate, row.miss_rate);
        assert_eq!(rates(&results.int8_hee), (Some(1.0 / 3.0), Some(0.5)));
        assert_eq!(rates(&results.int8_raw), (Some(1.0 / 3.0), Some(0.0)));
        assert_eq!(rates(&results.float_hee), (Some(1.0 / 3.0), Some(0.0)));
        assert_eq!(
            rates(&results.float_raw),
            (None, None),
            "the recipe has no threshold for this row"
        );
        assert!(results.int8_hee.pixel_auroc.is_some_and(|v| v > 0.8) && results.int8_hee.aupro.is_some());
        let json = fs::read_to_string(root.path().join("results.json")).expect("the JSON file");
        assert_eq!(json, outcome.evaluation.to_json());
        let page = fs::read_to_string(root.path().join("report.html")).expect("the page");
        for shown in ["grey tiles", "by hand"] {
            assert!(page.contains(shown), "{shown}");
        }
        // a panel for the reject, the miss and the find; the good one has no mask
        let panels: Vec<_> = page
            .split("<article")
            .skip(1)
            .map(|panel| panel.matches("<img").count())
            .collect();
        assert_eq!(panels, [4, 5, 5]);
    }

    #[test]
    fn without_a_float_model_its_rows_are_empty_and_a_note_says_so() {
        let root = tempfile::tempdir().expect("a temporary folder");
        grey_recipe(root.path(), false);
        let data = root.path().join("data");
        save(&data, "test/good/0.png", &part(0));
        save(&data, "test/dent/0.png", &part(90));
        let args = EvaluateArgs {
            recipe: root.path().to_owned(),
            data: data.clone(),
            json: None,
            report: None,
        };
        let outcome = evaluate(&args).expect("an evaluation");
        assert_eq!(
            outcome.evaluation.results.float_hee,
            super::super::Metrics::default()
        );
        assert_eq!(outcome.evaluation.results.int8_hee.miss_rate, Some(0.0));
        assert!(
            outcome.notes.iter().any(|note| note.contains(FLOAT_MODEL_FILE)),
            "{:?}",
            outcome.notes
        );

        save(&data, "ground_truth/dent/0_mask.png", &mask(SIZE / 2));
        let error = evaluate(&args).expect_err("a mask of another size").to_string();
        assert!(
            error.contains("0_mask.png: the mask is 16x16, its picture 32x32"),
            "{error}"
        );
        fs::remove_file(root.path().join(MANIFEST_FILE)).expect("removable");
        assert!(
            evaluate(&args)
                .expect_err("no recipe")
                .to_string()
                .contains(MANIFEST_FILE)
        );
    }
}
