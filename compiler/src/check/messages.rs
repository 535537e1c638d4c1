//! Messages: where a mistake is shown, what stands in the wrong place, and what may be meant.

use super::{Checker, Env, Slot, name_of};
use crate::catalog::{self, Family};
use crate::codes;
use grammar::ast::{ExprKind, Item, Kind};
use grammar::diagnostic::{Diagnostic, Label, Severity};
use grammar::span::{FileId, Span};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// What a place takes, for the message when something else stands there.
pub(crate) struct Wanted<'w> {
    pub(super) noun: &'w str,
    pub(super) kinds: &'w [Kind],
    pub(super) words: &'w [&'w str],
    pub(super) families: &'w [Family],
    pub(super) example: Option<&'w str>,
}

impl<'w> Wanted<'w> {
    pub(super) const fn new(noun: &'w str, kinds: &'w [Kind], families: &'w [Family]) -> Self {
        Wanted {
            noun,
            kinds,
            words: &[],
            families,
            example: None,
        }
    }

    pub(super) const fn example(self, example: &'w str) -> Self {
        Wanted {
            example: Some(example),
            ..self
        }
    }
}

impl<'a> Checker<'a> {
    /// Adds a mistake. One inside a shipped module is shown at the use that led there, with the shipped line as a label.
    pub(super) fn report(&mut self, env: &Env<'a>, mut diagnostic: Diagnostic) {
        if self.is_shipped(diagnostic.primary.span.file) {
            let mut uses = std::iter::successors(env.via.as_ref(), |via| via.outer.as_ref());
            if let Some(via) = uses.find(|via| !self.is_shipped(via.span.file)) {
                if diagnostic.severity != Severity::Error {
                    diagnostic.severity = Severity::Note;
                    diagnostic.is_quiet = true;
                }
                let inner = std::mem::replace(
                    &mut diagnostic.primary,
                    Label {
                        span: via.span,
                        text: String::new(),
                    },
                );
                let text = if inner.text.is_empty() {
                    "it comes from here".to_string()
                } else {
                    inner.text
                };
                diagnostic.labels.insert(
                    0,
                    Label {
                        span: inner.span,
                        text,
                    },
                );
            }
        }
        diagnostic.edits.retain(|edit| {
            !self
                .modules
                .iter()
                .any(|m| m.is_shipped && m.file == edit.span.file)
        });
        if super::is_syntax(&diagnostic) {
            self.broken.push(diagnostic.primary.span);
        }
        self.found.push(diagnostic);
    }

    pub(super) fn is_shipped(&self, file: FileId) -> bool {
        self.modules.iter().any(|m| m.file == file && m.is_shipped)
    }

    /// The edit that sets `field` beside the field at `place`, as that one is laid out: behind a comma in a row, on a line of its
    /// own, or on the same line.
    pub(super) fn field_after(&self, place: Span, field: &str) -> (Span, String) {
        let text = &self.sources.get(place.file).text;
        let (start, end) = (place.start as usize, place.end as usize);
        let before = &text[text[..start].rfind('\n').map_or(0, |at| at + 1)..start];
        let after = text[end..].lines().next().unwrap_or_default();
        let last = text[..start].trim_end();
        let is_alone = before.trim().is_empty()
            && (after.trim().is_empty() || after.trim_start().starts_with('#'));
        let (at, text) = if [",", "\"", "row"].iter().any(|sign| last.ends_with(sign)) {
            (end, format!(", {field}"))
        } else if is_alone {
            (end + after.len(), format!("\n{before}{field}"))
        } else {
            (end, format!("   {field}"))
        };
        (Span::new(place.file, at, at), text)
    }

    /// Adds a plain error at an expression.
    pub(super) fn error(
        &mut self,
        slot: &Slot<'a>,
        code: grammar::diagnostic::Code,
        message: impl Into<String>,
    ) {
        self.report(&slot.env, Diagnostic::error(code, slot.span(), message));
    }

