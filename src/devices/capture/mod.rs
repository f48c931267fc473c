//! Where pictures of parts come from. The list of back ends: a folder of pictures, rendered parts, V4L2
//! cameras.

mod folder;
mod live;
mod quality;
mod rendered;
pub mod v4l2;

pub use folder::Folder;
pub use live::{Captured, Connect, LiveCamera};
pub use quality::FrameCheck;
pub use rendered::Rendered;

use std::path::PathBuf;

use beltwatch_vision::picture::{Picture, PictureError};

/// A part as the camera shows it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// A file's path, or what was rendered.
    pub name: String,
    /// What is wrong with it, where somebody knows: the simulated belt's ground truth.
    pub truth: Truth,
    /// The picture as the camera gave it.
    pub picture: Picture,
}

/// What is known about a part beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Nothing.
    Unknown,
    /// It is good.
    Good,
    /// It has this defect.
    Defect(String),
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CaptureError {
    #[error("{path}: cannot be listed: {source}")]
    List { path: PathBuf, source: std::io::Error },
    #[error(
        "{path}: holds no PNG, JPEG, BMP or TIFF picture, nor does any folder in it (folders in those are \
         not looked into: name them)"
    )]
    NoPictures { path: PathBuf },
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error(transparent)]
    Camera(#[from] v4l2::CameraError),
}

/// A camera that can show any part of its belt.
pub trait PartCamera: Send {
    /// The part at place `index` of the belt.
    fn show(&mut self, index: u64) -> Result<Shown, CaptureError>;

    /// How many parts there are, if there is an end.
    fn parts(&self) -> Option<u64>;
}
