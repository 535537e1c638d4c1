//! How a file is written never changes the id of a stage: comments, layout, names, order, units, and a name or function written
//! out. Over all experiments.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed
#![allow(clippy::disallowed_methods)] // the texts are files of the repository

mod shipped;

use shipped::{experiments, used};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use compiler::{Profile, plan};
use grammar::ast::{BlockItem, Body, Decl, ExprKind, Item, Kind};
use grammar::span::Span;

/// The ids of all stages that a text needs, under the name of its file.
fn ids(file: &str, text: &str) -> BTreeSet<String> {
    let mut sources = compiler::sources();
    let file = sources.add(file, text);
    let (program, found) = compiler::check(&mut sources, file, &used, Profile::Full);
    let program = program.unwrap_or_else(|| {
        let messages: Vec<String> = found
            .iter()
            .map(|d| {
                format!(
                    "{} {:?} {}",
                    d.code,
                    sources.text(d.primary.span),
                    d.message
                )
            })
            .collect();
        panic!("{}\n{text}", messages.join("\n"))
    });
    let plan = plan::plan(&[("test.cc", &program)]).unwrap();
    plan.stages.iter().map(|stage| stage.id.0.clone()).collect()
}

/// The experiments: all of them take part.
const ALL: [&str; 25] = [
    "downstream.cc",
    "fig1.cc",
    "fig3.cc",
    "fig4.cc",
    "fig5.cc",
    "figS1.cc",
    "figS2.cc",
    "k400.cc",
    "larc.cc",
    "local/digits.cc",
    "local/esc10.cc",
    "local/fights.cc",
    "quickstart.cc",
    "related.cc",
    "relaxation_sweep.cc",
    "table1.cc",
    "table2.cc",
    "table3.cc",
    "table4.cc",
    "table5.cc",
    "table6.cc",
    "table7.cc",
    "table8.cc",
    "temporal_consistency.cc",
    "trimodal.cc",
];

/// The experiments, each with its name and text.
fn shipped_texts() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|suffix| suffix == "cc") {
                found.push(path);
            }
        }
    }
    let mut paths = vec![];
    walk(&experiments(), &mut paths);
    paths.sort();
    let texts = paths.iter().map(|path| {
        let name = path
            .strip_prefix(experiments())
            .unwrap()
            .display()
            .to_string();
        (name, std::fs::read_to_string(path).unwrap())
    });
    let texts: Vec<(String, String)> = texts.collect();
    let names: Vec<&str> = texts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ALL);
    texts
}

/// Pieces of a text outside and inside of what must stay as it is: texts in quotes and comments.
fn pieces(text: &str) -> Vec<(bool, &str)> {
    let (mut found, mut start, mut at) = (vec![], 0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let length = match rest.as_bytes()[0] {
            b'#' => rest.find('\n').unwrap_or(rest.len()),
            b'"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            _ => {
                at += rest.chars().next().unwrap().len_utf8();
                continue;
            }
        };
        found.push((true, &text[start..at]));
        found.push((false, &text[at..at + length]));
        at += length;
        start = at;
    }
    found.push((true, &text[start..]));
    found
}

/// `text` with each word outside of quotes and comments as `change` makes it.
fn words(text: &str, change: &dyn Fn(&str) -> Option<String>) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '%');
    let mut made = String::new();
    for (is_free, piece) in pieces(text) {
        if !is_free {
            made += piece;
            continue;
        }
        let mut rest = piece;
        while let Some(from) = rest.find(is_word) {
            let length = rest[from..]
                .find(|c| !is_word(c))
                .unwrap_or(rest.len() - from);
            let word = &rest[from..from + length];
            made += &rest[..from];
            made += &change(word).unwrap_or_else(|| word.to_owned());
            rest = &rest[from + length..];
        }
        made += rest;
    }
    made
}

/// The declarations of a text.
fn declarations(text: &str) -> Vec<Decl> {
    let mut sources = compiler::sources();
    let file = sources.add("test.cc", text);
    let items = grammar::parse(&sources, file).0.items.into_iter();
    items
        .filter_map(|item| match item {
            Item::Decl(decl) => Some(decl),
            Item::Assert(_) | Item::Allow(_) => None,
        })
        .collect()
}

fn cut(text: &str, span: Span) -> &str {
    &text[span.start as usize..span.end as usize]
}

#[test]
fn comments_and_layout_do_not_change_a_stage() {
    for (file, text) in shipped_texts() {
        let known = ids(&file, &text);
        let commented: String = text
            .lines()
            .map(|line| format!("{line}   # a remark\n# and a line of them\n"))
            .collect();
        assert_eq!(ids(&file, &commented), known, "{file}: comments");
        let spread: String = pieces(&text)
            .into_iter()
            .map(|(is_free, piece)| {
                if is_free {
                    piece.replace([' ', '\n'], "\r\n\t  ")
                } else {
                    piece.to_owned()
                }
            })
            .collect();
        assert_eq!(ids(&file, &spread), known, "{file}: layout");
    }
}

#[test]
fn names_do_not_change_a_stage() {
    for (file, text) in shipped_texts() {
        let known = ids(&file, &text);
        for decl in declarations(&text) {
            // A data set's name is where its files are found, a modality's is that of its networks.
            if matches!(decl.kind.value, Kind::Data | Kind::Modality) {
                continue;
            }
            let name = decl.name.value.as_str();
            let renamed = words(&text, &|word| {
                (word == name).then(|| format!("{name}_by_another_name"))
            });
            assert_eq!(ids(&file, &renamed), known, "{file}: `{name}` renamed");
        }
    }
}

