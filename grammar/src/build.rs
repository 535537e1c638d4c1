//! pest pairs -> syntax tree: the only file that names the grammar's rules.
//!
//! Which pairs a rule holds is known from `crisscross.pest`; a pair that is not there is our bug, so it panics.

// The rules are a list of tokens without end rather than a closed set to be answered one by one.
#![allow(clippy::wildcard_enum_match_arm)]

use pest::Parser as _;
use pest::error::InputLocation;
use pest::iterators::Pair;

use crate::ast::*;
use crate::span::{Span, Spanned, Written};
use crate::tokens::Tokens;
use rules::{Rule, Rules};

/// What pest derives from `crisscross.pest`.
mod rules {
    #![allow(missing_docs)]

    #[derive(pest_derive::Parser)]
    #[grammar = "crisscross.pest"]
    pub(super) struct Rules;
}

/// Uses, items, and the lone expression or field of a text.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Parts {
    pub uses: Vec<Use>,
    pub items: Vec<Item>,
    pub bare: Option<Expr>,
    pub field: Option<Field>,
}

/// Which sentence of the grammar a text must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A whole file.
    File,
    /// Items in any order.
    Items,
    /// One field.
    Field,
}

/// Parses `tokens.text`, a copy of what is `written`; the error is the byte, in `tokens.text`, up to which the text makes
/// sense.
///
/// The caller has bounded the nesting.
pub(crate) fn build(tokens: &Tokens, form: Form, written: Written) -> Result<Parts, usize> {
    let rule = match form {
        Form::File => Rule::file,
        Form::Items => Rule::items,
        Form::Field => Rule::lone_field,
    };
    let mut top = Rules::parse(rule, tokens.text).map_err(|error| match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    })?;
    let builder = Builder { tokens, written };
    let mut parts = Parts::default();
    for pair in top
        .next()
        .expect("grammar: a parse has one top rule")
        .into_inner()
    {
        match pair.as_rule() {
            Rule::bare => parts.bare = Some(builder.expr(first(pair))),
            Rule::use_ => parts.uses.push(builder.use_(pair)),
            Rule::assert_ => parts.items.push(Item::Assert(builder.assert_(pair))),
            Rule::allow_ => parts.items.push(Item::Allow(builder.allow_(pair))),
            Rule::decl => parts.items.push(Item::Decl(builder.decl(pair))),
            Rule::field => parts.field = Some(builder.field(pair)),
            _ => {}
        }
    }
    Ok(parts)
}

struct Builder<'t> {
    tokens: &'t Tokens<'t>,
    written: Written<'t>,
}

/// Pairs that only hold a place: brackets, separators, reserved words.
fn is_mark(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::eq
            | Rule::arrow
            | Rule::comma
            | Rule::colon
            | Rule::dot
            | Rule::open_paren
            | Rule::close_paren
            | Rule::open_bracket
            | Rule::close_bracket
            | Rule::open_brace
            | Rule::close_brace
            | Rule::kw_use
            | Rule::kw_assert
            | Rule::kw_for
            | Rule::kw_in
            | Rule::kw_row
            | Rule::kw_with
            | Rule::word_allow
    )
}

/// What a pair holds, without the marks.
fn inner(pair: Pair<Rule>) -> impl Iterator<Item = Pair<Rule>> {
    pair.into_inner().filter(|p| !is_mark(p.as_rule()))
}

fn first(pair: Pair<Rule>) -> Pair<Rule> {
    inner(pair)
        .next()
        .expect("grammar: the rule holds something")
}

fn must<'i>(pairs: &mut impl Iterator<Item = Pair<'i, Rule>>) -> Pair<'i, Rule> {
    pairs.next().expect("grammar: the rule holds one more part")
}

