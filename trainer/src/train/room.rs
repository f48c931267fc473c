//! The largest batch that a device has memory for.

use beltwatch_vision::picture::Picture;
use burn::tensor::backend::AutodiffBackend;

use super::batch::Batch;
use super::device::quietly;
use super::{TrainConfig, TrainError, run};
use crate::network::kernels::Kernels;

/// What drivers and the framework say where memory is short.
const SHORT: [&str; 4] = [
    "out of memory",
    "out-of-memory",
    "out_of_memory",
    "can't allocate buffer",
];

/// `batch`, or the largest of its halves, quarters and so on for which `attempt` finds memory. Any other
/// failure ends the search.
pub(super) fn largest_batch(
    batch: usize,
    mut attempt: impl FnMut(usize) -> Result<(), String>,
) -> Result<usize, TrainError> {
    let mut batch = batch;
    loop {
        match attempt(batch) {
            Ok(()) => return Ok(batch),
            Err(reason) if !is_short_of_memory(&reason) => {
                return Err(TrainError::Step {
                    reason: line(&reason),
                });
            }
            Err(reason) if batch == 1 => {
                return Err(TrainError::Memory {
                    reason: line(&reason),
                });
            }
            Err(_) => batch /= 2,
        }
    }
}

/// The beginning of a report of many lines, on one.
fn line(report: &str) -> String {
    report.split_whitespace().take(40).collect::<Vec<_>>().join(" ")
}

fn is_short_of_memory(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    SHORT.iter().any(|short| reason.contains(short))
}

/// One whole step with a network of its own, optimiser included; what went wrong comes back in words.
pub(super) fn one_step<B>(
    config: &TrainConfig,
    pictures: &[Picture],
    device: &B::Device,
) -> Result<(), String>
where
    B: AutodiffBackend + Kernels,
    B::InnerBackend: Kernels,
{
    let step = || {
        let (model, mut optimiser) = run::begin::<B>(config, device);
        let batch = Batch::prepare(config, pictures, 0);
        run::step(config, 0, batch, model, &mut optimiser, device).map_err(|e| e.to_string())?;
        B::sync(device).map_err(|e| e.to_string())
    };
    // the framework panics where an error has no way back
    quietly(step).and_then(|done| done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_halved_until_there_is_room() {
        let room = |most: usize| {
            move |batch: usize| {
                if batch <= most {
                    Ok(())
                } else {
                    Err("CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\"".to_owned())
                }
            }
        };
        assert_eq!(largest_batch(4, room(8)).expect("room"), 4);
        assert_eq!(largest_batch(4, room(3)).expect("room"), 2);
        assert_eq!(largest_batch(7, room(1)).expect("room"), 1);
        let none = largest_batch(4, room(0)).expect_err("no room").to_string();
        assert!(none.contains("smaller --size"), "{none}");
        let mut tries = 0;
        let other = largest_batch(4, |_| {
            tries += 1;
            Err("a kernel does not compile".to_owned())
        });
        assert!(other.is_err_and(|e| e.to_string().contains("does not compile")) && tries == 1);
        assert!(is_short_of_memory("can't allocate buffer of size: 1073741824\n"));
    }

    #[test]
    fn one_step_is_done_and_its_panics_come_back_as_words() {
        let mut config = TrainConfig {
            batch: 2,
            ..TrainConfig::quick(1)
        };
        config.network = crate::network::NetworkConfig::deep(32, 1);
        let pictures: Vec<_> = (0..8).map(|i| Picture::filled(32, 32, 1, 100 + i)).collect();
        type Cpu = burn::backend::Autodiff<burn::backend::Flex>;
        one_step::<Cpu>(&config, &pictures, &Default::default()).expect("a step");
        config.network.size = 64;
        assert!(one_step::<Cpu>(&config, &pictures, &Default::default()).is_err_and(|e| !e.is_empty()));
    }
}
