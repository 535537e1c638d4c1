//! What is meant where a value has another form than its place takes: `ESC-50`, `v1`, a loss `with` weights, a list behind `of`.

use super::{Checker, Slot, Wanted};
use crate::codes;
use grammar::ast::{BinaryOp, Block, Expr, ExprKind, Kind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Span;

impl<'a> Checker<'a> {
    /// `linear2s on ESC-50` for `linear2s on ESC50`: the whole message.
    pub(super) fn dashed_name(&self, slot: &Slot<'a>) -> Option<Diagnostic> {
        let ExprKind::Binary(op, left, right) = &slot.expr.kind else {
            return None;
        };
        let first = if let ExprKind::On(_, data) = &left.kind {
            data
        } else {
            left
        };
        let is_part = |expr: &Expr| matches!(expr.kind, ExprKind::Name(_) | ExprKind::Number(_));
        let touches = first.span.end == op.span.start && op.span.end == right.span.start;
        if op.value != BinaryOp::Sub || !touches || !is_part(first) || !is_part(right) {
            return None;
        }
        let span = Span {
            end: right.span.end,
            ..first.span
        };
        let written = self.sources.text(span);
        let meant = [written.replace('-', ""), written.replace('-', "_")];
        let module = slot.env.module;
        let meant = meant
            .into_iter()
            .find(|name| self.declared(module, name).is_some())?;
        let message = format!("`{written}` is no name, for names have no `-`");
        Some(
            Diagnostic::error(codes::UNKNOWN_NAME, span, message)
                .help(format!("write `{meant}`"))
                .edit(span, meant),
        )
    }

    /// `v1`, the first view of `v` in the words of the paper, where a loss is due.
    pub(super) fn view_meant(&self, slot: &Slot<'a>, name: &str) -> Option<String> {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = &name[stem.len()..];
        let stem = stem.trim_end_matches('_');
        let is_modality = self
            .declared(slot.env.module, stem)
            .is_some_and(|(_, decl)| decl.kind.value == Kind::Modality);
        let is_number = !number.is_empty() && !number.starts_with('0');
        (is_modality && is_number).then(|| format!("{stem}[{number}]"))
    }

    /// Adds what to write to a message about a value of another kind, where its form tells.
    pub(super) fn with_way_out(
        &self,
        slot: &Slot<'a>,
        wanted: &Wanted<'_>,
        diagnostic: Diagnostic,
    ) -> Diagnostic {
        if let ExprKind::With(base, block) = &slot.expr.kind
            && wanted.kinds.contains(&Kind::Loss)
        {
            return self.fields_of_a_loss(slot, base, block, diagnostic);
        }
        if let ExprKind::List(members) = &slot.expr.kind
            && wanted.kinds == [Kind::Pretrain]
            && !members.is_empty()
        {
            let all = self.sources.text(slot.span());
            return diagnostic.help(format!(
                "name one, and make rows of the others: `for of in {all} {{ row }}`"
            ));
        }
        diagnostic
    }

    /// `loss = intra with { weights = exact }`.
    fn fields_of_a_loss(
        &self,
        slot: &Slot<'a>,
        base: &'a Expr,
        block: &'a Block,
        diagnostic: Diagnostic,
    ) -> Diagnostic {
        let fields: Vec<&str> = block
            .fields()
            .map(|field| self.sources.text(field.span))
            .collect();
        let [field] = fields.as_slice() else {
            return diagnostic
                .help("a loss has no fields; those of the pretraining stand beside it");
        };
        let loss = self.sources.text(base.span);
        let span = slot.span();
        let before = self.sources.get(span.file).text[..span.start as usize].trim_end();
        let is_field = before
            .strip_suffix('=')
            .and_then(|before| before.trim_end().strip_suffix("loss"))
            .filter(|before| !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
        let Some(before) = is_field else {
            return diagnostic.help(format!(
                "a loss has no fields; write `{field}` in the pretraining, beside its `loss`"
            ));
        };
        let place = Span::new(span.file, before.len(), span.end as usize);
        let (at, text) = self.field_after(place, field);
        let rest = Span {
            start: base.span.end,
            ..span
        };
        diagnostic
            .help(format!("write `loss = {loss}` and, beside it, `{field}`"))
            .edit(rest, "")
            .edit(at, text)
    }
}
