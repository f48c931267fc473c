//! Training of the reconstruction network on pictures of good parts.

pub mod augment;
pub mod batch;
pub mod checkpoint;
pub mod config;
pub mod defects;
pub mod device;
pub mod loss;
pub mod progress;
#[cfg(any(test, feature = "cuda"))]
mod room;
mod run;

/// Steps that a run which was saved in `folder` had done; none where there is none.
pub fn steps_saved(folder: &std::path::Path) -> Option<usize> {
    checkpoint::steps(&folder.join(checkpoint::FILE))
}

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use beltwatch_vision::picture::Picture;

pub use augment::Augmentation;
pub use config::{TrainConfig, TrainConfigError};
pub use defects::{DefectConfig, Fill};
pub use device::{Device, DeviceError, Wanted, list as list_devices};
pub use loss::LossWeights;
pub use progress::{Progress, ProgressLine};

use crate::network::FoldedNetworks;

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The networks after the last step done.
    pub networks: FoldedNetworks,
    /// Steps done, those of earlier sessions included.
    pub steps_done: usize,
    /// Whether all steps were done; false where the run was stopped.
    pub finished: bool,
    /// Running mean of the loss, none where this session did no step.
    pub final_loss: Option<f32>,
    /// Seconds of this session.
    pub seconds: f64,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum TrainError {
    #[error(transparent)]
    Config(#[from] TrainConfigError),
    #[error("there are no pictures of good parts to learn from")]
    NoPictures,
    #[error(
        "picture {index} is {width} x {height} with {channels} channels, the network takes {size} x {size} \
         with {expected}"
    )]
    PictureSize {
        /// Place in the list.
        index: usize,
        /// Its width in pixels.
        width: usize,
        /// Its height in pixels.
        height: usize,
        channels: usize,
        /// The network's width and height in pixels.
        size: usize,
        /// The network's channels.
        expected: usize,
    },
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(
        "the device has no memory for one picture at a time ({reason}): end what else uses it, or teach with \
         a smaller --size"
    )]
    Memory { reason: String },
    #[error("a trial step failed on the device: {reason}")]
    Step { reason: String },
    #[error(
        "the loss is not finite after step {step}: use a lower learning_rate; the last checkpoint is kept"
    )]
    Diverged { step: usize },
    #[error(
        "{path}: is the checkpoint of a run with another configuration or other pictures; \
         use another folder, or remove the file to begin anew"
    )]
    OtherRun { path: PathBuf },
    #[error("{path}: is damaged ({reason}); remove the file to begin anew")]
    Damaged { path: PathBuf, reason: String },
    #[error("{path}: cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
}

/// The batch of `config`, or the largest of its halves, quarters and so on that the device has memory for: a
/// step is tried with each. On the CPU nothing is tried, whose memory is not known to be short before it is
/// taken.
///
/// # Errors
/// See [`TrainError`].
#[cfg_attr(not(feature = "cuda"), expect(unused_variables))]
pub fn batch_with_room(
    config: &TrainConfig,
    pictures: &[Picture],
    device: Device,
) -> Result<usize, TrainError> {
    match device {
        Device::Cpu => Ok(config.batch),
        #[cfg(feature = "cuda")]
        Device::Cuda => room::largest_batch(config.batch, |batch| {
            type Cuda = burn::backend::Autodiff<burn::backend::Cuda>;
            room::one_step::<Cuda>(
                &TrainConfig {
                    batch,
                    ..config.clone()
                },
                pictures,
                &Default::default(),
            )
        }),
        #[cfg(not(feature = "cuda"))]
        Device::Cuda => Err(DeviceError::NoCuda("this program was built without CUDA".to_owned()).into()),
    }
}

/// Trains a network on `pictures` of good parts, already of the network's size and channels.
///
/// The run's folder gets a checkpoint about every 30 seconds and at the end; where it holds one of the same
/// configuration and pictures, the run goes on from there, with the same result as if it had never been
/// interrupted (bit for bit on the same CPU). Once `stop` is set the run ends after the step in progress, as
/// an [`Outcome`] that is not finished. `progress` is called after every step.
///
/// # Errors
/// See [`TrainError`].
pub fn train(
    config: &TrainConfig,
    pictures: &[Picture],
    folder: &Path,
    device: Device,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome, TrainError> {
    config.validate()?;
    if pictures.is_empty() {
        return Err(TrainError::NoPictures);
    }
    let (size, expected) = (config.network.size, config.network.channels);
    for (index, picture) in pictures.iter().enumerate() {
        let Picture {
            width,
            height,
            channels,
            ..
        } = *picture;
        if (width, height, channels) != (size, size, expected) {
            return Err(TrainError::PictureSize {
                index,
                width,
                height,
                channels,
                size,
                expected,
            });
        }
    }
    std::fs::create_dir_all(folder).map_err(|source| TrainError::Write {
        path: folder.to_owned(),
        source,
    })?;
    let run = run::Run {
        config,
        pictures,
        folder,
        stop,
    };
    match device {
        Device::Cpu => {
            run.train::<burn::backend::Autodiff<burn::backend::Flex>>(&Default::default(), progress)
        }
        #[cfg(feature = "cuda")]
        Device::Cuda => {
            run.train::<burn::backend::Autodiff<burn::backend::Cuda>>(&Default::default(), progress)
        }
        #[cfg(not(feature = "cuda"))]
        Device::Cuda => Err(DeviceError::NoCuda("this program was built without CUDA".to_owned()).into()),
    }
}
