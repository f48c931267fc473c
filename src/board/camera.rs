//! `[camera]` with `source = "v4l2"`.

use std::time::Duration;

use beltwatch_vision::picture::MAX_SIDE;
use serde::Deserialize;

use super::settings::in_range;
use super::{CameraConfig, CameraSource};
use crate::units::Time;

/// A camera without a good frame for longer is connected anew, where the board file says nothing.
const SILENCE: Time = Time(Duration::from_secs(1));
/// Frames may be a second away from their stamps.
const FURTHEST_OFFSET_US: i64 = 1_000_000;

impl CameraConfig {
    /// Whether the keys fit the source.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.source == CameraSource::V4l2 {
            return self.v4l2().map(|_| ());
        }
        let keys = [
            ("match", self.matching.is_some()),
            ("width", self.width.is_some()),
            ("height", self.height.is_some()),
            ("fps", self.fps.is_some()),
            ("format", self.format.is_some()),
            ("colour", self.colour.is_some()),
            ("controls", self.controls.is_some()),
            ("offset", self.offset.is_some()),
            ("silence", self.silence.is_some()),
        ];
        match keys.into_iter().find(|(_, is_there)| *is_there) {
            Some((key, _)) => Err(format!(
                "camera.{key} has a meaning only with camera.source = \"v4l2\""
            )),
            None => Ok(()),
        }
    }

    /// The camera and how it is set.
    ///
    /// # Errors
    /// A key is missing, or a value cannot be; in words, with the key.
    pub fn v4l2(&self) -> Result<CameraSettings, String> {
        let missing = |key| format!("camera.source = \"v4l2\" needs the key camera.{key}");
        let matching = self.matching.clone().ok_or_else(|| missing("match"))?;
        matching.check()?;
        let (width, height) = (
            self.width.ok_or_else(|| missing("width"))?,
            self.height.ok_or_else(|| missing("height"))?,
        );
        let fps = self.fps.ok_or_else(|| missing("fps"))?;
        for (key, side) in [("camera.width", width), ("camera.height", height)] {
            in_range(key, f64::from(side), 16.0, f64::from(MAX_SIDE))?;
        }
        in_range("camera.fps", fps, 0.1, 1000.0)?;
        let controls = self.controls.unwrap_or_default();
        if let Some(exposure_us) = controls.exposure_us {
            in_range(
                "camera.controls.exposure_us",
                f64::from(exposure_us),
                1.0,
                1e6 / fps,
            )?;
        }
        let offset_us = self.offset.unwrap_or_default();
        let furthest = FURTHEST_OFFSET_US as f64;
        in_range(
            "camera.offset (microseconds)",
            offset_us as f64,
            -furthest,
            furthest,
        )?;
        in_range(
            "camera.silence (ms)",
            self.silence().as_secs_f64() * 1e3,
            100.0f64.max(2e3 / fps),
            60_000.0,
        )?;
        let wish = Wish {
            width,
            height,
            fps,
            pixel: self.format,
            colour: self.colour.unwrap_or(true),
        };
        Ok(CameraSettings {
            matching,
            wish,
            controls,
            offset_us,
        })
    }

    /// A camera without a good frame for longer is connected anew.
    pub fn silence(&self) -> Duration {
        self.silence.unwrap_or(SILENCE).0
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

/// How the board file names a camera: exactly one of `id`, `path` and `usb`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Its name below `/dev/v4l/by-id`.
    pub id: Option<String>,
    /// Its name below `/dev/v4l/by-path`, that is where it is plugged in; or the whole path of another link
    /// to it.
    pub path: Option<String>,
    /// Its USB vendor and product, as in `"046d:0825"`.
    pub usb: Option<String>,
    /// With `usb`: its serial number, where there are several of the kind.
    pub serial: Option<String>,
}

impl Match {
    /// Whether it can name a camera.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self) -> Result<(), String> {
        let Self {
            id,
            path,
            usb,
            serial,
        } = self;
        let ways = [id, path, usb].into_iter().flatten().count();
        if ways != 1 {
            return Err(format!(
                "camera.match needs exactly one of `id`, `path` and `usb`, not {ways} of them"
            ));
        }
        if serial.is_some() && usb.is_none() {
            return Err("camera.match.serial has a meaning only beside `usb`".to_owned());
        }
        if let Some(id) = id.as_deref().filter(|id| id.is_empty() || id.contains('/')) {
            return Err(format!(
                "camera.match.id = \"{id}\" is not the name of a link in /dev/v4l/by-id"
            ));
        }
        if let Some(path) = path {
            let name = path.strip_prefix('/').unwrap_or(path);
            let number = name.strip_prefix("dev/video").unwrap_or(name);
            if number.is_empty() || number.bytes().all(|b| b.is_ascii_digit()) {
                return Err(format!(
                    "camera.match.path = \"{path}\" is a number, and numbers change: write a link in \
                     /dev/v4l/by-path"
                ));
            }
        }
        let is_hex = |text: &str| text.len() == 4 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match usb.as_deref().map(|usb| usb.split_once(':')) {
            None => Ok(()),
            Some(Some((vendor, product))) if is_hex(vendor) && is_hex(product) => Ok(()),
            Some(_) => Err(
                "camera.match.usb must be vendor and product as `lsusb` has them: \"046d:0825\"".to_owned(),
            ),
        }
    }
}

