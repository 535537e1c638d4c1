//! `show`: a shipped module as it ships, what a file asks for, or what a name comes to.

use compiler::hir::Provenance;
use compiler::origins::{Named, Texts};
use compiler::written;
use grammar::ast::{Decl, Kind};
use grammar::span::{FileId, Span};
use serde_json::json;

use super::declared::without_fields;
use super::named::{self, Asked, Experiment, Found, Meaning, Read, is_module, no_field};
use super::outline;
use crate::cli::Show;
use crate::failure::{Failure, Result};
use crate::load::{Reading, is_shipped};
use crate::render::{Format, write_out};

/// Prints the module, the file or the value.
pub fn show(arguments: &Show) -> Result<()> {
    let file = arguments.file.as_ref().map(|file| file.to_string_lossy());
    let asked = match &file {
        Some(file) => Asked::within(file, &arguments.name),
        None => Asked::read(&arguments.name),
    };
    if let Some(file) = asked
        .file
        .filter(|file| asked.name.is_empty() && is_module(file))
    {
        return module(file, arguments);
    }
    let reading = Reading {
        profile: super::profile(false),
        set: &arguments.above.set,
    };
    let read = named::read(asked, &[], reading)?;
    if asked.name.is_empty() {
        let texts = Texts::read(&read.compiled.sources);
        outline::file(&read, &texts, arguments.format);
        return Ok(());
    }
    let texts = Texts::read(&read.compiled.sources).beside(read.root);
    let Found {
        name,
        meaning,
        path,
    } = named::find(&read, &texts, asked.name)?;
    match meaning {
        Meaning::Experiment(of) => fields(&read, &name, path, experiment(&of), arguments),
        Meaning::Table(table) if path.is_none() => {
            outline::table(table, arguments.format);
            Ok(())
        }
        Meaning::Table(table) => Err(named::several(&read, table)),
        Meaning::Declaration(file, decl) => match evaluation(&read, &texts, (file, decl)) {
            Some(shown) => fields(&read, &name, path, shown, arguments),
            None if path.is_some() => Err(without_fields(&read, decl)),
            None => {
                declaration(&texts.named(file, decl), arguments.format);
                Ok(())
            }
        },
    }
}

/// Prints a shipped module as it ships.
fn module(name: &str, arguments: &Show) -> Result<()> {
    if arguments.format == Format::Json {
        let message = "a module is text, and has no form as JSON";
        return Err(Failure::misuse(message).help(format!(
            "name what it declares: `crisscross show {name}:crisscross --format json`"
        )));
    }
    if !arguments.above.set.is_empty() {
        let message = "a module is text, in which nothing can be set";
        return Err(Failure::misuse(message)
            .help("show what it declares: `crisscross show crisscross --set bs=64`"));
    }
    let mut known = compiler::SHIPPED.iter();
    let found = known.find(|(shipped, _)| *shipped == name);
    let (_, text) = found.expect("show: the module ships");
    write_out(text);
    Ok(())
}

/// Fields with their text, and where they come from.
struct Shown {
    fields: Vec<(String, String)>,
    provenance: Provenance,
}

/// The closed values of a pretraining or row.
fn experiment(of: &Experiment<'_>) -> Shown {
    let mut fields = written::pretrain(of.pretrain);
    if let Some((table, row)) = of.row {
        // What the row says beside its pretraining: the state that is read, and what is drawn of it.
        let checkpoint = row.checkpoint.map(|epoch| format!("{epoch}ep"));
        fields.extend(checkpoint.map(|text| ("checkpoint".to_owned(), text)));
        let drawings = table.drawings.iter();
        fields.extend(drawings.map(|(_, drawing)| ("draw".to_owned(), written::drawing(drawing))));
    }
    Shown {
        fields,
        provenance: of.provenance.clone(),
    }
}

/// The values of an evaluation: closed where it names its data set, else as written.
fn evaluation(read: &Read, texts: &Texts<'_>, (file, decl): (FileId, &Decl)) -> Option<Shown> {
    if decl.kind.value != Kind::Eval {
        return None;
    }
    let provenance = texts.fields(file, decl);
    let mut closed = read.program.evals.iter();
    let closed = closed.find(|(known, _)| *known == decl.name.value);
    let fields = match closed {
        Some((_, protocol)) => written::protocol(protocol),
        None => texts.written(&provenance),
    };
    Some(Shown { fields, provenance })
}

/// Prints the fields, or those at `path`, each with the line that set it.
fn fields(
    read: &Read,
    name: &str,
    path: Option<&str>,
    shown: Shown,
    arguments: &Show,
) -> Result<()> {
    let sources = &read.compiled.sources;
    let mut lines = vec![name.to_owned()];
    let mut object = serde_json::Map::new();
    let kept = below(&shown.fields, path);
    if let (true, Some(path)) = (kept.is_empty(), path) {
        let known: Vec<&str> = shown.fields.iter().map(|(path, _)| path.as_str()).collect();
        return Err(no_field(&read.prefix, name, path, &known));
    }
    for (path, text) in kept {
        // The weights that count stand in the loss: no line of a file says `exact`.
        let is_ours = path == "weights";
        let span = source(&shown.provenance, path).filter(|_| !is_ours);
        if arguments.changed && span.is_none_or(|span| is_shipped(sources, span.file)) {
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
        object.insert(path.clone(), json!({ "value": text, "place": place }));
    }
    write_out(&match arguments.format {
        Format::Json => format!("{}\n", json!({ "name": name, "fields": object })),
        Format::Text => lines.join("\n") + "\n",
    });
    Ok(())
}

/// The fields at `path` and below it; all without one.
pub fn below<'f>(fields: &'f [(String, String)], path: Option<&str>) -> Vec<&'f (String, String)> {
    let is_below = |known: &str, path: &str| {
        known
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let kept = fields
        .iter()
        .filter(|(known, _)| path.is_none_or(|path| is_below(known, path)));
    kept.collect()
}

/// Prints a declaration without fields in the words of the language, below who says it.
fn declaration(of: &Named, format: Format) {
    let place = format!("{}:{}", of.file, of.line);
    if format == Format::Json {
        let object = json!({
            "name": of.name, "kind": of.kind, "value": of.value, "place": place, "sources": of.sources, "notes": of.notes,
        });
        write_out(&format!("{object}\n"));
        return;
    }
    let said = match of.sources.as_slice() {
        [] => String::new(),
        sources => format!("## source: {}\n", sources.join(" | ")),
    };
    // Parameters stand right behind the name.
    let value = match of.value.starts_with('(') {
        true => of.value.clone(),
        false => format!(" = {}", of.value),
    };
    write_out(&format!(
        "{said}{} {}{value}    # {place}\n",
        of.kind, of.name
    ));
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
