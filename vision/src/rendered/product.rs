//! The product: a turned aluminium cap with a bore, three countersunk holes and a stamped part number.
//!
//! Lengths and heights are in reference pixels: the frame is 256 x 256 of them whatever the picture's size,
//! with the origin in the middle, x to the right, y down. Heights are above the belt.

use super::random::{LATTICE, Noise, Rng, bump, inside, mix, smooth, turns};
use super::stamp::{self, Mark};
use super::surface::Surface;

/// Height of the cap's outer ring above the belt.
pub(super) const RING_HEIGHT: f32 = 9.5;
/// Radius of the outer wall.
pub(super) const RIM: f32 = 102.0;
/// Radius of the boss's edge.
pub(super) const BOSS: f32 = 54.5;
/// Radius of the bore.
pub(super) const BORE: f32 = 21.0;
/// Radius of the circle on which the holes and the stamped marks lie.
const PITCH_CIRCLE: f32 = 79.0;
/// Radius of a hole's wall, and of its countersink.
pub(super) const HOLE: f32 = 6.0;
const COUNTERSINK: f32 = 10.5;

/// Entries of the radial profile per reference pixel.
const FINE: f32 = 8.0;

/// One part as it lies on the belt.
pub(super) struct Product {
    /// Middle of the part.
    pub(super) centre: [f32; 2],
    /// Cosine and sine of its turn.
    pub(super) turn: [f32; 2],
    /// The stamped characters, in the part's own frame.
    pub(super) marks: Vec<Mark>,
    profile: Vec<f32>,
    streaks: Noise,
    mottle: Noise,
    belt: Noise,
    belt_phase: [f32; 2],
}

impl Product {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let centre = [rng.within(-1.5, 1.5), rng.within(-1.5, 1.5)];
        let angle = rng.within(-1.2, 1.2).to_radians();
        let streaks = Noise::new(rng);
        let mottle = Noise::new(rng);
        let belt = Noise::new(rng);
        let belt_phase = [rng.within(0.0, 400.0), rng.within(0.0, 400.0)];
        let profile = turned_profile(rng);
        Self {
            centre,
            turn: [libm::cosf(angle), libm::sinf(angle)],
            marks: stamp::part_number(rng, PITCH_CIRCLE),
            profile,
            streaks,
            mottle,
            belt,
            belt_phase,
        }
    }

    /// From the frame to the part's own coordinates.
    pub(super) fn own(&self, x: f32, y: f32) -> [f32; 2] {
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        [
            self.turn[0] * dx + self.turn[1] * dy,
            self.turn[0] * dy - self.turn[1] * dx,
        ]
    }

    /// From the part's own coordinates to the frame.
    pub(super) fn frame(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [
            self.centre[0] + self.turn[0] * x - self.turn[1] * y,
            self.centre[1] + self.turn[1] * x + self.turn[0] * y,
        ]
    }

    /// The surface of part and belt, without defect.
    pub(super) fn surface(&self, side: usize, pitch: f32, cell: usize) -> Surface {
        let mut surface = Surface::flat(side, pitch, cell);
        for row in 0..side {
            let y = surface.y(row);
            for column in 0..side {
                let x = surface.x(column);
                let i = row * side + column;
                let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
                let r = (dx * dx + dy * dy).sqrt();
                if r < RIM + 2.0 {
                    self.metal(&mut surface, i, dx, dy, r);
                } else {
                    surface.height[i] = self.belt_height(x, y);
                    surface.albedo[i] = BELT;
                }
            }
        }
        self.drill(&mut surface);
        for mark in &self.marks {
            let [x, y] = self.frame(mark.middle);
            surface.around(x, y, mark.reach(), |surface, i, x, y| {
                let depth = mark.depth_at(self.own(x, y));
                surface.height[i] -= depth;
                surface.albedo[i] = surface.albedo[i].map(|a| a * Mark::soot(depth));
            });
        }
        surface
    }

    fn metal(&self, surface: &mut Surface, i: usize, dx: f32, dy: f32, r: f32) {
        let place = r * FINE;
        let k = (place as usize).min(self.profile.len() - 2);
        let body = mix(self.profile[k], self.profile[k + 1], place - k as f32);
        // No sample is half metal, half rubber: mixed materials would shine on the steep wall between them.
        if body < 0.1 {
            surface.height[i] = self.belt_height(dx + self.centre[0], dy + self.centre[1]);
            surface.albedo[i] = BELT;
            return;
        }
        let streak = self.streaks.at(turns(dx, dy) * LATTICE as f32, r * 0.9);
        let mottle = self.mottle.at(dx * 0.055, dy * 0.055);
        let tone = 1.0 + 0.012 * streak + 0.012 * mottle;
        surface.height[i] = body + 0.018 * streak;
        surface.albedo[i] = [
            ALUMINIUM[0] * tone,
            ALUMINIUM[1] * tone,
            ALUMINIUM[2] * (tone - 0.006 * mottle),
        ];
        surface.metal[i] = 1.0;
    }

    fn belt_height(&self, x: f32, y: f32) -> f32 {
        let (u, v) = (x + self.belt_phase[0], y + self.belt_phase[1]);
        let grain = self.belt.at(u * 0.62, v * 0.62);
        let weave = self.belt.at(u * 0.11 + 50.0, v * 0.9);
        0.22 * grain + 0.14 * weave
    }

    fn drill(&self, surface: &mut Surface) {
        for i in 0..3 {
            let [x, y] = self.frame(hole(i));
            surface.around(x, y, COUNTERSINK + 2.0, |surface, i, px, py| {
                let d = ((px - x) * (px - x) + (py - y) * (py - y)).sqrt();
                let wall = 1.0 - inside(d, HOLE, 1.0);
                let sunk = surface.height[i] - 0.75 * ramp(COUNTERSINK - d, 0.5);
                let ground = self.belt_height(px, py);
                surface.height[i] = mix(ground, sunk, wall);
                if wall < 0.05 {
                    surface.metal[i] = 0.0;
                    surface.albedo[i] = BELT;
                }
            });
        }
    }
}

