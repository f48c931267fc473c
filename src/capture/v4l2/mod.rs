//! Cameras that the kernel drives: USB cameras, and CSI cameras by way of `libcamerify`.
//!
//! | file | what |
//! | --- | --- |
//! | `node.rs` | which `/dev/video*` it is |
//! | `pixel.rs`, `mode.rs` | formats, and which one is taken and why |
//! | `controls.rs` | exposure and the like, locked and read back |
//! | `device.rs`, `stream.rs` | the kernel's interface: the only unsafe code |
//! | `convert.rs`, `yuv.rs` | from a buffer's bytes to a picture |
//!
//! Whoever runs it may open the node as a member of the group `video`.

mod controls;
mod convert;
mod device;
mod mode;
mod node;
mod pixel;
mod stream;
mod yuv;

pub use controls::{ControlError, ControlSettings, Knobs, Span};
pub use convert::{Flaw, Layout};
pub use mode::{Choice, Interval, ModeError, Offer, Rates, Sizes, Wish, choose};
pub use node::{Match, Node, NodeError, Roots, nodes};
pub use pixel::{FourCc, Pixel};
pub use yuv::{Coding, Matrix, Range};

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use beltwatch_core::MonoNanos;
use v4l::v4l_sys as sys;

use self::device::{About, Device};
use self::stream::{Label, Stream};
use super::CaptureError;
use super::live::{Captured, Connect, LiveCamera};
use crate::time::Clock;

/// A stamp may be this old: the frames that wait in the driver are younger.
const OLDEST: Duration = Duration::from_secs(2);
/// And this far ahead: some drivers calculate when a frame will have ended, some count with the camera's own clock.
const AHEAD: Duration = Duration::from_millis(500);

/// Why there is no camera.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// no node is the camera
    #[error(transparent)]
    Node(#[from] NodeError),
    /// the node cannot be opened
    #[error("{path}: cannot be opened: {source}{}", advice(.source))]
    Open {
        /// `/dev/videoN`
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// the node is none of a camera
    #[error("{path} ({card}): {why}")]
    NoCamera {
        /// `/dev/videoN`
        path: PathBuf,
        /// What its driver calls it.
        card: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// no format fits
    #[error("{path} ({card}): {source}")]
    Mode {
        /// `/dev/videoN`
        path: PathBuf,
        /// What its driver calls it.
        card: String,
        /// What it offers.
        source: ModeError,
    },
    /// controls cannot be locked
    #[error("{path}: {source}")]
    Control {
        /// `/dev/videoN`
        path: PathBuf,
        /// Which, and why.
        source: ControlError,
    },
    /// the driver
    #[error("{path}: {what}: {source}")]
    Io {
        /// `/dev/videoN`
        path: PathBuf,
        /// What it was asked for.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// a driver whose stamps say nothing
    #[error("{path}: its time stamps are not of CLOCK_MONOTONIC, so nobody knows when a picture was taken")]
    Stamps {
        /// `/dev/videoN`
        path: PathBuf,
    },
}

fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => ": add the user to the group `video`",
        Some(libc::EBUSY) => ": another program uses it",
        _ => "",
    }
}

/// What a board file says of a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraSettings {
    /// Which one.
    pub matching: Match,
    /// Size, rate, format.
    pub wish: Wish,
    /// What is locked.
    pub controls: ControlSettings,
    /// From the driver's stamp to the middle of the exposure, in microseconds.
    pub offset_us: i64,
}

/// A camera that streams in a format that was chosen, its controls locked.
pub struct Camera {
    stream: Stream,
    path: PathBuf,
    layout: Layout,
    colour: bool,
    offset_us: i64,
    report: Vec<String>,
}

impl Camera {
    /// Finds the camera, sets it up and starts it.
    ///
    /// # Errors
    /// It is not there, or cannot be what the board file asks for.
    pub fn open(settings: &CameraSettings) -> Result<Self, CameraError> {
        let CameraSettings { matching, wish, controls, offset_us } = settings;
        let path = matching.find(&Roots::default())?;
        let mut device = Device::open(&path).map_err(|source| CameraError::Open { path: path.clone(), source })?;
        let failed = |what| {
            let path = path.clone();
            move |source| CameraError::Io { path, what, source }
        };
        let about = device.about().map_err(failed("is no video node"))?;
        let no_camera = |why| CameraError::NoCamera { path: path.clone(), card: about.card.clone(), why };
        about.check().map_err(no_camera)?;
        let offers = device.offers(wish).map_err(failed("its formats"))?;
        let choice = choose(&offers, wish).map_err(|source| {
            let (path, card) = (path.clone(), about.card.clone());
            CameraError::Mode { path, card, source }
        })?;
        let format = device.set_format(choice.code, wish.width, wish.height).map_err(failed("the format"))?;
        let layout = layout(&choice, wish, &format).map_err(no_camera)?;
        let mut report = vec![format!("{} \"{}\", driver {}", path.display(), about.card, about.driver)];
        report.extend(choice.reasons);
        if let Some(interval) = choice.interval {
            let set = device.set_interval(interval).map_err(failed("the frame rate"))?;
            report.push(set.map_or_else(
                || "the driver does not let the frame rate be set".to_owned(),
                |set| format!("the driver sends {set}"),
            ));
        }
        let locked =
            controls.lock(&mut device).map_err(|source| CameraError::Control { path: path.clone(), source })?;
        report.extend(locked);
        let stream = Stream::start(device).map_err(failed("cannot stream"))?;
        Ok(Self { stream, layout, colour: wish.colour, offset_us: *offset_us, report, path })
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
            () if has(sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE) => {
                Err(format!("driver {} has pictures in several planes only, which is not supported", self.driver))
            }
            () => Err("it takes no pictures: it is another kind of video node".to_owned()),
        }
    }
}