impl Builder<'_> {
    /// The pair's bytes up to its last token: pest counts the blanks and comments that follow it.
    fn span(&self, pair: &Pair<Rule>) -> Span {
        let span = pair.as_span();
        let end = self
            .tokens
            .last_end(span.start(), span.end())
            .min(span.end());
        self.written.span(span.start(), end)
    }

    fn word(&self, pair: Pair<Rule>) -> Name {
        Spanned::new(pair.as_str().to_owned(), self.span(&pair))
    }

    /// The text between the quotes; the span has the quotes too.
    fn string(&self, pair: Pair<Rule>) -> Spanned<String> {
        let span = self.span(&pair);
        Spanned::new(first(pair).as_str().to_owned(), span)
    }

    fn use_(&self, pair: Pair<Rule>) -> Use {
        let span = self.span(&pair);
        let module = first(pair);
        match module.as_rule() {
            Rule::string => Use {
                span,
                module: self.string(module),
                is_path: true,
            },
            _ => Use {
                span,
                module: self.word(module),
                is_path: false,
            },
        }
    }

    fn assert_(&self, pair: Pair<Rule>) -> Assert {
        let span = self.span(&pair);
        let mut parts = inner(pair);
        let claim = self.expr(must(&mut parts));
        Assert {
            span,
            claim,
            source: parts.next().map(|p| self.string(p)),
        }
    }

    fn allow_(&self, pair: Pair<Rule>) -> Allow {
        let span = self.span(&pair);
        let mut parts = inner(pair);
        let code = self.word(must(&mut parts));
        Allow {
            span,
            code,
            reason: parts.next().map(|p| self.string(p)),
        }
    }

    fn decl(&self, pair: Pair<Rule>) -> Decl {
        let span = self.span(&pair);
        let mut parts = inner(pair);
        let kind = must(&mut parts);
        let kind = Spanned::new(
            Kind::from_word(kind.as_str()).expect("grammar: every kind of the grammar is a `Kind`"),
            self.span(&kind),
        );
        let name = self.word(must(&mut parts));
        let mut params = vec![];
        let mut title = None;
        loop {
            let part = must(&mut parts);
            match part.as_rule() {
                Rule::params => params = inner(part).map(|p| self.word(p)).collect(),
                Rule::string => title = Some(self.string(part)),
                Rule::block => {
                    return Decl {
                        span,
                        kind,
                        name,
                        params,
                        title,
                        body: Body::Block(self.block(part)),
                    };
                }
                _ => {
                    return Decl {
                        span,
                        kind,
                        name,
                        params,
                        title,
                        body: Body::Expr(self.expr(part)),
                    };
                }
            }
        }
    }

    fn block(&self, pair: Pair<Rule>) -> Block {
        Block {
            span: self.span(&pair),
            items: inner(pair).map(|p| self.item(p)).collect(),
        }
    }

    fn item(&self, pair: Pair<Rule>) -> BlockItem {
        match pair.as_rule() {
            Rule::for_ => BlockItem::For(self.for_(pair)),
            Rule::row => BlockItem::Row(self.row(pair)),
            Rule::allow_ => BlockItem::Allow(self.allow_(pair)),
            _ => BlockItem::Field(self.field(pair)),
        }
    }

    fn path(&self, pair: Pair<Rule>) -> Path {
        Path {
            span: self.span(&pair),
            names: inner(pair).map(|p| self.word(p)).collect(),
        }
    }

    fn field(&self, pair: Pair<Rule>) -> Field {
        let span = self.span(&pair);
        let mut parts = inner(pair);
        let path = self.path(must(&mut parts));
        Field {
            span,
            path,
            value: self.expr(must(&mut parts)),
        }
    }

    fn for_(&self, pair: Pair<Rule>) -> For {
        let span = self.span(&pair);
        let mut parts = inner(pair).peekable();
        let mut paths = vec![];
        while let Some(path) = parts.next_if(|p| p.as_rule() == Rule::path) {
            paths.push(self.path(path));
        }
        let values = self.expr(must(&mut parts));
        let body = must(&mut parts);
        let body = match body.as_rule() {
            Rule::block => self.block(body).items,
            _ => vec![self.item(body)],
        };
        For {
            span,
            paths,
            values,
            body,
        }
    }

    fn row(&self, pair: Pair<Rule>) -> Row {
        let mut row = Row {
            span: self.span(&pair),
            label: None,
            fields: vec![],
            allows: vec![],
            expect: vec![],
        };
        for part in inner(pair) {
            match part.as_rule() {
                Rule::string => row.label = Some(self.string(part)),
                Rule::field => row.fields.push(self.field(part)),
                Rule::allow_ => row.allows.push(self.allow_(part)),
                Rule::cell => {
                    let span = self.span(&part);
                    let cell = first(part);
                    let value = (cell.as_rule() == Rule::number).then(|| number(cell));
                    row.expect.push(Spanned::new(value, span));
                }
                _ => {} // `expect`
            }
        }
        row
    }

    fn expr(&self, pair: Pair<Rule>) -> Expr {
        let mut parts = inner(pair);
        let left = self.cmp(must(&mut parts));
        match parts.next() {
            Some(right) => {
                let right = self.cmp(right);
                let span = left.span.to(right.span);
                Expr {
                    span,
                    kind: ExprKind::Arrow(Box::new(left), Box::new(right)),
                }
            }
            None => left,
        }
    }

    fn cmp(&self, pair: Pair<Rule>) -> Expr {
        let mut parts = inner(pair);
        let left = self.sum(must(&mut parts));
        let Some(sign) = parts.next() else {
            return left;
        };
        let op = match sign.as_str() {
            "==" => CompareOp::Equal,
            "<=" => CompareOp::AtMost,
            ">=" => CompareOp::AtLeast,
            "<" => CompareOp::Less,
            _ => CompareOp::Greater,
        };
        let op = Spanned::new(op, self.span(&sign));
        let right = self.sum(must(&mut parts));
        let span = left.span.to(right.span);
        Expr {
            span,
            kind: ExprKind::Compare(op, Box::new(left), Box::new(right)),
        }
    }

    fn sum(&self, pair: Pair<Rule>) -> Expr {
        self.chain(pair, |pair| self.chain(pair, |unary| self.unary(unary)))
    }

    /// Operands of one precedence, from left to right.
    fn chain(&self, pair: Pair<Rule>, operand: impl Fn(Pair<Rule>) -> Expr) -> Expr {
        let mut parts = inner(pair);
        let mut left = operand(must(&mut parts));
        while let Some(sign) = parts.next() {
            let op = match sign.as_str() {
                "+" => BinaryOp::Add,
                "-" => BinaryOp::Sub,
                "*" => BinaryOp::Mul,
                _ => BinaryOp::Div,
            };
            let op = Spanned::new(op, self.span(&sign));
            let right = operand(must(&mut parts));
            let span = left.span.to(right.span);
            left = Expr {
                span,
                kind: ExprKind::Binary(op, Box::new(left), Box::new(right)),
            };
        }
        left
    }

    fn unary(&self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        let mut parts = inner(pair);
        let part = must(&mut parts);
        if part.as_rule() != Rule::minus {
            return self.placed(part);
        }
        Expr {
            span,
            kind: ExprKind::Neg(Box::new(self.placed(must(&mut parts)))),
        }
    }

    fn placed(&self, pair: Pair<Rule>) -> Expr {
        let mut parts = inner(pair);
        let mut left = self.postfix(must(&mut parts));
        while let Some(part) = parts.next() {
            left = match part.as_rule() {
                Rule::block => {
                    let block = self.block(part);
                    Expr {
                        span: left.span.to(block.span),
                        kind: ExprKind::With(Box::new(left), block),
                    }
                }
                place => {
                    let right = self.postfix(must(&mut parts));
                    let span = left.span.to(right.span);
                    let (left, right) = (Box::new(left), Box::new(right));
                    let kind = if place == Rule::at {
                        ExprKind::At(left, right)
                    } else {
                        ExprKind::On(left, right)
                    };
                    Expr { span, kind }
                }
            };
        }
        left
    }

    fn postfix(&self, pair: Pair<Rule>) -> Expr {
        let mut parts = inner(pair);
        let mut base = self.atom(must(&mut parts));
        for suffix in parts {
            let span = base.span.to(self.span(&suffix));
            let callee = Box::new(base);
            let kind = match suffix.as_rule() {
                Rule::member => ExprKind::Member(callee, self.word(first(suffix))),
                Rule::index => ExprKind::Index(callee, Box::new(self.expr(first(suffix)))),
                _ => match inner(suffix).next() {
                    Some(args) => self.args(callee, args),
                    None => ExprKind::Call(callee, vec![]),
                },
            };
            base = Expr { span, kind };
        }
        base
    }

    fn args(&self, callee: Box<Expr>, pair: Pair<Rule>) -> ExprKind {
        let span = self.span(&pair);
        let mut args = vec![];
        for part in inner(pair) {
            match part.as_rule() {
                Rule::named_argument => {
                    let mut parts = inner(part);
                    let name = Some(self.word(must(&mut parts)));
                    args.push(Arg {
                        name,
                        value: self.expr(must(&mut parts)),
                    });
                }
                Rule::binders => {
                    let element = args
                        .pop()
                        .expect("grammar: binders follow their summand")
                        .value;
                    let binders = inner(part).map(|p| self.binder(p)).collect();
                    return ExprKind::Comprehension(
                        callee,
                        Box::new(Comprehension {
                            span,
                            element,
                            binders,
                        }),
                    );
                }
                _ => args.push(Arg {
                    name: None,
                    value: self.expr(part),
                }),
            }
        }
        ExprKind::Call(callee, args)
    }

    fn binder(&self, pair: Pair<Rule>) -> Binder {
        let span = self.span(&pair);
        let mut parts = inner(pair).peekable();
        let first = self.word(must(&mut parts));
        let second = parts.next_if(|p| p.as_rule() == Rule::pair_op).map(|sign| {
            let relation = if sign.as_str() == "<" {
                PairRelation::Before
            } else {
                PairRelation::Different
            };
            (relation, self.word(must(&mut parts)))
        });
        Binder {
            span,
            first,
            second,
            values: self.expr(must(&mut parts)),
        }
    }

    fn atom(&self, pair: Pair<Rule>) -> Expr {
        let atom = first(pair);
        let span = self.span(&atom);
        let kind = match atom.as_rule() {
            Rule::number => ExprKind::Number(number(atom)),
            Rule::dims => {
                let (mut factors, mut unit) = (vec![], None);
                for part in inner(atom) {
                    match part.as_rule() {
                        Rule::factor => factors.push(part.as_str().to_owned()),
                        _ => unit = Some(part.as_str().to_owned()),
                    }
                }
                ExprKind::Dims(factors, unit)
            }
            Rule::string => ExprKind::String(first(atom).as_str().to_owned()),
            Rule::name => ExprKind::Name(atom.as_str().to_owned()),
            Rule::list => ExprKind::List(inner(atom).map(|p| self.expr(p)).collect()),
            _ => {
                let mut members: Vec<Expr> = inner(atom).map(|p| self.expr(p)).collect();
                match members.len() {
                    // Parentheses around one expression only group; its span takes them in.
                    1 => members.remove(0).kind,
                    _ => ExprKind::Tuple(members),
                }
            }
        };
        Expr { span, kind }
    }
}

fn number(pair: Pair<Rule>) -> Number {
    let mut parts = inner(pair);
    let digits = must(&mut parts).as_str().to_owned();
    Number {
        digits,
        unit: parts.next().map(|unit| unit.as_str().to_owned()),
    }
}
