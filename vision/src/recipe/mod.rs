//! Recipes: a folder with all that a product needs to be judged.
//!
//! | file | what |
//! | --- | --- |
//! | `recipe.toml` | the [`Manifest`]: settings, threshold, training summary, SHA-256 of every other file |
//! | `model.onnx` | the int8 network |
//! | `noise_FORM_mean.png`, `noise_FORM_spread.png` | the noise map of each form, 16-bit grey, Q8.8 levels |
//! | `position.png` | where `[position]` is: the reference of position correction, 8-bit grey |
//! | `golden/*.png` | pictures with their expected scores: the self-test at load |
//! | `float.onnx` | the network before quantisation, for `evaluate` only; may be missing |

mod error;
mod files;
mod manifest;

use std::path::{Path, PathBuf};

use crate::judge::difference::deviation::NoiseMap;
use crate::picture::Picture;
use crate::preprocess::Preprocessor;

pub use error::RecipeError;
pub use files::{MODEL_FILE, PARTIAL, POSITION_FILE, save_noise_map, sha256_hex, write};
pub use manifest::{
    DifferenceSettings, FORMAT, Golden, Input, Manifest, ScoreSettings, Training, is_false_reject_target,
    is_size,
};

/// The name of the manifest in its folder.
pub const MANIFEST_FILE: &str = "recipe.toml";
/// The network before quantisation. Not part of what a device needs.
pub const FLOAT_MODEL_FILE: &str = "float.onnx";

/// A recipe whose files are whole: read, limits checked, every hash compared.
///
/// ```
/// use beltwatch_vision::recipe::Recipe;
///
/// let recipe = Recipe::load("../models/demo".as_ref())?;
/// assert_eq!(recipe.manifest.input.size, 128);
/// println!("{recipe} rejects above {}", recipe.manifest.score.threshold);
/// # Ok::<(), beltwatch_vision::recipe::RecipeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The folder.
    pub folder: PathBuf,
    /// `recipe.toml`.
    pub manifest: Manifest,
    /// The bytes of `model.onnx`.
    pub model: Vec<u8>,
    /// The noise map of each form, or none.
    pub noise: Vec<NoiseMap>,
    /// The reference of position correction, grey, of the network's size; there where `manifest.position` is.
    pub reference: Option<Picture>,
    /// SHA-256 of `recipe.toml`: it covers every other file through their hashes in it.
    pub sha256: String,
}

impl std::fmt::Display for Recipe {
    /// The product and the beginning of the hash.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.manifest.product, &self.sha256[..12])
    }
}

impl Recipe {
    /// Reads and checks a recipe folder. What the network answers is checked by
    /// [`Inspector::new`](crate::inspect::Inspector::new), not here.
    pub fn load(folder: &Path) -> Result<Self, RecipeError> {
        files::load(folder)
    }

    /// What makes the network's input of a camera's picture.
    pub fn preprocessor(&self) -> Preprocessor {
        let input = &self.manifest.input;
        let preprocessor = Preprocessor::new(input.size, input.channels, &input.pictures);
        match (&self.reference, self.manifest.position) {
            (Some(reference), Some(limits)) => preprocessor.with_position(reference, limits),
            _ => preprocessor,
        }
    }
}
