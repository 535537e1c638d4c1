//! Tables and figures: their columns, axes and rows.

use super::record::Record;
use super::rows::{empty_loops, one_line};
use super::{Checker, Env, Slot, name_of, suggest};
use crate::catalog;
use crate::codes;
use crate::hir;
use grammar::ast::{Body, Decl, ExprKind, Kind, Row};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::rc::Rc;

impl<'a> Checker<'a> {
    /// A table or figure, closed; `None` where something in it is wrong.
    pub(super) fn table(&mut self, decl: &'a Decl) -> Option<hir::Table> {
        let Body::Block(block) = &decl.body else {
            return None;
        };
        if self.poisoned.contains(&(0, decl.name.value.as_str())) {
            return None;
        }
        let env = Env::of_module(0);
        let mut record = Record::new(decl.kind.value, &decl.name.value, decl.name.span);
        self.set_fields(&mut record, block, &env);
        let record = Rc::new(record);
        let x = self.axis(decl, &record);
        let drawings = self.drawings(&record);
        let curves = self.curves(&record);
        let scores = self.scores(&record);
        let mut unrolled = vec![];
        let is_right = self.unroll(&block.items, &[], &env, &mut unrolled);
        if !is_right && unrolled.len() >= self.rows_left {
            // Of a table that is too large, the first rows show what else may be wrong.
            unrolled.truncate(100);
        }
        self.rows_left -= unrolled.len().min(self.rows_left);
        let is_broken = self.modules[0].broken.contains(&decl.name.value);
        let empty: Vec<_> = empty_loops(&block.items).filter(|_| !is_broken).collect();
        for each in &empty {
            let diagnostic = Diagnostic::error(
                codes::MISSING_FIELD,
                each.paths[0].span.to(each.values.span),
                "this `for` makes no row",
            );
            self.report(&env, diagnostic.help("write `row` in its braces"));
        }
        if unrolled.is_empty() && is_right && !is_broken && empty.is_empty() {
            let message = format!(
                "{} `{}` has no rows",
                decl.kind.value.word(),
                decl.name.value
            );
            let diagnostic = Diagnostic::error(codes::MISSING_FIELD, decl.name.span, message)
                .help("write `row` on a line of its own for the pretraining as it is");
            self.report(&env, diagnostic);
        }
        let mut rows = vec![];
        let mut all_closed = true;
        let (mut lacks_base, mut lacks_scores) = (false, false);
        for row in &unrolled {
            let is_unsure = is_broken
                || record.is_unsure
                || scores.is_empty() && record.entry("scores").is_some()
                || scores.iter().any(|(_, eval)| eval.is_none());
            if scores.is_empty() && !is_unsure && !row.row.expect.is_empty() {
                if !std::mem::replace(&mut lacks_scores, true) {
                    self.expects_of_nothing(row.row);
                }
                continue;
            }
            self.check_expectations(row.row, scores.len(), is_unsure);
            match self.row(&record, row, x.as_deref(), &mut lacks_base) {
                Some(row) => {
                    self.question.note((decl.name.span, Some(rows.len())));
                    let number = rows.len() + 1;
                    rows.push(hir::Row { number, ..row });
                }
                None => all_closed = false,
            }
        }
        if !all_closed || !is_right {
            return None;
        }
        let scores = scores
            .into_iter()
            .map(|(label, eval)| Some((label, eval?)))
            .collect::<Option<Vec<_>>>()?;
        self.pools_fit(&record, &rows, &scores)?;
        let written: Vec<&'a Row> = unrolled.iter().map(|row| row.row).collect();
        self.advise_on_table(&record, &rows, &written, &scores);
        let title = decl.title.as_ref().map(|title| title.value.clone());
        let needs_axis = decl.kind.value == Kind::Figure && Self::needs_axis(&record);
        if needs_axis && x.is_none() {
            return None;
        }
        let drawn = |(heading, drawing): (String, Option<hir::Drawing>)| Some((heading, drawing?));
        let drawings = drawings.into_iter().map(drawn).collect::<Option<_>>()?;
        Some(hir::Table {
            x,
            name: decl.name.value.clone(),
            title,
            span: decl.name.span,
            scores,
            drawings,
            curves: curves?,
            rows,
        })
    }

    /// A column that a table has already (W0803), but in toy runs, whose stand-ins are alike.
    fn advise_on_column(
        &mut self,
        slot: &Slot<'a>,
        known: &[(Span, Vec<hir::Protocol>)],
        (place, protocols): &(Span, Vec<hir::Protocol>),
    ) {
        let mut known = known.iter().filter(|_| self.caps.is_none());
        let Some((first, _)) = known.find(|(_, known)| known == protocols) else {
            return;
        };
        let text = one_line(self.sources.text(*place));
        let message = format!("`{text}` is a column of this table already");
        let diagnostic = Diagnostic::warning(codes::SAME_COLUMN, *place, message)
            .label(*first, "the first of the two")
            .note("it is scored once, and both columns show its numbers")
            .help("name another data set or protocol, or drop one of the two");
        self.report(&slot.env, diagnostic);
    }

