//! The shipped experiments as graphs and plans.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // whatever is not there, the test has failed

mod shipped;

use compiler::graph::{Node, pairs, text};
use compiler::hir::{Pretrain, Program};
use compiler::passes::build;
use compiler::plan::{self, Plan, Work};
use compiler::{Profile, check, hash, sources};
use shipped::{experiments, used};
use std::collections::BTreeSet;

const TABLE1: &str = include_str!("../../experiments/table1.cc");
const QUICKSTART: &str = include_str!("../../experiments/quickstart.cc");
const TRIMODAL: &str = include_str!("../../experiments/trimodal.cc");
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
    let standing = plan::Standing::default();
    let printed = plan::text(&plan::stood(plan, &standing), plan::Level::Summary, &[]);
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

/// A row of each of the three: without text or flow it is the paper's, which stands in `table1_11`.
#[test]
fn graphs_of_trimodal() {
    let rows = rows(TRIMODAL);
    for (number, what) in [(4, "words"), (6, "flow")] {
        let graph = text(&rows[number - 1], &format!("trimodal:{number}"));
        insta::assert_snapshot!(format!("trimodal_{what}"), graph);
    }
}

/// `intra` has a pair for each two views of a modality, `sync` for each two modalities in each view, `async` for each two
/// modalities in each two views in either order.
#[test]
fn families_range_over_any_number_of_modalities_and_views() {
    for (modalities, views, expected) in [
        (2, 2, (2, 2, 2)),
        (3, 2, (3, 6, 6)),
        (4, 2, (4, 12, 12)),
        (3, 3, (9, 9, 18)),
        (4, 3, (12, 18, 36)),
    ] {
        let text = many(modalities, views);
        let row = rows(&text).remove(0);
        let found = compiler::time::pairs(&row, &row.loss);
        let count = |family| found.iter().filter(|pair| pair.family == family).count();
        use compiler::time::Family;
        assert_eq!(
            (
                count(Family::Intra),
                count(Family::Sync),
                count(Family::Async)
            ),
            expected,
            "{text}"
        );
        // Each family weighs a third, whatever it has.
        let weights = pairs(&row.loss).expect("symmetric pairs only");
        let weight = |name: &str| {
            let found = weights.iter().find(|(pair, _)| pair == name);
            found.map(|(_, weight)| *weight)
        };
        let third = |pairs: usize| Some(compiler::units::Exact::new(1, 3 * pairs as i128));
        assert_eq!(weights.len(), found.len());
        assert_eq!(weight("v1v2"), third(expected.0), "{weights:?}");
        assert_eq!(weight("v2a2"), third(expected.1), "{weights:?}");
        assert_eq!(weight("v1a2"), third(expected.2), "{weights:?}");
    }
}

/// A pretraining of the first of `v`, `a`, text and flow, the last two under names of several letters.
fn many(modalities: usize, views: u32) -> String {
    let names = ["v", "a", "words", "flow_of_v"];
    format!(
        "use paper
         modality words = text(clip: 1s, tokens: 8tokens, from: captions)
         modality flow_of_v = flow(of: v, method: tvl1)
         data talk = videos(train: 9K, classes: 10, requires: [v, a, captions], short: skip)
         pretrain x = crisscross with {{
           data = talk   modalities = [{}]   views = {views}   relax = none
           words.augment = drop_words(p: 0.1)   words.f = bag_of_words(vocab: 30K, width: 512) - proj   words.h = pred
           flow_of_v.augment = follow(v)   flow_of_v.f = r2plus1d18 - proj   flow_of_v.h = pred
         }}",
        names[..modalities].join(", ")
    )
}

