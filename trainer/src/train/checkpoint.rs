//! Where a run stands, in one file that is either whole or not there.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use beltwatch_vision::picture::Picture;
use burn::module::AutodiffModule;
use burn::optim::Optimizer;
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Recorder};
use burn::tensor::backend::AutodiffBackend;
use sha2::{Digest, Sha256};

use super::{TrainConfig, TrainError};

/// The file's name in the run's folder.
pub const FILE: &str = "checkpoint.bin";
/// First bytes of the file: what it is, and the version of its format.
const MAGIC: &[u8; 8] = b"BWTRAIN2";
const HEADER: usize = MAGIC.len() + 32 + 8 + 32;

/// SHA-256 of a run's configuration and pictures.
pub type Fingerprint = [u8; 32];

/// What makes a run this one: a checkpoint continues only the run that wrote it.
pub fn fingerprint(config: &TrainConfig, pictures: &[Picture]) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update(format!("{config:?}"));
    for picture in pictures {
        for number in [picture.width, picture.height, picture.channels] {
            hash.update((number as u64).to_le_bytes());
        }
        hash.update(&picture.data);
    }
    hash.finalize().into()
}

/// What tells a damaged file.
fn digest(step: &[u8], body: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(step)
        .chain_update(body)
        .finalize()
        .into()
}

/// Writes model, optimiser and the number of steps done, by way of a temporary file.
pub fn save<B, M, O>(
    folder: &Path,
    run: &Fingerprint,
    step: usize,
    model: &M,
    optimiser: &O,
) -> Result<(), TrainError>
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
    O: Optimizer<M, B>,
{
    let path = folder.join(FILE);
    let recorder = BinBytesRecorder::<FullPrecisionSettings>::default();
    let record = (model.clone().into_record(), optimiser.to_record());
    let body = Recorder::<B>::record(&recorder, record, ()).map_err(|e| TrainError::Damaged {
        path: path.clone(),
        reason: format!("cannot be encoded: {e}"),
    })?;
    let temporary = folder.join("checkpoint.tmp");
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(MAGIC)?;
        file.write_all(run)?;
        let step = (step as u64).to_le_bytes();
        file.write_all(&step)?;
        file.write_all(&digest(&step, &body))?;
        file.write_all(&body)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    };
    write().map_err(|source| TrainError::Write {
        path: path.clone(),
        source,
    })
}

/// Steps done, by the file's header alone; 0 where it cannot be read, none where there is no file.
pub fn steps(path: &Path) -> Option<usize> {
    let mut file = File::open(path).ok()?;
    let mut header = [0; HEADER];
    let steps = file
        .read_exact(&mut header)
        .ok()
        .map(|()| header.as_slice()[40..48].try_into().expect("eight bytes"));
    Some(steps.map_or(0, u64::from_le_bytes) as usize)
}

/// Model, optimiser and steps done of the run in `folder`; the given fresh ones where it has not begun.
///
/// # Errors
/// Where the checkpoint is another run's, cut short or damaged.
pub fn load<B, M, O>(
    folder: &Path,
    run: &Fingerprint,
    model: M,
    optimiser: O,
    device: &B::Device,
) -> Result<(usize, M, O), TrainError>
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
    O: Optimizer<M, B>,
{
    let path = folder.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((0, model, optimiser)),
        Err(source) => return Err(TrainError::Read { path, source }),
    };
    let damaged = |path: PathBuf, reason: &str| TrainError::Damaged {
        path,
        reason: reason.to_owned(),
    };
    let Some((header, body)) = bytes
        .split_at_checked(HEADER)
        .filter(|(header, _)| header.starts_with(MAGIC))
    else {
        return Err(damaged(path, "not a checkpoint of this version"));
    };
    if header[8..40] != run[..] {
        return Err(TrainError::OtherRun { path });
    }
    if header[48..80] != digest(&header[40..48], body)[..] {
        return Err(damaged(path, "its content does not match its hash"));
    }
    let step = u64::from_le_bytes(header[40..48].try_into().expect("eight bytes"));
    let recorder = BinBytesRecorder::<FullPrecisionSettings>::default();
    let (weights, moments): (M::Record, O::Record) = Recorder::<B>::load(&recorder, body.to_vec(), device)
        .map_err(|error| damaged(path, &format!("cannot be decoded: {error}")))?;
    Ok((
        step as usize,
        model.load_record(weights),
        optimiser.load_record(moments),
    ))
}
