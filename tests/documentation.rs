//! The documentation says what is true: every `cc` block of `docs/` and of the README compiles, and every code is listed.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use compiler::{Profile, catalog};
use crisscross::commands::explain;
use crisscross::render;
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::span::Sources;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// A block of a Markdown text.
#[derive(Clone, Debug, PartialEq)]
struct Block {
    /// The first word behind its fence: `cc`, `cc-error`, `console`.
    language: String,
    /// The second one: the name of the file that it is.
    file: Option<String>,
    /// The line that it begins at.
    line: usize,
    /// Its text, each line with its end.
    text: String,
}

/// The blocks of a Markdown text in order.
fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.trim_end().strip_prefix("```")) {
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(block), _) => block.text += &format!("{line}\n"),
            (None, Some(fence)) => {
                let mut words = fence.split_whitespace().map(str::to_owned);
                open = Some(Block {
                    language: words.next().unwrap_or_default(),
                    file: words.next(),
                    line: number + 2,
                    text: String::new(),
                });
            }
            (None, None) => {}
        }
    }
    found
}

#[test]
fn every_block_of_the_documentation_compiles_or_shows_its_mistake() {
    let mut seen = 0;
    for file in [
        "README.md",
        "docs/language.md",
        "docs/reference.md",
        "docs/paper.md",
        "docs/performance.md",
        "docs/tutorial.md",
    ] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        for block in blocks(&text) {
            let must_compile = match block.language.as_str() {
                "cc" => true,
                "cc-error" => false,
                _ => continue,
            };
            let line = block.line;
            let mut sources = compiler::sources();
            let id = sources.add(format!("{file}:{line}"), block.text.as_str());
            if let Ok(Some(other)) = grammar::format::format(&sources, id) {
                assert_eq!(
                    block.text, other,
                    "{file}:{line} is not as `fmt` lays it out"
                );
            }
            let (program, found) = compiler::check(&mut sources, id, &|_, _| None, Profile::Full);
            let drawn: String = found
                .iter()
                .map(|d| render::draw(&sources, d, false))
                .collect();
            match must_compile {
                true => assert!(program.is_some(), "{file}:{line} does not compile\n{drawn}"),
                false => assert!(
                    found.iter().any(|d| !d.is_quiet),
                    "{file}:{line} is marked as a mistake and has none"
                ),
            }
            seen += 1;
        }
    }
    assert!(seen >= 15, "only {seen} blocks were found");
}

/// A command and what it prints.
#[derive(Clone, Debug, PartialEq)]
struct Call {
    command: String,
    lines: Vec<String>,
}

/// The commands of a transcript.
fn calls(transcript: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = vec![];
    for line in transcript.lines() {
        match (line.strip_prefix("$ "), calls.last_mut()) {
            (Some(command), _) => calls.push(Call {
                command: command.to_owned(),
                lines: vec![],
            }),
            (None, Some(call)) => call.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    calls
}

/// Whether these lines were printed, `...` standing for any.
fn fits(shown: &[String], printed: &[String]) -> bool {
    match shown {
        [] => printed.is_empty(),
        [first, rest @ ..] if first == "..." => {
            (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..]))
        }
        [first, rest @ ..] => printed.first() == Some(first) && fits(rest, &printed[1..]),
    }
}

/// What a transcript is to show of these lines: all of them, or, where it leaves some out, the lines that begin with the same
/// words as those shown.
fn refreshed(shown: &[String], printed: &[String]) -> Vec<String> {
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let mut rest = printed;
    let mut fresh = vec![];
    for line in shown {
        if line == "..." {
            fresh.push(line.clone());
            continue;
        }
        let Some(at) = rest.iter().position(|p| first(p) == first(line)) else {
            return printed.to_vec();
        };
        fresh.push(rest[at].clone());
        rest = &rest[at + 1..];
    }
    match fits(&fresh, printed) {
        true => fresh,
        false => printed.to_vec(),
    }
}

