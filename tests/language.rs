//! Every file of `cases/` beside what its stage makes of it, and the laws that all messages keep.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

#[path = "language/outline.rs"]
mod outline;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use compiler::Profile;
use compiler::hir::Program;
use compiler::plan::{Level, Standing};
use crisscross::{load, render};
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::span::{FileId, Sources};

/// The name of a case, by which messages call it: the same on every machine.
fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Reads a case into fresh sources.
fn open(path: &Path) -> (Sources, Result<FileId, Vec<Diagnostic>>) {
    let mut sources = compiler::sources();
    let file = load::add(&mut sources, path, &name(path)).map_err(|unreadable| vec![*unreadable]);
    (sources, file)
}

/// Parses a case.
fn parse(path: &Path) -> (Sources, Option<grammar::ast::File>, Vec<Diagnostic>) {
    let (sources, file) = open(path);
    match file {
        Ok(file) => {
            let (tree, found) = grammar::parse(&sources, file);
            (sources, Some(tree), found)
        }
        Err(found) => (sources, None, found),
    }
}

/// Checks a case; it may use modules of the folder `cases/lib`.
fn check(path: &Path) -> (Sources, Option<Program>, Vec<Diagnostic>) {
    let (mut sources, file) = open(path);
    let folder = path.parent().unwrap().to_owned();
    let resolve = |_: &str, used: &str| {
        Some((
            used.to_owned(),
            std::fs::read_to_string(folder.join(used)).ok()?,
        ))
    };
    match file {
        Ok(file) => {
            let (program, found) = compiler::check(&mut sources, file, &resolve, Profile::Full);
            (sources, program, found)
        }
        Err(found) => (sources, None, found),
    }
}

fn drawn(sources: &Sources, found: &[Diagnostic]) -> String {
    let drawn: Vec<String> = found
        .iter()
        .map(|diagnostic| render::draw(sources, diagnostic, false))
        .collect();
    drawn.join("\n\n")
}

/// The program of a case that must have no errors.
fn program(path: &Path) -> Program {
    let (sources, program, found) = check(path);
    program.unwrap_or_else(|| panic!("{}\n{}", path.display(), drawn(&sources, &found)))
}

#[test]
fn parse_cases() {
    insta::glob!("cases/parse/*.cc", |path| {
        let (sources, tree, found) = parse(path);
        let text = match tree {
            Some(tree) if found.is_empty() => outline::outline(&tree),
            Some(_) | None => drawn(&sources, &found),
        };
        insta::assert_snapshot!(text);
    });
}

#[test]
fn check_cases() {
    insta::glob!("cases/check/*.cc", |path| {
        let (sources, _, mut found) = check(path);
        // What is to be said of the prelude is shown by the cases that are about it.
        found.retain(|d| !d.is_quiet || name(path).starts_with(d.code.0));
        let text = if found.is_empty() {
            "no mistakes".to_owned()
        } else {
            drawn(&sources, &found)
        };
        insta::assert_snapshot!(text);
    });
}

#[test]
fn graph_cases() {
    insta::glob!("cases/graph/*.cc", |path| {
        let program = program(path);
        let rows = program
            .tables
            .iter()
            .flat_map(|table| (1..).zip(&table.rows).map(move |row| (table, row)));
        let graphs = rows.map(|(table, (number, row))| {
            compiler::graph::text(&row.pretrain, &format!("{}:{number}", table.name))
                .trim_end()
                .to_owned()
        });
        insta::assert_snapshot!(graphs.collect::<Vec<_>>().join("\n\n"));
    });
}

#[test]
fn plan_cases() {
    insta::glob!("cases/plan/*.cc", |path| {
        let program = program(path);
        let (plan, log) = compiler::plan::planned(&[(&name(path), &program)]).unwrap();
        let standing = Standing::default();
        let stood = compiler::plan::stood(&plan, &standing);
        let [summary, full] =
            [Level::Summary, Level::Full].map(|level| compiler::plan::text(&stood, level, &log));
        insta::assert_snapshot!(format!("{summary}\n--- in full\n{full}"));
    });
}

/// All cases of the stages that report mistakes, with what they report.
fn reported() -> Vec<(PathBuf, Sources, Vec<Diagnostic>)> {
    let mut reported = vec![];
    for stage in ["parse", "check"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/cases")
            .join(stage);
        let mut paths: Vec<PathBuf> = folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.retain(|path| path.extension().is_some_and(|suffix| suffix == "cc"));
        paths.sort();
        for path in paths {
            let (sources, found) = match stage {
                "parse" => {
                    let (sources, _, found) = parse(&path);
                    (sources, found)
                }
                _ => {
                    let (sources, _, found) = check(&path);
                    (sources, found)
                }
            };
            reported.push((path, sources, found));
        }
    }
    reported
}

