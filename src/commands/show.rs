//! `show`: a shipped module as it ships, or what a name of a file comes to.

use std::path::{Path, PathBuf};

use compiler::hir::{Program, Provenance};
use compiler::{Profile, plan, written};
use grammar::span::{FileId, Sources, Span};
use serde_json::json;

use crate::cli::Show;
use crate::failure::{Failure, Result};
use crate::load::{add_set, compile_or_stop, shipped_or_stop};
use crate::render::write_out;

/// Prints the module or the value.
pub fn show(arguments: &Show) -> Result<()> {
    let name = arguments.name.as_str();
    let within = name
        .find(".cc:")
        .map(|at| (&name[..at + 3], &name[at + 4..]));
    match (&arguments.file, within) {
        (Some(file), _) => return show_in(name, file, arguments),
        (None, Some((file, name))) => return show_in(name, Path::new(file), arguments),
        (None, None) if name.ends_with(".cc") => return show_file(Path::new(name), arguments),
        (None, None) if is_shipped_value(name) => return show_shipped(name, arguments),
        (None, None) if arguments.json => {
            let message = "a module is text, and has no form as JSON";
            return Err(Failure::misuse(message)
                .help("name what it declares: `crisscross show FILE.cc:NAME --json`"));
        }
        (None, None) if !arguments.above.set.is_empty() => {
            let message = "a module is text, in which nothing can be set";
            return Err(Failure::misuse(message)
                .help("show what it declares: `crisscross show crisscross --set bs=64`"));
        }
        (None, None) => {}
    }
    let known = compiler::SHIPPED.iter();
    let names: Vec<String> = known.clone().map(|(name, _)| format!("`{name}`")).collect();
    let Some((_, text)) = known.clone().find(|(shipped, _)| *shipped == name) else {
        let help = format!(
            "the shipped modules are {}; a name of a file is shown by `crisscross show FILE.cc:NAME`, a pretraining of the prelude by `crisscross show crisscross`",
            names.join(", ")
        );
        return Err(Failure::misuse(format!("there is no shipped module `{name}`")).help(help));
    };
    write_out(text);
    Ok(())
}

/// Prints what a file asks for: its pretrainings, protocols and tables row by row, each under the name by which it is shown.
fn show_file(file: &Path, arguments: &Show) -> Result<()> {
    let set = &arguments.above.set;
    let compiled = compile_or_stop(&[file.to_owned()], Profile::Full, set)?;
    for (name, program) in compiled.programs().unwrap_or_default() {
        let tables = program.tables.iter().map(|table| {
            let columns: Vec<&str> = table
                .scores
                .iter()
                .map(|(label, _)| label.as_str())
                .collect();
            let rows = table.rows.iter().map(|row| {
                json!({ "label": row.label, "of": row.of, "stage": row.id, "expect": row.expect })
            });
            let rows: Vec<_> = rows.collect();
            json!({ "name": table.name, "title": table.title, "columns": columns, "rows": rows })
        });
        if arguments.json {
            let pretrains: Vec<&str> = program
                .pretrains
                .iter()
                .map(|one| one.name.as_str())
                .collect();
            let evals: Vec<&str> = program
                .evals
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            let tables: Vec<_> = tables.collect();
            let object =
                json!({ "file": name, "pretrains": pretrains, "evals": evals, "tables": tables });
            write_out(&format!("{object}\n"));
            continue;
        }
        write_out(&outline(name, program));
    }
    Ok(())
}

fn outline(file: &str, program: &Program) -> String {
    let mut lines = vec![file.to_owned()];
    lines.extend(plan::set_line(&program.set).map(|line| format!("  {line}")));
    lines.extend(
        program
            .pretrains
            .iter()
            .map(|one| format!("  pretrain {}", one.name)),
    );
    lines.extend(
        program
            .evals
            .iter()
            .map(|(name, _)| format!("  eval {name}")),
    );
    for table in &program.tables {
        let title = table
            .title
            .as_ref()
            .map_or(String::new(), |title| format!(" \"{title}\""));
        lines.push(format!("  table {}{title}", table.name));
        if !table.scores.is_empty() {
            let columns: Vec<&str> = table
                .scores
                .iter()
                .map(|(label, _)| label.as_str())
                .collect();
            lines.push(format!("    scores  {}", columns.join(", ")));
        }
        let width = table.rows.iter().map(|row| row.label.chars().count()).max();
        let width = width.unwrap_or(0);
        for (row, number) in table.rows.iter().zip(1..) {
            let expect = row.expect.iter().map(|cell| cell.as_deref().unwrap_or("_"));
            let expect: Vec<&str> = expect.collect();
            let expect = match expect.as_slice() {
                [] => String::new(),
                some => format!("   expect {}", some.join(", ")),
            };
            lines.push(
                format!(
                    "    {number:>3}  {}  {:<width$}{expect}",
                    row.id.short(),
                    row.label
                )
                .trim_end()
                .to_owned(),
            );
        }
    }
    lines.join("\n") + "\n"
}

/// `released:crisscross`, as module and name; a name alone is one of the prelude.
fn in_module(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("paper", name))
}

/// Is it a pretraining of a shipped module?
pub(super) fn is_shipped_value(name: &str) -> bool {
    let (module, name) = in_module(name);
    let text = compiler::SHIPPED.iter().find(|(known, _)| *known == module);
    text.is_some_and(|(_, text)| {
        let mut lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("pretrain "));
        lines.any(|line| line.split([' ', '=']).next() == Some(name))
    })
}

