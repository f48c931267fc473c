//! All results of an evaluation, and their JSON.

use std::path::{Path, PathBuf};

use beltwatch_vision::judge::promise::Promise;
use serde::Serialize;

use super::{Counts, Metrics};

/// What `evaluate` found out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The data set's folder.
    #[serde(serialize_with = "lossy")]
    pub dataset: PathBuf,
    /// What was evaluated.
    pub recipe: RecipeFacts,
    /// Test pictures.
    pub counts: Counts,
    /// The deployed threshold: a score above it rejects a part.
    pub threshold: f64,
    /// The four rows.
    pub results: Results,
}

/// What a reader needs to know of the recipe.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RecipeFacts {
    /// The folder.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// SHA-256 of `recipe.toml`, which names those of the other files.
    pub sha256: String,
    /// The product.
    pub product: String,
    /// The network in one line.
    pub network: String,
    /// Program, pictures and seed of the training, in one line.
    pub training: String,
    /// The share of good parts that the threshold was set to reject, 0 to 1.
    pub false_reject_target: f64,
    /// How the threshold was found.
    pub threshold_basis: String,
    /// What it promises, where the recipe says how held-out good pictures score.
    pub promise: Option<Promise>,
    /// The scores of the pictures that were taught on, in the order of their names.
    pub taught_scores: Vec<f64>,
}

/// The rows that are not deployed, by the names under which a recipe's `comparison_thresholds` holds a
/// threshold for them.
pub const COMPARISON_ROWS: [&str; 3] = ["float_raw", "float_hee", "int8_raw"];

/// Float and int8 network, each with and without HEE. What was not run has no values.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Results {
    /// The network before quantisation, without HEE.
    pub float_raw: Metrics,
    /// The network before quantisation, with HEE.
    pub float_hee: Metrics,
    /// The network as the device runs it, without HEE.
    pub int8_raw: Metrics,
    /// What the device does.
    pub int8_hee: Metrics,
}

impl Results {
    /// The rows in the order of the table, each with its name for people.
    pub fn rows(&self) -> [(&'static str, &Metrics); 4] {
        [
            ("float, without HEE", &self.float_raw),
            ("float, with HEE", &self.float_hee),
            ("int8, without HEE", &self.int8_raw),
            ("int8, with HEE (device)", &self.int8_hee),
        ]
    }
}

/// A path need not be text, JSON must.
fn lossy<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl Evaluation {
    /// The JSON text, indented, with a line end.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("structs of strings and numbers have a JSON form") + "\n"
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::super::{DefectRate, table};
    use super::*;

    pub(in crate::evaluate) fn evaluation() -> Evaluation {
        let per_defect = vec![
            DefectRate {
                label: "cut".to_owned(),
                pictures: 8,
                found: 8,
                image_auroc: Some(1.0),
            },
            DefectRate {
                label: "glue <b>".to_owned(),
                pictures: 12,
                found: 9,
                image_auroc: Some(0.9132),
            },
        ];
        let int8_hee = Metrics {
            image_auroc: Some(0.948_71),
            image_ap: Some(0.91),
            pixel_auroc: None,
            false_reject_rate: Some(0.0208),
            miss_rate: Some(0.15),
            threshold: Some(3.5),
            per_defect,
            roc: vec![(0.0, 0.0), (0.0, 0.8), (0.1, 0.9), (1.0, 1.0)],
            ..Metrics::default()
        };
        Evaluation {
            dataset: PathBuf::from("data/leather"),
            recipe: RecipeFacts {
                sha256: "ab12".to_owned(),
                false_reject_target: 0.01,
                ..RecipeFacts::default()
            },
            counts: Counts {
                pictures: 68,
                good: 48,
                bad: 20,
                masks: 0,
            },
            threshold: 3.5,
            results: Results {
                int8_hee,
                ..Results::default()
            },
        }
    }

    #[test]
    fn json_has_every_key_and_null_for_what_is_not_known() {
        let json: serde_json::Value = serde_json::from_str(&evaluation().to_json()).expect("valid JSON");
        assert_eq!(json["recipe"]["sha256"], "ab12");
        let odd = Evaluation {
            dataset: OsStr::from_bytes(b"a\xff").into(),
            ..evaluation()
        };
        assert!(odd.to_json().contains("a\u{fffd}"));
        assert_eq!(
            (&json["threshold"], &json["counts"]["good"]),
            (&3.5.into(), &48.into())
        );
        let keys = [
            "image_auroc",
            "image_ap",
            "pixel_auroc",
            "pixel_ap",
            "aupro",
            "false_reject_rate",
            "miss_rate",
        ];
        for row in ["float_raw", "float_hee", "int8_raw", "int8_hee"] {
            let row = json["results"][row].as_object().expect("a row");
            assert!(keys.iter().all(|key| row.contains_key(*key)), "{row:?}");
            assert!(!row.contains_key("roc"));
        }
        assert!(json["results"]["float_raw"]["image_auroc"].is_null());
        assert!(json["results"]["int8_hee"]["pixel_auroc"].is_null());
        assert_eq!(json["results"]["int8_hee"]["image_auroc"], 0.948_71);
        assert_eq!(json["results"]["int8_hee"]["per_defect"][1]["found"], 9);
    }

    #[test]
    fn table_for_the_terminal() {
        let expected = "\
network                  image AUROC  image AP  pixel AUROC  pixel AP  AU-PRO 0.3  false rejects  missed
float, without HEE                 -         -            -         -           -              -       -
float, with HEE                    -         -            -         -           -              -       -
int8, without HEE                  -         -            -         -           -              -       -
int8, with HEE (device)       0.9487    0.9100            -         -           -          2.1 %  15.0 %

defect    pictures  found           image AUROC
cut              8      8  100.0 %       1.0000
glue <b>        12      9   75.0 %       0.9132
";
        let found = table::table(&evaluation());
        assert_eq!(found, expected, "\n{found}");
    }
}
