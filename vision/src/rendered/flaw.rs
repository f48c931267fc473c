//! One defect: how it changes height and material of the surface before light falls on it.

use super::product::{Product, RIM};
use super::random::{Noise, bump, mix, smooth};
use super::stamp::{Mark, to_path};
use super::surface::Surface;

/// A defect on its part, in frame coordinates.
pub(super) struct Flaw {
    path: Vec<[f32; 2]>,
    /// Radius of a round defect.
    radius: f32,
    noise: Noise,
    form: Form,
    /// Middle and half side of the square that holds it.
    pub(super) middle: [f32; 2],
    pub(super) reach: f32,
    /// Scales depth or opacity, 0 .. 1; at 1 a defect is as deep or as opaque as such defects are.
    pub(super) amplitude: f32,
}

pub(super) enum Form {
    Scratch {
        width: f32,
    },
    Dent {
        turn: [f32; 2],
        oval: f32,
    },
    /// What the stain leaves of each colour, and how much it gathers at its edge.
    Stain {
        tint: [f32; 3],
        ring: f32,
    },
    /// Direction in which the broken face dips.
    Chip {
        tilt: [f32; 2],
    },
    Crack {
        width: f32,
    },
    MissingMark {
        mark: Mark,
    },
    /// Half width, reflectance and metal share.
    ForeignBody {
        width: f32,
        body: ([f32; 3], f32),
    },
}

impl Flaw {
    pub(super) fn new(path: Vec<[f32; 2]>, radius: f32, noise: Noise, form: Form) -> Self {
        let span = |axis: usize| {
            let (low, high) = path
                .iter()
                .fold((f32::MAX, f32::MIN), |(l, h), p| (l.min(p[axis]), h.max(p[axis])));
            (0.5 * (low + high), 0.5 * (high - low))
        };
        let ((x, half_x), (y, half_y)) = (span(0), span(1));
        let reach = half_x.max(half_y) + 1.6 * radius + 7.0;
        Self {
            path,
            radius,
            noise,
            form,
            middle: [x, y],
            reach,
            amplitude: 1.0,
        }
    }

    /// Changes the surface of a part.
    pub(super) fn apply(&self, surface: &mut Surface, product: &Product) {
        let [x, y] = self.middle;
        surface.around(x, y, self.reach, |surface, i, x, y| {
            self.touch(surface, i, [x, y], product.own(x, y))
        });
    }

    /// Whether a place is in the square that holds the defect.
    pub(super) fn near(&self, x: f32, y: f32) -> bool {
        (x - self.middle[0]).abs() <= self.reach && (y - self.middle[1]).abs() <= self.reach
    }

    /// Whether the defect covers a place, given in the frame's and in the part's own coordinates.
    pub(super) fn cover(&self, at: [f32; 2], own: [f32; 2]) -> bool {
        match &self.form {
            Form::Scratch { width } => self.distance(at) < 1.5 * width * self.taper(at).max(0.3),
            Form::Dent { .. } => self.round(at) < 1.0,
            Form::Stain { .. } => self.blob(at) > 0.25,
            Form::Chip { .. } => self.bite(at) > 0.02 && own[0] * own[0] + own[1] * own[1] < RIM * RIM,
            Form::Crack { width } => self.distance(at) < 1.5 * width,
            Form::MissingMark { mark } => mark.depth_at(own) > 0.1,
            Form::ForeignBody { width, .. } => self.distance(at) < width * self.taper(at).max(0.6),
        }
    }

