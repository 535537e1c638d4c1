//! Tables: `for` unrolled, each row closed.

use super::names::is_mentioned;
use super::record::Record;
use super::{
    Bound, Checker, Env, MOST_EXPERIMENTS, Slot, Wanted, counted, name_of, named_call, suggest,
};
use crate::catalog;
use crate::codes;
use crate::hash;
use crate::hir::{self, NamedPretrain, Program};
use crate::units::{Exact, Quantity};
use grammar::ast::{BlockItem, Body, Decl, Expr, ExprKind, Field, For, Kind, Number, Path, Row};
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::span::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// What one turn of a `for`, or a row itself, sets.
#[derive(Clone)]
struct Setting<'a> {
    path: String,
    value: &'a Expr,
    env: Env<'a>,
    place: Span,
}

/// A row with all that the `for`s around it set.
struct Unrolled<'a> {
    row: &'a Row,
    settings: Vec<Setting<'a>>,
    env: Env<'a>,
}

impl<'a> Checker<'a> {
    /// All that the root file declares, closed.
    pub(super) fn program(&mut self) -> Option<Program> {
        for module in 0..self.modules.len() {
            if !self.modules[module].is_shipped {
                self.check_declarations(module);
            }
        }
        if self.is_overfull {
            return None;
        }
        let mut closed = BTreeMap::new();
        for (decl, record) in in_order_of_use(self.declared_records(0, Kind::Pretrain)) {
            let env = Env::of_module(0).used_at(decl.name.span);
            let before = self.found.len();
            let pretrain = self.pretrain(&record, &env);
            let written = std::mem::take(&mut self.objective);
            self.silence_echoes(&record, before);
            let pretrain = pretrain.map(Arc::new);
            if let Some(pretrain) = &pretrain {
                self.ask(&record, pretrain, None, &decl.name.value);
                self.question.note((decl.name.span, None));
            }
            closed.extend(pretrain.map(|pretrain| (decl.span, (decl, record, pretrain, written))));
        }
        let mut pretrains = vec![];
        let mut rows = vec![];
        for (decl, record, pretrain, written) in closed.into_values() {
            let (name, span, provenance) =
                (decl.name.value.clone(), decl.name.span, record.provenance());
            rows.push(hir::Row {
                number: rows.len() + 1,
                label: name.clone(),
                of: name.clone(),
                pretrain: Arc::clone(&pretrain),
                id: hash::pretrain(&pretrain),
                checkpoint: None,
                written: written.clone(),
                expect: vec![],
                span,
                provenance: provenance.clone(),
            });
            pretrains.push(NamedPretrain {
                name,
                span,
                pretrain: Arc::unwrap_or_clone(pretrain),
                written,
                provenance,
            });
        }
        let mut closed = BTreeMap::new();
        for (decl, record) in in_order_of_use(self.declared_records(0, Kind::Eval)) {
            let before = self.found.len();
            let eval = self.eval(&record, &Env::of_module(0).used_at(decl.name.span));
            // What this version cannot run may be declared; a table that uses it says so.
            let own = self.found.split_off(before);
            let runs = |d: &Diagnostic| d.code != codes::NOT_AVAILABLE;
            self.found.extend(own.into_iter().filter(runs));
            self.silence_echoes(&record, before);
            let name = &decl.name.value;
            let named = eval.map(|scored| {
                let name = |(suffix, eval)| (format!("{name}{suffix}"), eval);
                scored.into_iter().map(name).collect::<Vec<_>>()
            });
            closed.extend(named.map(|named| (decl.span, named)));
        }
        let evals = closed.into_values().flatten().collect();
        let mut tables = vec![];
        for decl in self
            .decls(0)
            .filter(|d| matches!(d.kind.value, Kind::Table | Kind::Figure))
        {
            tables.extend(self.table(decl));
        }
        self.report_misstated();
        self.read_unused();
        // An assertion is about what two sides come to, not about how good their settings are.
        let before = self.found.len();
        self.claims();
        let own = self.found.split_off(before);
        let is_sure = self.wrong.is_empty();
        let is_said = |d: &Diagnostic| d.severity == Severity::Error && (is_sure || is_spelling(d));
        self.found.extend(own.into_iter().filter(is_said));
        if tables.is_empty() && !rows.is_empty() {
            let span = rows[0].span;
            tables.push(hir::Table {
                x: None,
                name: "pretrains".into(),
                title: None,
                span,
                scores: vec![],
                drawings: vec![],
                curves: vec![],
                rows,
            });
        }
        Some(Program {
            is_toy: self.caps.is_some(),
            set: vec![],
            is_bare: self.modules[0].is_bare,
            pretrains,
            evals,
            tables,
        })
    }

