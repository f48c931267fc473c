//! Where the training runs.

use serde::{Deserialize, Serialize};

/// What the caller asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// A CUDA GPU where there is one, the CPU otherwise.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA GPU, or nothing.
    Cuda,
}

impl std::str::FromStr for Wanted {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            _ => Err(DeviceError::Unknown(text.to_owned())),
        }
    }
}

/// What the training runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// The CPU, all its threads.
    Cpu,
    /// The first CUDA GPU. Only in a build with the feature `cuda`.
    Cuda,
}

/// Why the wanted device cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// Not a device's name.
    #[error("unknown device `{0}`: use auto, cpu or cuda")]
    Unknown(String),
    /// No CUDA.
    #[error("cannot train on a CUDA GPU: {0}; use --device cpu, or auto to take what there is")]
    NoCuda(String),
}

impl Device {
    /// The device to use, and one line that says why.
    ///
    /// # Errors
    /// Where CUDA is asked for by name and cannot be used.
    pub fn choose(wanted: Wanted) -> Result<(Self, String), DeviceError> {
        match (wanted, probe()) {
            (Wanted::Cpu, _) => Ok((Self::Cpu, "training on the CPU, as asked".to_owned())),
            (_, Ok(name)) => Ok((Self::Cuda, format!("training on the GPU: {name}"))),
            (Wanted::Cuda, Err(reason)) => Err(DeviceError::NoCuda(reason)),
            (Wanted::Auto, Err(reason)) => Ok((Self::Cpu, format!("training on the CPU: {reason}"))),
        }
    }
}

/// The GPU's name, or why there is none. Nothing of CUDA is touched before its libraries are known to load: the
/// framework would panic.
#[cfg(not(feature = "cuda"))]
fn probe() -> Result<String, String> {
    Err("this program was built without CUDA (build it with --features cuda)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_can_always_be_had() {
        let (device, why) = Device::choose(Wanted::Cpu).unwrap();
        assert_eq!(device, Device::Cpu);
        assert!(why.contains("CPU"));
        assert_eq!("auto".parse(), Ok(Wanted::Auto));
        assert!("gpu".parse::<Wanted>().unwrap_err().to_string().contains("auto, cpu or cuda"));
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn without_cuda_auto_falls_back_and_cuda_is_an_error() {
        let (device, why) = Device::choose(Wanted::Auto).unwrap();
        assert_eq!(device, Device::Cpu);
        assert!(why.contains("--features cuda"));
        assert!(Device::choose(Wanted::Cuda).is_err());
    }
}
