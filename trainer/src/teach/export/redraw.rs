//! Pictures as a network draws them, on all cores.

use beltwatch_vision::picture::Picture;
use beltwatch_vision::preprocess::Pose;
use beltwatch_vision::reconstruct::Reconstructor;
use rayon::prelude::*;

use super::error::ExportError;
use crate::quantise::FloatReconstructor;
use crate::thresholds::scoring::Redrawn;

/// Pictures of a large set that are in memory at a time.
const AT_A_TIME: usize = 64;

/// A network that draws pictures, already of its size and channels, as good parts would look. Cloning is
/// cheap.
pub(super) trait Redraw: Clone + Send + Sync {
    /// Draws `picture` into `reconstruction`, which has its shape; returns the learned difference, empty
    /// where there is none.
    fn draw(&mut self, picture: &Picture, reconstruction: &mut Picture) -> Result<Vec<u8>, ExportError>;

    /// All pictures, in their order, each with the pose of its part.
    fn all<'a>(
        &self,
        pictures: impl IntoIterator<Item = (&'a Picture, Pose)>,
    ) -> Result<Vec<Redrawn>, ExportError> {
        let pictures: Vec<_> = pictures.into_iter().collect();
        let draw = |network: &mut Self, &(picture, pose): &(&Picture, Pose)| {
            let [picture, mut reconstruction] = [(); 2].map(|()| picture.clone());
            let learned = network.draw(&picture, &mut reconstruction)?;
            Ok(Redrawn {
                picture,
                pose,
                reconstruction,
                learned,
            })
        };
        pictures.par_iter().map_init(|| self.clone(), draw).collect()
    }

    /// Shows `see` each of a large set, in their order.
    fn each<'a>(
        &self,
        pictures: impl IntoIterator<Item = (&'a Picture, Pose)>,
        mut see: impl FnMut(&Redrawn),
    ) -> Result<(), ExportError> {
        let mut pictures = pictures.into_iter().peekable();
        while pictures.peek().is_some() {
            self.all(pictures.by_ref().take(AT_A_TIME))?
                .iter()
                .for_each(&mut see);
        }
        Ok(())
    }
}

impl Redraw for Reconstructor {
    fn draw(&mut self, picture: &Picture, reconstruction: &mut Picture) -> Result<Vec<u8>, ExportError> {
        self.reconstruct(&picture.data, &mut reconstruction.data)?;
        Ok(self.learned().to_vec())
    }
}

impl Redraw for FloatReconstructor {
    fn draw(&mut self, picture: &Picture, reconstruction: &mut Picture) -> Result<Vec<u8>, ExportError> {
        Ok(self.reconstruct(&picture.data, &mut reconstruction.data)?)
    }
}
