//! What a rendered clip looks like.

use super::{Motion, scramble};
use crate::augment::{Draws, Key};
use std::f32::consts::TAU;

/// Height and width of the frames in pixels.
pub const SIDE: usize = 128;
/// Names of the shapes.
pub const SHAPES: [&str; 6] = ["disc", "square", "triangle", "bar", "ring", "cross"];

/// How far the middle of a shape moves from the middle of the frame, in pixels.
const REACH: f64 = 36.0;

type Colour = [f32; 3];

/// The looks of one clip. Colours are in 0..=255, lengths in pixels.
#[derive(Clone, Debug)]
pub struct Picture {
    shape: usize,
    radius: f32,
    /// Radians at time 0 and radians per second.
    turn: (f32, f32),
    /// Two colours that alternate in stripes, `stripes` pairs from edge to edge, at an angle of their own.
    colours: [Colour; 2],
    stripes: f32,
    stripe_angle: f32,
    ground: [Colour; 2],
    /// Waves of the ground from edge to edge, across and down.
    ground_waves: (f32, f32),
    noise: f32,
    salt: u32,
}

impl Picture {
    /// The looks of the clip at `key`: the shape by the class, all else by the clip, `extra` more stripes by the class.
    pub fn draw(key: &Key, shape: usize, extra: u32) -> Self {
        let mut draws = key.draws("picture");
        let ground = [
            colour(&mut draws, 30.0, 130.0),
            colour(&mut draws, 30.0, 130.0),
        ];
        let colours = [
            colour(&mut draws, 110.0, 255.0),
            colour(&mut draws, 110.0, 255.0),
        ];
        let mut number = |a: f64, b: f64| draws.uniform(a, b) as f32;
        Self {
            shape,
            radius: number(16.0, 28.0),
            turn: (number(-0.5, 0.5), number(-0.5, 0.5)),
            colours,
            stripes: 2.0 + extra as f32,
            stripe_angle: number(0.0, std::f64::consts::TAU),
            ground,
            ground_waves: (number(-3.0, 3.0), number(-3.0, 3.0)),
            noise: number(4.0, 24.0),
            salt: draws.bits(),
        }
    }

    /// `frames` frames shown at `start + k / fps`: RGB, rows from the top.
    pub fn render(&self, motion: &Motion, start: f64, frames: usize, fps: f64) -> Vec<u8> {
        let ground = self.render_ground();
        let mut pixels = vec![0; frames * ground.len()];
        let mut frame = ground.clone();
        for (k, pixels) in pixels.chunks_exact_mut(ground.len()).enumerate() {
            let time = start + k as f64 / fps;
            frame.copy_from_slice(&ground);
            self.paint_shape(&mut frame, motion, time);
            self.develop(&frame, time, pixels);
        }
        pixels
    }

    fn render_ground(&self) -> Vec<f32> {
        let mut ground = Vec::with_capacity(SIDE * SIDE * 3);
        let per_pixel = TAU / SIDE as f32;
        for y in 0..SIDE {
            for x in 0..SIDE {
                let wave = x as f32 * self.ground_waves.0 + y as f32 * self.ground_waves.1;
                ground.extend(mix(&self.ground, 0.5 + 0.5 * (wave * per_pixel).sin()));
            }
        }
        ground
    }

    fn paint_shape(&self, frame: &mut [f32], motion: &Motion, time: f64) {
        let (right, up) = motion.at(time);
        let middle = SIDE as f64 / 2.0;
        let (centre_x, centre_y) = (
            (middle + REACH * right) as f32,
            (middle - REACH * up) as f32,
        );
        let (sin, cos) = (self.turn.0 + self.turn.1 * time as f32).sin_cos();
        let (stripe_sin, stripe_cos) = self.stripe_angle.sin_cos();
        // No shape reaches further than the corner of a square of its radius.
        let reach = 1.5 * self.radius;
        let span = |centre: f32| {
            ((centre - reach).max(0.0) as usize)
                ..((centre + reach).clamp(0.0, SIDE as f32) as usize)
        };
        for y in span(centre_y) {
            for x in span(centre_x) {
                let (dx, dy) = (
                    (x as f32 + 0.5 - centre_x) / self.radius,
                    (y as f32 + 0.5 - centre_y) / self.radius,
                );
                let (u, v) = (cos * dx + sin * dy, cos * dy - sin * dx);
                // One pixel of soft edge.
                let cover = (depth(self.shape, u, v) * self.radius + 0.5).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let along = (u * stripe_cos + v * stripe_sin) * self.stripes * (TAU / 2.0);
                    let colour = mix(&self.colours, (0.5 + 2.0 * along.sin()).clamp(0.0, 1.0));
                    let pixel = &mut frame[(y * SIDE + x) * 3..][..3];
                    for (value, colour) in pixel.iter_mut().zip(colour) {
                        *value += cover * (colour - *value);
                    }
                }
            }
        }
    }

    /// Adds the noise of the frame and rounds to bytes. Two plain loops, which the compiler turns into wide instructions.
    fn develop(&self, frame: &[f32], time: f64, pixels: &mut [u8]) {
        let salt = scramble(self.salt ^ (time * 1e6).round() as i64 as u32);
        let mut noise = [[0; 4]; SIDE * SIDE * 3 / 4];
        for (i, four) in (0u32..).zip(&mut noise) {
            *four = scramble(salt.wrapping_add(i)).to_le_bytes();
        }
        let scale = self.noise / 255.0;
        let offset = 0.5 - 127.5 * scale;
        for ((pixel, value), noise) in pixels.iter_mut().zip(frame).zip(noise.as_flattened()) {
            // A float becomes the nearest byte that there is.
            *pixel = (value + f32::from(*noise) * scale + offset) as u8;
        }
    }
}

fn colour(draws: &mut Draws, low: f64, high: f64) -> Colour {
    [0; 3].map(|_| draws.uniform(low, high) as f32)
}

fn mix(colours: &[Colour; 2], share: f32) -> Colour {
    let [a, b] = colours;
    [0, 1, 2].map(|i| a[i] + share * (b[i] - a[i]))
}

/// How far inside the shape a place is, of a shape of radius 1 around (0, 0); negative outside.
fn depth(shape: usize, u: f32, v: f32) -> f32 {
    let bar = |along: f32, across: f32| (0.95 - along.abs()).min(0.3 - across.abs());
    match shape {
        0 => 0.9 - u.hypot(v),
        1 => 0.8 - u.abs().max(v.abs()),
        2 => 0.5 - (-v).max(0.5 * v + 0.866 * u).max(0.5 * v - 0.866 * u),
        3 => bar(u, v),
        4 => 0.22 - (u.hypot(v) - 0.75).abs(),
        _ => bar(u, v).max(bar(v, u)),
    }
}
