//! Outputs and their guard, inputs, camera.

use super::Finding;
use crate::board::{Board, CameraSource};
use crate::capture::Folder;
use crate::guard::Guard;
use crate::inputs::{self, InputBackEnd};
use crate::outputs::{self, BackEnd, OutputError};

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

pub(super) fn camera(board: &Board) -> Finding {
    match (board.camera.source, &board.camera.pictures) {
        (CameraSource::Rendered, _) => Finding::good("camera", "rendered parts"),
        (CameraSource::Folder, Some(path)) => match Folder::open(path) {
            Ok(folder) => Finding::good("camera", format!("{} pictures in {}", folder.files().len(), path.display())),
            Err(e) => Finding::bad("camera", e, "see camera.pictures"),
        },
        (CameraSource::Folder, None) => Finding::bad("camera", "a folder without camera.pictures", "name the folder"),
    }
}
