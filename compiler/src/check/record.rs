//! Records: blocks of fields, and copies of them `with` some changed.

use super::messages::suggest_these;
use super::{Checker, Env, Slot, Via, Wanted};
use crate::catalog;
use crate::codes;
use crate::hir::Provenance;
use grammar::ast::{Block, BlockItem, Body, Decl, Expr, ExprKind, Field, Kind, Path};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The fields of a pretraining, evaluation or table, not yet read: each value is read where it was written, and a field
/// that it names is that of the finished record.
#[derive(Clone)]
pub(crate) struct Record<'a> {
    pub kind: Kind,
    /// The name in messages.
    pub name: String,
    /// Where it is used: a mistake inside a shipped module is shown there.
    pub used_at: Span,
    /// Fields by path: `bs`, `v.lr_b`.
    pub entries: BTreeMap<String, Entry<'a>>,
    /// The declarations that it is built on, its own first or last: module and name.
    pub declared: Vec<(usize, &'a str)>,
    /// A field of it is a mistake that is reported, so what seems to be missing or not to fit may be an echo.
    pub is_unsure: bool,
}

/// One field.
#[derive(Clone)]
pub(crate) struct Entry<'a> {
    pub value: &'a Expr,
    pub env: Env<'a>,
    /// Where the value was set, the first place first, the one that counts last.
    pub places: Vec<Span>,
}

impl<'a> Record<'a> {
    pub fn new(kind: Kind, name: &str, used_at: Span) -> Self {
        Record {
            kind,
            name: name.to_string(),
            used_at,
            entries: BTreeMap::new(),
            declared: vec![],
            is_unsure: false,
        }
    }

    pub fn entry(&self, path: &str) -> Option<&Entry<'a>> {
        self.entries.get(path)
    }

    /// Where a field's value is read: its own place, with this record's fields as names.
    pub fn env_of(self: &Rc<Self>, entry: &Entry<'a>) -> Env<'a> {
        let via = entry.env.via.clone().unwrap_or_else(|| {
            Rc::new(Via {
                span: self.used_at,
                outer: None,
            })
        });
        Env {
            record: Some(self.clone()),
            via: Some(via),
            ..entry.env.clone()
        }
    }

    /// A field's value as a slot.
    pub fn slot(self: &Rc<Self>, path: &str) -> Option<Slot<'a>> {
        let entry = self.entry(path)?;
        Some(Slot::new(entry.value, self.env_of(entry), path))
    }

    /// Sets a field, keeping where it was set before.
    pub fn set(&mut self, path: String, value: &'a Expr, env: Env<'a>, place: Span) {
        let mut places = self
            .entries
            .remove(&path)
            .map_or_else(Vec::new, |entry| entry.places);
        places.push(place);
        self.entries.insert(
            path,
            Entry {
                value,
                env: Env {
                    record: None,
                    ..env
                },
                places,
            },
        );
    }

    /// Where each value came from.
    pub fn provenance(&self) -> Provenance {
        self.entries
            .iter()
            .map(|(path, entry)| (path.clone(), entry.places.clone()))
            .collect()
    }
}

impl<'a> Checker<'a> {
    /// Is this a field of the kind: `bs`, or `v.lr_b` where `v` is a modality?
    pub(super) fn is_field(&self, kind: Kind, module: usize, path: &Path) -> bool {
        match path.names.as_slice() {
            [name] => catalog::fields(kind).iter().any(|f| f.name == name.value),
            [modality, name] if kind == Kind::Pretrain => {
                let declared = self.declared(module, &modality.value);
                declared.is_some_and(|(_, decl)| decl.kind.value == Kind::Modality)
                    && catalog::PER_MODALITY.iter().any(|f| f.name == name.value)
            }
            _ => false,
        }
    }

    /// The fields of a kind as a reader may write them.
    fn field_names(&self, kind: Kind, module: usize) -> Vec<String> {
        let mut names: Vec<String> = catalog::fields(kind)
            .iter()
            .map(|f| f.name.to_string())
            .collect();
        if kind == Kind::Pretrain {
            for (modality, (_, decl)) in &self.names[module] {
                if decl.kind.value == Kind::Modality {
                    names.extend(
                        catalog::PER_MODALITY
                            .iter()
                            .map(|f| format!("{modality}.{}", f.name)),
                    );
                }
            }
        }
        names
    }

