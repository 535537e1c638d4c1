//! How plans stand on a machine, and why.

use super::{table, with_loss};
use crate::fixture::ALL;
use crate::hir;
use crate::plan::*;

/// A table of two rows and three scores, as a plan.
fn two_rows() -> Plan {
    let program = table("t", vec![with_loss(&["v1v2"]), with_loss(&ALL)]);
    plan(&[("t.cc", &program)]).unwrap()
}

fn done(plan: &Plan, labels: &[&str]) -> Standing {
    let ids = plan.stages.iter();
    let done = ids.filter(|stage| labels.contains(&stage.label.as_str()));
    Standing {
        done: done
            .map(|stage| (stage.id.clone(), stage.label.replace([' ', ':'], "-")))
            .collect(),
        ..Standing::default()
    }
}

fn state(plan: &Plan, standing: &Standing, label: &str) -> State {
    let stage = plan.stages.iter().find(|stage| stage.label == label);
    stood(plan, standing).states[&stage.unwrap().id]
}

#[test]
fn a_line_for_each_row_says_what_is_done_and_to_do() {
    let plan = two_rows();
    let standing = done(&plan, &["t:2 pretrain", "t:2 extract see on KS"]);
    assert_eq!(
        text(&stood(&plan, &standing), Level::Rows, &[]),
        "t:1  4 to do          row 1\nt:2  2 done, 4 to do  row 2\n"
    );
}

/// The features of `see` and `see well` are one set; the second row's sound is scored once.
#[test]
fn a_summary_counts_what_is_asked_for_shared_done_and_to_do() {
    let plan = two_rows();
    let standing = done(
        &plan,
        &["t:1 pretrain", "t:2 pretrain", "t:1 score see on KS"],
    );
    let summary = summary(&stood(&plan, &standing));
    let counts: Vec<_> = summary
        .stages
        .iter()
        .map(|of| (of.kind, of.asked, of.distinct, of.done, of.to_do))
        .collect();
    assert_eq!(
        counts,
        [
            ("pretrain", 2, 2, 2, 0),
            ("extract", 5, 3, 0, 3),
            ("score", 5, 5, 1, 4)
        ]
    );
    let printed = totals(&summary);
    assert!(
        printed.contains("3 extractions        5 asked for, 2 shared; 0 done, 3 to do"),
        "{printed}"
    );
}

#[test]
fn a_table_says_which_of_its_rows_another_has() {
    let first = table("t1", vec![with_loss(&["v1v2"]), with_loss(&ALL)]);
    let second = table("t2", vec![with_loss(&ALL), with_loss(&["a1a2"])]);
    let plan = plan(&[("t1.cc", &first), ("t2.cc", &second)]).unwrap();
    let of = &summary(&stood(&plan, &Standing::default())).by_table;
    assert!(of[0].reused.is_empty());
    assert_eq!(of[1].reused, [("t2:1".to_owned(), "t1:2".to_owned())]);
    // Its second row alone is new, with its one score.
    assert_eq!(
        of[1].new.clone().into_iter().collect::<Vec<_>>(),
        [("extract", 1), ("pretrain", 1), ("score", 1)]
    );
}

/// Without the data of a score its features are not made; without that of the pretraining nothing is.
#[test]
fn what_lacks_its_data_is_stopped_and_what_is_made_for_it_alone() {
    let mut program = table("t", vec![with_loss(&ALL)]);
    let other = |score: &mut (String, hir::Protocol)| {
        let hir::Protocol::Single(eval) = &mut score.1 else {
            panic!("a protocol of one modality")
        };
        if let hir::Data::Videos(files) = &mut eval.data {
            files.name = "UCF101".to_owned();
        }
    };
    program.tables[0].scores.iter_mut().for_each(other);
    let plan = plan(&[("t.cc", &program)]).unwrap();
    let without = |name: &str| Standing {
        missing: [(name.to_owned(), "no root".to_owned())].into(),
        ..Standing::default()
    };
    assert_eq!(
        data_sets(&plan, &std::collections::BTreeSet::new())
            .into_iter()
            .collect::<Vec<_>>(),
        ["KS", "UCF101"]
    );
    for name in ["KS", "UCF101"] {
        // The pretraining serves these scores alone.
        for label in [
            "t:1 pretrain",
            "t:1 extract see on KS",
            "t:1 score see on KS",
        ] {
            assert_eq!(
                state(&plan, &without(name), label),
                State::Stopped,
                "{name}: {label}"
            );
        }
        let standing = without(name);
        let printed = text(&stood(&plan, &standing), Level::Summary, &[]);
        assert!(
            printed.contains(&format!("missing           {name}: no root; stops t:1\n")),
            "{printed}"
        );
    }
    assert_eq!(state(&plan, &without("AS"), "t:1 pretrain"), State::ToDo);
    // What is done stays done.
    let standing = Standing {
        missing: without("UCF101").missing,
        ..done(&plan, &["t:1 pretrain", "t:1 score see on KS"])
    };
    assert_eq!(state(&plan, &standing, "t:1 pretrain"), State::Done);
    assert_eq!(
        state(&plan, &standing, "t:1 extract see on KS"),
        State::Stopped
    );
}

fn earlier(plan: &Plan) -> Vec<Earlier> {
    let one = |stage: &Stage| Earlier {
        folder: format!("folder of {}", stage.label),
        set: plan.set.clone(),
        stage: stage.clone(),
    };
    plan.stages.iter().map(one).collect()
}