    /// The expression is not what its place takes: says what it is, and what is meant if a name is near.
    pub(super) fn wrong(&mut self, original: &Slot<'a>, reduced: &Slot<'a>, wanted: &Wanted<'_>) {
        if let Some(name) = original.word()
            && original.env.bound(name).is_none()
            && self.declared(original.env.module, name).is_none()
            && catalog::any_operator(name).is_none()
            && original
                .env
                .record
                .as_ref()
                .is_none_or(|r| r.entry(name).is_none())
        {
            self.unknown(original, name, wanted);
            return;
        }
        if let Some(name) = reduced.word()
            && original.word() != Some(name)
            && self.declared(reduced.env.module, name).is_none()
            && catalog::any_operator(name).is_none()
        {
            self.unknown(reduced, name, wanted);
            return;
        }
        if let ExprKind::Call(callee, _) = &reduced.expr.kind
            && let ExprKind::Name(name) = &callee.kind
            && catalog::any_operator(name).is_none()
            && self.declared(reduced.env.module, name).is_none()
        {
            let callee = reduced.with(callee);
            self.unknown(&callee, name, wanted);
            return;
        }
        if let Some(diagnostic) = self.dashed_name(original) {
            self.report(&original.env, diagnostic);
            return;
        }
        if self.is_changed_copy(reduced, wanted) {
            return;
        }
        let message = format!(
            "`{}` takes {}, this is {}",
            original.place,
            wanted.noun,
            self.describe(reduced)
        );
        let mut diagnostic =
            Diagnostic::error(codes::WRONG_KIND_OF_VALUE, original.span(), message);
        // `linear(2048)` among layers: an operator of this language, and the name of another one elsewhere.
        let called = if let ExprKind::Call(callee, _) = &reduced.expr.kind {
            name_of(callee).map(|name| (callee.span, name))
        } else {
            None
        };
        let habit = called.and_then(|(at, name)| {
            let (_, meant) = catalog::HABITS.iter().find(|(habit, _)| *habit == name)?;
            let is_wanted = |meant: &&&str| {
                let mut families = wanted.families.iter();
                families.any(|family| catalog::operator(*family, meant).is_some())
            };
            meant.iter().find(is_wanted).map(|meant| (at, *meant))
        });
        if let Some((at, meant)) = habit {
            diagnostic = diagnostic
                .help(format!("replace with `{meant}`"))
                .edit(at, meant);
        } else if let Some(text) = quoted(original) {
            diagnostic = diagnostic
                .help(format!("write it without quotes: `{text}`"))
                .edit(original.span(), text);
        } else if let Some(example) = wanted.example {
            diagnostic = diagnostic.help(format!("for example `{example}`"));
        }
        let diagnostic = self.with_way_out(original, wanted, diagnostic);
        self.report(&original.env, diagnostic);
    }

    /// A name that nothing knows, with what may be meant.
    pub(super) fn unknown(&mut self, slot: &Slot<'a>, name: &str, wanted: &Wanted<'_>) {
        if self.modules[slot.env.module].lacks_a_module {
            return;
        }
        if self.lacks_prelude(slot, name) {
            return;
        }
        if let Some(view) = self.view_meant(slot, name)
            && wanted.kinds.contains(&Kind::Loss)
        {
            let message = format!("no loss named `{name}`; a view has its number in `[ ]`");
            let diagnostic = Diagnostic::error(codes::UNKNOWN_NAME, slot.span(), message)
                .help(format!("write `{view}`"))
                .edit(slot.span(), view);
            self.report(&slot.env, diagnostic);
            return;
        }
        let mut candidates: Vec<&str> = vec![];
        if self.may_compare(slot.env.module) {
            for (visible, (_, decl)) in &self.names[slot.env.module] {
                if wanted.kinds.contains(&decl.kind.value) {
                    candidates.push(visible);
                }
            }
            candidates.extend(wanted.words);
            for family in wanted.families {
                catalog::operators_of(*family).for_each(|operator| candidates.push(operator));
            }
        }
        let noun = wanted
            .kinds
            .first()
            .map_or("value", |kind| catalog::kind_noun(*kind));
        let noun = match wanted.kinds.first() {
            Some(Kind::Augment) => "augmentation",
            Some(Kind::Layers) => "layer",
            Some(_) | None => noun.split_once(' ').map_or(noun, |(_, noun)| noun),
        };
        let message = format!("no {noun} named `{name}`");
        let mut diagnostic = Diagnostic::error(codes::UNKNOWN_NAME, slot.span(), message);
        if nearest(name, candidates.iter().copied()).is_empty()
            && !candidates.is_empty()
            && candidates.len() <= 12
        {
            let list: Vec<String> = candidates.iter().map(|c| format!("`{c}`")).collect();
            diagnostic = diagnostic.note(format!("known here: {}", list.join(", ")));
        }
        let in_words = catalog::IN_OTHER_WORDS.iter().find(|(n, _)| *n == name);
        if let Some((_, help)) = in_words {
            diagnostic = diagnostic.help(*help);
        }
        if matches!(name.to_lowercase().as_str(), "none" | "null" | "nil") {
            diagnostic = diagnostic
                .note("each field has a value; one that is left out keeps that of what is copied");
        }
        if slot.env.record.is_none() && catalog::PRETRAIN.iter().any(|field| field.name == name) {
            let help = format!("a field stands behind what has it: `crisscross.{name}`");
            diagnostic = diagnostic.help(help);
        }
        if self.modules[slot.env.module].uses.is_empty() && slot.env.module == 0 {
            diagnostic = diagnostic
                .note("this file uses no module; the paper's names come with `use paper`");
        }
        let diagnostic = suggest(diagnostic, slot.span(), name, candidates.into_iter());
        self.report(&slot.env, diagnostic);
    }

