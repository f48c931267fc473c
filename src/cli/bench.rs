//! `beltwatch bench`

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use beltwatch::line::{Latency, Times};
use beltwatch_vision::inspect::{Inspector, StageTimes};
use beltwatch_vision::picture::Picture;
use beltwatch_vision::processor::Team;
use beltwatch_vision::recipe::Recipe;
use beltwatch_vision::reconstruct::{Kernel, Reconstructor};
use serde::Serialize;

use super::{Failure, say};

/// Frames that are not measured.
const WARM_UP: u32 = 10;
/// More than any cache of a processor that this runs on.
const BEYOND_CACHES: usize = 64 << 20;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The recipe's folder [default: the shipped recipe of the rendered parts]
    #[arg(long)]
    recipe: Option<PathBuf>,
    /// Frames to measure, after ten to warm up
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    frames: u32,
    /// The convolution kernel, in place of this processor's fastest
    #[arg(long, value_parser = super::kernel)]
    kernel: Option<Kernel>,
    /// Also measure so many cameras at once, each on a thread of its own
    #[arg(long, value_name = "CAMERAS", value_parser = clap::value_parser!(u8).range(2..=64))]
    at_once: Option<u8>,
    /// Also measure a frame that two cores share, in turns with one that one core has for itself
    #[arg(long)]
    two_cores: bool,
    /// Write the figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page (Markdown) about this machine and all kernels that it can run
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What is written as JSON.
#[derive(Serialize)]
struct Figures<'a> {
    recipe: &'a Path,
    kernel: &'static str,
    frames: u32,
    /// A frame's, one thread.
    stages: BTreeMap<&'static str, Latency>,
    /// All but the network, as a part of the network's time (medians).
    share_around_network: f64,
    network: Network,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_once: Option<AtOnce>,
    #[serde(skip_serializing_if = "Option::is_none")]
    two_cores: Option<TwoCores>,
}

/// Medians of a frame that two cores share and of one that one core has for itself, measured in turns.
#[derive(Clone, Copy, Serialize)]
struct TwoCores {
    frame_us: f64,
    frame_alone_us: f64,
    network_us: f64,
    network_alone_us: f64,
}

impl TwoCores {
    fn measure(recipe: &Recipe, kernel: Kernel, picture: &Picture, frames: u32) -> Result<Self, Failure> {
        let pair = Team::pair().map_err(|e| Failure::System(e.to_string()))?;
        let mut inspectors = [
            Inspector::with(recipe, kernel, pair)?,
            Inspector::with(recipe, kernel, Team::alone())?,
        ];
        in_turns(&mut inspectors, picture, WARM_UP)?;
        let times = in_turns(&mut inspectors, picture, frames)?;
        let median = |of: usize, pick| latency(&times[of], pick).p50_us;
        Ok(Self {
            frame_us: median(0, StageTimes::total),
            frame_alone_us: median(1, StageTimes::total),
            network_us: median(0, |t| t.reconstruct),
            network_alone_us: median(1, |t| t.reconstruct),
        })
    }

    fn sentence(&self) -> String {
        let part = |what: &str, us: f64, alone: f64| {
            format!(
                "{what} {:.2} ms, {:.2} of one core's {:.2} ms",
                us / 1e3,
                us / alone,
                alone / 1e3
            )
        };
        format!(
            "shared by two cores: {}; {}",
            part("a frame", self.frame_us, self.frame_alone_us),
            part("the network", self.network_us, self.network_alone_us)
        )
    }
}

/// Frames a second of one camera alone, and of several at once, all together.
#[derive(Clone, Copy, Serialize)]
struct AtOnce {
    cameras: u8,
    frames_per_second: f64,
    frames_per_second_alone: f64,
}

impl AtOnce {
    fn measure(
        recipe: &Recipe,
        kernel: Kernel,
        picture: &Picture,
        frames: u32,
        cameras: u8,
    ) -> Result<Self, Failure> {
        Ok(Self {
            cameras,
            frames_per_second: frames_per_second(recipe, kernel, picture, frames, cameras)?,
            frames_per_second_alone: frames_per_second(recipe, kernel, picture, frames, 1)?,
        })
    }
}

/// The network's work, and what one core could do at most.
#[derive(Clone, Copy, Serialize)]
struct Network {
    /// A picture's, those that change something.
    multiply_adds: u64,
    multiply_adds_per_second: f64,
    /// Measured with the kernel's own instructions, between registers.
    most_multiply_adds_per_second: f64,
    /// Of weights and activations, each once a step.
    bytes: usize,
    bytes_per_second: f64,
    /// Measured by reading memory that is in no cache.
    most_bytes_per_second: f64,
}

impl Network {
    fn measure(network: &Reconstructor, picture: &Latency) -> Self {
        let per_second = |count: f64| count / picture.p50_us * 1e6;
        Self {
            multiply_adds: network.multiply_adds(),
            multiply_adds_per_second: per_second(network.multiply_adds() as f64),
            most_multiply_adds_per_second: most_multiply_adds(network),
            bytes: network.bytes(),
            bytes_per_second: per_second(network.bytes() as f64),
            most_bytes_per_second: most_bytes(),
        }
    }

