//! `graph`: the training step of one row.

use compiler::graph;
use compiler::origins::Texts;
use compiler::passes::{self, Pass};

use super::named::{self, Asked, Read};
use super::{profile, rows};
use crate::cli::{Graph, GraphFormat};
use crate::failure::{Failure, Result};
use crate::load::Reading;
use crate::render::write_out;

/// Prints the graph of the row that is asked for, or of the first, or what the passes did to it.
pub fn graph(arguments: &Graph) -> Result<()> {
    let passes = passes(&arguments.pass)?;
    if arguments.why && !matches!(arguments.format, GraphFormat::Text | GraphFormat::Json) {
        return Err(Failure::misuse("the log of the passes is no drawing")
            .help("with `--why`, write `--format text` or `--format json`"));
    }
    let reading = Reading {
        profile: profile(arguments.toy),
        set: &arguments.above.set,
    };
    let (read, name) = meant(&arguments.what, arguments.row.as_deref(), reading)?;
    read.compiled.print_warnings();
    let texts = Texts::read(&read.compiled.sources);
    let asked = (arguments.what.as_str(), "have a step");
    let (name, experiment) = named::one_experiment(&read, &texts, &name, asked)?;
    let pretrain = experiment.pretrain;
    let (step, log) = passes::build_written(pretrain, experiment.written, &passes);
    let text = match (arguments.format, arguments.why) {
        (GraphFormat::Json, true) => passes::json(&log),
        (_, true) => passes::text(&log),
        (GraphFormat::Text, false) => graph::text_of((&step, &log), pretrain, &name),
        (GraphFormat::Dot, false) => graph::dot_of(&step, pretrain, &name),
        (GraphFormat::Mermaid, false) => graph::mermaid_of(&step, pretrain, &name),
        (GraphFormat::Svg, false) => graph::svg_of(&step, pretrain, &name),
        (GraphFormat::Json, false) => graph::json_of(&step, pretrain, &name),
    };
    write_out(&(text.trim_end().to_owned() + "\n"));
    Ok(())
}

/// What is read, and the name in it that is meant: the one typed, that of a row of the file, or that of its first row. What the
/// prelude does not declare is a file, which may not be there.
pub(super) fn meant(what: &str, row: Option<&str>, reading: Reading<'_>) -> Result<(Read, String)> {
    let asked = Asked::read(what);
    let file = match (asked.is_known(), row) {
        (false, _) => Asked::within(what, ""),
        (true, _) if asked.name.is_empty() => asked,
        (true, None) => return Ok((named::read(asked, &[], reading)?, asked.name.to_owned())),
        (true, Some(row)) => {
            let message = format!("`{what}` and `--row {row}` name two things");
            return Err(Failure::misuse(message).help("leave one of them out"));
        }
    };
    let read = named::read(file, &[], reading)?;
    let failure = match rows::one(&read.program, row) {
        Ok((table, at)) => {
            let name = format!("{}:{}", table.name, at + 1);
            return Ok((read, name));
        }
        Err(failure) => failure,
    };
    // A pretraining that no row is called by.
    let Some(name) = row else {
        return Err(failure);
    };
    let read = named::read(Asked { name, ..file }, &[], reading)?;
    match named::experiment(&read.program, name) {
        Some((name, _)) => Ok((read, name)),
        None => Err(failure),
    }
}

/// The passes that these names ask for.
fn passes(names: &[String]) -> Result<Vec<Pass>> {
    if names.len() == 1 && names[0] == "none" {
        return Ok(vec![]);
    }
    let named = names.iter().map(|name| pass(name));
    let named: Vec<Pass> = named.collect::<Result<_>>()?;
    let Some(last) = named.iter().max() else {
        return Ok(passes::selection(&[]));
    };
    let mut selected = passes::selection(&named);
    selected.retain(|pass| pass <= last);
    Ok(selected)
}

/// The pass of this name.
pub(super) fn pass(name: &str) -> Result<Pass> {
    Pass::named(name).ok_or_else(|| {
        let known: Vec<String> = Pass::ALL
            .iter()
            .map(|pass| format!("`{}`", pass.name()))
            .collect();
        let what = match name {
            "none" => "`none` stands alone: it asks for no pass".to_owned(),
            _ => format!("there is no pass `{name}`"),
        };
        Failure::misuse(what).help(format!("in their order: {}", known.join(", ")))
    })
}