    /// May another misspelt name be compared with all that a module sees? Each comparison takes its share of [`MOST_COMPARED`].
    pub(super) fn may_compare(&mut self, module: usize) -> bool {
        // Fields, words and operators are compared with too; they are fewer than these.
        let names = self.names[module].len() + 100;
        match self.to_compare.checked_sub(names) {
            Some(rest) => {
                self.to_compare = rest;
                true
            }
            None => false,
        }
    }

    /// `name[1]`: nothing is called so.
    pub(super) fn unknown_modality(&mut self, slot: &Slot<'a>, name: &str) {
        let wanted = Wanted::new("a modality", &[Kind::Modality], &[]);
        self.unknown(slot, name, &wanted);
    }

    /// `v[name]`: nothing is called so.
    pub(super) fn unknown_view(&mut self, slot: &Slot<'a>, name: &str) {
        if self.modules[slot.env.module].lacks_a_module {
            return;
        }
        let message = format!("no number of a view is named `{name}`");
        let diagnostic = Diagnostic::error(codes::UNKNOWN_NAME, slot.span(), message).help(
            format!("name it in a sum or a mean: `mean(... for {name} in views)`"),
        );
        self.report(&slot.env, diagnostic);
    }

    /// Does the file use a name of the prelude, and no module? It is said once, with what to write.
    fn lacks_prelude(&mut self, slot: &Slot<'a>, name: &str) -> bool {
        let file = slot.span().file;
        let module = &self.modules[slot.env.module];
        if !module.uses.is_empty() || module.is_shipped || !is_of_the_prelude(name) {
            return false;
        }
        const END: &str = "comes with `use paper`, which this file lacks";
        let is_said = |d: &Diagnostic| d.primary.span.file == file && d.message.ends_with(END);
        if !self.found.iter().any(is_said) {
            // A name that the file declares itself would be declared twice.
            let declares = module.tree.items.iter().any(|item| match item {
                Item::Decl(decl) => is_of_the_prelude(&decl.name.value),
                Item::Assert(_) | Item::Allow(_) => false,
            });
            let message = format!("`{name}` {END}");
            let diagnostic = Diagnostic::error(codes::UNKNOWN_NAME, slot.span(), message)
                .help("write `use paper` at the top of the file");
            let (top, line) = (Span::new(file, 0, 0), "use paper\n\n");
            let diagnostic = if declares {
                diagnostic.suggestion(top, line)
            } else {
                diagnostic.edit(top, line)
            };
            self.report(&slot.env, diagnostic);
        }
        true
    }

    /// What an expression is, in the words of messages.
    pub(super) fn describe(&self, slot: &Slot<'a>) -> String {
        match &slot.expr.kind {
            ExprKind::Number(number) => {
                crate::units::Quantity::parse(&number.digits, number.unit.as_deref())
                    .map_or("a number".into(), |q| q.dimension.noun())
            }
            ExprKind::Dims(..) => "a size".into(),
            ExprKind::At(..) => "a clip".into(),
            ExprKind::String(_) => "a text".into(),
            ExprKind::Name(name)
            | ExprKind::Member(_, grammar::span::Spanned { value: name, .. }) => {
                match (
                    self.declared(slot.env.module, name),
                    catalog::any_operator(name),
                ) {
                    (Some((_, decl)), _) => catalog::kind_noun(decl.kind.value).into(),
                    (None, Some(operator)) => operator.family.noun().into(),
                    (None, None) => format!("the word `{name}`"),
                }
            }
            ExprKind::List(_) => "a list".into(),
            ExprKind::Tuple(_) => "a group in parentheses".into(),
            ExprKind::Neg(_) | ExprKind::Binary(..) => "a sum or a chain".into(),
            ExprKind::Compare(..) => "a comparison".into(),
            ExprKind::Arrow(..) => "a range".into(),
            ExprKind::On(..) => "an evaluation on a data set".into(),
            ExprKind::With(..) => "a changed copy of a record".into(),
            ExprKind::Index(..) => "a view".into(),
            ExprKind::Comprehension(..) => Family::Sum.noun().into(),
            ExprKind::Call(callee, _) => match name_of(callee).and_then(catalog::any_operator) {
                Some(operator) => operator.family.noun().into(),
                None => "a call".into(),
            },
        }
    }
}

/// The text in quotes that stands where a name or an expression is due.
pub(super) fn quoted(slot: &Slot<'_>) -> Option<String> {
    let ExprKind::String(text) = &slot.expr.kind else {
        return None;
    };
    (!text.trim().is_empty()).then(|| text.clone())
}