/// Prints a pretraining of a shipped module.
fn show_shipped(name: &str, arguments: &Show) -> Result<()> {
    let (module, name) = in_module(name);
    let mut sources = compiler::sources();
    let file = format!("{module}.cc");
    let root = sources.iter().find(|(_, source)| source.name == file);
    let root = root.expect("show: each shipped module is a source").0;
    let set = add_set(&mut sources, &arguments.above.set);
    let program = shipped_or_stop(&mut sources, root, Profile::Full, set)?;
    // A profile states bounds and closes to nothing.
    let Some(program) = program else {
        let message = format!("`{module}` holds bounds, which are no values of an experiment");
        return Err(Failure::misuse(message).help(format!("print it: `crisscross show {module}`")));
    };
    show_value(&sources, &program, (&file, name), arguments)
}

/// Prints the pretraining, row or protocol `name` of `file`, closed, each value with the line that set it.
fn show_in(name: &str, file: &Path, arguments: &Show) -> Result<()> {
    let set = &arguments.above.set;
    let compiled = compile_or_stop(&[PathBuf::from(file)], Profile::Full, set)?;
    for (_, program) in compiled.programs().unwrap_or_default() {
        let place = file.display().to_string();
        show_value(&compiled.sources, program, (&place, name), arguments)?;
    }
    Ok(())
}

fn show_value(
    sources: &Sources,
    program: &Program,
    (file, name): (&str, &str),
    arguments: &Show,
) -> Result<()> {
    let Some((value, provenance)) = find(program, name)? else {
        return Err(unknown_name(program, file, name));
    };
    let is_shipped = |file: FileId| {
        let source = sources.get(file);
        let mut shipped = compiler::SHIPPED.iter();
        shipped.any(|(name, text)| source.name == format!("{name}.cc") && source.text == *text)
    };
    let mut lines = vec![name.to_owned()];
    let mut fields = serde_json::Map::new();
    for (path, text) in value {
        // The weights that count stand in the loss: no line of a file says `exact`.
        let is_ours = path == "weights";
        let known = provenance.filter(|_| !is_ours);
        let span = known.and_then(|known| source(known, &path));
        if arguments.changed && span.is_none_or(|span| is_shipped(span.file)) {
            continue;
        }
        let place = span.map(|span| {
            let (line, _) = sources.line_column(span.file, span.start);
            format!("{}:{line}", sources.get(span.file).name)
        });
        let comment = place
            .as_ref()
            .map_or(String::new(), |place| format!("    # {place}"));
        lines.push(format!("  {path} = {text}{comment}"));
        fields.insert(path, json!({ "value": text, "place": place }));
    }
    if arguments.json {
        write_out(&format!("{}\n", json!({ "name": name, "fields": fields })));
    } else {
        write_out(&(lines.join("\n") + "\n"));
    }
    Ok(())
}

/// The last place that set the value at `path`: it may have set a part of it, all of it, or the same for all modalities.
pub(super) fn source(provenance: &Provenance, path: &str) -> Option<Span> {
    let without_modality = path.split_once('.').map(|(_, rest)| rest);
    [Some(path), without_modality]
        .into_iter()
        .flatten()
        .find_map(|path| {
            let whole =
                std::iter::once(path.len()).chain(path.rmatch_indices('.').map(|(at, _)| at));
            whole
                .filter_map(|end| provenance.get(&path[..end])?.last().copied())
                .next()
        })
}

/// `file` declares nothing of this name that can be shown.
pub(super) fn unknown_name(program: &Program, file: &str, name: &str) -> Failure {
    let known: Vec<&str> = names(program).collect();
    let message = format!("`{file}` declares no `{name}` that can be shown");
    let help = match compiler::nearest(name, known.iter().copied()).as_slice() {
        [one] => format!("did you mean `{one}`?"),
        _ => {
            let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            format!("it declares {}", names.join(", "))
        }
    };
    Failure::misuse(message).help(help)
}

fn names(program: &Program) -> impl Iterator<Item = &str> {
    let pretrains = program.pretrains.iter().map(|p| p.name.as_str());
    let evals = program.evals.iter().map(|(name, _)| name.as_str());
    pretrains
        .chain(evals)
        .chain(program.tables.iter().map(|table| table.name.as_str()))
}

/// Fields with their text, and where they come from.
type Shown<'p> = (Vec<(String, String)>, Option<&'p Provenance>);

/// The closed value of this name, and where its fields come from.
fn find<'p>(program: &'p Program, name: &str) -> Result<Option<Shown<'p>>> {
    if let Some(pretrain) = program.pretrains.iter().find(|p| p.name == name) {
        return Ok(Some((
            written::pretrain(&pretrain.pretrain),
            Some(&pretrain.provenance),
        )));
    }
    if let Some((_, eval)) = program.evals.iter().find(|(known, _)| known == name) {
        return Ok(Some((written::protocol(eval), None)));
    }
    let (table, row) = name.split_once(':').unwrap_or((name, "1"));
    if program.tables.iter().all(|known| known.name != table) {
        return Ok(None);
    }
    let (table, index) = super::rows::one(program, Some(&format!("{table}:{row}")))?;
    let row = &table.rows[index];
    let mut fields = written::pretrain(&row.pretrain);
    // What the row says beside its pretraining: the state that is read, and what is drawn of it.
    let checkpoint = row.checkpoint.map(|epoch| format!("{epoch}ep"));
    fields.extend(checkpoint.map(|text| ("checkpoint".to_owned(), text)));
    let drawings = table.drawings.iter();
    fields.extend(drawings.map(|(_, drawing)| ("draw".to_owned(), written::drawing(drawing))));
    Ok(Some((fields, Some(&row.provenance))))
}
