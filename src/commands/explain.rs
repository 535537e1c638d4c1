//! `explain`: what a code means, with an example and the message that it gives; values are in `value.rs`.

use std::path::Path;

use compiler::codes::{self, Page, Wrong};
use grammar::diagnostic::{Code, Diagnostic};
use grammar::span::Sources;
use serde_json::{Value, json};

use super::profile;
use crate::cli::Explain;
use crate::failure::{Failure, Result};
use crate::load::{self, Reading};
use crate::render::{self, Format, write_out};

/// Prints the page of a code, a value, the windows or a network of a pretraining, or all codes.
pub fn explain(arguments: &Explain) -> Result<()> {
    let reading = Reading {
        profile: profile(arguments.toy),
        set: &arguments.above.set,
    };
    let Some(what) = &arguments.what else {
        list(arguments.format);
        return Ok(());
    };
    if let Some((file, name)) = super::relaxation::asked(what) {
        return super::relaxation::explain((file, reading), name, arguments.format);
    }
    if let Some(asked) = super::layers::asked(what) {
        return super::layers::explain(&asked, reading, arguments.format);
    }
    let is_code = codes::known()
        .iter()
        .any(|(code, _)| code.0.eq_ignore_ascii_case(what));
    if let Some(asked) = super::value::asked(what).filter(|_| !is_code) {
        return super::value::explain(&asked, &arguments.files, reading, arguments.format);
    }
    let (code, meaning) = find(what)?;
    if arguments.toy || !reading.set.is_empty() {
        let message = format!("`{code}` is a code; `--set` and `--toy` are for values");
        return Err(Failure::misuse(message)
            .help("explain a value with it: `crisscross explain crisscross.bs --set bs=64`"));
    }
    let page = codes::page(code).expect("explain: each code has a page");
    let (sources, found) = example(&page);
    let text = match arguments.format {
        Format::Text => text(code, meaning, &page, &sources, &found),
        Format::Json => json_of(code, meaning, &page, &sources, &found).to_string(),
    };
    write_out(&(text.trim_end().to_owned() + "\n"));
    Ok(())
}

/// Prints every code with its meaning.
fn list(format: Format) {
    let known = codes::known();
    write_out(&match format {
        Format::Text => {
            let lines = known
                .iter()
                .map(|(code, meaning)| format!("{code}  {meaning}\n"));
            lines.collect::<String>() + "\n`crisscross explain CODE` says more about one\n"
        }
        Format::Json => known
            .iter()
            .map(|(code, meaning)| json!({ "code": code.0, "meaning": meaning }).to_string() + "\n")
            .collect(),
    });
}

/// The code that was typed, in upper or lower case.
fn find(typed: &str) -> Result<(Code, &'static str)> {
    let known = codes::known();
    let named = |(code, _): &(Code, &str)| code.0.eq_ignore_ascii_case(typed);
    known.iter().copied().find(named).ok_or_else(|| {
        let near: Vec<String> = codes::nearest(typed)
            .iter()
            .map(|code| format!("`{code}`"))
            .collect();
        let help = match near.as_slice() {
            [] => "`crisscross explain` lists all codes".to_owned(),
            [one, ..] if near.len() > 3 => {
                format!("`crisscross explain` lists all codes; near is {one}")
            }
            near => format!("did you mean {}?", near.join(" or ")),
        };
        Failure::misuse(format!("there is no code `{typed}`")).help(help)
    })
}

/// What the example of a page gives.
pub fn example(page: &Page) -> (Sources, Vec<Diagnostic>) {
    match page.wrong {
        Wrong::Text(text) => check(text),
        Wrong::Missing(name) => {
            let mut sources = compiler::sources();
            let found = load::add(&mut sources, Path::new(name), name);
            (sources, found.err().map(|one| *one).into_iter().collect())
        }
    }
}

/// What a text gives that stands alone.
pub fn check(text: &str) -> (Sources, Vec<Diagnostic>) {
    let mut sources = compiler::sources();
    let root = sources.add("example.cc", text);
    let (_, found) = compiler::check(&mut sources, root, &|_, _| None, compiler::Profile::Full);
    (sources, found)
}

fn text(code: Code, meaning: &str, page: &Page, sources: &Sources, found: &[Diagnostic]) -> String {
    let wrong = match page.wrong {
        Wrong::Text(text) => text.to_owned(),
        Wrong::Missing(name) => format!("crisscross check {name}"),
    };
    let messages: Vec<String> = shown(code, found)
        .map(|one| render::draw(sources, one, false))
        .collect();
    let mut parts = vec![
        format!("{code}: {meaning}"),
        page.what.to_owned(),
        indented(&wrong),
        "gives".to_owned(),
        indented(&messages.join("\n\n")),
        "and is mended as".to_owned(),
        indented(page.mended),
        page.why.to_owned(),
    ];
    parts.extend(page.paper.map(|place| format!("in the paper: {place}")));
    parts.join("\n\n")
}

fn json_of(
    code: Code,
    meaning: &str,
    page: &Page,
    sources: &Sources,
    found: &[Diagnostic],
) -> Value {
    let (file, name) = match page.wrong {
        Wrong::Text(text) => (Some(text), "example.cc"),
        Wrong::Missing(name) => (None, name),
    };
    let messages: Vec<Value> = shown(code, found)
        .map(|one| {
            serde_json::from_str(&render::json(sources, one))
                .expect("explain: a message is written as JSON")
        })
        .collect();
    json!({
        "code": code.0,
        "meaning": meaning,
        "what": page.what,
        "wrong": { "file": name, "text": file },
        "messages": messages,
        "mended": page.mended,
        "why": page.why,
        "paper": page.paper,
    })
}

/// The messages of this code.
fn shown(code: Code, found: &[Diagnostic]) -> impl Iterator<Item = &Diagnostic> {
    found.iter().filter(move |one| one.code == code)
}

fn indented(text: &str) -> String {
    let lines = text.trim_end().lines();
    let lines = lines.map(|line| format!("    {line}").trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}
