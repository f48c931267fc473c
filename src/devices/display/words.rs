//! Causes, faults and alarms in words that an operator understands, with what to do.

use beltwatch_core::{Alarm, Cause, Fault, State};

/// Why a part was rejected.
pub(super) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Defect => "Defect",
        Cause::NoVerdict => "No verdict in time",
        Cause::NoImage => "No picture",
        Cause::Spacing => "Too close",
        Cause::Fault => "Not ready",
        Cause::Challenge => "Test piece",
        Cause::Manual => "By operator",
    }
}

/// What is wrong, and what to do.
pub(super) fn fault(fault: Fault) -> &'static str {
    match fault {
        Fault::Camera => "No usable picture: check camera, cable and light",
        Fault::Inputs => "Sensors do not answer: check eye, encoder and their wiring",
        Fault::Outputs => "Outputs do not answer: check gate and signal wiring",
        Fault::Stages => "The program hangs: restart the station if this stays",
        Fault::EyeStuck => "Eye blocked: remove the part, clean the eye",
        Fault::EncoderSilent => "Encoder silent: check its wheel and cable",
        Fault::EdgesLost => "A part may have passed unseen: check the parts, then acknowledge",
        Fault::PartsUnknown => "Parts of an earlier run: empty the belt from eye to gate, then acknowledge",
        Fault::QueueFull => "Too many parts between eye and gate: check the belt, then acknowledge",
        Fault::MaxOn => "Gate open for too long: check parts and gate, then acknowledge",
        Fault::GateLate => "Gate opened too late: check the last parts, then acknowledge",
        Fault::Alarm => "Stopped by an alarm: find the reason, then acknowledge",
    }
}

/// What people are called for, and what to do.
pub(super) fn alarm(alarm: Alarm) -> &'static str {
    match alarm {
        Alarm::ConsecutiveRejects => "Many rejects in a row: check product, light and camera",
        Alarm::RejectRate => "Too many rejects: check product, light and recipe",
        Alarm::MissedReject => "A rejected part did not leave: find it, check the gate",
        Alarm::ChallengeNotFound => "Test piece not found: parts since the last test are in doubt",
    }
}

/// Why a line that has no fault does not inspect; `None` where it does.
pub(super) fn waiting(state: State) -> Option<(&'static str, &'static str)> {
    match state {
        State::Preoperational => Some(("STARTING", "Loading the recipe")),
        State::Initialized => Some(("STARTING", "Waiting for camera, sensors and outputs")),
        State::Ready => Some(("WAITING", "Not started: parts that come are rejected")),
        State::Halted => Some(("STOPPED", "Nothing is inspected, every output is safe")),
        State::SingleExecution | State::ContinuousExecution | State::Error => None,
    }
}
