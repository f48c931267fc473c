//! The int8 convolution on each kind of processor. All kernels give the same bytes.

mod block;
mod convolution;
mod convolve;
mod reference;
pub(super) mod scalar;

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx_vnni;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon_i8mm;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon_sdot;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon_smlal;

#[cfg(test)]
mod tests;

pub(super) use block::{Simd, Value};
pub use convolution::{Convolution, Padding, requantise};
pub(super) use convolve::{PackedConvolution, Target};

/// What `$do` makes of the kernel's own type; none where this processor lacks its instructions.
macro_rules! with_kernel {
    ($kernel:expr, |$simd:ident| $do:expr) => {{
        use $crate::reconstruct::kernels::*;
        match $kernel {
            Kernel::Scalar => Some(scalar::Scalar).map(|$simd| $do),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => avx2::Avx2::detect().map(|$simd| $do),
            #[cfg(target_arch = "x86_64")]
            Kernel::AvxVnni => avx_vnni::AvxVnni::detect().map(|$simd| $do),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512Vnni => avx512_vnni::Avx512Vnni::detect().map(|$simd| $do),
            #[cfg(target_arch = "aarch64")]
            Kernel::NeonSmlal => neon_smlal::Smlal::detect().map(|$simd| $do),
            #[cfg(target_arch = "aarch64")]
            Kernel::NeonSdot => neon_sdot::Sdot::detect().map(|$simd| $do),
            #[cfg(target_arch = "aarch64")]
            Kernel::NeonI8mm => neon_i8mm::I8mm::detect().map(|$simd| $do),
            // those of the other architecture
            #[cfg(target_arch = "x86_64")]
            Kernel::NeonSmlal | Kernel::NeonSdot | Kernel::NeonI8mm => None,
            #[cfg(target_arch = "aarch64")]
            Kernel::Avx2 | Kernel::AvxVnni | Kernel::Avx512Vnni => None,
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            _ => None,
        }
    }};
}
pub(super) use with_kernel;

/// A way to compute a convolution.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
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
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Whether this processor has the instructions.
    pub fn is_supported(self) -> bool {
        with_kernel!(self, |_simd| ()).is_some()
    }

    /// The fastest kernel of this processor.
    pub fn best() -> Self {
        Self::ALL
            .iter()
            .rev()
            .find(|kernel| kernel.is_supported())
            .copied()
            .unwrap_or(Self::Scalar)
    }

    /// Its name, as [`Kernel::named`] takes it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The kernel of that name; otherwise what the names are.
    pub fn named(name: &str) -> Result<Self, String> {
        let names = <Self as strum::VariantNames>::VARIANTS;
        name.parse()
            .map_err(|_| format!("kernels are {}", names.join(", ")))
    }
}
