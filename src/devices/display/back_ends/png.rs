//! A PNG file: whoever reads it finds the old or the new one whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use beltwatch_vision::picture::Picture;
use embedded_graphics::prelude::*;

use super::{DisplayError, Screen};
use crate::devices::display::Canvas;

#[derive(Debug)]
pub(super) struct Png {
    path: PathBuf,
    size: Size,
}

impl Png {
    pub(super) fn new(path: &Path, size: Size) -> Self {
        Self {
            path: path.to_owned(),
            size,
        }
    }
}

impl Screen for Png {
    fn size(&self) -> Size {
        self.size
    }

    /// Compressing takes a while, and a card bears only so many writes.
    fn period(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn show(&mut self, canvas: &Canvas) -> Result<(), DisplayError> {
        let Size { width, height } = canvas.size();
        let picture = Picture {
            width: width as usize,
            height: height as usize,
            channels: 3,
            data: canvas.to_rgb(),
        };
        let new = self.path.with_extension("png.new");
        picture.save_png(&new)?;
        fs::rename(&new, &self.path).map_err(|source| DisplayError::System {
            what: self.path.display().to_string(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_takes_the_old_ones_place_and_a_folder_that_is_gone_is_an_error() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("screen.png");
        let mut screen = Png::new(&path, Size::new(3, 2));
        for colour in [1, 200] {
            let mut canvas = Canvas::new(screen.size());
            canvas
                .clear(embedded_graphics::pixelcolor::Rgb888::new(colour, 2, 3))
                .expect("memory");
            screen.show(&canvas).expect("room");
            let read = Picture::open(&path).expect("a PNG");
            assert_eq!(
                (read.width, read.height, &read.data[..3]),
                (3, 2, &[colour, 2, 3][..])
            );
        }
        assert_eq!(
            fs::read_dir(dir.path()).expect("a folder").count(),
            1,
            "nothing is left beside it"
        );
        drop(dir);
        let error = screen
            .show(&Canvas::new(screen.size()))
            .expect_err("no folder")
            .to_string();
        assert!(error.contains("screen.png"), "{error}");
    }
}
