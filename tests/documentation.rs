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

/// The blocks of a Markdown text that are marked as `language`, each with the line it begins at.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let fence = format!("```{language}");
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match &mut open {
            Some(_) if line.trim_end() == "```" => found.extend(open.take()),
            Some((_, block)) => *block += &format!("{line}\n"),
            None if line.trim_end() == fence => open = Some((number + 2, String::new())),
            None => {}
        }
    }
    found
}

#[test]
fn every_block_of_the_documentation_compiles() {
    let mut seen = 0;
    for file in ["README.md", "docs/language.md", "docs/paper.md"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        for (line, block) in blocks(&text, "cc") {
            let mut sources = compiler::sources();
            let id = sources.add(format!("{file}:{line}"), block);
            let (program, found) = compiler::check(&mut sources, id, &|_, _| None, Profile::Full);
            let drawn: String = found
                .iter()
                .map(|d| render::draw(&sources, d, false))
                .collect();
            assert!(program.is_some(), "{file}:{line} does not compile\n{drawn}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "only {seen} blocks were found");
}

/// Puts `made` between the marks `<!-- made from NAME -->` and `<!-- end -->` of a text.
fn with_block(text: &str, name: &str, made: &str) -> String {
    let begin = format!("<!-- made from {name} -->\n");
    let (before, rest) = text.split_once(&begin).unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}{begin}\n{}\n\n<!-- end -->{after}", made.trim())
}

const REFERENCE: &str = "# Reference

Every kind, field, operator, word and unit, from the compiler's own table. [language.md](language.md) says how they are used, and
`crisscross show paper` what their values are. What is not marked as optional must be given; the prelude does so for what the paper
fixes. \"Released code\" is that of the paper's authors, \"ours\" is no claim about the paper.

<!-- made from the catalogue -->
<!-- end -->
";

#[test]
fn what_is_made_from_the_catalogue_is_up_to_date() {
    let language = std::fs::read_to_string(root().join("docs/language.md")).unwrap();
    let language = with_block(&language, "the catalogue", &catalog::kinds_and_operators());
    let language = with_block(&language, "the codes", &catalog::code_table());
    let reference = with_block(REFERENCE, "the catalogue", &catalog::reference());
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
