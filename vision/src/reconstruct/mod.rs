//! From a picture to the picture as a good part would look: the int8 network, through tract with operators of
//! ours.
//!
//! The model is plain ONNX (QLinearConv, DepthToSpace, Concat, Clip; the memory bank is a function in plain
//! ONNX), so any full runtime runs it. tract reads it and brings it into NHWC; the graph that comes out runs
//! by a plan of ours, each step one fused int8 operator between buffers that stay, with kernels for each kind
//! of processor that all give the same bytes.

use std::fmt;

use crate::processor::Team;
use run::{Execute, executor};

mod error;
pub mod kernels;
mod layout;
pub mod memory;
mod onnx;
mod quantisation;
mod run;

#[cfg(test)]
mod tests;

pub use error::ReconstructError;
pub use kernels::Kernel;
pub use onnx::{DOMAIN, MEMORY_BANK, QLinearConv};
pub use quantisation::Quantisation;

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

/// A loaded network. A clone shares the weights and has buffers of its own: one for each thread.
pub struct Reconstructor {
    executor: Box<dyn Execute>,
    shape: InputShape,
    kernel: Kernel,
    multiply_adds: u64,
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
        let hwc = [shape.size, shape.size, shape.channels];
        let (proto, has_head) = onnx::check::check(model, hwc)?;
        let graph = onnx::tract::graph(&proto, hwc)
            .map_err(ReconstructError::tract)?
            .fuse();
        let executor = executor(&graph, kernel).ok_or(ReconstructError::KernelNotSupported(kernel))?;
        let learned = if has_head {
            vec![0; shape.size * shape.size]
        } else {
            Vec::new()
        };
        Ok(Self {
            executor,
            shape,
            kernel,
            multiply_adds: graph.multiply_adds(),
            learned,
        })
    }

    /// The same network, refused where a recipe needs the learned difference and the model has none.
    pub fn with_head_if(self, needed: bool) -> Result<Self, ReconstructError> {
        if needed && self.learned.is_empty() {
            let (expected, found) = (
                "two, for the recipe asks for the learned difference".into(),
                "one".into(),
            );
            return Err(ReconstructError::Interface {
                what: "outputs",
                expected,
                found,
            });
        }
        Ok(self)
    }

    /// The learned difference of the last picture and its reconstruction, a value a pixel: 128 plus 16 times
    /// the log odds that the pixel is part of a defect. Empty where the model has no head.
    pub fn learned(&self) -> &[u8] {
        &self.learned
    }

    /// What it takes and gives.
    pub fn shape(&self) -> InputShape {
        self.shape
    }

    /// Multiply-adds of a picture, without those by weights that are zero for a whole output and place of its
    /// window.
    pub fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }

    /// Does `rounds` rounds of nothing but multiply-adds between registers with the kernel's own
    /// instructions, and returns how many a round has: what this processor could do at most.
    pub fn multiply(&self, rounds: usize) -> usize {
        self.executor.multiply(rounds)
    }

    /// Bytes of activations and weights that all steps read and write for a picture, each once.
    pub fn bytes(&self) -> usize {
        self.executor.bytes()
    }

    /// The kernel in use, for logs.
    pub fn kernel_name(&self) -> &'static str {
        self.kernel.name()
    }

    /// Reconstructs `input` into `output`; both interleaved (height x width x channels),
    /// [`InputShape::bytes`] long.
    pub fn reconstruct(&mut self, input: &[u8], output: &mut [u8]) -> Result<(), ReconstructError> {
        self.reconstruct_by(&mut Team::alone(), input, output)
    }

    /// The same by a team: the bytes do not depend on it.
    pub fn reconstruct_by(
        &mut self,
        team: &mut Team,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), ReconstructError> {
        for (what, found) in [("input", input.len()), ("output", output.len())] {
            let expected = self.shape.bytes();
            if found != expected {
                return Err(ReconstructError::BufferLength {
                    what,
                    found,
                    expected,
                });
            }
        }
        self.executor.run(team, input, &mut [output, &mut self.learned]);
        Ok(())
    }
}

impl Clone for Reconstructor {
    fn clone(&self) -> Self {
        Self {
            executor: self.executor.boxed_clone(),
            shape: self.shape,
            kernel: self.kernel,
            multiply_adds: self.multiply_adds,
            learned: self.learned.clone(),
        }
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
