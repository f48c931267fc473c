//! What a kernel makes of pictures, to the last bit: `fingerprint RECIPE KERNEL CORES FOLDER` prints a line a
//! picture with its score and the SHA-256 of the network's input, both of its outputs and the anomaly map.
//! All kernels print the same, on one core and on two.

use std::error::Error;
use std::path::Path;

use beltwatch::devices::capture::Folder;
use beltwatch_vision::inspect::Inspector;
use beltwatch_vision::picture::Picture;
use beltwatch_vision::processor::{Cores, Team};
use beltwatch_vision::recipe::Recipe;
use beltwatch_vision::reconstruct::Kernel;
use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [recipe, kernel, cores, folder] = arguments.as_slice() else {
        return Err("give a recipe, a kernel, 1 or 2 cores and a folder of pictures".into());
    };
    let (kernel, team) = (
        Kernel::named(kernel)?,
        Team::of(Cores::try_from(cores.parse::<u8>()?)?)?,
    );
    let mut inspector = Inspector::with(&Recipe::load(Path::new(recipe))?, kernel, team)?;
    for file in Folder::open(Path::new(folder))?.files() {
        let score = inspector.inspect(&Picture::open(file)?)?.score;
        let mut hash = Sha256::new();
        hash.update(&inspector.input().data);
        hash.update(&inspector.reconstruction().data);
        hash.update(inspector.seen().learned);
        inspector
            .judge()
            .anomaly()
            .iter()
            .for_each(|value| hash.update(value.to_le_bytes()));
        let bits: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{} {score} {bits}", file.display());
    }
    Ok(())
}