/// Flow lies where its video does under every policy, and words have the law of sound that is as long.
#[test]
fn windows_of_words_and_flow() {
    use compiler::time::{Windows, pairs, source};
    for policy in [
        "none",
        "mild",
        "medium",
        "extreme",
        "mixed",
        "windows(within: independent, v: same, across: start)",
    ] {
        let with = |modalities: &str, clip: &str| {
            let text = many(4, 2)
                .replace("[v, a, words, flow_of_v]", modalities)
                .replace("relax = none", &format!("relax = {policy}"))
                .replace("text(clip: 1s", &format!("text(clip: {clip}"));
            rows(&text).remove(0)
        };
        let all = with("[flow_of_v, words, a, v]", "2s");
        let windows = Windows::new(&all, source(&all)).expect("10 s are enough");
        for pair in pairs(&all, &all.loss) {
            let ((x, i), (y, j)) = &pair.views;
            let as_video = |name: &str| if name == "flow_of_v" { "v" } else { name }.to_owned();
            let law = windows.overlap(&pair).expect("a law of few digits");
            let (x, y) = (as_video(x), as_video(y));
            let of_video = if (&x, i) == (&y, j) {
                let one = compiler::units::Exact::whole(1);
                assert_eq!((law.mean, law.inside), (one, one), "{policy} {pair}");
                continue;
            } else {
                let views = ((x, *i), (y, *j));
                let family = pair.family;
                compiler::time::Pair { family, views }
            };
            assert_eq!(windows.overlap(&of_video), Some(law), "{policy} {pair}");
        }
        // What the other modalities see does not change with a flow beside them.
        let without = with("[words, a, v]", "2s");
        let alone = Windows::new(&without, source(&without)).expect("10 s are enough");
        for pair in pairs(&without, &without.loss) {
            assert_eq!(
                alone.overlap(&pair),
                windows.overlap(&pair),
                "{policy} {pair}"
            );
        }
    }
}

#[test]
fn plan_of_trimodal() {
    let plan = plan_of("trimodal.cc", TRIMODAL, Profile::Full);
    insta::assert_snapshot!("plan_trimodal", printed(&plan));
    // What no run can read is told before anything is trained.
    let left = plan::executable(&plan);
    let refused: Vec<(&str, usize)> = left.refused.into_iter().collect();
    assert_eq!(refused, [("optical flow", 4), ("text of captions", 4)]);
    let expected = ["trimodal:3", "trimodal:4", "trimodal:5", "trimodal:6"];
    assert_eq!(left.rows, expected);
    // The rows that are left are those of the paper's own table.
    let table2 = plan_of(
        "table2.cc",
        include_str!("../../experiments/table2.cc"),
        Profile::Full,
    );
    let known: BTreeSet<_> = table2.stages.into_iter().map(|stage| stage.id).collect();
    let rows = left.plan.tables.into_iter().flat_map(|table| table.rows);
    for row in rows {
        assert!(known.contains(&row.pretrain), "{}", row.label);
    }
}

