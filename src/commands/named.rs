//! What a name on the command line means, for all verbs: `FILE.cc`, `FILE.cc:NAME.path`, `FILE.cc:TABLE:ROW.path`, the same of a
//! shipped module, and `NAME.path` of the prelude.
//!
//! A name means what it means in the file itself: what the file declares, else what a module declares that it uses.

use std::path::PathBuf;

use compiler::hir::{Pretrain, Program, Provenance, Row, Table};
use compiler::loss::Written;
use compiler::origins::Texts;
use compiler::{Above, Profile};
use grammar::ast::{Decl, Kind};
use grammar::diagnostic::Severity;
use grammar::span::{FileId, Sources};

use super::rows;
use crate::failure::{Failure, Result};
use crate::load::{Compiled, Reading, compile, program_of};

/// A name as typed, split as far as its words go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'w> {
    /// The file or the module: `table1.cc`, `released`; the prelude if left out.
    pub file: Option<&'w str>,
    /// `NAME`, `NAME.path`, `TABLE:ROW.path`; empty where all of the file is meant.
    pub name: &'w str,
}

impl<'w> Asked<'w> {
    /// Reads what was typed.
    pub fn read(what: &'w str) -> Self {
        if what.ends_with(".cc") || is_module(what) {
            return Asked::within(what, "");
        }
        if let Some(at) = what.find(".cc:") {
            return Asked::within(&what[..at + 3], &what[at + 4..]);
        }
        match what.split_once(':') {
            Some((module, name)) if is_module(module) => Asked::within(module, name),
            Some(_) | None => Asked {
                file: None,
                name: what,
            },
        }
    }

    /// `name` in `file`.
    pub fn within(file: &'w str, name: &'w str) -> Self {
        Asked {
            file: Some(file),
            name,
        }
    }

    /// Does it name a file or module, or something that the prelude declares?
    pub fn is_known(&self) -> bool {
        let sources = compiler::sources();
        let texts = Texts::read(&sources);
        let mut prelude = texts.module(PRELUDE).into_iter();
        let name = self.name.split('.').next().unwrap_or(self.name);
        self.file.is_some() || prelude.any(|file| texts.decl(file, name).is_some())
    }
}

/// The module whose names need no file before them.
const PRELUDE: &str = "paper";

/// Is it a module that ships with the compiler?
pub fn is_module(name: &str) -> bool {
    compiler::SHIPPED.iter().any(|(known, _)| *known == name)
}

/// All that was read to find a name.
pub struct Read {
    /// The file that was asked about, and those beside it.
    pub compiled: Compiled,
    /// The file that was asked about.
    pub root: FileId,
    /// The program of the file that declares the name: this one, or one that it uses.
    pub program: Program,
    /// The same program without the bounds of `--toy`; only where they hold.
    pub whole: Option<Program>,
    /// How the file is written in commands, with a colon; empty for the prelude.
    pub prefix: String,
}

/// Reads the file or module that was asked about, and `others` beside it.
pub fn read(asked: Asked<'_>, others: &[PathBuf], reading: Reading<'_>) -> Result<Read> {
    let Reading { profile, set } = reading;
    let own = asked.file.filter(|file| !is_module(file));
    let mut files: Vec<PathBuf> = own.map(PathBuf::from).into_iter().collect();
    for other in others {
        if !files.contains(other) {
            files.push(other.clone());
        }
    }
    let mut compiled = compile(&files, profile, set);
    if compiled.count(Severity::Error) > 0 {
        compiled.print_errors();
        return Err(Failure::said());
    }
    let module = own.is_none().then(|| asked.file.unwrap_or(PRELUDE));
    let name = module.map_or_else(
        || files[0].display().to_string(),
        |module| format!("{module}.cc"),
    );
    let root = root(&compiled.sources, &name, module.is_some());
    let of_file = match compiled.programs.first() {
        Some((_, program)) if module.is_none() => program.as_ref(),
        Some(_) | None => None,
    };
    let owner = owner(&compiled, of_file, root, asked.name);
    let program = match (of_file, owner) {
        (Some(program), None) => Some(program.clone()),
        (_, owner) => {
            let owner = owner.unwrap_or(root);
            // What is set sees the names of the file that was asked about.
            let above = compiled.set.map(|fields| Above {
                fields,
                names: root,
            });
            program_of(&mut compiled.sources, owner, profile, above)?
        }
    };
    let program = program.ok_or_else(|| {
        let message = format!("`{name}` holds bounds, which are no values of an experiment");
        Failure::misuse(message)
            .help("`crisscross show toy` prints them; ask about `paper` or `released`")
    })?;
    let whole = match profile {
        Profile::Full => None,
        Profile::Toy => {
            let profile = Profile::Full;
            Some(read(asked, others, Reading { profile, ..reading })?.program)
        }
    };
    let prefix = asked.file.map_or(String::new(), |file| format!("{file}:"));
    Ok(Read {
        compiled,
        root,
        program,
        whole,
        prefix,
    })
}

