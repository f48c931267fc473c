//! The int8 convolution on each kind of processor. All kernels give the same bytes.

use std::fmt;

mod block;
mod convolution;
mod convolve;
mod reference;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_i8mm;
#[cfg(target_arch = "aarch64")]
mod neon_sdot;
#[cfg(target_arch = "aarch64")]
mod neon_smlal;

#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
pub(super) use avx_vnni::AvxVnni;
#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512_vnni::Avx512Vnni;
pub(super) use block::{Simd, Value};
pub use convolution::{Convolution, Padding, requantise};
pub(super) use convolve::{PackedConvolution, Target};
#[cfg(target_arch = "aarch64")]
pub(super) use neon_i8mm::I8mm;
#[cfg(target_arch = "aarch64")]
pub(super) use neon_sdot::Sdot;
#[cfg(target_arch = "aarch64")]
pub(super) use neon_smlal::Smlal;
pub(super) use scalar::Scalar;

/// A way to compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Plain Rust, runs everywhere.
    Scalar,
    /// x86-64 with AVX2.
    Avx2,
    /// x86-64 with AVX2 and its dot product instructions (AVX-VNNI).
    AvxVnni,
    /// x86-64 with AVX-512 and its dot product instructions (VNNI).
    Avx512Vnni,
    /// Any 64-bit ARM (Cortex-A53, A72).
    NeonSmlal,
    /// 64-bit ARM with the dot product instructions (Cortex-A55, A76, A78AE).
    NeonSdot,
    /// 64-bit ARM with the matrix product instructions (Cortex-A510, A710).
    NeonI8mm,
}

impl Kernel {
    /// All kernels, the fastest of each processor last.
    pub const ALL: [Self; 7] =
        [Self::Scalar, Self::Avx2, Self::AvxVnni, Self::Avx512Vnni, Self::NeonSmlal, Self::NeonSdot, Self::NeonI8mm];

    /// Whether this processor has the instructions.
    pub fn is_supported(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => AvxVnni::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => Avx512Vnni::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::NeonSmlal => Smlal::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::NeonSdot => Sdot::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::NeonI8mm => I8mm::detect().is_some(),
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
            Self::AvxVnni => "avx-vnni",
            Self::Avx512Vnni => "avx512-vnni",
            Self::NeonSmlal => "neon-smlal",
            Self::NeonSdot => "neon-sdot",
            Self::NeonI8mm => "neon-i8mm",
        }
    }

    /// The kernel of that name; otherwise what the names are.
    pub fn named(name: &str) -> Result<Self, String> {
        Self::from_name(name).ok_or_else(|| format!("kernels are {}", Self::ALL.map(Self::name).join(", ")))
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
