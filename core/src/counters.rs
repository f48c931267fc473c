//! What the line counts, kept over restarts.

use serde::{Deserialize, Serialize};

use crate::Cause;

/// Parts that left, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// [`Cause::Defect`]
    pub defect: u64,
    /// [`Cause::NoVerdict`]
    pub no_verdict: u64,
    /// [`Cause::NoImage`]
    pub no_image: u64,
    /// [`Cause::Spacing`]
    pub spacing: u64,
    /// [`Cause::Fault`]
    pub fault: u64,
    /// [`Cause::Challenge`]
    pub challenge: u64,
    /// [`Cause::Manual`]
    pub manual: u64,
}

impl Rejected {
    /// The count of a cause.
    pub fn of(&mut self, cause: Cause) -> &mut u64 {
        match cause {
            Cause::Defect => &mut self.defect,
            Cause::NoVerdict => &mut self.no_verdict,
            Cause::NoImage => &mut self.no_image,
            Cause::Spacing => &mut self.spacing,
            Cause::Fault => &mut self.fault,
            Cause::Challenge => &mut self.challenge,
            Cause::Manual => &mut self.manual,
        }
    }

    /// All causes.
    pub fn total(mut self) -> u64 {
        Cause::ALL.iter().map(|&c| *self.of(c)).sum()
    }
}

/// `triggers = passed + bypassed + rejected.total() + parts in flight` at any moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Parts that passed the eye.
    pub triggers: u64,
    /// Parts that went on because their verdict was Pass, or because `on_no_verdict = "pass"`.
    pub passed: u64,
    /// Parts that went on because of the bypass, whatever their verdict.
    pub bypassed: u64,
    /// Parts that left.
    pub rejected: Rejected,
    /// Verdicts that came after the deadline; they change nothing.
    pub late_verdicts: u64,
    /// Frames in which no part was due.
    pub frames_without_part: u64,
    /// Frames that are missing in the camera's numbering.
    pub frames_lost: u64,
    /// Frames that showed nothing that can be judged: black, saturated, repeated.
    pub frames_unusable: u64,
    /// Parts that came closer than `min_spacing` to the one before.
    pub spacing_faults: u64,
    /// Parts for which the tracking queue had no room.
    pub trigger_overruns: u64,
    /// Eye edges soon after another one, or on a belt that ran back; no parts.
    pub retriggers: u64,
    /// Eye edges taken for bounces.
    pub eye_bounces: u64,
    /// Eye edges missing in the kernel's numbering.
    pub eye_edges_lost: u64,
    /// Encoder pulses missing in the kernel's numbering.
    pub encoder_pulses_lost: u64,
    /// Encoder pulses that came faster than the belt can run.
    pub encoder_sparks: u64,
    /// Pulses of the gate.
    pub gate_pulses: u64,
    /// Pulses that were cut short by `max_on`.
    pub gate_cuts: u64,
    /// Parts at the gate for which it opened too late.
    pub late_pulses: u64,
    /// Rejected parts that did not pass the confirm input.
    pub missed_rejects: u64,
    /// Something passed the confirm input, and no reject was expected.
    pub unexpected_confirms: u64,
    /// Pulses that an operator fired.
    pub test_fires: u64,
    /// Challenge parts on which the inspection found nothing.
    pub challenges_not_found: u64,
    /// Times that the camera came back.
    pub camera_reconnects: u64,
}
