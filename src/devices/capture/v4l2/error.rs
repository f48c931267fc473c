//! Why there is no camera.

use std::io;
use std::path::PathBuf;

use super::controls::ControlError;
use super::mode::ModeError;
use super::node::NodeError;

/// Why there is no camera.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CameraError {
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("{path}: cannot be opened: {source}{}", advice(.source))]
    Open {
        /// `/dev/videoN`
        path: PathBuf,
        source: io::Error,
    },
    #[error("{path} ({card}): {why}")]
    NoCamera {
        /// `/dev/videoN`
        path: PathBuf,
        /// What its driver calls it.
        card: String,
        /// What is wrong, and what to do.
        why: String,
    },
    #[error("{path} ({card}): {source}")]
    Mode {
        /// `/dev/videoN`
        path: PathBuf,
        /// What its driver calls it.
        card: String,
        /// What it offers.
        source: ModeError,
    },
    #[error("{path}: {source}")]
    Control {
        /// `/dev/videoN`
        path: PathBuf,
        /// Which, and why.
        source: ControlError,
    },
    #[error("{path}: {what}: {source}")]
    Io {
        /// `/dev/videoN`
        path: PathBuf,
        /// What it was asked for.
        what: &'static str,
        source: io::Error,
    },
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
