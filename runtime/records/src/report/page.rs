//! All that there is to say of one experiment file: what a page shows and what a program reads.

use super::axis::{Axis, axis};
use super::classes::{self, Classes};
use super::compare::{Comparison, Outcome, comparisons};
use super::curves::{self, Point};
use super::figures::{self, Figure};
use super::labels::without;
use super::overlaps::{self, Overlap};
use super::standing::{Shelf, Standing};
use super::usage::{self, Remark, Stage, Used};
use super::{CellReport, TableReport, tables};
use crate::Result;
use crate::folder::{METRICS, plan_hash};
use crate::predictions;
use compiler::hir::{Curve, Head};
use compiler::plan::{Plan, StageId, TablePlan, Work};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

/// The version of the JSON form; a reader refuses others.
pub const FORMAT: u32 = 1;
/// The version that makes pages.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the compiler says of a file: its text, what was found in it, and where its values come from.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Experiment {
    /// The file, as the plan names it.
    pub file: String,
    /// Its text.
    pub text: String,
    /// What makes its numbers: `crisscross run table1.cc`.
    pub command: String,
    /// Warnings and notes.
    pub warnings: Vec<Warning>,
    /// The closed values of each table and of each protocol.
    pub values: Vec<Values>,
}

/// A message of the compiler.
#[derive(Clone, Debug, Serialize)]
pub struct Warning {
    /// Its code: `W0705`.
    pub code: String,
    /// `warning` or `note`.
    pub severity: String,
    /// One line.
    pub message: String,
    /// With source lines, notes and help.
    pub text: String,
    /// Where: `table1.cc:14`.
    pub place: String,
    /// It need not be shown unasked.
    pub is_quiet: bool,
}

/// Closed values with where they come from.
#[derive(Clone, Debug, Serialize)]
pub struct Values {
    /// `table quickstart`, `eval see on toy`.
    pub name: String,
    /// Those that all rows have alike.
    pub shared: Vec<Value>,
    /// The others of each row.
    pub rows: Vec<RowValues>,
}

/// What one row has of its own.
#[derive(Clone, Debug, Serialize)]
pub struct RowValues {
    /// Its number.
    pub number: usize,
    /// Its label.
    pub label: String,
    /// Its values.
    pub values: Vec<Value>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Value {
    /// `v.lr_b`.
    pub path: String,
    /// As a file would write it.
    pub value: String,
    /// The file that set it last.
    pub file: Option<String>,
    /// The line there.
    pub line: Option<u32>,
    /// What set it there: `crisscross`, `table1 row`, `command line`.
    pub setter: Option<String>,
    /// Who says it: `Table S10`.
    pub sources: Vec<String>,
}

/// All of one file.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// What the compiler says of it.
    #[serde(flatten)]
    pub experiment: Experiment,
    /// BLAKE3 of its text.
    pub sum: String,
    /// Content hash of its plan.
    pub plan: String,
    /// Made with `--toy`.
    pub toy: bool,
    /// What the command line set above it.
    pub set: Vec<String>,
    /// The folder of run folders.
    pub runs: PathBuf,
    /// Its tables and figures.
    pub tables: Vec<TablePage>,
    /// The stages behind them.
    pub stages: Vec<Stage>,
    /// By what and where they were made.
    pub environments: Vec<Used>,
    /// What the runs say beside their numbers.
    pub remarks: Vec<Remark>,
}

/// All of one table.
#[derive(Clone, Debug, Serialize)]
pub struct TablePage {
    /// Its numbers.
    #[serde(flatten)]
    pub table: TableReport,
    /// Its scores against what a figure varies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis: Option<Axis>,
    /// The curves that its file asks for, beside that of the loss.
    pub curves: Vec<Curve>,
    /// Its pretrainings, each once.
    pub trainings: Vec<Training>,
    /// Differences between its rows.
    pub comparisons: Vec<Comparison>,
    /// What its scores came to for each class.
    pub classes: Vec<Classes>,
    /// What was drawn for it.
    pub figures: Vec<Figure>,
}

