//! `--set path=value`: fields of the command line, one level above the files.

use super::record::{Entry, Record};
use super::rows::one_line;
use super::{Checker, Env};
use crate::catalog;
use crate::codes;
use crate::hir::Program;
use grammar::ast::{Field, Kind};
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::span::{FileId, Sources, Span};
use std::collections::BTreeSet;

/// What messages, `show` and `explain` call the text that holds these fields.
pub const COMMAND_LINE: &str = "command line";

/// What stands above all that a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Above {
    /// A text of the sources that is called [`COMMAND_LINE`]: one field of a pretraining on each line.
    pub fields: FileId,
    /// The file whose names the fields see: the one that is checked, or one that uses it.
    pub names: FileId,
}

/// The fields of `file`, one on each line.
pub(super) fn read(sources: &Sources, file: FileId, found: &mut Vec<Diagnostic>) -> Vec<Field> {
    let mut fields = vec![];
    let mut start = 0;
    for line in sources.get(file).text.split('\n') {
        let place = Span::new(file, start, start + line.len());
        match grammar::field(sources, place) {
            Ok(field) => fields.push(field),
            Err(mistakes) => found.extend(mistakes),
        }
        start += line.len() + 1;
    }
    fields
}

/// The fields as a file would have them, `bs = 64`, for whoever prints what they lead to.
pub(super) fn written(sources: &Sources, fields: &[Field]) -> Vec<String> {
    let one = |field: &Field| {
        let value = one_line(sources.text(field.value.span));
        format!("{} = {value}", field.path)
    };
    fields.iter().map(one).collect()
}

impl<'a> Checker<'a> {
    /// Takes up what the command line sets, with the names of `module`. A field that no pretraining has is a mistake.
    pub(super) fn take_up(&mut self, fields: &'a [Field], module: usize) {
        let Some(first) = fields.first() else { return };
        let env = Env::of_module(module);
        let mut fields: Vec<&'a Field> = fields.iter().collect();
        fields.retain(|field| !self.is_set_elsewhere(field, module));
        let mut record = Record::new(Kind::Pretrain, "pretrain", first.span);
        self.set_all(&mut record, &fields, &env);
        self.above = record.entries;
    }

    /// Is it a field, but of something else than pretrainings? That is said.
    fn is_set_elsewhere(&mut self, field: &Field, module: usize) -> bool {
        let path = &field.path;
        if self.is_field(Kind::Pretrain, module, path) {
            return false;
        }
        let (name, rest) = match path.names.as_slice() {
            [] => return false,
            [name, rest @ ..] => (name.value.as_str(), rest),
        };
        let rest: Vec<&str> = rest.iter().map(|name| name.value.as_str()).collect();
        let rest = rest.join(".");
        let is_of =
            |kind: Kind| rest.is_empty() && catalog::fields(kind).iter().any(|f| f.name == name);
        let declared = self.declared(module, name).map(|(_, decl)| decl.kind.value);
        let noun = match declared {
            Some(Kind::Pretrain | Kind::Table | Kind::Figure) if !rest.is_empty() => {
                let message = format!(
                    "`--set` names no `{name}`: it sets a field of every pretraining and row"
                );
                let diagnostic = Diagnostic::error(codes::UNKNOWN_FIELD, path.span, message).help(
                    format!("write `{rest} = {}`", self.sources.text(field.value.span)),
                );
                self.found.push(diagnostic);
                return true;
            }
            Some(Kind::Eval) if !rest.is_empty() => "an evaluation",
            _ if catalog::PER_MODALITY.iter().any(|f| f.name == name) => return false,
            _ if rest.is_empty() && catalog::OF_ROWS.contains(&name) => "a row",
            _ if is_of(Kind::Eval) => "an evaluation",
            _ if is_of(Kind::Table) => "a table",
            _ if is_of(Kind::Figure) => "a figure",
            _ => "",
        };
        let message = match declared {
            _ if !noun.is_empty() => format!("`{path}` is a field of {noun}"),
            Some(kind) if kind != Kind::Modality || rest.is_empty() => {
                format!("`{name}` is a `{}` and no field", kind.word())
            }
            Some(_) | None => return false,
        };
        let message = format!("{message}; `--set` sets fields of pretrainings");
        let diagnostic = Diagnostic::error(codes::UNKNOWN_FIELD, path.span, message)
            .help("change it in the file");
        self.found.push(diagnostic);
        true
    }

    /// Puts what the command line sets above what `record` says: a field of all modalities above that of one, too.
    pub(super) fn set_above(&self, record: &mut Record<'a>) {
        let put = |record: &mut Record<'a>, path: &str, entry: &Entry<'a>| {
            for place in &entry.places {
                // What it is built on may have it already.
                let known = record.entries.get_mut(path);
                known
                    .into_iter()
                    .for_each(|known| known.places.retain(|p| p != place));
                record.set(path.to_owned(), entry.value, entry.env.clone(), *place);
            }
        };
        let is_of_one = |(path, _): &(&String, &Entry<'a>)| path.contains('.');
        for (path, entry) in self.above.iter().filter(|one| !is_of_one(one)) {
            let ending = format!(".{path}");
            let of_one = record
                .entries
                .keys()
                .filter(|known| known.ends_with(&ending));
            for known in of_one.cloned().collect::<Vec<_>>() {
                put(record, &known, entry);
            }
            put(record, path, entry);
        }
        for (path, entry) in self.above.iter().filter(is_of_one) {
            put(record, path, entry);
        }
    }

    /// Was this set on the command line?
    pub(super) fn is_above(&self, place: Span) -> bool {
        self.above
            .values()
            .any(|entry| entry.places.contains(&place))
    }

    /// A field of a modality that nothing in the file has sets nothing.
    pub(super) fn sets_nothing(&mut self, program: &Program) {
        let rows = program.tables.iter().flat_map(|table| &table.rows);
        let modalities = rows.flat_map(|row| &row.pretrain.modalities);
        let known: BTreeSet<&str> = modalities.map(|modality| modality.name.as_str()).collect();
        let is_wrong = self.found.iter().any(|d| d.severity == Severity::Error);
        if known.is_empty() || is_wrong {
            return;
        }
        let listed: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        for (path, entry) in &self.above {
            let Some((modality, _)) = path.split_once('.').filter(|(m, _)| !known.contains(m))
            else {
                continue;
            };
            let message =
                format!("`{path}` sets nothing: no pretraining and no row has `{modality}`");
            let diagnostic = Diagnostic::error(codes::UNKNOWN_FIELD, entry.places[0], message)
                .help(format!("they have {}", listed.join(", ")));
            self.found.push(diagnostic);
        }
    }
}
