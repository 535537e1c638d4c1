//! Whether two trees say the same at different places.

use crate::ast::*;
use crate::docs::Doc;
use crate::span::{FileId, Span};
use std::collections::BTreeMap;

/// The two files are the same but for layout and comments that are no doc comments; what doc comments are about is the same.
pub fn same_but_for_places(one: &File, other: &File) -> bool {
    placeless(one) == placeless(other)
}

/// The file with all spans alike, and what is written about its items in their order.
fn placeless(file: &File) -> (File, Vec<Option<Vec<String>>>) {
    let mut eraser = Eraser {
        docs: &file.docs,
        found: vec![],
    };
    let mut bare = File {
        comments: vec![],
        docs: BTreeMap::new(),
        ..file.clone()
    };
    for line in &mut bare.uses {
        line.span = NOWHERE;
        line.module.span = NOWHERE;
    }
    for item in &mut bare.items {
        eraser.item(item);
    }
    if let Some(expr) = &mut bare.bare {
        eraser.expr(expr);
    }
    (bare, eraser.found)
}

const NOWHERE: Span = Span {
    file: FileId(0),
    start: 0,
    end: 0,
};

struct Eraser<'d> {
    docs: &'d BTreeMap<Span, Doc>,
    found: Vec<Option<Vec<String>>>,
}

impl Eraser<'_> {
    /// Notes what is written about the item at `span`, and erases it.
    fn about(&mut self, span: &mut Span) {
        let texts = self.docs.get(span).map(|doc| {
            let lines = doc.lines.iter().map(|line| line.value.clone());
            let sources = doc.sources.iter().map(|s| s.value.to_string());
            let notes = doc.notes.iter().map(|n| format!("{:?}", n.value));
            lines.chain(sources).chain(notes).collect()
        });
        self.found.push(texts);
        *span = NOWHERE;
    }

    fn item(&mut self, item: &mut Item) {
        match item {
            Item::Assert(assert) => {
                self.about(&mut assert.span);
                self.expr(&mut assert.claim);
                if let Some(source) = &mut assert.source {
                    source.span = NOWHERE;
                }
            }
            Item::Allow(line) => allow(line),
            Item::Decl(decl) => {
                self.about(&mut decl.span);
                decl.kind.span = NOWHERE;
                decl.name.span = NOWHERE;
                decl.params.iter_mut().for_each(|p| p.span = NOWHERE);
                if let Some(title) = &mut decl.title {
                    title.span = NOWHERE;
                }
                match &mut decl.body {
                    Body::Expr(expr) => self.expr(expr),
                    Body::Block(block) => self.block(block),
                }
            }
        }
    }

    fn block(&mut self, block: &mut Block) {
        block.span = NOWHERE;
        block.items.iter_mut().for_each(|item| self.part(item));
    }

    fn part(&mut self, item: &mut BlockItem) {
        match item {
            BlockItem::Field(field) => self.field(field),
            BlockItem::Allow(line) => allow(line),
            BlockItem::Row(row) => {
                self.about(&mut row.span);
                if let Some(label) = &mut row.label {
                    label.span = NOWHERE;
                }
                row.fields.iter_mut().for_each(|field| self.field(field));
                row.allows.iter_mut().for_each(allow);
                row.expect.iter_mut().for_each(|cell| cell.span = NOWHERE);
            }
            BlockItem::For(sweep) => {
                sweep.span = NOWHERE;
                sweep.paths.iter_mut().for_each(path);
                self.expr(&mut sweep.values);
                sweep.body.iter_mut().for_each(|item| self.part(item));
            }
        }
    }

    fn field(&mut self, field: &mut Field) {
        self.about(&mut field.span);
        path(&mut field.path);
        self.expr(&mut field.value);
    }

    fn expr(&mut self, expr: &mut Expr) {
        expr.span = NOWHERE;
        match &mut expr.kind {
            ExprKind::Number(_) | ExprKind::Dims(..) | ExprKind::String(_) | ExprKind::Name(_) => {}
            ExprKind::List(members) | ExprKind::Tuple(members) => {
                members.iter_mut().for_each(|member| self.expr(member));
            }
            ExprKind::Neg(inner) => self.expr(inner),
            ExprKind::Binary(op, left, right) => {
                op.span = NOWHERE;
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Compare(op, left, right) => {
                op.span = NOWHERE;
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Arrow(left, right)
            | ExprKind::On(left, right)
            | ExprKind::At(left, right)
            | ExprKind::Index(left, right) => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::With(base, block) => {
                self.expr(base);
                self.block(block);
            }
            ExprKind::Member(base, name) => {
                self.expr(base);
                name.span = NOWHERE;
            }
            ExprKind::Call(callee, args) => {
                self.expr(callee);
                for arg in args {
                    if let Some(name) = &mut arg.name {
                        name.span = NOWHERE;
                    }
                    self.expr(&mut arg.value);
                }
            }
            ExprKind::Comprehension(callee, inner) => {
                self.expr(callee);
                inner.span = NOWHERE;
                self.expr(&mut inner.element);
                for binder in &mut inner.binders {
                    binder.span = NOWHERE;
                    binder.first.span = NOWHERE;
                    if let Some((_, name)) = &mut binder.second {
                        name.span = NOWHERE;
                    }
                    self.expr(&mut binder.values);
                }
            }
        }
    }
}

fn allow(line: &mut Allow) {
    line.span = NOWHERE;
    line.code.span = NOWHERE;
    if let Some(reason) = &mut line.reason {
        reason.span = NOWHERE;
    }
}

fn path(path: &mut Path) {
    path.span = NOWHERE;
    path.names.iter_mut().for_each(|name| name.span = NOWHERE);
}