    /// What the rows of a figure are drawn against: a field of a pretraining or what lies below one.
    fn axis(&mut self, decl: &'a Decl, record: &Rc<Record<'a>>) -> Option<String> {
        if decl.kind.value != Kind::Figure {
            return None;
        }
        let Some(slot) = record.slot("x") else {
            if !record.is_unsure && Self::needs_axis(record) {
                let message = format!("figure `{}` has no `x`", decl.name.value);
                let diagnostic = Diagnostic::error(codes::MISSING_FIELD, decl.name.span, message)
                    .help("name what its rows differ in, such as `x = relax`");
                self.report(&Env::of_module(0), diagnostic);
            }
            return None;
        };
        let mut names: Vec<&str> = vec![];
        let mut at = slot.expr;
        while let ExprKind::Member(base, member) = &at.kind {
            names.push(&member.value);
            at = base;
        }
        names.extend(name_of(at));
        names.reverse();
        let is_modality = |name: &str| {
            let declared = self.declared(0, name);
            declared.is_some_and(|(_, decl)| decl.kind.value == Kind::Modality)
        };
        let is_field = |name: &str| catalog::PRETRAIN.iter().any(|field| field.name == name);
        let is_known = match names.as_slice() {
            ["of"] | ["checkpoint"] | ["overlap"] => true,
            ["overlap", which] => FAMILIES.contains(which) || is_pair(which, &is_modality),
            ["of", name, ..] => is_field(name),
            [modality, name, ..] if is_modality(modality) => catalog::PER_MODALITY
                .iter()
                .any(|field| field.name == *name),
            [name, ..] => is_field(name),
            [] => false,
        };
        if is_known {
            return Some(names.join("."));
        }
        let message = "`x` takes a field of a pretraining, or what lies below one";
        let help = match names.as_slice() {
            ["overlap", ..] => OVERLAPS,
            _ => "for example `x = relax`, `x = of.data.train` or `x = overlap.sync`",
        };
        let diagnostic =
            Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message).help(help);
        let fields = catalog::PRETRAIN.iter().map(|f| f.name);
        let fields = fields.chain(catalog::OF_ROWS.iter().copied());
        let fields = fields.chain(["overlap"]);
        let diagnostic = match names.as_slice() {
            [name] => suggest(diagnostic, slot.span(), name, fields),
            _ => diagnostic,
        };
        self.report(&slot.env, diagnostic);
        None
    }

    /// The columns: each as written, and closed if it is right.
    fn scores(&mut self, record: &Rc<Record<'a>>) -> Vec<(String, Option<hir::Protocol>)> {
        let Some(slot) = record.slot("scores") else {
            return vec![];
        };
        let Some(members) = self.list(&slot, "a list of evaluations") else {
            return vec![];
        };
        if members.is_empty() {
            let message = "`scores` takes a list of evaluations, this one is empty";
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
                .help("write `scores = [linear8 on UCF101]`, or leave `scores` out where nothing is scored");
            self.report(&slot.env, diagnostic);
        }
        let mut scores = vec![];
        let mut columns: Vec<(Span, Vec<hir::Protocol>)> = vec![];
        for member in &members {
            let label = one_line(self.sources.text(member.span()));
            let member = Slot {
                place: "scores".into(),
                ..member.clone()
            };
            let eval = self.record(&member, Kind::Eval).and_then(|eval| {
                let used_at = member.span();
                if eval.entry("data").is_none() {
                    let message = format!("`{label}` names no data set");
                    let help = format!("write `{label} on UCF101`");
                    let diagnostic =
                        Diagnostic::error(codes::MISSING_FIELD, used_at, message).help(help);
                    self.report(&member.env, diagnostic);
                    self.wrong.extend(eval.declared.last());
                    return None;
                }
                // How many numbers it scores is not known where its protocol is a guess.
                let is_guess = eval.is_unsure;
                let eval = Rc::new(Record {
                    used_at,
                    is_unsure: eval.is_unsure
                        || eval.declared.iter().any(|d| self.wrong.contains(d)),
                    declared: vec![],
                    ..eval
                });
                let before = self.found.len();
                let closed = self.eval(&eval, &member.env.used_at(used_at));
                self.silence_echoes(&eval, before);
                closed.filter(|_| !is_guess)
            });
            if let Some(scored) = &eval {
                let protocols = scored.iter().map(|(_, protocol)| protocol.clone());
                let column = (member.span(), protocols.collect());
                self.advise_on_column(&slot, &columns, &column);
                columns.push(column);
            }
            match eval {
                Some(scored) => scores.extend(
                    scored
                        .into_iter()
                        .map(|(suffix, protocol)| (format!("{label}{suffix}"), Some(protocol))),
                ),
                None => scores.push((label, None)),
            }
        }
        scores
    }
}

/// What the axis of overlaps may be.
const OVERLAPS: &str = "`overlap` of all pairs of the loss, `overlap.intra`, `overlap.sync` or `overlap.async` of a family, `overlap.v1a2` of a \
                        pair";
/// Families of pairs of views.
const FAMILIES: &[&str] = &["intra", "sync", "async"];

/// Whether this is two views, as `v1a2`.
fn is_pair(name: &str, is_modality: &dyn Fn(&str) -> bool) -> bool {
    let digit = |c: char| c.is_ascii_digit();
    let view = |text: &str| {
        let at = text.find(digit).unwrap_or(text.len());
        let end = text[at..]
            .find(|c| !digit(c))
            .map_or(text.len(), |end| at + end);
        (at > 0 && end > at && is_modality(&text[..at])).then(|| text[end..].to_owned())
    };
    view(name)
        .and_then(|rest| view(&rest))
        .is_some_and(|rest| rest.is_empty())
}
