//! Where the defects are: masks and their connected regions.

use std::path::Path;

use beltwatch_vision::picture::{Picture, PictureError};
use beltwatch_vision::preprocess::{Pose, resampled};

/// The truth about the pixels of one picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height * width` values, row by row: whether the pixel is part of a defect.
    pub defect: Vec<bool>,
}

impl Mask {
    /// Reads a mask picture: whatever is not black is defect.
    pub fn open(path: &Path) -> Result<Self, PictureError> {
        Ok(Self::from_picture(&Picture::open(path)?))
    }

    fn from_picture(picture: &Picture) -> Self {
        let defect = picture
            .data
            .chunks_exact(picture.channels.max(1))
            .map(|p| p.iter().any(|&v| v > 0))
            .collect();
        Self {
            width: picture.width,
            height: picture.height,
            defect,
        }
    }

    /// The mask stretched to another size: each new pixel takes the old one under its centre.
    pub fn resized(&self, width: usize, height: usize) -> Self {
        let under = |i: usize, from: usize, to: usize| (2 * i + 1) * from / (2 * to);
        let row = |y| under(y, self.height, height) * self.width;
        let defect = (0..height).flat_map(|y| (0..width).map(move |x| row(y) + under(x, self.width, width)));
        Self {
            width,
            height,
            defect: defect.map(|i| self.defect[i]).collect(),
        }
    }

    /// The mask of a picture whose position was corrected.
    pub fn corrected(&self, pose: Pose) -> Self {
        let moved = resampled(&self.picture(), pose);
        let defect = moved.data.iter().map(|&v| v >= 128).collect();
        Self { defect, ..*self }
    }

    /// White where the defect is, for people.
    pub fn picture(&self) -> Picture {
        let data = self.defect.iter().map(|&d| if d { 255 } else { 0 }).collect();
        Picture {
            width: self.width,
            height: self.height,
            channels: 1,
            data,
        }
    }

    /// The 8-connected regions: a number for each pixel, 0 where there is no defect and else the region's,
    /// from 1; and the area of each region in pixels.
    pub fn regions(&self) -> (Vec<u32>, Vec<u32>) {
        let mut labels = vec![0; self.defect.len()];
        let mut areas = Vec::new();
        let mut open = Vec::new();
        for start in 0..self.defect.len() {
            if !self.defect[start] || labels[start] != 0 {
                continue;
            }
            let label = areas.len() as u32 + 1;
            let mut area = 0;
            labels[start] = label;
            open.push(start);
            while let Some(pixel) = open.pop() {
                area += 1;
                for next in self.neighbours(pixel) {
                    if self.defect[next] && labels[next] == 0 {
                        labels[next] = label;
                        open.push(next);
                    }
                }
            }
            areas.push(area);
        }
        (labels, areas)
    }

    fn neighbours(&self, pixel: usize) -> impl Iterator<Item = usize> + use<> {
        let (width, x, y) = (self.width, pixel % self.width, pixel / self.width);
        let columns = x.saturating_sub(1)..=(x + 1).min(self.width - 1);
        let rows = y.saturating_sub(1)..=(y + 1).min(self.height - 1);
        rows.flat_map(move |y| columns.clone().map(move |x| y * width + x))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A mask from a drawing; `#` is defect.
    pub(in crate::evaluate) fn drawn(rows: &[&str]) -> Mask {
        let defect = rows
            .iter()
            .flat_map(|row| row.chars().map(|c| c == '#'))
            .collect();
        Mask {
            width: rows[0].len(),
            height: rows.len(),
            defect,
        }
    }

    #[test]
    fn regions_touch_at_corners() {
        let mask = drawn(&["#..##", ".#...", "#...#", "...#."]);
        let (labels, areas) = mask.regions();
        assert_eq!(
            labels,
            [1, 0, 0, 2, 2, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 3, 0]
        );
        assert_eq!(areas, [3, 2, 2]);
    }

    #[test]
    fn stretching() {
        let mask = drawn(&["#...", "....", "...#", "..##"]);
        assert_eq!(
            mask.resized(8, 4),
            drawn(&["##......", "........", "......##", "....####"])
        );
        assert_eq!(mask.resized(8, 8).resized(4, 4), mask);
        assert_eq!(mask.resized(2, 2), drawn(&["..", ".#"]));
    }

    #[test]
    fn any_colour_but_black_is_defect() {
        let data = vec![0, 0, 0, 0, 0, 1, 255, 255, 255];
        let mask = Mask::from_picture(&Picture {
            width: 3,
            height: 1,
            channels: 3,
            data,
        });
        assert_eq!(mask, drawn(&[".##"]));
        assert_eq!(mask.picture().data, [0, 255, 255]);
    }

    proptest! {
        #[test]
        fn regions_agree_with_spreading_labels(
            width in 1usize..9,
            bits in proptest::collection::vec(any::<bool>(), 1..64),
        ) {
            let height = bits.len() / width;
            let mask = Mask { width, height, defect: bits[..width * height].to_vec() };
            let (labels, areas) = mask.regions();
            // the slow way: every pixel takes the least number around it until nothing changes
            let place = |i: usize| ((i % width) as i32, (i / width) as i32);
            let near = |a: usize, b: usize| {
                place(a).0.abs_diff(place(b).0) <= 1 && place(a).1.abs_diff(place(b).1) <= 1
            };
            let defects: Vec<usize> = (0..width * height).filter(|&i| mask.defect[i]).collect();
            let mut least: Vec<usize> = (0..width * height).collect();
            for _ in 0..defects.len() {
                for &a in &defects {
                    for &b in &defects {
                        if near(a, b) { least[a] = least[a].min(least[b]); }
                    }
                }
            }
            for &a in &defects {
                for &b in &defects {
                    prop_assert_eq!(labels[a] == labels[b], least[a] == least[b]);
                }
            }
            prop_assert!((0..width * height).all(|i| (labels[i] > 0) == mask.defect[i]));
            for (region, &area) in areas.iter().enumerate() {
                prop_assert_eq!(labels.iter().filter(|&&l| l == region as u32 + 1).count(), area as usize);
            }
        }
    }
}
