//! What the device must decide: the host's own program inspects the same pictures.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::camera::{Format, Picture};
use crate::guest;

/// What the host says of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) reject: bool,
    pub(crate) score: f64,
    threshold: f64,
}

/// A part and what is to become of it.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) picture: Picture,
    mjpeg: Verdict,
    yuyv: Verdict,
}

impl Part {
    /// What is to become of it when the camera sends it so.
    pub(crate) fn verdict(&self, format: Format) -> Verdict {
        match format {
            Format::Mjpeg => self.mjpeg,
            Format::Yuyv => self.yuyv,
        }
    }
}

impl Verdict {
    /// Whether a frame whose score is this far off gets the same verdict.
    pub(crate) fn bears(&self, off: f64) -> bool {
        (self.score - self.threshold).abs() > off
    }
}

/// Parts for the belt: pictures of a folder, each with the host's verdicts on it as the camera will send it.
/// Frames that it sends as JPEG are given to the host byte for byte.
pub(crate) fn parts(
    pictures: &Path,
    count: usize,
    program: &Path,
    recipe: &Path,
    out: &Path,
) -> Result<Vec<Part>> {
    let mut files = Vec::new();
    list(pictures, &mut files)?;
    files.sort();
    ensure!(!files.is_empty(), "{}: no PNG picture in it", pictures.display());
    let pictures = spread(&files, count)
        .into_iter()
        .map(|file| Picture::open(file))
        .collect::<Result<Vec<_>>>()?;
    let folders = ["fed-mjpeg", "fed-yuyv"].map(|name| out.join(name));
    for folder in &folders {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder)?;
    }
    for (number, picture) in pictures.iter().enumerate() {
        std::fs::write(
            folders[0].join(format!("{number:06}.jpg")),
            picture.bytes(Format::Mjpeg),
        )?;
        picture
            .as_seen_in_yuyv()
            .save(folders[1].join(format!("{number:06}.png")))?;
    }
    let [mjpeg, yuyv] = folders.map(|folder| inspect(&folder, program, recipe, pictures.len()));
    let verdicts = mjpeg?.into_iter().zip(yuyv?);
    let parts: Vec<_> = pictures
        .into_iter()
        .zip(verdicts)
        .map(|(picture, (mjpeg, yuyv))| Part { picture, mjpeg, yuyv })
        .collect();
    let rejects = parts.iter().filter(|p| p.mjpeg.reject).count();
    let both = rejects > 0 && rejects < parts.len();
    ensure!(
        both,
        "the host rejects {rejects} of {} parts: a rig needs good and bad ones",
        parts.len()
    );
    Ok(parts)
}

fn inspect(folder: &Path, program: &Path, recipe: &Path, count: usize) -> Result<Vec<Verdict>> {
    let mut command = Command::new(program);
    let said = guest::run(
        command
            .args(["inspect", "--json", "--recipe"])
            .arg(recipe)
            .arg(folder),
    )?;
    let verdicts = said.lines().map(|line| {
        let line: Value = serde_json::from_str(line)?;
        let number = |key: &str| {
            line[key]
                .as_f64()
                .with_context(|| format!("the host has no {key}: {line}"))
        };
        let (score, threshold) = (number("score")?, number("threshold")?);
        Ok(Verdict {
            reject: line["verdict"] == "reject",
            score,
            threshold,
        })
    });
    let verdicts = verdicts.collect::<Result<Vec<_>>>()?;
    ensure!(
        verdicts.len() == count,
        "the host gave {} verdicts on {count} pictures",
        verdicts.len()
    );
    Ok(verdicts)
}

/// So many files, from all over the list, in an order that mixes folders: the step has no common factor with
/// the length.
fn spread(files: &[PathBuf], count: usize) -> Vec<&PathBuf> {
    let length = files.len();
    let common = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let step = (length * 5 / 8..)
        .find(|&step| step > 0 && common(step, length) == 1)
        .unwrap_or(1);
    (0..count).map(|n| &files[n * step % length]).collect()
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("{}: cannot be listed", folder.display()))?
    {
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
