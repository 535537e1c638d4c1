//! What the compiler says of a file on its page: its plan, its warnings, and where its values come from.

use std::path::{Path, PathBuf};

use compiler::hir::{Program, Provenance, Table};
use compiler::origins::{Place, Texts};
use compiler::{plan, written};
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::span::{FileId, Sources};
use records::report::{Experiment, RowValues, Value, Values, Warning};

use super::Asked;
use crate::cli::Report;
use crate::commands::{profile, show};
use crate::failure::{Failure, Result};
use crate::load::{Compiled, compile_or_stop};
use crate::render;

/// The plan of a file and what there is to say of it.
pub fn asked(file: &PathBuf, arguments: &Report) -> Result<Asked> {
    let compiled = compile_or_stop(
        std::slice::from_ref(file),
        profile(arguments.toy),
        &arguments.above.set,
    )?;
    let programs = compiled.programs().unwrap_or_default();
    let planned = plan::plan(&programs).map_err(|found| {
        render::print(&compiled.sources, &found, render::Format::Text);
        Failure::said()
    })?;
    let experiment = experiment(file, &compiled, &programs, arguments);
    Ok(Asked {
        plan: plan::with_reasons(&planned),
        experiment,
    })
}

fn experiment(
    file: &Path,
    compiled: &Compiled,
    programs: &[(&str, &Program)],
    arguments: &Report,
) -> Experiment {
    let sources = &compiled.sources;
    let name = file.display().to_string();
    let named = sources.iter().filter(|(_, source)| source.name == name);
    let (root, text) = match named.last() {
        Some((id, source)) => (Some(id), source.text.clone()),
        None => (None, String::new()),
    };
    let texts = Texts::read(sources);
    let tables = programs.iter().flat_map(|(_, program)| &program.tables);
    let tables: Vec<&Table> = tables.collect();
    let of_tables = tables.iter().map(|table| of_table(&texts, table));
    let mut values: Vec<Values> = of_tables.collect();
    for (label, protocol) in tables.iter().flat_map(|table| &table.scores) {
        let name = format!("protocol {label}");
        if values.iter().all(|known| known.name != name) {
            let places = places_of(&texts, root, label);
            let fields = written::protocol(protocol).into_iter();
            values.push(Values {
                name,
                shared: fields
                    .map(|(path, text)| of_protocol(&texts, &places, path, text))
                    .collect(),
                rows: vec![],
            });
        }
    }
    Experiment {
        file: name,
        text,
        command: command(file, arguments),
        warnings: (compiled.diagnostics.iter())
            .map(|one| warning(sources, one))
            .collect(),
        values,
    }
}

/// What makes the numbers of a file.
fn command(file: &Path, arguments: &Report) -> String {
    let mut words = vec!["crisscross".to_owned(), "run".to_owned()];
    if arguments.toy {
        words.push("--toy".to_owned());
    }
    let quoted = |word: &str| {
        let quoted = shlex::try_quote(word);
        quoted.map_or_else(|_| word.to_owned(), |quoted| quoted.into_owned())
    };
    words.push(quoted(&file.display().to_string()));
    for field in &arguments.above.set {
        words.extend(["--set".to_owned(), quoted(field)]);
    }
    words.join(" ")
}

fn warning(sources: &Sources, of: &Diagnostic) -> Warning {
    let span = of.primary.span;
    let (line, _) = sources.line_column(span.file, span.start);
    let severity = match of.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    Warning {
        code: of.code.0.to_owned(),
        severity: severity.to_owned(),
        message: of.message.clone(),
        text: render::draw(sources, of, false),
        place: format!("{}:{line}", sources.get(span.file).name),
        is_quiet: of.is_quiet,
    }
}

/// The closed values of a table: those that all rows have alike once, the others row by row.
fn of_table(texts: &Texts<'_>, table: &Table) -> Values {
    let rows = table.rows.iter().map(|row| {
        let mut fields = written::pretrain(&row.pretrain);
        let checkpoint = row.checkpoint.map(|epoch| format!("{epoch}ep"));
        fields.extend(checkpoint.map(|text| ("checkpoint".to_owned(), text)));
        fields
    });
    let rows: Vec<Vec<(String, String)>> = rows.collect();
    let is_shared = |field: &(String, String)| rows.iter().all(|fields| fields.contains(field));
    let of_row = |at: usize, wants_shared: bool| -> Vec<Value> {
        let fields = rows[at].iter();
        fields
            .filter(|field| is_shared(field) == wants_shared)
            .map(|(path, text)| of_row_field(texts, &table.rows[at].provenance, path, text))
            .collect()
    };
    let drawings = table.drawings.iter();
    let drawings = drawings.map(|(_, drawing)| plain("draw".to_owned(), written::drawing(drawing)));
    let mut shared = match rows.is_empty() {
        true => vec![],
        false => of_row(0, true),
    };
    shared.extend(drawings);
    let own = table.rows.iter().enumerate().map(|(at, row)| RowValues {
        number: row.number,
        label: row.label.clone(),
        values: of_row(at, false),
    });
    Values {
        name: format!("table {}", table.name),
        shared,
        rows: own.filter(|row| !row.values.is_empty()).collect(),
    }
}

fn of_row_field(texts: &Texts<'_>, provenance: &Provenance, path: &str, text: &str) -> Value {
    // The weights that count stand in the loss; `data KS` is what the field `data` names.
    let field = path.split(' ').next().unwrap_or(path);
    let span = show::source(provenance, field).filter(|_| path != "weights");
    placed(
        path.to_owned(),
        text.to_owned(),
        span.map(|span| texts.place(span)),
    )
}

fn of_protocol(texts: &Texts<'_>, places: &Provenance, path: String, text: String) -> Value {
    let place = texts.chain(places, &path).pop();
    placed(path, text, place.map(|(_, place)| place))
}

/// Where the fields of the protocol behind a column's label come from: its first word names it.
fn places_of(texts: &Texts<'_>, root: Option<FileId>, label: &str) -> Provenance {
    let mut words = label.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let declared = root
        .zip(words.next())
        .and_then(|(root, name)| texts.decl(root, name));
    declared.map_or_else(Provenance::new, |(file, decl)| texts.fields(file, decl))
}

fn plain(path: String, value: String) -> Value {
    placed(path, value, None)
}

fn placed(path: String, value: String, place: Option<Place>) -> Value {
    let (file, line, setter, sources) = match place {
        Some(place) => (
            Some(place.file),
            Some(place.line),
            Some(place.setter),
            place.sources,
        ),
        None => (None, None, None, vec![]),
    };
    Value {
        path,
        value,
        file,
        line,
        setter,
        sources,
    }
}
