//! A plan for people and for programs, in three levels of detail.

mod summary;

pub use summary::{Summary, summary, totals};

use super::standing::{State, Stood};
use super::why::{Reason, fields};
use super::{CellPlan, Plan, RowPlan, Stage, StageId, TablePlan, Work, passes};
use crate::hir::{Drawing, Head};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How much of a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A line for each row.
    Rows,
    /// What is to be done, by kind and table.
    Summary,
    /// All stages with their fields, too.
    Full,
}

/// What the command line set, in one line, so that nobody takes what follows for the files' own; nothing where it set nothing.
pub fn set_line(set: &[String]) -> Option<String> {
    (!set.is_empty()).then(|| format!("set on the command line: {}", set.join(", ")))
}

/// The plan as JSON, complete: what the engine reads.
pub fn json(plan: &Plan) -> String {
    serde_json::to_string_pretty(plan).expect("plans are plain data")
}

/// The plan as JSON with how it stands: what the engine reads and, beside it, `summary`; with [`Level::Rows`] the summary and
/// a line for each row alone, with [`Level::Full`] what each pass did as well. `reasons` are added as `why`.
pub fn json_of(stood: &Stood<'_>, level: Level, log: &[passes::Why], reasons: &[Reason]) -> String {
    let plan = stood.plan;
    let mut whole = match level {
        Level::Rows => json!({ "rows": row_values(stood) }),
        Level::Summary | Level::Full => serde_json::to_value(plan).expect("plans are plain data"),
    };
    let plain = |value| serde_json::to_value(value).expect("summaries are plain data");
    if let Value::Object(fields) = &mut whole {
        fields.insert("summary".to_owned(), plain(summary(stood)));
        if level == Level::Full {
            fields.insert("passes".to_owned(), json!(log));
            fields.insert("alone".to_owned(), json!(passes::outside(plan)));
        }
        if !reasons.is_empty() {
            fields.insert("why".to_owned(), json!(reasons));
        }
    }
    serde_json::to_string_pretty(&whole).expect("plans are plain data")
}

/// The plan for people. `log` is what its passes did, printed with [`Level::Full`].
pub fn text(stood: &Stood<'_>, level: Level, log: &[passes::Why]) -> String {
    match level {
        Level::Rows => rows(stood),
        Level::Summary => summary(stood).text() + summary::HINT,
        Level::Full => {
            let mut out = summary(stood).text();
            out += &tables(stood);
            out += &stages(stood);
            out + &grouping(stood, log)
        }
    }
}

/// What is done and to do of a row: `2 done, 3 to do`.
fn row_state(stood: &Stood<'_>, row: &RowPlan) -> String {
    let mut counts: BTreeMap<State, usize> = BTreeMap::new();
    for id in stages_of(stood, row) {
        *counts.entry(stood.states[id]).or_default() += 1;
    }
    let parts = counts
        .iter()
        .map(|(state, number)| format!("{number} {}", state.word()));
    parts.collect::<Vec<_>>().join(", ")
}

/// The stages of a row, each once.
pub(super) fn stages_of<'s>(stood: &Stood<'s>, row: &RowPlan) -> Vec<&'s StageId> {
    let mut ids: Vec<&'s StageId> = vec![];
    let add = |id: &StageId, ids: &mut Vec<&'s StageId>| {
        if let Some((own, _)) = stood.states.get_key_value(id)
            && !ids.contains(own)
        {
            ids.push(own);
        }
    };
    add(&row.pretrain, &mut ids);
    for id in row.cells.iter().filter_map(|cell| cell.stage.as_ref().ok()) {
        if let Some(stage) = stood.at(id) {
            for need in stage.work.needs() {
                add(need, &mut ids);
            }
        }
        add(id, &mut ids);
    }
    ids
}

/// `table1:3   5 to do   loss = intra`.
fn rows(stood: &Stood<'_>) -> String {
    let mut lines = vec![];
    for table in &stood.plan.tables {
        for (number, row) in table.numbered() {
            let name = format!("{}:{number}", table.name);
            lines.push((name, row_state(stood, row), row.label.as_str()));
        }
    }
    let width = |of: fn(&(String, String, &str)) -> usize| lines.iter().map(of).max().unwrap_or(0);
    let (names, states) = (width(|line| line.0.len()), width(|line| line.1.len()));
    let lines = lines.iter().map(|(name, state, label)| {
        let line = format!("{name:names$}  {state:states$}  {label}");
        line.trim_end().to_owned() + "\n"
    });
    let set = set_line(&stood.plan.set).map(|line| line + "\n");
    set.into_iter().chain(lines).collect()
}

