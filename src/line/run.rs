//! Puts a line together from a recipe and a board, and runs it.

use std::io::IsTerminal;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::belt::Belt;
use super::core::{Core, Counts};
use super::screen::Screen;
use super::{CORE_QUEUE, Event, IN_FLIGHT, Input, REPORT_QUEUE, Recorder, Report, inspection};
use crate::board::{Board, CameraSource};
use crate::capture::{CaptureError, Folder, PartCamera, Rendered};
use crate::gate::output::SimulatedOutput;
use crate::inspect::Inspector;
use crate::recipe::{Recipe, RecipeError};
use crate::time::{Clock, MonoNanos};

/// Before the first part: the threads are up by then.
const LEAD_IN: Duration = Duration::from_millis(200);

/// Why a line did not start.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// the recipe
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// the camera
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// the system gave no thread
    #[error("a thread cannot be started: {0}")]
    Thread(std::io::Error),
}

/// What a run may be told beyond recipe and board.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Parts after which the belt ends; `None`: all pictures of a folder, for ever for rendered parts.
    pub parts: Option<u64>,
    /// No line a part and no moving picture.
    pub quiet: bool,
}

/// Runs the line until its parts have passed the gate, or `stop` is set and those on the belt have.
pub fn run(
    recipe: &Recipe,
    board: &Board,
    options: &Options,
    stop: &AtomicBool,
) -> Result<(Report, Recorder), LineError> {
    let inspector = Inspector::new(recipe)?;
    log::info!("recipe {} passed its self-test; kernel {}", recipe.folder.display(), inspector.kernel_name());
    let threshold = inspector.threshold();
    let mut camera: Box<dyn PartCamera> = match (board.camera.source, &board.camera.pictures) {
        (CameraSource::Folder, Some(path)) => Box::new(Folder::open(path)?),
        _ => Box::new(Rendered::new(board.camera.seed, board.camera.defect_rate)),
    };
    let wanted = options.parts.or(camera.parts()).unwrap_or(u64::MAX);
    let parts = AtomicU64::new(wanted);
    let timing = board.timing();
    let (mut output, switches) = SimulatedOutput::new(4096);
    let (core_in, inputs) = sync_channel::<Input>(CORE_QUEUE);
    let (job_in, jobs) = sync_channel(IN_FLIGHT);
    let (event_in, events) = sync_channel::<Event>(REPORT_QUEUE);
    let belt = Belt::new(board, MonoNanos::now() + LEAD_IN);
    let mut recorder = Recorder::default();
    let mut screen = Screen::new(threshold, timing.gate_delay, options.quiet, std::io::stdout().is_terminal());

    let counts = thread::scope(|scope| -> Result<Counts, LineError> {
        let spawn = |name: &str| thread::Builder::new().name(name.to_owned());
        let core = Core::new(timing, board.pulse(), &mut output, job_in, event_in.clone());
        let core = spawn("core").spawn_scoped(scope, move || core.run(&inputs)).map_err(LineError::Thread)?;
        let (verdicts, inspected) = (core_in.clone(), event_in.clone());
        spawn("inspection")
            .spawn_scoped(scope, move || inspection::work(inspector, &jobs, &verdicts, &inspected))
            .map_err(LineError::Thread)?;
        let (belt, parts, edges) = (&belt, &parts, core_in.clone());
        let eye = spawn("eye").spawn_scoped(scope, move || belt.eye(parts, stop, &edges)).map_err(LineError::Thread)?;
        let frames = core_in.clone();
        let camera = spawn("camera")
            .spawn_scoped(scope, move || belt.camera(camera.as_mut(), parts, &frames, &event_in))
            .map_err(LineError::Thread)?;
        spawn("end")
            .spawn_scoped(scope, move || {
                // a panic of either is reported by the scope; the line still has to drain
                let _ = (eye.join(), camera.join());
                let _ = core_in.send(Input::End);
            })
            .map_err(LineError::Thread)?;
        watch(&events, &mut recorder, &mut screen);
        Ok(core.join().unwrap_or_default())
    })?;
    drop(output);
    screen.finish();
    let switches = switches.lock().unwrap_or_else(PoisonError::into_inner);
    let part_list = recorder.finish(&switches, &timing, board.pulse());
    let name = format!("{} ({})", recipe.manifest.product, &recipe.sha256[..12]);
    let report = Report::new((board.name.clone(), name, threshold), &counts, &recorder, part_list);
    if stop.load(Ordering::Relaxed) {
        log::info!("stopped: the parts on the belt were drained");
    }
    Ok((report, recorder))
}

/// Shows and records events until every thread that sends them is done.
fn watch(events: &Receiver<Event>, recorder: &mut Recorder, screen: &mut Screen) {
    loop {
        match events.recv_timeout(Screen::PERIOD) {
            Ok(event) => {
                if let Some(part) = recorder.take(event).and_then(|tag| recorder.part(tag)) {
                    screen.part(&part);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        screen.draw(MonoNanos::now(), recorder.in_flight());
    }
}
