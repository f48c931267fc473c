//! The rig set up: a machine with its guest, the camera, and the parts for the belt.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::Options;
use crate::board::Board;
use crate::camera::{Camera, Fault, Format, Picture, Shape};
use crate::daemon::Daemon;
use crate::guest::{self, Content, Packages};
use crate::machine::{Kind, Machine, Model, Parts};
use crate::oracle::{self, Part};

const FRAMES_PER_SECOND: u32 = 10;
/// An empty belt: this grey, and noise.
const BELT: u8 = 60;
/// The camera's size where there are no pictures of parts.
const SIZE: (u32, u32) = (256, 256);

/// The longest that a command of the caller's may take.
const GUEST_COMMAND: Duration = Duration::from_secs(600);
/// The gate's distance in a board file, a time here.
const GATE: &str = "gate.distance";
/// A line to which nothing is wired.
const UNWIRED: i64 = 7;

/// A mistake that the rig must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mutant {
    /// The gate is on another line.
    WrongLine,
    /// The gate's line is low where it should be high.
    Inverted,
    /// The camera shows the part before.
    StaleFrame,
    /// Two parts' pictures are in each other's place.
    SwappedPictures,
    /// Nobody looks after the outputs of a program that was killed.
    NoGuard,
}

impl Mutant {
    /// The check that must notice.
    pub(crate) fn noticed_by(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::NoGuard, _) => "deaths",
            (Self::WrongLine | Self::Inverted, Kind::Raspi3b) => "rendered",
            _ => "mjpeg",
        }
    }
}

/// Everything that a check works with.
pub(crate) struct Rig {
    pub(crate) model: &'static Model,
    pub(crate) machine: Machine,
    pub(crate) camera: Camera,
    board: Option<Board>,
    pub(crate) parts: Vec<Part>,
    pub(crate) mutant: Option<Mutant>,
    period: Duration,
    /// The belt's times are longer by this factor.
    slowness: u32,
    /// How far a pulse may be from its plan, and from its length.
    pub(crate) tolerance: Duration,
    pub(crate) cycles: usize,
    pub(crate) out: PathBuf,
    has_program: bool,
    /// Short, for a socket's path may have about 100 bytes only; gone at the end.
    folder: PathBuf,
}

