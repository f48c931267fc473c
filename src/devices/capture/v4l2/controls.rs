//! Exposure, gain, white balance and focus, locked: automatic control off first, then the value, then read
//! back.

use std::io;

use v4l::v4l_sys as sys;

use crate::board::ControlSettings;

/// What a control takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Least.
    pub min: i32,
    /// Most.
    pub max: i32,
    /// From one value to the next.
    pub step: i32,
    /// Nobody can change it.
    pub read_only: bool,
}

/// A camera's controls, by the kernel's numbers.
pub trait Knobs {
    /// What a control takes; `None` where the camera has no such control.
    fn span(&self, id: u32) -> io::Result<Option<Span>>;
    /// Its value.
    fn get(&self, id: u32) -> io::Result<i32>;
    /// Sets it.
    fn set(&mut self, id: u32, value: i32) -> io::Result<()>;
}

/// Why controls are not locked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ControlError {
    #[error("the board file has controls.{key}, but the camera has no control {name}: leave {key} out")]
    Absent {
        /// In the board file.
        key: &'static str,
        /// As `v4l2-ctl` has it.
        name: &'static str,
    },
    #[error("controls.{key} = {value} is not possible: the camera takes {min} to {max}")]
    Range {
        /// In the board file.
        key: &'static str,
        /// The board file's value, in its unit.
        value: i64,
        /// In that unit.
        min: i64,
        /// In that unit.
        max: i64,
    },
    #[error("control {name} was set to {wanted}, but the camera says {found}")]
    Differs {
        /// As `v4l2-ctl` has it.
        name: &'static str,
        wanted: i32,
        found: i32,
    },
    #[error("control {name}: {source}")]
    Io {
        /// As `v4l2-ctl` has it.
        name: &'static str,
        source: io::Error,
    },
}

/// A control: the kernel's number, and its name in `v4l2-ctl`.
type Control = (u32, &'static str);

/// What adjusts itself, and the value that stops it. A camera without the control has nothing to stop.
const AUTOMATIC: [(Control, i32); 5] = [
    ((sys::V4L2_CID_EXPOSURE_AUTO, "auto_exposure"), 1),
    (
        (sys::V4L2_CID_EXPOSURE_AUTO_PRIORITY, "exposure_dynamic_framerate"),
        0,
    ),
    ((sys::V4L2_CID_AUTOGAIN, "gain_automatic"), 0),
    ((sys::V4L2_CID_AUTO_WHITE_BALANCE, "white_balance_automatic"), 0),
    ((sys::V4L2_CID_FOCUS_AUTO, "focus_automatic_continuous"), 0),
];

/// A value: its key in the board file, how many of the key's units are one of the control's, and the control.
struct Manual {
    key: &'static str,
    unit: i64,
    control: Control,
}

const MANUAL: [Manual; 4] = [
    Manual {
        key: "exposure_us",
        unit: 100,
        control: (sys::V4L2_CID_EXPOSURE_ABSOLUTE, "exposure_time_absolute"),
    },
    Manual {
        key: "gain",
        unit: 1,
        control: (sys::V4L2_CID_GAIN, "gain"),
    },
    Manual {
        key: "white_balance_k",
        unit: 1,
        control: (
            sys::V4L2_CID_WHITE_BALANCE_TEMPERATURE,
            "white_balance_temperature",
        ),
    },
    Manual {
        key: "focus",
        unit: 1,
        control: (sys::V4L2_CID_FOCUS_ABSOLUTE, "focus_absolute"),
    },
];

impl ControlSettings {
    fn values(&self) -> [Option<i64>; 4] {
        let Self {
            exposure_us,
            gain,
            white_balance_k,
            focus,
        } = *self;
        [
            exposure_us.map(i64::from),
            gain.map(i64::from),
            white_balance_k.map(i64::from),
            focus.map(i64::from),
        ]
    }

    /// Locks everything and reads it all back at the end, when nothing can change it any more. Says what is
    /// set, a line each.
    ///
    /// # Errors
    /// A control of the board file is not there, does not take its value, or does not keep it.
    pub fn lock(&self, knobs: &mut impl Knobs) -> Result<Vec<String>, ControlError> {
        let mut set: Vec<(Control, i32)> = Vec::new();
        let mut report = Vec::new();
        for (control, off) in AUTOMATIC {
            // a mode that the camera does not have, as one that is always manual, cannot be set and need not
            // be
            let has = span(knobs, control)?.is_some_and(|s| !s.read_only && (s.min..=s.max).contains(&off));
            if has {
                apply(knobs, control, off)?;
                set.push((control, off));
            }
        }
        for (Manual { key, unit, control }, value) in MANUAL.iter().zip(self.values()) {
            let span = span(knobs, *control)?.filter(|s| !s.read_only);
            match (value, span) {
                (None, None) => {}
                (Some(_), None) => return Err(ControlError::Absent { key, name: control.1 }),
                (Some(value), Some(span)) => {
                    let raw = span.nearest(value, *unit).ok_or(ControlError::Range {
                        key,
                        value,
                        min: i64::from(span.min) * unit,
                        max: i64::from(span.max) * unit,
                    })?;
                    apply(knobs, *control, raw)?;
                    set.push((*control, raw));
                }
                (None, Some(_)) => {
                    let found = i64::from(get(knobs, *control)?) * unit;
                    report.push(format!(
                        "{key} is {found} as found: write controls.{key} to be sure of it"
                    ));
                }
            }
        }
        for (control, wanted) in &set {
            let found = get(knobs, *control)?;
            if found != *wanted {
                return Err(ControlError::Differs {
                    name: control.1,
                    wanted: *wanted,
                    found,
                });
            }
            report.push(format!("{} = {found}", control.1));
        }
        Ok(report)
    }
}

impl Span {
    /// The value that is nearest on the control's steps; none, where it is out of range.
    fn nearest(&self, value: i64, unit: i64) -> Option<i32> {
        let (min, max, step) = (
            i64::from(self.min),
            i64::from(self.max),
            i64::from(self.step.max(1)),
        );
        if !(min * unit..=max * unit).contains(&value) {
            return None;
        }
        let size = step * unit;
        let steps = (value - min * unit + size / 2) / size;
        let last = (max - min) / step;
        i32::try_from(min + steps.min(last) * step).ok()
    }
}

fn span(knobs: &impl Knobs, (id, name): Control) -> Result<Option<Span>, ControlError> {
    knobs.span(id).map_err(|source| ControlError::Io { name, source })
}

fn get(knobs: &impl Knobs, (id, name): Control) -> Result<i32, ControlError> {
    knobs.get(id).map_err(|source| ControlError::Io { name, source })
}

fn apply(knobs: &mut impl Knobs, (id, name): Control, value: i32) -> Result<(), ControlError> {
    knobs
        .set(id, value)
        .map_err(|source| ControlError::Io { name, source })
}

#[cfg(test)]
#[path = "controls_tests.rs"]
mod tests;