    /// Of what was found since `before` in a record, takes out what may be an echo of a mistake elsewhere: where a field of it, or a
    /// declaration that it is built on, is wrong, only what is misspelt is still said. Two widths or a missing predictor are said
    /// once for all terms.
    pub(super) fn silence_echoes(&mut self, record: &Record<'a>, before: usize) {
        let own = self.found.split_off(before);
        let is_unsure =
            record.is_unsure || record.declared.iter().any(|name| self.wrong.contains(name));
        let mut said = BTreeSet::new();
        let mut is_wrong = is_unsure;
        for diagnostic in own {
            let code = diagnostic.code;
            let is_shared = matches!(code, codes::WIDTHS_DIFFER | codes::NO_PREDICTOR);
            let is_echo = is_unsure && !is_spelling(&diagnostic) || is_shared && !said.insert(code);
            if diagnostic.severity != Severity::Error || !is_echo {
                is_wrong |= diagnostic.severity == Severity::Error;
                self.found.push(diagnostic);
            }
        }
        if is_wrong {
            self.wrong.extend(record.declared.last());
        }
    }

    /// Reads the declarations that nothing may use, so that a mistake in one is found in any case.
    fn check_declarations(&mut self, module: usize) {
        let decls: Vec<&'a Decl> = self.decls(module).collect();
        for decl in decls {
            let name = decl.name.value.as_str();
            if self.poisoned.contains(&(module, name)) {
                continue;
            }
            let Body::Expr(expr) = &decl.body else {
                continue;
            };
            let slot = Slot::new(expr, Env::of_module(module), name);
            self.allow_steps();
            match decl.kind.value {
                Kind::Modality => drop(self.modality(&slot)),
                Kind::Data => drop(self.data_set(&slot, name)),
                Kind::Augment => drop(self.chain(&slot, None)),
                Kind::Layers => drop(self.network(&slot, super::layers::Role::Any)),
                Kind::Relaxation => drop(self.policy(&slot)),
                Kind::Let if self.is_arithmetic(module, expr, 0) => {
                    let wanted = Wanted::new("a number", &[Kind::Let], &[]);
                    let _ = self.arithmetic(&slot, &wanted);
                }
                Kind::Loss
                | Kind::Let
                | Kind::Pretrain
                | Kind::Eval
                | Kind::Table
                | Kind::Figure => {}
            }
        }
    }

