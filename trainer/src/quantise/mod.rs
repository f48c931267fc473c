//! From the trained network to the int8 model that the device runs.
//!
//! Post-training quantisation with pictures of good parts ([`quantise`]), the ONNX file ([`export`]), and the
//! proof that the device computes from it what the trainer means ([`verify`]).

use beltwatch_vision::picture::Picture;
use beltwatch_vision::reconstruct::{InputShape, ReconstructError, Reconstructor};

use self::float::Map;
use self::histogram::Histogram;
use crate::evenly::evenly;
use crate::network::folded::FoldedNetworks;

mod check;
pub mod float;
mod float_model;
mod histogram;
mod network;
mod onnx;
pub mod ranges;
#[cfg(test)]
mod tests;

pub use float_model::FloatReconstructor;
pub use network::{QuantisedNetwork, QuantisedNetworks, QuantisedSide};
pub use onnx::{export, export_float};

/// Pictures that ranges are measured on.
const MOST: usize = 48;

/// Why a network cannot be quantised, or a model is not what it should be.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum QuantiseError {
    /// There is nothing to calibrate with.
    #[error("no pictures of good parts to calibrate with")]
    NoPictures,
    /// A calibration or test picture of another size.
    #[error(
        "picture {index} is {width} x {height} with {channels} channels; the network takes {size} x {size} \
         with {expected_channels}"
    )]
    PictureShape {
        /// Which one, from 0.
        index: usize,
        width: usize,
        height: usize,
        channels: usize,
        /// The network's width and height.
        size: usize,
        /// The network's channels.
        expected_channels: usize,
    },
    /// A buffer of another length than the model's picture.
    #[error("a picture of {found} bytes where the model needs {expected}")]
    PictureLength { found: usize, expected: usize },
    /// Layers that do not fit each other, or numbers that are not finite.
    #[error("the trained network is inconsistent: {0}")]
    Network(String),
    /// The float model does not load or run.
    #[error("float model: {0}")]
    FloatModel(String),
    /// The int8 model does not load or run.
    #[error("the written model cannot be run: {0}")]
    Reconstruct(#[from] ReconstructError),
    /// The device's result differs from the emulation.
    #[error(
        "picture {index}: {count} of {total} values of the written model differ from the emulation, by up to \
         {largest}"
    )]
    Mismatch {
        /// Which picture, from 0.
        index: usize,
        /// Values that differ.
        count: usize,
        /// All values.
        total: usize,
        /// Largest difference, in steps.
        largest: u8,
    },
}

/// Quantises the networks to int8, calibrated on pictures of good parts; the head on `defective` ones too, or
/// its range would end where defects begin.
pub fn quantise(
    nets: &FoldedNetworks,
    normals: &[Picture],
    defective: &[Picture],
) -> Result<QuantisedNetworks, QuantiseError> {
    let net = &nets.reconstruction;
    check::check(nets).map_err(QuantiseError::Network)?;
    if normals.is_empty() {
        return Err(QuantiseError::NoPictures);
    }
    check_pictures(net.size, net.channels, normals)?;
    check_pictures(net.size, net.channels, defective)?;
    let inputs: Vec<Map> = some(normals, MOST).map(Map::of_picture).collect();
    let ranges = ranges::ranges(net, &inputs, ranges::PIXELS, Histogram::least_error);
    let mut all = QuantisedNetworks {
        reconstruction: QuantisedNetwork::new(net, &ranges),
        head: None,
    };
    if let Some(head) = &nets.head {
        let beside_its_redrawing = |picture: &Picture| {
            let [drawn, _] = all.emulate(&picture.data);
            Map::of_picture(picture).beside(&Map::of_picture(&Picture {
                data: drawn,
                ..picture.clone()
            }))
        };
        let pictures = some(normals, MOST / 2).chain(some(defective, MOST / 2));
        let inputs: Vec<Map> = pictures.map(beside_its_redrawing).collect();
        let ranges = ranges::ranges(head, &inputs, ranges::LOG_ODDS, Histogram::whole);
        all.head = Some(QuantisedNetwork::new(head, &ranges));
    }
    Ok(all)
}

fn some(pictures: &[Picture], most: usize) -> impl Iterator<Item = &Picture> {
    evenly(pictures.len(), most).map(|i| &pictures[i])
}

/// Loads a written model as the device does and compares all that it computes with the emulation, byte for
/// byte.
pub fn verify(model: &[u8], q: &QuantisedNetworks, pictures: &[Picture]) -> Result<(), QuantiseError> {
    let QuantisedNetwork { size, channels, .. } = q.reconstruction;
    check_pictures(size, channels, pictures)?;
    let mut device = Reconstructor::load(model, InputShape { size, channels })?;
    for (index, picture) in pictures.iter().enumerate() {
        let mut output = vec![0; picture.data.len()];
        device.reconstruct(&picture.data, &mut output)?;
        let emulated = q.emulate(&picture.data);
        for (found, expected) in [&output[..], device.learned()].into_iter().zip(&emulated) {
            let differences = found
                .iter()
                .zip(expected)
                .map(|(a, b)| a.abs_diff(*b))
                .filter(|d| *d > 0);
            let missing = found.len().abs_diff(expected.len());
            let (count, total) = (differences.clone().count() + missing, expected.len());
            if count > 0 {
                return Err(QuantiseError::Mismatch {
                    index,
                    count,
                    total,
                    largest: differences.max().unwrap_or(255),
                });
            }
        }
    }
    Ok(())
}

fn check_pictures(size: usize, expected_channels: usize, pictures: &[Picture]) -> Result<(), QuantiseError> {
    let fits = |p: &Picture| [p.width, p.height, p.channels] == [size, size, expected_channels];
    match pictures.iter().enumerate().find(|(_, p)| !fits(p)) {
        None => Ok(()),
        Some((
            index,
            &Picture {
                width,
                height,
                channels,
                ..
            },
        )) => Err(QuantiseError::PictureShape {
            index,
            width,
            height,
            channels,
            size,
            expected_channels,
        }),
    }
}
