//! Reading and writing recipe folders.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageBuffer, ImageFormat, ImageReader, Luma};
use sha2::{Digest, Sha256};

use crate::judge::difference::Form;
use crate::judge::difference::deviation::NoiseMap;
use crate::picture::Picture;
use crate::recipe::{FLOAT_MODEL_FILE, MANIFEST_FILE, Manifest, Recipe, RecipeError};

/// The int8 network.
pub const MODEL_FILE: &str = "model.onnx";
/// The reference of position correction.
pub const POSITION_FILE: &str = "position.png";
/// The manifest until it is written whole.
pub const PARTIAL: &str = "recipe.toml.partial";

/// The files of a form's noise map: mean and spread.
fn noise_files(form: Form) -> [String; 2] {
    ["mean", "spread"].map(|plane| format!("noise_{}_{plane}.png", form.name()))
}

/// The SHA-256 of some bytes in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, RecipeError> {
    fs::read(path).map_err(|source| RecipeError::Read {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn load(folder: &Path) -> Result<Recipe, RecipeError> {
    let path = folder.join(MANIFEST_FILE);
    let bytes = read(&path)?;
    let text = std::str::from_utf8(&bytes).map_err(|e| RecipeError::Manifest {
        path: path.clone(),
        message: format!("is not UTF-8 text: {e}"),
    })?;
    let manifest = Manifest::parse(text, &path)?;
    let mut contents = BTreeMap::new();
    for (name, expected) in &manifest.files {
        let file = folder.join(name);
        // it is not part of what a device runs, so a device's copy may leave it out
        if name == FLOAT_MODEL_FILE && !file.exists() {
            continue;
        }
        let content = read(&file)?;
        let found = sha256_hex(&content);
        if found != *expected {
            return Err(RecipeError::Hash {
                path: file,
                expected: expected.clone(),
                found,
            });
        }
        contents.insert(name.as_str(), content);
    }
    let mut take = |name: &str| {
        let unlisted = || RecipeError::Manifest {
            path: path.clone(),
            message: format!("[files] does not name {name}"),
        };
        contents.remove(name).ok_or_else(unlisted)
    };
    let model = take(MODEL_FILE)?;
    let size = manifest.input.size;
    let mut noise = Vec::new();
    for &form in manifest
        .difference
        .forms
        .iter()
        .filter(|_| manifest.difference.noise_map)
    {
        let [mean, spread] = noise_files(form)
            .map(|name| take(&name).and_then(|b| decode_plane(&b, &folder.join(&name), size)));
        noise.push(NoiseMap {
            mean: mean?,
            spread: spread?,
            fraction_bits: manifest.difference.fraction_bits,
        });
    }
    let reference = match manifest.position {
        Some(_) => Some(decode_reference(
            &take(POSITION_FILE)?,
            &folder.join(POSITION_FILE),
            size,
        )?),
        None => None,
    };
    Ok(Recipe {
        folder: folder.to_owned(),
        sha256: sha256_hex(&bytes),
        model,
        noise,
        reference,
        manifest,
    })
}

fn decode_reference(bytes: &[u8], path: &Path, size: usize) -> Result<Picture, RecipeError> {
    let bad = || RecipeError::Reference {
        path: path.to_owned(),
        size,
    };
    match ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png)
        .decode()
        .map_err(|_| bad())?
    {
        DynamicImage::ImageLuma8(grey) if (grey.width() as usize, grey.height() as usize) == (size, size) => {
            Ok(Picture {
                width: size,
                height: size,
                channels: 1,
                data: grey.into_raw(),
            })
        }
        _ => Err(bad()),
    }
}

fn decode_plane(bytes: &[u8], path: &Path, size: usize) -> Result<Vec<u16>, RecipeError> {
    let bad = || RecipeError::NoiseMap {
        path: path.to_owned(),
        size,
    };
    let decoded = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png)
        .decode()
        .map_err(|_| bad())?;
    match decoded {
        DynamicImage::ImageLuma16(plane)
            if (plane.width() as usize, plane.height() as usize) == (size, size) =>
        {
            Ok(plane.into_raw())
        }
        _ => Err(bad()),
    }
}

/// Writes the two pictures of a form's noise map into a recipe folder under construction and returns their
/// names.
pub fn save_noise_map(
    folder: &Path,
    form: Form,
    noise: &NoiseMap,
    size: usize,
) -> Result<[String; 2], RecipeError> {
    let names = noise_files(form);
    for (name, plane) in names.iter().zip([&noise.mean, &noise.spread]) {
        let path = folder.join(name);
        let side = size as u32;
        let buffer: ImageBuffer<Luma<u16>, _> =
            ImageBuffer::from_raw(side, side, plane.clone()).ok_or_else(|| RecipeError::NoiseMap {
                path: path.clone(),
                size,
            })?;
        buffer
            .save_with_format(&path, ImageFormat::Png)
            .map_err(|e| RecipeError::Write {
                path,
                source: std::io::Error::other(e),
            })?;
    }
    Ok(names)
}

/// Finishes a recipe whose other files already lie in `folder`: hashes each of `names` and writes the
/// manifest last, so that a folder without one is no recipe.
pub fn write(folder: &Path, mut manifest: Manifest, names: &[String]) -> Result<Manifest, RecipeError> {
    manifest.files.clear();
    for name in names {
        manifest
            .files
            .insert(name.clone(), sha256_hex(&read(&folder.join(name))?));
    }
    let path: PathBuf = folder.join(MANIFEST_FILE);
    let text = toml::to_string(&manifest).map_err(|e| RecipeError::Manifest {
        path: path.clone(),
        message: e.to_string(),
    })?;
    Manifest::parse(&text, &path)?;
    let partial = folder.join(PARTIAL);
    fs::write(&partial, text)
        .and_then(|()| fs::rename(&partial, &path))
        .map_err(|source| RecipeError::Write { path, source })?;
    Ok(manifest)
}
