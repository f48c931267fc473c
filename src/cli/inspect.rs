//! `beltwatch inspect`

use std::io::Write;
use std::path::{Path, PathBuf};

use beltwatch::devices::capture::Folder;
use beltwatch_vision::inspect::{Inspection, Inspector};
use beltwatch_vision::judge::score::{Cause, Score};
use beltwatch_vision::picture::{Picture, heatmap};
use beltwatch_vision::processor::Team;
use beltwatch_vision::recipe::Recipe;
use beltwatch_vision::reconstruct::Kernel;
use serde::Serialize;

use super::{Failure, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The recipe's folder
    #[arg(long)]
    recipe: PathBuf,
    /// One JSON object a line: file, verdict, cause, score, threshold
    #[arg(long)]
    json: bool,
    /// Write reconstruction, difference and heat map of each picture here
    #[arg(long, value_name = "DIR")]
    maps: Option<PathBuf>,
    /// The convolution kernel, in place of this processor's fastest: all give the same scores
    #[arg(long, value_parser = super::kernel)]
    kernel: Option<Kernel>,
    /// Pictures, or folders of pictures
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Line<'a> {
    file: std::borrow::Cow<'a, str>,
    verdict: &'static str,
    cause: Option<Cause>,
    score: Option<Score>,
    threshold: Score,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) fn inspect(args: &Args) -> Result<(), Failure> {
    let recipe = Recipe::load(&args.recipe)?;
    let mut inspector = Inspector::with(&recipe, args.kernel.unwrap_or_else(Kernel::best), Team::alone())?;
    if let Some(dir) = &args.maps {
        std::fs::create_dir_all(dir).map_err(|source| Failure::Write {
            path: dir.clone(),
            source,
        })?;
    }
    let mut files = Vec::new();
    for image in &args.images {
        if image.is_dir() {
            files.extend_from_slice(Folder::open(image)?.files());
        } else {
            files.push(image.clone());
        }
    }
    let mut out = std::io::stdout().lock();
    let mut failed = 0;
    for (index, file) in files.iter().enumerate() {
        let judged = judge(&mut inspector, file);
        if let Err(error) = &judged {
            failed += 1;
            say::error(format_args!("beltwatch: {error}"));
        }
        if args.json {
            let line = serde_json::to_string(&line(file, &judged, inspector.threshold()))
                .map_err(std::io::Error::from)?;
            writeln!(out, "{line}")?;
        } else if let Ok(found) = &judged {
            let (verdict, score, ms) = (
                found.verdict,
                found.score,
                found.times.total().as_secs_f64() * 1e3,
            );
            writeln!(
                out,
                "{verdict:<6}  score {score:>8}  {ms:6.1} ms  {}",
                file.display()
            )?;
        } else {
            writeln!(out, "REJECT  no image                  {}", file.display())?;
        }
        if let (Some(dir), Ok(_)) = (&args.maps, &judged) {
            write_maps(dir, index, file, &inspector)?;
        }
    }
    if failed > 0 {
        Err(Failure::NotAllJudged {
            failed,
            all: files.len(),
        })
    } else {
        Ok(())
    }
}

fn judge(inspector: &mut Inspector, file: &Path) -> Result<Inspection, String> {
    let picture = Picture::open(file).map_err(|e| e.to_string())?;
    inspector
        .inspect(&picture)
        .map_err(|e| format!("{}: {e}", file.display()))
}

/// A picture that cannot be judged is what it would be on the line: a part without an image.
fn line<'a>(file: &'a Path, judged: &Result<Inspection, String>, threshold: Score) -> Line<'a> {
    match judged {
        Ok(found) => Line {
            file: file.to_string_lossy(),
            verdict: found.verdict.name(),
            cause: found.verdict.cause(),
            score: Some(found.score),
            threshold,
            error: None,
        },
        Err(error) => Line {
            file: file.to_string_lossy(),
            verdict: "reject",
            cause: Some(Cause::NoImage),
            score: None,
            threshold,
            error: Some(error.clone()),
        },
    }
}

fn write_maps(dir: &Path, index: usize, file: &Path, inspector: &Inspector) -> Result<(), Failure> {
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name)
            .map(|n| n.to_string_lossy().into_owned())
    };
    let folder = name(file.parent()).unwrap_or_default();
    let stem = file
        .file_stem()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let input = inspector.input();
    let difference = inspector
        .judge()
        .differences()
        .next()
        .into_iter()
        .flatten()
        .map(|&d| (d >> 8) as u8)
        .collect();
    let maps = [
        ("input", input.clone()),
        ("reconstruction", inspector.reconstruction().clone()),
        (
            "difference",
            Picture {
                channels: 1,
                data: difference,
                ..*input
            },
        ),
        ("heat", heatmap::overlay(input, &inspector.heat())),
    ];
    for (kind, map) in maps {
        map.save_png(&dir.join(format!("{index:04}-{folder}-{stem}.{kind}.png")))?;
    }
    Ok(())
}
