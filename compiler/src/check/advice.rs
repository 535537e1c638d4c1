//! Warnings and notes about settings that can be run and are perhaps not meant.

use super::record::Record;
use super::{Checker, Env, Slot, counted, name_of, named_call};
use crate::catalog;
use crate::codes;
use crate::graph::networks;
use crate::hir::{self, Chain, Clip, Data, FeatureStep, Link, Row, Schedule};
use crate::plan::StageId;
use crate::units::thousands;
use grammar::ast::{self, Body, ExprKind, Kind};
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::span::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

impl<'a> Checker<'a> {
    /// Of the fields `names` of a record, the slot of the one that the user's own file sets; the first where none does.
    fn own_slot(&self, record: &Rc<Record<'a>>, names: [&str; 2]) -> Option<Slot<'a>> {
        let slots = || names.iter().filter_map(|name| record.slot(name));
        slots()
            .find(|slot| !self.is_shipped(slot.span().file))
            .or_else(|| slots().next())
    }

    /// A number of a record as its file writes it, `220K`; in digits where it is computed.
    fn as_written(&self, record: &Rc<Record<'a>>, name: &str, value: u64) -> String {
        match record.slot(name) {
            Some(slot) if matches!(slot.expr.kind, ExprKind::Number(_)) => {
                self.sources.text(slot.span()).to_string()
            }
            Some(_) | None => value.to_string(),
        }
    }

    /// Samples that an epoch drops (W0701), and clips that it visits unequally often (W0702).
    pub(super) fn advise_on_epoch(
        &mut self,
        record: &Rc<Record<'a>>,
        bs: u64,
        es: u64,
        data: Option<&Data>,
    ) {
        if bs == 0 || self.caps.is_some() {
            return;
        }
        let (steps, dropped) = (es / bs, es % bs);
        if steps > 0
            && dropped > 0
            && let Some(slot) = self.own_slot(record, ["es", "bs"])
        {
            let message = format!(
                "an epoch of {} samples is {} of {}; the last {} dropped",
                self.as_written(record, "es", es),
                counted(usize::try_from(steps).unwrap_or(usize::MAX), "step"),
                self.as_written(record, "bs", bs),
                if dropped == 1 {
                    "sample is".to_string()
                } else {
                    format!("{dropped} samples are")
                }
            );
            let mut note = Diagnostic::warning(codes::SAMPLES_DROPPED, slot.span(), message).help(
                format!("`es = {}` is as many steps and drops none", steps * bs),
            );
            note.severity = Severity::Note;
            // Less than a hundredth of an epoch is nothing to act on.
            note.is_quiet = dropped * 100 < es;
            self.report(&slot.env, note);
        }
        if let Some(Data::Videos(files) | Data::Sounds(files)) = data
            && files.train > 0
            && es > files.train
            && !es.is_multiple_of(files.train)
            && let Some(slot) = self.own_slot(record, ["es", "data"])
        {
            let per_clip = es as f64 / files.train as f64;
            let message = format!(
                "{per_clip:.1} clips of each file of `{}` in an epoch",
                files.name
            );
            let mut note = Diagnostic::warning(codes::UNEQUAL_VISITS, slot.span(), message)
                .note(format!(
                    "some files are visited {} in an epoch, others {}",
                    times(es / files.train),
                    times(es / files.train + 1)
                ))
                .help(format!(
                    "`es = {}` visits each {}",
                    es / files.train * files.train,
                    times(es / files.train)
                ));
            note.severity = Severity::Note;
            self.report(&slot.env, note);
        }
    }

    /// `lr_p = lr_b`, `v.lr_p = crisscross.lr_b` hand on the whole schedule (W0704).
    pub(super) fn advise_on_rates(&mut self, record: &Rc<Record<'a>>, modalities: &[String]) {
        let own = modalities.iter().map(|name| format!("{name}.lr_p"));
        for path in own.chain(["lr_p".to_owned()]) {
            let Some(slot) = record.slot(&path) else {
                continue;
            };
            let last = if let ExprKind::Member(_, name) = &slot.expr.kind {
                Some(name.value.as_str())
            } else {
                slot.word()
            };
            if last != Some("lr_b") {
                continue;
            }
            let before = self.found.len();
            let schedule = self.schedule(&slot);
            self.found.truncate(before);
            if matches!(schedule, None | Some(Schedule::Constant(_))) {
                continue;
            }
            let of = self.sources.text(slot.span()).to_owned();
            let message = format!("the rate of the predictor follows the whole schedule of `{of}`");
            let diagnostic = Diagnostic::warning(codes::WHOLE_SCHEDULE, slot.span(), message)
                .note(format!(
                    "Table 3 keeps the rate of the predictor constant, at the value that `{of}` begins with"
                ))
                .help(format!("write `{of}.start` for the constant"))
                .suggestion(slot.span(), format!("{of}.start"));
            self.report(&slot.env, diagnostic);
        }
    }

    /// A cutout whose squares were set for the views of pretraining and hardly cover a larger picture (W0606).
    pub(super) fn advise_on_cutout(
        &mut self,
        record: &Rc<Record<'a>>,
        uses: &str,
        clip: &Clip,
        augment: &Chain,
    ) {
        let (Some(slot), Some(uses_slot)) = (record.slot("augment"), record.slot("uses")) else {
            return;
        };
        let view = self.modality_clip(&uses_slot, uses);
        let (Some(Clip::Video { size: set_for, .. }), Clip::Video { size, .. }) = (view, clip)
        else {
            return;
        };
        for link in &augment.links {
            let Link::Cutout { max, .. } = link else {
                continue;
            };
            if self.caps.is_some() || set_for >= *size {
                continue;
            }
            let share = 100.0 * f64::from(max * max) / f64::from(size * size);
            let message = format!(
                "a cutout of at most {max}px was set for {set_for}px; at {size}px it is {share:.1} % of the picture"
            );
            let help = format!("`max: {}px` covers as much", max * size / set_for);
            let note = Diagnostic::warning(codes::SMALL_CUTOUT, slot.span(), message).help(help);
            self.report(&slot.env, note);
        }
    }

    /// `dim = 2048` beside a chain of features that gives another number of values with the paper's networks (E0608). Those of
    /// the rows decide, so it is said at the end, where no row has others.
    pub(super) fn check_dimension(
        &mut self,
        record: &Rc<Record<'a>>,
        clip: &Clip,
        features: &[FeatureStep],
    ) {
        let Some(slot) = record.slot("dim") else {
            return;
        };
        let Some(stated) = self.whole(&slot, &catalog::COUNT) else {
            return;
        };
        let Some(conv5) = networks::usual_conv5(clip) else {
            return;
        };
        let maps = networks::pooled(conv5.clone(), features).unwrap_or_default();
        let map = maps.last().unwrap_or(&conv5);
        let derived = map
            .iter()
            .fold(512, |values, size| values * u64::from(*size));
        if stated == derived || self.caps.is_some() {
            return;
        }
        let sizes: Vec<String> = map.iter().map(u32::to_string).collect();
        let message = format!(
            "`dim` states {} values, the chain gives {} = 512 x {}",
            thousands(stated),
            thousands(derived),
            sizes.join(" x ")
        );
        let mut diagnostic = Diagnostic::error(codes::OTHER_DIMENSION, slot.span(), message).help(
            format!("write `dim = {derived}`, or change the pools or the clip"),
        );
        diagnostic.edits.push(grammar::diagnostic::Edit {
            span: slot.span(),
            text: derived.to_string(),
            is_certain: false,
        });
        let said = (diagnostic, slot.env.clone(), derived);
        self.misstated.insert(slot.span(), said);
    }

    /// Reports the stated numbers of values that are wrong with the paper's networks and that no row has spoken of.
    pub(super) fn report_misstated(&mut self) {
        for (place, (diagnostic, env, _)) in std::mem::take(&mut self.misstated) {
            if !self.judged.contains(&place) {
                self.report(&env, diagnostic);
            }
        }
    }

    /// Rows that are one run (W0801), rows with the same published numbers (W0802), and data sets that overlap (W0707).
    /// `written` are the rows of the syntax tree that `rows` come from.
    pub(super) fn advise_on_table(
        &mut self,
        table: &Rc<Record<'a>>,
        rows: &[Row],
        written: &[&'a ast::Row],
        scores: &[(String, hir::Protocol)],
    ) {
        if self.caps.is_some() {
            return;
        }
        let mut runs: BTreeMap<(&StageId, Option<u32>), usize> = BTreeMap::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (at, (row, tree)) in rows.iter().zip(written).enumerate() {
            let (here, place) = (at + 1, row_place(tree));
            let first = *runs.entry((&row.id, row.checkpoint)).or_insert(at);
            if first != at {
                let message = format!("rows {} and {here} are the same run", first + 1);
                let diagnostic = Diagnostic::warning(codes::SAME_RUN, place, message)
                    .label(row_place(written[first]), "the first of the two")
                    .note("it is trained and scored once, and both rows show its numbers");
                self.report(&Env::of_module(0), diagnostic);
                continue;
            }
            let numbers: Vec<&str> = row.expect.iter().flatten().map(String::as_str).collect();
            if numbers.len() < 2 {
                continue;
            }
            let cells: Vec<&str> = row
                .expect
                .iter()
                .map(|cell| cell.as_deref().unwrap_or("_"))
                .collect();
            let first = *known.entry(cells.join(", ")).or_insert(at);
            if first != at
                && let (Some(from), Some(to)) = (tree.expect.first(), tree.expect.last())
            {
                let message = format!(
                    "the same numbers are expected of `{}` and of `{}`",
                    rows[first].label, row.label
                );
                let mut diagnostic = Diagnostic::warning(
                    codes::SAME_NUMBERS,
                    from.span.to(to.span),
                    message,
                )
                .note(
                    "different runs rarely agree in every number; it may be a slip in the source",
                );
                if let (Some(from), Some(to)) =
                    (written[first].expect.first(), written[first].expect.last())
                {
                    diagnostic = diagnostic.label(from.span.to(to.span), "the same here");
                }
                self.report(&Env::of_module(0), diagnostic);
            }
        }
        self.advise_on_data(table, rows, scores);
    }

    /// An evaluation on a data set of which the pretraining has seen a part, or which is a part of what it has seen.
    fn advise_on_data(
        &mut self,
        table: &Rc<Record<'a>>,
        rows: &[Row],
        scores: &[(String, hir::Protocol)],
    ) {
        let before = self.found.len();
        let members = table
            .slot("scores")
            .and_then(|slot| self.list(&slot, "a list of evaluations"));
        self.found.truncate(before);
        let mut said = BTreeSet::new();
        for (heading, protocol) in scores {
            // An evaluation of several scores has a column for each: `retrieval on UCF101 R@5`.
            let is_of = |member: &&Slot<'a>| {
                let label = super::rows::one_line(self.sources.text(member.span()));
                let rest = heading.strip_prefix(&label);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" R@"))
            };
            let Some(slot) = members.iter().flatten().find(is_of) else {
                continue;
            };
            for row in rows {
                let (Some(seen), Some(scored)) =
                    (files(&row.pretrain.data), protocol.data().and_then(files))
                else {
                    continue;
                };
                let (part, whole, what) = if self.is_part(&seen.name, &scored.name) {
                    let what = match seen.classes {
                        0 => "its clips".to_string(),
                        classes => format!("{classes} classes"),
                    };
                    (seen, scored, what)
                } else if self.is_part(&scored.name, &seen.name) {
                    (scored, seen, "its clips".to_string())
                } else {
                    continue;
                };
                if !said.insert((part.name.clone(), whole.name.clone())) {
                    continue;
                }
                let message = format!(
                    "`{}` is a part of `{}`: {what} were seen in pretraining, without labels",
                    part.name, whole.name
                );
                let diagnostic = Diagnostic::warning(codes::SEEN_BEFORE, slot.span(), message)
                    .note(format!(
                        "`{}` pretrains on `{}`, and `part_of` in the declaration of `{}` says so",
                        row.of, seen.name, part.name
                    ));
                self.report(&slot.env, diagnostic);
            }
        }
    }

    /// Does a declaration say that the set `part` lies within the set `whole`?
    fn is_part(&self, part: &str, whole: &str) -> bool {
        let mut at = part;
        for _ in 0..self.modules.len() + 16 {
            let Some(next) = self.part_of(at) else {
                return false;
            };
            if next == whole {
                return true;
            }
            at = next;
        }
        false
    }

    /// The set that `part_of` of a declaration names.
    fn part_of(&self, name: &str) -> Option<&'a str> {
        let mut decls = (0..self.modules.len()).flat_map(|module| self.decls(module));
        let decl = decls.find(|d| d.kind.value == Kind::Data && d.name.value == name)?;
        let Body::Expr(expr) = &decl.body else {
            return None;
        };
        let (_, arguments) = named_call(expr)?;
        let argument = arguments
            .iter()
            .find(|a| a.name.as_ref().is_some_and(|n| n.value == "part_of"))?;
        name_of(&argument.value)
    }
}

/// Where a row is shown: its label or its first field, else all of it.
fn row_place(row: &ast::Row) -> Span {
    let label = row.label.as_ref().map(|label| label.span);
    let fields = row.fields.first().zip(row.fields.last());
    label
        .or_else(|| fields.map(|(first, last)| first.span.to(last.span)))
        .unwrap_or(row.span)
}

/// The files of a data set, unless it is made by us.
fn files(data: &Data) -> Option<&hir::Files> {
    match data {
        Data::Videos(files) | Data::Sounds(files) => Some(files),
        Data::Synthetic(_) => None,
    }
}

/// `once`, `3 times`.
fn times(number: u64) -> String {
    match number {
        0 => "never".into(),
        1 => "once".into(),
        2 => "twice".into(),
        n => format!("{n} times"),
    }
}
