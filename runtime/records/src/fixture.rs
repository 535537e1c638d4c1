//! A small plan for the tests of this crate.

use crate::folder::Context;
use crate::predictions::Prediction;
use crate::record::{ClipCounts, Environment, FoldResult, PretrainResult, ScoreResult};
use compiler::hir::{Choose, Head, Score};
use compiler::plan::{CellPlan, Plan, RowPlan, ScoreWork, Stage, StageId, TablePlan, Work};
use compiler::units::Exact;

/// The id of the score stage of this row and column, both from 1.
pub fn id(row: usize, column: usize) -> StageId {
    StageId(format!("{row}{column}").repeat(32))
}

/// The score stage with this id.
pub fn stage(id: StageId, label: &str) -> Stage {
    let head = Head::Svm {
        costs: vec![Exact::whole(1)],
        choose: Choose::Test,
    };
    let work = ScoreWork {
        features: StageId("f".repeat(64)),
        beside: vec![],
        head,
        score: Score::Top1,
        seed: 0,
    };
    Stage {
        id,
        label: label.to_owned(),
        work: Work::Score(Box::new(work)),
    }
}

/// Lines of predictions, each of this split, sample and rank; all are of one class and taken for another.
pub fn predictions(ranks: &[(&str, &str, u64)]) -> Vec<Prediction> {
    let line = |(split, sample, rank): &(&str, &str, u64)| Prediction {
        split: (*split).to_owned(),
        sample: (*sample).to_owned(),
        class: "a".to_owned(),
        predicted: "b".to_owned(),
        rank: *rank,
    };
    ranks.iter().map(line).collect()
}

/// Two rows, two scores; the second row has no number for the second.
pub fn plan() -> Plan {
    let cell = |row, column, expect: Option<&str>| CellPlan {
        stage: Ok(id(row, column)),
        expect: expect.map(str::to_owned),
    };
    let without = CellPlan {
        stage: Err("`a` is not trained by this row".to_owned()),
        expect: None,
    };
    let row = |label: &str, cells| RowPlan {
        number: None,
        label: label.to_owned(),
        pretrain: StageId("0".repeat(64)),
        at: None,
        cells,
    };
    let rows = vec![
        row(
            "loss = intra",
            vec![cell(1, 1, Some("69.7")), cell(1, 2, None)],
        ),
        row(
            "loss = v1v2 & 50%",
            vec![cell(2, 1, Some("69.10")), without],
        ),
    ];
    let columns = vec!["linear8 on UCF101".to_owned(), "see_on|toy".to_owned()];
    let table = TablePlan {
        name: "t1".to_owned(),
        title: Some("A, \"B\"".to_owned()),
        file: "t.cc".to_owned(),
        columns,
        x: None,
        curves: vec![],
        rows,
    };
    let stages = [(1, 1), (1, 2), (2, 1)]
        .map(|(row, column)| stage(id(row, column), &format!("t1:{row} score {column}")));
    Plan {
        format: 1,
        toy: false,
        set: vec![],
        stages: stages.to_vec(),
        gangs: vec![],
        tables: vec![table],
    }
}

/// A run of it.
pub fn context() -> Context {
    let environment = Environment {
        device: "cpu".to_owned(),
        threads: 2,
        ..Environment::default()
    };
    Context {
        plan: "p".repeat(64),
        toy: false,
        set: vec![],
        command: None,
        code: "0.1.0".to_owned(),
        environment,
    }
}

/// A result with these folds.
pub fn result(folds: &[f64]) -> ScoreResult {
    let fold = |(i, value): (usize, &f64)| FoldResult {
        name: (i + 1).to_string(),
        value: *value,
        cost: Some("1".to_owned()),
        epoch: None,
        tried: vec![("1".to_owned(), *value)],
        train: 40,
        test: 10,
        untested: vec![],
    };
    ScoreResult::of_folds(
        folds.iter().enumerate().map(fold).collect(),
        ClipCounts::default(),
        1.5,
    )
}

/// The result of a training of so many steps on these clips.
pub fn trained(steps: u64, clips: ClipCounts) -> PretrainResult {
    PretrainResult {
        steps,
        loss: Some(-0.9),
        parameters: 1,
        clips,
        seconds: 1.0,
        ..PretrainResult::default()
    }
}

/// The plan of this text.
pub fn planned(text: &str) -> Plan {
    let mut sources = compiler::sources();
    let root = sources.add("t.cc", text.to_owned());
    let (program, found) =
        compiler::check(&mut sources, root, &|_, _| None, compiler::Profile::Full);
    let program = program.unwrap_or_else(|| panic!("{found:?}"));
    compiler::plan::plan(&[("t.cc", &program)]).unwrap()
}