    /// `path` is no field of `record`.
    pub(super) fn unknown_field(&mut self, env: &Env<'a>, record: &Record<'a>, path: &Path) {
        let written = path.to_string();
        if let [modality, ..] = path.names.as_slice()
            && path.names.len() > 1
            && (self.is_poisoned(env.module, &modality.value)
                || self.modules[env.module].lacks_a_module)
        {
            return;
        }
        if let Some((modality, field)) = self.part_of_modality(record.kind, env.module, path) {
            self.unknown_of_modality(env, record, path, (modality, field));
            return;
        }
        let known = match self.may_compare(env.module) {
            true => self.field_names(record.kind, env.module),
            false => vec![],
        };
        let message = format!("`{}` has no field `{written}`", record.name);
        let mut diagnostic = Diagnostic::error(codes::UNKNOWN_FIELD, path.span, message);
        let mut near = super::nearest(&written, known.iter().map(String::as_str));
        if near.is_empty() {
            near = fields_of_modalities(record, &written);
        }
        let last = near.first().and_then(|near| near.rsplit('.').next());
        let takes = |name: &str| {
            catalog::fields(record.kind)
                .iter()
                .chain(catalog::PER_MODALITY)
                .find(|f| f.name == name)
                .map(|f| f.takes)
        };
        if let Some(wanted) = last.and_then(takes) {
            let alike: Vec<String> = known
                .iter()
                .filter(|name| name.rsplit('.').next().and_then(takes) == Some(wanted))
                .map(|name| format!("`{name}`"))
                .collect();
            if alike.len() > 1 {
                diagnostic = diagnostic.note(format!(
                    "fields that take {}: {}",
                    wanted.noun(),
                    alike.join(", ")
                ));
            }
        } else if !known.is_empty() {
            let plain = known.iter().filter(|n| !n.contains('.'));
            let list: Vec<String> = plain.map(|n| format!("`{n}`")).collect();
            diagnostic = diagnostic.note(format!("its fields: {}", list.join(", ")));
        }
        let last = path.names.last().map_or("", |name| name.value.as_str());
        if near.is_empty() {
            diagnostic = said_elsewhere(diagnostic, last);
        }
        let mut diagnostic = suggest_these(diagnostic, path.span, &written, &near);
        // `score` of a table may be a slip for `scores`, or the block may be an evaluation.
        let is_of_another = |kind: &Kind| catalog::fields(*kind).iter().any(|f| f.name == written);
        if Kind::ALL.iter().any(is_of_another) {
            diagnostic.doubt();
        }
        self.report(env, diagnostic);
    }

