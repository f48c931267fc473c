//! The picture of a screen in memory.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use crate::board::Rotation;

/// A screen in memory: rows from the top, pixels as `0x00RRGGBB`, which is what most display hardware takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canvas {
    size: Size,
    pixels: Vec<u32>,
}

impl Rotation {
    /// The size that is drawn for a panel of `size`, and the other way round.
    pub fn turned(self, size: Size) -> Size {
        match self {
            Self::None | Self::Half => size,
            Self::Quarter | Self::ThreeQuarters => Size::new(size.height, size.width),
        }
    }
}

impl Canvas {
    /// A black screen.
    pub fn new(size: Size) -> Self {
        Self {
            size,
            pixels: vec![0; size.width as usize * size.height as usize],
        }
    }

    /// The pixels, row by row from the top, `0x00RRGGBB`.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// The rows from the top.
    pub fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.pixels.chunks_exact(self.size.width.max(1) as usize)
    }

    /// Pixels as bytes, red, green, blue.
    pub fn to_rgb(&self) -> Vec<u8> {
        self.pixels
            .iter()
            .flat_map(|p| [(p >> 16) as u8, (p >> 8) as u8, *p as u8])
            .collect()
    }

    /// Writes this canvas, turned, to `to`, which gets the right size.
    pub fn turn(&self, rotation: Rotation, to: &mut Self) {
        to.size = rotation.turned(self.size);
        to.pixels.resize(self.pixels.len(), 0);
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        match rotation {
            Rotation::None => to.pixels.copy_from_slice(&self.pixels),
            Rotation::Half => to
                .pixels
                .iter_mut()
                .zip(self.pixels.iter().rev())
                .for_each(|(to, from)| *to = *from),
            Rotation::Quarter | Rotation::ThreeQuarters => {
                for (x, row) in to.pixels.chunks_exact_mut(height.max(1)).enumerate() {
                    for (y, pixel) in row.iter_mut().enumerate() {
                        *pixel = if rotation == Rotation::Quarter {
                            self.pixels[(height - 1 - y) * width + x]
                        } else {
                            self.pixels[y * width + width - 1 - x]
                        };
                    }
                }
            }
        }
    }

    /// Lays a colour over a pixel; `cover` from 0 (nothing) to 255 (all of it). Outside the canvas nothing
    /// happens.
    pub(super) fn blend(&mut self, x: i32, y: i32, colour: Rgb888, cover: u8) {
        if cover == 0 {
            return;
        }
        let Some(pixel) = self.pixel(Point::new(x, y)) else {
            return;
        };
        let mix = |shift: u32, new: u8| {
            let (old, new, cover) = ((*pixel >> shift) & 0xff, u32::from(new), u32::from(cover));
            ((old * (255 - cover) + new * cover + 127) / 255) << shift
        };
        *pixel = mix(16, colour.r()) | mix(8, colour.g()) | mix(0, colour.b());
    }

    /// Writes pixels from `at` to the right, as far as the canvas goes.
    pub(super) fn write_row(&mut self, at: Point, pixels: impl Iterator<Item = u32>) {
        let place = self.bounding_box();
        if at.x < 0 || !place.contains(at) {
            return;
        }
        let (start, end) = (
            self.index(at),
            self.index(Point::new(0, at.y)) + self.size.width as usize,
        );
        self.pixels[start..end]
            .iter_mut()
            .zip(pixels)
            .for_each(|(to, from)| *to = from);
    }

    fn index(&self, at: Point) -> usize {
        at.y as usize * self.size.width as usize + at.x as usize
    }

    fn pixel(&mut self, at: Point) -> Option<&mut u32> {
        if !self.bounding_box().contains(at) {
            return None;
        }
        let index = self.index(at);
        self.pixels.get_mut(index)
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(at, colour) in pixels {
            if let Some(pixel) = self.pixel(at) {
                *pixel = colour.into_storage();
            }
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, colour: Rgb888) -> Result<(), Self::Error> {
        let area = area.intersection(&self.bounding_box());
        let (colour, width) = (colour.into_storage(), area.size.width as usize);
        for y in area.rows() {
            let start = self.index(Point::new(area.top_left.x, y));
            self.pixels[start..start + width].fill(colour);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canvas(rows: &[&[u32]]) -> Canvas {
        let size = Size::new(rows[0].len() as u32, rows.len() as u32);
        Canvas {
            size,
            pixels: rows.concat(),
        }
    }

    #[test]
    fn turned_as_the_panel_hangs() {
        let drawn = canvas(&[&[1, 2, 3], &[4, 5, 6]]);
        let mut to = Canvas::new(Size::zero());
        for (rotation, rows) in [
            (Rotation::None, &[&[1, 2, 3][..], &[4, 5, 6]][..]),
            (Rotation::Quarter, &[&[4, 1], &[5, 2], &[6, 3]]),
            (Rotation::Half, &[&[6, 5, 4], &[3, 2, 1]]),
            (Rotation::ThreeQuarters, &[&[3, 6], &[2, 5], &[1, 4]]),
        ] {
            drawn.turn(rotation, &mut to);
            assert_eq!(to, canvas(rows), "{rotation:?}");
        }
    }

    #[test]
    fn nothing_is_drawn_outside() {
        let mut drawn = canvas(&[&[0, 0], &[0, 0]]);
        drawn
            .fill_solid(&Rectangle::new(Point::new(1, -5), Size::new(9, 6)), Rgb888::WHITE)
            .expect("memory");
        drawn.blend(2, 0, Rgb888::RED, 255);
        drawn.blend(-1, 1, Rgb888::RED, 255);
        drawn.blend(0, 1, Rgb888::new(255, 100, 0), 128);
        drawn.write_row(Point::new(1, 1), [7, 8, 9].into_iter());
        drawn.write_row(Point::new(-1, 1), [7, 8, 9].into_iter());
        drawn.write_row(Point::new(0, 2), [7, 8, 9].into_iter());
        assert_eq!(drawn, canvas(&[&[0, 0xff_ffff], &[0x80_3200, 7]]));
    }
}
