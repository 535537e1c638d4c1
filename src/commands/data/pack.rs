//! `data pack`: tar shards of a data set.

use std::ffi::OsString;

use compiler::units::{Dimension, Exact, Quantity};

use super::declared;
use crate::cli::DataPack;
use crate::commands::site_and_runs;
use crate::failure::{Failure, Result};
use crate::handover;
use crate::packing::Packing;

/// Hands the declaration of the data set and the quality to the engine.
pub fn pack(arguments: &DataPack) -> Result<()> {
    let short_side = match arguments.short_side.as_str() {
        "native" => None,
        text => Some(pixels(text)?),
    };
    let fps = match arguments.rate.as_str() {
        "native" => None,
        text => Some(rate(
            "--rate",
            text,
            Dimension::FRAME_RATE,
            ("16fps", 1000),
        )?),
    };
    let sound_rate = rate(
        "--sound-rate",
        &arguments.sound_rate,
        Dimension::FREQUENCY,
        ("16kHz", 768_000),
    )?;
    if sound_rate.to_u32().is_none() {
        return Err(misuse(
            "--sound-rate",
            &arguments.sound_rate,
            "a whole number of Hz, such as `16kHz`",
        ));
    }
    let set = declared::files(&arguments.what)?;
    let (site, _) = site_and_runs(arguments.site.as_deref(), None)?;
    site.root(&set.name)?;
    let packing = Packing {
        set,
        short_side,
        fps,
        jpeg: arguments.quality,
        rate: sound_rate,
        clips_per_shard: arguments.clips_per_shard,
        verify: arguments.verify,
    };
    let mut command: Vec<OsString> = vec!["data-pack".into()];
    command.extend(["--out".into(), OsString::from(&arguments.out)]);
    if let Some(threads) = arguments.threads {
        command.extend(["--threads".into(), threads.to_string().into()]);
    }
    if let Some(file) = site.file {
        command.extend(["--site".into(), file.into()]);
    }
    Err(handover::exec_with(command, &packing))
}

fn pixels(text: &str) -> Result<u32> {
    let digits = text.strip_suffix("px").unwrap_or(text);
    let pixels = digits
        .parse()
        .ok()
        .filter(|pixels| (16..=8192).contains(pixels));
    pixels.ok_or_else(|| misuse("--short-side", text, "16 to 8192 pixels, or `native`"))
}

/// A positive rate with or without its unit; `example` and the largest one are said where it is none.
fn rate(
    option: &str,
    text: &str,
    dimension: Dimension,
    (example, most): (&str, i128),
) -> Result<Exact> {
    let letters = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(letters);
    let is_number = digits.parse::<f64>().is_ok_and(f64::is_finite);
    let quantity = is_number.then(|| Quantity::parse(digits, (!unit.is_empty()).then_some(unit)));
    let value = quantity
        .flatten()
        .filter(|quantity| unit.is_empty() || quantity.dimension == dimension);
    let value = value.map(|quantity| quantity.value);
    let is_right = |value: &Exact| *value > Exact::whole(0) && *value <= Exact::whole(most);
    value
        .filter(is_right)
        .ok_or_else(|| misuse(option, text, &format!("a rate, such as `{example}`")))
}

fn misuse(option: &str, text: &str, takes: &str) -> Failure {
    Failure::misuse(format!("`{option} {text}`: `{option}` takes {takes}"))
}
