//! From a model file's ONNX to the graph that runs, or to what is wrong with it.

pub(super) mod check;
mod parse;
mod qlinear_conv;
pub(super) mod tract;

pub use parse::{DOMAIN, MEMORY_BANK};
pub use qlinear_conv::QLinearConv;
