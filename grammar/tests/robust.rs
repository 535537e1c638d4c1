//! Parsing ends in time and in order whatever the text is.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use std::time::{Duration, Instant};

use grammar::ast::File;
use grammar::diagnostic::Diagnostic;
use grammar::parse;
use grammar::span::Sources;
use proptest::prelude::*;

fn read(text: &str) -> (File, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let file = sources.add("test.cc", text);
    let (tree, found) = parse(&sources, file);
    for diagnostic in &found {
        // Every span can be cut out of the text.
        let spans = [diagnostic.primary.span]
            .into_iter()
            .chain(diagnostic.labels.iter().map(|l| l.span));
        for span in spans.chain(diagnostic.edits.iter().map(|e| e.span)) {
            sources.text(span);
        }
        assert!(
            !diagnostic.message.is_empty() && !diagnostic.message.ends_with('.'),
            "{}",
            diagnostic.message
        );
    }
    (tree, found)
}

/// Texts of pieces that occur in files, in any order.
fn pieces() -> impl Strategy<Value = String> {
    const PIECES: [&str; 74] = [
        "use",
        "paper",
        "assert",
        "loss",
        "let",
        "pretrain",
        "table",
        "data",
        "row",
        "for",
        "in",
        "expect",
        "with",
        "on",
        "x",
        "v.f",
        "intra",
        "=",
        "==",
        "+",
        "-",
        "*",
        "/",
        "->",
        "<",
        "!=",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        ".",
        "@",
        "2s",
        "2",
        "s",
        "50%",
        "8x112px",
        "1e-4",
        "\"text\"",
        "\"",
        "# note\n",
        "\n",
        "\n",
        "\n",
        "_",
        ";",
        "//",
        "/*",
        "é",
        "#include <x>\n",
        "::",
        "0.",
        ".5",
        "\u{feff}",
        "if",
        "else",
        "lambda",
        "and",
        "from",
        "import",
        "as",
        "defaults:",
        "${",
        "$",
        "..",
        "1..3",
        "my-run",
        "32 x 224px",
        "row \"a\"",
        "v { f =",
    ];
    prop::collection::vec((0..PIECES.len(), prop::bool::ANY), 0..60).prop_map(|picks| {
        picks
            .into_iter()
            .map(|(i, blank)| format!("{}{}", PIECES[i], if blank { " " } else { "" }))
            .collect()
    })
}

/// Questions of pieces that occur in questions.
fn questions() -> impl Strategy<Value = String> {
    const PIECES: [&str; 22] = [
        "where",
        "and",
        "or",
        "not",
        "has",
        "(",
        ")",
        "bs",
        "loss",
        "async",
        ">=",
        "==",
        "=",
        "3",
        "100ep",
        "intra + sync",
        "v.augment",
        "adn",
        "&&",
        "row",
        ",",
        ":",
    ];
    let rest = prop::collection::vec(0..PIECES.len(), 0..20);
    rest.prop_map(|picks| {
        let words = picks.into_iter().map(|i| PIECES[i]);
        format!("rows {}", words.collect::<Vec<_>>().join(" "))
    })
}

