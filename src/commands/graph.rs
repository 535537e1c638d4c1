//! `graph`: the training step of one row.

use compiler::graph;

use super::{profile, rows};
use crate::cli::{Graph, GraphFormat};
use crate::failure::Result;
use crate::load::compile_or_stop;
use crate::render::write_out;

/// Prints the graph of the row that is asked for, or of the first.
pub fn graph(arguments: &Graph) -> Result<()> {
    let compiled = compile_or_stop(
        std::slice::from_ref(&arguments.file),
        profile(arguments.toy),
    )?;
    for (_, program) in compiled.programs().unwrap_or_default() {
        let (table, index) = rows::one(program, arguments.row.as_deref())?;
        let row = &table.rows[index];
        let name = format!("{}:{}", table.name, index + 1);
        let text = match arguments.format {
            GraphFormat::Text => graph::text(&row.pretrain, &name),
            GraphFormat::Dot => graph::dot(&row.pretrain, &name),
            GraphFormat::Mermaid => graph::mermaid(&row.pretrain, &name),
            GraphFormat::Svg => graph::svg(&row.pretrain, &name),
            GraphFormat::Json => graph::json(&row.pretrain, &name),
        };
        write_out(&(text.trim_end().to_owned() + "\n"));
    }
    Ok(())
}
