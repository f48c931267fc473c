//! What comes in and what is decided.

use serde::{Deserialize, Serialize};

use crate::{Alarm, Device, Fault, MonoNanos, State, Tag, Verdict};

/// What came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// The eye's beam was blocked or came free.
    Eye {
        /// The kernel's time stamp.
        at: MonoNanos,
        /// The kernel's number of the edge.
        sequence: u32,
        /// Which of the two.
        blocked: bool,
    },
    /// The belt moved by a pulse.
    Encoder {
        /// The kernel's time stamp.
        at: MonoNanos,
        /// The kernel's number of the pulse.
        sequence: u32,
        /// Which way.
        forward: bool,
    },
    /// The camera took a picture.
    Frame {
        /// The driver's time stamp, plus the board's camera offset.
        exposed: MonoNanos,
        /// The camera's number of the frame.
        sequence: u32,
        /// Whether it can be judged.
        quality: Quality,
    },
    /// The inspection is through with a part.
    Verdict {
        /// The part.
        tag: Tag,
        /// What it gets.
        verdict: Verdict,
    },
    /// Something passed the confirm input.
    Confirm {
        /// The kernel's time stamp.
        at: MonoNanos,
    },
    /// A device came up or went down.
    Device {
        /// Which.
        device: Device,
        /// Which of the two.
        up: bool,
    },
    /// An earlier run ended without bringing its parts to the gate.
    PartsUnknown,
    /// An operator wants something.
    Command(Command),
    /// Nothing came but time.
    Time,
}

/// What is on a frame at first sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quality {
    /// A picture.
    Good,
    /// Nothing but black.
    Black,
    /// Too much of it at the upper end.
    Saturated,
    /// The same as the frame before, bit for bit.
    Repeated,
}

/// What an operator, or the end of the program, can want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::EnumCount)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Inspect every part.
    Start,
    /// Inspect the next part.
    Single,
    /// Inspect no more: the parts in flight are brought to the gate, then the line is halted.
    Halt,
    /// Take note of the faults that wait for it.
    Acknowledge,
    /// Let every part go on, whatever its verdict.
    Bypass(bool),
    /// Open the gate for one pulse now.
    TestFire,
    /// The next part is a test piece: it must be found and must leave.
    Challenge,
    /// The next part leaves.
    RejectNext,
    /// Set all counters to zero.
    ResetCounters,
}

/// Which output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::VariantArray)]
#[serde(rename_all = "kebab-case")]
pub enum OutputLine {
    /// The reject actuator.
    Gate,
    /// The belt may run.
    Ready,
    /// Something is wrong.
    Fault,
    /// A square wave while the program is alive.
    Heartbeat,
}

impl OutputLine {
    /// All outputs, in the order of their numbers.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A part was seen.
    Part {
        /// Its number from now on.
        tag: Tag,
        /// Its eye edge.
        eye: MonoNanos,
    },
    /// A frame shows a part: judge it.
    Judge {
        /// The part.
        tag: Tag,
        /// The frame's number.
        frame: u32,
    },
    /// A frame shows no part, or cannot be judged.
    Unjudged {
        /// The frame's number.
        frame: u32,
    },
    /// A part's fate is sealed.
    Decided {
        /// The part.
        tag: Tag,
        /// What it gets.
        verdict: Verdict,
        /// Whether it goes on all the same.
        bypassed: bool,
    },
    /// A verdict came after its part's deadline, or for a part that never was.
    Late {
        /// The part.
        tag: Tag,
    },
    /// An output changes now.
    Output {
        /// Which.
        line: OutputLine,
        /// Asserted or not.
        on: bool,
        /// When it should have changed.
        planned: MonoNanos,
    },
    /// A rejected part passed the confirm input, or did not.
    Confirmed {
        /// The part.
        tag: Tag,
        /// Which of the two.
        seen: bool,
    },
    /// The state changed.
    State(State),
    /// A fault came or went.
    Fault {
        /// Which.
        fault: Fault,
        /// Came.
        raised: bool,
    },
    /// An alarm came or went.
    Alarm {
        /// Which.
        alarm: Alarm,
        /// Came.
        raised: bool,
    },
}
