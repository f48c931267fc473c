//! Opens the V4L2 camera of a board file, says what was chosen and set and why, and takes pictures:
//!
//! ```sh
//! cargo run --release --example camera -- board.toml 30 picture.png
//! ```
//! The last of so many frames goes to the PNG file.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use beltwatch::board::Board;
use beltwatch::capture::v4l2::Camera;
use beltwatch::capture::{Captured, LiveCamera};

/// Without a frame for longer it gives up.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [board, count, png] = arguments.as_slice() else {
        return Err("three arguments are needed: a board file, a number of frames, a PNG file".into());
    };
    let settings = Board::load(Path::new(board))?.camera.v4l2()?;
    let mut camera = Camera::open(&settings)?;
    for line in camera.report() {
        println!("{line}");
    }
    let start = Instant::now();
    for _ in 0..count.parse()? {
        let Captured { exposed, sequence, picture } = camera.next(PATIENCE)?.ok_or("no frame for two seconds")?;
        match picture {
            Ok(picture) => {
                let mean = picture.data.iter().map(|&v| u64::from(v)).sum::<u64>() / picture.data.len() as u64;
                println!("frame {sequence} exposed at {exposed}, mean value {mean}");
                picture.save_png(Path::new(png))?;
            }
            Err(flaw) => println!("frame {sequence} is no picture: {flaw}"),
        }
    }
    println!("{count} frames in {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}