/// Words and flow are refused wherever they stand: as a modality that no term reads, and as what the sampler must see of a set.
/// Sounds and pictures of a set with captions are read as of any other.
#[test]
fn what_cannot_be_read_is_refused_before_a_run() {
    let talk =
        "data talk = videos(train: 9K, classes: 10, requires: [v, a, captions], short: skip)";
    let refused = |pretrain: &str, scores: &str| {
        let text = format!(
            "use paper\nmodality o = flow(of: v, method: tvl1)\n{talk}\npretrain x = crisscross with {{ {pretrain} }}
             table y {{ of = x   scores = [{scores}]   row seed = 0 }}"
        );
        let left = plan::executable(&plan_of("x.cc", &text, Profile::Full));
        left.refused.into_keys().collect::<Vec<_>>()
    };
    let flow =
        "modalities = [v, a, o]   loss = v1v2   o.augment = follow(v)   o.f = r2plus1d18 - proj";
    assert_eq!(refused(flow, "linear2s on ESC50"), ["optical flow"]);
    let captions = ["a data set that requires captions"];
    assert_eq!(refused("data = talk", "linear2s on ESC50"), captions);
    assert!(refused("seed = 0", "linear8 on talk, linear2s on talk").is_empty());
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
        "bn_group = 64",
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

/// The files of `experiments` and of its folder `local`, by name without the suffix.
fn files() -> Vec<String> {
    let mut found = vec![];
    for folder in ["", "local/"] {
        for entry in std::fs::read_dir(experiments().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            found.extend(
                name.strip_suffix(".cc")
                    .map(|stem| format!("{folder}{stem}")),
            );
        }
    }
    found.sort();
    found
}

fn program_of(file: &str, profile: Profile) -> Program {
    let mut sources = sources();
    let text = std::fs::read_to_string(experiments().join(format!("{file}.cc"))).unwrap();
    let root = sources.add(format!("{file}.cc"), text);
    let (program, found) = check(&mut sources, root, &used, profile);
    program.unwrap_or_else(|| panic!("{file}: {found:#?}"))
}

const PROFILES: [(Profile, &str); 2] = [(Profile::Full, "full"), (Profile::Toy, "toy")];

/// The training step of each pretraining of a file: the largest as a whole, of the others the lines in which they differ from it.
fn steps(program: &Program) -> String {
    let mut known: Vec<(String, Pretrain, Vec<String>)> = vec![];
    for table in &program.tables {
        for (number, row) in (1..).zip(&table.rows) {
            let (id, name) = (
                hash::pretrain(&row.pretrain),
                format!("{}:{number}", table.name),
            );
            match known.iter_mut().find(|(other, ..)| *other == id.0) {
                Some((_, _, names)) => names.push(name),
                None => known.push((id.0, row.pretrain.as_ref().clone(), vec![name])),
            }
        }
    }
    // Names are alike, so that lines differ in what they say of the step alone.
    let lines = |pretrain: &Pretrain| -> Vec<String> {
        text(pretrain, "step").lines().map(str::to_owned).collect()
    };
    let Some(largest) = (0..known.len())
        .rev()
        .max_by_key(|at| lines(&known[*at].1).len())
    else {
        return String::new();
    };
    let whole = lines(&known[largest].1);
    let mut out = format!("{}\n{}\n", known[largest].2.join(", "), whole.join("\n"));
    // How wide the columns are says nothing.
    let squeezed = |lines: &[String]| -> Vec<String> {
        let words = lines.iter().map(|line| line.split_whitespace());
        words
            .map(|words| words.collect::<Vec<_>>().join(" "))
            .collect()
    };
    let whole = squeezed(&whole);
    for (at, (_, pretrain, names)) in known.iter().enumerate() {
        if at == largest {
            continue;
        }
        let own = squeezed(&lines(pretrain));
        out += &format!("\n{}\n", names.join(", "));
        let gone = whole.iter().filter(|line| !own.contains(line));
        out.extend(gone.map(|line| format!("- {line}\n")));
        let new = own.iter().filter(|line| !whole.contains(line));
        out.extend(new.map(|line| format!("+ {line}\n")));
    }
    out
}

#[test]
fn graphs_of_every_file_in_both_profiles() {
    for file in files() {
        for (profile, word) in PROFILES {
            let name = format!("graphs_{}_{word}", file.replace('/', "_"));
            insta::assert_snapshot!(name, steps(&program_of(&file, profile)));
        }
    }
}

/// One line for each file: what it asks for, and what of it can be executed.
#[test]
fn plans_of_every_file_in_both_profiles() {
    let mut lines = vec![];
    for file in files() {
        for (profile, word) in PROFILES {
            let program = program_of(&file, profile);
            let plan = plan::plan(&[(&file, &program)]).expect("the file can be run");
            let count = |plan: &Plan| {
                let kinds = ["pretrain", "extract", "score", "finetune", "draw"];
                let of = |kind: &str| {
                    let is_of = |work: &Work| match work {
                        Work::Pretrain(_) => "pretrain" == kind,
                        Work::Extract(_) => "extract" == kind,
                        Work::Score(_) => "score" == kind,
                        Work::Finetune(_) => "finetune" == kind,
                        Work::Draw(_) => "draw" == kind,
                    };
                    plan.stages
                        .iter()
                        .filter(|stage| is_of(&stage.work))
                        .count()
                };
                let rows: usize = plan.tables.iter().map(|table| table.rows.len()).sum();
                let counts = kinds.into_iter().map(|kind| (kind, of(kind)));
                let some = counts
                    .filter(|(_, n)| *n > 0)
                    .map(|(kind, n)| format!(" {n} {kind}"));
                format!("{rows} rows{}", some.collect::<String>())
            };
            let left = plan::executable(&plan).plan;
            let (all, run) = (count(&plan), count(&left));
            let run = if run == all {
                "all of it".to_owned()
            } else {
                run
            };
            lines.push(format!("{file:22} {word:4}  {all}; can be run: {run}"));
        }
    }
    insta::assert_snapshot!("plans_of_every_file", lines.join("\n"));
}
