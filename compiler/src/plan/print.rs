//! A plan for people and for programs.

use super::{CellPlan, Plan, RowPlan, Stage, StageId, TablePlan, Work};
use crate::hir::{Drawing, Head};
use std::collections::{BTreeMap, BTreeSet};

/// The plan as JSON, complete: what the engine reads.
pub fn json(plan: &Plan) -> String {
    serde_json::to_string_pretty(plan).expect("plans are plain data")
}

/// What is to be done: counts, the tables with what each row shares, and the stages in order. `is_done` says which stages have
/// a finished run.
pub fn text(plan: &Plan, is_done: impl Fn(&StageId) -> bool) -> String {
    let rows: usize = plan.tables.iter().map(|table| table.rows.len()).sum();
    let files: BTreeSet<&str> = plan
        .tables
        .iter()
        .map(|table| table.file.as_str())
        .collect();
    let (files, tables) = (
        count(files.len(), "file"),
        count(plan.tables.len(), "table"),
    );
    let toy = if plan.toy { " (toy)" } else { "" };
    let mut out = format!(
        "plan{toy} for {files}, {tables}, {}\n\n",
        count(rows, "row")
    );
    out += &totals(plan, &is_done);
    let users = users(plan);
    let is_drawn = |stage: &&Stage| matches!(stage.work, Work::Draw(_));
    let drawn: BTreeSet<&StageId> = plan.stages.iter().filter(is_drawn).map(|s| &s.id).collect();
    for table in &plan.tables {
        out += "\n";
        let title = table.title.as_deref().unwrap_or_default();
        out += format!("  {}  {title}", table.name).trim_end();
        out += "\n";
        let labels = table.rows.iter().map(|row| row.label.chars().count());
        let width = labels.max().unwrap_or(0);
        if !table.curves.is_empty() {
            let curves: Vec<&str> = table.curves.iter().map(|curve| curve.name()).collect();
            out += &format!("    curves of each row: {}\n", curves.join(", "));
        }
        for (number, row) in (1..).zip(&table.rows) {
            out += &row_lines(plan, table, (number, width), row, &users, &drawn);
        }
    }
    if !plan.stages.is_empty() {
        out += "\n  stages in order\n";
    }
    let width = plan
        .stages
        .iter()
        .map(|stage| stage.label.chars().count())
        .max()
        .unwrap_or(0);
    for stage in &plan.stages {
        let state = if is_done(&stage.id) { "done" } else { "to do" };
        let line = format!(
            "    {}  {:width$}  {state:5}  {}",
            stage.id.short(),
            stage.label,
            amount(stage)
        );
        out += line.trim_end();
        out += "\n";
    }
    out
}

/// `3 pretrainings    3 asked for, 1 done, 2 to do`, for each kind of stage.
fn totals(plan: &Plan, is_done: &impl Fn(&StageId) -> bool) -> String {
    let mut counts = [(0usize, 0usize); 5];
    for stage in &plan.stages {
        let kind = &mut counts[kind(stage)];
        kind.0 += 1;
        kind.1 += usize::from(is_done(&stage.id));
    }
    let rows: usize = plan.tables.iter().map(|table| table.rows.len()).sum();
    let by_id: BTreeMap<&StageId, &Stage> = plan.stages.iter().map(|s| (&s.id, s)).collect();
    let cells = plan
        .tables
        .iter()
        .flat_map(|table| &table.rows)
        .flat_map(|row| &row.cells);
    let (mut extractions, mut scores, mut finetunings, mut drawings) = (0, 0, 0, 0);
    for stage in cells.filter_map(|cell| by_id.get(cell.stage.as_ref().ok()?)) {
        match &stage.work {
            Work::Score(work) => {
                scores += 1;
                extractions += 1 + work.beside.len();
            }
            Work::Finetune(_) => finetunings += 1,
            Work::Draw(work) => {
                drawings += 1;
                extractions += usize::from(matches!(work.drawing, Drawing::Gallery(_)));
            }
            Work::Pretrain(_) | Work::Extract(_) => {}
        }
    }
    let mut out = String::new();
    for ((all, done), (name, asked)) in counts.into_iter().zip([
        ("pretraining", rows),
        ("extraction", extractions),
        ("score", scores),
        ("finetuning", finetunings),
        ("drawing", drawings),
    ]) {
        if all > 0 {
            let shared = if asked > all {
                format!("{} shared", asked - all)
            } else {
                "none shared".to_owned()
            };
            let what = count(all, name);
            out += &format!(
                "  {what:17} {asked:4} asked for, {shared}; {done} done, {} to do\n",
                all - done
            );
        }
    }
    out
}

