//! The rig itself: is what the program's checks rely on there, and seen rightly from outside? With busybox
//! only.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::machine::gpio::Pin;
use crate::rig::Rig;

const SECOND: Duration = Duration::from_secs(1);

/// The kernel is up and has the hardware.
pub(super) fn boot(rig: &mut Rig) -> Result<String> {
    let shell = &mut rig.machine.shell;
    let failed = shell.run("cat /run/modules-failed")?;
    ensure!(failed.is_empty(), "these modules could not be loaded: {failed}");
    for node in rig.model.nodes {
        shell
            .run(&format!("test -c {node}"))
            .with_context(|| format!("the guest has no {node}"))?;
    }
    let kernel = shell.run("uname -r")?;
    Ok(format!(
        "{:.1} s to the shell, kernel {kernel}",
        rig.machine.boot.as_secs_f64()
    ))
}

/// Every edge of an output is heard, and none else.
pub(super) fn edges(rig: &mut Rig) -> Result<String> {
    const EDGES: usize = 200;
    let gate = export(rig, Pin::Gate, "low")?;
    let (shell, gpio) = (&mut rig.machine.shell, &mut rig.machine.gpio);
    let start = Instant::now();
    let toggle = format!(
        "for i in $(seq {}); do echo 1 > {gate}/value; echo 0 > {gate}/value; done",
        EDGES / 2
    );
    shell.run(&toggle)?;
    std::thread::sleep(SECOND / 10);
    let edges = gpio.edges(Pin::Gate, start);
    ensure!(
        edges.len() == EDGES,
        "{EDGES} edges were made, {} were heard",
        edges.len()
    );
    let turns = edges
        .iter()
        .enumerate()
        .all(|(n, edge)| edge.high == (n % 2 == 0));
    ensure!(turns, "edges that were heard do not take turns");
    unexport(rig, &gate)?;
    Ok(format!("{EDGES} of {EDGES} heard"))
}

/// Inputs arrive, and outputs stay as they are when nobody holds them.
pub(super) fn gpio(rig: &mut Rig) -> Result<String> {
    let eye = export(rig, Pin::Eye, "in")?;
    let (shell, gpio) = (&mut rig.machine.shell, &mut rig.machine.gpio);
    for level in [true, false] {
        gpio.drive(Pin::Eye, level)?;
        let seen = shell.run(&format!("cat {eye}/value"))?;
        ensure!(
            seen == u8::from(level).to_string(),
            "the eye was driven to {level}, the guest sees {seen}"
        );
    }
    unexport(rig, &eye)?;
    // a level that outlives whoever set it is what makes this chip worth testing with
    let gate = export(rig, Pin::Gate, "high")?;
    unexport(rig, &gate)?;
    ensure!(
        rig.machine.gpio.level(Pin::Gate)?,
        "the chip lets go of a line when nobody holds it"
    );
    let gate = export(rig, Pin::Gate, "low")?;
    unexport(rig, &gate)?;
    Ok("inputs seen, levels stay without an owner".to_owned())
}

/// Takes a pin in the guest, as an input or an output with a level; the folder that it then has.
fn export(rig: &mut Rig, pin: Pin, direction: &str) -> Result<String> {
    let (label, line) = (rig.model.chip.label, rig.machine.gpio.line(pin)?);
    let shell = &mut rig.machine.shell;
    let base = shell.run(&format!(
        "cat $(dirname $(grep -lx {label} /sys/class/gpio/gpiochip*/label))/base"
    ));
    let base = base.with_context(|| format!("the guest has no GPIO chip {label}"))?;
    let number = base.trim().parse::<u32>().context("the chip's base")? + u32::from(line);
    let folder = format!("/sys/class/gpio/gpio{number}");
    shell.run(&format!(
        "echo {number} > /sys/class/gpio/export; echo {direction} > {folder}/direction"
    ))?;
    Ok(folder)
}

