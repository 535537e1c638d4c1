//! Experiments as a folder of HTML pages that link to each other: `crisscross doc`.
//!
//! There is a page for each module and file, one for the catalogue and one for the codes of messages, and an index. A page
//! stands alone: no scripts, no fonts, no files beside the pages. The same texts give the same pages, to the byte.

mod code;
mod experiment;
mod library;
mod module;
mod reference;

use crate::Resolver;
use grammar::diagnostic::Diagnostic;
use grammar::span::{FileId, Sources};
use library::Library;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;

/// What each page says near its beginning. A folder that holds nothing but pages with this line may be written anew.
pub const MARK: &str = "<meta name=\"generator\" content=\"crisscross doc\">";

/// How our pages look, in light and dark, wide and narrow.
pub const STYLE: &str = include_str!("book/templates/style.css");

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its file name.
    pub path: String,
    /// The whole of it.
    pub html: String,
}

/// How a message is drawn as text.
pub type Draw<'d> = dyn Fn(&Sources, &Diagnostic) -> String + 'd;

/// The pages of the shipped modules and of `files`, which have no errors, with what they use. The index comes first.
pub fn pages(
    sources: &mut Sources,
    files: &[FileId],
    resolve: &Resolver<'_>,
    draw: &Draw<'_>,
) -> Vec<Page> {
    let library = Library::read(sources, files, resolve);
    let environment = environment();
    let mut pages = vec![Page {
        path: "index.html".into(),
        html: render(&environment, "index.html", "crisscross", &library.index()),
    }];
    for position in 0..library.modules.len() {
        let page = module::page(&library, position, sources, resolve, draw);
        pages.push(Page {
            path: library.modules[position].page.clone(),
            html: render(&environment, "module.html", &page.name, &page),
        });
    }
    let catalogue = reference::catalogue();
    let codes = reference::codes(sources, draw);
    for (path, title, html) in [
        (
            library::REFERENCE,
            "Reference",
            render(&environment, "reference.html", "Reference", &catalogue),
        ),
        (
            library::CODES,
            "Messages",
            render(&environment, "codes.html", "Messages", &codes),
        ),
    ] {
        debug_assert!(html.contains(title));
        pages.push(Page {
            path: path.into(),
            html,
        });
    }
    pages
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("inline", |text: String| {
        Value::from_safe_string(inline(&text))
    });
    for (name, text) in [
        ("base.html", include_str!("book/templates/base.html")),
        ("index.html", include_str!("book/templates/index.html")),
        ("module.html", include_str!("book/templates/module.html")),
        (
            "reference.html",
            include_str!("book/templates/reference.html"),
        ),
        ("codes.html", include_str!("book/templates/codes.html")),
        ("style.css", STYLE),
    ] {
        environment
            .add_template(name, text)
            .expect("book: the templates are well formed");
    }
    environment
}

fn render(
    environment: &Environment<'_>,
    template: &str,
    title: &str,
    it: &impl Serialize,
) -> String {
    let template = environment
        .get_template(template)
        .expect("book: each page has a template");
    let html = template
        .render(context! { mark => MARK, title => title, it => Value::from(Serde(it)) })
        .expect("book: the templates fit the pages");
    let lines: Vec<&str> = html.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

/// Text with what stands in backticks as code, escaped.
pub fn inline(text: &str) -> String {
    let mut out = String::new();
    for (i, part) in text.split('`').enumerate() {
        let part = escape(part);
        match i % 2 {
            0 => out += &part,
            _ => out += &format!("<code>{part}</code>"),
        }
    }
    out
}

/// Text for an element or an attribute.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            // Not allowed in HTML, whatever a text holds.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
