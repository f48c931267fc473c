//! Runs a recipe's network on pictures of noise: `network RECIPE PICTURES KERNEL CORES`; prints the useful
//! multiply-adds of a picture. What it takes is counted from outside.

use std::error::Error;
use std::path::Path;

use beltwatch_vision::processor::{Cores, Team};
use beltwatch_vision::recipe::Recipe;
use beltwatch_vision::reconstruct::{InputShape, Kernel, Reconstructor};
use beltwatch_vision::splitmix::SplitMix64;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [recipe, pictures, kernel, cores] = arguments.as_slice() else {
        return Err("give a recipe, a number of pictures, a kernel and 1 or 2 cores".into());
    };
    let recipe = Recipe::load(Path::new(recipe))?;
    let shape = InputShape {
        size: recipe.manifest.input.size,
        channels: recipe.manifest.input.channels,
    };
    let kernel = Kernel::named(kernel)?;
    let mut team = Team::of(Cores::try_from(cores.parse::<u8>()?)?)?;
    let mut network = Reconstructor::load_with(&recipe.model, shape, kernel)?;
    let mut noise = SplitMix64(7);
    let picture: Vec<u8> = (0..shape.bytes()).map(|_| noise.bits() as u8).collect();
    let mut drawn = vec![0; shape.bytes()];
    for _ in 0..pictures.parse()? {
        network.reconstruct_by(&mut team, &picture, &mut drawn)?;
    }
    println!("{}", network.multiply_adds());
    Ok(())
}
