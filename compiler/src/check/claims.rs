//! `assert`: losses by their normal forms in every pretraining of the file, records field by field, numbers exactly, and whatever
//! else has a value by what it comes to.

use super::loss::Context;
use super::media::WrittenClip;
use super::{Checker, Env, Slot, Wanted, name_of, named_call};
use crate::catalog::{self, Family};
use crate::codes;
use crate::graph;
use crate::hir::{Data, Synthetic};
use crate::loss::Loss;
use crate::units::Exact;
use crate::written;
use grammar::ast::{Assert, BinaryOp, Body, CompareOp, Expr, ExprKind, Item, Kind};
use grammar::diagnostic::Diagnostic;
use grammar::span::Spanned;
use serde::Serialize;
use std::collections::BTreeSet;
use std::rc::Rc;

/// How many differing terms or fields a message lists.
const MOST_LINES: usize = 12;

/// What an expression is, as far as it shows without reading all of it: what an assertion compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Number,
    Loss,
    Record(Kind),
    Schedule,
    Clip,
    Modality,
    Chain,
    Layers,
    Policy,
    Data,
    Optimiser,
    List,
    /// A word of the language: `per_view`, `_`.
    Word,
    /// Something that has no value by itself, such as the head of an evaluation.
    Part(&'static str),
    /// A name that nothing knows.
    Unknown,
}

impl Sort {
    fn noun(self) -> &'static str {
        match self {
            Sort::Number => "a number",
            Sort::Loss => "a loss",
            Sort::Record(kind) => catalog::kind_noun(kind),
            Sort::Schedule => "a schedule",
            Sort::Clip => "a clip",
            Sort::Modality => "a modality",
            Sort::Chain => "a chain of augmentations",
            Sort::Layers => "a chain of layers",
            Sort::Policy => "a relaxation policy",
            Sort::Data => "a data set",
            Sort::Optimiser => "an optimiser",
            Sort::List => "a list",
            Sort::Word => "a word",
            Sort::Part(noun) => noun,
            Sort::Unknown => "something unknown",
        }
    }
}

impl<'a> Checker<'a> {
    /// Proves the assertions of every module.
    pub(super) fn claims(&mut self) {
        for module in 0..self.modules.len() {
            let asserts: Vec<&'a Assert> = self.modules[module]
                .tree
                .items
                .iter()
                .filter_map(|item| match item {
                    Item::Assert(assert) => Some(assert),
                    Item::Decl(_) | Item::Allow(_) => None,
                })
                .collect();
            if !asserts.is_empty() {
                let contexts = self.contexts(module);
                asserts
                    .into_iter()
                    .for_each(|assert| self.claim(module, assert, &contexts));
            }
        }
    }

    /// The contexts in which a module's claims about losses are proved: its own pretrainings, or those it uses.
    fn contexts(&mut self, module: usize) -> Vec<(String, Context)> {
        let mut modules = vec![module];
        modules.extend(self.modules[module].uses.iter().copied());
        modules
            .into_iter()
            .map(|module| self.contexts_of(module))
            .find(|contexts| !contexts.is_empty())
            .unwrap_or_default()
    }

    /// The contexts of the pretrainings that a module declares itself, each with the name of one.
    pub(super) fn contexts_of(&mut self, module: usize) -> Vec<(String, Context)> {
        let mut contexts: Vec<(String, Context)> = vec![];
        for (decl, record) in self.declared_records(module, Kind::Pretrain) {
            let Some(networks) = self.networks(&record) else {
                continue;
            };
            let context = networks.context;
            // Widths are checked where a pretraining uses the loss; here only the modalities and views matter.
            let is_new = contexts
                .iter()
                .all(|(_, c)| (&c.modalities, c.views) != (&context.modalities, context.views));
            if is_new {
                contexts.push((decl.name.value.clone(), context));
            }
        }
        contexts
    }