/// How frames lie in buffers, from what the driver made of the format.
fn layout(choice: &Choice, wish: &Wish, format: &sys::v4l2_pix_format) -> Result<Layout, String> {
    let (width, height, code) = (format.width, format.height, FourCc(format.pixelformat));
    if (width, height, code) != (wish.width, wish.height, choice.code) {
        return Err(format!(
            "asked for {} {}x{}, it gives {code} {width}x{height}: write that into the board file, or another size",
            choice.code, wish.width, wish.height
        ));
    }
    if ![sys::v4l2_field_V4L2_FIELD_NONE, sys::v4l2_field_V4L2_FIELD_ANY].contains(&format.field) {
        return Err("it is interlaced: half of the rows are of another moment".to_owned());
    }
    let coding = coding(format.colorspace, device::encoding(format), format.quantization)?;
    let layout = Layout {
        pixel: choice.pixel,
        width: width as usize,
        height: height as usize,
        stride: format.bytesperline as usize,
        coding,
    };
    if layout.needed() > format.sizeimage as usize {
        return Err(format!("its rows of {} bytes do not make {code} {width}x{height}", format.bytesperline));
    }
    Ok(layout)
}

/// What Y, Cb and Cr mean, by the kernel's rules for what a driver leaves open.
fn coding(colorspace: u32, encoding: u32, quantization: u32) -> Result<Coding, String> {
    let default_encoding = match colorspace {
        sys::v4l2_colorspace_V4L2_COLORSPACE_REC709 | sys::v4l2_colorspace_V4L2_COLORSPACE_DCI_P3 => {
            sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_709
        }
        sys::v4l2_colorspace_V4L2_COLORSPACE_BT2020 => sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_BT2020,
        sys::v4l2_colorspace_V4L2_COLORSPACE_SMPTE240M => sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_SMPTE240M,
        _ => sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_601,
    };
    let matrix = match if encoding == 0 { default_encoding } else { encoding } {
        sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_601 | sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_SYCC => Matrix::Bt601,
        sys::v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_709 => Matrix::Bt709,
        other => return Err(format!("its colours are coded in a way that is not supported (V4L2_YCBCR_ENC {other})")),
    };
    let range = match quantization {
        sys::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE => Range::Full,
        sys::v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE => Range::Limited,
        _ if colorspace == sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG => Range::Full,
        _ => Range::Limited,
    };
    Ok(Coding { matrix, range })
}

/// The middle of the exposure.
fn exposed(label: &Label, offset_us: i64, now: MonoNanos) -> Result<MonoNanos, Flaw> {
    let age = i128::from(now.0) - label.stamp;
    if age > OLDEST.as_nanos() as i128 || -age > AHEAD.as_nanos() as i128 {
        return Err(Flaw::Stamp((-age / 1_000_000).clamp(i64::MIN.into(), i64::MAX.into()) as i64));
    }
    let exposed = label.stamp + i128::from(offset_us) * 1_000;
    Ok(MonoNanos(exposed.clamp(0, u64::MAX.into()) as u64))
}

impl LiveCamera for Camera {
    fn next(&mut self, patience: Duration) -> Result<Option<Captured>, CaptureError> {
        let Self { stream, layout, colour, offset_us, path, .. } = self;
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
            Ok(Captured { exposed: exposed.unwrap_or(now), sequence: label.sequence, picture })
        };
        match stream.next(patience, look) {
            Ok(seen) => Ok(seen.transpose()?),
            Err(source) => Err(CameraError::Io { path: path.clone(), what: "no more frames", source }.into()),
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
        Self { settings, said: Vec::new() }
    }
}

impl Connect for Connection {
    fn connect(&mut self) -> Result<Box<dyn LiveCamera>, CaptureError> {
        let camera = Camera::open(&self.settings)?;
        if self.said != camera.report {
            self.said.clone_from(&camera.report);
            self.said.iter().for_each(|line| log::info!("camera: {line}"));
        }
        Ok(Box::new(camera))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
