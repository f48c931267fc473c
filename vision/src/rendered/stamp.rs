//! The stamped part number: characters as strokes, pressed into the ring between the holes.

use super::random::{Rng, bump};

/// Height of a character, in reference pixels.
const TALL: f32 = 13.0;
/// Half the width of a stroke.
const STROKE: f32 = 1.4;

/// Space between two characters, as a share of their height.
const GAP: f32 = 0.36;

type Stroke = &'static [[f32; 2]];

/// What is stamped into the three sectors: angle of the sector's middle in degrees, text.
const TEXT: [(f32, &str); 3] = [(30.0, "BW40"), (150.0, "7075"), (270.0, "T6")];

/// One stamped character.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// Middle of the character, in the part's own frame.
    pub(super) middle: [f32; 2],
    /// Unit vector to the character's top.
    up: [f32; 2],
    strokes: &'static [Stroke],
    width: f32,
    depth: f32,
}

impl Mark {
    /// Radius around the middle outside which the character does not reach.
    pub(super) fn reach(&self) -> f32 {
        0.75 * TALL + STROKE
    }

    /// What soot in the stroke leaves of the metal's reflectance where the stroke is that deep.
    pub(super) fn soot(depth: f32) -> f32 {
        1.0 - 0.25 * depth
    }

    /// How deep the character is at a point of the part's own frame, in reference pixels.
    pub(super) fn depth_at(&self, p: [f32; 2]) -> f32 {
        let (dx, dy) = (p[0] - self.middle[0], p[1] - self.middle[1]);
        let along = -dx * self.up[1] + dy * self.up[0];
        let above = dx * self.up[0] + dy * self.up[1];
        let at = [along / TALL + 0.5 * self.width, above / TALL + 0.5];
        let distance = self
            .strokes
            .iter()
            .map(|s| to_path(s, at))
            .fold(f32::MAX, f32::min)
            * TALL;
        self.depth * bump(distance / STROKE)
    }
}

/// Distance from a point to a path of straight pieces.
pub(super) fn to_path(path: &[[f32; 2]], [x, y]: [f32; 2]) -> f32 {
    let squared = path.windows(2).map(|ends| {
        let (dx, dy) = (ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]);
        let (px, py) = (x - ends[0][0], y - ends[0][1]);
        let t = ((px * dx + py * dy) / (dx * dx + dy * dy).max(1e-12)).clamp(0.0, 1.0);
        (px - t * dx) * (px - t * dx) + (py - t * dy) * (py - t * dy)
    });
    squared.fold(f32::MAX, f32::min).sqrt()
}

/// The characters of the part number along a circle of `radius`; the press sets each a little deeper or
/// shallower.
pub(super) fn part_number(rng: &mut Rng, radius: f32) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (sector, text) in TEXT {
        let glyphs: Vec<_> = text.chars().map(glyph).collect();
        let total = glyphs.iter().map(|g| g.1 + GAP).sum::<f32>() - GAP;
        let mut before = 0.0;
        for (strokes, width) in glyphs {
            let offset = (before + 0.5 * (width - total)) * TALL / radius;
            before += width + GAP;
            let angle = sector.to_radians() - offset;
            let up = [libm::cosf(angle), -libm::sinf(angle)];
            let middle = [radius * up[0], radius * up[1]];
            marks.push(Mark {
                middle,
                up,
                strokes,
                width,
                depth: rng.within(1.3, 1.5),
            });
        }
    }
    marks
}

/// The strokes of a character in a box 1 tall, and its width.
fn glyph(character: char) -> (&'static [Stroke], f32) {
    match character {
        'B' => (
            &[
                &[
                    [0.0, 0.52],
                    [0.0, 1.0],
                    [0.45, 1.0],
                    [0.58, 0.88],
                    [0.58, 0.64],
                    [0.45, 0.52],
                    [0.0, 0.52],
                ],
                &[
                    [0.45, 0.52],
                    [0.62, 0.38],
                    [0.62, 0.14],
                    [0.47, 0.0],
                    [0.0, 0.0],
                    [0.0, 0.52],
                ],
            ],
            0.62,
        ),
        'W' => (
            &[&[[0.0, 1.0], [0.25, 0.0], [0.5, 0.8], [0.75, 0.0], [1.0, 1.0]]],
            1.0,
        ),
        'T' => (&[&[[0.0, 1.0], [0.66, 1.0]], &[[0.33, 1.0], [0.33, 0.0]]], 0.66),
        '0' => (
            &[&[
                [0.18, 0.0],
                [0.44, 0.0],
                [0.62, 0.2],
                [0.62, 0.8],
                [0.44, 1.0],
                [0.18, 1.0],
                [0.0, 0.8],
                [0.0, 0.2],
                [0.18, 0.0],
            ]],
            0.62,
        ),
        '4' => (&[&[[0.48, 0.0], [0.48, 1.0], [0.0, 0.3], [0.66, 0.3]]], 0.66),
        '5' => (
            &[&[
                [0.58, 1.0],
                [0.08, 1.0],
                [0.03, 0.56],
                [0.4, 0.6],
                [0.6, 0.42],
                [0.6, 0.16],
                [0.42, 0.0],
                [0.14, 0.0],
                [0.0, 0.14],
            ]],
            0.6,
        ),
        '6' => (
            &[&[
                [0.52, 1.0],
                [0.22, 0.8],
                [0.02, 0.42],
                [0.02, 0.18],
                [0.18, 0.0],
                [0.44, 0.0],
                [0.62, 0.18],
                [0.62, 0.36],
                [0.44, 0.54],
                [0.16, 0.52],
                [0.03, 0.38],
            ]],
            0.62,
        ),
        _ => (&[&[[0.0, 1.0], [0.62, 1.0], [0.2, 0.0]]], 0.62),
    }
}
