//! What people see: a screenshot of each state. That they differ is checked; whether they are good, people
//! must say.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use image::RgbImage;

use super::belt::{self, Passing};
use super::inspection;
use crate::camera::{Fault, Format};
use crate::daemon::Daemon;
use crate::machine::gpio::Pin;
use crate::rig::Rig;

/// The screen is drawn ten times a second; an emulated core may need longer.
const DRAWN: Duration = Duration::from_millis(800);
const PATIENCE: Duration = Duration::from_secs(20);
/// Two states that differ in fewer pixels than this cannot be told apart from two metres: a share of the
/// screen.
const DIFFERENT: f64 = 0.02;
/// A screen with fewer colours than this shows no picture of a part.
const COLOURS: usize = 32;

pub(super) fn screens(rig: &mut Rig) -> Result<String> {
    rig.camera.plug_with(&[Format::Mjpeg])?;
    let board = rig.board_for(Format::Mjpeg)?;
    let daemon = Daemon::start(&mut rig.machine, &board)?;
    let [good, bad] = inspection::good_and_bad(rig)?;
    let mut shots = vec![
        ("pass", after(rig, &good, "pass")?),
        ("reject", after(rig, &bad, "reject")?),
    ];
    rig.camera.set_fault(Fault::Frozen);
    rig.machine
        .gpio
        .wait_level(Pin::Fault, true, PATIENCE)?
        .context("no FAULT from a frozen camera")?;
    shots.push(("fault", shoot(rig, "fault")?));
    rig.camera.set_fault(Fault::None);
    rig.machine
        .gpio
        .wait_level(Pin::Ready, true, PATIENCE)?
        .context("no READY from a camera that is well again")?;
    daemon.ask(&mut rig.machine, "bypass-on")?;
    shots.push(("bypass", shoot(rig, "bypass")?));
    daemon.stop(&mut rig.machine)?;
    for (n, (name, shot)) in shots.iter().enumerate() {
        let mut colours: Vec<_> = shot.pixels().map(|p| p.0).collect();
        colours.sort_unstable();
        colours.dedup();
        ensure!(
            *name == "fault" || colours.len() >= COLOURS,
            "{name}: only {} colours",
            colours.len()
        );
        for (other, another) in &shots[..n] {
            let share = difference(shot, another);
            ensure!(
                share >= DIFFERENT,
                "{name} and {other} differ in {:.2} % of the screen only",
                share * 100.0
            );
        }
    }
    let (width, height) = shots[0].1.dimensions();
    Ok(format!(
        "{} screenshots of {width}x{height}, each pair differs: look at them",
        shots.len()
    ))
}

fn after(rig: &mut Rig, part: &Passing, name: &str) -> Result<RgbImage> {
    belt::pass(rig, std::slice::from_ref(part)).with_context(|| name.to_owned())?;
    shoot(rig, name)
}

fn shoot(rig: &mut Rig, name: &str) -> Result<RgbImage> {
    std::thread::sleep(DRAWN);
    let file: PathBuf = rig.out.join(format!("screen-{name}.png"));
    rig.machine.qmp.screenshot(&file)?;
    Ok(image::open(&file)
        .with_context(|| format!("{}", file.display()))?
        .to_rgb8())
}

/// The share of pixels that differ.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let different = a.pixels().zip(b.pixels()).filter(|(a, b)| a != b).count();
    different as f64 / f64::from(a.width() * a.height()).max(1.0)
}
