//! Cameras that take pictures when they want to, not when they are asked.

use std::time::Duration;

use beltwatch_core::MonoNanos;
use beltwatch_vision::picture::Picture;

use super::CaptureError;
use super::v4l2::Flaw;

/// A frame.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The middle of its exposure.
    pub exposed: MonoNanos,
    /// Its number. A stream counts frames that nobody got, too.
    pub sequence: u32,
    /// What it shows, or why that is nothing.
    pub picture: Result<Picture, Flaw>,
}

/// A camera that streams. It stops when it is dropped.
pub trait LiveCamera: Send {
    /// Waits for the next frame, up to `patience`.
    ///
    /// # Errors
    /// The camera is gone, or is to be connected anew.
    fn next(&mut self, patience: Duration) -> Result<Option<Captured>, CaptureError>;
}

/// Finds a camera, sets it up and starts it.
pub trait Connect: Send {
    /// May take seconds: it waits for the camera.
    ///
    /// # Errors
    /// It is not there, or not as it should be.
    fn connect(&mut self) -> Result<Box<dyn LiveCamera>, CaptureError>;
}
