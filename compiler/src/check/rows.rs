//! The rows of tables: `for` unrolled, each row closed and labelled.

use super::names::is_mentioned;
use super::record::Record;
use super::{Bound, Checker, Env, MOST_EXPERIMENTS, Slot, counted, named_call, suggest};
use crate::catalog;
use crate::codes;
use crate::hash;
use crate::hir;
use crate::units::{Exact, Quantity};
use crate::written;
use grammar::ast::{BlockItem, Expr, ExprKind, Field, For, Kind, Number, Path, Row};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;
use std::rc::Rc;
use std::sync::Arc;

/// What one turn of a `for`, or a row itself, sets.
#[derive(Clone)]
pub(super) struct Setting<'a> {
    path: String,
    value: &'a Expr,
    env: Env<'a>,
    place: Span,
}

/// A row with all that the `for`s around it set.
pub(super) struct Unrolled<'a> {
    /// The row as written.
    pub row: &'a Row,
    settings: Vec<Setting<'a>>,
    env: Env<'a>,
}

/// The outermost loops that make no row.
pub(super) fn empty_loops(items: &[BlockItem]) -> impl Iterator<Item = &For> {
    items.iter().filter_map(|item| match item {
        BlockItem::For(each) if !holds_row(&each.body) => Some(each),
        BlockItem::For(_) | BlockItem::Row(_) | BlockItem::Field(_) | BlockItem::Allow(_) => None,
    })
}

fn holds_row(items: &[BlockItem]) -> bool {
    items.iter().any(|item| match item {
        BlockItem::Row(_) => true,
        BlockItem::For(each) => holds_row(&each.body),
        BlockItem::Field(_) | BlockItem::Allow(_) => false,
    })
}

impl<'a> Checker<'a> {
    /// Rows with what the `for`s around them set. `false`: a mistake is reported.
    pub(super) fn unroll(
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
                    let mut turns = self.turns(each, settings, env).unwrap_or_else(|| {
                        is_right = false;
                        vec![]
                    });
                    if !holds_row(&each.body) {
                        // One turn shows what else may be wrong with it.
                        turns.truncate(1);
                    }
                    for (settings, env) in turns {
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
                    let diagnostic =
                        Diagnostic::error(codes::WRONG_ARGUMENTS, member.span(), message);
                    self.report(env, one_value_for_each(diagnostic, each, &members));
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
    pub(super) fn expects_of_nothing(&mut self, row: &'a Row) {
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

    pub(super) fn check_expectations(&mut self, row: &'a Row, scores: usize, is_unsure: bool) {
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
    pub(super) fn row(
        &mut self,
        table: &Rc<Record<'a>>,
        unrolled: &Unrolled<'a>,
        x: Option<&str>,
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
        let row = hir::Row {
            // Its table counts.
            number: 1,
            label,
            of: name,
            id: hash::pretrain(&pretrain),
            pretrain: Arc::new(pretrain),
            checkpoint,
            at: None,
            written,
            expect,
            span: row.span,
            provenance: record.provenance(),
        };
        let at = x.and_then(|x| self.place(&record, &row, x));
        Some(hir::Row { at, ..row })
    }

    /// Where a row lies on the axis `x` of its figure. What the stand-in of a profile does not have is read of the data set that it
    /// stands for.
    fn place(&mut self, record: &Rc<Record<'a>>, row: &hir::Row, x: &str) -> Option<String> {
        let at = written::at(row, x);
        if at.is_some() || self.caps.is_none() {
            return at;
        }
        let (caps, before) = (self.caps.take(), self.found.len());
        let data = record.slot("data").and_then(|slot| self.data(&slot));
        self.found.truncate(before);
        self.caps = caps;
        let pretrain = hir::Pretrain {
            data: data?,
            ..hir::Pretrain::clone(&row.pretrain)
        };
        let row = hir::Row {
            pretrain: Arc::new(pretrain),
            ..row.clone()
        };
        written::at(&row, x)
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

/// Adds to a message about the members of a loop over several paths what to write, and the edits where `[ ]` stand for `( )`.
fn one_value_for_each(diagnostic: Diagnostic, each: &For, members: &[Slot]) -> Diagnostic {
    let count = each.paths.len();
    let listed: Vec<Span> = members
        .iter()
        .filter(|member| matches!(&member.expr.kind, ExprKind::List(parts) if parts.len() == count))
        .map(|member| member.span())
        .collect();
    if listed.is_empty() {
        let paths: Vec<String> = each.paths.iter().map(|path| format!("`{path}`")).collect();
        let values = vec!["..."; count].join(", ");
        let help = format!(
            "write `({values})` with a value for each of {}",
            paths.join(", ")
        );
        return diagnostic.help(help);
    }
    let mended = diagnostic.help("write each as `( )`, which holds one value for each path");
    listed.into_iter().fold(mended, |diagnostic, span| {
        let (start, end) = (span.start as usize, span.end as usize);
        diagnostic
            .edit(Span::new(span.file, start, start + 1), "(")
            .edit(Span::new(span.file, end - 1, end), ")")
    })
}