#[test]
fn each_code_has_a_case_named_after_it_that_reports_it() {
    let reported = reported();
    let codes = grammar::codes::ALL
        .iter()
        .chain(compiler::codes::ALL)
        .map(|(code, _)| code.0);
    let missing: Vec<&str> = codes
        .filter(|code| {
            let shows = |(path, _, found): &(PathBuf, Sources, Vec<Diagnostic>)| {
                name(path).starts_with(code)
                    && found.iter().any(|diagnostic| diagnostic.code.0 == *code)
            };
            !reported.iter().any(shows)
        })
        .collect();
    assert!(
        missing.is_empty(),
        "no case in tests/cases/{{parse,check}} shows {missing:?}"
    );
}

#[test]
fn the_codes_that_were_promised_are_there() {
    // One for each mistake that the language was designed to name.
    let promised = "E0101 E0102 E0103 E0104 E0105 E0106 E0201 E0202 E0203 E0204 E0205 E0206 E0207 E0301 E0302 E0303 E0304 \
        E0305 E0306 E0307 E0308 E0309 E0401 E0402 E0403 E0404 E0405 E0406 E0407 W0411 W0412 W0413 W0414 E0501 E0502 W0503 \
        W0504 W0505 E0506 E0601 E0602 E0603 E0604 E0605 W0606 W0607 E0608 W0701 W0702 E0703 W0704 W0705 E0706 W0707 E0708 W0801 W0802";
    let known: BTreeSet<&str> = compiler::codes::known()
        .iter()
        .map(|(code, _)| code.0)
        .collect();
    let missing: Vec<&str> = promised
        .split_whitespace()
        .filter(|code| !known.contains(code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn codes_are_given_once() {
    let codes: Vec<&str> = grammar::codes::ALL
        .iter()
        .chain(compiler::codes::ALL)
        .map(|(code, _)| code.0)
        .collect();
    assert_eq!(
        codes.iter().collect::<BTreeSet<_>>().len(),
        codes.len(),
        "{codes:?}"
    );
}

/// The texts of a message that people read, without what stands in backticks: that is source.
fn prose(diagnostic: &Diagnostic) -> String {
    let labels = diagnostic.labels.iter().map(|label| &label.text);
    let texts = [&diagnostic.message, &diagnostic.primary.text]
        .into_iter()
        .chain(labels);
    let texts = texts.chain(&diagnostic.notes).chain(&diagnostic.help);
    texts
        .flat_map(|text| text.split('`').step_by(2))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn messages_name_no_rule_of_the_grammar_and_end_without_a_stop() {
    // Rules whose names are words of the language's users as well.
    const WORDS: [&str; 31] = [
        "file", "items", "kind", "params", "block", "item", "field", "row", "cell", "path", "sum",
        "call", "list", "number", "amount", "digits", "unit", "factor", "string", "text", "name",
        "keyword", "index", "member", "minus", "blank", "at", "comma", "colon", "dot", "arrow",
    ];
    let grammar = include_str!("../grammar/src/crisscross.pest");
    let rules: BTreeSet<&str> = grammar
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(rule, _)| rule.trim())
        .filter(|rule| {
            rule.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !WORDS.contains(rule)
        })
        .chain(["EOI", "SOI", "ANY"])
        .collect();
    assert!(rules.len() > 20, "{rules:?}");
    for (path, _, found) in reported() {
        for diagnostic in found {
            let prose = prose(&diagnostic);
            let words = prose.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let named: Vec<&str> = words.filter(|word| rules.contains(word)).collect();
            assert!(named.is_empty(), "{}: {named:?} in {prose}", path.display());
            let headline = &diagnostic.message;
            assert!(
                !headline.ends_with('.') && !headline.starts_with(char::is_uppercase),
                "{}: {headline}",
                path.display()
            );
        }
    }
}

#[test]
fn three_mistakes_are_three_messages() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let codes = |found: Vec<Diagnostic>| found.iter().map(|d| d.code.0).collect::<Vec<_>>();
    let (_, _, found) = parse(&cases.join("parse/three_mistakes.cc"));
    assert_eq!(codes(found), ["E0104", "E0101", "E0111"]);
    let (_, _, found) = check(&cases.join("check/three_subjects.cc"));
    assert_eq!(codes(found), ["E0104", "E0201", "E0301"]);
}

#[test]
fn certain_edits_mend_what_they_are_for() {
    for (path, sources, found) in reported() {
        for diagnostic in found.iter().filter(|d| d.severity == Severity::Error) {
            let mut edits: Vec<_> = diagnostic
                .edits
                .iter()
                .filter(|edit| edit.is_certain)
                .collect();
            edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
            if edits.is_empty()
                || edits
                    .iter()
                    .any(|edit| name(&path) != sources.get(edit.span.file).name)
            {
                continue;
            }
            let mut text = sources.get(edits[0].span.file).text.clone();
            for edit in edits {
                text.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
            }
            let folder = tempfile::tempdir().unwrap();
            let mended = folder.path().join(name(&path));
            std::fs::write(&mended, text).unwrap();
            let left = if path.parent().unwrap().ends_with("parse") {
                parse(&mended).2
            } else {
                check(&mended).2
            };
            let count =
                |found: &[Diagnostic]| found.iter().filter(|d| d.code == diagnostic.code).count();
            let message = &diagnostic.message;
            assert!(
                count(&left) < count(&found),
                "{}: the edit for `{message}` mends nothing",
                path.display()
            );
        }
    }
}

#[test]
fn fix_leaves_nothing_that_it_could_mend_and_makes_no_new_mistake() {
    let mut wrong = vec![];
    for (path, sources, found) in reported() {
        let errors = |found: &[Diagnostic]| -> BTreeSet<&str> {
            let errors = found.iter().filter(|d| d.severity == Severity::Error);
            errors.map(|d| d.code.0).collect()
        };
        let is_certain = |d: &Diagnostic| d.edits.iter().any(|edit| edit.is_certain);
        if !found.iter().any(is_certain) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let mended = folder.path().join(name(&path));
        let file = sources
            .iter()
            .find(|(_, source)| source.name == name(&path));
        let (mut file, mut left) = (file.unwrap().0, found.clone());
        let mut sources = sources;
        for round in 0.. {
            let (text, changes) = grammar::fix::apply(&sources, file, &left);
            if changes.is_empty() {
                break;
            }
            assert!(round < 20, "{}: there is no end to it", path.display());
            std::fs::write(&mended, text).unwrap();
            (sources, left) = if path.parent().unwrap().ends_with("parse") {
                let (sources, _, left) = parse(&mended);
                (sources, left)
            } else {
                let (sources, _, left) = check(&mended);
                (sources, left)
            };
            file = sources
                .iter()
                .find(|(_, s)| s.name == name(&path))
                .unwrap()
                .0;
        }
        let text = &sources.get(file).text;
        let mut say = |what: String| wrong.push(format!("{}: {what}\n{text}", path.display()));
        if left.iter().any(is_certain) {
            say("it could mend more".to_owned());
        }
        let new: Vec<&str> = errors(&left).difference(&errors(&found)).copied().collect();
        if !new.is_empty() {
            say(format!("it makes {new:?}\n{}", drawn(&sources, &left)));
        }
        // A code whose every message had an edit is gone.
        for code in errors(&found) {
            let of_code = |d: &&Diagnostic| d.code.0 == code;
            let is_left = left.iter().any(|d| d.code.0 == code);
            if found.iter().filter(of_code).all(is_certain) && is_left {
                say(format!("{code} is left"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_message_has_a_known_code() {
    let known: BTreeSet<&str> = compiler::codes::known()
        .iter()
        .map(|(code, _)| code.0)
        .collect();
    for (path, _, found) in reported() {
        for diagnostic in found {
            assert!(
                known.contains(diagnostic.code.0),
                "{}: {}",
                path.display(),
                diagnostic.code
            );
        }
    }
    // Codes are made in the two tables alone.
    for folder in ["grammar/src", "compiler/src", "src"] {
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|suffix| suffix == "rs")
                    && !path.ends_with("codes.rs")
                {
                    let text = std::fs::read_to_string(&path).unwrap();
                    assert!(!text.contains("Code(\""), "{} makes a code", path.display());
                }
            }
        }
    }
}

#[test]
fn what_may_be_meant_is_one_thing_and_an_edit_or_two_that_are_equally_likely() {
    let mut seen = 0;
    for (path, _, found) in reported() {
        for diagnostic in found {
            let labels = diagnostic.labels.iter().map(|label| &label.text);
            let texts = [&diagnostic.message, &diagnostic.primary.text]
                .into_iter()
                .chain(labels);
            let texts = texts.chain(&diagnostic.notes).chain(&diagnostic.help);
            for text in texts {
                let Some((_, meant)) = text.split_once("did you mean `") else {
                    continue;
                };
                seen += 1;
                let place = format!("{}: {text}", path.display());
                let candidates = meant.matches("` or `").count() + 1;
                assert!(candidates <= 2, "{place}");
                let one = meant.split('`').next().unwrap();
                let is_edit = diagnostic.edits.iter().any(|edit| edit.text == one);
                // What is to be filled in by hand cannot be applied.
                let is_sketch = one.contains("...");
                let is_hint = text.starts_with("a rate is a plain number");
                assert_eq!(
                    is_edit,
                    candidates == 1 && !is_sketch && !is_hint,
                    "{place}"
                );
            }
        }
    }
    assert!(seen > 10, "only {seen} suggestions");
}
