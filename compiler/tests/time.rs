//! What `explain` prints of a policy, and the table of docs/language.md.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use compiler::hir::Pretrain;
use compiler::time::Family;
use compiler::units::Exact;
use compiler::{Profile, time};

/// The pretraining `x` of a file that uses the prelude.
fn pretrain(body: &str) -> Pretrain {
    let mut sources = compiler::sources();
    let file = sources.add(
        "x.cc",
        format!(
            "use paper\n\
             data long = synthetic(clips: 64, classes: 4, length: 30s, lag: 0.3s, seed: 1)\n\
             pretrain x = crisscross with {{ {body} }}"
        ),
    );
    let (program, found) = compiler::check(&mut sources, file, &|_, _| None, Profile::Full);
    program
        .unwrap_or_else(|| panic!("{found:?}"))
        .pretrains
        .remove(0)
        .pretrain
}

#[test]
fn policies_of_the_paper() {
    let texts = ["none", "mild", "medium", "extreme", "mixed"]
        .map(|policy| time::text(&pretrain(&format!("relax = {policy}")), policy));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn policies_beside_those_of_the_paper() {
    let bodies = [
        "relax = windows(within: offset(max), across: start)",
        "relax = windows(within: offset(max), a: same, across: start)",
        "relax = windows(within: overlap(50%, of: a), across: centre)   loss = v1v2 + sync",
        "relax = windows(within: overlap(25%, of: each), across: inside)   views = 3",
        "data = long   relax = mixed",
    ];
    let texts = bodies.map(|body| time::text(&pretrain(body), "relax"));
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn laws_as_json_are_fractions() {
    let json: serde_json::Value =
        serde_json::from_str(&time::json(&pretrain("relax = mild"), "mild")).unwrap();
    assert_eq!(
        json["policy"],
        "windows(within: overlap(50%, of: each), across: inside)"
    );
    assert_eq!(
        json["source"],
        serde_json::json!({ "seconds": "10", "declared": false })
    );
    assert_eq!(
        json["windows"][0],
        serde_json::json!({ "modality": "v", "seconds": "1/2", "offset": "1/4", "span": "3/4", "needs": "3/4" })
    );
    assert_eq!(
        json["pairs"][2],
        serde_json::json!({ "pair": "v1a1", "family": "sync", "views": ["v[1]", "a[1]"], "mean": "7/9", "inside": "2/3", "apart": "1/9" })
    );
}

/// The rows of a table of docs/language.md, cell by cell, without backticks.
fn table(heading: &str) -> Vec<Vec<String>> {
    let text = include_str!("../../docs/language.md");
    let lines = text.lines().skip_while(|line| !line.starts_with(heading));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    };
    rows.map(cells).collect()
}

#[test]
fn the_table_of_the_documentation_is_what_is_worked_out() {
    let rows = table("| policy | v1v2 |");
    assert_eq!(rows.len(), 5);
    for row in rows {
        let pretrain = pretrain(&format!("relax = {}", row[0]));
        let windows = time::Windows::new(&pretrain, Exact::whole(10)).unwrap();
        for pair in time::pairs(&pretrain, &pretrain.loss) {
            let law = windows.overlap(&pair).unwrap();
            let all = format!("{}, {}, {}", law.mean, law.inside, law.apart);
            let (written, due) = match pair.family {
                Family::Intra if pair.views.0.0 == "v" => (&row[1], law.mean.to_string()),
                Family::Intra => (&row[2], law.mean.to_string()),
                Family::Sync => (&row[3], all),
                Family::Async => (&row[4], all),
            };
            assert_eq!(*written, due, "{} {pair}", row[0]);
        }
    }
}