    fn sentences(&self) -> [String; 2] {
        let share = |now: f64, most: f64| 100.0 * now / most;
        [
            format!(
                "the network's {:.0} million multiply-adds: {:.1} thousand million a second, {:.0} % of the \
                 {:.0} that the kernel's instructions could do",
                self.multiply_adds as f64 / 1e6,
                self.multiply_adds_per_second / 1e9,
                share(self.multiply_adds_per_second, self.most_multiply_adds_per_second),
                self.most_multiply_adds_per_second / 1e9
            ),
            format!(
                "its {:.1} MB of weights and activations: {:.1} GB/s, {:.0} % of the {:.1} that one core \
                 reads from memory",
                self.bytes as f64 / 1e6,
                self.bytes_per_second / 1e9,
                share(self.bytes_per_second, self.most_bytes_per_second),
                self.most_bytes_per_second / 1e9
            ),
        ]
    }
}

pub(crate) fn bench(args: &Args) -> Result<(), Failure> {
    let start = Instant::now();
    let recipe = Recipe::load(&super::recipe_or_shipped(args.recipe.clone())?)?;
    let kernel = args.kernel.unwrap_or_else(Kernel::best);
    let mut inspector = Inspector::with(&recipe, kernel, Team::alone())?;
    let loaded = start.elapsed();
    let picture = picture(&recipe)?;
    let times = measure(&mut inspector, &picture, args.frames, WARM_UP)?;
    let mut text = format!(
        "recipe {}, {} frames, one thread, kernel {}\nload and self-test {:.0} ms\n{}\n",
        recipe.folder.display(),
        args.frames,
        inspector.kernel_name(),
        loaded.as_secs_f64() * 1e3,
        Latency::heading("ms a frame")
    );
    let mut stages = BTreeMap::new();
    let mut row = |name: &'static str, pick: fn(&StageTimes) -> Duration| {
        let latency = latency(&times, pick);
        text += &format!("{}\n", latency.row(name, 2));
        stages.insert(name, latency);
        latency.p50_us
    };
    let before = row("preprocess", |t| t.preprocess);
    let through = row("reconstruct", |t| t.reconstruct);
    let behind = row("difference, HEE, score", |t| t.judge);
    row("whole frame", StageTimes::total);
    let share_around_network = (before + behind) / through;
    text += &format!(
        "all around the network: {:.1} % of its time\n",
        100.0 * share_around_network
    );
    let network = Network::measure(inspector.reconstructor(), &stages["reconstruct"]);
    network
        .sentences()
        .iter()
        .for_each(|line| text += &format!("{line}\n"));
    let at_once = args
        .at_once
        .map(|cameras| AtOnce::measure(&recipe, kernel, &picture, args.frames, cameras));
    let at_once = at_once.transpose()?;
    if let Some(AtOnce {
        cameras,
        frames_per_second,
        frames_per_second_alone,
    }) = at_once
    {
        let times = frames_per_second / frames_per_second_alone;
        text += &format!(
            "{cameras} at once: {frames_per_second:.0} frames a second, {times:.2} times as many as one \
             alone\n"
        );
    }
    let two_cores = args
        .two_cores
        .then(|| TwoCores::measure(&recipe, kernel, &picture, args.frames))
        .transpose()?;
    if let Some(two_cores) = two_cores {
        text += &format!("{}\n", two_cores.sentence());
    }
    say::out(text.trim_end())?;
    let write = |path: &Path, text: String| {
        std::fs::write(path, text).map_err(|source| Failure::Write {
            path: path.to_owned(),
            source,
        })
    };
    if let Some(path) = &args.report {
        write(
            path,
            format!(
                "# {}\n\n```text\n{text}```\n\n{}",
                machine(),
                all_kernels(&recipe, &picture)?
            ),
        )?;
    }
    let Some(path) = &args.json else { return Ok(()) };
    let (recipe, kernel, frames) = (recipe.folder.as_path(), inspector.kernel_name(), args.frames);
    let figures = Figures {
        recipe,
        kernel,
        frames,
        stages,
        share_around_network,
        network,
        at_once,
        two_cores,
    };
    let text = serde_json::to_string_pretty(&figures).map_err(|e| Failure::System(e.to_string()))?;
    write(path, text + "\n")
}

/// A picture that the recipe knows.
fn picture(recipe: &Recipe) -> Result<Picture, Failure> {
    let input = &recipe.manifest.input;
    let [width, height] = input.pictures.first().copied().unwrap_or([input.size; 2]);
    Ok(match recipe.manifest.golden.first() {
        Some(golden) => Picture::open(&recipe.folder.join(&golden.file))?,
        None => Picture::filled(width, height, input.channels, 128),
    })
}

