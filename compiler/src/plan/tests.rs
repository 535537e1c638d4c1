//! Plans of closed programs built by hand.

mod standing;

use super::*;
use crate::codes::NOT_AVAILABLE;
use crate::fixture::{ALL, crisscross, pairs};
use crate::hir::{Choose, Clips, Eval, FeatureStep, Head, Program, Protocol, Row, Score, Table};
use crate::loss::{EmbeddingOp, Loss};
use crate::units::Exact;
use grammar::span::{FileId, Span};
use std::sync::Arc;

fn here(start: usize) -> Span {
    Span::new(FileId(0), start, start + 1)
}

fn eval(uses: &str, cost: i128) -> Eval {
    let pretrain = crisscross(pairs(&ALL));
    let modality = pretrain.modality(uses).unwrap();
    Eval {
        data: pretrain.data.clone(),
        uses: uses.to_owned(),
        clip: modality.clip.clone(),
        train: Clips::Random(2),
        test: Clips::Uniform(2),
        augment: modality.augment.clone(),
        features: vec![FeatureStep::L2],
        head: Head::Svm {
            costs: vec![Exact::whole(cost)],
            choose: Choose::Test,
        },
        score: Score::Top1,
    }
}

/// A table with two scores on video that differ in their head, and one on audio.
fn table(name: &str, rows: Vec<hir::Pretrain>) -> Program {
    let row = |(i, pretrain)| Row {
        number: i,
        written: crate::loss::Written::default(),
        label: format!("row {i}"),
        of: "crisscross".to_owned(),
        id: crate::hash::pretrain(&pretrain),
        pretrain: Arc::new(pretrain),
        checkpoint: None,
        at: None,
        expect: vec![Some("69.1".to_owned()), None, None],
        span: here(i),
        provenance: Default::default(),
    };
    let scores = [
        ("see on KS", eval("v", 1)),
        ("see well on KS", eval("v", 2)),
        ("hear on KS", eval("a", 1)),
    ];
    let table = Table {
        x: None,
        name: name.to_owned(),
        title: Some("A title".to_owned()),
        span: here(0),
        scores: scores
            .map(|(heading, eval)| (heading.to_owned(), Protocol::Single(Box::new(eval))))
            .to_vec(),
        drawings: vec![],
        curves: vec![],
        rows: (1..).zip(rows).map(row).collect(),
    };
    Program {
        is_toy: false,
        set: vec![],
        is_bare: false,
        data: vec![],
        pretrains: vec![],
        evals: vec![],
        tables: vec![table],
    }
}

fn with_loss(names: &[&str]) -> hir::Pretrain {
    crisscross(pairs(names))
}

/// `text` with each hash replaced by the position of its stage, for a hash says nothing to a reader.
fn without_hashes(plan: &Plan, text: &str) -> String {
    let numbered = plan.stages.iter().enumerate();
    numbered.fold(text.to_owned(), |text, (i, stage)| {
        text.replace(stage.id.short(), &format!("stage-{}", i + 1))
    })
}

#[test]
fn equal_stages_stand_once_over_all_files() {
    let first = table("t1", vec![with_loss(&["v1v2"]), with_loss(&ALL)]);
    let second = table("t2", vec![with_loss(&ALL)]);
    let plan = plan(&[("t1.cc", &first), ("t2.cc", &second)]).unwrap();
    assert_eq!(
        plan.tables[1].rows[0].pretrain,
        plan.tables[0].rows[1].pretrain
    );
    assert_eq!(plan.tables[1].rows[0].cells, plan.tables[0].rows[1].cells);
    let done = plan.stages[0].id.clone();
    let standing = Standing {
        done: [(done, "pretrain-t1-1".to_owned())].into(),
        ..Standing::default()
    };
    let full = text(&stood(&plan, &standing), Level::Full, &[]);
    insta::assert_snapshot!(without_hashes(&plan, &full));
    let mut ids: Vec<&StageId> = plan.stages.iter().map(|stage| &stage.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), plan.stages.len());
}