/// Runs a command line of a transcript in `folder`; what goes to standard error comes first.
fn printed(folder: &Path, command: &str) -> Vec<String> {
    // What stands in quotes is one word, as in a shell.
    let parts = command.split('\'').enumerate();
    let mut words = parts.flat_map(|(i, part)| match i % 2 {
        0 => part.split_whitespace().collect::<Vec<_>>(),
        _ => vec![part],
    });
    assert_eq!(words.next(), Some("crisscross"), "{command}");
    let output = assert_cmd::Command::cargo_bin("crisscross")
        .unwrap()
        .current_dir(folder)
        .args(words)
        .output()
        .unwrap();
    let text = [output.stderr, output.stdout].concat();
    let text = String::from_utf8(text).unwrap();
    text.trim_end()
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

#[test]
fn transcripts_are_what_the_commands_print() {
    for file in ["README.md", "docs/language.md"] {
        let path = root().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut renewed = text.clone();
        let mut wrong = vec![];
        for block in blocks(&text) {
            if let Some(name) = &block.file {
                std::fs::write(folder.path().join(name), &block.text).unwrap();
            }
            if block.language != "console" {
                continue;
            }
            let mut fresh = String::new();
            for call in calls(&block.text) {
                let printed = printed(folder.path(), &call.command);
                let fits = fits(&call.lines, &printed);
                let lines = match fits {
                    true => call.lines.clone(),
                    false => refreshed(&call.lines, &printed),
                };
                fresh += &format!("$ {}\n{}\n", call.command, lines.join("\n"));
                if !fits {
                    wrong.push(format!(
                        "{file}:{}: `{}` prints\n{}",
                        block.line,
                        call.command,
                        printed.join("\n")
                    ));
                }
            }
            renewed = renewed.replacen(&block.text, &fresh, 1);
        }
        if !wrong.is_empty() && std::env::var_os("RENEW").is_some() {
            std::fs::write(path, renewed).unwrap();
            continue;
        }
        assert!(
            wrong.is_empty(),
            "{}\n\n`RENEW=1 cargo test --no-default-features --test documentation` renews them",
            wrong.join("\n\n")
        );
    }
}

/// Puts `made` between the marks `<!-- made from NAME -->` and `<!-- end -->` of a text.
fn with_block(text: &str, name: &str, made: &str) -> String {
    let begin = format!("<!-- made from {name} -->\n");
    let (before, rest) = text.split_once(&begin).unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}{begin}\n{}\n\n<!-- end -->{after}", made.trim())
}

/// A newcomer reads it in half an hour, at some 200 words a minute; what only few need stands in `docs/reference.md`.
#[test]
fn the_language_is_read_in_half_an_hour() {
    let text = std::fs::read_to_string(root().join("docs/language.md")).unwrap();
    let words = text.split_whitespace().count();
    assert!(words < 6000, "docs/language.md has {words} words");
    let (tour, reference) = (text.find("\n# Tour\n"), text.find("\n# Reference\n"));
    assert!(tour.is_some() && tour < reference, "the tour comes first");
}

#[test]
fn what_is_made_from_the_catalogue_is_up_to_date() {
    let language = std::fs::read_to_string(root().join("docs/language.md")).unwrap();
    let language = with_block(&language, "the catalogue", &catalog::kinds_and_operators());
    let reference = std::fs::read_to_string(root().join("docs/reference.md")).unwrap();
    let reference = with_block(&reference, "the catalogue", &catalog::reference());
    for code in compiler::codes::known() {
        assert!(
            reference.contains(&format!("\n| {} | {} |\n", code.0, code.1)),
            "{}",
            code.0
        );
    }
    for (file, made) in [
        ("docs/language.md", language),
        ("docs/reference.md", reference),
    ] {
        let path = root().join(file);
        let is_stale = std::fs::read_to_string(&path).ok().as_ref() != Some(&made);
        if is_stale && std::env::var_os("RENEW").is_some() {
            std::fs::write(path, made).unwrap();
            continue;
        }
        assert!(
            !is_stale,
            "{file} is not what the catalogue and the codes say: `RENEW=1 cargo test --no-default-features --test documentation` renews it"
        );
    }
}

