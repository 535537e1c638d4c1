//! `explain NAME.path`: what a value is, where it comes from, what it does and who uses it.

use compiler::hir::{Modality, Pretrain, Schedule};
use compiler::origins::Texts;
use compiler::units::thousands;
use compiler::{rates, written};
use serde_json::json;

use super::named::{Experiment, Read, experiment, no_field};
use super::places::{Use, name_lines, place_lines, places, used_line, uses};
use super::weighed;
use crate::failure::Result;
use crate::render::{Format, write_out};

/// The fields of a pretraining, each as it may be asked for: path and closed text, which the loss has none of.
pub fn fields(experiment: &Experiment<'_>) -> Vec<(String, String)> {
    let fields = written::pretrain(experiment.pretrain).into_iter();
    // Clips and sets are declarations of their own, and `exact` stands in no file.
    let mut fields: Vec<(String, String)> = fields
        .filter(|(path, _)| !path.contains(' ') && path != "weights" && path != "loss")
        .collect();
    let at = fields
        .iter()
        .position(|(path, _)| path == "relax")
        .unwrap_or(0);
    for path in ["weights", "loss"] {
        if experiment.provenance.contains_key(path) {
            fields.insert(at, (path.to_owned(), String::new()));
        }
    }
    fields
}

/// The module whose bounds the closed text of a field of `name` is, instead of what its places set.
pub fn bound(read: &Read, name: &str, path: &str, closed: &str) -> Option<&'static str> {
    let (_, whole) = experiment(read.whole.as_ref()?, name)?;
    let fields = fields(&whole);
    let (_, before) = fields.iter().find(|(known, _)| known == path)?;
    (before != closed).then_some("toy.cc")
}

/// Prints the value at `path` of the pretraining or row `name`.
pub fn explain(
    (read, texts): (&Read, &Texts<'_>),
    (name, experiment): (&str, &Experiment<'_>),
    path: &str,
    format: Format,
) -> Result<()> {
    let fields = fields(experiment);
    let chain = texts.chain(experiment.provenance, path);
    let known = fields.iter().find(|(known, _)| known == path);
    let (Some((_, closed)), Some((span, last))) = (known, chain.last()) else {
        let known: Vec<&str> = fields.iter().map(|(known, _)| known.as_str()).collect();
        return Err(no_field(&read.prefix, name, path, &known));
    };
    let value = if closed.is_empty() {
        &last.value
    } else {
        closed
    };
    let pretrain = experiment.pretrain;
    let applies = applies(pretrain, path);
    let moments = schedule(pretrain, path).map(|of| {
        let steps = pretrain.steps_per_epoch();
        (steps, rates::moments(of, steps, pretrain.ep))
    });
    let weighed = (path == "loss" || path == "weights").then(|| weighed::loss(texts, experiment));
    let used = uses(read, *span, path);
    let names = texts.names(*span);
    let places = places(texts, experiment.provenance, path);
    let asked = format!("{}{name}.{path}", read.prefix);
    let bound = bound(read, name, path, closed);
    if format == Format::Json {
        let moments =
            moments.map(|(steps, moments)| json!({ "steps_per_epoch": steps, "moments": moments }));
        let object = json!({
            "asked": asked, "value": value, "places": places, "bounded_by": bound, "applies_to": applies, "in_time": moments,
            "loss": weighed.as_ref().map(|weighed| &weighed.json), "made_of": names,
            "used_by": used.iter().map(Use::json).collect::<Vec<_>>(),
        });
        write_out(&format!("{object:#}\n"));
        return Ok(());
    }
    let mut text = format!("{asked} = {value}\n");
    text += &place_lines(&places);
    if let Some(bound) = bound {
        text += &format!("  bounded by  {bound}, which `crisscross show toy` prints\n");
    }
    if let Some(applies) = applies {
        text += &format!("  applies to  {applies}\n");
    }
    if let Some((steps, moments)) = moments.filter(|(_, moments)| !moments.is_empty()) {
        let shown = moments.iter().map(|moment| {
            let what = match moment.what {
                "first step" => String::new(),
                what => format!(" ({what})"),
            };
            format!(
                "step {}: {}{what}",
                thousands(moment.step),
                rates::printed(moment.rate)
            )
        });
        let shown: Vec<String> = shown.collect();
        text += &format!(
            "  in time     {}   ({} steps per epoch)\n",
            shown.join("   "),
            thousands(steps)
        );
    }
    text += &weighed.map_or(String::new(), |weighed| weighed.text);
    text += &name_lines(&names);
    text += &used_line(&used);
    write_out(&text);
    Ok(())
}

/// Which networks, views or clips a field is about.
fn applies(pretrain: &Pretrain, path: &str) -> Option<String> {
    let (modality, field) = match path.split_once('.') {
        Some((modality, field)) => (Some(modality), field),
        None => (None, path),
    };
    let ours = |m: &&Modality| modality.is_none_or(|name| m.name == name);
    let groups = |part: &str| -> Vec<String> {
        let of = pretrain.modalities.iter().filter(ours);
        let of = of.filter(|m| part == "f" || m.h.is_some());
        of.map(|m| format!("{}.{part}", m.name)).collect()
    };
    match field {
        "lr_b" => Some(format!(
            "{} (backbone, projector); not to the predictors (lr_p)",
            groups("f").join(", ")
        )),
        "lr_p" => Some(format!(
            "{} (predictor); not to the encoders (lr_b)",
            groups("h").join(", ")
        )),
        "optim" | "precision" | "bn" => Some([groups("f"), groups("h")].concat().join(", ")),
        "augment" => {
            let name = modality?;
            let views = (1..=pretrain.views).map(|view| format!("{name}{view}"));
            let views: Vec<String> = views.collect();
            Some(format!("views {}", views.join(", ")))
        }
        _ => None,
    }
}

/// The schedule at a path.
fn schedule<'p>(pretrain: &'p Pretrain, path: &str) -> Option<&'p Schedule> {
    let (modality, field) = match path.split_once('.') {
        Some((modality, field)) => (pretrain.modality(modality)?, field),
        None => (pretrain.modalities.first()?, path),
    };
    match field {
        "lr_b" => Some(&modality.lr_b),
        "lr_p" => Some(&modality.lr_p),
        _ => None,
    }
}