#[test]
fn stages_come_after_what_they_need_and_cheap_ones_first() {
    let long = hir::Pretrain {
        ep: 200,
        ..with_loss(&ALL)
    };
    let random = hir::Pretrain {
        ep: 0,
        ..with_loss(&ALL)
    };
    let program = table("t", vec![long, with_loss(&["v1v2"]), random]);
    let plan = plan(&[("t.cc", &program)]).unwrap();
    let mut seen: Vec<&StageId> = vec![];
    for stage in &plan.stages {
        match &stage.work {
            Work::Pretrain(_) => {}
            Work::Extract(work) => assert!(seen.contains(&&work.model)),
            Work::Score(work) => assert!(seen.contains(&&work.features)),
            Work::Finetune(work) => assert!(seen.contains(&&work.model)),
            Work::Draw(work) => assert!(seen.contains(&&work.from)),
        }
        seen.push(&stage.id);
    }
    let pretrains: Vec<&str> = plan
        .stages
        .iter()
        .filter(|s| matches!(s.work, Work::Pretrain(_)))
        .map(|s| s.label.as_str())
        .collect();
    assert_eq!(pretrains, ["t:3 pretrain", "t:2 pretrain", "t:1 pretrain"]);
}

#[test]
fn a_dropped_network_has_no_score_and_random_weights_have_all() {
    let random = hir::Pretrain {
        ep: 0,
        ..with_loss(&["v1v2"])
    };
    let plan = plan(&[("t.cc", &table("t", vec![with_loss(&["v1v2"]), random]))]).unwrap();
    let cells = &plan.tables[0].rows[0].cells;
    assert_eq!(
        cells[2].stage,
        Err("`a` is not trained by this row".to_owned())
    );
    assert_eq!(cells[0].expect.as_deref(), Some("69.1"));
    assert!(
        plan.tables[0].rows[1]
            .cells
            .iter()
            .all(|cell| cell.stage.is_ok())
    );
}

#[test]
fn a_loss_that_no_step_can_execute_is_planned_and_left_out_of_a_run() {
    let mut related = with_loss(&ALL);
    let wrapped = |op, inner| crate::loss::Embedding::Apply(op, Box::new(inner));
    let z = crate::fixture::encoded("v1");
    let momentum = Exact::new(1, 2);
    let bank = wrapped(EmbeddingOp::Memory { momentum }, z.clone());
    let predicted = wrapped(EmbeddingOp::Predict("v.h".to_owned()), bank);
    let op = crate::loss::TermOp::InfoNce {
        t: Exact::new(7, 100),
        negatives: Some(16),
    };
    let term = crate::loss::Term::new(op, vec![z, crate::fixture::l2(predicted)]);
    related.loss = Loss {
        terms: vec![(term, Exact::whole(1))],
    };
    let whole = plan(&[("t.cc", &table("t", vec![with_loss(&ALL), related]))]).unwrap();
    assert_eq!(whole.tables[0].rows.len(), 2);
    let left = executable(&whole);
    assert_eq!(left.rows, ["t:2"]);
    assert_eq!(
        left.refused.into_iter().collect::<Vec<_>>(),
        [("negatives of a memory bank that pass a network", 3)]
    );
    assert_eq!(
        left.plan,
        plan(&[("t.cc", &table("t", vec![with_loss(&ALL)]))]).unwrap()
    );
}

/// LARC over LARC would clip twice.
#[test]
fn larc_over_larc_is_refused_at_its_row() {
    let mut twice = with_loss(&ALL);
    for _ in 0..2 {
        twice.optim = hir::Optimiser::Larc {
            inner: Box::new(twice.optim.clone()),
            trust: Exact::new(1, 1000),
        };
    }
    let refused = plan(&[("t.cc", &table("t", vec![with_loss(&ALL), twice]))]).unwrap_err();
    let [diagnostic] = refused.as_slice() else {
        panic!("one diagnostic, not {refused:?}")
    };
    assert_eq!(
        (diagnostic.code, diagnostic.primary.span),
        (NOT_AVAILABLE, here(2))
    );
}

#[test]
fn a_plan_reads_back_from_its_json() {
    let plan = plan(&[(
        "t.cc",
        &table("t", vec![with_loss(&["v1v2"]), with_loss(&ALL)]),
    )])
    .unwrap();
    let back: Plan = serde_json::from_str(&json(&plan)).unwrap();
    assert_eq!(back, plan);
}

#[test]
fn passes_that_are_asked_for_change_steps_and_no_stage() {
    let program = table("t", vec![crisscross(pairs(&ALL))]);
    let plain = plan(&[("a.cc", &program)]).unwrap();
    let other = super::with_passes(plain.clone(), &[crate::passes::Pass::BatchViews]);
    let ids = |plan: &Plan| plan.stages.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&plain), ids(&other));
    let steps = |plan: &Plan| {
        let Work::Pretrain(work) = &plan.stages[0].work else {
            panic!("the first stage trains");
        };
        work.steps.clone()
    };
    assert_ne!(steps(&plain), steps(&other));
    assert_eq!(super::with_passes(plain.clone(), &[]), plain);
}
