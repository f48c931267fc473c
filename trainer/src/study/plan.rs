//! A study as a file.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::teach::Preset;
use crate::teach::config::TeachConfig;

/// `STUDY.toml`. Unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What it asks.
    pub title: String,
    /// The folder of the categories, as seen from the file; `--data` replaces it.
    #[serde(default)]
    pub data: PathBuf,
    /// Folders in MVTec layout.
    pub categories: Vec<String>,
    /// Where chance comes from; three for any claim.
    pub seeds: Vec<u64>,
    /// As for `teach`.
    #[serde(default)]
    pub preset: Preset,
    /// In place of what `teach` decides.
    pub size: Option<usize>,
    /// In place of the preset's.
    pub steps: Option<usize>,
    /// What is compared.
    #[serde(rename = "variant")]
    pub variants: Vec<Variant>,
}

/// What differs from that which `teach` decides.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// For the table.
    pub name: String,
    /// In place of the study's.
    pub size: Option<usize>,
    /// Keys of a teaching configuration, as `"train.network.items" = 100`.
    #[serde(default)]
    pub set: toml::Table,
}

/// Why a study cannot begin.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum PlanError {
    #[error("{path}: {message}")]
    Read {
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    #[error("{path}: variant `{variant}`: {message}")]
    Variant {
        path: PathBuf,
        variant: String,
        message: String,
    },
}

impl Plan {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let bad = |message: String| PlanError::Read {
            path: path.to_owned(),
            message,
        };
        let text = std::fs::read_to_string(path).map_err(|e| bad(format!("cannot be read: {e}")))?;
        let plan: Self = toml::from_str(&text).map_err(|e| bad(e.to_string()))?;
        for (list, empty) in [
            ("categories", plan.categories.is_empty()),
            ("seeds", plan.seeds.is_empty()),
            ("variant", plan.variants.is_empty()),
        ] {
            if empty {
                return Err(bad(format!("{list} is empty: give at least one")));
            }
        }
        for (place, variant) in plan.variants.iter().enumerate() {
            if plan.variants[..place]
                .iter()
                .any(|other| other.folder() == variant.folder())
            {
                return Err(bad(format!("two variants are called `{}`", variant.name)));
            }
        }
        if let Some(category) = plan
            .categories
            .iter()
            .find(|c| c.is_empty() || c.contains(['/', '\\']) || c.starts_with('.'))
        {
            return Err(bad(format!("categories: `{category}` is no name of a folder")));
        }
        Ok(plan)
    }

    /// The folder of the categories where `--data` does not say it.
    pub fn data_beside(&self, path: &Path) -> PathBuf {
        path.parent().unwrap_or(Path::new("")).join(&self.data)
    }
}

impl Variant {
    /// Its name as a folder's.
    pub fn folder(&self) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        };
        self.name.chars().map(plain).collect()
    }

    /// `config` with the variant's keys, or what is wrong with them.
    pub fn change(&self, config: &TeachConfig) -> Result<TeachConfig, String> {
        let mut table = toml::Table::try_from(config).map_err(|e| e.to_string())?;
        for (key, value) in &self.set {
            let (path, last) = key
                .rsplit_once('.')
                .ok_or(format!("`{key}` is no key like train.steps"))?;
            let inner = path
                .split('.')
                .try_fold(&mut table, |table, part| table.get_mut(part)?.as_table_mut());
            inner
                .ok_or(format!("there is no `{path}` in a teaching configuration"))?
                .insert(last.to_owned(), value.clone());
        }
        table
            .try_into()
            .map_err(|e: toml::de::Error| e.to_string().trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use beltwatch_vision::picture::Picture;
    use beltwatch_vision::preprocess::PictureShape;

    use super::*;
    use crate::train::Device;

    fn read(text: &str) -> Result<Plan, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("study.toml");
        std::fs::write(&path, text).expect("writable");
        Plan::read(&path).map_err(|e| e.to_string())
    }

    const GOOD: &str = "title = \"t\"\ncategories = [\"a\"]\nseeds = [1, 2]\npreset = \"quick\"\n\
                        [[variant]]\nname = \"default\"\n[[variant]]\nname = \"No head\"\n\
                        set = { \"train.network.head\" = [], \"recipe.forms\" = [\"absolute\"] }\n";

    #[test]
    fn variants_change_what_teach_decides() {
        let plan = read(GOOD).expect("a good study");
        let base = TeachConfig::decide(
            plan.preset,
            Device::Cpu,
            &vec![Picture::filled(32, 32, 1, 9); 2],
            1,
            PictureShape::default(),
        )
        .config;
        assert_eq!(plan.variants[0].change(&base).expect("nothing to change"), base);
        let changed = plan.variants[1].change(&base).expect("good keys");
        assert_eq!(changed.train.network.head, Vec::<usize>::new());
        assert_eq!(changed.recipe.forms.len(), 1);
        assert_eq!(
            (plan.variants[1].folder().as_str(), plan.seeds),
            ("no-head", vec![1, 2])
        );
    }

    #[test]
    fn every_study_of_the_repository_can_begin() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("studies");
        let files = std::fs::read_dir(folder)
            .expect("studies")
            .map(|entry| entry.expect("readable").path());
        let studies: Vec<PathBuf> = files
            .filter(|path| path.extension().is_some_and(|e| e == "toml"))
            .collect();
        assert!(!studies.is_empty());
        for path in studies {
            let plan = Plan::read(&path).expect("a good study");
            let base = TeachConfig::decide(plan.preset, Device::Cpu, &[], 3, PictureShape::default()).config;
            for variant in &plan.variants {
                let changed = variant.change(&base).map(|config| config.validate());
                assert!(
                    matches!(changed, Ok(Ok(()))),
                    "{}, {}: {changed:?}",
                    path.display(),
                    variant.name
                );
            }
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (from, to, named) in [
            ("seeds = [1, 2]", "seeds = []", "seeds is empty"),
            ("seeds", "sedes", "sedes"),
            ("No head", "DEFAULT", "two variants"),
            ("\"a\"", "\"../a\"", "no name of a folder"),
        ] {
            let error = read(&GOOD.replace(from, to)).expect_err(to);
            assert!(error.contains(named) && error.contains("study.toml"), "{error}");
        }
        let base = TeachConfig::decide(Preset::Quick, Device::Cpu, &[], 1, PictureShape::default()).config;
        for (from, named) in [
            ("train.netwrok.head", "train.netwrok"),
            ("train.network.haed", "haed"),
            ("steps", "`steps`"),
        ] {
            let plan = read(&GOOD.replace("train.network.head", from)).expect("a good file");
            let error = plan.variants[1].change(&base).expect_err(from);
            assert!(error.contains(named), "{error}");
        }
    }
}
