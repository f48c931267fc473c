//! Reconstructs raw pictures with an int8 model, to compare the device with other runtimes:
//!
//! ```text
//! reconstruct MODEL SIZE CHANNELS [KERNEL] < pictures > reconstructions
//! ```
//!
//! Pictures are SIZE x SIZE x CHANNELS bytes each, interleaved, one after the other.

use std::error::Error;
use std::io::{Read, Write};

use beltwatch_vision::reconstruct::{InputShape, Kernel, Reconstructor};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, size, channels, kernel @ ..] = arguments.as_slice() else {
        return Err("usage: reconstruct MODEL SIZE CHANNELS [KERNEL] < pictures > reconstructions".into());
    };
    let shape = InputShape {
        size: size.parse()?,
        channels: channels.parse()?,
    };
    let kernel = match kernel {
        [] => Kernel::best(),
        [name, ..] => Kernel::named(name)?,
    };
    let mut reconstructor = Reconstructor::load_with(&std::fs::read(model)?, shape, kernel)?;
    let mut pictures = Vec::new();
    std::io::stdin().read_to_end(&mut pictures)?;
    let mut output = vec![0; shape.bytes()];
    for picture in pictures.chunks_exact(shape.bytes()) {
        reconstructor.reconstruct(picture, &mut output)?;
        std::io::stdout().write_all(&output)?;
    }
    Ok(())
}