fn measure(
    inspector: &mut Inspector,
    picture: &Picture,
    frames: u32,
    warm_up: u32,
) -> Result<Vec<StageTimes>, Failure> {
    let mut times = Vec::with_capacity(frames as usize);
    for frame in 0..frames + warm_up {
        let found = inspector
            .inspect(picture)
            .map_err(|e| Failure::System(e.to_string()))?;
        if frame >= warm_up {
            times.push(found.times);
        }
    }
    Ok(times)
}

/// A frame of each inspector after the other, `frames` times.
fn in_turns(
    inspectors: &mut [Inspector],
    picture: &Picture,
    frames: u32,
) -> Result<Vec<Vec<StageTimes>>, Failure> {
    let mut all = vec![Vec::new(); inspectors.len()];
    for _ in 0..frames {
        for (inspector, times) in inspectors.iter_mut().zip(&mut all) {
            times.extend(measure(inspector, picture, 1, 0)?);
        }
    }
    Ok(all)
}

fn latency(times: &[StageTimes], of: fn(&StageTimes) -> Duration) -> Latency {
    times.iter().map(of).collect::<Times>().latency()
}

/// Frames a second of so many cameras, each on a thread of its own, until the last one is through.
fn frames_per_second(
    recipe: &Recipe,
    kernel: Kernel,
    picture: &Picture,
    frames: u32,
    cameras: u8,
) -> Result<f64, Failure> {
    let mut inspectors = Vec::new();
    for _ in 0..cameras {
        inspectors.push(Inspector::with(recipe, kernel, Team::alone())?);
    }
    let together = Barrier::new(inspectors.len());
    let camera = |inspector: &mut Inspector| {
        let warm = measure(inspector, picture, WARM_UP, 0);
        together.wait();
        let start = Instant::now();
        warm.and_then(|_| measure(inspector, picture, frames, 0))
            .map(|_| start.elapsed())
    };
    let times: Vec<Result<Duration, Failure>> = thread::scope(|scope| {
        let running: Vec<_> = inspectors
            .iter_mut()
            .map(|inspector| scope.spawn(|| camera(inspector)))
            .collect();
        running
            .into_iter()
            .map(|camera| camera.join().expect("inspecting does not panic"))
            .collect()
    });
    let times = times.into_iter().collect::<Result<Vec<_>, _>>()?;
    let longest = times.into_iter().max().unwrap_or_default();
    Ok(f64::from(frames) * f64::from(cameras) / longest.as_secs_f64())
}

/// How often a second the fastest of some goes at `work` does what it returns.
fn fastest(mut work: impl FnMut() -> f64) -> f64 {
    let rate = |_| {
        let start = Instant::now();
        let done = work();
        done / start.elapsed().as_secs_f64()
    };
    (0..20).map(rate).fold(0.0, f64::max)
}

fn most_multiply_adds(network: &Reconstructor) -> f64 {
    const ROUNDS: usize = 100_000;
    fastest(|| (ROUNDS * network.multiply(ROUNDS)) as f64)
}

fn most_bytes() -> f64 {
    let memory = vec![1u64; BEYOND_CACHES / size_of::<u64>()];
    fastest(|| {
        black_box(black_box(&memory).iter().fold(0, |sum: u64, value| sum ^ value));
        BEYOND_CACHES as f64
    })
}

/// The network with each kernel of this processor in turns, as a table.
fn all_kernels(recipe: &Recipe, picture: &Picture) -> Result<String, Failure> {
    const FRAMES: u32 = 15;
    let kernels: Vec<Kernel> = Kernel::ALL
        .iter()
        .copied()
        .filter(|kernel| kernel.is_supported())
        .collect();
    let mut inspectors = Vec::new();
    for &kernel in &kernels {
        inspectors.push(Inspector::with(recipe, kernel, Team::alone())?);
    }
    let times = in_turns(&mut inspectors, picture, FRAMES)?;
    let mut table = String::from("| kernel | network, ms | times the fastest's |\n| --- | --- | --- |\n");
    let medians: Vec<f64> = times
        .iter()
        .map(|times| latency(times, |t| t.reconstruct).p50_us / 1e3)
        .collect();
    let best = medians.iter().copied().fold(f64::INFINITY, f64::min);
    for (kernel, ms) in kernels.iter().zip(medians) {
        table += &format!("| {kernel} | {ms:.2} | {:.2} |\n", ms / best);
    }
    Ok(table)
}

/// The computer and its processor.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let board = read("/proc/device-tree/model");
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or_default();
    let named = [
        board.trim_matches(['\0', '\n']),
        model.trim_start_matches([' ', '\t', ':']),
    ];
    let named: Vec<&str> = named.into_iter().filter(|name| !name.is_empty()).collect();
    format!(
        "{} ({})",
        if named.is_empty() {
            "A computer".to_owned()
        } else {
            named.join(", ")
        },
        std::env::consts::ARCH
    )
}
