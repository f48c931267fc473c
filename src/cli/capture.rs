//! `beltwatch capture`

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use beltwatch::board::{Board, BoardError, CameraSource};
use beltwatch::devices::capture::v4l2::V4l2Camera;
use beltwatch::devices::capture::{CaptureError, Captured, FrameCheck, LiveCamera};
use beltwatch::units::Time;
use beltwatch_core::Quality;

use super::{Failure, say, stop_on_signals};

/// Without a frame for longer the camera is given up.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The board file: its camera, with its format and locked controls
    #[arg(long)]
    board: PathBuf,
    /// Where the pictures go, as PNG; what is there stays
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many
    #[arg(long, default_value_t = 100)]
    count: usize,
    /// At least so long from one to the next
    #[arg(long, default_value = "1 s", value_name = "TIME")]
    every: Time,
}

pub(crate) fn capture(args: &Args) -> Result<(), Failure> {
    let board = Board::load(&args.board)?;
    if board.camera.source != CameraSource::V4l2 {
        return Err(Failure::Usage(
            "the board's camera is a simulated one: there is nothing to take pictures of".into(),
        ));
    }
    let settings = board.camera.v4l2().map_err(|message| BoardError::Content {
        path: args.board.clone(),
        message,
    })?;
    fs::create_dir_all(&args.out).map_err(|source| Failure::Write {
        path: args.out.clone(),
        source,
    })?;
    let stop = stop_on_signals()?;
    let mut camera = V4l2Camera::open(&settings).map_err(CaptureError::from)?;
    camera.report().iter().try_for_each(say::out)?;
    let (mut check, mut taken) = (FrameCheck::default(), 0);
    let (mut last_frame, mut next) = (Instant::now(), Instant::now());
    let mut number = (0..).find(|n| !file(args, *n).exists()).unwrap_or_default();
    while taken < args.count && !stop.load(Ordering::Relaxed) {
        let Some(Captured {
            sequence, picture, ..
        }) = camera.next(Duration::from_millis(100))?
        else {
            if last_frame.elapsed() > PATIENCE {
                return Err(Failure::System(format!("no frame for {} s", PATIENCE.as_secs())));
            }
            continue;
        };
        last_frame = Instant::now();
        let picture = match picture {
            Ok(picture) => picture,
            Err(flaw) => {
                say::error(format_args!("frame {sequence} is no picture: {flaw}"));
                continue;
            }
        };
        let quality = check.check(&picture);
        if quality != Quality::Good || Instant::now() < next {
            continue;
        }
        next = Instant::now() + args.every.0;
        let path = file(args, number);
        picture.save_png(&path)?;
        say::out(path.display())?;
        (taken, number) = (taken + 1, number + 1);
    }
    Ok(())
}

fn file(args: &Args, number: usize) -> PathBuf {
    args.out.join(format!("{number:06}.png"))
}