    fn claim(&mut self, module: usize, assert: &'a Assert, contexts: &[(String, Context)]) {
        self.allow_steps();
        let slot = Slot::new(&assert.claim, Env::of_module(module), "assert");
        let ExprKind::Compare(op, left, right) = &assert.claim.kind else {
            let message = "an assertion compares two values";
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
                .help("write `assert a == b`");
            self.report(&slot.env, diagnostic);
            return;
        };
        let (left, right) = (slot.with(left), slot.with(right));
        let Some(sort) = self.common_sort(&slot, &left, &right) else {
            return;
        };
        if sort != Sort::Number && op.value != CompareOp::Equal {
            let what = sort.noun();
            let message = format!("{what} is equal to another one or not, and no less or more");
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, op.span, message)
                .help("write `==`")
                .edit(op.span, "==");
            self.report(&slot.env, diagnostic);
            return;
        }
        match sort {
            Sort::Number | Sort::Unknown => self.claim_numbers(assert, op, &left, &right),
            Sort::Loss => {
                for (name, context) in contexts {
                    if !self.claim_losses(assert, &left, &right, name, context) {
                        return;
                    }
                }
            }
            Sort::Record(kind) => self.claim_records(assert, &left, &right, kind),
            Sort::List => self.claim_lists(assert, &left, &right),
            Sort::Schedule
            | Sort::Clip
            | Sort::Modality
            | Sort::Chain
            | Sort::Layers
            | Sort::Policy
            | Sort::Data
            | Sort::Optimiser
            | Sort::Word
            | Sort::Part(_) => {
                if let (Some(a), Some(b)) = (self.printed(&left, sort), self.printed(&right, sort))
                    && a != b
                {
                    let note = format!("the left side is `{a}`, the right side is `{b}`");
                    self.failed(assert, vec![note]);
                }
            }
        }
    }

    /// The sort of both sides. A rate is a schedule beside one, and a name that nothing knows is what the other side is.
    fn common_sort(&mut self, slot: &Slot<'a>, left: &Slot<'a>, right: &Slot<'a>) -> Option<Sort> {
        let (a, b) = (self.sort(left), self.sort(right));
        let sort = match (a, b) {
            (Sort::Schedule, Sort::Number) | (Sort::Number, Sort::Schedule) => Sort::Schedule,
            (Sort::Unknown | Sort::Word, other) if other != Sort::Word => other,
            (other, Sort::Unknown | Sort::Word) => other,
            (a, b) if a == b => a,
            (a, b) => {
                let (a, b) = (a.noun(), b.noun());
                let message = format!("an assertion compares alike with alike, not {a} with {b}");
                let mut diagnostic =
                    Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message);
                for side in [left, right] {
                    let before = self.found.len();
                    let numbers = self.reduce(side).and_then(|side| self.numbers_of(&side));
                    self.found.truncate(before);
                    if let Some(help) = numbers.filter(|_| a == "a number" || b == "a number") {
                        diagnostic = diagnostic.help(help);
                    }
                }
                self.report(&slot.env, diagnostic);
                return None;
            }
        };
        if let Sort::Part(noun) = sort {
            let message = format!("{noun} has no value by itself to compare");
            let diagnostic = Diagnostic::error(codes::WRONG_KIND_OF_VALUE, slot.span(), message)
                .help("compare the records that it is a part of: `assert mine == linear8`");
            self.report(&slot.env, diagnostic);
            return None;
        }
        Some(sort)
    }

    /// What an expression is, without a word on what may be wrong in it.
    pub(super) fn sort(&mut self, slot: &Slot<'a>) -> Sort {
        if let Some(kind) = self.record_kind(slot) {
            return Sort::Record(kind);
        }
        let before = self.found.len();
        let sort = self.sort_quietly(slot);
        self.found.truncate(before);
        sort.unwrap_or(Sort::Unknown)
    }

    fn sort_quietly(&mut self, slot: &Slot<'a>) -> Option<Sort> {
        if self.is_loss(slot) {
            return Some(Sort::Loss);
        }
        // A data set is its declaration: what stands behind the name is not all of it.
        if let Some(at) = self.declaration_behind(slot, Kind::Data)
            && let Some(name) = at.word()
            && let Some((_, decl)) = self.declared(at.env.module, name)
            && decl.kind.value == Kind::Data
        {
            return Some(Sort::Data);
        }
        let reduced = self.reduce(slot)?;
        if self.is_schedule(&reduced) {
            return Some(Sort::Schedule);
        }
        let word = named_call(reduced.expr).map(|(word, _)| word);
        if let Some(operator) = word.or(reduced.word()).and_then(catalog::any_operator) {
            return Some(sort_of(operator.family));
        }
        Some(match &reduced.expr.kind {
            ExprKind::Number(_) | ExprKind::Neg(_) | ExprKind::Member(..) => Sort::Number,
            ExprKind::At(..) => Sort::Clip,
            ExprKind::List(_) => Sort::List,
            ExprKind::Name(name) => match self.is_a_word(name) {
                true => Sort::Word,
                false => Sort::Unknown,
            },
            ExprKind::Binary(op, left, right) => {
                // Only a chain has links that a `-` joins; the right side is asked where the left one does not show it, so
                // that sums of sums are not walked again and again.
                let is_chain = |sort: &Sort| matches!(sort, Sort::Chain | Sort::Layers);
                let mut sort = Sort::Number;
                if op.value == BinaryOp::Sub {
                    sort = self.sort(&reduced.with(left));
                    if matches!(sort, Sort::Unknown | Sort::Word) {
                        sort = self.sort(&reduced.with(right));
                    }
                }
                Some(sort).filter(is_chain).unwrap_or(Sort::Number)
            }
            ExprKind::String(_) => Sort::Part("a text"),
            ExprKind::Dims(..) => Sort::Part("a size"),
            ExprKind::Tuple(_) => Sort::Part("a group in parentheses"),
            ExprKind::Arrow(..) => Sort::Part("a range"),
            ExprKind::Index(..) => Sort::Part("a view"),
            ExprKind::On(..) | ExprKind::With(..) => Sort::Unknown,
            ExprKind::Compare(..) => Sort::Part("a comparison"),
            ExprKind::Call(..) | ExprKind::Comprehension(..) => Sort::Unknown,
        })
    }

    /// A word that some field takes, such as `per_view`.
    fn is_a_word(&self, name: &str) -> bool {
        let fields = catalog::PRETRAIN.iter().chain(catalog::EVAL);
        let takes = |field: &catalog::Parameter| matches!(field.takes, catalog::Type::Word(words) if words.contains(&name));
        fields
            .chain(catalog::operators().flat_map(|o| o.parameters))
            .any(takes)
    }

    /// The value of one side as one would write it: two sides are equal where this is.
    pub(super) fn printed(&mut self, slot: &Slot<'a>, sort: Sort) -> Option<String> {
        match sort {
            Sort::Schedule => self.schedule(slot).map(|s| written::schedule(&s)),
            Sort::Clip => self.clip(slot).map(|clip| match clip {
                WrittenClip::Video { frames, size, fps } => {
                    written::clip(&crate::hir::Clip::Video { frames, size, fps })
                }
                WrittenClip::Audio { samples, rate } => written::sound(samples, rate),
            }),
            Sort::Modality => self.modality(slot).map(|clip| written::modality(&clip)),
            Sort::Chain => self.chain(slot, None).map(|c| written::chain(&c)),
            Sort::Layers => {
                let network = self.network(slot, super::layers::Role::Any);
                network.map(|n| written::network(&n))
            }
            Sort::Policy => self.policy(slot).map(|p| written::relaxation(&p)),
            Sort::Data => self
                .data(slot)
                .map(|d| format!("{} = {}", written::data_name(&d), written::data(&d))),
            Sort::Optimiser => self.optimiser(slot).map(|o| written::optimiser(&o)),
            Sort::Word => {
                let reduced = self.reduce(slot)?;
                reduced.word().map(str::to_owned)
            }
            Sort::Number
            | Sort::Loss
            | Sort::Record(_)
            | Sort::List
            | Sort::Part(_)
            | Sort::Unknown => None,
        }
    }

    fn claim_numbers(
        &mut self,
        assert: &'a Assert,
        op: &Spanned<CompareOp>,
        left: &Slot<'a>,
        right: &Slot<'a>,
    ) {
        let wanted = Wanted::new("a number", &[Kind::Let], &[]);
        let (Some(a), Some(b)) = (
            self.arithmetic(left, &wanted),
            self.arithmetic(right, &wanted),
        ) else {
            return;
        };
        let mut notes = vec![format!("the left side is {a}, the right side is {b}")];
        if a.dimension != b.dimension {
            notes.push(format!(
                "{} is compared with {}",
                a.dimension.noun(),
                b.dimension.noun()
            ));
            return self.failed(assert, notes);
        }
        let holds = match op.value {
            CompareOp::Equal => a.value == b.value,
            CompareOp::AtMost => a.value <= b.value,
            CompareOp::AtLeast => a.value >= b.value,
            CompareOp::Less => a.value < b.value,
            CompareOp::Greater => a.value > b.value,
        };
        if !holds {
            self.failed(assert, notes);
        }
    }

    /// Two lists, member by member.
    fn claim_lists(&mut self, assert: &'a Assert, left: &Slot<'a>, right: &Slot<'a>) {
        let (Some(a), Some(b)) = (self.list(left, "a list"), self.list(right, "a list")) else {
            return;
        };
        if a.len() != b.len() {
            let note = format!(
                "the left side has {}, the right side {}",
                super::counted(a.len(), "member"),
                b.len()
            );
            return self.failed(assert, vec![note]);
        }
        let mut notes = vec![];
        for (position, (x, y)) in a.iter().zip(&b).enumerate() {
            let sides = [x, y].map(|side| {
                let sort = self.sort(side);
                if sort == Sort::Modality {
                    self.modality_name(side) // which is what it is known by
                } else if sort == Sort::Number {
                    self.arithmetic(side, &Wanted::new("a number", &[Kind::Let], &[]))
                        .map(|quantity| quantity.to_string())
                } else {
                    self.printed(side, sort)
                }
            });
            let [Some(x), Some(y)] = sides else { return };
            if x != y {
                notes.push(format!(
                    "member {} is `{x}` on the left, `{y}` on the right",
                    position + 1
                ));
            }
        }
        if !notes.is_empty() {
            shorten(&mut notes, "members");
            self.failed(assert, notes);
        }
    }

    fn failed(&mut self, assert: &'a Assert, notes: Vec<String>) {
        let source = assert
            .source
            .as_ref()
            .map_or(String::new(), |s| format!(": {}", s.value));
        let message = format!("the assertion does not hold{source}");
        let is_equation = matches!(
            &assert.claim.kind,
            ExprKind::Compare(op, ..) if op.value == CompareOp::Equal
        );
        let here = if is_equation { "not equal" } else { "not so" };
        let mut diagnostic =
            Diagnostic::error(codes::ASSERTION_FAILED, assert.claim.span, message).here(here);
        for note in notes {
            diagnostic = diagnostic.note(note);
        }
        if !self.above.is_empty() && assert.span.file == self.modules[0].file {
            let set = self.above.iter().map(|(path, entry)| {
                let value = self.sources.text(entry.value.span);
                format!("`{path} = {value}`")
            });
            let set: Vec<String> = set.collect();
            diagnostic = diagnostic.note(format!("set on the command line: {}", set.join(", ")));
        }
        self.report(&Env::of_module(0), diagnostic);
    }

    /// The kind of the record that an expression stands for, if it stands for one.
    pub(super) fn record_kind(&self, slot: &Slot<'a>) -> Option<Kind> {
        let mut at = slot.clone();
        // Names lead on to declarations, of which each is passed once.
        for _ in 0..=self.names[slot.env.module].len() {
            if let ExprKind::With(base, _) = &at.expr.kind {
                at = at.with(base);
                continue;
            }
            if let ExprKind::On(..) = &at.expr.kind {
                return Some(Kind::Eval);
            }
            let name = name_of(at.expr)?;
            if let Some(super::Bound::Expr(expr, env)) = at.env.bound(name).cloned() {
                let place = at.place;
                at = Slot { expr, env, place };
                continue;
            }
            if self.is_poisoned(at.env.module, name) {
                return None;
            }
            let (module, decl) = self.declared(at.env.module, name)?;
            let kind = decl.kind.value;
            if matches!(kind, Kind::Pretrain | Kind::Eval) {
                return Some(kind);
            }
            let Body::Expr(expr) = &decl.body else {
                return None;
            };
            if kind != Kind::Let || !decl.params.is_empty() {
                return None;
            }
            let env = at.env.inside(module, at.span());
            let place = at.place;
            at = Slot { expr, env, place };
        }
        None
    }

    /// Does an expression speak of losses?
    fn is_loss(&mut self, slot: &Slot<'a>) -> bool {
        if let Some(name) = name_of(slot.expr) {
            return match self.declared(slot.env.module, name) {
                Some((_, decl)) if decl.kind.value == Kind::Loss => true,
                Some((module, decl)) if decl.kind.value == Kind::Let => {
                    let Body::Expr(expr) = &decl.body else {
                        return false;
                    };
                    let env = slot.env.inside(module, slot.span());
                    if env.depth() > 100 {
                        return false;
                    }
                    // Asked once: a name may stand in names that stand in names.
                    if let Some(known) = self.losses.known_sort(decl) {
                        return known;
                    }
                    let is_loss = self.is_loss(&Slot::new(expr, env, "assert"));
                    self.losses.note_sort(decl, is_loss);
                    is_loss
                }
                Some(_) => false,
                None => {
                    catalog::operator(Family::Term, name).is_some()
                        || catalog::operator(Family::Sum, name).is_some()
                        || self.modules.iter().any(|m| m.broken.contains(name))
                }
            };
        }
        let mut part = |expr: &'a Expr| self.is_loss(&slot.with(expr));
        if let ExprKind::Binary(_, a, b) = &slot.expr.kind {
            return part(a) || part(b);
        }
        if let ExprKind::Neg(inner) | ExprKind::Call(inner, _) | ExprKind::Comprehension(inner, _) =
            &slot.expr.kind
        {
            return part(inner);
        }
        let is_member = matches!(slot.expr.kind, ExprKind::Member(..));
        let reduced = is_member.then(|| self.reduce(slot)).flatten();
        reduced.is_some_and(|reduced| reduced.span() != slot.span() && self.is_loss(&reduced))
    }

    fn claim_losses(
        &mut self,
        assert: &'a Assert,
        left: &Slot<'a>,
        right: &Slot<'a>,
        name: &str,
        context: &Context,
    ) -> bool {
        let (a, b) = (
            self.normal_form(left, context),
            self.normal_form(right, context),
        );
        let (Some(a), Some(b)) = (a, b) else {
            return false;
        };
        if a == b {
            return true;
        }
        let mut notes = differing_terms(&a, &b);
        notes.push(format!("in the modalities and views of `{name}`"));
        self.failed(assert, notes);
        false
    }

    fn claim_records(&mut self, assert: &'a Assert, left: &Slot<'a>, right: &Slot<'a>, kind: Kind) {
        let (Some(a), Some(b)) = (self.record(left, kind), self.record(right, kind)) else {
            return;
        };
        let (a, b) = (Rc::new(a), Rc::new(b));
        // What two assertions build on may be what is wrong with both: it is said once.
        let own: BTreeSet<_> = [&a, &b]
            .into_iter()
            .flat_map(|record| &record.declared)
            .copied()
            .collect();
        let own: BTreeSet<_> = own
            .into_iter()
            .filter(|(module, _)| !self.modules[*module].is_shipped)
            .collect();
        if own.iter().any(|declared| self.disputed.contains(declared)) {
            return;
        }
        let notes = if kind == Kind::Pretrain {
            let (a, b) = (self.pretrain(&a, &left.env), self.pretrain(&b, &right.env));
            let (Some(a), Some(b)) = (a, b) else { return };
            let mut notes = differing_fields(&a, &b, written::pretrain);
            // A loss differs in terms.
            notes.retain(|note| !note.starts_with("`loss`"));
            notes.extend(differing_terms(&a.loss, &b.loss));
            notes
        } else {
            match [&a, &b].map(|record| record.entry("data").is_some()) {
                [true, true] => {}
                // Two protocols without data are compared on any set that has what they use.
                [false, false] => self.stand_in = Some(any_set()),
                [has, _] => {
                    let side = if has { "left" } else { "right" };
                    self.disputed.extend(own);
                    let note = format!("`data` is set on the {side} alone");
                    return self.failed(assert, vec![note]);
                }
            }
            let (a, b) = (self.eval(&a, &left.env), self.eval(&b, &right.env));
            self.stand_in = None;
            let (Some(a), Some(b)) = (a, b) else { return };
            let mut notes = vec![];
            if a.len() != b.len() {
                notes.push(format!(
                    "`score` counts {} numbers on the left, {} on the right",
                    a.len(),
                    b.len()
                ));
            }
            for ((_, a), (_, b)) in a.iter().zip(&b) {
                notes.extend(differing_fields(a, b, written::protocol));
            }
            notes
        };
        if !notes.is_empty() {
            self.disputed.extend(own);
            let mut seen = BTreeSet::new();
            let mut notes = notes;
            notes.retain(|note| seen.insert(note.clone()));
            shorten(&mut notes, "fields");
            self.failed(assert, notes);
        }
    }
}

