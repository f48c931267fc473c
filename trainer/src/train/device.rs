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

/// What can be trained on here, for people: a line each for `cpu` and `cuda`, the latter with the reason
/// where it cannot be used, and which of them `auto` takes.
pub fn list() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (cuda, auto) = match probe() {
        Ok(name) => (name, "cuda"),
        Err(reason) => (format!("not usable: {reason}"), "cpu"),
    };
    let threads = if threads == 1 {
        "1 thread".to_owned()
    } else {
        format!("{threads} threads")
    };
    format!("cpu   {threads}\ncuda  {cuda}\nauto takes {auto}")
}

/// The GPU's name, or why there is none.
#[cfg(not(feature = "cuda"))]
fn probe() -> Result<String, String> {
    Err("this program was built without CUDA (build it with --features cuda)".to_owned())
}

/// The GPU's name, or why there is none. CUDA's bindings and the framework panic where a library is missing,
/// so both are tried once here, where a panic does no harm: first the driver alone, then a whole computation,
/// which also needs NVRTC and CUDA's headers.
#[cfg(feature = "cuda")]
fn probe() -> Result<String, String> {
    use burn::tensor::Tensor;
    use cudarc::driver::CudaContext;

    let driver = || match CudaContext::device_count() {
        Ok(count) if count > 0 => CudaContext::new(0)
            .and_then(|gpu| gpu.name())
            .map_err(|e| e.to_string()),
        Ok(_) => Err("the NVIDIA driver finds no GPU".to_owned()),
        Err(error) => Err(format!("the NVIDIA driver answers: {error}")),
    };
    let name =
        quietly(driver).unwrap_or_else(|_| Err("no NVIDIA driver is installed (libcuda)".to_owned()))?;
    let compute = || {
        Tensor::<burn::backend::Cuda, 1>::ones([64], &Default::default())
            .sum()
            .into_scalar()
    };
    match quietly(compute) {
        Ok(64.0) => Ok(name),
        Ok(sum) => Err(format!("{name} computes wrongly (64 ones add up to {sum})")),
        Err(why) => {
            let why = why.lines().next().unwrap_or_default();
            Err(format!(
                "{name} cannot run a kernel; is the CUDA toolkit installed (NVRTC, CUDA_PATH)? {why}"
            ))
        }
    }
}

/// Runs `attempt`; where it panics, the message comes back and nothing is printed.
#[cfg(any(test, feature = "cuda"))]
pub(super) fn quietly<T>(attempt: impl FnOnce() -> T) -> Result<T, String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt));
    std::panic::set_hook(hook);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given")
            .to_owned()
    })
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
        assert!(
            "gpu"
                .parse::<Wanted>()
                .unwrap_err()
                .to_string()
                .contains("auto, cpu or cuda")
        );
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn without_cuda_auto_falls_back_and_cuda_is_an_error() {
        let (device, why) = Device::choose(Wanted::Auto).unwrap();
        assert_eq!(device, Device::Cpu);
        assert!(why.contains("--features cuda"));
        assert!(Device::choose(Wanted::Cuda).is_err());
        assert!(list().ends_with("--features cuda)\nauto takes cpu"), "{}", list());
    }
}
