//! Regions of a picture to look at and to ignore, as polygons in pixels of the network's picture, after
//! position correction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The corners of a polygon `[x, y]`: whole pixels from the picture's upper left corner, 0 to its size.
pub type Polygon = Vec<[u16; 2]>;

/// All corners of a recipe's polygons are at most so many.
const MOST_CORNERS: usize = 20_000;
/// From this level on a mask is white.
pub const WHITE: u8 = 128;

/// What of a picture counts. Without polygons all of it does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regions {
    /// Only what lies in an odd number of these is looked at, so that a polygon in another one is a hole.
    /// None: everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub look: Vec<Polygon>,
    /// What lies in any of these is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Polygon>,
}

impl Regions {
    /// Whether all of a picture is looked at.
    pub fn is_everything(&self) -> bool {
        self.look.is_empty() && self.ignore.is_empty()
    }

    /// Whether every polygon lies in a picture of this side, and something is left to look at.
    pub fn fit(&self, size: usize) -> bool {
        let mut polygons = self.look.iter().chain(&self.ignore);
        let corners = polygons.clone().map(Vec::len).sum::<usize>();
        let inside = |polygon: &Polygon| polygon.iter().flatten().all(|&v| usize::from(v) <= size);
        corners <= MOST_CORNERS
            && polygons.all(|polygon| polygon.len() >= 3 && inside(polygon))
            && self.mask(size, size).contains(&LOOK)
    }

    /// A value a pixel: [`LOOK`] or 0. A pixel belongs to a polygon that its centre lies in.
    pub fn mask(&self, width: usize, height: usize) -> Vec<u8> {
        let mut mask = vec![if self.look.is_empty() { LOOK } else { 0 }; width * height];
        for polygon in &self.look {
            fill(polygon, width, &mut mask);
        }
        for polygon in &self.ignore {
            let mut inside = vec![0; mask.len()];
            fill(polygon, width, &mut inside);
            mask.iter_mut()
                .zip(&inside)
                .for_each(|(mask, inside)| *mask &= !inside);
        }
        mask
    }

    /// The outlines of a mask's bright parts ([`WHITE`] and above), as what is to be looked at; exactly what
    /// [`Self::mask`] makes the mask of again.
    pub fn trace(mask: &[u8], width: usize) -> Self {
        Self {
            look: outlines(mask, width),
            ignore: Vec::new(),
        }
    }
}

/// A pixel that is looked at.
pub const LOOK: u8 = u8::MAX;

/// Turns every pixel whose centre lies in the polygon over, by the parity of the edges to the left of it.
fn fill(polygon: &Polygon, width: usize, mask: &mut [u8]) {
    let next = polygon.iter().cycle().skip(1);
    for (&[x0, y0], &[x1, y1]) in polygon.iter().zip(next) {
        let ([x0, y0], [x1, y1]) = if y0 <= y1 {
            ([x0, y0], [x1, y1])
        } else {
            ([x1, y1], [x0, y0])
        };
        let [x, top, run, rise] = [x0, y0, x1, y1].map(i64::from);
        let (run, rise) = (run - x, rise - top);
        for (y, row) in mask
            .chunks_mut(width)
            .enumerate()
            .take(usize::from(y1))
            .skip(usize::from(y0))
        {
            // the edge crosses the row's middle at x + (y + 1/2 - top) * run / rise, in halves of a pixel
            let crossing = (2 * (y as i64 - top) + 1) * run + (2 * x - 1) * rise;
            let first = (crossing.div_euclid(2 * rise) + 1).clamp(0, width as i64) as usize;
            row[first..].iter_mut().for_each(|v| *v = !*v);
        }
    }
}

