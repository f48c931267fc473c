//! Outputs and their guard, inputs, camera.

use std::time::{Duration, Instant};

use super::Finding;
use crate::board::{Board, CameraSource};
use crate::capture::Folder;
use crate::capture::LiveCamera;
use crate::capture::v4l2::Camera;
use crate::guard::Guard;
use crate::inputs::{self, InputBackEnd};
use crate::outputs::{self, BackEnd, OutputError};

/// Frames are looked at for so long.
const LOOK: Duration = Duration::from_secs(2);

pub(super) fn outputs(board: &Board) -> Vec<Finding> {
    let config = &board.outputs;
    if config.back_end == BackEnd::Simulated {
        let advice = "name them in [outputs] to drive an actuator";
        return vec![Finding::hint("outputs", "none: only the simulated belt sees the gate", advice)];
    }
    let mut found = Vec::new();
    if config.gate.is_none() {
        found.push(Finding::bad("outputs", "no outputs.gate", "without it no part is rejected"));
    }
    if config.ready.is_none() {
        found.push(Finding::hint("outputs", "no outputs.ready", "the PLC cannot know whether parts are inspected"));
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
    found.push(match Guard::start(outputs.as_ref(), config, board.watchdog.gate.0) {
        Ok(_) => Finding::good("guard", "starts, and can drive them too"),
        Err(e) => {
            Finding::bad("guard", e, "outputs are not safe when the program is killed: the line does not start so")
        }
    });
    found
}

pub(super) fn inputs(board: &Board) -> Finding {
    match (&board.inputs.back_end, inputs::open(&board.inputs)) {
        (_, Err(e)) => Finding::bad("inputs", e, "see [inputs] in the board file, and the groups of the user"),
        (InputBackEnd::Gpio(_), Ok(_)) => Finding::good("inputs", "claimed"),
        (InputBackEnd::Simulated, Ok(_)) if board.plays_belt() => Finding::good("inputs", "the simulated belt"),
        (InputBackEnd::Simulated, Ok(_)) => Finding::good("inputs", "none: frames make parts"),
    }
}

pub(super) fn camera(board: &Board) -> Vec<Finding> {
    let found = match (board.camera.source, &board.camera.pictures) {
        (CameraSource::V4l2, _) => return v4l2(board),
        (CameraSource::Rendered, _) => Finding::good("camera", "rendered parts"),
        (CameraSource::Folder, Some(path)) => match Folder::open(path) {
            Ok(folder) => Finding::good("camera", format!("{} pictures in {}", folder.files().len(), path.display())),
            Err(e) => Finding::bad("camera", e, "see camera.pictures"),
        },
        (CameraSource::Folder, None) => Finding::bad("camera", "a folder without camera.pictures", "name the folder"),
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
    let mut camera = match Camera::open(&settings) {
        Ok(camera) => camera,
        Err(e) => return bad(e.to_string()),
    };
    let mut found: Vec<_> = camera.report().iter().map(|line| Finding::good("camera", line)).collect();
    let start = Instant::now();
    let mut frames = 0;
    while start.elapsed() < LOOK {
        match camera.next(LOOK) {
            Ok(Some(_)) => frames += 1,
            Ok(None) => {}
            Err(e) => return found.into_iter().chain(bad(e.to_string())).collect(),
        }
    }
    let rate = f64::from(frames) / start.elapsed().as_secs_f64();
    found.push(if frames == 0 {
        Finding::bad(
            "camera",
            "no good frame came",
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