    fn touch(&self, surface: &mut Surface, i: usize, at: [f32; 2], own: [f32; 2]) {
        let amplitude = self.amplitude;
        match &self.form {
            Form::Scratch { width } => {
                let t = self.distance(at) / width;
                let metal = surface.metal[i];
                let depth = metal * self.taper(at) * (bump(t / 1.3) - 0.35 * bump((t - 1.6) / 0.9));
                surface.height[i] -= 1.8 * amplitude * depth;
                surface.rough[i] = mix(surface.rough[i], 1.0, amplitude * bump(t / 1.6));
            }
            Form::Dent { .. } => {
                let d = self.round(at);
                let hollow = bump(d) - 0.22 * bump((d - 1.05) / 0.35);
                surface.height[i] -= 0.55 * self.radius * amplitude * hollow;
            }
            Form::Stain { tint, ring } => {
                let blob = self.blob(at);
                let edge = 4.0 * blob * (1.0 - blob);
                let [dx, dy] = self.past_first(at);
                let thick = 0.8 + 0.35 * self.noise.rough(dx * 0.09, dy * 0.09);
                let share =
                    surface.metal[i] * amplitude * thick * (blob * (1.0 - 0.5 * ring) + 0.5 * ring * edge);
                for (albedo, keep) in surface.albedo[i].iter_mut().zip(tint) {
                    *albedo *= mix(1.0, *keep, share);
                }
            }
            Form::Chip { tilt } => {
                let bite = self.bite(at);
                if bite > 0.0 && surface.height[i] > 1.5 {
                    let [dx, dy] = self.past_first(at);
                    let face = 1.2 * (dx * tilt[0] + dy * tilt[1]) / self.radius;
                    let grain = 0.9 * self.noise.rough(dx * 0.5, dy * 0.5);
                    let broken = smooth(bite * 4.0);
                    let depth = broken * (1.5 + 7.0 * bite + face + grain) * amplitude.sqrt();
                    surface.height[i] = (surface.height[i] - depth.max(0.0)).max(1.5);
                    let share = broken * amplitude.sqrt();
                    surface.rough[i] = mix(surface.rough[i], 1.0, share);
                    let tone = mix(1.0, 0.80 + 0.1 * self.noise.at(dx * 1.1, dy * 1.1), share);
                    surface.albedo[i] = surface.albedo[i].map(|a| a * tone);
                }
            }
            Form::Crack { width } => {
                let gap = bump(self.distance(at) / (1.5 * width));
                let gap = gap * surface.metal[i];
                surface.height[i] -= 4.0 * amplitude * amplitude * gap;
                // A gap swallows light long before it is wide enough to show its walls.
                let dark = mix(1.0, 0.2, amplitude.sqrt() * gap);
                surface.albedo[i] = surface.albedo[i].map(|a| a * dark);
            }
            Form::MissingMark { mark } => {
                let depth = mark.depth_at(own);
                let cleaner = Mark::soot(depth * (1.0 - amplitude)) / Mark::soot(depth);
                surface.height[i] += amplitude * depth;
                surface.albedo[i] = surface.albedo[i].map(|a| a * cleaner);
            }
            Form::ForeignBody {
                width,
                body: (colour, metal),
            } => {
                let t = self.distance(at) / (width * self.taper(at).max(0.6));
                let share = amplitude * smooth((1.15 - t) * 3.0);
                let tube = (1.0 - t * t).max(0.0).sqrt() * width;
                surface.height[i] += share * (0.5 + 1.2 * tube);
                let target: [f32; 3] = std::array::from_fn(|c| mix(surface.albedo[i][c], colour[c], share));
                surface.albedo[i] = target;
                surface.metal[i] = mix(surface.metal[i], *metal, share);
                surface.rough[i] = mix(surface.rough[i], 0.7, share);
            }
        }
    }

    fn distance(&self, at: [f32; 2]) -> f32 {
        to_path(&self.path, at)
    }

    fn past_first(&self, at: [f32; 2]) -> [f32; 2] {
        [at[0] - self.path[0][0], at[1] - self.path[0][1]]
    }

    /// 1 along a path, falling to 0 at its ends, uneven in between.
    fn taper(&self, at: [f32; 2]) -> f32 {
        let (first, last) = (self.path[0], self.path[self.path.len() - 1]);
        let length = ((last[0] - first[0]) * (last[0] - first[0])
            + (last[1] - first[1]) * (last[1] - first[1]))
            .sqrt();
        let [dx, dy] = self.past_first(at);
        let along = (dx * (last[0] - first[0]) + dy * (last[1] - first[1])) / (length * length).max(1e-3);
        let ends = smooth(4.0 * along.min(1.0 - along));
        (ends * (0.8 + 0.3 * self.noise.at(along * 9.0, 0.5))).clamp(0.0, 1.0)
    }

    /// Distance from the middle of a dent in its radii.
    fn round(&self, at: [f32; 2]) -> f32 {
        let [dx, dy] = self.past_first(at);
        let Form::Dent { turn, oval } = &self.form else {
            return 0.0;
        };
        let along = dx * turn[0] + dy * turn[1];
        let across = (dy * turn[0] - dx * turn[1]) / oval;
        let r = (along * along + across * across).sqrt() / self.radius;
        r * (1.0 + 0.12 * self.noise.at(dx * 0.12, dy * 0.12))
    }

    /// A stain's thickness, 0 .. 1: a drop with an uneven edge.
    fn blob(&self, at: [f32; 2]) -> f32 {
        let [dx, dy] = self.past_first(at);
        let scale = 1.7 / self.radius;
        let r = (dx * dx + dy * dy).sqrt() / self.radius;
        // Two lattices, one turned by 37 degrees, so that no lattice shows in the outline.
        let (u, v) = (0.8 * dx - 0.6 * dy, 0.6 * dx + 0.8 * dy);
        let uneven =
            self.noise.rough(dx * scale + 40.0, dy * scale + 40.0) + self.noise.rough(u * scale, v * scale);
        smooth((1.0 + 0.45 * uneven - r) * 1.9)
    }

    /// How far inside a chip a place is, 0 at its edge, 1 in its middle.
    fn bite(&self, at: [f32; 2]) -> f32 {
        let [dx, dy] = self.past_first(at);
        let radius = self.radius * (0.55 + 0.45 * self.amplitude.sqrt());
        let r = (dx * dx + dy * dy).sqrt() / radius;
        let edge = 1.0 + 0.35 * self.noise.rough(dx * 0.22 + 40.0, dy * 0.22 + 40.0);
        (1.0 - r / edge).max(0.0)
    }
}
