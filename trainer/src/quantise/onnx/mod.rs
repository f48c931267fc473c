//! The ONNX files: plain ONNX, one file each, that any full runtime runs.

mod float;
mod graph;
mod int8;
mod memory;

pub use float::export_float;
pub use int8::export;
