//! `explain NAME.relax`: how the windows of a pretraining lie in time, and what each pair of its loss sees.

use compiler::hir::Provenance;
use compiler::origins::Texts;
use compiler::time;
use grammar::span::Sources;
use serde_json::{Value, json};

use super::named::{Experiment, Read};
use super::places::{place_lines, places};
use crate::render::{Format, write_out};

/// Prints the law of windows of a pretraining or row.
pub fn explain((read, texts): (&Read, &Texts<'_>), experiment: &Experiment<'_>, format: Format) {
    let Experiment {
        pretrain,
        provenance,
        ..
    } = experiment;
    let policy = policy(&read.compiled.sources, provenance);
    let places = places(texts, provenance, "relax");
    write_out(&match format {
        Format::Text => time::text(pretrain, &policy) + "  set at\n" + &place_lines(&places),
        Format::Json => {
            let windows = time::json(pretrain, &policy);
            let mut windows: Value =
                serde_json::from_str(&windows).expect("explain: laws are printed as JSON");
            windows["places"] = json!(places);
            format!("{windows:#}\n")
        }
    });
}

/// The policy as its field calls it, `mild`; `relax` where it has no name.
pub(super) fn policy(sources: &Sources, provenance: &Provenance) -> String {
    let field = provenance.get("relax").and_then(|places| places.last());
    let value = field.and_then(|place| sources.text(*place).split_once('='));
    let named = value
        .map(|(_, value)| value.trim())
        .filter(|value| value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    named.unwrap_or("relax").to_owned()
}