/// Middle of hole `i`, 0 .. 3, in the part's own frame.
pub(super) fn hole(i: usize) -> [f32; 2] {
    let angle = (90.0 + 120.0 * i as f32).to_radians();
    [
        PITCH_CIRCLE * libm::cosf(angle),
        -PITCH_CIRCLE * libm::sinf(angle),
    ]
}

/// Reflectance of the belt's rubber and of turned aluminium, linear red, green and blue.
const BELT: [f32; 3] = [0.0125, 0.0140, 0.0145];
const ALUMINIUM: [f32; 3] = [0.80, 0.80, 0.785];

/// 0 below 0, the identity above, rounded over `soft`.
fn ramp(x: f32, soft: f32) -> f32 {
    0.5 * (x + (x * x + soft * soft).sqrt())
}

/// Height over radius: the drawing, with the marks of this part's pass of the turning tool.
fn turned_profile(rng: &mut Rng) -> Vec<f32> {
    let tool = Noise::new(rng);
    let feed = rng.within(0.30, 0.36);
    (0..((RIM + 4.0) * FINE) as usize)
        .map(|k| {
            let r = k as f32 / FINE;
            let marks = 0.05 * tool.at(r * 0.8, 0.0) + 0.03 * tool.at(r * feed, 9.0);
            drawing(r) + marks * inside(r, RIM - 4.0, 2.0) * (1.0 - inside(r, BORE + 4.0, 2.0))
        })
        .collect()
}

fn drawing(r: f32) -> f32 {
    let wall = inside(r, RIM + 0.5, 2.4) * (1.0 - inside(r, BORE, 1.6));
    let chamfer = 0.7 * ramp(r - (RIM - 5.0), 0.7);
    let groove = 2.2 * bump((r - 60.5) / 4.0);
    let boss = 2.6 * inside(r, BOSS + 1.2, 4.0) - 2.2 * smooth(r / BOSS) * inside(r, BOSS + 1.2, 4.0);
    let land = 0.8 * bump((r - 34.0) / 1.8);
    let bore_chamfer = 0.8 * ramp(BORE + 4.5 - r, 0.7);
    (RING_HEIGHT - chamfer - groove + boss + 2.2 * inside(r, BOSS + 1.2, 4.0) - land - bore_chamfer) * wall
}
