//! Figures of `bench`: lines for people, one JSON object for programs.

use crisscross::render::write_out;
use serde::Serialize;

/// What a figure is called, and how it is written.
pub type Line = (String, String);

/// Prints the figures of the pretraining of this name.
pub fn print<T: Serialize>(name: &str, figures: &T, as_json: bool, lines: fn(&T) -> Vec<Line>) {
    if as_json {
        let mut json = serde_json::to_value(figures).expect("figures are plain data");
        json["pretraining"] = name.into();
        return write_out(&format!("{json}\n"));
    }
    let first = ("pretraining".to_owned(), name.to_owned());
    let lines = [first].into_iter().chain(lines(figures));
    let lines = lines.map(|(what, value)| format!("{what:<15}{value}\n"));
    write_out(&lines.collect::<String>());
}

/// Memory in a line.
pub fn memory(bytes: Option<u64>) -> String {
    bytes.map_or_else(
        || "not told by this system".to_owned(),
        |bytes| format!("{:.0} MB", bytes as f64 / 1e6),
    )
}
