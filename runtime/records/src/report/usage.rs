//! What stands behind the tables of a file: its stages, by what and where they were made, and what they say beside their numbers.

use super::Column;
use super::standing::Standing;
use crate::Result;
use crate::folder::{RESULT, read_json};
use crate::predictions::PREDICTIONS;
use crate::record::{ClipCounts, Environment, Kind, Solver};
use compiler::hir::{Choose, Head, Keep};
use compiler::plan::{Plan, StageId, TablePlan, Work};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A stage behind a table.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// Its content hash.
    pub id: StageId,
    /// For people: `quickstart:2 pretrain`.
    pub label: String,
    /// Its kind.
    pub kind: Kind,
    /// How far it is.
    pub state: State,
    /// The run folder, or that of the attempt.
    pub run: Option<String>,
    /// Fingerprint of the files that it was made from; empty where no file was read.
    pub data: String,
    /// The version of crisscross that made it.
    pub code: Option<String>,
    /// What was typed to make it.
    pub command: Option<String>,
    /// Seconds since 1970 at its start.
    pub started: Option<u64>,
    /// Seconds that it took.
    pub seconds: Option<f64>,
}

/// How far a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum State {
    Done,
    Begun,
    NotRun,
}

/// By what and where stages were made.
#[derive(Clone, Debug, Serialize)]
pub struct Used {
    /// The version of crisscross.
    pub code: String,
    /// What the numbers may depend on beside it, without what is of one training alone.
    pub environment: Environment,
    /// How many stages.
    pub stages: usize,
}

/// What a run says beside its numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The run folder.
    pub run: String,
    /// What it says.
    pub text: String,
}

/// The most files that a remark names.
const MOST_NAMED: usize = 3;

/// The stages behind these tables, in the order of the plan.
pub(super) fn stages<'p>(
    standing: &Standing<'_>,
    tables: impl Iterator<Item = &'p TablePlan>,
) -> Vec<Stage> {
    let mut wanted: BTreeSet<&StageId> = BTreeSet::new();
    let mut open: Vec<&StageId> = vec![];
    for row in tables.flat_map(|table| &table.rows) {
        open.push(&row.pretrain);
        open.extend(row.cells.iter().filter_map(|cell| cell.stage.as_ref().ok()));
    }
    while let Some(id) = open.pop() {
        let Some(stage) = standing.plan.stage(id).filter(|_| !wanted.contains(id)) else {
            continue;
        };
        wanted.insert(&stage.id);
        open.extend(stage.work.needs());
    }
    let planned = standing.plan.stages.iter();
    let wanted = planned.filter(|stage| wanted.contains(&stage.id));
    wanted.map(|stage| account(standing, stage)).collect()
}

fn account(standing: &Standing<'_>, stage: &compiler::plan::Stage) -> Stage {
    let finished = standing.finished.get(&stage.id);
    let begun = standing.begun.get(&stage.id);
    let run = finished
        .map(|finished| &finished.run)
        .or(begun.map(|begun| &begun.run));
    let path = finished
        .map(|finished| &finished.path)
        .or(begun.map(|begun| &begun.path));
    let name = path.and_then(|path| path.file_name());
    Stage {
        id: stage.id.clone(),
        label: stage.label.clone(),
        kind: Kind::of(&stage.work),
        state: match (finished, begun) {
            (Some(_), _) => State::Done,
            (None, Some(_)) => State::Begun,
            (None, None) => State::NotRun,
        },
        run: name.map(|name| name.to_string_lossy().into_owned()),
        data: run.map(|run| run.data.clone()).unwrap_or_default(),
        code: run.map(|run| run.code.clone()),
        command: run.and_then(|run| run.command.clone()),
        started: run.map(|run| run.started),
        seconds: finished.map(|finished| finished.run.seconds),
    }
}

/// By what and where these stages were made, the most frequent first.
pub(super) fn environments(standing: &Standing<'_>, stages: &[Stage]) -> Vec<Used> {
    let mut found: Vec<Used> = vec![];
    let finished = stages
        .iter()
        .filter_map(|stage| standing.finished.get(&stage.id));
    for finished in finished {
        let environment = Environment {
            steps: None,
            micro_batch: None,
            ..finished.run.environment.clone()
        };
        let code = &finished.run.code;
        let known = found
            .iter_mut()
            .find(|used| used.code == *code && used.environment == environment);
        match known {
            Some(used) => used.stages += 1,
            None => found.push(Used {
                code: code.clone(),
                environment,
                stages: 1,
            }),
        }
    }
    found.sort_by_key(|used| std::cmp::Reverse(used.stages));
    found
}

/// The parts of a result that a remark may be made of.
#[derive(Deserialize)]
struct Beside {
    #[serde(default)]
    clips: ClipCounts,
    #[serde(default)]
    solver: Option<Solver>,
}

