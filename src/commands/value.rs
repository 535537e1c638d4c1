//! `explain FILE.cc:NAME.path`: what a value is, where it comes from, what it does and who uses it.

use std::path::PathBuf;

use compiler::hir::{Modality, Pretrain, Program, Protocol, Provenance, Schedule};
use compiler::loss::{Loss, Written};
use compiler::origins::{Named, Place, Texts, winner};
use compiler::units::{Exact, thousands};
use compiler::{Profile, graph, rates, written};
use grammar::ast::Kind;
use grammar::diagnostic::Severity;
use grammar::span::{FileId, Sources, Span};
use serde_json::{Value, json};

use super::rows;
use crate::failure::{Failure, Result};
use crate::load::{Compiled, Reading, compile, shipped_or_stop};
use crate::render::{Format, write_out};

/// What was asked for, split as far as the words go.
pub struct Asked<'w> {
    /// The file or the module: `table1.cc`, `released`; the prelude if left out.
    file: Option<&'w str>,
    /// `NAME`, `NAME.path`, `TABLE:ROW.path`; empty where all names are asked for.
    rest: &'w str,
}

/// Reads `FILE.cc:NAME.path`, `MODULE:NAME.path` and `NAME.path`, and `FILE.cc` or `MODULE` for all that is in it; `None` for
/// what can only be a code.
pub fn asked(what: &str) -> Option<Asked<'_>> {
    if what.ends_with(".cc") || compiler::SHIPPED.iter().any(|(known, _)| *known == what) {
        return Some(Asked {
            file: Some(what),
            rest: "",
        });
    }
    if let Some(at) = what.find(".cc:") {
        return Some(Asked {
            file: Some(&what[..at + 3]),
            rest: &what[at + 4..],
        });
    }
    if let Some((module, rest)) = what.split_once(':')
        && compiler::SHIPPED.iter().any(|(known, _)| *known == module)
    {
        return Some(Asked {
            file: Some(module),
            rest,
        });
    }
    let sources = compiler::sources();
    let texts = Texts::read(&sources);
    let name = what.split('.').next().unwrap_or(what);
    let is_declared = texts
        .module("paper")
        .is_some_and(|paper| texts.decl(paper, name).is_some());
    (is_declared || what.contains('.')).then_some(Asked {
        file: None,
        rest: what,
    })
}

/// All that was read, and where the name is looked for.
struct Read {
    compiled: Compiled,
    /// The program of the file that was asked about.
    program: Program,
    root: FileId,
    /// The same program as it is without the bounds of `--toy`; only where they hold.
    whole: Option<Program>,
    /// How that file is written in commands, with a colon; empty for the prelude.
    prefix: String,
}

/// Reads the file or module that was asked about, and `others`, whose rows may use the value.
fn read(asked: &Asked<'_>, others: &[PathBuf], reading: Reading<'_>) -> Result<Read> {
    let Reading { profile, set } = reading;
    let is_module = |name: &str| compiler::SHIPPED.iter().any(|(known, _)| *known == name);
    let own = asked.file.filter(|file| !is_module(file));
    let mut files: Vec<PathBuf> = own.map(PathBuf::from).into_iter().collect();
    files.extend(
        others
            .iter()
            .filter(|other| !files.contains(other))
            .cloned()
            .collect::<Vec<_>>(),
    );
    let mut compiled = compile(&files, profile, set);
    if compiled.count(Severity::Error) > 0 {
        compiled.print_errors();
        return Err(Failure::said());
    }
    let module = own.is_none().then(|| asked.file.unwrap_or("paper"));
    let name = module.map_or_else(
        || files[0].display().to_string(),
        |module| format!("{module}.cc"),
    );
    let found = compiled
        .sources
        .iter()
        .find(|(_, source)| source.name == name);
    let (root, _) = found.expect("explain: what was read is a source");
    let program = if module.is_some() {
        let program = shipped_or_stop(&mut compiled.sources, root, profile, compiled.set)?;
        program.ok_or_else(|| {
            Failure::misuse(format!("`{name}` holds bounds and nothing to explain"))
                .help("ask about `paper` or `released`")
        })?
    } else {
        let first = compiled
            .programs
            .first()
            .and_then(|(_, program)| program.clone());
        first.expect("explain: a file without errors has a program")
    };
    let whole = match profile {
        Profile::Full => None,
        Profile::Toy => {
            let profile = Profile::Full;
            Some(read(asked, others, Reading { profile, ..reading })?.program)
        }
    };
    Ok(Read {
        compiled,
        whole,
        program,
        root,
        prefix: asked.file.map_or(String::new(), |file| format!("{file}:")),
    })
}