/// What an operator of a family makes, as an assertion sees it.
fn sort_of(family: Family) -> Sort {
    match family {
        Family::Modality => Sort::Modality,
        Family::Data => Sort::Part("a data set without a name"),
        Family::Augment | Family::Timing => Sort::Chain,
        Family::Layer => Sort::Layers,
        Family::Policy => Sort::Policy,
        Family::Schedule => Sort::Schedule,
        Family::Optimiser => Sort::Optimiser,
        Family::Term | Family::Sum => Sort::Loss,
        Family::Spectrogram
        | Family::Within
        | Family::Clips
        | Family::Feature
        | Family::Head
        | Family::Best
        | Family::Neighbours
        | Family::Keep
        | Family::Fuse
        | Family::Split
        | Family::Score
        | Family::Drawing
        | Family::Projection
        | Family::Highlight
        | Family::Tensor => Sort::Part(family.noun()),
    }
}

/// A set with every stream, of which nothing else matters.
fn any_set() -> Data {
    Data::Synthetic(Synthetic {
        clips: 1,
        classes: 1,
        length: Exact::whole(86_400),
        lag: Exact::whole(0),
        seed: 0,
        streams: vec!["v".to_owned(), "a".to_owned()],
        splits: 1,
    })
}

/// Keeps the first lines and says how many more there are.
fn shorten(lines: &mut Vec<String>, noun: &str) {
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("and {more} more {noun}"));
    }
}

