//! Questions about the shipped experiments, and mistakes in questions.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // whatever is not there, the test has failed

mod shipped;

use compiler::query::{Answer, query};
use compiler::sources;
use grammar::diagnostic::Diagnostic;
use grammar::span::Sources;
use shipped::{experiments, used};
use std::collections::BTreeSet;

/// Asks about some files of `experiments`; all of its first level where none is named.
fn ask(question: &str, files: &[&str]) -> Result<Answer, (Sources, Vec<Diagnostic>)> {
    let mut names: Vec<String> = files.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        let folder = std::fs::read_dir(experiments()).unwrap();
        let all = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names = all.filter(|name| name.ends_with(".cc")).collect();
        names.sort();
    }
    let mut sources = sources();
    let mut roots = vec![];
    for name in names {
        let text = std::fs::read_to_string(experiments().join(&name)).unwrap();
        roots.push((name.clone(), sources.add(name, text)));
    }
    let asked = sources.add("question", question);
    query(&mut sources, &roots, asked, &used).map_err(|found| (sources, found))
}

fn answer(question: &str, files: &[&str]) -> Answer {
    ask(question, files).unwrap_or_else(|(_, found)| panic!("{question}: {found:#?}"))
}

/// An answer with each hash replaced by a number: a hash says nothing to a reader.
fn printed(question: &str, files: &[&str]) -> String {
    let answer = answer(question, files);
    let mut text = answer.text();
    let mut seen = vec![];
    for id in answer.items.iter().filter_map(|item| item.id.as_ref()) {
        if !seen.contains(&id) {
            seen.push(id);
        }
    }
    for (number, id) in (1..).zip(seen) {
        text = text.replace(id.short(), &format!("id-{number:05}"));
    }
    format!("{question}\n\n{text}")
}

/// The names of an answer of one kind.
fn names(question: &str, kind: &str) -> BTreeSet<String> {
    let items = answer(question, &[]).items.into_iter();
    items
        .filter(|item| item.kind == kind)
        .map(|item| item.name)
        .collect()
}

#[test]
fn what_a_row_is_made_of() {
    insta::assert_snapshot!("deps_of_a_row", printed("deps(table1:1)", &[]));
}

#[test]
fn what_uses_an_augmentation() {
    let files = ["table1.cc", "table5.cc", "temporal_consistency.cc"];
    insta::assert_snapshot!("rdeps_of_blur", printed("rdeps(GB)", &files));
}

#[test]
fn what_two_files_share() {
    insta::assert_snapshot!("shared", printed("shared(table1, fig4)", &[]));
}

#[test]
fn rows_of_a_kind() {
    let questions = [
        "rows where loss has async and not loss has intra",
        "rows where relax == mild and bs >= 1024 and checkpoint < 20ep",
        "rows where v.augment has C and not v.augment has GB",
        "rows where optim has larc and data == KS",
    ];
    let answers: Vec<String> = questions
        .iter()
        .map(|question| printed(question, &[]))
        .collect();
    insta::assert_snapshot!("rows", answers.join("\n"));
}

/// Each mark of Table 1, found by hand: what its row sets, and not what `crisscross` has in its place.
#[test]
fn a_value_that_a_row_replaces_is_not_used_by_it() {
    let rows = |question: &str| -> Vec<usize> {
        let found = names(question, "row");
        let own = found.iter().filter_map(|name| name.strip_prefix("table1:"));
        let mut own: Vec<usize> = own.map(|row| row.parse().unwrap()).collect();
        own.sort_unstable();
        own
    };
    // Which rows have the terms of each family: v1v2 and a1a2 together are intra.
    assert_eq!(rows("rows where loss has async"), [5, 7, 8, 9, 10, 11]);
    assert_eq!(rows("rows where loss has sync"), [4, 6, 7, 9, 10, 11]);
    assert_eq!(rows("rows where loss has v1v2"), [1, 3, 6, 8, 9, 11]);
    assert_eq!(rows("rows where loss has a1a2"), [2, 3, 6, 8, 10, 11]);
    assert_eq!(rows("rows where loss has intra"), [3, 6, 8, 11]);
    // Which rows name it.
    assert_eq!(rows("rdeps(async)"), [5, 7, 8, 9, 10, 11]);
    assert_eq!(rows("rdeps(v1v2)"), [1, 9]);
    // Also where the pretraining of a row stands in another file of the user's: `visual` of table5.cc.
    let users = names("rdeps(v1v2)", "row");
    assert!(users.contains("temporal_consistency:1") && users.contains("table5_visual:1"));
    // By value, whatever the words: row 3 is equation 2 written out.
    assert_eq!(rows("rows where loss == v1v2 + a1a2"), [3]);
    assert_eq!(rows("rows where loss == 2 * (sync + async)"), [7]);
    assert_eq!(rows("rows where lr_p == 0.001 or lr_p == 0.0001"), [1, 2]);
    assert_eq!(rows("rows where lr_b.start < 0.0001"), [2]);
    assert_eq!(rows("rows where es / bs > 429 and es / bs < 430").len(), 11);
}

