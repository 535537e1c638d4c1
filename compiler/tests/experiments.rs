//! The shipped experiments as graphs and plans.

use compiler::graph::{Node, pairs, text};
use compiler::hir::{Pretrain, Program};
use compiler::passes::build;
use compiler::plan::{self, Plan};
use compiler::{Profile, check, hash, sources};
use std::collections::BTreeSet;

const TABLE1: &str = include_str!("../../experiments/table1.cc");
const QUICKSTART: &str = include_str!("../../experiments/quickstart.cc");
const ESC10: &str = include_str!("../../experiments/local/esc10.cc");
const ONE: &str = "intra + sync + async\n";

/// What `text` closes to; it has no errors.
fn program(text: &str, profile: Profile) -> Program {
    let mut sources = sources();
    let root = sources.add("test.cc", text);
    let (program, found) = check(&mut sources, root, &|_, _| None, profile);
    program.unwrap_or_else(|| panic!("{found:#?}"))
}

/// The pretrainings of the rows of the first table.
fn rows(text: &str) -> Vec<Pretrain> {
    program(text, Profile::Full)
        .tables
        .remove(0)
        .rows
        .into_iter()
        .map(|row| std::sync::Arc::unwrap_or_clone(row.pretrain))
        .collect()
}

/// The printed plan with each hash replaced by its stage's position: a hash says nothing to a reader.
fn printed(plan: &Plan) -> String {
    let printed = plan::text(plan, |_| false);
    let numbered = plan.stages.iter().enumerate();
    numbered.fold(printed, |text, (i, stage)| {
        text.replace(stage.id.short(), &format!("stage-{}", i + 1))
    })
}

fn plan_of(file: &str, text: &str, profile: Profile) -> Plan {
    plan::plan(&[(file, &program(text, profile))]).expect("the file can be run")
}

#[test]
fn graphs_of_table1() {
    for (number, row) in (1..).zip(rows(TABLE1)) {
        let name = format!("table1_{number:02}");
        insta::assert_snapshot!(name, text(&row, &format!("table1:{number}")));
    }
}

#[test]
fn graphs_of_quickstart() {
    for (number, row) in (1..).zip(rows(QUICKSTART)) {
        insta::assert_snapshot!(
            format!("quickstart_{number}"),
            text(&row, &format!("quickstart:{number}"))
        );
    }
}

#[test]
fn graph_of_the_one_line_file() {
    let one = rows(ONE).remove(0);
    insta::assert_snapshot!("one_line", text(&one, "main"));
    // It is row 11 of Table 1.
    assert_eq!(hash::pretrain(&one), hash::pretrain(&rows(TABLE1)[10]));
}