/// How many names a file's misspelt ones are compared with in all: some thousand mistakes beside the names of the prelude, more
/// than are shown.
pub(super) const MOST_COMPARED: usize = 1_000_000;

/// Is it a name that `use paper` brings?
fn is_of_the_prelude(name: &str) -> bool {
    static NAMES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
        let declared = |line: &'static str| {
            let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            words.next().and_then(Kind::from_word)?;
            words.find(|word| !word.is_empty())
        };
        super::PAPER.lines().filter_map(declared).collect()
    });
    NAMES.contains(name)
}

/// Longer names are compared with none.
const LONGEST_NAME: usize = 100;

/// The candidates nearest to a misspelt name: one, or several that are equally near. None is better than a far one.
pub(crate) fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Vec<String> {
    // No name is so long; what is pasted in by mistake may be.
    if name.len() > LONGEST_NAME {
        return vec![];
    }
    let candidates: Vec<&str> = candidates.collect();
    let habit = catalog::HABITS.iter().find(|(habit, _)| *habit == name);
    let meant: Vec<String> = habit
        .map_or(&[][..], |(_, meant)| meant)
        .iter()
        .filter(|meant| candidates.contains(meant))
        .map(|meant| (*meant).to_string())
        .collect();
    if !meant.is_empty() {
        return meant;
    }
    let candidates = candidates.into_iter();
    let lower = name.to_lowercase();
    // Every letter is one letter away from every other: a name of one differs in case alone, one of two in its second letter.
    let letters = name.chars().count();
    let limit = if letters == 2 {
        1
    } else {
        (letters / 3).min(3)
    };
    let near = |candidate: &'n str| {
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        let prefix = candidate.starts_with(name) || name.starts_with(candidate);
        let is_part = prefix && name.len() > 1 && candidate.len() > 1;
        let is_alike = letters != 2
            || distance == 0
            || candidate.chars().count() == 2 && lower.chars().next() == first_of(candidate);
        (distance <= limit && is_alike || is_part).then_some((distance, candidate))
    };
    let mut near: Vec<(usize, &str)> = candidates.filter_map(near).collect();
    near.sort();
    near.dedup();
    let Some((best, _)) = near.first().copied() else {
        return vec![];
    };
    near.iter()
        .filter(|(d, _)| *d == best)
        .map(|(_, c)| c.to_string())
        .take(2)
        .collect()
}

/// The first letter in small.
fn first_of(name: &str) -> Option<char> {
    name.chars().flat_map(char::to_lowercase).next()
}

/// Adds "did you mean" and the edit.
pub(crate) fn suggest<'n>(
    diagnostic: Diagnostic,
    span: Span,
    name: &str,
    candidates: impl Iterator<Item = &'n str>,
) -> Diagnostic {
    suggest_these(diagnostic, span, name, &nearest(name, candidates))
}

/// Adds "did you mean" and the edit for what may be meant by `name`.
pub(super) fn suggest_these(
    diagnostic: Diagnostic,
    span: Span,
    name: &str,
    meant: &[String],
) -> Diagnostic {
    match meant {
        [] => diagnostic,
        [one] if catalog::CLOSE.contains(&name) => {
            diagnostic.help(format!("`{one}` is the closest, and not the same"))
        }
        [one] => {
            let diagnostic = diagnostic
                .here(format!("did you mean `{one}`?"))
                .help(format!("replace with `{one}`"));
            match may_be_another(name, one) {
                true => diagnostic.suggestion(span, one.clone()),
                false => diagnostic.edit(span, one.clone()),
            }
        }
        [one, other, ..] => diagnostic.here(format!("did you mean `{one}` or `{other}`?")),
    }
}

/// The two names differ as siblings do, by their number, or in half of what a name says: what was meant may be neither a slip
/// nor the other, and nothing is replaced unasked.
pub(super) fn may_be_another(name: &str, other: &str) -> bool {
    if catalog::HABITS.iter().any(|(habit, _)| *habit == name) || name.eq_ignore_ascii_case(other) {
        return false;
    }
    let has_number = |name: &str| name.contains(|c: char| c.is_ascii_digit());
    let letters = |name: &str| {
        name.replace(|c: char| c.is_ascii_digit(), "")
            .to_lowercase()
    };
    let are_siblings = has_number(name) && has_number(other) && letters(name) == letters(other);
    // `warmup_epochs` is a longer word for `warmup`; `offset` is none for `of`.
    let goes_on = name
        .strip_prefix(other)
        .is_some_and(|rest| rest.len() > 1 && !rest.starts_with('_'));
    // A field of a modality is none of the whole.
    let depth = |name: &str| name.matches('.').count();
    are_siblings || goes_on || depth(name) != depth(other) || name.chars().count() <= 2
}

/// `1 score`, `2 scores`.
pub fn counted(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}
