//! What must hold of every experiment, and where each of it stands:
//!
//! | property | test |
//! | --- | --- |
//! | a file laid out twice is as laid out once, and means the same | `grammar/tests/format.rs` |
//! | graphs and plans of every file are as they were reviewed | `experiments.rs`, `paper.rs` |
//! | what the preludes assert holds | `paper.rs`: every file checks; broken equations do not: here |
//! | shapes: 4,608, 10,752, 1,536, 80 x 200 | `shapes.rs` |
//! | overlaps of A5: 7/9, 2/3, 7/12, 5/12 | `../src/time/tests.rs`, `time.rs` |
//! | a sum has no order, `unit` is idempotent, a cross term of one modality is empty and refused, a1 and a2 exchanged exchange sync and async | here |
//! | names, order, units, comments, layout and functions written out change no hash | `identity.rs` |
//! | every number and every word of a pretraining or an evaluation does | here |
//! | one mistake is one message | `cascade.rs` |
//! | each pass computes the same | `../src/interpret/tests.rs` |
//! | each message has a bad file and a page | `tests/language.rs` of the whole |
//! | no text stops the compiler | here, `../src/check/tests.rs`, `grammar/tests/robust.rs` |
//! | what follows the grammar is no mistake of syntax | here, `grammar/tests/format.rs` |
//! | 31 pretrainings; calls of the rows of Table 1 | `paper.rs`; `experiments.rs` |
//! | methods are held up, and broken forms of them are not | `../src/check/tests.rs` |

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

#[path = "../../grammar/tests/generate/mod.rs"]
mod generate;

use std::collections::BTreeSet;

use compiler::hir::{Pretrain, Program, Protocol};
use compiler::loss::{Embedding, Loss, Term};
use compiler::{Profile, catalog, plan, written};
use generate::{Choices, Noise};
use grammar::diagnostic::{Diagnostic, Severity};
use proptest::prelude::*;

const DOWNSTREAM: &str = include_str!("../../experiments/downstream.cc");

fn compile(text: &str) -> (Option<Program>, Vec<Diagnostic>) {
    let mut sources = compiler::sources();
    let file = sources.add("test.cc", text);
    let resolve = |_: &str, used: &str| {
        let text = (used == "downstream.cc").then_some(DOWNSTREAM)?;
        Some((used.to_owned(), text.to_owned()))
    };
    compiler::check(&mut sources, file, &resolve, Profile::Full)
}

fn messages(found: &[Diagnostic]) -> Vec<String> {
    let told = found.iter().map(|d| format!("{} {}", d.code, d.message));
    told.collect()
}

fn program(text: &str) -> Program {
    let (program, found) = compile(text);
    program.unwrap_or_else(|| panic!("{text}\n{:?}", messages(&found)))
}

fn loss(text: &str) -> Loss {
    let text = format!(
        "use paper\nloss mine = {text}\npretrain x = crisscross with {{ loss = mine   weights = exact }}\n"
    );
    program(&text).pretrains[0].pretrain.loss.clone()
}

#[test]
fn a_sum_has_no_order_and_no_brackets() {
    let parts = [
        "intra",
        "2 * sync",
        "1/3 * async",
        "-cos(p(v[1]), sg(z(a[2])))",
    ];
    let whole = loss(&parts.join(" + "));
    for turn in 1..parts.len() {
        let mut turned = parts;
        turned.rotate_left(turn);
        assert_eq!(loss(&turned.join(" + ")), whole);
        let (first, rest) = turned.split_at(turn);
        let bracketed = format!("({}) + ({})", first.join(" + "), rest.join(" + "));
        assert_eq!(loss(&bracketed), whole, "{bracketed}");
    }
    assert_eq!(loss("intra + sync - sync"), loss("intra"));
    assert_eq!(loss("2 * (intra + sync)"), loss("2 * intra + 2 * sync"));
}

#[test]
fn unit_is_idempotent() {
    for text in ["intra", "3 * intra + 1/7 * sync", "async - 5 * intra"] {
        let once = loss(&format!("unit({text})"));
        assert_eq!(loss(&format!("unit(unit({text}))")), once, "{text}");
        assert_eq!(loss(&format!("unit(1/9 * ({text}))")), once, "{text}");
    }
}

