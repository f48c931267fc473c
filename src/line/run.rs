//! Puts a line together from a recipe and a board, and runs it.

use std::fs::{self, File};
use std::io::{BufWriter, IsTerminal};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::thread::{self, Scope};
use std::time::Duration;

use beltwatch_belt::{Pace, Scenario};
use beltwatch_core::{Command, Counters, Device, Input, Line, MonoNanos, Scale, Settings, State};
use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::processor::{NoThread, Team};
use beltwatch_vision::recipe::{Recipe, RecipeError};
use beltwatch_vision::reconstruct::Kernel;

use super::control::Control;
use super::core_thread::{Core, Hands, Incoming};
use super::inspection::{self, Manner};
use super::live::camera::{Connector, Live, Patience};
use super::live::inputs::InputStage;
use super::simulated::belt::{SimulatedBelt, Wires};
use super::simulated::camera;
use super::tell::present::Presenter;
use super::tell::scribe::{Papers, Scribe};
use super::tell::status::{InForce, Status};
use super::tell::terminal::Terminal;
use super::watch::Watch;
use super::wiring::{Queues, Shared};
use super::{Parts, Report};
use crate::board::{Board, CameraSource};
use crate::clock::Clock;
use crate::devices::capture::v4l2::Connection;
use crate::devices::capture::{CaptureError, Connect, Folder, FrameCheck, PartCamera, Rendered};
use crate::devices::display::Display;
use crate::devices::gpio_lines::GpioError;
use crate::devices::inputs;
use crate::devices::outputs::{self, OutputError};
use crate::guard::GuardError;
use crate::keep::record::{self, Header, Recording};
use crate::keep::store::{Saved, Store, StoreError};

/// Before the first part: the threads are up by then.
const LEAD_IN: Duration = Duration::from_millis(200);
/// Parts of a belt without an end: years of them.
const ENDLESS: u64 = 1_000_000_000;
/// Events that wait for the scribe.
const EVENTS: usize = 1024;