/// The row, its stages, what it shares, and the reason of each cell without a number.
fn row_lines(
    plan: &Plan,
    table: &TablePlan,
    (number, width): (usize, usize),
    row: &RowPlan,
    users: &BTreeMap<&StageId, Vec<String>>,
    drawn: &BTreeSet<&StageId>,
) -> String {
    let me = format!("{}:{number}", table.name);
    let mut line = format!(
        "    {number:2}  {:width$}  pretrain {}",
        row.label,
        row.pretrain.short()
    );
    let score = |cell: &CellPlan| match &cell.stage {
        Ok(id) => id.short().to_owned(),
        Err(_) => "-".to_owned(),
    };
    if !row.cells.is_empty() {
        let is_drawn = |cell: &CellPlan| matches!(&cell.stage, Ok(id) if drawn.contains(id));
        let word = if row.cells.iter().all(is_drawn) {
            "draw"
        } else {
            "score"
        };
        line += &format!(
            "  {word} {}",
            row.cells.iter().map(score).collect::<Vec<_>>().join(" ")
        );
    }
    let others: Vec<&str> = users
        .get(&row.pretrain)
        .into_iter()
        .flatten()
        .filter(|user| **user != me)
        .map(String::as_str)
        .collect();
    if !others.is_empty() {
        line += &format!("  shared with {}", others.join(", "));
    }
    let mut out = line.trim_end().to_owned() + "\n";
    for (heading, cell) in table.columns.iter().zip(&row.cells) {
        if let Err(reason) = &cell.stage {
            out += &format!("        - {heading}: {reason}\n");
        }
    }
    debug_assert!(
        plan.stage(&row.pretrain).is_some(),
        "plan: every row has its pretraining"
    );
    out
}

/// The rows that ask for each pretraining.
fn users(plan: &Plan) -> BTreeMap<&StageId, Vec<String>> {
    let mut users: BTreeMap<&StageId, Vec<String>> = BTreeMap::new();
    for table in &plan.tables {
        for (number, row) in (1..).zip(&table.rows) {
            users
                .entry(&row.pretrain)
                .or_default()
                .push(format!("{}:{number}", table.name));
        }
    }
    users
}

fn kind(stage: &Stage) -> usize {
    match stage.work {
        Work::Pretrain(_) => 0,
        Work::Extract(_) => 1,
        Work::Score(_) => 2,
        Work::Finetune(_) => 3,
        Work::Draw(_) => 4,
    }
}

/// How much a stage has to do, in what the file states.
fn amount(stage: &Stage) -> String {
    match &stage.work {
        Work::Pretrain(work) if work.settings.ep == 0 => "random weights".to_owned(),
        Work::Pretrain(work) => {
            let settings = &work.settings;
            let kept: Vec<String> = work
                .keep
                .iter()
                .map(|epoch| format!(" {epoch}ep"))
                .collect();
            let kept = match kept.as_slice() {
                [] => String::new(),
                kept => format!(", kept after{}", kept.concat()),
            };
            format!(
                "{} of {} steps, bs {}{kept}",
                count(settings.ep as usize, "epoch"),
                settings.steps_per_epoch(),
                settings.bs
            )
        }
        Work::Finetune(work) => match &work.eval.head {
            Head::Finetune(recipe) => format!(
                "{} of {} steps, bs {}",
                count(recipe.ep as usize, "epoch"),
                recipe.es / u64::from(recipe.bs),
                recipe.bs
            ),
            Head::Svm { .. } | Head::Linear { .. } | Head::Neighbours => String::new(),
        },
        Work::Draw(work) => match &work.drawing {
            Drawing::Embedding(embedded) => count(embedded.of.samples as usize, "sample"),
            Drawing::Saliency(saliency) => count(saliency.of.samples as usize, "sample"),
            Drawing::Gallery(gallery) => {
                let queries = if gallery.queries == 1 {
                    "query"
                } else {
                    "queries"
                };
                format!(
                    "{} {queries}, {} nearest of each",
                    gallery.queries, gallery.top
                )
            }
        },
        Work::Extract(_) | Work::Score(_) => String::new(),
    }
}

/// `1 row`, `3 rows`.
fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("{n} {noun}")
    } else {
        format!("{n} {noun}s")
    }
}