#[test]
fn a_cross_term_of_one_modality_is_empty_and_refused() {
    let (_, found) = compile(
        "use paper\npretrain x = crisscross with { loss = intra + sync   modalities = [v] }\n",
    );
    assert!(
        found.iter().any(|d| d.code.0 == "E0402"),
        "{:?}",
        messages(&found)
    );
    // Written out it is empty in the same way, and what is left of a sum is never taken for the whole.
    let across = "sum(pair(m[i], n[i]) for m < n in modalities, i in views)";
    let text = format!(
        "use paper\npretrain x = crisscross with {{ loss = intra + {across}   modalities = [v] }}\n"
    );
    let (_, found) = compile(&text);
    assert!(
        found.iter().any(|d| d.code.0 == "E0402"),
        "{:?}",
        messages(&found)
    );
}

/// The loss with the views of one modality exchanged.
fn exchanged(of: &Loss, modality: &str) -> Loss {
    fn swapped(of: &Embedding, wanted: &str) -> Embedding {
        match of {
            Embedding::View { modality, view } if modality == wanted => Embedding::View {
                modality: modality.clone(),
                view: 3 - view,
            },
            Embedding::View { .. } => of.clone(),
            Embedding::Apply(op, inner) => {
                Embedding::Apply(op.clone(), Box::new(swapped(inner, wanted)))
            }
        }
    }
    let terms = of.terms.iter().map(|(term, weight)| {
        let args = term.args.iter().map(|arg| swapped(arg, modality)).collect();
        Loss::of(Term::new(term.op, args)).scaled(*weight).unwrap()
    });
    terms.fold(Loss::default(), |sum, term| sum.plus(&term).unwrap())
}

