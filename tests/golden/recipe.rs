//! The golden folder and the closed-form values that it is about.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// The path of a file of the golden folder.
pub fn path(file: &str) -> PathBuf {
    let folder = std::env::var_os("CRISSCROSS_GOLDEN").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
        PathBuf::from,
    );
    folder.join(file)
}

/// A JSON file of the golden folder.
pub fn json(file: &str) -> Value {
    let text = std::fs::read_to_string(path(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The numbers of a JSON array.
pub fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

/// Fails unless the two agree within this share of the second.
pub fn assert_near(what: &str, ours: f64, golden: f64, tolerance: f64) {
    let error = (ours - golden).abs();
    assert!(
        error <= tolerance * golden.abs(),
        "{what}: {ours} is not {golden} (relative error {:e})",
        error / golden.abs()
    );
}

/// A stream of numbers in [-1, 1), named by a string.
pub struct Stream(u64);

impl Stream {
    /// FNV-1a of the name.
    pub fn new(name: &str) -> Self {
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, byte| {
            (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        }))
    }

    /// The `i`-th number, a multiple of 2^-23.
    pub fn at(&self, i: usize) -> f64 {
        let mut z = self
            .0
            .wrapping_add((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f64 / 8_388_608.0 - 1.0
    }
}

/// The prefix of the names of streams, and the batch.
pub struct Recipe {
    prefix: String,
    pub batch: usize,
}

impl Recipe {
    pub fn read() -> Self {
        let recipe = json("recipe.json");
        let batch = recipe["batch"].as_u64().unwrap() as usize;
        Self {
            prefix: recipe["prefix"].as_str().unwrap().to_owned(),
            batch,
        }
    }

    /// A tensor made by `fill` from the name of its stream. The prefix stands before the name or not: the golden first values
    /// say which.
    pub fn tensor(&self, name: &str, first: &Value, fill: impl Fn(&str) -> Vec<f32>) -> Vec<f32> {
        let first = numbers(first);
        let names = [format!("{}{name}", self.prefix), name.to_owned()];
        let fits = |values: &Vec<f32>| values.iter().zip(&first).all(|(&x, &y)| x == y as f32);
        names
            .iter()
            .map(|name| fill(name))
            .find(fits)
            .unwrap_or_else(|| panic!("`{name}` does not start with {first:?}"))
    }
}

/// A weight, or a bias: uniform with bound `sqrt(6 / fan in)`, or `sqrt(1 / fan in)`.
pub fn parameter(name: &str, count: usize, kind: &str, fan_in: f64) -> Vec<f32> {
    let bound = (if kind == "weight" { 6.0 } else { 1.0 } / fan_in).sqrt();
    let stream = Stream::new(name);
    (0..count).map(|i| (stream.at(i) * bound) as f32).collect()
}

/// A batch of clips `[n, 3, 8, 112, 112]`: colour, coarse blocks and noise.
pub fn video(name: &str, n: usize) -> Vec<f32> {
    let (dc, coarse, fine) = streams(name);
    let (t, side) = (8, 112);
    (0..n * 3 * t * side * side)
        .map(|i| {
            let (nc, t, y, x) = (
                i / (t * side * side),
                i / (side * side) % t,
                i / side % side,
                i % side,
            );
            let block = ((nc * 4 + t / 2) * 7 + y / 16) * 7 + x / 16;
            (dc.at(nc) + 1.5 * coarse.at(block) + 0.5 * fine.at(i)) as f32
        })
        .collect()
}

/// A batch of spectrograms `[n, 1, 80, 200]`.
pub fn audio(name: &str, n: usize) -> Vec<f32> {
    let (dc, coarse, fine) = streams(name);
    let (bands, columns) = (80, 200);
    (0..n * bands * columns)
        .map(|i| {
            let (n, f, t) = (i / (bands * columns), i / columns % bands, i % columns);
            let block = (n * 10 + f / 8) * 10 + t / 20;
            (dc.at(n) + 1.5 * coarse.at(block) + 0.5 * fine.at(i)) as f32
        })
        .collect()
}

fn streams(name: &str) -> (Stream, Stream, Stream) {
    (
        Stream::new(&format!("{name}.dc")),
        Stream::new(&format!("{name}.coarse")),
        Stream::new(name),
    )
}
