//! The device rig: a whole device in an emulated computer. Debian's arm64 kernel runs the program that a user
//! installs; the rig gives it a USB camera and a photo-eye, and looks at gate, READY, FAULT and screen from
//! outside. Another computer, a Raspberry Pi, is for the outputs through its registers.

mod board;
mod camera;
mod checks;
mod daemon;
mod guest;
mod machine;
mod oracle;
mod rig;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;

use checks::{Check, Needs};
use machine::Kind;
use rig::{Mutant, Rig};

/// Runs the device in an emulated computer and checks it from outside
#[derive(Parser)]
struct Options {
    /// The emulated computer
    #[arg(long, value_enum, default_value = "virt")]
    machine: Kind,
    /// The program's Debian package for arm64, whose content the guest gets; without one only the rig itself
    /// is checked
    #[arg(long, value_name = "FILE")]
    package: Option<PathBuf>,
    /// This computer's own program: `inspect` says what the device must decide
    #[arg(long, value_name = "FILE", requires = "package")]
    host_beltwatch: Option<PathBuf>,
    /// Pictures of parts, good and bad (sub-folders are searched), as `beltwatch-train synth` makes them
    #[arg(long, value_name = "DIR", requires = "package")]
    pictures: Option<PathBuf>,
    /// The board file [default: the machine's, in board/]
    #[arg(long, value_name = "FILE")]
    board: Option<PathBuf>,
    /// Parts that pass the eye
    #[arg(long, default_value_t = 200)]
    parts: usize,
    /// Time between two parts, in milliseconds: an emulated core is slow
    #[arg(long, default_value_t = 1500)]
    period_ms: u64,
    /// How far a pulse may be from its plan, in milliseconds: what an emulated core on a busy computer
    /// allows, not what a device does
    #[arg(long, default_value_t = 100)]
    tolerance_ms: u64,
    /// Times that the camera fails and comes back
    #[arg(long, default_value_t = 50)]
    cycles: usize,
    /// A check that failed is made again until it has failed so often, each time on a belt half as fast: an
    /// emulated computer whose processor others use misses times that a device keeps
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "mutant")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=4))]
    tries: u32,
    /// Only these checks
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// In place of the checks, run this in the guest, with a camera plugged in
    #[arg(long, value_name = "COMMAND", conflicts_with = "only")]
    guest: Option<String>,
    /// Put this mistake into the device, and run the check that must notice: it ends well when that fails
    #[arg(long, conflicts_with = "only", requires = "package")]
    mutant: Option<Mutant>,
    /// Where screenshots and logs go
    #[arg(long, value_name = "DIR", default_value = "target/device-rig")]
    out: PathBuf,
    /// Where downloaded packages are kept
    #[arg(long, value_name = "DIR", default_value = "target/device-rig/cache")]
    cache: PathBuf,
    /// The emulator
    #[arg(long, value_name = "PROGRAM", default_value = "qemu-system-aarch64")]
    qemu: PathBuf,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("beltwatch-device-rig: {e:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything is as it should be.
fn run(options: &Options) -> Result<bool> {
    let checks = checks::of(options.machine);
    let names: Vec<_> = checks.iter().map(|c| c.name).collect();
    if let Some(unknown) = options.only.iter().find(|name| !names.contains(&name.as_str())) {
        bail!("--only {unknown}: checks are {}", names.join(", "));
    }
    let notices = options.mutant.map(|mutant| mutant.noticed_by(options.machine));
    if let (Some(mutant), Some(false)) = (options.mutant, notices.map(|name| names.contains(&name))) {
        bail!("--mutant: no check of this machine can notice {mutant:?}");
    }
    let mut rig = Rig::set_up(options)?;
    if let Some(command) = &options.guest {
        let (said, code) = rig.run_in_guest(command)?;
        println!("{said}");
        return Ok(code == 0);
    }
    let (mut failed, mut left_out) = (0, 0);
    for Check { name, needs, run } in checks {
        let chosen = match notices {
            Some(notices) => notices == *name,
            None => options.only.is_empty() || options.only.iter().any(|n| n == name),
        };
        if !chosen {
            continue;
        }
        if *needs == Needs::Program && !rig.has_program() {
            println!("- {name:<10} left out: it needs --package");
            left_out += 1;
            continue;
        }
        for left in (0..options.tries).rev() {
            rig.slow_down(1 << (options.tries - 1 - left));
            match run(&mut rig) {
                Ok(figure) => {
                    println!("✓ {name:<10} {figure}");
                    break;
                }
                Err(e) => {
                    failed += usize::from(left == 0);
                    println!(
                        "✗ {name:<10} {e:#}{}",
                        if left > 0 { "; once more, half as fast" } else { "" }
                    );
                    rig.keep_logs(name);
                    rig.clear_away()?;
                }
            }
        }
    }
    rig.keep_logs("end");
    println!("screenshots and logs: {}", options.out.display());
    if left_out > 0 {
        println!("{left_out} checks of the program itself were left out");
    }
    if let Some(mutant) = options.mutant {
        println!(
            "{mutant:?} was {}",
            if failed > 0 { "noticed" } else { "not noticed" }
        );
        return Ok(failed > 0);
    }
    Ok(failed == 0)
}
