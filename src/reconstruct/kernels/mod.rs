//! The int8 convolution on each kind of processor. All kernels give the same bytes.

use std::fmt;

mod convolution;
mod packed;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_sdot;
#[cfg(target_arch = "aarch64")]
mod neon_smlal;

#[cfg(test)]
mod tests;

pub use convolution::{Convolution, Padding, requantise};

use packed::Packed;

/// A way to compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Plain Rust: the reference, runs everywhere.
    Scalar,
    /// x86-64 with AVX2.
    Avx2,
    /// Any 64-bit ARM (Cortex-A53, A72).
    NeonSmlal,
    /// 64-bit ARM with the dot product instructions (Cortex-A55, A76, A78AE).
    NeonSdot,
}

impl Kernel {
    /// All kernels, the fastest of each processor last.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Avx2, Self::NeonSmlal, Self::NeonSdot];

    /// Whether this processor has the instructions.
    pub fn is_supported(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Avx2::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::NeonSmlal => neon_smlal::Smlal::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::NeonSdot => neon_sdot::Sdot::detect().is_some(),
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// The fastest kernel of this processor.
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|kernel| kernel.is_supported()).unwrap_or(Self::Scalar)
    }

    /// The name that [`Kernel::from_name`] takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::NeonSmlal => "neon-smlal",
            Self::NeonSdot => "neon-sdot",
        }
    }

    /// The kernel of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kernel| kernel.name() == name)
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Memory that a convolution works in; kept between calls so that a frame allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    #[cfg(target_arch = "x86_64")]
    words: Vec<i16>,
    #[cfg(target_arch = "aarch64")]
    bytes: Vec<i8>,
}

/// A convolution made ready for a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedConvolution {
    /// Without its weights where they are packed.
    convolution: Convolution,
    weights: Weights,
}

#[derive(Clone, Debug, PartialEq)]
enum Weights {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(Packed<i16>),
    #[cfg(target_arch = "aarch64")]
    Smlal(Packed<i8>),
    #[cfg(target_arch = "aarch64")]
    Sdot(Packed<i8>),
}

impl PackedConvolution {
    /// Packs the weights. A kernel that this processor lacks gives way to the reference.
    pub fn new(mut convolution: Convolution, kernel: Kernel) -> Self {
        let weights = match kernel {
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 if kernel.is_supported() => Weights::Avx2(Packed::new::<avx2::Avx2>(&convolution)),
            #[cfg(target_arch = "aarch64")]
            Kernel::NeonSmlal if kernel.is_supported() => {
                Weights::Smlal(Packed::new::<neon_smlal::Smlal>(&convolution))
            }
            #[cfg(target_arch = "aarch64")]
            Kernel::NeonSdot if kernel.is_supported() => Weights::Sdot(Packed::new::<neon_sdot::Sdot>(&convolution)),
            _ => Weights::Scalar,
        };
        if weights != Weights::Scalar {
            convolution.weight = Vec::new();
        }
        Self { convolution, weights }
    }

    /// Input channels.
    pub fn inputs(&self) -> usize {
        self.convolution.inputs
    }

    /// Output channels.
    pub fn outputs(&self) -> usize {
        self.convolution.outputs
    }

    /// Height and width of the output, see [`Convolution::output_size`].
    pub fn output_size(&self, height: usize, width: usize) -> Option<[usize; 2]> {
        self.convolution.output_size(height, width)
    }

    /// Convolves `input` (height x width x inputs, `size` is height and width) into `output`
    /// (rows x columns x outputs, see [`Convolution::output_size`]).
    ///
    /// # Panics
    /// Where the lengths of `input` and `output` do not fit `size`.
    pub fn run(&self, input: &[i8], size: [usize; 2], output: &mut [i8], scratch: &mut Scratch) {
        let conv = &self.convolution;
        let output_size = conv.output_size(size[0], size[1]).expect("the window fits into the padded input");
        assert_eq!(input.len(), size[0] * size[1] * conv.inputs, "input length");
        assert_eq!(output.len(), output_size[0] * output_size[1] * conv.outputs, "output length");
        match &self.weights {
            Weights::Scalar => scalar::convolve(conv, input, size, output_size, output),
            #[cfg(target_arch = "x86_64")]
            Weights::Avx2(packed) => {
                let kernel = avx2::Avx2::detect().expect("detected when the weights were packed");
                packed.convolve(kernel, conv, (input, size), (output, output_size), &mut scratch.words);
            }
            #[cfg(target_arch = "aarch64")]
            Weights::Smlal(packed) => {
                let kernel = neon_smlal::Smlal::detect().expect("detected when the weights were packed");
                packed.convolve(kernel, conv, (input, size), (output, output_size), &mut scratch.bytes);
            }
            #[cfg(target_arch = "aarch64")]
            Weights::Sdot(packed) => {
                let kernel = neon_sdot::Sdot::detect().expect("detected when the weights were packed");
                packed.convolve(kernel, conv, (input, size), (output, output_size), &mut scratch.bytes);
            }
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = scratch;
    }
}
