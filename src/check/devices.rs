//! Outputs and their guard, inputs, camera.

use std::time::{Duration, Instant};

use beltwatch_core::Quality;

use super::Finding;
use crate::board::{Board, CameraSource, InputBackEnd, OutputBackEnd};
use crate::devices::capture::v4l2::V4l2Camera;
use crate::devices::capture::{Captured, Folder, FrameCheck, LiveCamera};
use crate::devices::outputs::{self, OutputError};
use crate::devices::{display, inputs};
use crate::guard::{ARMING, Guard};
use crate::units::{Length, Time};

/// Frames are looked at for so long.
const LOOK: Duration = Duration::from_secs(2);

pub(super) fn outputs(board: &Board) -> Vec<Finding> {
    let config = &board.outputs;
    if config.back_end == OutputBackEnd::Simulated {
        let advice = "name them in [outputs] to drive an actuator";
        return vec![Finding::hint(
            "outputs",
            "none: only the simulated belt sees the gate",
            advice,
        )];
    }
    let mut found = Vec::new();
    if config.gate.is_none() {
        found.push(Finding::bad(
            "outputs",
            "no outputs.gate",
            "without it no part is rejected",
        ));
    }
    if config.ready.is_none() {
        found.push(Finding::hint(
            "outputs",
            "no outputs.ready",
            "the PLC cannot know whether parts are inspected",
        ));
    }
    let outputs = match outputs::open(config) {
        Ok(outputs) => outputs,
        Err(e) => {
            let advice = match e {
                OutputError::Claimed(_) => "stop the service first: systemctl stop beltwatch",
                _ => "see [outputs] in the board file, and the groups of the user",
            };
            found.push(Finding::bad("outputs", e, advice));
            return found;
        }
    };
    found.push(Finding::good("outputs", "claimed, all at their safe levels"));
    found.push(
        match Guard::start(outputs.as_ref(), config, board.watchdog.gate.0, ARMING) {
            Ok(_) => Finding::good("guard", "starts, and can drive them too"),
            Err(e) => Finding::bad(
                "guard",
                e,
                "outputs are not safe when the program is killed: the line does not start so",
            ),
        },
    );
    found
}

pub(super) fn inputs(board: &Board) -> Finding {
    match (&board.inputs.back_end, inputs::open(&board.inputs)) {
        (_, Err(e)) => Finding::bad(
            "inputs",
            e,
            "see [inputs] in the board file, and the groups of the user",
        ),
        (InputBackEnd::Gpio(_), Ok(_)) => Finding::good("inputs", "claimed"),
        (InputBackEnd::Simulated, Ok(_)) if board.plays_belt() => {
            Finding::good("inputs", "the simulated belt")
        }
        (InputBackEnd::Simulated, Ok(_)) => Finding::good("inputs", "none: frames make parts"),
    }
}

pub(super) fn screen(board: &Board) -> Option<Finding> {
    let config = board.display.as_ref()?;
    Some(match display::open(config).map(|screen| screen.size()) {
        Ok(size) => Finding::good("display", format!("{} x {} pixels", size.width, size.height)),
        Err(e) => Finding::hint(
            "display",
            e,
            "see [display] in the board file; the line runs without it",
        ),
    })
}

pub(super) fn camera(board: &Board) -> Vec<Finding> {
    let found = match (board.camera.source, &board.camera.pictures) {
        (CameraSource::V4l2, _) => return v4l2(board),
        (CameraSource::Rendered, _) => Finding::good("camera", "rendered parts"),
        (CameraSource::Folder, Some(path)) => match Folder::open(path) {
            Ok(folder) => Finding::good(
                "camera",
                format!("{} pictures in {}", folder.files().len(), path.display()),
            ),
            Err(e) => Finding::bad("camera", e, "see camera.pictures"),
        },
        (CameraSource::Folder, None) => {
            Finding::bad("camera", "a folder without camera.pictures", "name the folder")
        }
    };
    vec![found]
}

/// Which node, format, rate and controls, and whether frames come.
fn v4l2(board: &Board) -> Vec<Finding> {
    let advice = "see [camera] in the board file, the cable, and `v4l2-ctl --list-devices`";
    let bad = |why: String| vec![Finding::bad("camera", why, advice)];
    let settings = match board.camera.v4l2() {
        Ok(settings) => settings,
        Err(why) => return bad(why),
    };
    let mut camera = match V4l2Camera::open(&settings) {
        Ok(camera) => camera,
        Err(e) => return bad(e.to_string()),
    };
    let mut found: Vec<_> = camera
        .report()
        .iter()
        .map(|line| Finding::good("camera", line))
        .collect();
    let start = Instant::now();
    let (mut frames, mut check, mut flaw) = (0, FrameCheck::default(), None);
    while start.elapsed() < LOOK {
        match camera.next(LOOK) {
            Ok(Some(Captured {
                picture: Ok(picture), ..
            })) => match check.check(&picture) {
                Quality::Good => frames += 1,
                quality => flaw = Some(format!("{quality:?}").to_lowercase()),
            },
            Ok(Some(Captured { picture: Err(e), .. })) => flaw = Some(e.to_string()),
            Ok(None) => {}
            Err(e) => return found.into_iter().chain(bad(e.to_string())).collect(),
        }
    }
    let rate = f64::from(frames) / start.elapsed().as_secs_f64();
    match flaw {
        Some(flaw) if frames == 0 => {
            let found_so = format!("no frame can be judged: {flaw}");
            found.push(Finding::bad(
                "camera",
                found_so,
                "lens cap, light and exposure; another USB port or cable",
            ));
            return found;
        }
        Some(flaw) => {
            let found_so = format!("some frames cannot be judged: {flaw}");
            found.push(Finding::hint(
                "camera",
                found_so,
                "cable, USB hub, light: their parts are rejected",
            ));
        }
        None => {}
    }
    // of two windows that are narrower together than the time between two frames some part falls into none
    let window = board.camera.window;
    if let Length::Time(Time(time)) = window
        && frames > 0
        && 2.0 * time.as_secs_f64() * rate < 0.9
    {
        let found_so =
            format!("camera.window = \"{window}\" is less than half of the time between two frames");
        found.push(Finding::hint(
            "camera",
            found_so,
            "parts between two frames get none: a faster camera, a wider window",
        ));
    }
    found.push(if frames == 0 {
        Finding::bad(
            "camera",
            "no frame came",
            "try another USB port or cable; an external trigger must be running",
        )
    } else if rate < 0.8 * settings.wish.fps {
        Finding::hint(
            "camera",
            format!("{rate:.1} frames a second, {} wanted", settings.wish.fps),
            "shorter exposure, MJPG, or USB 3",
        )
    } else {
        Finding::good("camera", format!("{rate:.1} frames a second"))
    });
    found
}
