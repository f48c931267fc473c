//! Recipes that are not whole are refused, each with what is wrong and what to do.

use std::fs;
use std::path::{Path, PathBuf};

use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::picture::Picture;
use beltwatch_vision::preprocess::{Pose, Preprocessor, resampled};
use beltwatch_vision::recipe::{Recipe, RecipeError, sha256_hex};
use beltwatch_vision::reconstruct::ReconstructError;

/// A copy of the shipped recipe that a test may break.
struct Copy(tempfile::TempDir);

impl Copy {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/demo");
        copy(&from, dir.path());
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Replaces text in the manifest.
    fn edit(&self, from: &str, to: &str) {
        let path = self.path("recipe.toml");
        let text = fs::read_to_string(&path).expect("readable");
        assert!(text.contains(from), "{from} is not in the manifest");
        fs::write(path, text.replacen(from, to, 1)).expect("writable");
    }

    /// Replaces a file and its hash.
    fn replace(&self, name: &str, bytes: &[u8]) {
        let old = sha256_hex(&fs::read(self.path(name)).expect("readable"));
        fs::write(self.path(name), bytes).expect("writable");
        self.edit(&old, &sha256_hex(bytes));
    }

    /// Adds a file and names it in the manifest.
    fn add(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("writable");
        self.edit(
            "[files]\n",
            &format!("[files]\n\"{name}\" = \"{}\"\n", sha256_hex(bytes)),
        );
    }

    fn error(&self) -> RecipeError {
        match Recipe::load(self.0.path()).and_then(|recipe| Inspector::new(&recipe)) {
            Ok(_) => panic!("the recipe must be refused"),
            Err(error) => error,
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from)
        .expect("the shipped recipe")
        .map(|e| e.expect("readable"))
    {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).expect("writable");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("writable");
        }
    }
}

#[test]
fn the_shipped_recipe_passes_its_self_test() {
    let copy = Copy::new();
    let recipe = Recipe::load(copy.0.path()).expect("whole");
    assert!(!recipe.manifest.golden.is_empty());
    Inspector::new(&recipe).expect("its golden pictures get their scores");
}

#[test]
fn a_folder_that_is_no_recipe() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let error = Recipe::load(dir.path()).expect_err("empty").to_string();
    assert!(
        error.contains("recipe.toml") && error.contains("Is this a recipe folder?"),
        "{error}"
    );
}

#[test]
fn a_changed_file() {
    let copy = Copy::new();
    let mut model = fs::read(copy.path("model.onnx")).expect("readable");
    let middle = model.len() / 2;
    model[middle] ^= 1;
    fs::write(copy.path("model.onnx"), model).expect("writable");
    assert!(matches!(copy.error(), RecipeError::Hash { path, .. } if path.ends_with("model.onnx")));
}

#[test]
fn an_unknown_key_with_its_line() {
    let copy = Copy::new();
    copy.edit("smoothing_sigma", "smothing_sigma");
    let error = copy.error().to_string();
    assert!(
        error.contains("smothing_sigma") && error.contains("line "),
        "{error}"
    );
}

#[test]
fn another_version() {
    let copy = Copy::new();
    copy.edit("format = 2", "format = 3");
    assert!(matches!(
        copy.error(),
        RecipeError::Version {
            found: 3,
            supported: 2,
            ..
        }
    ));
}

#[test]
fn a_setting_out_of_range_and_a_path_that_leaves_the_folder() {
    let copy = Copy::new();
    copy.edit("channels = 3", "channels = 4");
    assert!(matches!(
        copy.error(),
        RecipeError::Range {
            key: "input.channels",
            ..
        }
    ));
    let copy = Copy::new();
    copy.edit("\"noise_absolute_mean.png\"", "\"../noise_absolute_mean.png\"");
    assert!(matches!(copy.error(), RecipeError::Range { key: "files", .. }));
}

/// The shipped recipe, with position correction to where the first golden picture lies.
fn corrected() -> (Copy, Picture) {
    let copy = Copy::new();
    copy.edit(
        "[difference]",
        "[position]\nshift = 8.0\nturn = 5.0\n\n[difference]",
    );
    let part = Picture::open(&copy.path("golden/good-0.png")).expect("a golden picture");
    // made as the trainer makes it: what the network sees, in grey
    let mut seen = Picture::default();
    Preprocessor::new(128, 3, &[])
        .apply(&part, &mut seen)
        .expect("any picture");
    seen.with_channels(1)
        .save_png(&copy.path("position.png"))
        .expect("writable");
    let bytes = fs::read(copy.path("position.png")).expect("readable");
    copy.add("position.png", &bytes);
    (copy, part)
}