fn unexport(rig: &mut Rig, folder: &str) -> Result<()> {
    let number = folder.trim_start_matches("/sys/class/gpio/gpio");
    rig.machine
        .shell
        .run(&format!("echo {number} > /sys/class/gpio/unexport"))
        .map(drop)
}

/// What the guest draws is what is seen.
pub(super) fn display(rig: &mut Rig) -> Result<String> {
    let file = rig.out.join("display.png");
    let mut seen = Vec::new();
    for (octal, value) in [("\\200", 128), ("\\040", 32)] {
        let size = "$(($(cut -d, -f1 /sys/class/graphics/fb0/virtual_size)*4*100))";
        rig.machine.shell.run(&format!(
            "head -c {size} /dev/zero | tr '\\000' '{octal}' > /dev/fb0"
        ))?;
        std::thread::sleep(SECOND / 2);
        rig.machine.qmp.screenshot(&file)?;
        let picture = image::open(&file)
            .with_context(|| format!("{}", file.display()))?
            .to_rgb8();
        let (width, height) = picture.dimensions();
        for (x, y) in [(0, 0), (width - 1, 90), (width / 2, 50)] {
            let pixel = picture.get_pixel(x, y).0;
            ensure!(
                pixel == [value; 3],
                "pixel {x}, {y} is {pixel:?}, drawn was {value}"
            );
        }
        seen.push(format!("{width}x{height}"));
    }
    Ok(format!("{}, pixels as drawn", seen[0]))
}

/// The camera is taken for one, and gone when its plug is pulled.
pub(super) fn usb(rig: &mut Rig) -> Result<String> {
    const PLUGGED: &str =
        "i=0; until [ -c /dev/video0 ]; do [ $i = 200 ] && exit 1; sleep 0.05; i=$((i+1)); done";
    const GONE: &str =
        "i=0; while [ -c /dev/video0 ]; do [ $i = 200 ] && exit 1; sleep 0.05; i=$((i+1)); done";
    let mut times = [Duration::ZERO; 2];
    for _ in 0..2 {
        let start = Instant::now();
        rig.camera.plug()?;
        rig.machine
            .shell
            .run(&format!("({PLUGGED})"))
            .context("no /dev/video0 after the plug")?;
        times[0] = times[0].max(start.elapsed());
        let name = rig.machine.shell.run("cat /sys/class/video4linux/video0/name")?;
        ensure!(name.contains("Rig Camera"), "the camera is called {name}");
        let start = Instant::now();
        rig.camera.unplug();
        rig.machine
            .shell
            .run(&format!("({GONE})"))
            .context("/dev/video0 is there after the plug was pulled")?;
        times[1] = times[1].max(start.elapsed());
    }
    Ok(format!(
        "there {:.1} s after the plug, gone {:.1} s after it was pulled",
        times[0].as_secs_f64(),
        times[1].as_secs_f64()
    ))
}

/// A kernel that hangs is noticed; one that lives is left alone.
pub(super) fn watchdog(rig: &mut Rig) -> Result<String> {
    const LIMIT: u64 = 6;
    let limit = Duration::from_secs(LIMIT);
    rig.machine.qmp.forget_events()?;
    rig.machine
        .shell
        .run(&format!("watchdog -t 1 -T {LIMIT} /dev/watchdog"))?;
    let early = rig.machine.qmp.event("WATCHDOG", limit * 2)?;
    ensure!(early.is_none(), "the watchdog bit although it was fed");
    rig.machine.shell.begin("echo c > /proc/sysrq-trigger")?;
    let start = Instant::now();
    let event = rig.machine.qmp.event("WATCHDOG", limit * 5)?;
    ensure!(
        event.is_some(),
        "the kernel hung for {:?} and the watchdog did not bite",
        limit * 5
    );
    Ok(format!(
        "{:.1} s after the kernel hung, set to {LIMIT} s",
        start.elapsed().as_secs_f64()
    ))
}
