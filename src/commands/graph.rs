//! `graph`: the training step of one row.

use compiler::graph;
use compiler::passes::{self, Pass};

use super::{profile, rows};
use crate::cli::{Graph, GraphFormat};
use crate::failure::{Failure, Result};
use crate::load::compile_or_stop;
use crate::render::write_out;

/// Prints the graph of the row that is asked for, or of the first, or what the passes did to it.
pub fn graph(arguments: &Graph) -> Result<()> {
    let passes = passes(&arguments.pass)?;
    if arguments.why && !matches!(arguments.format, GraphFormat::Text | GraphFormat::Json) {
        return Err(Failure::misuse("the log of the passes is no drawing")
            .help("with `--why`, write `--format text` or `--format json`"));
    }
    let compiled = compile_or_stop(
        std::slice::from_ref(&arguments.file),
        profile(arguments.toy),
        &arguments.above.set,
    )?;
    for (_, program) in compiled.programs().unwrap_or_default() {
        let (table, index) = rows::one(program, arguments.row.as_deref())?;
        let row = &table.rows[index];
        let name = format!("{}:{}", table.name, index + 1);
        let pretrain = &row.pretrain;
        let (step, log) = passes::build_written(pretrain, &row.written, &passes);
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
    }
    Ok(())
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