fn whys(plan: &Plan, standing: &Standing, earlier: &[Earlier]) -> Vec<(&'static str, Because)> {
    let place = |table: usize, row: usize, path: &str| Some(format!("{table}:{row}:{path}"));
    reasons(&stood(plan, standing), &[(0, 0)], earlier, &place)
        .into_iter()
        .map(|reason| (reason.kind, reason.because))
        .collect()
}

#[test]
fn a_reason_names_the_nearest_finished_stage_and_what_differs() {
    let now = |ep, seed| {
        let row = hir::Pretrain {
            ep,
            seed,
            ..with_loss(&["v1v2"])
        };
        plan(&[("t.cc", &table("t", vec![row]))]).unwrap()
    };
    let plan = now(100, 3);
    let none = Standing::default();
    let [first, extract, ..] = &whys(&plan, &none, &[])[..] else {
        panic!("four stages")
    };
    assert_eq!(*first, ("pretrain", Because::First));
    let model = plan.stages[0].id.clone();
    assert_eq!(
        *extract,
        (
            "extract",
            Because::WaitsFor {
                stage: model,
                of: "pretrain"
            }
        )
    );

    // Two fields differ in one, one in the other.
    let quick = Plan {
        set: vec!["ep = 2".to_owned()],
        ..now(2, 3)
    };
    let known = [earlier(&now(2, 0)), earlier(&quick)].concat();
    let found = whys(&plan, &none, &known);
    let difference = |path: &str, here: &str, there: &str| Difference {
        path: path.to_owned(),
        here: here.to_owned(),
        there: there.to_owned(),
        place: Some(format!("0:0:{path}")),
    };
    assert_eq!(
        found[0].1,
        Because::Differs {
            folder: "folder of t:1 pretrain".to_owned(),
            set: quick.set.clone(),
            fields: vec![difference("ep", "100", "2")],
        }
    );
    // Once the pretraining is done, its features differ from earlier ones in the weights that they are made with.
    let pretrained = done(&plan, &["t:1 pretrain"]);
    let found = whys(&plan, &pretrained, &known);
    assert!(matches!(&found[0].1, Because::Finished { folder } if folder == "t-1-pretrain"));
    let Because::Differs { fields, .. } = &found[1].1 else {
        panic!("{:?}", found[1])
    };
    let paths: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["model"]);
    let text = reasons_text(
        &stood(&plan, &none),
        &reasons(&stood(&plan, &none), &[(0, 0)], &known, &|_, _, _| None),
    );
    assert!(text.starts_with("t:1  row 1\n  pretrain  "), "{text}");
    assert!(
        text.contains(
            "`folder of t:1 pretrain` (set on the command line: ep = 2), differs in\n      ep  100  was 2\n"
        ),
        "{text}"
    );
}

/// Equal settings under another id: an operator's version was raised in between.
#[test]
fn equal_fields_under_another_id_are_told_as_what_they_are() {
    let plan = two_rows();
    let mut known = earlier(&plan);
    known
        .iter_mut()
        .for_each(|of| of.stage.id = StageId("0".repeat(64)));
    let found = whys(&plan, &Standing::default(), &known);
    assert!(
        matches!(&found[0].1, Because::Differs { fields, .. } if fields.is_empty()),
        "{found:?}"
    );
}

/// Every difference of two works shows in their fields: what a hash covers is what is compared.
#[test]
fn stages_of_other_ids_have_other_fields() {
    let rows = [
        with_loss(&["v1v2"]),
        with_loss(&ALL),
        hir::Pretrain {
            seed: 1,
            ..with_loss(&ALL)
        },
        hir::Pretrain {
            es: 1024,
            ..with_loss(&ALL)
        },
        hir::Pretrain {
            bn: hir::BatchNorm::Joint,
            ..with_loss(&ALL)
        },
        hir::Pretrain {
            precision: hir::Precision::Fp32,
            ..with_loss(&ALL)
        },
    ];
    let plan = plan(&[("t.cc", &table("t", rows.to_vec()))]).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for stage in &plan.stages {
        assert!(seen.insert(fields(&stage.work)), "{}", stage.label);
    }
}

#[test]
fn json_has_the_plan_the_summary_and_the_reasons() {
    let plan = two_rows();
    let standing = done(&plan, &["t:1 pretrain"]);
    let read = |level, reasons: &[Reason]| -> serde_json::Value {
        serde_json::from_str(&json_of(&stood(&plan, &standing), level, &[], reasons)).unwrap()
    };
    let whole = read(Level::Summary, &[]);
    assert_eq!(serde_json::from_value::<Plan>(whole.clone()).unwrap(), plan);
    assert_eq!(whole["summary"]["stages"][0]["done"], 1);
    assert!(whole.get("why").is_none() && whole.get("passes").is_none());
    let rows = read(Level::Rows, &[]);
    assert!(rows.get("stages").is_none());
    let id = &plan.tables[0].rows[0].pretrain.0;
    assert_eq!(rows["rows"][0]["stages"][id], "done");
    let reasons = reasons(&stood(&plan, &standing), &[(0, 0)], &[], &|_, _, _| None);
    let why = read(Level::Full, &reasons);
    assert_eq!(why["why"][0]["because"], "finished");
    assert!(why.get("passes").is_some());
}