/// All `found` as people read them.
fn drawn(sources: &Sources, found: &[Diagnostic]) -> String {
    let drawn = found.iter().map(|d| render::draw(sources, d, false));
    drawn.collect::<Vec<_>>().join("\n\n")
}

/// What the pairs of a family see under a policy of the prelude: mean, inside, apart.
fn law(policy: &str, pair: &str) -> [String; 3] {
    let mut sources = compiler::sources();
    let text = format!("use paper\npretrain x = crisscross with {{ relax = {policy} }}");
    let id = sources.add("x.cc", text);
    let (program, _) = compiler::check(&mut sources, id, &|_, _| None, Profile::Full);
    let json = compiler::time::json(&program.unwrap().pretrains[0].pretrain, policy);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let pairs = json["pairs"].as_array().unwrap();
    let found = pairs.iter().find(|one| one["pair"] == pair).unwrap();
    ["mean", "inside", "apart"].map(|part| found[part].as_str().unwrap().to_owned())
}

#[test]
fn the_fractions_of_the_policies_are_those_that_the_windows_have() {
    let text = std::fs::read_to_string(root().join("docs/language.md")).unwrap();
    let (_, table) = text.split_once("| policy | v1v2 |").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 5);
    for row in rows {
        let policy = row[0].trim_matches('`');
        assert_eq!(row[1], law(policy, "v1v2")[0], "{policy}");
        assert_eq!(row[2], law(policy, "a1a2")[0], "{policy}");
        assert_eq!(row[3], law(policy, "v1a1").join(", "), "{policy}");
        assert_eq!(row[4], law(policy, "v1a2").join(", "), "{policy}");
    }
}

#[test]
fn the_page_of_a_code_shows_it_and_mends_it() {
    let mut wrong = vec![];
    for (code, _) in compiler::codes::known() {
        let Some(page) = compiler::codes::page(code) else {
            wrong.push(format!(
                "{code}: write `compiler/src/codes/pages/{code}.md` and name it in `pages.rs`"
            ));
            continue;
        };
        let (sources, found) = explain::example(&page);
        if found.is_empty() || found.iter().any(|one| one.code != code && !one.is_quiet) {
            wrong.push(format!(
                "{code}: the example gives\n{}",
                drawn(&sources, &found)
            ));
        }
        let (sources, found) = explain::check(page.mended);
        let is_left = |one: &Diagnostic| one.code == code || one.severity == Severity::Error;
        if found.iter().any(is_left) {
            wrong.push(format!(
                "{code}: the mended example gives\n{}",
                drawn(&sources, &found)
            ));
        }
        if page.what.is_empty() || page.why.is_empty() || page.mended.is_empty() {
            wrong.push(format!("{code}: a part of its page is missing"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_differences_of_paper_and_code_are_those_of_the_preludes() {
    let sources = compiler::sources();
    let module = |name: &str| {
        let found = sources.iter().find(|(_, source)| source.name == name);
        found.unwrap().0
    };
    let (paper, released) = (module("paper.cc"), module("released.cc"));
    let found = compiler::readings::differences(&sources, paper, released);
    let list = compiler::readings::markdown(&found, "paper", "released");
    let path = root().join("docs/paper.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let made = with_block(&text, "the preludes", &list);
    if text != made && std::env::var_os("RENEW").is_some() {
        std::fs::write(path, made).unwrap();
        return;
    }
    assert!(
        text == made,
        "docs/paper.md does not list what `crisscross diff paper released` prints: `RENEW=1 cargo test --no-default-features --test documentation` renews it"
    );
}
