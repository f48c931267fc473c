//! A camera: found, set up, streaming.

use std::path::PathBuf;
use std::time::Duration;

use beltwatch_core::MonoNanos;
use v4l::v4l_sys as sys;

use super::convert::{Flaw, Layout};
use super::device::{About, V4l2Device};
use super::error::CameraError;
use super::format::layout;
use super::mode::choose;
use super::node::Roots;
use super::stream::{Label, Stream};
use crate::board::CameraSettings;
use crate::clock::Clock;
use crate::devices::capture::CaptureError;
use crate::devices::capture::live::{Captured, Connect, LiveCamera};

/// A stamp may be this old: the frames that wait in the driver are younger.
const OLDEST: Duration = Duration::from_secs(2);
/// And this far ahead: some drivers calculate when a frame will have ended, some count with the camera's own
/// clock.
const AHEAD: Duration = Duration::from_millis(500);

/// A camera that streams in a format that was chosen, its controls locked.
pub struct V4l2Camera {
    stream: Stream,
    path: PathBuf,
    layout: Layout,
    colour: bool,
    offset_us: i64,
    report: Vec<String>,
}

impl V4l2Camera {
    /// Finds the camera, sets it up and starts it.
    ///
    /// # Errors
    /// It is not there, or cannot be what the board file asks for.
    pub fn open(settings: &CameraSettings) -> Result<Self, CameraError> {
        let CameraSettings {
            matching,
            wish,
            controls,
            offset_us,
        } = settings;
        let path = matching.find(&Roots::default())?;
        let mut device = V4l2Device::open(&path).map_err(|source| CameraError::Open {
            path: path.clone(),
            source,
        })?;
        let failed = |what| {
            let path = path.clone();
            move |source| CameraError::Io { path, what, source }
        };
        let about = device.about().map_err(failed("is no video node"))?;
        let no_camera = |why| CameraError::NoCamera {
            path: path.clone(),
            card: about.card.clone(),
            why,
        };
        about.check().map_err(no_camera)?;
        let offers = device.offers(wish).map_err(failed("its formats"))?;
        let choice = choose(&offers, wish).map_err(|source| {
            let (path, card) = (path.clone(), about.card.clone());
            CameraError::Mode { path, card, source }
        })?;
        let format = device
            .set_format(choice.code, wish.width, wish.height)
            .map_err(failed("the format"))?;
        let layout = layout(&choice, wish, &format).map_err(no_camera)?;
        let mut report = vec![format!(
            "{} \"{}\", driver {}",
            path.display(),
            about.card,
            about.driver
        )];
        report.extend(choice.reasons);
        if let Some(interval) = choice.interval {
            let set = device.set_interval(interval).map_err(failed("the frame rate"))?;
            report.push(set.map_or_else(
                || "the driver does not let the frame rate be set".to_owned(),
                |set| format!("the driver sends {set}"),
            ));
        }
        let control = |source| CameraError::Control {
            path: path.clone(),
            source,
        };
        controls.lock(&mut device).map_err(control)?;
        let mut stream = Stream::start(device).map_err(failed("cannot stream"))?;
        // some cameras forget when they begin to stream
        report.extend(controls.lock(stream.device()).map_err(control)?);
        Ok(Self {
            stream,
            layout,
            colour: wish.colour,
            offset_us: *offset_us,
            report,
            path,
        })
    }

    /// What was found, chosen and set, and why: a line each.
    pub fn report(&self) -> &[String] {
        &self.report
    }
}

impl About {
    /// Whether it gives pictures.
    fn check(&self) -> Result<(), String> {
        let has = |cap| self.caps & cap != 0;
        match () {
            () if has(sys::V4L2_CAP_IO_MC) => Err(format!(
                "driver {} is a CSI receiver without its image processor. Use the sensor through libcamera: \
                 `libcamerify beltwatch ...`, or use a USB camera",
                self.driver
            )),
            () if has(sys::V4L2_CAP_VIDEO_CAPTURE) && has(sys::V4L2_CAP_STREAMING) => Ok(()),
            () if has(sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE) => Err(format!(
                "driver {} has pictures in several planes only, which is not supported",
                self.driver
            )),
            () => Err("it takes no pictures: it is another kind of video node".to_owned()),
        }
    }
}

/// The middle of the exposure.
fn exposed(label: &Label, offset_us: i64, now: MonoNanos) -> Result<MonoNanos, Flaw> {
    let age = i128::from(now.0) - label.stamp;
    if age > OLDEST.as_nanos() as i128 || -age > AHEAD.as_nanos() as i128 {
        return Err(Flaw::Stamp(
            (-age / 1_000_000).clamp(i64::MIN.into(), i64::MAX.into()) as i64,
        ));
    }
    let exposed = label.stamp + i128::from(offset_us) * 1_000;
    Ok(MonoNanos(exposed.clamp(0, u64::MAX.into()) as u64))
}

impl LiveCamera for V4l2Camera {
    fn next(&mut self, patience: Duration) -> Result<Option<Captured>, CaptureError> {
        let Self {
            stream,
            layout,
            colour,
            offset_us,
            path,
            ..
        } = self;
        let look = |label: Label, bytes: &[u8]| {
            if !label.is_monotonic {
                return Err(CameraError::Stamps { path: path.clone() });
            }
            let now = MonoNanos::now();
            let exposed = exposed(&label, *offset_us, now);
            let picture = match exposed {
                Err(ref flaw) => Err(flaw.clone()),
                Ok(_) if label.is_corrupt => Err(Flaw::Marked),
                Ok(_) => layout.picture(bytes, *colour),
            };
            Ok(Captured {
                exposed: exposed.unwrap_or(now),
                sequence: label.sequence,
                picture,
            })
        };
        match stream.next(patience, look) {
            Ok(seen) => Ok(seen.transpose()?),
            Err(source) => Err(CameraError::Io {
                path: path.clone(),
                what: "no more frames",
                source,
            }
            .into()),
        }
    }
}

/// Connects a camera again and again, and says what is new about it.
#[derive(Debug)]
pub struct Connection {
    settings: CameraSettings,
    said: Vec<String>,
}

impl Connection {
    /// A camera that is not connected yet.
    pub fn new(settings: CameraSettings) -> Self {
        Self {
            settings,
            said: Vec::new(),
        }
    }
}

impl Connect for Connection {
    fn connect(&mut self) -> Result<Box<dyn LiveCamera>, CaptureError> {
        let camera = V4l2Camera::open(&self.settings)?;
        if self.said != camera.report {
            self.said.clone_from(&camera.report);
            self.said.iter().for_each(|line| log::info!("camera: {line}"));
        }
        Ok(Box::new(camera))
    }
}

#[cfg(test)]
#[path = "camera_tests.rs"]
mod tests;