/// The source called `name`; a file may have the name of a shipped module, which stands before it.
fn root(sources: &Sources, name: &str, is_module: bool) -> FileId {
    let mut called = sources.iter().filter(|(_, source)| source.name == name);
    let found = if is_module {
        called.next()
    } else {
        called.last()
    };
    found.expect("named: what was read is a source").0
}

/// The file that declares what `name` begins with, if it is another than `root`, whose own program is `program`.
fn owner(
    compiled: &Compiled,
    program: Option<&Program>,
    root: FileId,
    name: &str,
) -> Option<FileId> {
    let program = program.filter(|_| !name.is_empty())?;
    if splits(name).any(|(name, _)| experiment(program, name).is_some()) {
        return None;
    }
    let texts = Texts::read(&compiled.sources);
    let mut owners = splits(name).filter_map(|(name, _)| {
        let declared = name.split_once(':').map_or(name, |(table, _)| table);
        Some(texts.decl(root, declared)?.0)
    });
    owners.next().filter(|owner| *owner != root)
}

/// Every way to split a name from a path behind it, the longest name first: labels of rows may have points.
fn splits(name: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let points = name.rmatch_indices('.');
    let parted = points.map(|(at, _)| (&name[..at], Some(&name[at + 1..])));
    std::iter::once((name, None)).chain(parted)
}

/// A name, what it means, and the path behind it.
pub struct Found<'r> {
    /// The name as commands write it, a row by its number: `table1:3`.
    pub name: String,
    /// What it means.
    pub meaning: Meaning<'r>,
    /// What was asked of it: `lr_b`.
    pub path: Option<&'r str>,
}

/// What a name means.
pub enum Meaning<'r> {
    /// A pretraining or a row.
    Experiment(Experiment<'r>),
    /// A table that is not one row alone.
    Table(&'r Table),
    /// Any other declaration, and the file where it stands.
    Declaration(FileId, &'r Decl),
}

/// A pretraining or a row, closed.
#[derive(Clone, Copy)]
pub struct Experiment<'r> {
    /// Its values.
    pub pretrain: &'r Pretrain,
    /// Where they come from.
    pub provenance: &'r Provenance,
    /// Its objective as written.
    pub written: &'r Written,
    /// The row, and the table in which it stands.
    pub row: Option<(&'r Table, &'r Row)>,
}

/// What `name` means in what was read.
pub fn find<'r>(read: &'r Read, texts: &'r Texts<'r>, name: &'r str) -> Result<Found<'r>> {
    for (name, path) in splits(name) {
        if let Some((name, experiment)) = experiment(&read.program, name) {
            let meaning = Meaning::Experiment(experiment);
            return Ok(Found {
                name,
                meaning,
                path,
            });
        }
        let mut tables = read.program.tables.iter();
        let table = tables.find(|table| table.name == name).map(Meaning::Table);
        let declared = || {
            let (file, decl) = texts.decl(read.root, name)?;
            let is_closed = matches!(decl.kind.value, Kind::Pretrain | Kind::Table | Kind::Figure);
            (!is_closed).then_some(Meaning::Declaration(file, decl))
        };
        if let Some(meaning) = table.or_else(declared) {
            return Ok(Found {
                name: name.to_owned(),
                meaning,
                path,
            });
        }
    }
    Err(unknown(read, texts, name))
}

/// The pretraining or row of this name, and how commands write it.
pub fn experiment<'p>(program: &'p Program, name: &str) -> Option<(String, Experiment<'p>)> {
    if let Some(one) = program.pretrains.iter().find(|one| one.name == name) {
        let experiment = Experiment {
            pretrain: &one.pretrain,
            provenance: &one.provenance,
            written: &one.written,
            row: None,
        };
        return Some((name.to_owned(), experiment));
    }
    let (table, row) = name.split_once(':').unwrap_or((name, "1"));
    let known = program.tables.iter().find(|known| known.name == table)?;
    if !name.contains(':') && known.rows.len() != 1 {
        return None;
    }
    let (table, at) = rows::one(program, Some(&format!("{table}:{row}"))).ok()?;
    let row = &table.rows[at];
    let experiment = Experiment {
        pretrain: &row.pretrain,
        provenance: &row.provenance,
        written: &row.written,
        row: Some((table, row)),
    };
    Some((format!("{}:{}", table.name, row.number), experiment))
}