/// What these stages say beside their numbers: clips that were left out, fits that did not converge, trainings that went on
/// elsewhere.
pub(super) fn remarks(standing: &Standing<'_>, stages: &[Stage]) -> Result<Vec<Remark>> {
    let mut found = vec![];
    for finished in stages
        .iter()
        .filter_map(|stage| standing.finished.get(&stage.id))
    {
        let path = finished.path.join(RESULT);
        let beside: Beside = read_json(&path)?;
        let mut said = said_of_clips(&beside.clips);
        let is_scored = matches!(finished.run.kind, Kind::Score | Kind::Finetune);
        if is_scored && !finished.predictions().is_file() {
            said.push(format!(
                "`{PREDICTIONS}` is gone: its classes and tests over its samples are left out"
            ));
        }
        if let Some(solver) = beside.solver.filter(|solver| solver.unconverged > 0) {
            said.push(format!(
                "{} of {} fits of {} ended above the tolerance of {:e}: the largest gradient was {:.1e}",
                solver.unconverged, solver.fits, solver.name, solver.tolerance, solver.residual
            ));
        }
        let last = finished.run.maker();
        for before in &finished.run.before {
            let differences = before.differences(&last);
            let host = &before.environment.host;
            said.push(match differences.as_slice() {
                [] => format!("a part of it was made on {host}"),
                some => format!("a part of it was made on {host}: {}", some.join(", ")),
            });
        }
        let run = finished.name();
        found.extend(said.into_iter().map(|text| Remark {
            run: run.clone(),
            text,
        }));
    }
    Ok(found)
}

fn said_of_clips(clips: &ClipCounts) -> Vec<String> {
    let mut said = vec![];
    if clips.skipped > 0 {
        let reasons = clips.left_out.iter();
        let reasons: Vec<String> = reasons
            .map(|(reason, count)| format!("{reason} ({count})"))
            .collect();
        let why = match reasons.as_slice() {
            [] => "too short, or without a stream that is needed".to_owned(),
            some => some.join(", "),
        };
        said.push(format!("{} files were left out: {why}", clips.skipped));
    }
    if clips.filled > 0 {
        said.push(format!(
            "{} files are shorter than the windows and were repeated or filled up",
            clips.filled
        ));
    }
    if !clips.undecodable.is_empty() {
        let named = clips.undecodable.iter().take(MOST_NAMED);
        let named: Vec<String> = named
            .map(|(path, why)| format!("{}: {why}", path.display()))
            .collect();
        let more = match clips.undecodable.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!("; {more} more in `{RESULT}`"),
        };
        said.push(format!(
            "{} files could not be decoded: {}{more}",
            clips.undecodable.len(),
            named.join("; ")
        ));
    }
    said
}

/// What the score of a column, by its place, chooses on the test split: `cost`, `epoch`.
pub(super) fn chosen(plan: &Plan, table: &TablePlan, column: usize) -> Option<&'static str> {
    let cells = table.rows.iter().filter_map(|row| row.cells.get(column));
    let mut stages = cells.filter_map(|cell| plan.stage(cell.stage.as_ref().ok()?));
    let head = stages.find_map(|stage| match &stage.work {
        Work::Score(work) => Some(&work.head),
        Work::Finetune(work) => Some(&work.eval.head),
        Work::Pretrain(_) | Work::Extract(_) | Work::Draw(_) => None,
    });
    head.and_then(chosen_on_test)
}

/// What makes numbers of these columns higher than fresh samples would: a line for each setting that is chosen on the test split.
pub(super) fn cautions(columns: &[Column]) -> Vec<String> {
    let mut chosen: Vec<&'static str> = columns.iter().filter_map(|column| column.chosen).collect();
    chosen.sort_unstable();
    chosen.dedup();
    let said = chosen.into_iter().map(|what| {
        let own = columns.iter().filter(|column| column.chosen == Some(what));
        let names: Vec<&str> = own.map(|column| column.name.as_str()).collect();
        format!(
            "{}: {what} chosen on the test split, which gives higher numbers than fresh samples would",
            names.join(", ")
        )
    });
    said.collect()
}

/// What a head chooses on the test split.
fn chosen_on_test(head: &Head) -> Option<&'static str> {
    match head {
        Head::Svm {
            choose: Choose::Test,
            ..
        } => Some("cost"),
        Head::Linear(recipe) => (recipe.keep == Some(Keep::Best(Choose::Test))).then_some("epoch"),
        Head::Finetune(recipe) => (recipe.keep == Keep::Best(Choose::Test)).then_some("epoch"),
        Head::Svm {
            choose: Choose::Val(_) | Choose::Folds(_),
            ..
        }
        | Head::Neighbours => None,
    }
}