/// What differs in two losses: pairs of views by the paper's names, those of the same two weights in one line; a line for each
/// term where what differs is no such pair.
fn differing_terms(a: &Loss, b: &Loss) -> Vec<String> {
    let of = |this: &Loss, other: &Loss| Loss {
        terms: this
            .terms
            .iter()
            .filter(|(term, weight)| other.weight(term) != *weight)
            .cloned()
            .collect(),
    };
    let (left, right) = (of(a, b), of(b, a));
    let (noun, left, right) = match (graph::pairs(&left), graph::pairs(&right)) {
        (Some(left), Some(right)) => ("pairs", left, right),
        _ => ("terms", by_term(&left), by_term(&right)),
    };
    let weight = |side: &[(String, Exact)], what: &str| {
        let known = side.iter().find(|(known, _)| known == what);
        known.map(|(_, weight)| *weight)
    };
    let own = right
        .iter()
        .filter(|(what, _)| weight(&left, what).is_none());
    let all = left.iter().chain(own).map(|(what, _)| what.as_str());
    let mut groups: Vec<([Option<Exact>; 2], Vec<&str>)> = vec![];
    for what in all {
        let weights = [weight(&left, what), weight(&right, what)];
        let known = groups.iter_mut().find(|(known, _)| *known == weights);
        match known.filter(|_| noun == "pairs") {
            Some((_, some)) => some.push(what),
            None => groups.push((weights, vec![what])),
        }
    }
    let mut lines: Vec<String> = groups
        .into_iter()
        .map(|([left, right], what)| {
            let each = if what.len() > 1 { " each" } else { "" };
            let shown = |weight: Option<Exact>| match weight {
                Some(weight) => format!("{weight}{each}"),
                None => "absent".to_owned(),
            };
            format!(
                "{}: {} on the left, {} on the right",
                what.join(", "),
                shown(left),
                shown(right)
            )
        })
        .collect();
    shorten(&mut lines, noun);
    lines
}