#[test]
fn order_does_not_change_a_stage() {
    for (file, text) in shipped_texts() {
        let known = ids(&file, &text);
        let decls = declarations(&text);
        let Some(first) = decls.first() else { continue };
        let head = &text[..first.span.start as usize];
        let reversed: Vec<&str> = decls.iter().rev().map(|d| cut(&text, d.span)).collect();
        let reversed = format!("{head}\n{}", reversed.join("\n\n"));
        assert_eq!(ids(&file, &reversed), known, "{file}: declarations");

        let mut mixed = text.clone();
        for decl in decls.iter().rev() {
            let block = match &decl.body {
                Body::Block(block) => block,
                Body::Expr(expr) => {
                    let ExprKind::With(_, block) = &expr.kind else {
                        continue;
                    };
                    block
                }
            };
            let (mut fields, mut rows) = (vec![], vec![]);
            for item in &block.items {
                match item {
                    BlockItem::Field(field) => fields.push(cut(&text, field.span)),
                    BlockItem::Row(row) => rows.push(cut(&text, row.span)),
                    BlockItem::Allow(allow) => fields.push(cut(&text, allow.span)),
                    BlockItem::For(each) => rows.push(cut(&text, each.span)),
                }
            }
            fields.reverse();
            rows.reverse();
            let body = format!("{{\n{}\n{}\n}}", fields.join("\n"), rows.join("\n"));
            mixed.replace_range(block.span.start as usize..block.span.end as usize, &body);
        }
        assert_ne!(mixed, text);
        assert_eq!(ids(&file, &mixed), known, "{file}: fields and rows");
    }
}

#[test]
fn units_do_not_change_a_stage() {
    let mut changed = 0;
    for (file, text) in shipped_texts() {
        let other = words(&text, &|word| {
            let at = word.find(|c: char| c.is_ascii_alphabetic() || c == '%')?;
            let (digits, unit) = word.split_at(at);
            let number: f64 = digits.parse().ok()?;
            let (factor, other) = match unit {
                "s" => (1000.0, "ms"),
                "kHz" => (1000.0, "Hz"),
                "K" => (1000.0, ""),
                "M" => (1_000_000.0, ""),
                "%" => (0.01, ""),
                _ => return None,
            };
            Some(format!("{}{other}", number * factor))
        });
        changed += usize::from(other != text);
        assert_eq!(ids(&file, &other), ids(&file, &text), "{file}: units");
    }
    assert!(changed > 1, "{changed} files have a unit to change");
}

#[test]
fn a_name_or_a_function_written_out_does_not_change_a_stage() {
    let written_out = [
        (
            "intra",
            "(mean(pair(m[i], m[j]) for m in modalities, i < j in views))",
        ),
        (
            "sync",
            "(mean(pair(m[i], n[i]) for m < n in modalities, i in views))",
        ),
        (
            "async",
            "(mean(pair(m[i], n[j]) for m < n in modalities, i != j in views))",
        ),
        ("v1v2", "(1/2 * pair(v[1], v[2]))"),
        ("a1a2", "(1/2 * pair(a[1], a[2]))"),
    ];
    let mut changed = 0;
    for (file, text) in shipped_texts() {
        let other = words(&text, &|word| {
            let found = written_out.iter().find(|(name, _)| *name == word);
            found.map(|(_, definition)| (*definition).to_owned())
        });
        changed += usize::from(other != text);
        assert_eq!(
            ids(&file, &other),
            ids(&file, &text),
            "{file}: losses written out"
        );
    }
    assert!(changed > 1, "{changed} files name a loss");

    let row = |loss: &str| {
        let text = format!(
            "use paper\nlet half = 1/2\npretrain x = crisscross with {{ loss = {loss} }}\n"
        );
        ids("x.cc", &text)
    };
    let known = row("pair(v[1], a[2])");
    for same in [
        "pair(a[2], v[1])",
        "1/2 * D(p(v[1]), sg(z(a[2]))) + 1/2 * D(p(a[2]), sg(z(v[1])))",
        "half * D(h(z(v[1])), sg(f(a[2]))) + half * D(h(f(a[2])), sg(z(v[1])))",
        "-0.5 * cos(p(v[1]), sg(z(a[2]))) - 0.5 * cos(sg(z(v[1])), p(a[2]))",
        "pair(v[1], a[2]) + pair(v[1], a[2]) - pair(a[2], v[1])",
    ] {
        assert_eq!(row(same), known, "{same}");
    }
    assert_ne!(row("pair(v[1], a[1])"), known);
}

#[test]
fn the_negatives_of_a_bank_are_part_of_a_run() {
    let loss = |negatives: &str| {
        format!(
            "use paper\nlet bank = memory(z, momentum: 0.5)\npretrain x = crisscross with {{ loss = info_nce(z(v[1]), bank(a[1]), t: 0.07{negatives}) }}"
        )
    };
    let id = |text: &str| {
        let mut sources = compiler::sources();
        let root = sources.add("x.cc", text);
        let (program, _) = compiler::check(&mut sources, root, &|_, _| None, Profile::Full);
        compiler::hash::pretrain(&program.expect("it compiles").pretrains[0].pretrain)
    };
    let all = ["", ", negatives: 1024", ", negatives: 4096"].map(|n| id(&loss(n)));
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
}
