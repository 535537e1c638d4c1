//! What a rendered clip sounds like.

use super::{Motion, scramble};
use crate::augment::Key;
use std::f64::consts::TAU;

/// Names of the timbres.
pub const TIMBRES: [&str; 6] = ["mellow", "hollow", "bright", "nasal", "shrill", "octaves"];

/// Overtones of a tone, the fundamental among them.
const PARTIALS: usize = 10;
/// Swells per second.
const SWELLS: [f64; 5] = [0.0, 3.0, 5.0, 8.0, 12.0];
/// The tone moves by so many octaves either way.
const OCTAVES: f64 = 0.8;
/// Seconds between the points at which the pitch is known; it moves evenly in between.
const STEP: f64 = 1.0 / 256.0;

/// The sound of one clip.
#[derive(Clone, Debug)]
pub struct Tone {
    /// Frequency when the shape is in the middle, in hertz.
    pitch: f64,
    partials: [f32; PARTIALS],
    swell: f64,
    swell_start: f64,
    /// Frequency in hertz and loudness of a second tone that keeps its pitch.
    drone: (f64, f64),
    loudness: f64,
    noise: f32,
    salt: u32,
}

impl Tone {
    /// The sound of the clip at `key`: timbre, swell and drone by the class, all else by the clip.
    pub fn draw(key: &Key, timbre: usize, swell: usize, extra: u32) -> Self {
        let mut draws = key.draws("tone");
        let drone = if extra == 0 {
            (0.0, 0.0)
        } else {
            (100.0 * (f64::from(extra) / 4.0).exp2(), 0.5)
        };
        Self {
            pitch: 150.0 * draws.uniform(0.0, 1.3).exp2(),
            partials: partials(timbre),
            swell: SWELLS[swell],
            swell_start: draws.unit(),
            drone,
            loudness: draws.uniform(0.1, 0.4),
            noise: draws.uniform(0.005, 0.05) as f32,
            salt: draws.bits(),
        }
    }

    /// `samples` samples from `start` on; the pitch is that of the height `lag` seconds before.
    pub fn render(
        &self,
        motion: &Motion,
        lag: f64,
        start: f64,
        samples: usize,
        rate: f64,
    ) -> Vec<f32> {
        let turns = self.turns(motion, lag, start + samples as f64 / rate);
        // What lies above half the rate is not there.
        let highest = self.pitch * OCTAVES.exp2();
        let heard = ((rate / 2.0 / highest) as usize).min(PARTIALS);
        let partials = &self.partials[..heard];
        let first = (start * rate).round() as i64;
        let sample = |i: usize| {
            let time = start + i as f64 / rate;
            let (sin, cos) = (turns.at(time).fract() as f32 * TAU as f32).sin_cos();
            // sin (k + 1) x = 2 cos x sin k x - sin (k - 1) x
            let (mut before, mut now, mut tone) = (0.0, sin, 0.0);
            for partial in partials {
                tone += partial * now;
                (before, now) = (now, 2.0 * cos * now - before);
            }
            let swell = if self.swell > 0.0 {
                1.0 - 0.35 * (1.0 - ((self.swell * time + self.swell_start) * TAU).cos())
            } else {
                1.0
            };
            let (frequency, loudness) = self.drone;
            let drone = if loudness > 0.0 {
                loudness * (frequency * time * TAU).sin()
            } else {
                0.0
            };
            let noise = f32::from(
                (scramble(self.salt.wrapping_add((first + i as i64) as u32)) >> 16) as u16,
            );
            let noise = self.noise * (noise / 32767.5 - 1.0);
            ((self.loudness * (swell * f64::from(tone) + drone)) as f32 + noise).clamp(-1.0, 1.0)
        };
        (0..samples).map(sample).collect()
    }

    /// The turns of the fundamental from time 0 to `end` and a little beyond.
    fn turns(&self, motion: &Motion, lag: f64, end: f64) -> Turns {
        let points = (end / STEP).max(0.0) as usize + 2;
        let pitch = |i: usize| self.pitch * (OCTAVES * motion.height(i as f64 * STEP - lag)).exp2();
        let pitches: Vec<f64> = (0..=points).map(pitch).collect();
        let mut sum = 0.0;
        let mut turns = Vec::with_capacity(points + 1);
        for pair in pitches.windows(2) {
            turns.push(sum);
            sum += (pair[0] + pair[1]) / 2.0 * STEP;
        }
        Turns { pitches, turns }
    }
}

/// Frequency in hertz, and its integral, every [`STEP`] seconds.
struct Turns {
    pitches: Vec<f64>,
    turns: Vec<f64>,
}

impl Turns {
    fn at(&self, time: f64) -> f64 {
        let i = ((time / STEP).max(0.0) as usize).min(self.turns.len() - 1);
        let since = time - i as f64 * STEP;
        let rise = (self.pitches[i + 1] - self.pitches[i]) / STEP;
        self.turns[i] + since * (self.pitches[i] + since * rise / 2.0)
    }
}

/// Amplitudes of the fundamental and its overtones, their squares summing to 1.
fn partials(timbre: usize) -> [f32; PARTIALS] {
    let formant = |k: f64, centre: f64| (-(k - centre).powi(2) / 2.0).exp();
    let amplitude = |k: f64| match timbre {
        0 => 1.0 / (k * k * k),
        1 => (k % 2.0) / k,
        2 => 1.0 / k.sqrt(),
        3 => 0.3 / k + formant(k, 3.0),
        4 => 0.3 / k + formant(k, 7.0),
        _ => f64::from(k.log2().fract() == 0.0),
    };
    let all: Vec<f64> = (1..=PARTIALS).map(|k| amplitude(k as f64)).collect();
    let norm = all.iter().map(|a| a * a).sum::<f64>().sqrt();
    std::array::from_fn(|k| (all[k] / norm) as f32)
}