#[test]
fn exchanging_the_views_of_sound_exchanges_sync_and_async() {
    let [intra, sync, r#async] = ["intra", "sync", "async"].map(loss);
    for modality in ["v", "a"] {
        assert_eq!(exchanged(&sync, modality), r#async);
        assert_eq!(exchanged(&r#async, modality), sync);
        assert_eq!(exchanged(&intra, modality), intra);
    }
    assert_ne!(sync, r#async);
}

/// Each equation of the preludes, written wrongly in one place, contradicts what they assert. A sign does not: what is asserted
/// holds of it both ways, and W0415 is there for that.
#[test]
fn broken_equations_contradict_the_assertions_of_the_preludes() {
    let changes = [
        ("loss pair(x, y) =", "1/2 * D(p(x)", "1/3 * D(p(x)"),
        ("loss pair(x, y) =", "+ 1/2 * D", "+ D"),
        ("loss intra ", "mean(", "sum("),
        ("loss intra ", "= mean", "= 1/2 * mean"),
        ("loss intra ", "pair(m[i], m[j])", "pair(m[i], m[i])"),
        ("loss sync ", "mean(", "sum("),
        ("loss async ", "mean(", "sum("),
        ("loss v1v2 ", "1/2", "1/3"),
        ("loss v1v2 ", "v[2]", "v[1]"),
        ("loss v1v2 ", "pair(v[1]", "pair(a[1]"),
        ("loss a1a2 ", "1/2", "1"),
        ("loss a1a2 ", "a[2]", "a[1]"),
    ];
    for (name, prelude) in compiler::SHIPPED {
        if !prelude.contains("assert intra") {
            continue;
        }
        let errors = |text: &str| -> Vec<&'static str> {
            let (_, found) = compile(text);
            let errors = found.iter().filter(|d| d.code.0.starts_with('E'));
            errors.map(|d| d.code.0).collect()
        };
        assert_eq!(errors(prelude), [""; 0], "{name}");
        for (line, from, to) in changes {
            let old = prelude.lines().find(|l| l.starts_with(line)).unwrap();
            let new = old.replacen(from, to, 1);
            assert_ne!(old, new, "{name}: {line}");
            let found = errors(&prelude.replacen(old, &new, 1));
            assert!(
                !found.is_empty() && found.iter().all(|code| *code == "E0407"),
                "{name}: `{new}` gives {found:?}"
            );
        }
    }
}

/// Numbers of a text, each with where it stands: digits, and what makes them one number.
fn numbers(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let is_word = |at: usize| bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_';
    let (mut found, mut at) = (vec![], 0);
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() || at > 0 && (is_word(at - 1) || bytes[at - 1] == b'.') {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && (bytes[at].is_ascii_digit() || bytes[at] == b'.') {
            at += 1;
        }
        found.push((start, at));
    }
    found
}

/// Another number of the same form: `8` for `7`, `0.51` for `0.5`.
fn another(number: &str) -> Vec<String> {
    let mut others = match number.parse::<u64>() {
        Ok(whole) => vec![(whole + 1).to_string(), (whole * 2).to_string()],
        Err(_) => vec![format!("{number}1")],
    };
    let less = number.parse::<u64>().ok().filter(|n| *n > 1);
    others.extend(less.map(|n| (n - 1).to_string()));
    others.retain(|other| other != number);
    others
}

/// Every number and every word of `text` changed by itself: what is refused says so, and what closes must have another id.
/// What was changed with success, by the line that it stands in.
fn each_change_counts(text: &str, id: &dyn Fn(&Program) -> Vec<String>) -> BTreeSet<String> {
    let known = id(&program(text));
    let mut places: Vec<(usize, usize, Vec<String>)> = numbers(text)
        .into_iter()
        .map(|(start, end)| (start, end, another(&text[start..end])))
        .collect();
    let switches = [("yes", "no"), ("no", "yes"), ("consistent", "per_frame")];
    let words = catalog::WORDS.iter();
    for (place, word, _) in words {
        let others = catalog::WORDS.iter();
        // Weights that sum to one are `unit` already: another test is about these words.
        let others: Vec<String> = others
            .filter(|(p, w, _)| p == place && w != word && *p != "weights")
            .map(|(_, w, _)| (*w).to_owned())
            .collect();
        for sign in [": ", " = "] {
            let written = format!("{place}{sign}{word}");
            for (at, _) in text.match_indices(&written) {
                let end = at + written.len();
                let is_whole = !text[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
                if is_whole {
                    places.push((end - word.len(), end, others.clone()));
                }
            }
        }
    }
    for (from, to) in switches {
        for before in [": ", " = "] {
            for (at, _) in text.match_indices(&format!("{before}{from}")) {
                let start = at + before.len();
                places.push((start, start + from.len(), vec![to.to_owned()]));
            }
        }
    }
    let mut changed = BTreeSet::new();
    for (start, end, others) in places {
        for other in others {
            let new = format!("{}{other}{}", &text[..start], &text[end..]);
            let (Some(program), _) = compile(&new) else {
                continue;
            };
            let line = text[..start].lines().last().unwrap_or_default();
            assert_ne!(
                id(&program),
                known,
                "`{other}` behind `{line}` changes nothing"
            );
            let field = line.trim_start().split([' ', '=']).next().unwrap();
            changed.insert(field.to_owned());
        }
    }
    changed
}

/// A file that holds the pretraining alone. What every modality says itself is not said for all.
fn file(of: &Pretrain) -> String {
    let fields = written::pretrain(of);
    let (declared, own): (Vec<_>, Vec<_>) =
        fields.into_iter().partition(|(path, _)| path.contains(' '));
    let mut text = String::new();
    for (path, value) in declared {
        text += &format!("{path} = {value}\n");
    }
    text += "pretrain it {\n";
    for (path, value) in own {
        if path != "lr_b" && path != "lr_p" {
            text += &format!("  {path} = {value}\n");
        }
    }
    text + "}\n"
}

#[test]
fn every_number_and_word_of_a_pretraining_is_part_of_its_id() {
    let mut changed = BTreeSet::new();
    for of in [
        "use paper\npretrain one = crisscross\n",
        "use paper\npretrain one = crisscross_k400 with { loss = intra   relax = extreme   bn_group = 128 }\n",
        "use paper\npretrain one = crisscross with { loss = 25 * mse(z(v[1]), z(v[2])) + cov(z(v[1])) + hinge_std(z(a[1])) + info_nce(z(v[1]), z(a[1]), t: 0.07)   \
         lr_b = multistep(0.001, ms: [8ep, 12ep], gamma: 0.3)   optim = sgd(mtm: 0.9, wd: 0.0001)   relax = none }\n",
    ] {
        let text = file(&program(of).pretrains[0].pretrain);
        let id =
            |program: &Program| vec![compiler::hash::pretrain(&program.pretrains[0].pretrain).0];
        changed.extend(each_change_counts(&text, &id));
    }
    let weighed = ["unit", "exact", "per_family"].map(|weights| {
        let text = format!(
            "use paper\npretrain x = crisscross with {{ loss = 3 * intra + sync   weights = {weights} }}\n"
        );
        compiler::hash::pretrain(&program(&text).pretrains[0].pretrain).0
    });
    assert_eq!(weighed.into_iter().collect::<BTreeSet<_>>().len(), 3);
    // Every field of a pretraining was changed with success at least once, but for names: which data and which modalities.
    let fields = catalog::PRETRAIN.iter().map(|f| f.name);
    let fields =
        fields.filter(|name| !["data", "modalities", "lr_b", "lr_p", "weights"].contains(name));
    let own = catalog::PER_MODALITY.iter().filter(|f| f.is_required);
    let own = own.flat_map(|f| ["v", "a"].map(|m| format!("{m}.{}", f.name)));
    let wanted = fields.map(str::to_owned).chain(own);
    let wanted =
        wanted.chain(["v.lr_b", "a.lr_b", "v.lr_p", "v.h", "modality", "data"].map(str::to_owned));
    let missing: Vec<String> = wanted.filter(|field| !changed.contains(field)).collect();
    assert!(
        missing.is_empty(),
        "{missing:?} were never changed: {changed:?}"
    );
}

#[test]
fn every_number_and_word_of_an_evaluation_is_part_of_its_stages() {
    let texts = [
        include_str!("../../experiments/table1.cc"),
        include_str!("../../experiments/table4.cc"),
        include_str!("../../experiments/table6.cc"),
        "use paper\nuse \"downstream.cc\"\ntable t { of = crisscross   scores = [retrieval on UCF101]\n  row\n}\n",
    ];
    let mut seen = BTreeSet::new();
    let mut changed = BTreeSet::new();
    for text in texts {
        for (_, protocol) in program(text).tables.iter().flat_map(|t| t.scores.clone()) {
            let Protocol::Single(_) = &protocol else {
                continue;
            };
            let lines = written::protocol(&protocol).into_iter();
            let lines: String = lines
                .map(|(path, text)| format!("  {path} = {text}\n"))
                .collect();
            let text = format!(
                "use paper\neval it {{\n{lines}}}\ntable t {{ of = crisscross   scores = [it]\n  row\n}}\n"
            );
            // The same protocol on another set has the same fields.
            let form = lines
                .lines()
                .filter(|l| !l.starts_with("  data"))
                .collect::<String>();
            if !seen.insert(form) {
                continue;
            }
            let id = |program: &Program| {
                let plan = plan::plan(&[("test.cc", program)]).unwrap();
                plan.stages.iter().map(|stage| stage.id.0.clone()).collect()
            };
            changed.extend(each_change_counts(&text, &id));
        }
    }
    let wanted = ["clip", "train", "test", "features", "head", "score"];
    let missing: Vec<&str> = wanted
        .into_iter()
        .filter(|f| !changed.contains(*f))
        .collect();
    assert!(
        missing.is_empty(),
        "{missing:?} were never changed: {changed:?}"
    );
}

/// Checks a text: whatever it is there is a program or an error, and all that is said can be shown. Returns the codes.
fn codes_of_any(text: &str) -> Vec<&'static str> {
    let mut sources = compiler::sources();
    let file = sources.add("test.cc", text);
    let (program, found) = compiler::check(&mut sources, file, &|_, _| None, Profile::Full);
    let is_wrong = found.iter().any(|d| d.severity == Severity::Error);
    assert_eq!(
        program.is_none(),
        is_wrong,
        "{text}\n{:?}",
        messages(&found)
    );
    for diagnostic in &found {
        let labels = diagnostic.labels.iter().map(|label| label.span);
        let edits = diagnostic.edits.iter().map(|edit| edit.span);
        let shown = [diagnostic.primary.span].into_iter().chain(labels);
        for span in shown.chain(edits) {
            sources.text(span);
        }
        assert!(!diagnostic.message.is_empty(), "{text}");
    }
    found.iter().map(|d| d.code.0).collect()
}

/// A program that follows the grammar.
fn programs() -> impl Strategy<Value = String> {
    let choices = prop::collection::vec(any::<u8>(), 0..200);
    choices.prop_map(|list| generate::program(&mut Choices::new(&list), Noise::Docs))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_follows_the_grammar_is_no_mistake_of_syntax(text in programs()) {
        let codes = codes_of_any(&text);
        // Whether a field of a row lacks its comma is asked where the rows are known.
        let is_right = |code: &&str| !code.starts_with("E01") || *code == "E0111";
        prop_assert!(codes.iter().all(is_right), "{text}\n{codes:?}");
    }

    #[test]
    fn no_text_stops_the_compiler(text in any::<String>()) {
        codes_of_any(&text);
    }

    #[test]
    fn no_program_that_breaks_off_stops_the_compiler(
        first in programs(),
        second in programs(),
        at in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
    ) {
        let head = &first[..first.floor_char_boundary(at.index(first.len()))];
        let tail = &second[second.floor_char_boundary(from.index(second.len()))..];
        codes_of_any(&format!("{head}{tail}"));
    }
}
