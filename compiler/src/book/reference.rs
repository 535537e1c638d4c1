//! The pages of the catalogue and of the codes.

use super::Draw;
use super::library::operator_anchor;
use crate::Profile;
use crate::catalog::{self, Operator, Parameter, Type};
use crate::codes::{self, Wrong};
use grammar::ast::Kind;
use grammar::span::Sources;
use serde::Serialize;

/// Records by the first word of their anchors, their titles and fields.
pub(super) const RECORDS: &[(&str, &str, &[Parameter])] = &[
    ("pretrain", "Fields of pretrain", catalog::PRETRAIN),
    (
        "modality",
        "Fields of pretrain for each modality",
        catalog::PER_MODALITY,
    ),
    ("eval", "Fields of eval", catalog::EVAL),
    ("table", "Fields of table", catalog::TABLE),
    ("figure", "Fields of figure", catalog::FIGURE),
];

/// The page of the catalogue.
#[derive(Serialize)]
pub(super) struct Catalogue {
    kinds: Vec<(&'static str, &'static str)>,
    records: Vec<RecordView>,
    subjects: Vec<SubjectView>,
    lists: Vec<(&'static str, &'static [(&'static str, &'static str)])>,
}

#[derive(Serialize)]
struct RecordView {
    title: &'static str,
    fields: Vec<ParameterView>,
}

#[derive(Serialize)]
struct SubjectView {
    title: &'static str,
    operators: Vec<OperatorView>,
}

#[derive(Serialize)]
struct OperatorView {
    anchor: String,
    signature: String,
    makes: &'static str,
    text: &'static str,
    source: String,
    is_later: bool,
    parameters: Vec<ParameterView>,
}

#[derive(Serialize)]
struct ParameterView {
    anchor: String,
    name: &'static str,
    takes: String,
    is_required: bool,
    text: &'static str,
    source: String,
    words: Vec<(&'static str, &'static str)>,
}

/// The catalogue as the page shows it.
pub(super) fn catalogue() -> Catalogue {
    Catalogue {
        kinds: Kind::ALL
            .map(|kind| (kind.word(), catalog::kind_text(kind)))
            .to_vec(),
        records: RECORDS
            .iter()
            .map(|(record, title, fields)| RecordView {
                title,
                fields: fields
                    .iter()
                    .map(|field| parameter(field, format!("f-{record}-{}", field.name)))
                    .collect(),
            })
            .collect(),
        subjects: catalog::SUBJECTS
            .iter()
            .map(|subject| SubjectView {
                title: subject.title,
                operators: subject.operators.iter().map(operator).collect(),
            })
            .collect(),
        lists: vec![
            ("Units", catalog::UNITS),
            ("Reserved words", catalog::RESERVED),
            ("Built-in names", catalog::BUILT_IN),
        ],
    }
}

fn operator(operator: &Operator) -> OperatorView {
    let anchor = operator_anchor(operator);
    OperatorView {
        signature: operator.signature(),
        makes: operator.family.noun(),
        text: operator.text,
        source: catalog::sources(operator.source),
        is_later: operator.is_later,
        parameters: operator
            .parameters
            .iter()
            .map(|one| parameter(one, format!("{anchor}-{}", one.name)))
            .collect(),
        anchor,
    }
}

fn parameter(of: &Parameter, anchor: String) -> ParameterView {
    let words: &[&str] = if let Type::Word(words) = of.takes {
        words
    } else {
        &[]
    };
    ParameterView {
        anchor,
        name: of.name,
        takes: of.takes.describe(),
        is_required: of.is_required,
        text: of.text,
        source: catalog::sources(of.source),
        words: words
            .iter()
            .filter_map(|word| Some((*word, catalog::word(of.name, word)?)))
            .collect(),
    }
}

/// One code.
#[derive(Serialize)]
pub(super) struct CodeView {
    code: &'static str,
    meaning: &'static str,
    what: &'static str,
    wrong: String,
    messages: Vec<String>,
    mended: &'static str,
    why: &'static str,
    paper: Option<&'static str>,
}

/// All codes as their page shows them.
pub(super) fn codes(sources: &Sources, draw: &Draw<'_>) -> Vec<CodeView> {
    let known = codes::known().into_iter();
    known
        .filter_map(|(code, meaning)| {
            let page = codes::page(code)?;
            let (wrong, messages) = match page.wrong {
                Wrong::Missing(name) => (format!("crisscross check {name}"), vec![]),
                Wrong::Text(text) => {
                    let mut sources = sources.clone();
                    let root = sources.add("example.cc", text);
                    let (_, found) = crate::check(&mut sources, root, &|_, _| None, Profile::Full);
                    let of_code = found.iter().filter(|one| one.code == code);
                    let drawn = of_code.map(|one| draw(&sources, one)).collect();
                    (text.to_owned(), drawn)
                }
            };
            Some(CodeView {
                code: code.0,
                meaning,
                what: page.what,
                wrong,
                messages,
                mended: page.mended,
                why: page.why,
                paper: page.paper,
            })
        })
        .collect()
}