/// Why a line did not start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum LineError {
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("{0}")]
    Board(String),
    #[error(transparent)]
    Outputs(#[from] OutputError),
    #[error("inputs: {0}")]
    Inputs(#[from] GpioError),
    #[error(transparent)]
    Guard(#[from] GuardError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Thread(#[from] NoThread),
}

/// What a run may be told beyond recipe and board.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Parts after which the belt ends; `None`: all pictures of a folder, for ever for rendered parts.
    pub parts: Option<u64>,
    /// What happens on the belt, in place of the board's constant one, with the line settings that it was
    /// written for. Times in which the program is held up are for virtual time and are not played.
    pub scenario: Option<Scenario>,
    /// No line a part and no moving picture.
    pub quiet: bool,
    /// Every part's record is in the report.
    pub part_list: bool,
    /// Where counters are kept over restarts.
    pub state: Option<PathBuf>,
    /// Where the control socket is made.
    pub control: Option<PathBuf>,
    /// Where everything that came in and was decided is written.
    pub record: Option<PathBuf>,
}

/// Runs the line until its parts have passed the gate, or `stop` is set and those on the belt have.
///
/// # Errors
/// See [`LineError`]: nothing has moved then, and every output is safe.
pub fn run(
    recipe: &Recipe,
    board: &Board,
    options: &Options,
    stop: &AtomicBool,
) -> Result<(Report, Parts), LineError> {
    let board_settings = || board.settings().map_err(LineError::Board);
    let settings = options
        .scenario
        .as_ref()
        .map_or_else(board_settings, |s| Ok(s.settings()))?;
    // before anything that takes long or can fail: whoever had them may have left them as they were
    let outputs = outputs::open(&board.outputs)?;
    let team = Team::of(board.inspection.cores)?;
    let mut inspector = Box::new(Inspector::with(recipe, Kernel::best(), team)?);
    let kernel = inspector.kernel_name();
    let threads = inspector.team().threads();
    log::info!("recipe {recipe} passed its self-test; kernel {kernel}, {threads} thread(s) a frame");
    let camera = Pictures::open(board, options)?;
    let parts = options.parts.or(camera.end()).unwrap_or(ENDLESS);
    let scenario = match &options.scenario {
        Some(scenario) => Some(scenario.clone()),
        None if board.plays_belt() => Some(board.scenario(&settings, parts).map_err(LineError::Board)?),
        None => None,
    };
    let inputs = if scenario.is_none() {
        Some(inputs::open(&board.inputs)?)
    } else {
        None
    };
    let (store, saved) = match &options.state {
        Some(folder) => Store::open(folder).map(|(store, saved)| (Some(store), saved))?,
        None => (None, Saved::default()),
    };
    let mut in_force = InForce::of(recipe);
    if let Some(moved) = saved
        .threshold
        .as_ref()
        .filter(|moved| moved.recipe == in_force.sha256)
    {
        in_force.threshold = moved.threshold;
        inspector.set_threshold(moved.threshold);
        log::warn!(
            "threshold {}, as an operator left it; taught was {}",
            in_force.threshold,
            in_force.taught
        );
    }
    let record = options
        .record
        .as_deref()
        .map(|path| begin_record(path, board, recipe, settings, saved.counters));
    let papers = Papers {
        store,
        record: record.transpose()?,
    };
    let listener = options.control.as_deref().map(listen).transpose()?;

    let faults = board
        .simulated
        .as_ref()
        .map_or_else(Vec::new, |s| s.faults.clone());
    let display = board.display.clone().map(Display::start).transpose()?;
    let feed = display.as_ref().map(Display::feed);
    let presenter = feed.clone().map(|feed| Presenter::new(feed, &board.name));
    let shared = Shared {
        faults,
        hash_pictures: options.record.is_some(),
        display: feed,
        ..Shared::default()
    };
    let mut now = Status {
        counters: saved.counters,
        ..Status::default()
    };
    now.judges_by(&in_force);
    let status = Mutex::new(now.clone());
    let mut queues = Queues::default();
    let ends = queues.split(&shared);
    let (belt_in, belt) = ends.belt;
    let (frame_in, frames) = ends.frames;
    let (verdict_in, verdicts) = ends.verdicts;
    let (mut command_in, commands) = ends.commands;
    let (job_in, jobs) = ends.jobs;
    let (exposure_in, exposures) = ends.exposures;
    let (trace_in, trace) = ends.traces;
    let (counters_in, counters) = ends.counters;
    let (event_in, events) = sync_channel(EVENTS);
    let (change_in, changes) = sync_channel(1);

    // a simulated camera is there, a live one says so itself
    let up = matches!(camera, Pictures::Simulated(_)).then_some(Input::Device {
        device: Device::Camera,
        up: true,
    });
    let unknown = saved.running.then_some(Input::PartsUnknown);
    for input in up
        .into_iter()
        .chain(unknown)
        .chain([Input::Command(Command::Start)])
    {
        command_in.send_when_room(input, || true);
    }
    let commands_in = Mutex::new(command_in);
    let core = Core {
        line: Line::new(settings, saved.counters).map_err(|e| LineError::Board(e.to_string()))?,
        incoming: Incoming {
            belt,
            frames,
            verdicts,
            commands,
        },
        hands: Hands {
            outputs,
            guard: None,
            jobs: job_in,
            trace: trace_in,
            frame: None,
            dropped: 0,
            failed: false,
            shared: &shared,
        },
        counters: counters_in,
        told: MonoNanos(0),
        guard: board
            .outputs
            .outlive_the_process()
            .then(|| (board.outputs.clone(), board.watchdog.gate.0)),
        guarded: MonoNanos(0),
    };
    let mut scribe = Scribe {
        trace,
        counters,
        events,
        shared: &shared,
        status: &status,
        board: board.name.clone(),
        parts: Parts::new(options.part_list),
        terminal: Terminal::new(
            in_force.threshold,
            gate_delay(scenario.as_ref(), &settings),
            options.quiet,
            std::io::stdout().is_terminal(),
        ),
        presenter,
        papers,
        now,
        in_force: in_force.clone(),
        seen: (Vec::new(), Vec::new()),
        saved_at: MonoNanos(0),
        last_state: State::default(),
    };
    scribe.go_on(&saved);

    let result = thread::scope(|scope| {
        let camera_events = event_in.clone();
        let inspection_events = event_in.clone();
        // the scribe ends when every sender is gone
        let listener = listener.map(|listener| (listener, event_in.clone()));
        let simulated = matches!(camera, Pictures::Simulated(_));
        let exposure_in = simulated.then_some(exposure_in);
        let shared = &shared;
        let status = &status;
        let commands = &commands_in;
        let (guarded_in, guarded) = sync_channel(1);
        start(scope, "core", move || core.run(&guarded_in))?;
        // a thread that ends without a word has panicked, and that ends the process
        guarded.recv().unwrap_or(Ok(()))?;
        let belt_start = MonoNanos::now() + LEAD_IN;
        let manner = Manner {
            newest_wins: settings.free_running.is_some(),
            pace: options
                .scenario
                .as_ref()
                .map(|scenario| Pace::new(scenario, belt_start)),
        };
        start(scope, "inspection", move || {
            inspection::work(
                inspector,
                &manner,
                &changes,
                jobs,
                verdict_in,
                &inspection_events,
                shared,
            );
        })?;
        match camera {
            Pictures::Simulated(mut camera) => start(scope, "camera", move || {
                camera::work(camera.as_mut(), exposures, frame_in, &camera_events, shared);
            }),
            Pictures::Live(connect) => {
                // the scribe waits for who could send
                drop(camera_events);
                let connector = Connector::start(connect)?;
                let patience = Patience::new(board.camera.silence());
                let live = Live {
                    frames: frame_in,
                    commands,
                    shared,
                    patience,
                    is_up: false,
                    check: FrameCheck::default(),
                };
                start(scope, "camera", move || live.run(&connector))
            }
        }?;
        if let Some(scenario) = scenario {
            let wires = Wires {
                inputs: belt_in,
                exposures: exposure_in,
                events: event_in.clone(),
                shared,
                stop,
            };
            let belt = SimulatedBelt::new(scenario, belt_start, options.scenario.is_some(), wires);
            start(scope, "belt", move || belt.run())?;
        } else {
            let inputs = InputStage {
                config: board.inputs.clone(),
                inputs,
                to: belt_in,
                shared,
                stop,
            };
            start(scope, "inputs", move || inputs.run())?;
        }
        drop(event_in);
        let watch = Watch {
            limit: board.watchdog.stage.0,
            commands,
            shared,
            stop,
        };
        start(scope, "watch", move || watch.run())?;
        if let Some((listener, events)) = listener {
            let cores = board.inspection.cores;
            let control = Control {
                listener,
                commands,
                changes: change_in,
                events,
                status,
                shared,
                cores,
                in_force,
            };
            start(scope, "control", move || control.serve())?;
        }
        Ok(scribe.write())
    });
    if let Some(display) = display {
        display.end();
    }
    if let Some(path) = &options.control {
        let _ = fs::remove_file(path);
    }
    result
}

/// Where the line's pictures come from.
enum Pictures {
    /// Of whatever is on the simulated belt.
    Simulated(Box<dyn PartCamera>),
    /// Of a camera that takes them itself.
    Live(Box<dyn Connect>),
}

impl Pictures {
    fn open(board: &Board, options: &Options) -> Result<Self, LineError> {
        Ok(Self::Simulated(
            match (board.camera.source, &board.camera.pictures, &options.scenario) {
                (CameraSource::V4l2, ..) => {
                    let settings = board.camera.v4l2().map_err(LineError::Board)?;
                    return Ok(Self::Live(Box::new(Connection::new(settings))));
                }
                (CameraSource::Folder, Some(path), _) => Box::new(Folder::open(path)?),
                (_, _, Some(scenario)) => {
                    let belt = scenario.clone();
                    Box::new(Rendered::with_defects(board.camera.seed, move |part| {
                        belt.is_defective(part)
                    }))
                }
                _ => Box::new(Rendered::new(board.camera.seed, board.camera.defect_rate)),
            },
        ))
    }

    /// After how many parts they end, if they do.
    fn end(&self) -> Option<u64> {
        match self {
            Self::Simulated(camera) => camera.parts(),
            Self::Live(_) => None,
        }
    }
}

/// The time that a part takes from the eye to the gate, at the belt's highest speed.
fn gate_delay(scenario: Option<&Scenario>, settings: &Settings) -> Duration {
    match (scenario, settings.scale) {
        (Some(scenario), _) => Duration::from_secs_f64(scenario.line.gate_mm / scenario.fastest()),
        (None, Scale::Time) => Duration::from_nanos(settings.gate.0.unsigned_abs()),
        (None, Scale::Encoder) => {
            settings.encoder.min_interval * settings.gate.0.clamp(1, i64::from(u32::MAX)) as u32
        }
    }
}

fn start<'s>(scope: &'s Scope<'s, '_>, name: &str, work: impl FnOnce() + Send + 's) -> Result<(), LineError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, work)
        .map_err(NoThread)?;
    Ok(())
}

fn begin_record(
    path: &Path,
    board: &Board,
    recipe: &Recipe,
    settings: Settings,
    counters: Counters,
) -> Result<(PathBuf, Recording<BufWriter<File>>), LineError> {
    let failed = |source| LineError::File {
        path: path.to_owned(),
        source,
    };
    let header = Header {
        beltwatch_record: record::FORMAT,
        program: concat!("beltwatch ", env!("CARGO_PKG_VERSION")).to_owned(),
        board: board.name.clone(),
        recipe: recipe.to_string(),
        settings,
        counters,
    };
    let file = File::create_new(path).map_err(failed)?;
    let recording = Recording::begin(BufWriter::new(file), &header).map_err(failed)?;
    Ok((path.to_owned(), recording))
}

/// A socket that nobody listens on any more is replaced, one that is in use is an error.
fn listen(path: &Path) -> Result<UnixListener, LineError> {
    let failed = |source| LineError::File {
        path: path.to_owned(),
        source,
    };
    if path.exists() && std::os::unix::net::UnixStream::connect(path).is_err() {
        fs::remove_file(path).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}
