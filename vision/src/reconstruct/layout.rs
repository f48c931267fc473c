//! Places of activations in buffers.

/// Height, width and channels of an activation.
pub(super) type Shape = [usize; 3];

/// Where an activation's values lie in a buffer: value (y, x, c) at `base + y * row + x * pixel + c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) base: usize,
    pub(super) row: usize,
    pub(super) pixel: usize,
}

impl View {
    /// The place of a pixel's first channel.
    pub(super) fn at(self, y: usize, x: usize) -> usize {
        self.base + y * self.row + x * self.pixel
    }

    /// The places of all pixels' first channels, row by row.
    pub(super) fn pixels(self, [height, width, _]: Shape) -> impl Iterator<Item = usize> {
        (0..height).flat_map(move |y| (0..width).map(move |x| self.at(y, x)))
    }
}