/// The pretraining or row that `name` means, and how commands write it. Where it means something else: `what` was typed, and `only`
/// says what a pretraining or a row alone has.
pub fn one_experiment<'r>(
    read: &'r Read,
    texts: &'r Texts<'r>,
    name: &'r str,
    (what, only): (&str, &str),
) -> Result<(String, Experiment<'r>)> {
    let Found {
        name,
        meaning,
        path,
    } = find(read, texts, name)?;
    match (meaning, path) {
        (Meaning::Experiment(experiment), None) => Ok((name, experiment)),
        (Meaning::Table(table), _) => Err(several(read, table)),
        (Meaning::Experiment(_), Some(_)) | (Meaning::Declaration(..), _) => {
            let message = format!("`{what}` is no pretraining and no row, and only these {only}");
            Err(Failure::misuse(message).help("name one: `FILE.cc:NAME` or `FILE.cc:TABLE:ROW`"))
        }
    }
}

/// The kind and name of all that a file declares beside its tables.
pub fn declared<'r>(read: &'r Read, texts: &'r Texts<'_>) -> Vec<(&'r str, &'r str)> {
    let is_table = |kind: Kind| matches!(kind, Kind::Table | Kind::Figure);
    let mut declared: Vec<(&str, &str)> = texts
        .declared(read.root)
        .filter(|decl| !is_table(decl.kind.value))
        .map(|decl| (decl.kind.value.word(), decl.name.value.as_str()))
        .collect();
    // The one pretraining of a bare file is declared by no line of it.
    for one in &read.program.pretrains {
        if declared.iter().all(|(_, name)| *name != one.name) {
            declared.push((Kind::Pretrain.word(), &one.name));
        }
    }
    declared
}

/// A table was named where one of its rows is meant.
pub fn several(read: &Read, table: &Table) -> Failure {
    let name = &table.name;
    Failure::misuse(format!("`{name}` is a table of {} rows", table.rows.len()))
        .help(format!("name one: `{}{name}:1`", read.prefix))
}

/// Nothing is called so.
fn unknown(read: &Read, texts: &Texts<'_>, asked: &str) -> Failure {
    let name = asked.split('.').next().unwrap_or(asked);
    let (table, row) = name
        .split_once(':')
        .map_or((name, None), |(table, row)| (table, Some(row)));
    if let Some(row) = row
        && read.program.tables.iter().any(|known| known.name == table)
        && let Err(failure) = rows::one(&read.program, Some(&format!("{table}:{row}")))
    {
        return failure;
    }
    let visible = texts.visible(read.root);
    let visible = visible.map(|(_, decl)| decl.name.value.as_str());
    let tables = read.program.tables.iter().map(|known| known.name.as_str());
    let pretrains = read.program.pretrains.iter();
    let pretrains = pretrains.map(|known| known.name.as_str());
    let known = visible.chain(tables).chain(pretrains);
    if read.prefix.is_empty() {
        let message =
            format!("there is no module `{table}`, and the prelude declares no `{table}`");
        let modules = compiler::SHIPPED.iter().map(|(module, _)| *module);
        let near = compiler::nearest(table, known.chain(modules));
        return Failure::misuse(message).help(match near.as_slice() {
            [one] => format!("did you mean `{one}{}`?", &asked[table.len()..]),
            _ => format!("one of a file is named with it: `FILE.cc:{asked}`"),
        });
    }
    let place = read.prefix.trim_end_matches(':');
    let beyond = match is_module(place) {
        true => "",
        false => ", and no module that it uses does",
    };
    let failure = Failure::misuse(format!("`{place}` declares no `{table}`{beyond}"));
    match compiler::nearest(table, known).as_slice() {
        [one] => failure.help(format!(
            "did you mean `{}{one}{}`?",
            read.prefix,
            &asked[table.len()..]
        )),
        _ => failure.help(format!(
            "`crisscross explain {place}` lists what it declares"
        )),
    }
}

/// `name` has nothing at `path`, but has `known`.
pub fn no_field(prefix: &str, name: &str, path: &str, known: &[&str]) -> Failure {
    // What lies below a field is part of its value.
    let whole = path.rmatch_indices('.').map(|(at, _)| &path[..at]);
    if let Some(whole) = whole.into_iter().find(|whole| known.contains(whole)) {
        return Failure::misuse(format!("`{path}` is a part of the value of `{whole}`"))
            .help(format!("name the whole: `{prefix}{name}.{whole}`"));
    }
    let failure = Failure::misuse(format!("`{name}` has no field `{path}`"));
    match compiler::nearest(path, known.iter().copied()).as_slice() {
        [] => failure.help(format!("its fields are {}", known.join(", "))),
        near => {
            let near = near.iter().map(|near| format!("`{prefix}{name}.{near}`"));
            failure.help(format!(
                "did you mean {}?",
                near.collect::<Vec<_>>().join(" or ")
            ))
        }
    }
}