/// Directed terms, network calls after sharing, modalities and weights of Table 1, counted by hand from equations 2 to 5.
#[test]
fn table1_calls_and_weights() {
    let intra = ["v1v2", "a1a2"];
    let sync = ["v1a1", "v2a2"];
    let cross = ["v1a2", "v2a1"];
    let of = |families: &[&[&'static str]]| -> BTreeSet<&'static str> {
        families.concat().into_iter().collect()
    };
    // Pairs, then directed terms D, encodings z and predictions p.
    let expected = [
        (of(&[&["v1v2"]]), 2, 2, 2, "v"),
        (of(&[&["a1a2"]]), 2, 2, 2, "a"),
        (of(&[&intra]), 4, 4, 4, "av"),
        (of(&[&sync]), 4, 4, 4, "av"),
        (of(&[&cross]), 4, 4, 4, "av"),
        (of(&[&sync, &intra]), 8, 4, 4, "av"),
        (of(&[&sync, &cross]), 8, 4, 4, "av"),
        (of(&[&cross, &intra]), 8, 4, 4, "av"),
        (of(&[&["v1v2"], &sync, &cross]), 10, 4, 4, "av"),
        (of(&[&["a1a2"], &sync, &cross]), 10, 4, 4, "av"),
        (of(&[&intra, &sync, &cross]), 12, 4, 4, "av"),
    ];
    let rows = rows(TABLE1);
    assert_eq!(rows.len(), expected.len());
    for ((wanted, terms, encodings, predictions, modalities), row) in expected.into_iter().zip(rows)
    {
        let weights = pairs(&row.loss).expect("Table 1 has symmetric pairs only");
        let names: BTreeSet<&str> = weights.iter().map(|(pair, _)| pair.as_str()).collect();
        assert_eq!(names, wanted);
        let each = compiler::units::Exact::new(1, wanted.len() as i128);
        assert!(
            weights.iter().all(|(_, weight)| *weight == each),
            "{weights:?}"
        );
        let (graph, _) = build(&row);
        let nodes: Vec<&Node> = graph.ids().map(|id| graph.node(id)).collect();
        let count = |is: fn(&Node) -> bool| nodes.iter().filter(|node| is(node)).count();
        assert_eq!(count(|node| matches!(node, Node::Term { .. })), terms);
        assert_eq!(count(|node| matches!(node, Node::Encode { .. })), encodings);
        assert_eq!(
            count(|node| matches!(node, Node::Predict { .. })),
            predictions
        );
        let mut read = BTreeSet::new();
        for node in nodes {
            if let Node::Decode { modality, .. } = node {
                read.insert(modality.as_str());
            }
        }
        assert_eq!(read.into_iter().collect::<String>(), modalities);
    }
}

#[test]
fn plan_of_quickstart() {
    insta::assert_snapshot!(
        "plan_quickstart",
        printed(&plan_of("quickstart.cc", QUICKSTART, Profile::Full))
    );
}

#[test]
fn plan_of_table1() {
    insta::assert_snapshot!(
        "plan_table1",
        printed(&plan_of("table1.cc", TABLE1, Profile::Full))
    );
}

#[test]
fn plan_of_esc10() {
    insta::assert_snapshot!(
        "plan_esc10",
        printed(&plan_of("esc10.cc", ESC10, Profile::Full))
    );
}

#[test]
fn plan_of_the_one_line_file_in_toy_form() {
    insta::assert_snapshot!(
        "plan_one_line_toy",
        printed(&plan_of("one.cc", ONE, Profile::Toy))
    );
}

#[test]
fn toy_stages_are_others_than_full_ones() {
    let ids = |profile| {
        plan_of("table1.cc", TABLE1, profile)
            .stages
            .into_iter()
            .map(|s| s.id)
            .collect::<BTreeSet<_>>()
    };
    let (full, toy) = (ids(Profile::Full), ids(Profile::Toy));
    assert_eq!(full.intersection(&toy).count(), 0);
    assert_eq!(full.len(), toy.len());
}

/// The same experiment written in other words has the same stages; each change of a setting makes others.
#[test]
fn hashes_are_of_meaning() {
    let base = "use paper\npretrain x = crisscross with { loss = intra + sync   lr_b = cosine(0.0002 -> 0, warmup: 2ep) }\n";
    let id = |text: &str| hash::pretrain(&rows(text)[0]);
    let same = [
        (
            "a comment",
            "# hello\nuse paper\npretrain x = crisscross with { loss = intra + sync }\n",
        ),
        (
            "order of terms",
            "use paper\npretrain x = crisscross with { loss = sync + intra }\n",
        ),
        (
            "another name",
            "use paper\npretrain other = crisscross with { loss = intra + sync }\n",
        ),
        (
            "the same weight",
            "use paper\npretrain x = crisscross with { loss = 1/3 * intra + 2/6 * sync }\n",
        ),
        (
            "a helper",
            "use paper\nloss mine = sync + intra\npretrain x = crisscross with { loss = mine }\n",
        ),
        (
            "other units",
            "use paper\npretrain x = crisscross with { es = 220000   loss = v1v2 + a1a2 + sync
              optim = adam(betas: (90%, 0.999), wd: 1e-4)
              relax = windows(within: overlap(0.5, of: each), across: inside) }",
        ),
        (
            "order of declarations",
            "use paper\npretrain x = y with { loss = intra + sync }\npretrain y = crisscross\n",
        ),
    ];
    for (what, text) in same {
        assert_eq!(id(text), id(base), "{what}");
    }
    let changes = [
        "seed = 1",
        "bs = 256",
        "ep = 99",
        "bn = joint",
        "relax = none",
        "precision = fp32",
        "es = 200K",
    ];
    let mut seen = BTreeSet::from([id(base)]);
    for change in changes {
        let text = format!(
            "use paper\npretrain x = crisscross with {{ loss = intra + sync   {change} }}\n"
        );
        assert!(seen.insert(id(&text)), "{change}");
    }
}