/// What the board file asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames a second, at least.
    pub fps: f64,
    /// This format and no other.
    pub pixel: Option<Pixel>,
    /// RGB pictures rather than grey ones.
    pub colour: bool,
}

/// `[camera] controls`: what is not written stays as the camera has it, but nothing adjusts itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlSettings {
    /// Exposure time in microseconds; cameras have steps of 100.
    pub exposure_us: Option<u32>,
    /// Gain, in the camera's own numbers.
    pub gain: Option<i32>,
    /// White balance as a colour temperature in kelvin.
    pub white_balance_k: Option<i32>,
    /// Focus, in the camera's own numbers.
    pub focus: Option<i32>,
}

/// A pixel format that is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, strum::Display, strum::VariantArray)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum Pixel {
    /// One byte a pixel.
    Grey,
    /// Two pixels in four bytes: Y, Cb, Y, Cr.
    Yuyv,
    /// A plane of Y, then one of Cb and Cr, a pair for each two by two pixels.
    Nv12,
    /// A JPEG picture a frame.
    #[serde(alias = "MJPG")]
    Mjpeg,
    /// Red, green, blue, a byte each.
    Rgb3,
}

impl Pixel {
    /// All of them.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::board::{Board, SIMULATED};

    const CAMERA: &str = "source = \"v4l2\"\nmatch = { usb = \"046d:0825\", serial = \"8A2B\" }\nwidth = \
                          640\nheight = 480\n\
        fps = 30\nformat = \"YUYV\"\noffset = -2500\n\
        controls = { exposure_us = 5000, gain = 20, white_balance_k = 4600, focus = 0 }";

    fn board(change: (&str, &str)) -> Result<Board, String> {
        let camera = CAMERA.replacen(change.0, change.1, 1);
        let text = SIMULATED.replacen("source = \"rendered\"", &camera, 1);
        Board::parse(&text, Path::new("b.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_v4l2_camera_is_read() {
        let settings = board(("", "")).expect("a board").camera.v4l2().expect("a camera");
        assert_eq!(settings.matching.serial.as_deref(), Some("8A2B"));
        assert_eq!(
            (settings.wish.pixel, settings.wish.colour, settings.offset_us),
            (Some(Pixel::Yuyv), true, -2500)
        );
        assert_eq!(
            (settings.controls.exposure_us, settings.controls.focus),
            (Some(5000), Some(0))
        );
        let short = board(("format = \"YUYV\"\noffset = -2500\n", "silence = \"300 ms\"\n"))
            .expect("a board")
            .camera;
        assert_eq!(
            (short.format, short.silence()),
            (None, Duration::from_millis(300))
        );
    }

    #[test]
    fn mistakes_name_the_key() {
        for (from, to, says) in [
            (
                "match = { usb = \"046d:0825\", serial = \"8A2B\" }",
                "",
                "needs the key camera.match",
            ),
            (
                "usb = \"046d:0825\", serial",
                "path = \"/dev/video0\", serial",
                "serial has a meaning only beside `usb`",
            ),
            (
                "usb = \"046d:0825\", serial = \"8A2B\"",
                "path = \"/dev/video0\"",
                "numbers change",
            ),
            ("serial", "number", "number"),
            ("width = 640", "width = 8", "camera.width"),
            ("height = 480\n", "", "needs the key camera.height"),
            ("fps = 30", "fps = 0", "camera.fps"),
            ("YUYV", "H264", "H264"),
            ("gain", "gian", "gian"),
            ("exposure_us = 5000", "exposure_us = 50000", "exposure_us"),
            ("offset = -2500", "offset = 2000000", "camera.offset"),
            ("offset = -2500", "silence = \"20 ms\"", "camera.silence"),
            (
                "source = \"v4l2\"",
                "source = \"rendered\"",
                "only with camera.source",
            ),
        ] {
            let error = board((from, to)).expect_err(says);
            assert!(
                error.contains(says) && error.contains("b.toml"),
                "{says}: {error}"
            );
        }
    }
}
