//! The golden folder and the closed-form values that it is about.

pub use runtime::check::fill::{Stream, audio, parameter, video};
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
