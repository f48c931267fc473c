//! `beltwatch bench`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use beltwatch::inspect::{Inspector, StageTimes};
use beltwatch::line::{Latency, Times};
use beltwatch::picture::Picture;
use beltwatch::recipe::Recipe;
use beltwatch::reconstruct::Kernel;
use beltwatch::say;
use serde::Serialize;

use super::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The recipe's folder
    #[arg(long, default_value = "models/demo")]
    recipe: PathBuf,
    /// Frames to measure, after ten to warm up
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    frames: u32,
    /// The convolution kernel, in place of this processor's fastest
    #[arg(long, value_parser = super::kernel)]
    kernel: Option<Kernel>,
    /// Write the figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What is written as JSON.
#[derive(Serialize)]
struct Figures<'a> {
    recipe: &'a Path,
    kernel: &'static str,
    frames: u32,
    /// Of the network, those that change something.
    multiply_adds: u64,
    /// A frame's, one thread.
    stages: BTreeMap<&'static str, Latency>,
}

pub(crate) fn bench(args: &Args) -> Result<(), Failure> {
    let start = Instant::now();
    let recipe = Recipe::load(&args.recipe)?;
    let mut inspector = Inspector::with_kernel(&recipe, args.kernel.unwrap_or_else(Kernel::best))?;
    let loaded = start.elapsed();
    let [width, height] = recipe.manifest.input.pictures.first().copied().unwrap_or([recipe.manifest.input.size; 2]);
    let picture = recipe.manifest.golden.first().map_or_else(
        || Ok(Picture::filled(width, height, recipe.manifest.input.channels, 128)),
        |golden| Picture::open(&recipe.folder.join(&golden.file)),
    )?;
    let mut times = Vec::with_capacity(args.frames as usize);
    for frame in 0..args.frames + 10 {
        let found = inspector.inspect(&picture).map_err(|e| Failure::System(e.to_string()))?;
        if frame >= 10 {
            times.push(found.times);
        }
    }
    say::out(format_args!(
        "recipe {}, {} frames, one thread, kernel {}",
        recipe.folder.display(),
        args.frames,
        inspector.kernel_name()
    ))?;
    say::out(format_args!("load and self-test {:.0} ms", loaded.as_secs_f64() * 1e3))?;
    say::out(Latency::heading("ms a frame"))?;
    let mut stages = BTreeMap::new();
    let mut row = |name: &'static str, pick: fn(&StageTimes) -> Duration| {
        let latency = times.iter().map(pick).collect::<Times>().latency();
        say::out(latency.row(name, 2))?;
        stages.insert(name, latency);
        Ok::<_, std::io::Error>(latency)
    };
    row("preprocess", |t| t.preprocess)?;
    let network = row("reconstruct", |t| t.reconstruct)?;
    row("difference, HEE, score", |t| t.judge)?;
    row("whole frame", |t| t.total())?;
    let multiply_adds = inspector.multiply_adds();
    say::out(format_args!(
        "the network's {:.0} million multiply-adds: {:.1} thousand million a second",
        multiply_adds as f64 / 1e6,
        multiply_adds as f64 / network.p50_us / 1e3
    ))?;
    let Some(path) = &args.json else { return Ok(()) };
    let figures =
        Figures { recipe: &recipe.folder, kernel: inspector.kernel_name(), frames: args.frames, multiply_adds, stages };
    let text = serde_json::to_string_pretty(&figures).map_err(|e| Failure::System(e.to_string()))?;
    std::fs::write(path, text + "\n").map_err(|source| Failure::Write { path: path.clone(), source })
}