impl Rig {
    pub(crate) fn set_up(options: &Options) -> Result<Self> {
        let model = options.machine.model();
        Machine::check(&options.qemu, model)?;
        std::fs::create_dir_all(&options.out).with_context(|| format!("{}", options.out.display()))?;
        let out = options.out.canonicalize()?;
        let package = options
            .package
            .as_ref()
            .map(|package| guest::unpack(package, &out.join("package")));
        let package = package.transpose()?;
        let parts = match &package {
            Some(package) if model.has_eye() => parts(options, package, &out)?,
            _ => Vec::new(),
        };
        let (width, height) = parts.first().map_or(SIZE, |part| part.picture.size());
        let file = options.board.as_deref().unwrap_or(Path::new(model.board));
        let board = package.as_ref().map(|_| Board::load(file)).transpose()?;
        if let Some(board) = &board {
            let camera = [("width", width), ("height", height), ("fps", FRAMES_PER_SECOND)];
            board.fits(&camera).with_context(|| file.display().to_string())?;
        }
        let packages = Packages::fetch(&options.cache)?;
        let text = board.as_ref().map(Board::text).transpose()?;
        let content = package
            .as_deref()
            .zip(text.as_deref())
            .map(|(package, board)| Content { package, board });
        let initramfs = guest::make(&packages, model, content.as_ref())?;
        let folder = std::env::temp_dir().join(format!("beltwatch-rig-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let kernel = guest::kernel(&packages)?;
        let device_tree = model
            .device_tree
            .map(|name| guest::device_tree(&packages, name))
            .transpose()?;
        let machine = Machine::start(&Parts {
            qemu: &options.qemu,
            model,
            kernel: &kernel,
            device_tree: device_tree.as_deref(),
            initramfs: &initramfs,
            folder: &folder,
        })?;
        let formats = vec![Format::Mjpeg];
        let shape = Shape {
            width,
            height,
            frames_per_second: FRAMES_PER_SECOND,
            formats,
        };
        let belt = [
            Picture::noise(width, height, BELT, 1)?,
            Picture::noise(width, height, BELT, 2)?,
        ];
        let camera = Camera::new(machine.usb_socket(), shape, belt);
        let has_program = board.is_some();
        let [period, tolerance] = [options.period_ms, options.tolerance_ms].map(Duration::from_millis);
        let (mutant, cycles) = (options.mutant, options.cycles);
        Ok(Self {
            model,
            machine,
            camera,
            board,
            parts,
            mutant,
            period,
            slowness: 1,
            tolerance,
            cycles,
            out,
            has_program,
            folder,
        })
    }

    /// Whether the program can be checked, not just the rig.
    pub(crate) fn has_program(&self) -> bool {
        self.has_program
    }

    /// The board, where there is a program to check.
    pub(crate) fn board(&self) -> Result<Board> {
        let mut board = self.board.clone().context("no board file")?;
        if self.slowness > 1 {
            let gate = board.time(GATE)? * self.slowness;
            board.set(GATE, format!("{} ms", gate.as_millis()))?;
        }
        Ok(board)
    }

    /// Time between two parts.
    pub(crate) fn period(&self) -> Duration {
        self.period * self.slowness
    }

    /// Lets the belt move so many times slower: an emulated core gets what a busy computer leaves it.
    pub(crate) fn slow_down(&mut self, slowness: u32) {
        self.slowness = slowness;
    }

    /// The board for a camera of that format, with the mistake that is to be noticed, if it is one of wiring.
    pub(crate) fn board_for(&self, format: Format) -> Result<Board> {
        let mut board = self.board()?;
        if board.has("camera.format") {
            board.set("camera.format", format.four_characters())?;
        }
        match self.mutant {
            Some(Mutant::WrongLine) => board.set("outputs.gate.line", UNWIRED)?,
            Some(Mutant::Inverted) => board.set("outputs.gate.active_low", true)?,
            _ => {}
        }
        Ok(board)
    }

    /// Runs a command in the guest, with a camera plugged in that has every format, where it can have one;
    /// what it says, and its exit code.
    pub(crate) fn run_in_guest(&mut self, command: &str) -> Result<(String, i32)> {
        if self.model.has_eye() {
            self.camera.plug_with(&[Format::Mjpeg, Format::Yuyv])?;
            self.machine
                .shell
                .run("until [ -c /dev/video0 ]; do sleep 0.05; done")?;
        }
        self.machine.shell.try_run(command, GUEST_COMMAND)
    }

    /// After a check that failed: a camera that is well, no program.
    pub(crate) fn clear_away(&mut self) -> Result<()> {
        self.camera.unplug();
        self.camera.set_fault(Fault::None);
        if self.has_program {
            Daemon::clear_away(&mut self.machine)
        } else {
            Ok(())
        }
    }

    /// Copies the guest's logs to where people find them.
    pub(crate) fn keep_logs(&mut self, name: &str) {
        let log = self
            .machine
            .shell
            .try_run("cat /tmp/beltwatch.log", Duration::from_secs(10));
        if let Ok((log, 0)) = log {
            write(&self.out.join(format!("{name}-beltwatch.log")), log.as_bytes());
        }
        if let Ok(console) = std::fs::read(self.folder.join("console.log")) {
            write(&self.out.join(format!("{name}-console.log")), &console);
        }
    }
}

/// The parts for a belt that the rig moves.
fn parts(options: &Options, package: &Path, out: &Path) -> Result<Vec<Part>> {
    let (Some(host), Some(pictures)) = (&options.host_beltwatch, &options.pictures) else {
        bail!("this machine's belt is moved by the rig: --package needs --host-beltwatch and --pictures");
    };
    oracle::parts(
        pictures,
        options.parts,
        host,
        &package.join(&guest::RECIPE[1..]),
        out,
    )
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.camera.unplug();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn write(path: &Path, content: &[u8]) {
    if let Err(e) = std::fs::write(path, content) {
        eprintln!("{}: {e}", path.display());
    }
}

/// Sleeps until then.
pub(crate) fn sleep_until(time: Instant) {
    std::thread::sleep(time.saturating_duration_since(Instant::now()));
}
