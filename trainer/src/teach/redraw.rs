//! Pictures as a network draws them, on all cores.

use beltwatch::picture::Picture;
use beltwatch::reconstruct::Reconstructor;
use rayon::prelude::*;

use super::recipe::ExportError;
use crate::calibrate::scoring::Redrawn;
use crate::quantise::FloatReconstructor;

/// Pictures of a large set that are in memory at a time.
const AT_A_TIME: usize = 64;

/// A network that draws pictures, already of its size and channels, as good parts would look.
pub(super) trait Redraw {
    /// All pictures, in their order.
    fn all<'a>(&self, pictures: impl IntoIterator<Item = &'a Picture>) -> Result<Vec<Redrawn>, ExportError>;

    /// Shows `see` each of a large set, in their order.
    fn each<'a>(
        &self,
        pictures: impl IntoIterator<Item = &'a Picture>,
        mut see: impl FnMut(&Redrawn),
    ) -> Result<(), ExportError> {
        let mut pictures = pictures.into_iter().peekable();
        while pictures.peek().is_some() {
            self.all(pictures.by_ref().take(AT_A_TIME))?.iter().for_each(&mut see);
        }
        Ok(())
    }
}

impl Redraw for Reconstructor {
    fn all<'a>(&self, pictures: impl IntoIterator<Item = &'a Picture>) -> Result<Vec<Redrawn>, ExportError> {
        let pictures: Vec<_> = pictures.into_iter().collect();
        let draw = |network: &mut Self, picture: &&Picture| {
            let mut reconstruction = (*picture).clone();
            network.reconstruct(&picture.data, &mut reconstruction.data)?;
            Ok(Redrawn { picture: (*picture).clone(), reconstruction, learned: network.learned().to_vec() })
        };
        pictures.par_iter().map_init(|| self.clone(), draw).collect()
    }
}

impl Redraw for FloatReconstructor {
    fn all<'a>(&self, pictures: impl IntoIterator<Item = &'a Picture>) -> Result<Vec<Redrawn>, ExportError> {
        let pictures: Vec<_> = pictures.into_iter().collect();
        let draw = |picture: &&Picture| {
            let mut reconstruction = (*picture).clone();
            let learned = self.reconstruct(&picture.data, &mut reconstruction.data)?;
            Ok(Redrawn { picture: (*picture).clone(), reconstruction, learned })
        };
        pictures.par_iter().map(draw).collect()
    }
}
