//! Everything that the line must know beforehand.

use core::num::NonZeroU32;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AlarmSettings, ConfirmSettings, EncoderSettings, EyeSettings, GateSettings, Stretch};

/// How places on the belt are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// The belt has one speed: places are times, lengths are nanoseconds.
    Time,
    /// An encoder counts the way: places and lengths are its pulses.
    Encoder,
}

/// What a part gets that has a frame and no verdict by its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unjudged {
    /// It leaves.
    Reject,
    /// It goes on.
    Pass,
}

/// The line's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Unit of all lengths.
    pub scale: Scale,
    /// From the eye to the camera.
    pub camera: Stretch,
    /// A frame may be taken this far from there, either way.
    pub camera_window: Stretch,
    /// From the eye to the gate.
    pub gate: Stretch,
    /// A part is decided this far before the gate.
    pub guard: Stretch,
    /// Two parts closer than this are both rejected.
    pub min_spacing: Stretch,
    /// Edges closer than this to a part's are not another part.
    pub lockout: Stretch,
    /// What happens to a part whose verdict did not come in time.
    pub on_no_verdict: Unjudged,
    /// Without an eye: every so many frames are a part.
    pub free_running: Option<NonZeroU32>,
    /// When a level of the eye counts, and when it is stuck.
    pub eye: EyeSettings,
    /// Which pulses are sparks, and when the encoder is dead.
    pub encoder: EncoderSettings,
    /// How long the gate works, and the longest that it bears.
    pub pulse: GateSettings,
    /// A gate that opens later than this has missed its part.
    pub gate_tolerance: Duration,
    /// When a rejected part passes behind the gate, where an input sees that.
    pub confirm: Option<ConfirmSettings>,
    /// When rejects become an alarm.
    pub alarms: AlarmSettings,
    /// Half a period of the heartbeat.
    pub heartbeat: Duration,
}

/// Settings that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SettingsError {
    #[error("{0} is negative")]
    Negative(&'static str),
    #[error("the gate must stand behind the camera, its window and the guard together")]
    GateBeforeCamera,
    #[error("the gate, less the guard, must be further from the eye than min_spacing")]
    GateWithinSpacing,
    #[error("lockout must be shorter than min_spacing")]
    Lockout,
    #[error("max_on is shorter than one pulse")]
    MaxOn,
    #[error("{0} must not be zero")]
    Zero(&'static str),
    #[error("the confirm window ends before it begins")]
    ConfirmWindow,
    #[error("the reject rate needs a window of 1 to {} parts", AlarmSettings::MAX_WINDOW)]
    RateWindow,
    #[error("a free-running camera has no eye to count encoder pulses from")]
    FreeRunningEncoder,
}

impl Settings {
    /// How far a shot that stands for several parts moves on: no further than a pulse covers.
    pub(crate) fn shot_step(&self) -> Stretch {
        match self.scale {
            Scale::Time => Stretch(i64::try_from(self.pulse.pulse.as_nanos()).unwrap_or(i64::MAX)),
            Scale::Encoder => Stretch(1),
        }
    }

    /// Says what cannot work, if anything.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn check(&self) -> Result<(), SettingsError> {
        let lengths = [
            ("camera", self.camera),
            ("camera_window", self.camera_window),
            ("gate", self.gate),
            ("guard", self.guard),
            ("min_spacing", self.min_spacing),
            ("lockout", self.lockout),
        ];
        if let Some((what, _)) = lengths.into_iter().find(|(_, length)| length.0 < 0) {
            return Err(SettingsError::Negative(what));
        }
        let times = [
            ("pulse", self.pulse.pulse),
            ("heartbeat", self.heartbeat),
            ("stuck", self.eye.stuck),
        ];
        if let Some((what, _)) = times.into_iter().find(|(_, time)| time.is_zero()) {
            return Err(SettingsError::Zero(what));
        }
        let last_frame = self.camera.0.saturating_add(self.camera_window.0);
        match self {
            _ if self.gate.0 < last_frame.saturating_add(self.guard.0) => {
                Err(SettingsError::GateBeforeCamera)
            }
            _ if self.gate.0 - self.guard.0 <= self.min_spacing.0 => Err(SettingsError::GateWithinSpacing),
            _ if self.lockout.0 > 0 && self.lockout >= self.min_spacing => Err(SettingsError::Lockout),
            _ if self.pulse.max_on < self.pulse.pulse => Err(SettingsError::MaxOn),
            _ if self.confirm.is_some_and(|c| c.latest < c.earliest) => Err(SettingsError::ConfirmWindow),
            _ if !(1..=AlarmSettings::MAX_WINDOW).contains(&self.alarms.rate_window) => {
                Err(SettingsError::RateWindow)
            }
            _ if self.free_running.is_some() && self.scale == Scale::Encoder => {
                Err(SettingsError::FreeRunningEncoder)
            }
            _ => Ok(()),
        }
    }
}
