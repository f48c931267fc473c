//! `beltwatch bench`

use std::path::PathBuf;
use std::time::{Duration, Instant};

use beltwatch::inspect::Inspector;
use beltwatch::line::{Latency, Times};
use beltwatch::picture::Picture;
use beltwatch::recipe::Recipe;
use beltwatch::say;

use super::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The recipe's folder
    #[arg(long, default_value = "models/demo")]
    recipe: PathBuf,
    /// Frames to measure, after ten to warm up
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    frames: u32,
}

pub(crate) fn bench(args: &Args) -> Result<(), Failure> {
    let start = Instant::now();
    let recipe = Recipe::load(&args.recipe)?;
    let mut inspector = Inspector::new(&recipe)?;
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
    let row = |name: &str, pick: fn(&beltwatch::inspect::StageTimes) -> Duration| {
        say::out(times.iter().map(pick).collect::<Times>().latency().row(name, 2))
    };
    row("preprocess", |t| t.preprocess)?;
    row("reconstruct", |t| t.reconstruct)?;
    row("difference, HEE, score", |t| t.judge)?;
    Ok(row("whole frame", |t| t.total())?)
}