/// One pretraining, finished or not.
#[derive(Clone, Debug, Serialize)]
pub struct Training {
    /// The stage.
    pub stage: StageId,
    /// The label of the first row that has it, without the checkpoint that is scored there.
    pub label: String,
    /// The rows that have it.
    pub rows: Vec<usize>,
    /// The run folder, or that of the attempt.
    pub run: Option<String>,
    /// Whether it is finished.
    pub is_finished: bool,
    /// Steps that are done.
    pub done: u64,
    /// Steps that it takes.
    pub steps: u64,
    /// Some hundreds of them.
    pub points: Vec<Point>,
    /// How much of each other the windows of its views cover.
    pub overlaps: Vec<Overlap>,
}

/// The page of a file: that of its plan, with what there is of it among the runs.
///
/// # Errors
///
/// A run folder that cannot be read, or whose files are damaged.
pub fn page(plan: &Plan, shelf: &Shelf, experiment: Experiment) -> Result<Page> {
    let standing = Standing {
        plan,
        finished: &shelf.finished,
        begun: shelf.begun(plan)?,
        failures: &shelf.failures,
    };
    let mut reports = tables(&standing, true)?.tables;
    super::say_repeated(plan, shelf, &mut reports);
    let used = usage::stages(&standing, plan.tables.iter());
    let reports = plan.tables.iter().zip(&reports);
    let tables = reports.map(|(of, report)| table_page(&standing, of, report));
    Ok(Page {
        sum: blake3::hash(experiment.text.as_bytes())
            .to_hex()
            .to_string(),
        experiment,
        plan: plan_hash(plan),
        toy: plan.toy,
        set: plan.set.clone(),
        runs: shelf.dir.clone(),
        tables: tables.collect::<Result<_>>()?,
        environments: usage::environments(&standing, &used),
        remarks: usage::remarks(&standing, &used)?,
        stages: used,
    })
}

/// These pages as one JSON object: `format`, the version of crisscross that made them, and all of each.
pub fn json(pages: &[Page]) -> String {
    #[derive(Serialize)]
    struct Whole<'p> {
        format: u32,
        crisscross: &'static str,
        experiments: &'p [Page],
    }
    let whole = Whole {
        format: FORMAT,
        crisscross: VERSION,
        experiments: pages,
    };
    serde_json::to_string(&whole).expect("json: a page is plain data") + "\n"
}

fn table_page(standing: &Standing<'_>, of: &TablePlan, report: &TableReport) -> Result<TablePage> {
    let outcomes = outcomes(standing, report)?;
    let outcome = |row: usize, column: usize| outcomes.get(&(row, column)).cloned();
    let mut found = vec![];
    for row in &report.rows {
        for (column, cell) in row.cells.iter().enumerate() {
            let place = cell.run.as_deref().map(|run| classes::Place {
                row: row.number,
                label: &row.label,
                column,
                run,
                is_retrieval: retrieval(standing.plan, cell).is_some(),
            });
            let outcome = outcomes.get(&(row.number, column));
            found.extend(
                place
                    .zip(outcome)
                    .and_then(|(place, outcome)| classes::classes(place, outcome)),
            );
        }
    }
    let searched = |one: &Classes| {
        let row = report.rows.iter().find(|row| row.number == one.row)?;
        retrieval(standing.plan, row.cells.get(one.column)?)
    };
    let is_one = |a: &Classes, b: &Classes| searched(a) == searched(b);
    classes::one_matrix_each(&mut found, &is_one);
    let trainings = trainings(standing, report)?;
    let measured = overlaps::places(standing, of.x.as_deref(), &report.rows)?;
    let axis = axis(of, report, &measured);
    let place = |row: usize| axis.as_ref()?.place_of(row);
    Ok(TablePage {
        // Without scores the columns are steps and loss, which nothing repeats.
        comparisons: match of.columns.is_empty() {
            true => vec![],
            false => comparisons(report, &outcome, &place),
        },
        classes: found,
        axis,
        curves: of.curves.clone(),
        trainings,
        figures: figures::figures(standing, report)?,
        table: report.clone(),
    })
}

