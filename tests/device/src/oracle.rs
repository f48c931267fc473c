//! What the device must decide: the host's own program inspects the same pictures.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::camera::{Format, Picture};
use crate::guest;

/// A part and what is to become of it.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) picture: Picture,
    pub(crate) reject: bool,
    pub(crate) score: f64,
    /// Far from the threshold: a frame that is a little different gets the same verdict.
    pub(crate) clear: bool,
}

/// So far, in grey levels.
const CLEAR: f64 = 8.0;

/// Parts for the belt: pictures of a folder as the camera will send them, each with the host's verdict. Frames that the
/// camera sends as JPEG are given to the host byte for byte.
pub(crate) fn parts(pictures: &Path, count: usize, program: &Path, recipe: &Path, out: &Path) -> Result<Vec<Part>> {
    let mut files = Vec::new();
    list(pictures, &mut files)?;
    files.sort();
    ensure!(!files.is_empty(), "{}: no PNG picture in it", pictures.display());
    let chosen = spread(&files, count);
    let fed = out.join("fed");
    if fed.exists() {
        std::fs::remove_dir_all(&fed)?;
    }
    std::fs::create_dir_all(&fed)?;
    let mut pictures = Vec::new();
    for (number, file) in chosen.iter().enumerate() {
        let picture = Picture::open(file)?;
        std::fs::write(fed.join(format!("{number:06}.jpg")), picture.bytes(Format::Mjpeg))?;
        pictures.push(picture);
    }
    let mut command = Command::new(program);
    let said = guest::run(command.args(["inspect", "--json", "--recipe"]).arg(recipe).arg(&fed))?;
    let verdicts: Vec<Value> = said.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(verdicts.len() == pictures.len(), "the host gave {} verdicts for {}", verdicts.len(), pictures.len());
    let part = |(picture, verdict): (Picture, Value)| {
        let score = verdict["score"].as_f64().with_context(|| format!("the host has no score: {verdict}"))?;
        let threshold = verdict["threshold"].as_f64().with_context(|| format!("no threshold: {verdict}"))?;
        let clear = (score - threshold).abs() > CLEAR;
        Ok(Part { picture, reject: verdict["verdict"] == "reject", score, clear })
    };
    let parts: Vec<Part> = pictures.into_iter().zip(verdicts).map(part).collect::<Result<_>>()?;
    let rejects = parts.iter().filter(|p| p.reject).count();
    ensure!(
        rejects > 0 && rejects < parts.len(),
        "the host rejects {rejects} of {} parts: a rig needs good and bad ones",
        parts.len()
    );
    Ok(parts)
}

/// So many files, from all over the list, in an order that mixes folders: the step has no common factor with the length.
fn spread(files: &[PathBuf], count: usize) -> Vec<&PathBuf> {
    let length = files.len();
    let common = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let step = (length * 5 / 8..).find(|&step| step > 0 && common(step, length) == 1).unwrap_or(1);
    (0..count).map(|n| &files[n * step % length]).collect()
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("{}: cannot be listed", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_comes_before_one_comes_again() {
        for length in [1, 2, 7, 8, 24] {
            let files: Vec<PathBuf> = (0..length).map(|n| PathBuf::from(n.to_string())).collect();
            let mut chosen = spread(&files, length);
            chosen.sort();
            chosen.dedup();
            assert_eq!(chosen.len(), length);
        }
    }
}
