//! What shows a canvas: a back end a file.

mod drm;
mod framebuffer;
mod png;
#[cfg(feature = "spi-display")]
mod spi;

use std::time::Duration;

use beltwatch_vision::picture::PictureError;
use embedded_graphics::prelude::Size;

use super::Canvas;
use crate::board::{DisplayBackEnd, DisplayConfig};

/// Why a canvas is not shown.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DisplayError {
    #[error("display: {what}: {source}")]
    System {
        /// What was tried on which device, and what helps.
        what: String,
        source: std::io::Error,
    },
    #[error("display: {0}")]
    Device(String),
    #[error("display: {0}")]
    Picture(#[from] PictureError),
}

/// A panel, a monitor, a file.
pub trait Screen {
    /// Width and height in pixels, as the hardware has them.
    fn size(&self) -> Size;

    /// It wants a new one not more often than this.
    fn period(&self) -> Duration {
        Duration::from_millis(100)
    }

    /// Shows a canvas of its size.
    ///
    /// # Errors
    /// The device refuses, or is gone: it has to be opened anew.
    fn show(&mut self, canvas: &Canvas) -> Result<(), DisplayError>;
}

/// Opens the screen that a board file names.
///
/// # Errors
/// It is not there, or somebody else has it.
pub fn open(config: &DisplayConfig) -> Result<Box<dyn Screen>, DisplayError> {
    Ok(match &config.back_end {
        DisplayBackEnd::Png(path) => {
            let [width, height] = config.size.unwrap_or_default();
            Box::new(png::Png::new(path, Size::new(width.into(), height.into())))
        }
        DisplayBackEnd::Drm(drm) => Box::new(drm::Drm::open(drm, config.size)?),
        DisplayBackEnd::Framebuffer(path) => Box::new(framebuffer::Framebuffer::open(path)?),
        #[cfg(feature = "spi-display")]
        DisplayBackEnd::Spi(spi) => spi::open(spi, config.spi_size(spi))?,
        #[cfg(not(feature = "spi-display"))]
        DisplayBackEnd::Spi(_) => {
            return Err(DisplayError::Device(
                "built without the feature spi-display".to_owned(),
            ));
        }
    })
}