/// A pretraining or row by its name.
struct Subject<'p> {
    name: &'p str,
    pretrain: &'p Pretrain,
    provenance: &'p Provenance,
    written: &'p Written,
}

/// Prints where the value comes from.
pub fn explain(
    asked: &Asked<'_>,
    others: &[PathBuf],
    reading: Reading<'_>,
    format: Format,
) -> Result<()> {
    let read = read(asked, others, reading)?;
    let texts = Texts::read(&read.compiled.sources).beside(read.root);
    if asked.rest.is_empty() {
        contents(&read, &texts, format);
        return Ok(());
    }
    let splits = std::iter::once((asked.rest, None)).chain(
        asked
            .rest
            .match_indices('.')
            .map(|(at, _)| (&asked.rest[..at], Some(&asked.rest[at + 1..])))
            .collect::<Vec<_>>()
            .into_iter()
            .rev(),
    );
    for (name, path) in splits {
        if let Some(subject) = subject_of(&read.program, name) {
            return match path {
                Some(path) => one(&read, &texts, &subject, path, format),
                None => {
                    all(&read, &texts, &subject, format);
                    Ok(())
                }
            };
        }
        if let Some((file, decl)) = texts.decl(read.root, name) {
            let kind = decl.kind.value;
            if matches!(kind, Kind::Table | Kind::Figure | Kind::Pretrain) {
                continue;
            }
            return declaration(&read, &texts, (file, name), path, format);
        }
    }
    Err(unknown(&read, &texts, asked.rest))
}

/// All names that can be explained, each with what it is: declarations, and the rows of tables.
fn contents(read: &Read, texts: &Texts<'_>, format: Format) {
    let is_table = |kind: Kind| matches!(kind, Kind::Table | Kind::Figure);
    let declared = texts.declared(read.root);
    let mut names: Vec<[String; 3]> = declared
        .filter(|decl| !is_table(decl.kind.value))
        .map(|decl| {
            [
                decl.name.value.clone(),
                decl.kind.value.word().to_owned(),
                String::new(),
            ]
        })
        .collect();
    // The one pretraining of a bare file is declared by no line of it.
    for one in &read.program.pretrains {
        if names.iter().all(|[name, ..]| *name != one.name) {
            names.push([one.name.clone(), "pretrain".to_owned(), String::new()]);
        }
    }
    for table in &read.program.tables {
        // The table of a file without one repeats its pretrainings.
        if texts.decl(read.root, &table.name).is_some() {
            let rows = (1..).zip(&table.rows);
            names.extend(rows.map(|(number, row)| {
                [
                    format!("{}:{number}", table.name),
                    "row".to_owned(),
                    row.label.clone(),
                ]
            }));
        }
    }
    for [name, ..] in &mut names {
        *name = format!("{}{name}", read.prefix);
    }
    if format == Format::Json {
        let names = names.iter().map(|[name, kind, label]| {
            let label = (!label.is_empty()).then_some(label);
            json!({ "name": name, "kind": kind, "label": label })
        });
        let object = json!({ "asked": read.prefix.trim_end_matches(':'), "names": names.collect::<Vec<_>>() });
        write_out(&format!("{object:#}\n"));
        return;
    }
    let mut text = columns(&names);
    if let Some([name, ..]) = names
        .iter()
        .find(|[_, kind, _]| kind == "pretrain" || kind == "row")
    {
        text += &format!(
            "\n`crisscross explain {name}` lists its values, `crisscross explain {name}.lr_b` says where one comes from\n"
        );
    }
    write_out(&text);
}