    fn table(&mut self, decl: &'a Decl) -> Option<hir::Table> {
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
        // The curves of a figure that has nothing else have a message of their own.
        let message = if record.entry("draw").is_some() {
            Some(
                "this version does not draw figures; what it draws is planned, and printed as dashes",
            )
        } else if Self::needs_axis(&record) {
            Some("this version does not draw figures; its numbers are printed as a table")
        } else {
            None
        };
        if let (Kind::Figure, Some(message)) = (decl.kind.value, message) {
            self.report(
                &env,
                Diagnostic::warning(codes::NOT_AVAILABLE, decl.kind.span, message),
            );
        }
        if let Some(slot) = record.slot("curves") {
            let message =
                "this version does not draw curves; they stand in `metrics.jsonl` of each run";
            self.report(
                &env,
                Diagnostic::warning(codes::NOT_AVAILABLE, slot.span(), message),
            );
        }
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
        if unrolled.is_empty() && is_right && !is_broken {
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
            match self.row(&record, row, &mut lacks_base) {
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
            ["of"] | ["checkpoint"] => true,
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
        let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
            .help("for example `x = relax` or `x = of.data.train`");
        let fields = catalog::PRETRAIN.iter().map(|f| f.name);
        let fields = fields.chain(catalog::OF_ROWS.iter().copied());
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
        let mut scores = vec![];
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

    /// Rows with what the `for`s around them set. `false`: a mistake is reported.
    fn unroll(
        &mut self,
        items: &'a [BlockItem],
        settings: &[Setting<'a>],
        env: &Env<'a>,
        rows: &mut Vec<Unrolled<'a>>,
    ) -> bool {
        let mut is_right = true;
        for (position, item) in items.iter().enumerate() {
            match item {
                BlockItem::Allow(_) => {}
                // A field of the table itself, outside every `for`.
                BlockItem::Field(_) if settings.is_empty() && env.scope.is_none() => {}
                BlockItem::Field(_) if self.lacks_comma(env, items, position) => is_right = false,
                BlockItem::Field(field) => {
                    let message = "inside `for` stand rows; a field of the table stands outside";
                    self.report(
                        env,
                        Diagnostic::error(codes::EMPTY_BODY, field.span, message),
                    );
                    is_right = false;
                }
                BlockItem::Row(row) if rows.len() < self.rows_left => {
                    rows.push(Unrolled {
                        row,
                        settings: settings.to_vec(),
                        env: env.clone(),
                    });
                }
                BlockItem::Row(row) => {
                    self.too_many_rows(env, row.span);
                    return false;
                }
                BlockItem::For(each) if self.rows_left == 0 => {
                    self.too_many_rows(env, each.span);
                    return false;
                }
                BlockItem::For(each) => {
                    for turn in self.turns(each, settings, env).unwrap_or_else(|| {
                        is_right = false;
                        vec![]
                    }) {
                        let (settings, env) = turn;
                        is_right &= self.unroll(&each.body, &settings, &env, rows);
                        // The table is full, and that is said: further turns could only say it again.
                        if !is_right && rows.len() >= self.rows_left {
                            return false;
                        }
                    }
                }
            }
        }
        is_right
    }

    fn too_many_rows(&mut self, env: &Env<'a>, span: Span) {
        let message = match self.rows_left {
            MOST_EXPERIMENTS => format!("this table has more than {MOST_EXPERIMENTS} rows"),
            _ => format!("the tables have more than {MOST_EXPERIMENTS} rows together"),
        };
        self.report(env, Diagnostic::error(codes::OUT_OF_RANGE, span, message));
    }

    /// One turn for each member of a `for`'s list: nested is a product, a group of paths a zip.
    #[allow(clippy::type_complexity)]
    fn turns(
        &mut self,
        each: &'a For,
        settings: &[Setting<'a>],
        env: &Env<'a>,
    ) -> Option<Vec<(Vec<Setting<'a>>, Env<'a>)>> {
        for path in &each.paths {
            let is_variable =
                path.names.len() == 1 && is_mentioned(&each.body, &path.names[0].value);
            if !self.is_swept(path) && !is_variable {
                self.not_sweepable(path, env);
                return None;
            }
        }
        if let Some(("range", arguments)) = named_call(&each.values) {
            let is_literal =
                |arg: &grammar::ast::Arg| matches!(arg.value.kind, ExprKind::Number(_));
            let message = match arguments.iter().all(is_literal) {
                true => "`range` takes its first and its last number, both of which it walks",
                false => "`range` takes numbers as they stand, no names and no sums",
            };
            let mut diagnostic =
                Diagnostic::error(codes::WRONG_ARGUMENTS, each.values.span, message)
                    .help("for example `range(1, 3)` for 1, 2, 3");
            if let [one] = arguments
                && let ExprKind::Number(Number { digits, unit: None }) = &one.value.kind
                && let Some(last) = digits.parse::<u32>().ok().and_then(|n| n.checked_sub(1))
            {
                let written = format!("range(0, {last})");
                diagnostic = diagnostic
                    .help(format!("write `{written}`"))
                    .edit(each.values.span, written);
            }
            self.report(env, diagnostic);
            return None;
        }
        let members = self.list(&Slot::new(&each.values, env.clone(), "for"), "a list")?;
        let mut turns = vec![];
        for member in &members {
            let values: Vec<Slot<'a>> = match (&member.expr.kind, each.paths.len()) {
                (_, 1) => vec![member.clone()],
                (ExprKind::Tuple(parts), n) if parts.len() == n => {
                    parts.iter().map(|p| member.with(p)).collect()
                }
                (_, n) => {
                    let message = format!(
                        "each member has {} in parentheses, one for each path",
                        counted(n, "value")
                    );
                    self.error(member, codes::WRONG_ARGUMENTS, message);
                    return None;
                }
            };
            let (mut settings, mut inner) = (settings.to_vec(), env.clone());
            for (path, value) in each.paths.iter().zip(values) {
                if self.is_swept(path) {
                    let (path, place) = (path.to_string(), value.span());
                    settings.push(Setting {
                        path,
                        value: value.expr,
                        env: value.env.clone(),
                        place,
                    });
                }
                if let [name] = path.names.as_slice() {
                    inner = inner.bind(&name.value, Bound::Expr(value.expr, value.env));
                }
            }
            turns.push((settings, inner));
        }
        Some(turns)
    }

    /// Can a row set it?
    fn is_swept(&self, path: &Path) -> bool {
        of_rows(path).is_some() || self.is_field(Kind::Pretrain, 0, path)
    }

    fn not_sweepable(&mut self, path: &Path, env: &Env<'a>) {
        let written = path.to_string();
        let fields = catalog::PRETRAIN.iter().map(|f| f.name);
        let fields = fields.chain(catalog::OF_ROWS.iter().copied());
        // A field that only begins with the name is as likely as one a letter away.
        let begins: Vec<&str> = fields
            .clone()
            .filter(|f| f.starts_with(&written) && *f != written)
            .collect();
        let message =
            format!("`{written}` is not a field of a pretraining, and no row below uses it");
        let diagnostic = Diagnostic::error(codes::NOT_SWEEPABLE, path.span, message);
        let diagnostic = match begins.as_slice() {
            [one, other] => diagnostic.here(format!("did you mean `{one}` or `{other}`?")),
            _ => suggest(diagnostic, path.span, &written, fields),
        };
        self.report(env, diagnostic);
    }

    /// Reports the field at `position` if it belongs to the row before it, from which a missing comma cuts it off.
    pub(super) fn lacks_comma(
        &mut self,
        env: &Env<'a>,
        items: &[BlockItem],
        position: usize,
    ) -> bool {
        let Some(row) = self.row_cut_before(env.module, items, position) else {
            return false;
        };
        let BlockItem::Field(field) = &items[position] else {
            return false;
        };
        let end = Span {
            start: row.end,
            ..row
        };
        let text = self.sources.text(row);
        let last = text.rsplit(char::is_whitespace).next().unwrap_or(text);
        let diagnostic = Diagnostic::error(
            grammar::codes::MISSING_COMMA,
            field.path.span,
            "the fields of a row are separated by commas",
        )
        .help(format!("insert `,` after `{last}`"))
        .edit(end, ",");
        self.report(env, diagnostic);
        true
    }

    /// The text before the field at `position` that starts a row to which the field belongs, if it does: it stands on the
    /// row's line or only a pretraining has it, and no table.
    fn row_cut_before(&self, module: usize, items: &[BlockItem], position: usize) -> Option<Span> {
        let BlockItem::Field(field) = items.get(position)? else {
            return None;
        };
        if self.is_field(Kind::Table, module, &field.path) {
            return None;
        }
        let before = position.checked_sub(1)?;
        let row = match &items[before] {
            BlockItem::Row(row) => open_end(row)?,
            BlockItem::For(cycle) => match cycle.body.last()? {
                BlockItem::Row(row) if row.span.end == cycle.span.end => open_end(row)?,
                BlockItem::Row(_)
                | BlockItem::Field(_)
                | BlockItem::For(_)
                | BlockItem::Allow(_) => return None,
            },
            BlockItem::Allow(_) => return None,
            BlockItem::Field(own) => {
                self.row_cut_before(module, items, before)?;
                own.span
            }
        };
        let gap = Span {
            start: row.end,
            end: field.span.start,
            ..row
        };
        let is_same_line = !self.sources.text(gap).contains('\n');
        (is_same_line || self.is_field(Kind::Pretrain, module, &field.path)).then_some(row)
    }

    /// Numbers are expected in a table that scores nothing.
    fn expects_of_nothing(&mut self, row: &'a Row) {
        let (Some(first), Some(last)) = (row.expect.first(), row.expect.last()) else {
            return;
        };
        let diagnostic = Diagnostic::error(
            codes::EXPECT_COUNT,
            first.span.to(last.span),
            "this table scores nothing, so that no number can be expected",
        )
        .help("set `scores = [linear8 on UCF101]` in the table, or drop `expect`");
        self.report(&Env::of_module(0), diagnostic);
    }

    fn check_expectations(&mut self, row: &'a Row, scores: usize, is_unsure: bool) {
        for cell in &row.expect {
            let Some(Number {
                digits,
                unit: Some(unit),
            }) = &cell.value
            else {
                continue;
            };
            let message =
                format!("`expect` takes a number as its score prints it, without `{unit}`");
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, cell.span, message)
                .help(format!("write `{digits}`"))
                .edit(cell.span, digits.clone());
            self.report(&Env::of_module(0), diagnostic);
        }
        for cell in &row.expect {
            let score = cell.value.as_ref().filter(|n| n.unit.is_none());
            let quantity = score.and_then(|n| Quantity::parse(&n.digits, None));
            if let Some(quantity) = quantity.filter(|q| q.value > Exact::whole(100)) {
                let message = format!("a score lies between 0 and 100, this is {quantity}");
                let diagnostic = Diagnostic::error(codes::OUT_OF_RANGE, cell.span, message);
                self.report(&Env::of_module(0), diagnostic);
            }
        }
        let given = row.expect.len();
        if given == 0 || given == scores || is_unsure {
            return;
        }
        let (Some(first), Some(last)) = (row.expect.first(), row.expect.last()) else {
            return;
        };
        let message = format!(
            "{}, {}",
            counted(scores, "score"),
            counted(given, "expectation")
        );
        let mut diagnostic =
            Diagnostic::error(codes::EXPECT_COUNT, first.span.to(last.span), message);
        if given < scores {
            let written = self.sources.text(first.span.to(last.span));
            let fixed = format!("{written}{}", ", _".repeat(scores - given));
            diagnostic = diagnostic.help(format!(
                "write `{fixed}`; `_` is a number that was not reported"
            ));
            diagnostic.edits.push(grammar::diagnostic::Edit {
                span: first.span.to(last.span),
                text: fixed,
                is_certain: false,
            });
        }
        self.report(&Env::of_module(0), diagnostic);
    }

    /// One row, closed. `lacks_base`: it was said already that a row of this table starts from nothing.
    fn row(
        &mut self,
        table: &Rc<Record<'a>>,
        unrolled: &Unrolled<'a>,
        lacks_base: &mut bool,
    ) -> Option<hir::Row> {
        let (row, env) = (unrolled.row, &unrolled.env);
        let (own, fields): (Vec<&'a Field>, Vec<&'a Field>) =
            row.fields.iter().partition(|f| of_rows(&f.path).is_some());
        let (of_fields, checkpoints): (Vec<&'a Field>, Vec<&'a Field>) = own
            .into_iter()
            .partition(|f| of_rows(&f.path) == Some("of"));
        for twice in [&of_fields, &checkpoints] {
            if let [first, second, ..] = twice.as_slice() {
                let message = format!("`{}` is set twice in one row", second.path);
                let diagnostic = Diagnostic::error(codes::SET_TWICE, second.path.span, message)
                    .label(first.path.span, "first here");
                self.report(env, diagnostic);
                return None;
            }
        }
        let swept = unrolled.settings.iter().rev().find(|s| s.path == "of");
        let of = match (of_fields.first(), swept) {
            (Some(field), _) => Some(Slot::new(&field.value, env.clone(), "of")),
            (None, Some(setting)) => Some(Slot::new(setting.value, setting.env.clone(), "of")),
            (None, None) => table.slot("of"),
        };
        let Some(of) = of else {
            // Once for a table; and where a field of the table is misspelt, that may be the one.
            if table.is_unsure || std::mem::replace(lacks_base, true) {
                return None;
            }
            let diagnostic = Diagnostic::error(
                codes::MISSING_FIELD,
                row.span,
                "this row starts from no pretraining",
            )
            .help("set `of = crisscross` in the table or in the row");
            self.report(env, diagnostic);
            return None;
        };
        self.allow_steps();
        let name = one_line(self.sources.text(of.span()));
        let mut record = self.record(&of, Kind::Pretrain)?;
        let is_guess = record.is_unsure;
        record.used_at = row.span;
        if let Some(entry) = table.entry("checkpoint") {
            let place = entry.places.last().copied().unwrap_or(entry.value.span);
            record.set("checkpoint".into(), entry.value, entry.env.clone(), place);
        }
        for setting in unrolled.settings.iter().filter(|s| s.path != "of") {
            record.set(
                setting.path.clone(),
                setting.value,
                setting.env.clone(),
                setting.place,
            );
        }
        let is_right = self.set_all(&mut record, &fields, env);
        for field in checkpoints {
            record.set("checkpoint".into(), &field.value, env.clone(), field.span);
        }
        self.set_above(&mut record);
        let record = Rc::new(Record {
            // A row is no declaration; those that it is built on keep their own state.
            is_unsure: record.is_unsure || record.declared.iter().any(|d| self.wrong.contains(d)),
            declared: vec![],
            ..record
        });
        let before = self.found.len();
        let pretrain = self.pretrain(&record, &env.used_at(row.span));
        let written = std::mem::take(&mut self.objective);
        self.silence_echoes(&record, before);
        let label = match &row.label {
            Some(label) => label.value.clone(),
            None => self.row_label(unrolled, &name),
        };
        let expect = row
            .expect
            .iter()
            .map(|cell| cell.value.as_ref().map(printed))
            .collect::<Vec<_>>();
        let pretrain = pretrain.filter(|_| is_right && !is_guess)?;
        if self.checkpoint_of_nothing(table, &record) {
            return None;
        }
        let checkpoint = self.checkpoint(&record, &pretrain).ok()?;
        self.ask(&record, &pretrain, checkpoint, &name);
        Some(hir::Row {
            // Its table counts.
            number: 1,
            label,
            of: name,
            id: hash::pretrain(&pretrain),
            pretrain: Arc::new(pretrain),
            checkpoint,
            written,
            expect,
            span: row.span,
            provenance: record.provenance(),
        })
    }

    /// What a row sets, as written; the name of its pretraining where it sets nothing.
    fn row_label(&self, unrolled: &Unrolled<'a>, of: &str) -> String {
        let swept = unrolled.settings.iter().map(|s| (s.path.clone(), s.value));
        let fields = unrolled.row.fields.iter();
        let own = fields.map(|f| (f.path.to_string(), &f.value));
        let parts: Vec<String> = swept
            .chain(own)
            .map(|(path, value)| {
                // A member of `range(1, 3)` stands nowhere in the text by itself.
                let text = if let ExprKind::Number(number) = &value.kind {
                    printed(number)
                } else {
                    one_line(self.sources.text(value.span))
                };
                if path == "of" {
                    text
                } else {
                    format!("{path} = {text}")
                }
            })
            .collect();
        if parts.is_empty() {
            of.to_string()
        } else {
            parts.join(", ")
        }
    }
}

/// The name of what a row says beside the fields of its pretraining, if `path` is one.
fn of_rows(path: &Path) -> Option<&'static str> {
    let [name] = path.names.as_slice() else {
        return None;
    };
    catalog::OF_ROWS
        .iter()
        .copied()
        .find(|own| *own == name.value)
}

/// It stems from how something is written, and not from what is missing or does not fit.
fn is_spelling(diagnostic: &Diagnostic) -> bool {
    diagnostic.code.0 < "E04" && diagnostic.code != codes::MISSING_FIELD
}

/// Records with those first that others are built on.
fn in_order_of_use<'a, T>(mut records: Vec<(T, Rc<Record<'a>>)>) -> Vec<(T, Rc<Record<'a>>)> {
    records.sort_by_key(|(_, record)| record.declared.len());
    records
}

/// The last field of a row that ends with a field or an `allow`, where a comma could go on.
fn open_end(row: &Row) -> Option<Span> {
    let last = row.fields.last().filter(|_| row.expect.is_empty())?;
    let allows = row.allows.iter().map(|allow| allow.span);
    allows.chain([last.span]).max_by_key(|span| span.end)
}

/// Source text on one line, runs of blanks as one.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A published number as printed.
fn printed(number: &Number) -> String {
    format!("{}{}", number.digits, number.unit.as_deref().unwrap_or(""))
}
