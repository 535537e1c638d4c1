//! The file as written: every node has a span, no name is looked up.

use crate::docs::Doc;
use crate::span::{Span, Spanned};
use std::collections::BTreeMap;

/// A name and its place.
pub type Name = Spanned<String>;

/// A whole `.cc` file. Declarations that could not be read are absent here and present in the diagnostics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// `use paper` lines.
    pub uses: Vec<Use>,
    /// Declarations and assertions in the order of the file.
    pub items: Vec<Item>,
    /// The file is nothing but this expression: the shortest experiment.
    pub bare: Option<Expr>,
    /// All comments, in order, without `#` and the line end.
    pub comments: Vec<Spanned<String>>,
    /// Names of declarations with a mistake in them. They are absent from `items`, or stand there without the field or row
    /// that could not be read: what they lack, and that they are not found, is no further mistake.
    pub broken: Vec<Name>,
    /// What the doc comments say, by the span of the declaration, assertion, field or row that they are about.
    pub docs: BTreeMap<Span, Doc>,
}

/// `use paper` or `use "folder/file.cc"`.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// The whole line.
    pub span: Span,
    /// The module's name or path.
    pub module: Name,
    /// Written as a string: a path relative to the file.
    pub is_path: bool,
}

/// One top-level item.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `kind name ... `.
    Decl(Decl),
    /// `assert expr, "why"`.
    Assert(Assert),
    /// `allow W0503 "why"`.
    Allow(Allow),
}

/// `allow W0503 "the baseline of Fig. 4"`: warnings of this code are meant. It is about the file, block or row in which it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Allow {
    /// The whole item.
    pub span: Span,
    /// The code as written.
    pub code: Name,
    /// Why; required, but that is no question of syntax.
    pub reason: Option<Spanned<String>>,
}

/// `assert L == M, "Eq. 5"`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assert {
    /// The whole item.
    pub span: Span,
    /// What must hold.
    pub claim: Expr,
    /// Where the claim comes from.
    pub source: Option<Spanned<String>>,
}

/// The kinds of declaration. Contextual words: they stay usable as field names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    Modality,
    Data,
    Augment,
    Layers,
    Relaxation,
    Loss,
    Let,
    Pretrain,
    Eval,
    Table,
    Figure,
}

impl Kind {
    /// Every kind, in the order of the paper's parts.
    pub const ALL: [Kind; 11] = [
        Kind::Modality,
        Kind::Data,
        Kind::Augment,
        Kind::Layers,
        Kind::Relaxation,
        Kind::Loss,
        Kind::Let,
        Kind::Pretrain,
        Kind::Eval,
        Kind::Table,
        Kind::Figure,
    ];

    /// The word that declares it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Modality => "modality",
            Kind::Data => "data",
            Kind::Augment => "augment",
            Kind::Layers => "layers",
            Kind::Relaxation => "relaxation",
            Kind::Loss => "loss",
            Kind::Let => "let",
            Kind::Pretrain => "pretrain",
            Kind::Eval => "eval",
            Kind::Table => "table",
            Kind::Figure => "figure",
        }
    }

    /// The kind that `word` declares.
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// `kind name(params) "title" = expr` or `kind name { ... }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Decl {
    /// The whole declaration.
    pub span: Span,
    /// What is declared.
    pub kind: Spanned<Kind>,
    /// Its name.
    pub name: Name,
    /// Parameters; with any, the declaration is a macro.
    pub params: Vec<Name>,
    /// The title of a table or figure.
    pub title: Option<Spanned<String>>,
    /// Its value.
    pub body: Body,
}

/// The right-hand side of a declaration.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// `= expr`.
    Expr(Expr),
    /// `{ ... }`.
    Block(Block),
}

/// `{ field = value  for x in xs { row }  row ... }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// From `{` to `}`.
    pub span: Span,
    /// What stands inside, in order.
    pub items: Vec<BlockItem>,
}

impl Block {
    /// The fields that it sets, without those of its rows.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.items.iter().filter_map(|item| match item {
            BlockItem::Field(field) => Some(field),
            BlockItem::For(_) | BlockItem::Row(_) | BlockItem::Allow(_) => None,
        })
    }
}

/// One item of a block.
#[derive(Clone, Debug, PartialEq)]
pub enum BlockItem {
    /// `path = value`.
    Field(Field),
    /// `for path in list ...`.
    For(For),
    /// `row ...`.
    Row(Row),
    /// `allow W0503 "why"`.
    Allow(Allow),
}