/// Closed paths along the sides between bright and dark pixels, the bright ones at the right hand.
fn outlines(mask: &[u8], width: usize) -> Vec<Polygon> {
    let height = mask.len() / width.max(1);
    let bright = |x: usize, y: usize| x < width && y < height && mask[y * width + x] >= WHITE;
    let mut sides: BTreeMap<[u16; 2], Vec<[u16; 2]>> = BTreeMap::new();
    let mut side = |from: [usize; 2], to: [usize; 2]| {
        sides
            .entry(from.map(|v| v as u16))
            .or_default()
            .push(to.map(|v| v as u16));
    };
    for (y, x) in (0..height)
        .flat_map(|y| (0..width).map(move |x| (y, x)))
        .filter(|&(y, x)| bright(x, y))
    {
        let (right, below) = (x + 1, y + 1);
        if y == 0 || !bright(x, y - 1) {
            side([x, y], [right, y]);
        }
        if !bright(right, y) {
            side([right, y], [right, below]);
        }
        if !bright(x, below) {
            side([right, below], [x, below]);
        }
        if x == 0 || !bright(x - 1, y) {
            side([x, below], [x, y]);
        }
    }
    let mut polygons = Vec::new();
    while let Some((&start, _)) = sides.first_key_value() {
        let (mut path, mut at) = (vec![start], start);
        while let Some(ends) = sides.get_mut(&at) {
            let Some(to) = ends.pop() else { break };
            if ends.is_empty() {
                sides.remove(&at);
            }
            at = to;
            if at == start {
                break;
            }
            path.push(at);
        }
        polygons.push(corners(&path));
    }
    polygons
}

/// A closed path without the points on straight lines.
fn corners(path: &[[u16; 2]]) -> Polygon {
    let n = path.len();
    let turns = |i: usize| {
        let ([a, _], [b, c], [d, _]) = (path[(i + n - 1) % n], path[i], path[(i + 1) % n]);
        let (before, after) = (path[(i + n - 1) % n][1], path[(i + 1) % n][1]);
        !((a == b && b == d) || (before == c && c == after))
    };
    (0..n).filter(|&i| turns(i)).map(|i| path[i]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn art(regions: &Regions, width: usize, height: usize) -> Vec<String> {
        let mask = regions.mask(width, height);
        mask.chunks(width)
            .map(|row| row.iter().map(|&v| if v == LOOK { '#' } else { '.' }).collect())
            .collect()
    }

    #[test]
    fn polygons_with_a_hole_and_a_part_to_ignore() {
        let regions = Regions {
            look: vec![
                vec![[1, 0], [7, 0], [7, 5], [1, 5]],
                vec![[2, 1], [4, 1], [4, 3], [2, 3]],
            ],
            ignore: vec![vec![[5, 2], [8, 2], [8, 5]]],
        };
        assert_eq!(
            art(&regions, 8, 5),
            [".######.", ".#..###.", ".#..##..", ".######.", ".######."]
        );
        assert!(regions.fit(8) && !regions.fit(7));
        assert_eq!(art(&Regions::default(), 3, 1), ["###"]);
    }

    #[test]
    fn a_slanted_edge_takes_the_pixels_whose_centre_it_leaves_inside() {
        let triangle = Regions {
            look: vec![vec![[0, 0], [6, 3], [0, 3]]],
            ignore: Vec::new(),
        };
        // x < 2 y at the middle of each row: 1, 3, 5
        assert_eq!(art(&triangle, 6, 3), ["#.....", "###...", "#####."]);
    }

    #[test]
    fn nothing_left_or_no_polygon_does_not_fit() {
        let all = vec![[0, 0], [32, 0], [32, 32], [0, 32]];
        assert!(
            !Regions {
                look: Vec::new(),
                ignore: vec![all.clone()]
            }
            .fit(32)
        );
        assert!(
            !Regions {
                look: vec![vec![[0, 0], [9, 9]]],
                ignore: Vec::new()
            }
            .fit(32)
        );
        assert!(
            Regions {
                look: vec![all],
                ignore: Vec::new()
            }
            .fit(32)
        );
    }

    proptest! {
        #[test]
        fn a_traced_mask_is_the_same_mask(bright in proptest::collection::vec(any::<bool>(), 9 * 7)) {
            let mask: Vec<u8> = bright.iter().map(|&b| if b { LOOK } else { 0 }).collect();
            prop_assume!(bright.contains(&true));
            prop_assert_eq!(Regions::trace(&mask, 9).mask(9, 7), mask);
        }

        #[test]
        fn any_polygon_is_filled(
            polygon in proptest::collection::vec([0u16..40, 0u16..40], 0..9),
            ignored in proptest::collection::vec([0u16..40, 0u16..40], 0..9),
        ) {
            let regions = Regions { look: vec![polygon], ignore: vec![ignored] };
            prop_assert_eq!(regions.mask(32, 24).len(), 32 * 24);
        }
    }
}
