//! `explain`: what a code means, with an example and the message that it gives; or what there is to say about a name.

use std::path::Path;

use compiler::codes::{self, Page, Wrong};
use compiler::origins::Texts;
use grammar::diagnostic::{Code, Diagnostic};
use grammar::span::Sources;
use serde_json::{Value, json};

use super::named::{self, Asked, Meaning};
use super::{declared, layers, listed, profile, relaxation, value};
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
    let is_code = codes::known()
        .iter()
        .any(|(code, _)| code.0.eq_ignore_ascii_case(what));
    let asked = Asked::read(what);
    if !is_code && (what.contains('.') || asked.is_known()) {
        return named(asked, reading, arguments);
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

/// Prints what there is to say about a name.
fn named(asked: Asked<'_>, reading: Reading<'_>, arguments: &Explain) -> Result<()> {
    let format = arguments.format;
    let read = named::read(asked, &arguments.files, reading)?;
    let texts = Texts::read(&read.compiled.sources).beside(read.root);
    if asked.name.is_empty() {
        listed::contents(&read, &texts, format);
        return Ok(());
    }
    let found = named::find(&read, &texts, asked.name)?;
    let all = (&read, &texts);
    match (&found.meaning, found.path) {
        (Meaning::Experiment(of), path) => {
            let named = (found.name.as_str(), of);
            match (path, of.row) {
                (None, _) => listed::values(all, named, format),
                (Some("relax"), _) => relaxation::explain(all, of, format),
                (Some("features"), Some((table, row))) => {
                    layers::features(table, &row.pretrain, format)?;
                }
                (Some("features"), None) => {
                    return Err(Failure::misuse(
                        "features are those of the evaluations of a table",
                    )
                    .help("write `crisscross explain FILE.cc:TABLE.features`"));
                }
                (Some(path), _) if layers::is_network(path) => {
                    layers::network(&texts, named, path, format)?;
                }
                (Some(path), _) => value::explain(all, named, path, format)?,
            }
        }
        // The evaluations of a table are those of all its rows.
        (Meaning::Table(table), Some("features")) => match table.rows.first() {
            Some(row) => layers::features(table, &row.pretrain, format)?,
            None => return Err(named::several(&read, table)),
        },
        (Meaning::Table(table), _) => return Err(named::several(&read, table)),
        (Meaning::Declaration(file, decl), path) => {
            declared::explain(all, (*file, decl), path, format)?;
        }
    }
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
