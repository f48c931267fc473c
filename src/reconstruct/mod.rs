//! From a picture to the picture as a good part would look: the int8 network, through tract with operators of ours.
//!
//! The model is plain ONNX (QLinearConv, DepthToSpace, Concat, Clip; the memory bank is a function in plain ONNX), so
//! any full runtime runs it. Here each operator but Concat is one fused int8 operator in NHWC, with kernels for each
//! kind of processor that all give the same bytes.

use std::fmt;
use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::TypedSimplePlan;

mod check;
mod error;
pub mod kernels;
pub mod memory;
mod operator;
mod parse;
mod qlinear_conv;
mod tract;

#[cfg(test)]
mod tests;

pub use error::ReconstructError;
pub use kernels::Kernel;
pub use parse::{DOMAIN, MEMORY_BANK};
pub use qlinear_conv::QLinearConv;

/// What the network takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputShape {
    /// Width and height in pixels.
    pub size: usize,
    /// Channels: 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
}

impl InputShape {
    /// Bytes of a picture.
    pub fn bytes(self) -> usize {
        self.size * self.size * self.channels
    }
}

/// A loaded network. Cloning is cheap and shares the weights: one for each thread.
#[derive(Clone)]
pub struct Reconstructor {
    plan: Arc<TypedSimplePlan>,
    shape: InputShape,
    kernel: Kernel,
    /// The last picture's learned difference; empty where the model has no head.
    learned: Vec<u8>,
}

impl Reconstructor {
    /// Loads an int8 model for pictures of `shape`, with this processor's fastest kernel.
    pub fn load(model: &[u8], shape: InputShape) -> Result<Self, ReconstructError> {
        Self::load_with(model, shape, Kernel::best())
    }

    /// Loads with a kernel of choice.
    pub fn load_with(model: &[u8], shape: InputShape, kernel: Kernel) -> Result<Self, ReconstructError> {
        if !kernel.is_supported() {
            return Err(ReconstructError::KernelNotSupported(kernel));
        }
        let hwc = [shape.size, shape.size, shape.channels];
        let (proto, has_head) = check::check(model, hwc)?;
        let plan = tract::plan(&proto, hwc, kernel).map_err(ReconstructError::tract)?;
        let learned = if has_head { vec![0; shape.size * shape.size] } else { Vec::new() };
        Ok(Self { plan, shape, kernel, learned })
    }

    /// The same network, refused where a recipe needs the learned difference and the model has none.
    pub fn with_head_if(self, needed: bool) -> Result<Self, ReconstructError> {
        if needed && self.learned.is_empty() {
            let (expected, found) = ("two, for the recipe asks for the learned difference".into(), "one".into());
            return Err(ReconstructError::Interface { what: "outputs", expected, found });
        }
        Ok(self)
    }

    /// The learned difference of the last picture and its reconstruction, a value a pixel: 128 plus 16 times the log odds
    /// that the pixel is part of a defect. Empty where the model has no head.
    pub fn learned(&self) -> &[u8] {
        &self.learned
    }

    /// What it takes and gives.
    pub fn shape(&self) -> InputShape {
        self.shape
    }

    /// The kernel in use, for logs.
    pub fn kernel_name(&self) -> &'static str {
        self.kernel.name()
    }

    /// Reconstructs `input` into `output`; both interleaved (height x width x channels), [`InputShape::bytes`] long.
    pub fn reconstruct(&mut self, input: &[u8], output: &mut [u8]) -> Result<(), ReconstructError> {
        for (what, found) in [("input", input.len()), ("output", output.len())] {
            let expected = self.shape.bytes();
            if found != expected {
                return Err(ReconstructError::BufferLength { what, found, expected });
            }
        }
        self.run(input, output).map_err(ReconstructError::tract)
    }

    fn run(&mut self, input: &[u8], output: &mut [u8]) -> TractResult<()> {
        let InputShape { size, channels } = self.shape;
        let mut tensor = Tensor::zero::<i8>(&[1, size, size, channels])?;
        for (stored, &value) in tensor.try_as_plain_ram_mut()?.as_slice_mut::<i8>()?.iter_mut().zip(input) {
            *stored = stored_value(value);
        }
        let outputs = self.plan.run(tvec![tensor.into_tvalue()])?;
        for (values, tensor) in [output, &mut self.learned[..]].into_iter().zip(&outputs) {
            for (value, &stored) in values.iter_mut().zip(tensor.try_as_plain_ram()?.as_slice::<i8>()?) {
                *value = pixel_value(stored);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Reconstructor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconstructor")
            .field("shape", &self.shape)
            .field("kernel", &self.kernel)
            .finish_non_exhaustive()
    }
}

/// The int8 tensor's number for a pixel: value `(u8 - 128) / 128`, scale 1/128, zero point 0.
pub fn stored_value(pixel: u8) -> i8 {
    (pixel ^ 0x80) as i8
}

/// The pixel for a stored number.
pub fn pixel_value(stored: i8) -> u8 {
    stored as u8 ^ 0x80
}