#[test]
fn a_part_that_lies_askew_is_brought_to_its_place() {
    let (copy, part) = corrected();
    let mut inspector =
        Inspector::untested(&Recipe::load(copy.0.path()).expect("whole")).expect("a good network");
    let in_place = inspector.inspect(&part).expect("a verdict").score;
    assert_eq!(inspector.pose(), Pose::default());
    // the part moves as what is seen of it does when the picture is resampled the other way
    let askew = resampled(&part, Pose::new(-7.0, 5.0, -3.0));
    let corrected = inspector.inspect(&askew).expect("a verdict").score;
    let ([x, y], degrees) = (inspector.pose().shift(), inspector.pose().degrees());
    assert!((2.5..4.5).contains(&x) && (-3.5..-1.5).contains(&y), "{x} {y}");
    assert!((2.8..3.2).contains(&degrees), "{degrees}");
    let mut uncorrected =
        Inspector::new(&Recipe::load(Copy::new().0.path()).expect("whole")).expect("a good network");
    let uncorrected = uncorrected.inspect(&askew).expect("a verdict").score;
    assert!(
        corrected < uncorrected && in_place < uncorrected,
        "{in_place} {corrected} {uncorrected}"
    );
}

#[test]
fn a_reference_that_does_not_fit() {
    let (copy, part) = corrected();
    part.save_png(&copy.path("another.png")).expect("writable");
    copy.replace(
        "position.png",
        &fs::read(copy.path("another.png")).expect("readable"),
    );
    assert!(matches!(copy.error(), RecipeError::Reference { size: 128, .. }));
    let (copy, _) = corrected();
    copy.edit("turn = 5.0", "turn = 181.0");
    assert!(matches!(
        copy.error(),
        RecipeError::Range {
            key: "position.turn",
            ..
        }
    ));
    let copy = Copy::new();
    copy.edit(
        "[difference]",
        "[position]\nshift = 8.0\nturn = 5.0\n\n[difference]",
    );
    assert!(copy.error().to_string().contains("does not name position.png"));
}

#[test]
fn a_truncated_model() {
    let copy = Copy::new();
    let model = fs::read(copy.path("model.onnx")).expect("readable");
    for length in [0, 1, 100, model.len() / 3, model.len() - 1] {
        copy.replace("model.onnx", &model[..length]);
        assert!(
            matches!(copy.error(), RecipeError::Model { .. }),
            "{length} bytes"
        );
    }
}

#[test]
fn a_network_for_another_size() {
    let copy = Copy::new();
    copy.edit("size = 128", "size = 160");
    let error = copy.error();
    assert!(
        matches!(error, RecipeError::Model { .. } | RecipeError::NoiseMap { .. }),
        "{error}"
    );
}

#[test]
fn a_golden_picture_with_another_score() {
    let copy = Copy::new();
    let recipe = Recipe::load(copy.0.path()).expect("whole");
    let score = recipe.manifest.golden[0].score.to_f64();
    copy.edit(
        &format!("score = {score:?}"),
        &format!("score = {:?}", score + 1.0 / 256.0),
    );
    let error = copy.error();
    assert!(matches!(error, RecipeError::GoldenMismatch { .. }), "{error}");
    assert!(error.to_string().contains("self-test failed"));
}

#[test]
fn a_model_with_external_data() {
    use tract_onnx::pb::{ModelProto, TensorProto, tensor_proto::DataLocation};
    use tract_onnx::prelude::*;
    let copy = Copy::new();
    let mut model: ModelProto = tract_onnx::onnx()
        .proto_model_for_path(copy.path("model.onnx"))
        .expect("readable");
    let graph = model.graph.as_mut().expect("a graph");
    let tensor: &mut TensorProto = graph.initializer.last_mut().expect("weights");
    tensor.data_location = Some(DataLocation::External as i32);
    let bytes = prost::Message::encode_to_vec(&model);
    copy.replace("model.onnx", &bytes);
    let error = copy.error();
    assert!(
        matches!(
            &error,
            RecipeError::Model {
                source: ReconstructError::ExternalData { .. },
                ..
            }
        ),
        "{error}"
    );
}
