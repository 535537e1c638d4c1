//! `explain NAME.loss` and `NAME.weights`: a loss part by part, as written and as it weighs.

use compiler::loss::Loss;
use compiler::origins::Texts;
use compiler::units::Exact;
use compiler::{columns, counted, graph};
use serde_json::{Value, json};

use super::named::Experiment;

/// A loss part by part: as written, and as it weighs.
pub struct Weighed {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
}

/// The loss of a pretraining or row.
pub fn loss(texts: &Texts<'_>, subject: &Experiment<'_>) -> Weighed {
    let loss: &Loss = &subject.pretrain.loss;
    let factor = subject
        .written
        .factor
        .filter(|factor| *factor != Exact::whole(0));
    let before = |weight: Exact| factor.and_then(|factor| weight.over(factor));
    let pairs = graph::pairs(loss);
    let is_pairs = pairs.is_some();
    // A pair is two directed terms, one for each direction.
    let parts: Vec<(String, Exact)> = pairs.unwrap_or_else(|| {
        let terms = loss.terms.iter();
        terms
            .map(|(term, weight)| (term.to_string(), *weight))
            .collect()
    });
    let directed = if is_pairs { 2 } else { 1 };
    let head = if is_pairs { "pair" } else { "term" };
    let mut rows = vec![[head, "as written", "weighs", "terms"].map(str::to_owned)];
    for (what, weight) in &parts {
        let written = before(*weight).map_or("-".to_owned(), |weight| weight.to_string());
        rows.push([
            what.clone(),
            written,
            weight.to_string(),
            directed.to_string(),
        ]);
    }
    let word = texts.chain(subject.provenance, "weights").pop();
    let word = word.map_or_else(|| "weights".to_owned(), |(_, place)| place.value);
    let mut text = columns(&rows, 3);
    let count = loss.terms.len();
    text += &format!("  {} in all\n", counted(count, "directed term"));
    if let Some(factor) = factor {
        let by = match Exact::whole(1).over(factor) {
            Some(whole) if factor < Exact::whole(1) => format!("divides all by {whole}"),
            _ if factor == Exact::whole(1) => "changes nothing".to_owned(),
            _ => format!("multiplies all by {factor}"),
        };
        let why = match word.as_str() {
            "unit" if factor == Exact::whole(1) => ": absolute weights sum to 1 as written",
            "unit" => ": absolute weights sum to 1, so a factor on the whole loss has no effect",
            "per_family" => ": the number of families that have a pair",
            _ => "",
        };
        text += &format!("  `weights = {word}` {by}{why}\n");
    }
    let json = json!({
        "parts": parts.iter().map(|(what, weight)| json!({
            "what": what, "written": before(*weight), "weight": weight, "terms": directed,
        })).collect::<Vec<_>>(),
        "terms": count,
        "factor": factor,
    });
    Weighed { text, json }
}
