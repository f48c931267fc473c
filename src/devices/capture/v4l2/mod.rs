//! Cameras that the kernel drives: USB cameras, and CSI cameras by way of `libcamerify`.
//!
//! | file | what |
//! | --- | --- |
//! | `node.rs` | which `/dev/video*` it is |
//! | `pixel.rs`, `mode.rs` | formats, and which one is taken and why |
//! | `controls.rs` | exposure and the like, locked and read back |
//! | `format.rs` | what the driver made of the format |
//! | `device.rs`, `stream.rs` | the kernel's interface: the only unsafe code |
//! | `convert.rs`, `yuv.rs` | from a buffer's bytes to a picture |
//! | `camera.rs` | all of it together |
//!
//! Whoever runs it may open the node as a member of the group `video`.

mod camera;
mod controls;
mod convert;
mod device;
mod error;
mod format;
mod mode;
mod node;
mod pixel;
mod stream;
mod yuv;

pub use camera::{Connection, V4l2Camera};
pub use controls::{ControlError, Knobs, Span};
pub use convert::{Flaw, Layout};
pub use error::CameraError;
pub use mode::{Choice, Interval, ModeError, Offer, Rates, Sizes, choose};
pub use node::{Node, NodeError, Roots, nodes};
pub use pixel::FourCc;
pub use yuv::{Coding, Matrix, Range};
