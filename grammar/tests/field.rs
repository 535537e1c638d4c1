//! A field that stands alone, as the command line gives it.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use grammar::ast::{ExprKind, Number};
use grammar::diagnostic::Diagnostic;
use grammar::span::{Sources, Span};

/// What is made of `text` between other lines: path and value as written, or the mistakes, each at its place.
fn read(text: &str) -> Result<(String, String), Vec<String>> {
    let mut sources = Sources::default();
    let file = sources.add("command line", format!("es = 1\n{text}\nep = 2"));
    let place = Span::new(file, 7, 7 + text.len());
    let said = |found: Diagnostic| {
        let at = sources.text(found.primary.span);
        format!("{} `{at}`: {}", found.code, found.message)
    };
    match grammar::field(&sources, place) {
        Ok(field) => {
            assert_eq!(sources.text(field.path.span), field.path.to_string());
            let value = sources.text(field.value.span).to_owned();
            Ok((field.path.to_string(), value))
        }
        Err(found) => Err(found.into_iter().map(said).collect()),
    }
}

#[test]
fn a_field_is_read_where_it_stands() {
    let read = |text| read(text).unwrap();
    assert_eq!(read("bs=64"), ("bs".into(), "64".into()));
    assert_eq!(
        read(" v.lr_b = cosine(0.0001 -> 0) # slower"),
        ("v.lr_b".into(), "cosine(0.0001 -> 0)".into())
    );
    let mut sources = Sources::default();
    let file = sources.add("command line", "es = 10K");
    let field = grammar::field(&sources, Span::new(file, 0, 8)).unwrap();
    let (digits, unit) = ("10".to_owned(), Some("K".to_owned()));
    assert_eq!(field.value.kind, ExprKind::Number(Number { digits, unit }));
}

#[test]
fn what_is_no_field_is_told_what_a_field_is() {
    let said = |text| read(text).unwrap_err().join("; ");
    let field = "expected a field, such as `bs = 64`, found";
    assert_eq!(said(""), format!("E0107 ``: {field} the end of the text"));
    assert_eq!(said("row bs = 3"), format!("E0107 `row`: {field} `row`"));
    assert_eq!(said("let bs = 3"), format!("E0107 `let`: {field} `let`"));
    assert_eq!(
        said("loss intra"),
        "E0107 `intra`: expected `=` after the field's name, found `intra`"
    );
    assert_eq!(
        said("t:1.bs = 3"),
        "E0107 `:`: a field stands without the row that it is of"
    );
    assert_eq!(
        said("bs"),
        "E0107 ``: expected `=` after the field's name, found the end of the text"
    );
    assert_eq!(
        said("bs 64"),
        "E0107 `64`: expected `=` after the field's name, found `64`"
    );
    assert_eq!(
        said("bs: 64"),
        "E0103 `:`: a field is set with `=`, not with `:`"
    );
    assert_eq!(said("bs ="), "E0104 ``: a value is missing after `=`");
    assert_eq!(
        said("bs = 64, ep = 3"),
        "E0107 `,`: expected an operator or the end of the value, found `,`"
    );
    assert_eq!(
        said("es = 10 K"),
        "E0102 `10 K`: a unit is written directly after its number"
    );
    assert_eq!(
        said("lr_b = cosine(0.1 -> 0"),
        "E0106 `(`: this `(` is not closed"
    );
    let deep = format!("bs = {}", "(".repeat(2000));
    assert!(said(&deep).starts_with("E0109"), "{}", said(&deep));
}
