//! Why there is no camera.

use std::io;
use std::path::PathBuf;

use super::controls::ControlError;
use super::mode::ModeError;
use super::node::NodeError;

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