    /// `v.encoder`, or `encoder.v`: the modality and the other name, where one of two is a modality of a pretraining.
    fn part_of_modality<'p>(
        &self,
        kind: Kind,
        module: usize,
        path: &'p Path,
    ) -> Option<(&'p str, &'p str)> {
        let [first, second] = path.names.as_slice() else {
            return None;
        };
        let is_modality = |name: &str| {
            let declared = self.declared(module, name);
            declared.is_some_and(|(_, decl)| decl.kind.value == Kind::Modality)
        };
        let (first, second) = (first.value.as_str(), second.value.as_str());
        let pair = match (is_modality(first), is_modality(second)) {
            (true, _) => Some((first, second)),
            (false, true) => Some((second, first)),
            (false, false) => None,
        };
        pair.filter(|_| kind == Kind::Pretrain)
    }

    /// `field` is none that `modality` has.
    fn unknown_of_modality(
        &mut self,
        env: &Env<'a>,
        record: &Record<'a>,
        path: &Path,
        (modality, field): (&str, &str),
    ) {
        let known = || catalog::PER_MODALITY.iter().map(|f| f.name);
        let message = format!("`{}` has no field `{path}`", record.name);
        let list: Vec<String> = known().map(|name| format!("`{modality}.{name}`")).collect();
        let mut diagnostic = Diagnostic::error(codes::UNKNOWN_FIELD, path.span, message)
            .note(format!("fields of `{modality}`: {}", list.join(", ")));
        let near: Vec<String> = like(field, known())
            .iter()
            .map(|name| format!("{modality}.{name}"))
            .collect();
        if near.is_empty() && catalog::PRETRAIN.iter().any(|f| f.name == field) {
            let help = format!("`{field}` is one for all modalities: write `{field} = ...`");
            diagnostic = diagnostic.help(help);
        } else if near.is_empty() {
            diagnostic = said_elsewhere(diagnostic, field);
        }
        let diagnostic = suggest_these(diagnostic, path.span, field, &near);
        self.report(env, diagnostic);
    }

    /// Puts the fields of a block into a record. Rows and `for` are left to tables.
    pub(super) fn set_fields(
        &mut self,
        record: &mut Record<'a>,
        block: &'a Block,
        env: &Env<'a>,
    ) -> bool {
        let takes_rows = matches!(record.kind, Kind::Table | Kind::Figure);
        let mut fields: Vec<&'a Field> = vec![];
        let mut has_all_commas = true;
        for (position, item) in block.items.iter().enumerate() {
            let BlockItem::Field(field) = item else {
                continue;
            };
            if takes_rows && self.lacks_comma(env, &block.items, position) {
                has_all_commas = false;
            } else {
                fields.push(field);
            }
        }
        let mut is_right = self.set_all(record, &fields, env) && has_all_commas;
        record.is_unsure |= !is_right;
        for item in block.items.iter().filter(|_| !takes_rows) {
            let span = match item {
                BlockItem::For(f) => f.span,
                BlockItem::Row(r) => r.span,
                BlockItem::Field(_) | BlockItem::Allow(_) => continue,
            };
            let message = format!("{} has fields and no rows", catalog::kind_noun(record.kind));
            let diagnostic = Diagnostic::error(codes::EMPTY_BODY, span, message)
                .help("rows stand in a `table { ... }`");
            self.report(env, diagnostic);
            is_right = false;
        }
        is_right
    }

    /// Sets fields written side by side, of which none may stand twice.
    pub(super) fn set_all(
        &mut self,
        record: &mut Record<'a>,
        fields: &[&'a Field],
        env: &Env<'a>,
    ) -> bool {
        let mut is_right = true;
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        for field in fields {
            let path = field.path.to_string();
            if let Some(first) = seen.insert(path.clone(), field.path.span) {
                let diagnostic = Diagnostic::error(
                    codes::SET_TWICE,
                    field.path.span,
                    format!("`{path}` is set twice"),
                )
                .label(first, "first here")
                .help("keep one of the two");
                self.report(env, diagnostic);
                is_right = false;
                continue;
            }
            if !self.is_field(record.kind, env.module, &field.path) {
                self.unknown_field(env, record, &field.path);
                is_right = false;
                record.is_unsure = true;
                continue;
            }
            record.set(path, &field.value, env.clone(), field.span);
        }
        is_right
    }

    /// The record of a declaration. A mistake in one field is reported and leaves the other fields.
    pub(super) fn record_of_decl(
        &mut self,
        module: usize,
        decl: &'a Decl,
        via: &Env<'a>,
    ) -> Option<Record<'a>> {
        let env = Env {
            via: via.via.clone(),
            ..Env::of_module(module)
        };
        let own = (module, decl.name.value.as_str());
        let mut record = match &decl.body {
            Body::Block(block) => {
                let mut record = Record::new(decl.kind.value, &decl.name.value, decl.name.span);
                self.set_fields(&mut record, block, &env);
                record
            }
            Body::Expr(expr) => {
                let slot = Slot::new(expr, env, &decl.name.value);
                let mut record = self.record(&slot, decl.kind.value)?;
                record.name = decl.name.value.clone();
                record.used_at = decl.name.span;
                record
            }
        };
        record.declared.push(own);
        if module == 0 && record.kind == Kind::Pretrain {
            self.set_above(&mut record);
        }
        Some(record)
    }

    /// A record by name, or a copy `with` changed fields.
    pub(super) fn record(&mut self, slot: &Slot<'a>, kind: Kind) -> Option<Record<'a>> {
        let noun = catalog::kind_noun(kind);
        let kinds = [kind];
        let wanted = Wanted::new(noun, &kinds, &[]);
        if slot.env.depth() > 200 {
            self.error(
                slot,
                codes::RING,
                format!("`{}` refers to itself", slot.place),
            );
            return None;
        }
        if let ExprKind::With(base, block) = &slot.expr.kind {
            let mut record = self.record(&slot.with(base), kind)?;
            self.set_fields(&mut record, block, &slot.env);
            return Some(record);
        }
        if let ExprKind::On(base, data) = &slot.expr.kind
            && kind == Kind::Eval
        {
            let mut record = self.record(&slot.with(base), kind)?;
            record.set("data".into(), data, slot.env.clone(), slot.span());
            return Some(record);
        }
        if let Some(name) = slot.word() {
            if let Some(super::Bound::Expr(expr, env)) = slot.env.bound(name).cloned() {
                let place = slot.place.clone();
                return self.record(&Slot { expr, env, place }, kind);
            }
            if self.is_poisoned(slot.env.module, name) {
                return None;
            }
            let declared = self.declared(slot.env.module, name);
            if let Some((module, decl)) = declared.filter(|(_, decl)| decl.kind.value == kind) {
                let used = slot.env.used_at(slot.span());
                let mut record = self.record_of_decl(module, decl, &used)?;
                record.used_at = slot.span();
                return Some(record);
            }
        }
        let reduced = self.reduce(slot)?;
        if reduced.span() != slot.span()
            && matches!(
                reduced.expr.kind,
                ExprKind::With(..) | ExprKind::On(..) | ExprKind::Name(_)
            )
        {
            return self.record(&reduced, kind);
        }
        self.wrong(slot, &reduced, &wanted);
        self.record_meant(slot, kind)
    }

    /// The record of the one declaration whose name is near to a name that nothing knows, so that what is written beside it is
    /// checked too: of this only what is misspelt is said.
    fn record_meant(&mut self, slot: &Slot<'a>, kind: Kind) -> Option<Record<'a>> {
        let name = slot.word()?;
        let module = slot.env.module;
        let is_unknown = self.declared(module, name).is_none()
            && slot.env.bound(name).is_none()
            && catalog::any_operator(name).is_none();
        if !is_unknown || std::mem::replace(&mut self.is_guessing, true) {
            return None;
        }
        let known = self.names[module].iter();
        let known = known.filter(|(_, (_, decl))| decl.kind.value == kind);
        let near = super::nearest(name, known.map(|(name, _)| *name));
        let meant = match near.as_slice() {
            [one] if !self.is_poisoned(module, one) => self.declared(module, one),
            [] | [_] | [_, _, ..] => None,
        };
        let before = self.found.len();
        let record = meant.and_then(|(owner, decl)| {
            let used = slot.env.used_at(slot.span());
            self.record_of_decl(owner, decl, &used)
        });
        // What is wrong with that one is said where it is declared.
        self.found.truncate(before);
        self.is_guessing = false;
        record.map(|record| Record {
            used_at: slot.span(),
            declared: vec![],
            is_unsure: true,
            ..record
        })
    }

    /// The required fields that are missing, as one message.
    pub(super) fn missing_fields(
        &mut self,
        record: &Record<'a>,
        missing: &[String],
        env: &Env<'a>,
    ) {
        let is_broken = self.modules.iter().any(|m| m.broken.contains(&record.name));
        if missing.is_empty() || is_broken || record.is_unsure {
            return;
        }
        let list: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
        let (fields, are) = if missing.len() == 1 {
            ("field", "is")
        } else {
            ("fields", "are")
        };
        let message = match missing {
            [one] => format!("`{}` has no `{one}`", record.name),
            _ => format!(
                "{} {fields} {are} missing in `{}`",
                missing.len(),
                record.name
            ),
        };
        let mut diagnostic = Diagnostic::error(codes::MISSING_FIELD, record.used_at, message);
        if missing.len() > 1 {
            diagnostic = diagnostic.note(format!("missing: {}", list.join(", ")));
        }
        let base = if record.kind == Kind::Pretrain {
            "crisscross"
        } else {
            "linear8"
        };
        if missing.len() > 3 {
            let word = record.kind.word();
            let help = format!(
                "did you mean `{word} {} = {base} with {{ ... }}`?",
                record.name
            );
            diagnostic = diagnostic.help(help);
            // `pretrain q { ... }`: the name stands before its block.
            let name = record.used_at;
            let source = &self.sources.get(name.file).text;
            let is_block = source[name.end as usize..].trim_start().starts_with('{');
            if is_block && self.declared(env.module, base).is_some() {
                let after = Span {
                    start: name.end,
                    ..name
                };
                diagnostic = diagnostic.edit(after, format!(" = {base} with"));
            }
        }
        self.report(env, diagnostic);
    }
}

/// The name itself if it is known, else those near to it.
fn like<'n>(name: &str, known: impl Iterator<Item = &'n str> + Clone) -> Vec<String> {
    match known.clone().find(|known| *known == name) {
        Some(same) => vec![same.to_owned()],
        None => super::nearest(name, known),
    }
}

/// `f`, `encoder` for a field that modalities have: those of the record that may be meant, where they are at most two.
fn fields_of_modalities(record: &Record<'_>, name: &str) -> Vec<String> {
    let known = catalog::PER_MODALITY.iter().map(|f| f.name);
    let [meant] = &like(name, known)[..] else {
        return vec![];
    };
    let suffix = format!(".{meant}");
    let own = record.entries.keys().filter(|path| path.ends_with(&suffix));
    let own: Vec<String> = own.cloned().collect();
    if own.len() > 2 { vec![] } else { own }
}

/// What other tools have as a field, and this language says in another place.
fn said_elsewhere(diagnostic: Diagnostic, name: &str) -> Diagnostic {
    let elsewhere = catalog::ELSEWHERE.iter().find(|(known, _)| *known == name);
    match elsewhere {
        Some((_, help)) => diagnostic.help(*help),
        None => diagnostic,
    }
}