/// A dotted path such as `v.lr_b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The whole path.
    pub span: Span,
    /// Its names; at least one.
    pub names: Vec<Name>,
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, name) in self.names.iter().enumerate() {
            let dot = if i > 0 { "." } else { "" };
            write!(f, "{dot}{}", name.value)?;
        }
        Ok(())
    }
}

/// `path = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The whole field.
    pub span: Span,
    /// What is set.
    pub path: Path,
    /// To what.
    pub value: Expr,
}

/// `for path in list body` or, zipped, `for (path, path) in list body`.
#[derive(Clone, Debug, PartialEq)]
pub struct For {
    /// The whole item.
    pub span: Span,
    /// What is swept.
    pub paths: Vec<Path>,
    /// The values.
    pub values: Expr,
    /// Rows made once for each value.
    pub body: Vec<BlockItem>,
}

/// `row "label" path = value, ..., allow W0503 "why" expect 1.0, _`.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The whole row.
    pub span: Span,
    /// Its name in the table.
    pub label: Option<Spanned<String>>,
    /// What differs from the table's `of`.
    pub fields: Vec<Field>,
    /// Warnings that are meant of this row; written among its fields.
    pub allows: Vec<Allow>,
    /// The published numbers, in the order of the scores; `None` is `_`.
    pub expect: Vec<Spanned<Option<Number>>>,
}

/// A number as written: `0.0002`, `16fps`, `1e-4`, `22K`.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// Digits, decimal point and exponent, without the unit.
    pub digits: String,
    /// The unit's text, e.g. `fps`.
    pub unit: Option<String>,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Its place.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `16fps`.
    Number(Number),
    /// `8x112px`: the factors in order and the unit.
    Dims(Vec<String>, Option<String>),
    /// `"text"`, without the quotes.
    String(String),
    /// A name.
    Name(String),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `(a, b)`, at least two; one in parentheses is that expression itself.
    Tuple(Vec<Expr>),
    /// `-x`.
    Neg(Box<Expr>),
    /// `a + b`, `a - b`, `a * b`, `a / b`; the operator's place is kept for messages.
    Binary(Spanned<BinaryOp>, Box<Expr>, Box<Expr>),
    /// `a == b` and the like.
    Compare(Spanned<CompareOp>, Box<Expr>, Box<Expr>),
    /// `a -> b`.
    Arrow(Box<Expr>, Box<Expr>),
    /// `eval on data`.
    On(Box<Expr>, Box<Expr>),
    /// `8x112px @ 16fps`.
    At(Box<Expr>, Box<Expr>),
    /// `base with { ... }`.
    With(Box<Expr>, Block),
    /// `base.name`.
    Member(Box<Expr>, Name),
    /// `base[index]`.
    Index(Box<Expr>, Box<Expr>),
    /// `callee(args)`.
    Call(Box<Expr>, Vec<Arg>),
    /// `callee(element for m in modalities, i < j in views)`.
    Comprehension(Box<Expr>, Box<Comprehension>),
}

/// An argument, `name: value` or `value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// The parameter it is for.
    pub name: Option<Name>,
    /// Its value.
    pub value: Expr,
}

/// `element for binders`, the only argument of its call.
#[derive(Clone, Debug, PartialEq)]
pub struct Comprehension {
    /// From the element to the last binder.
    pub span: Span,
    /// The summand.
    pub element: Expr,
    /// What it ranges over.
    pub binders: Vec<Binder>,
}

/// `m in xs`, `m < n in xs` or `i != j in xs`.
#[derive(Clone, Debug, PartialEq)]
pub struct Binder {
    /// The whole binder.
    pub span: Span,
    /// The first name.
    pub first: Name,
    /// The relation and the second name of a pair.
    pub second: Option<(PairRelation, Name)>,
    /// The values.
    pub values: Expr,
}

/// How the two names of a pair relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairRelation {
    /// Unordered pairs, in the order of the list.
    Before,
    /// Ordered pairs of different members.
    Different,
}

/// `+ - * /`. A `-` between links of a chain is the same operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
}

/// `== <= >= < >`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CompareOp {
    Equal,
    AtMost,
    AtLeast,
    Less,
    Greater,
}
