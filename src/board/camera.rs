//! `[camera]` with `source = "v4l2"`.

use std::time::Duration;

use beltwatch_vision::picture::MAX_SIDE;

use super::settings::in_range;
use super::{Camera, CameraSource, Time};
use crate::capture::v4l2::{CameraSettings, Wish};

/// A camera without a good frame for longer is connected anew, where the board file says nothing.
const SILENCE: Time = Time(Duration::from_secs(1));
/// Frames may be a second away from their stamps.
const FURTHEST_OFFSET_US: i64 = 1_000_000;

impl Camera {
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
            Some((key, _)) => Err(format!("camera.{key} has a meaning only with camera.source = \"v4l2\"")),
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
        let (width, height) =
            (self.width.ok_or_else(|| missing("width"))?, self.height.ok_or_else(|| missing("height"))?);
        let fps = self.fps.ok_or_else(|| missing("fps"))?;
        for (key, side) in [("camera.width", width), ("camera.height", height)] {
            in_range(key, f64::from(side), 16.0, f64::from(MAX_SIDE))?;
        }
        in_range("camera.fps", fps, 0.1, 1000.0)?;
        let controls = self.controls.unwrap_or_default();
        if let Some(exposure_us) = controls.exposure_us {
            in_range("camera.controls.exposure_us", f64::from(exposure_us), 1.0, 1e6 / fps)?;
        }
        let offset_us = self.offset.unwrap_or_default();
        let furthest = FURTHEST_OFFSET_US as f64;
        in_range("camera.offset (microseconds)", offset_us as f64, -furthest, furthest)?;
        in_range("camera.silence (ms)", self.silence().as_secs_f64() * 1e3, 100.0f64.max(2e3 / fps), 60_000.0)?;
        let wish = Wish { width, height, fps, pixel: self.format, colour: self.colour.unwrap_or(true) };
        Ok(CameraSettings { matching, wish, controls, offset_us })
    }

    /// A camera without a good frame for longer is connected anew.
    pub fn silence(&self) -> Duration {
        self.silence.unwrap_or(SILENCE).0
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::board::{Board, SIMULATED};
    use crate::capture::v4l2::Pixel;

    const CAMERA: &str = "source = \"v4l2\"\nmatch = { usb = \"046d:0825\", serial = \"8A2B\" }\nwidth = 640\nheight = 480\n\
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
        assert_eq!((settings.wish.pixel, settings.wish.colour, settings.offset_us), (Some(Pixel::Yuyv), true, -2500));
        assert_eq!((settings.controls.exposure_us, settings.controls.focus), (Some(5000), Some(0)));
        let short = board(("format = \"YUYV\"\noffset = -2500\n", "silence = \"300 ms\"\n")).expect("a board").camera;
        assert_eq!((short.format, short.silence()), (None, Duration::from_millis(300)));
    }

    #[test]
    fn mistakes_name_the_key() {
        for (from, to, says) in [
            ("match = { usb = \"046d:0825\", serial = \"8A2B\" }", "", "needs the key camera.match"),
            ("usb = \"046d:0825\", serial", "path = \"/dev/video0\", serial", "serial has a meaning only beside `usb`"),
            ("usb = \"046d:0825\", serial = \"8A2B\"", "path = \"/dev/video0\"", "numbers change"),
            ("serial", "number", "number"),
            ("width = 640", "width = 8", "camera.width"),
            ("height = 480\n", "", "needs the key camera.height"),
            ("fps = 30", "fps = 0", "camera.fps"),
            ("YUYV", "H264", "H264"),
            ("gain", "gian", "gian"),
            ("exposure_us = 5000", "exposure_us = 50000", "exposure_us"),
            ("offset = -2500", "offset = 2000000", "camera.offset"),
            ("offset = -2500", "silence = \"20 ms\"", "camera.silence"),
            ("source = \"v4l2\"", "source = \"rendered\"", "only with camera.source"),
        ] {
            let error = board((from, to)).expect_err(says);
            assert!(error.contains(says) && error.contains("b.toml"), "{says}: {error}");
        }
    }
}