/// Nothing is called so.
fn unknown(read: &Read, texts: &Texts<'_>, rest: &str) -> Failure {
    let name = rest.split('.').next().unwrap_or(rest);
    if let Some((table, row)) = name.split_once(':')
        && read.program.tables.iter().any(|known| known.name == table)
        && let Err(failure) = rows::one(&read.program, Some(&format!("{table}:{row}")))
    {
        return failure;
    }
    let (table, _) = name.split_once(':').unwrap_or((name, ""));
    if let Some(known) = read.program.tables.iter().find(|known| known.name == table) {
        return Failure::misuse(format!("`{table}` is a table of {} rows", known.rows.len()))
            .help(format!("name one: `{}{table}:1`", read.prefix));
    }
    let declared = texts
        .declared(read.root)
        .map(|decl| decl.name.value.as_str());
    let tables = read.program.tables.iter().map(|known| known.name.as_str());
    let pretrains = read
        .program
        .pretrains
        .iter()
        .map(|known| known.name.as_str());
    let place = read.compiled.sources.get(read.root).name.as_str();
    let failure = Failure::misuse(format!("`{place}` declares no `{table}`"));
    match compiler::nearest(table, declared.chain(tables).chain(pretrains)).as_slice() {
        [one] => failure.help(format!("did you mean `{}{one}{}`?", read.prefix, &rest[table.len()..])),
        _ => failure.help(
            "a value is named as `FILE.cc:NAME.path` or `FILE.cc:TABLE:ROW.path`, one of the prelude as `crisscross.lr_b`",
        ),
    }
}

fn subject_of<'p>(program: &'p Program, name: &'p str) -> Option<Subject<'p>> {
    if let Some(one) = program.pretrains.iter().find(|one| one.name == name) {
        return Some(Subject {
            name,
            pretrain: &one.pretrain,
            provenance: &one.provenance,
            written: &one.written,
        });
    }
    let (table, row) = name.split_once(':').unwrap_or((name, "1"));
    let known = program.tables.iter().find(|known| known.name == table)?;
    if row == "1" && !name.contains(':') && known.rows.len() != 1 {
        return None;
    }
    let (table, at) = rows::one(program, Some(&format!("{table}:{row}"))).ok()?;
    let row = &table.rows[at];
    Some(Subject {
        name,
        pretrain: &row.pretrain,
        provenance: &row.provenance,
        written: &row.written,
    })
}

/// The fields of a pretraining, each as it may be asked for: path and closed text.
fn fields(subject: &Subject<'_>) -> Vec<(String, String)> {
    let fields = written::pretrain(subject.pretrain).into_iter();
    // Clips and sets are declarations of their own, and `exact` stands in no file.
    let mut fields: Vec<(String, String)> = fields
        .filter(|(path, _)| !path.contains(' ') && path != "weights" && path != "loss")
        .collect();
    let at = fields
        .iter()
        .position(|(path, _)| path == "relax")
        .unwrap_or(0);
    for path in ["weights", "loss"] {
        if subject.provenance.contains_key(path) {
            fields.insert(at, (path.to_owned(), String::new()));
        }
    }
    fields
}