/// The terms of a loss as one would write them.
fn by_term(loss: &Loss) -> Vec<(String, Exact)> {
    let terms = loss.terms.iter();
    terms
        .map(|(term, weight)| (written::term(term), *weight))
        .collect()
}

/// One line for each field whose value differs, as one would write it.
fn differing_fields<T: PartialEq + Serialize>(
    a: &T,
    b: &T,
    fields: impl Fn(&T) -> Vec<(String, String)>,
) -> Vec<String> {
    if a == b {
        return vec![];
    }
    let (left, right) = (fields(a), fields(b));
    let of = |side: &[(String, String)], path: &str| {
        let field = side.iter().find(|(known, _)| known == path);
        field.map_or_else(|| "not set".to_owned(), |(_, text)| text.clone())
    };
    let mut paths: Vec<&String> = left.iter().map(|(path, _)| path).collect();
    let own = |path: &&String| !left.iter().any(|(known, _)| known == *path);
    paths.extend(right.iter().map(|(path, _)| path).filter(own));
    let mut lines = vec![];
    for path in paths {
        let (x, y) = (of(&left, path), of(&right, path));
        if x != y {
            lines.push(format!("`{path}` is {x} on the left, {y} on the right"));
        }
    }
    if lines.is_empty() {
        // What is not written as a field of its own, such as what a data set is made of.
        let json = |value: &T| serde_json::to_string(value).unwrap_or_default();
        lines.push(format!("the left is {}, the right is {}", json(a), json(b)));
    }
    lines
}