/// What the scores of a table came to for each sample, by row number and column, where their runs have kept it.
fn outcomes(
    standing: &Standing<'_>,
    report: &TableReport,
) -> Result<BTreeMap<(usize, usize), Outcome>> {
    let mut read: BTreeMap<&StageId, Outcome> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for row in &report.rows {
        for (column, cell) in row.cells.iter().enumerate() {
            let Some(id) = &cell.stage else { continue };
            let (Some(finished), Some(within)) =
                (standing.finished.get(id), within(standing.plan, id))
            else {
                continue;
            };
            let path = finished.predictions();
            if !read.contains_key(id) && path.is_file() {
                let predictions = Rc::new(predictions::read(&path)?);
                predictions::check(&path, &predictions, &cell.results)?;
                read.insert(
                    id,
                    Outcome {
                        within,
                        predictions,
                    },
                );
            }
            if let Some(outcome) = read.get(id) {
                found.insert((row.number, column), outcome.clone());
            }
        }
    }
    Ok(found)
}

/// The features that the score of a cell searches; `None` of one that is no retrieval.
fn retrieval<'p>(plan: &'p Plan, cell: &CellReport) -> Option<(&'p StageId, &'p [StageId])> {
    match &plan.stage(cell.stage.as_ref()?)?.work {
        Work::Score(work) => {
            (work.head == Head::Neighbours).then_some((&work.features, work.beside.as_slice()))
        }
        Work::Pretrain(_) | Work::Extract(_) | Work::Finetune(_) | Work::Draw(_) => None,
    }
}

/// How many of the first places count as right in the score that this stage makes.
fn within(plan: &Plan, id: &StageId) -> Option<u32> {
    let score = match &plan.stage(id)?.work {
        Work::Score(work) => work.score,
        Work::Finetune(work) => work.eval.score,
        Work::Pretrain(_) | Work::Extract(_) | Work::Draw(_) => return None,
    };
    Some(score.within())
}

/// The pretrainings of a table in the order of its rows, without those of random weights.
fn trainings(standing: &Standing<'_>, report: &TableReport) -> Result<Vec<Training>> {
    let mut found: Vec<Training> = vec![];
    for row in &report.rows {
        if let Some(known) = found.iter_mut().find(|known| known.stage == row.pretrain) {
            known.rows.push(row.number);
            continue;
        }
        let Some(Work::Pretrain(work)) = standing.plan.stage(&row.pretrain).map(|s| &s.work) else {
            continue;
        };
        let steps = work.settings.steps_per_epoch() * u64::from(work.settings.ep);
        if steps == 0 {
            continue;
        }
        let finished = standing.finished.get(&row.pretrain);
        let begun = standing.begun.get(&row.pretrain);
        let path = finished
            .map(|finished| &finished.path)
            .or(begun.map(|begun| &begun.path));
        let name = path.and_then(|path| path.file_name());
        found.push(Training {
            stage: row.pretrain.clone(),
            label: match without(&row.label, "checkpoint") {
                kept if kept.is_empty() => "pretraining".to_owned(),
                kept => kept,
            },
            rows: vec![row.number],
            run: name.map(|name| name.to_string_lossy().into_owned()),
            is_finished: finished.is_some(),
            done: match (finished, begun) {
                (Some(_), _) => steps,
                (None, Some(begun)) => begun.steps,
                (None, None) => 0,
            },
            steps,
            overlaps: overlaps::overlaps(
                &work.settings,
                &overlaps::measured(standing, &row.pretrain)?,
            ),
            points: match path {
                Some(path) => curves::points(&path.join(METRICS))?,
                None => vec![],
            },
        });
    }
    Ok(found)
}