impl Read {
    /// The module whose bounds the closed text of a field is, instead of what its places set.
    fn bound(&self, subject: &Subject<'_>, path: &str, closed: &str) -> Option<&'static str> {
        let whole = subject_of(self.whole.as_ref()?, subject.name)?;
        let fields = fields(&whole);
        let (_, before) = fields.iter().find(|(known, _)| known == path)?;
        (before != closed).then_some("toy.cc")
    }
}

/// One value.
fn one(
    read: &Read,
    texts: &Texts<'_>,
    subject: &Subject<'_>,
    path: &str,
    format: Format,
) -> Result<()> {
    let fields = fields(subject);
    let chain = texts.chain(subject.provenance, path);
    let known = fields.iter().find(|(known, _)| known == path);
    let (Some((_, closed)), Some((span, last))) = (known, chain.last()) else {
        return Err(unknown_path(read, subject.name, path, &fields));
    };
    let value = if closed.is_empty() {
        &last.value
    } else {
        closed
    };
    let applies = applies(subject.pretrain, path);
    let moments = schedule(subject.pretrain, path).map(|of| {
        let steps = subject.pretrain.steps_per_epoch();
        (steps, rates::moments(of, steps, subject.pretrain.ep))
    });
    let weighed = (path == "loss" || path == "weights").then(|| loss(texts, subject));
    let used = uses(read, *span, path);
    let names = texts.names(*span);
    let places: Vec<&Place> = chain.iter().map(|(_, place)| place).collect();
    let asked = format!("{}{}.{path}", read.prefix, subject.name);
    let bound = read.bound(subject, path, closed);
    if format == Format::Json {
        let moments =
            moments.map(|(steps, moments)| json!({ "steps_per_epoch": steps, "moments": moments }));
        let object = json!({
            "asked": asked, "value": value, "places": places, "bounded_by": bound, "applies_to": applies, "in_time": moments,
            "loss": weighed.as_ref().map(|weighed| &weighed.json), "made_of": names,
            "used_by": used.iter().map(|(file, table, rows)| json!({ "file": file, "table": table, "rows": rows })).collect::<Vec<_>>(),
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

fn unknown_path(read: &Read, name: &str, path: &str, fields: &[(String, String)]) -> Failure {
    let known: Vec<&str> = fields.iter().map(|(known, _)| known.as_str()).collect();
    // What lies below a field is part of its value.
    let whole = path.rmatch_indices('.').map(|(at, _)| &path[..at]);
    if let Some(whole) = whole.into_iter().find(|whole| known.contains(whole)) {
        return Failure::misuse(format!("`{path}` is a part of the value of `{whole}`")).help(
            format!("explain the whole: `{}{name}.{whole}`", read.prefix),
        );
    }
    let failure = Failure::misuse(format!("`{name}` has no field `{path}`"));
    match compiler::nearest(path, known.iter().copied()).as_slice() {
        [] => failure.help(format!("its fields are {}", known.join(", "))),
        near => {
            let near = near
                .iter()
                .map(|near| format!("`{}{name}.{near}`", read.prefix));
            failure.help(format!(
                "did you mean {}?",
                near.collect::<Vec<_>>().join(" or ")
            ))
        }
    }
}

/// All values of a pretraining, each as the place that counts has it.
fn all(read: &Read, texts: &Texts<'_>, subject: &Subject<'_>, format: Format) {
    let fields = fields(subject);
    let rows = fields.iter().filter_map(|(path, closed)| {
        let (_, place) = texts.chain(subject.provenance, path).pop()?;
        Some((path, closed, place))
    });
    let rows: Vec<(&String, &String, Place)> = rows.collect();
    let name = format!("{}{}", read.prefix, subject.name);
    if format == Format::Json {
        let fields: Vec<Value> = rows
            .iter()
            .map(|(path, closed, place)| {
                let value = if closed.is_empty() {
                    &place.value
                } else {
                    *closed
                };
                let bound = read.bound(subject, path, closed);
                json!({ "path": path, "value": value, "place": place, "bounded_by": bound })
            })
            .collect();
        write_out(&format!(
            "{:#}\n",
            json!({ "asked": name, "fields": fields })
        ));
        return;
    }
    let lines = rows.iter().map(|(path, closed, place)| {
        if let Some(bound) = read.bound(subject, path, closed) {
            let [setter, sources] = [String::new(), String::new()];
            return [
                (*path).clone(),
                (*closed).clone(),
                bound.to_owned(),
                setter,
                sources,
            ];
        }
        [
            (*path).clone(),
            place.value.clone(),
            format!("{}:{}", place.file, place.line),
            place.setter.clone(),
            place.sources.join(" | "),
        ]
    });
    write_out(&format!("{name}\n{}", columns(&lines.collect::<Vec<_>>())));
}

/// A declaration that is no pretraining: what it is, who says it; of a protocol also each field.
fn declaration(
    read: &Read,
    texts: &Texts<'_>,
    (file, name): (FileId, &str),
    path: Option<&str>,
    format: Format,
) -> Result<()> {
    let (file, decl) = texts.decl(file, name).expect("explain: the name was found");
    if read.whole.is_some() {
        let message = format!("`{name}` is shown as it is written, without the bounds of `--toy`");
        return Err(Failure::misuse(message)
            .help("`crisscross show toy` prints them; leave `--toy` out, or ask about a pretraining or a row"));
    }
    let asked = format!("{}{name}", read.prefix);
    let fields = texts.fields(file, decl);
    let used = columns_of(read, name);
    if let Some(path) = path {
        let chain = texts.chain(&fields, path);
        let Some((span, last)) = chain.last() else {
            if decl.kind.value != Kind::Eval {
                let message = format!("`{name}` is {} and has no fields", decl.kind.value.word());
                return Err(Failure::misuse(message).help(format!("explain the whole: `{asked}`")));
            }
            let known: Vec<(String, String)> = fields
                .keys()
                .map(|path| (path.clone(), String::new()))
                .collect();
            return Err(unknown_path(read, name, path, &known));
        };
        let places: Vec<&Place> = chain.iter().map(|(_, place)| place).collect();
        let names = texts.names(*span);
        if format == Format::Json {
            let object = json!({ "asked": format!("{asked}.{path}"), "value": last.value, "places": places, "made_of": names, "used_by": used });
            write_out(&format!("{object:#}\n"));
            return Ok(());
        }
        let mut text = format!(
            "{asked}.{path} = {}\n{}{}",
            last.value,
            place_lines(&places),
            name_lines(&names)
        );
        text += &used_names(&used);
        write_out(&text);
        return Ok(());
    }
    let named = texts.named(file, decl);
    if !fields.is_empty() {
        let rows = fields.keys().filter_map(|path| {
            let (_, place) = texts.chain(&fields, path).pop()?;
            Some((path, place))
        });
        let rows: Vec<(&String, Place)> = rows.collect();
        if format == Format::Json {
            let fields = rows
                .iter()
                .map(|(path, place)| json!({ "path": path, "value": place.value, "place": place }));
            let object =
                json!({ "asked": asked, "fields": fields.collect::<Vec<_>>(), "used_by": used });
            write_out(&format!("{object:#}\n"));
            return Ok(());
        }
        let lines = rows.iter().map(|(path, place)| {
            let at = format!("{}:{}", place.file, place.line);
            [
                (*path).clone(),
                place.value.clone(),
                at,
                place.setter.clone(),
                place.sources.join(" | "),
            ]
        });
        let lines = columns(&lines.collect::<Vec<_>>());
        write_out(&format!("{asked}\n{lines}{}", used_names(&used)));
        return Ok(());
    }
    let names = texts.names(decl.span);
    let names: Vec<Named> = names.into_iter().filter(|one| one.name != name).collect();
    if format == Format::Json {
        write_out(&format!(
            "{:#}\n",
            json!({ "asked": asked, "declaration": named, "made_of": names })
        ));
        return Ok(());
    }
    let mut text = format!("{} {name} = {}\n", named.kind, named.value);
    text += format!(
        "  {}:{}   {}",
        named.file,
        named.line,
        named.sources.join(" | ")
    )
    .trim_end();
    text.push('\n');
    for note in &named.notes {
        text += &format!("  note  {note}\n");
    }
    write_out(&(text + &name_lines(&names)));
    Ok(())
}

/// The tables that have a column by a protocol of this name.
fn columns_of(read: &Read, name: &str) -> Vec<String> {
    let own = std::iter::once(&read.program);
    let others = read
        .compiled
        .programs
        .iter()
        .filter_map(|(_, program)| program.as_ref());
    let tables = own.chain(others).flat_map(|program| &program.tables);
    let is_word = |label: &str| {
        let mut words = label.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.next() == Some(name)
    };
    let mut found: Vec<String> = vec![];
    for table in tables {
        let has: &dyn Fn(&(String, Protocol)) -> bool = &|(label, _)| is_word(label);
        if table.scores.iter().any(has) && !found.contains(&table.name) {
            found.push(table.name.clone());
        }
    }
    found
}

fn used_names(tables: &[String]) -> String {
    match tables {
        [] => String::new(),
        some => format!("  used by     {}\n", some.join(", ")),
    }
}

/// The places in order, the one that counts marked, then its notes.
pub(super) fn place_lines(places: &[&Place]) -> String {
    // `lr_b` and `v.lr_b` may both set one value.
    let written: Vec<&String> = places
        .iter()
        .filter_map(|place| place.field.as_ref())
        .collect();
    let is_mixed = written.windows(2).any(|two| two[0] != two[1]);
    let rows = places.iter().enumerate().map(|(at, place)| {
        let field = match &place.field {
            Some(field) if is_mixed => {
                format!("{} {field}", place.setter)
            }
            Some(_) | None => place.setter.clone(),
        };
        let wins = if at + 1 == places.len() && places.len() > 1 {
            "<- wins"
        } else {
            ""
        };
        [
            (at + 1).to_string(),
            format!("{}:{}", place.file, place.line),
            field,
            place.value.clone(),
            place.sources.join(" | "),
            wins.to_owned(),
        ]
    });
    let mut text = columns(&rows.collect::<Vec<_>>());
    for note in places.last().iter().flat_map(|place| &place.notes) {
        text += &format!("  note  {note}\n");
    }
    text
}

fn name_lines(names: &[Named]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let rows = names.iter().map(|named| {
        [
            named.name.clone(),
            format!("{}:{}", named.file, named.line),
            named.value.clone(),
            named.sources.join(" | "),
        ]
    });
    let rows = columns(&rows.collect::<Vec<_>>());
    let indented = rows.lines().map(|line| format!("  {line}\n"));
    format!("  made of\n{}", indented.collect::<String>())
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

/// A loss part by part: as written, and as it weighs.
struct Weighed {
    text: String,
    json: Value,
}

fn loss(texts: &Texts<'_>, subject: &Subject<'_>) -> Weighed {
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
    let mut text = columns(&rows);
    let count = loss.terms.len();
    text += &format!(
        "  {count} directed term{} in all\n",
        if count == 1 { "" } else { "s" }
    );
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

/// The rows, by file and table, whose value at `path` was set last at `span`; `None` for all rows of a table.
type Uses = Vec<(String, String, Option<Vec<usize>>)>;

fn uses(read: &Read, span: Span, path: &str) -> Uses {
    let programs = read.compiled.programs.iter();
    let programs = programs.filter_map(|(file, program)| Some((file, program.as_ref()?)));
    let mut found: Uses = vec![];
    for (file, program) in programs {
        for table in &program.tables {
            let is_used = |provenance: &Provenance| winner(provenance, path) == Some(span);
            let numbered = table.rows.iter().zip(1..);
            let rows: Vec<usize> = numbered
                .filter(|(row, _)| is_used(&row.provenance))
                .map(|(_, number)| number)
                .collect();
            let all = rows.len() == table.rows.len();
            if !rows.is_empty() {
                found.push((file.clone(), table.name.clone(), (!all).then_some(rows)));
            }
        }
    }
    found
}

fn used_line(uses: &Uses) -> String {
    let shown = uses.iter().map(|(_, table, rows)| match rows {
        None => table.clone(),
        Some(rows) => {
            let runs = rows.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
                [first, .., last] => format!("{first}-{last}"),
                [one] => one.to_string(),
                [] => String::new(),
            });
            format!("{table}:{}", runs.collect::<Vec<_>>().join(","))
        }
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() {
        String::new()
    } else {
        format!("  used by     {}\n", shown.join(", "))
    }
}

/// Left-aligned columns, indented by two blanks.
fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("  {}\n", cells.join("   ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// For the commands that say more about one value: the places that set it.
pub fn places(sources: &Sources, provenance: &Provenance, path: &str) -> Vec<Place> {
    let chain = Texts::read(sources).chain(provenance, path).into_iter();
    chain.map(|(_, place)| place).collect()
}