/// `deps` and `rdeps` are two readings of one relation.
#[test]
fn down_and_up_agree() {
    for (user, used) in [
        ("crisscross_k400", "proj"),
        ("linear2s", "TW"),
        ("sync", "pair"),
        ("fusion_av", "fusion_v"),
        ("retrieval", "v"),
    ] {
        let below = answer(&format!("deps({user})"), &[]);
        let above = answer(&format!("rdeps({used})"), &[]);
        assert!(
            below.items.iter().any(|item| item.name == used),
            "{user} {used}"
        );
        assert!(
            above.items.iter().any(|item| item.name == user),
            "{user} {used}"
        );
    }
    // `crisscross_k400` replaces the data of what it copies.
    assert!(names("deps(crisscross_k400)", "data").contains("K400"));
    assert!(!names("deps(crisscross_k400)", "data").contains("KS"));
    assert!(!names("rdeps(KS)", "pretrain").contains("crisscross_k400"));
}

/// Twenty points of Figure 4 are two pretrainings, both shared with Table 2; the last state of each is scored there too.
#[test]
fn shared_stages_of_figure_4_and_table_2() {
    let shared = answer("shared(fig4_left, table2_k400)", &[]).items;
    let count = |kind: &str| shared.iter().filter(|item| item.kind == kind).count();
    assert_eq!(
        (count("pretraining"), count("extraction"), count("score")),
        (2, 4, 4)
    );
}

#[test]
fn json_says_what_text_says() {
    let answer = answer("rows where loss == async", &["table1.cc"]);
    let json: serde_json::Value = serde_json::from_str(&answer.json()).unwrap();
    assert_eq!(json["query"], "rows where loss == async");
    assert_eq!(json["items"].as_array().unwrap().len(), 1);
    assert_eq!(json["items"][0]["name"], "table1:5");
    assert_eq!(json["items"][0]["kind"], "row");
    assert_eq!(json["items"][0]["place"], "table1.cc:20");
}

/// Mistakes with their places and what is meant.
#[test]
fn mistakes_in_questions() {
    let cases = [
        ("dep(table1)", "E0301", "dep", Some("deps")),
        ("deps(tabel1)", "E0301", "tabel1", Some("table1")),
        ("shared(table1)", "E0310", "shared(table1", None),
        ("rdeps(table1)", "E0203", "table1", None),
        ("deps(table1:99)", "E0301", "99", None),
        ("tables where bs > 1", "E0301", "tables", None),
        ("rows where bsz >= 3", "E0302", "bsz", Some("bs")),
        (
            "rows where loss has asynch",
            "E0301",
            "asynch",
            Some("async"),
        ),
        ("rows where relax == mlid", "E0301", "mlid", Some("mild")),
        (
            "rows where data == UFC101",
            "E0301",
            "UFC101",
            Some("UCF101"),
        ),
        ("rows where ep < 100ep", "E0203", "100ep", Some("100")),
        ("rows where relax < mild", "E0203", "relax", None),
        ("rows where 3 has async", "E0203", "3", None),
    ];
    for (question, code, place, meant) in cases {
        let (sources, found) = ask(question, &["table1.cc"]).expect_err(question);
        let first = &found[0];
        assert_eq!(first.code.0, code, "{question}: {}", first.message);
        assert_eq!(sources.text(first.primary.span), place, "{question}");
        assert_eq!(
            first.edits.first().map(|edit| edit.text.as_str()),
            meant,
            "{question}"
        );
    }
    // A name that fits some rows is no mistake beside the others.
    assert!(ask("rows where loss has sync", &["table1.cc", "table5.cc"]).is_ok());
}