proptest! {
    #[test]
    fn any_text_is_read(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn any_question_is_read(text in prop_oneof![any::<String>(), pieces(), questions()]) {
        let mut sources = Sources::default();
        let file = sources.add("question", text);
        if let Err(wrong) = grammar::query::parse(&sources, file) {
            let spans = [wrong.primary.span].into_iter().chain(wrong.edits.iter().map(|e| e.span));
            for span in spans {
                sources.text(span);
            }
            prop_assert!(!wrong.message.is_empty() && !wrong.message.ends_with('.'));
        }
    }

    #[test]
    fn any_pieces_are_read(text in pieces()) {
        let (tree, found) = read(&text);
        let is_empty = tree.uses.is_empty() && tree.items.is_empty() && tree.bare.is_none();
        let is_blank = text.lines().all(|l| l.split('#').next().unwrap().trim_matches(['\u{feff}', ' ']).is_empty());
        prop_assert!(!is_empty || !found.is_empty() || is_blank, "nothing read and nothing said");
    }
}

/// What a message cuts out of the text is there.
#[test]
fn a_field_without_its_first_member_is_read() {
    let (_, found) = read("pretrain x = y with { v.f = , a, b }");
    assert_eq!(found.len(), 1, "{found:?}");
}

/// A mend that takes the place of part of a character, and one of a whole one.
#[test]
fn a_place_is_never_within_a_character() {
    read("50%\u{feff}.5");
    read("50%\u{feff}\u{feff}. 7 x = 50%\u{feff}.");
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    for (open, close) in [("(", ")"), ("[", "]"), ("f(", ")"), ("x with { y = ", "}")] {
        let fits = format!("loss x = {}1{}", open.repeat(30), close.repeat(30));
        assert_eq!(read(&fits).1, [], "{open} 30 times");
        let codes: Vec<_> = read(&format!("loss x = {}", open.repeat(10_000)))
            .1
            .iter()
            .map(|d| d.code.0)
            .collect();
        assert_eq!(codes, ["E0109"], "{open} 10000 times");
    }
    for link in [" + x", ".x", "[1]", " on x", " - x(1)"] {
        assert_eq!(
            read(&format!("loss x = x{}", link.repeat(200))).1,
            [],
            "{link} 200 times"
        );
        assert_eq!(
            read(&format!("loss x = x{}", link.repeat(100_000))).1.len(),
            1,
            "{link} 100000 times"
        );
    }
    assert_eq!(
        read(&format!(
            "table t {{ {} row }}",
            "for x in y ".repeat(10_000)
        ))
        .1
        .len(),
        1
    );
}

#[test]
fn many_items_are_no_nesting() {
    for item in [
        "assert a.b + c == d",
        "data d { clips = 1 }",
        "pretrain p { }",
    ] {
        let text = format!("use paper\n{}", format!("{item}\n").repeat(1000));
        assert_eq!(read(&text).1, [], "{item}");
    }
    let rows = "for x in [1, 2] { row }\n".repeat(1000);
    assert_eq!(read(&format!("table t {{\n{rows}}}\n")).1, []);
}

#[test]
fn a_text_without_end_is_one_mistake() {
    let found = read(&"x\n".repeat(1_000_001)).1;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].code.0, found[0].primary.span.start),
        ("E0109", 2_000_000)
    );
    let fits = "use paper\n".to_owned() + &"let n = 12\n".repeat(200_000);
    assert_eq!(read(&fits).1, []);
}

#[test]
fn a_comment_is_not_copied_without_end() {
    let text = |fields: usize| {
        let fields: String = (0..fields).map(|i| format!("f{i} = 1 ")).collect();
        format!(
            "pretrain x {{\n  ## {}\n  {fields}\n}}\n",
            "long ".repeat(2000)
        )
    };
    let (tree, found) = read(&text(100));
    assert_eq!((tree.docs.len(), found), (100, vec![]));
    let (_, found) = read(&text(10_000));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].code.0, found[0].primary.span.start),
        ("E0109", 15)
    );
}

#[test]
fn places_in_a_long_line_are_counted_in_characters() {
    let text = format!("first\n{}\r\nlast", "aé→😀".repeat(1000));
    let mut sources = Sources::default();
    let file = sources.add("test.cc", text.as_str());
    for (byte, _) in text.char_indices() {
        let lines: Vec<&str> = text[..byte].split('\n').collect();
        let expected = (
            lines.len() as u32,
            lines[lines.len() - 1].chars().count() as u32 + 1,
        );
        assert_eq!(sources.line_column(file, byte as u32), expected, "{byte}");
    }
}

#[test]
#[allow(clippy::disallowed_methods)] // a test may look at the clock
fn time_grows_with_the_text() {
    // Calls inside calls were tried twice per level once; bad declarations are read again after each mistake.
    let texts = [
        format!("loss x = {}1{}", "f(".repeat(60), ")".repeat(60)),
        "loss x = f(y, 2s) + [1, 2]\n".repeat(4000),
        "loss x = f(y + + z\n".repeat(4000),
        "pretrain x { a = 1, b = 2 s c = + + }\n".repeat(1000),
    ];
    for text in texts {
        let start = Instant::now();
        read(&text);
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?} for {}...",
            start.elapsed(),
            &text[..20]
        );
    }
}
