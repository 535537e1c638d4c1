use super::*;
use crate::units::{Dimension, Quantity};
use std::collections::BTreeSet;

/// Every field and parameter with the name of what has it.
fn parameters() -> Vec<(String, &'static Parameter)> {
    let records = [
        ("pretrain", PRETRAIN),
        ("modality of a pretraining", PER_MODALITY),
        ("eval", EVAL),
        ("table", TABLE),
        ("figure", FIGURE),
    ];
    let fields = records
        .into_iter()
        .flat_map(|(of, fields)| fields.iter().map(move |field| (of.to_owned(), field)));
    let arguments = operators().flat_map(|o| o.parameters.iter().map(|p| (o.name.to_owned(), p)));
    fields.chain(arguments).collect()
}

/// One sentence's rest: no capital, no full stop, no line break.
fn is_a_sentence(text: &str) -> bool {
    text.len() > 8 && !text.ends_with('.') && !text.contains('\n') && text.trim() == text
}

#[test]
fn nothing_in_the_catalogue_lacks_its_text() {
    for (of, parameter) in parameters() {
        let what = format!("`{}` of `{of}`", parameter.name);
        assert!(
            is_a_sentence(parameter.text),
            "{what}: {:?}",
            parameter.text
        );
        assert!(!parameter.takes.describe().is_empty(), "{what}");
    }
    for fields in [PRETRAIN, PER_MODALITY, EVAL, TABLE, FIGURE] {
        for field in fields {
            assert!(!field.source.is_empty(), "`{}` has no source", field.name);
        }
    }
    for operator in operators() {
        assert!(
            is_a_sentence(operator.text),
            "`{}`: {:?}",
            operator.name,
            operator.text
        );
        assert!(
            !operator.source.is_empty(),
            "`{}` has no source",
            operator.name
        );
    }
    for kind in Kind::ALL {
        assert!(is_a_sentence(kind_text(kind)), "{}", kind.word());
    }
    for (name, text) in [UNITS, RESERVED, BUILT_IN].concat() {
        assert!(!text.is_empty(), "{name}");
    }
}

#[test]
fn each_word_that_a_place_takes_has_a_meaning_and_no_other_has() {
    let mut taken = BTreeSet::from([("of", "each")]);
    for (_, parameter) in parameters() {
        if let Type::Word(words) = parameter.takes {
            taken.extend(words.iter().map(|word| (parameter.name, *word)));
        }
    }
    for operator in operators() {
        if let Some(Type::Word(words)) = operator.per_modality {
            taken.extend(words.iter().map(|word| (operator.name, *word)));
        }
    }
    let known: BTreeSet<_> = WORDS
        .iter()
        .map(|(place, word, _)| (*place, *word))
        .collect();
    assert_eq!(taken, known);
}

/// The help of the first message on a text.
fn help(text: &str) -> String {
    let mut sources = crate::sources();
    let id = sources.add("x.cc", text);
    let (_, found) = grammar::parse(&sources, id);
    found
        .first()
        .and_then(|one| one.help.clone())
        .unwrap_or_default()
}

#[test]
fn the_units_are_those_that_a_number_can_have() {
    let listed = help("assert 1furlongs == 2");
    let known: BTreeSet<&str> = listed.split('`').skip(1).step_by(2).collect();
    let documented: BTreeSet<&str> = UNITS.iter().map(|(unit, _)| *unit).collect();
    assert_eq!(known, documented, "{listed}");
    for (unit, _) in UNITS {
        let quantity = Quantity::parse("1", Some(unit)).expect("one fits");
        let is_plain = quantity.dimension == Dimension::NUMBER && quantity.value.to_f64() == 1.0;
        assert!(!is_plain, "`{unit}` is no unit");
    }
}

#[test]
fn a_reserved_word_names_nothing_and_a_built_in_name_may() {
    for (word, _) in RESERVED {
        let mut sources = crate::sources();
        let id = sources.add("x.cc", format!("let {word} = 1"));
        let (_, found) = grammar::parse(&sources, id);
        let codes: Vec<&str> = found.iter().map(|one| one.code.0).collect();
        assert_eq!(codes, ["E0113"], "{word}");
    }
}

/// The catalogue and the operators of the normal form say the same of which samples are compared.
#[test]
fn what_looks_across_the_batch_is_the_same_everywhere() {
    use crate::loss::{EmbeddingOp, Scope, TermOp};
    let t = crate::units::Exact::new(1, 10);
    let terms = [
        TermOp::Cos,
        TermOp::Mse,
        TermOp::Dot,
        TermOp::Xent,
        TermOp::InfoNce { t, negatives: None },
        TermOp::HingeStd,
        TermOp::Cov,
    ];
    let of = |name: &str| operators().find(|o| o.name == name).map(|o| o.scope);
    for term in terms {
        assert_eq!(of(term.name()), Some(term.scope()), "{}", term.name());
    }
    let bank = TermOp::InfoNce {
        t,
        negatives: Some(1024),
    };
    assert_eq!(bank.scope(), Scope::Sample);
    let sinkhorn = EmbeddingOp::Sinkhorn { eps: t };
    assert_eq!(of("sinkhorn"), Some(sinkhorn.scope()));
    let batch = operators().filter(|o| o.scope == Scope::Batch);
    let batch: Vec<&str> = batch.map(|o| o.name).collect();
    assert_eq!(batch, ["info_nce", "hinge_std", "cov", "sinkhorn"]);
}