fn row_values(stood: &Stood<'_>) -> Vec<Value> {
    let mut rows = vec![];
    for table in &stood.plan.tables {
        for (number, row) in table.numbered() {
            let stages: BTreeMap<&StageId, State> = stages_of(stood, row)
                .into_iter()
                .map(|id| (id, stood.states[id]))
                .collect();
            rows.push(json!({
                "table": table.name, "row": number, "label": row.label, "stages": stages,
            }));
        }
    }
    rows
}

/// The tables with what each row shares, and the reason of each cell without a number.
fn tables(stood: &Stood<'_>) -> String {
    let users = users(stood.plan);
    let mut out = String::new();
    for table in &stood.plan.tables {
        out += "\n";
        let title = table.title.as_deref().unwrap_or_default();
        out += format!("  {}  {title}", table.name).trim_end();
        out += "\n";
        if !table.curves.is_empty() {
            let curves: Vec<&str> = table.curves.iter().map(|curve| curve.name()).collect();
            out += &format!("    curves of each row: {}\n", curves.join(", "));
        }
        let labels = table.rows.iter().map(|row| row.label.chars().count());
        let width = labels.max().unwrap_or(0);
        for (number, row) in table.numbered() {
            out += &row_lines(stood, table, (number, width), row, &users);
        }
    }
    out
}

/// The row, its stages, what it shares, and the reason of each cell without a number.
fn row_lines(
    stood: &Stood<'_>,
    table: &TablePlan,
    (number, width): (usize, usize),
    row: &RowPlan,
    users: &BTreeMap<&StageId, Vec<String>>,
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
        let is_drawn = |cell: &CellPlan| {
            let stage = cell.stage.as_ref().ok().and_then(|id| stood.at(id));
            stage.is_some_and(|stage| matches!(stage.work, Work::Draw(_)))
        };
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
    out
}

/// The rows that ask for each pretraining.
fn users(plan: &Plan) -> BTreeMap<&StageId, Vec<String>> {
    let mut users: BTreeMap<&StageId, Vec<String>> = BTreeMap::new();
    for table in &plan.tables {
        for (number, row) in table.numbered() {
            users
                .entry(&row.pretrain)
                .or_default()
                .push(format!("{}:{number}", table.name));
        }
    }
    users
}

/// All stages in order, each with its fields.
fn stages(stood: &Stood<'_>) -> String {
    let plan = stood.plan;
    if plan.stages.is_empty() {
        return String::new();
    }
    let mut out = "\n  stages in order\n".to_owned();
    let labels = plan.stages.iter().map(|stage| stage.label.chars().count());
    let width = labels.max().unwrap_or(0);
    for stage in &plan.stages {
        let line = format!(
            "    {}  {:width$}  {:8}  {}",
            stage.id.short(),
            stage.label,
            stood.states[&stage.id].word(),
            amount(stage)
        );
        out += line.trim_end();
        out += "\n";
        for (path, text) in fields(&stage.work) {
            out += &format!("              {path} = {text}\n");
        }
    }
    out
}

/// What the passes did, and which pretrainings train alone.
fn grouping(stood: &Stood<'_>, log: &[passes::Why]) -> String {
    let plan = stood.plan;
    let mut out = "\n  passes\n".to_owned();
    for why in log {
        let done = if why.done.is_empty() {
            "nothing to do"
        } else {
            &why.done
        };
        out += &format!("    {:20}{done}\n", why.pass);
    }
    if plan.gangs.is_empty() {
        return out;
    }
    let label = |id: &StageId| {
        let label = stood.at(id).map_or(id.short(), |stage| &stage.label);
        label.strip_suffix(" pretrain").unwrap_or(label).to_owned()
    };
    for (number, gang) in (1..).zip(&plan.gangs) {
        let members: Vec<String> = gang.members.iter().map(label).collect();
        out += &format!("    group {number:<14}{}\n", members.join(", "));
    }
    for (id, reason) in passes::outside(plan) {
        out += &format!("    alone               {}: {reason}\n", label(&id));
    }
    out
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
            Head::Svm { .. } | Head::Linear(_) | Head::Neighbours => String::new(),
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
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("{n} {noun}")
    } else {
        format!("{n} {noun}s")
    }
}
