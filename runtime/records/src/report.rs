//! Tables of results: measured, expected, difference, spread. Where nothing was run there is a dash with its reason, never a
//! published number.

mod axis;
mod charts;
mod classes;
mod compare;
mod curves;
mod densities;
mod export;
mod figures;
mod html;
mod labels;
mod notes;
mod overlaps;
mod page;
mod picture;
mod plate;
mod render;
mod seeds;
mod standing;
pub mod statistics;
mod usage;
mod vega;

pub use axis::{Axis, AxisLine, AxisPoint, Place};
pub use classes::{Class, Classes, Confused};
pub use compare::{Comparison, Test, TestKind};
pub use curves::Point;
pub use export::{Exports, exports};
pub use figures::{FIGURE, FIGURE_DATA, FIGURE_LINES, FILM, Figure};
pub use html::{html, index, p_value};
pub use overlaps::Overlap;
pub use page::{
    Experiment, FORMAT, Page, RowValues, TablePage, Training, Value, Values, Warning, json, page,
};
pub use render::Format;
pub use seeds::{SeedCell, SeedGroup};
pub use standing::{Shelf, traces};
pub use usage::{Remark, Stage, State, Used};

use crate::Result;
use crate::folder::{Finished, METRICS, Runs};
use crate::record::{FoldResult, PretrainResult, ScoreResult};
use compiler::plan::{CellPlan, Plan, RowPlan, StageId, TablePlan, Work, set_line};
use compiler::written::overlap_axis;
use labels::called;
use notes::Notes;
use serde::Serialize;
use standing::Standing;
use std::collections::BTreeMap;

/// The tables of a plan with the numbers that there are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Made with `--toy`: synthetic stand-ins and small networks.
    pub toy: bool,
    /// What the command line set above the files: `bs = 64`.
    pub set: Vec<String>,
    /// The tables in the order of the plan.
    pub tables: Vec<TableReport>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: Option<String>,
    /// One for each score.
    pub columns: Vec<Column>,
    /// The rows in the order of the file.
    pub rows: Vec<RowReport>,
    /// Rows that differ in the seed alone, taken together, and the others by themselves; empty where no two rows belong together.
    pub seeds: Vec<SeedGroup>,
    /// What a reader may take for something else: numbers higher than fresh data would give, as a setting is chosen on the test split,
    /// rows that are not in the chart of a figure, places that are not those of the training.
    pub cautions: Vec<String>,
    /// Reasons for dashes (numbered as the cells' marks are), means over folds, clips left out, mixed environments.
    pub notes: Vec<String>,
}

/// One score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// `linear8 on UCF101`.
    pub name: String,
    /// Whether any row states a published number for it.
    pub has_expected: bool,
    /// Whether it is drawn, and has no numbers.
    pub is_drawn: bool,
    /// What is chosen on the test split, so that fresh samples would give less: `cost`, `epoch`.
    pub chosen: Option<&'static str>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowReport {
    /// Its position in the table, from 1.
    pub number: usize,
    /// Its label.
    pub label: String,
    /// Its pretraining.
    pub pretrain: StageId,
    /// One for each column.
    pub cells: Vec<CellReport>,
}

/// One number.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CellReport {
    /// The measured number, as precise as the published one; `None` where nothing was run.
    pub measured: Option<String>,
    /// The published number as printed.
    pub expected: Option<String>,
    /// Measured minus expected, with its sign.
    pub difference: Option<String>,
    /// Sample standard deviation over several folds, as precise as the number.
    pub spread: Option<String>,
    /// Whether its column has published numbers.
    pub has_expected: bool,
    /// The number of the note that says why there can be no number.
    pub mark: Option<usize>,
    /// Why there is no number: that note without its number, or what was not run.
    pub note: Option<String>,
    /// Folds that the measured number is the mean of; 0 without one.
    pub folds: usize,
    /// The measured number with all its digits.
    pub value: Option<f64>,
    /// What each fold gave.
    pub results: Vec<FoldResult>,
    /// The stage that makes it.
    pub stage: Option<StageId>,
    /// The run folder that it was read from.
    pub run: Option<String>,
}

/// The tables of `plan` with what `runs` holds. The data themselves are not looked at: where a stage was made for several
/// versions of them, the newest counts, and a note says so.
///
/// # Errors
///
/// A run folder that cannot be read, or whose result is damaged.
pub fn report(plan: &Plan, runs: &Runs) -> Result<Report> {
    let shelf = Shelf::read(runs)?;
    let standing = Standing {
        plan,
        finished: &shelf.finished,
        begun: shelf.begun(plan)?,
        failures: &shelf.failures,
    };
    let mut report = tables(&standing, false)?;
    say_repeated(plan, &shelf, &mut report.tables);
    Ok(report)
}

/// Adds to the tables of `plan` a note where numbers were made for several versions of the data.
fn say_repeated(plan: &Plan, shelf: &Shelf, reports: &mut [TableReport]) {
    for (table, report) in plan.tables.iter().zip(reports) {
        let mut cells = table.rows.iter().flat_map(|row| &row.cells);
        if cells.any(|cell| matches!(&cell.stage, Ok(id) if shelf.repeated.contains(id))) {
            report.notes.push(
                "some numbers were measured on several versions of the data: the newest are shown; where the data are, \
                 `crisscross run` shows those of the files as they are"
                    .to_owned(),
            );
        }
    }
}

/// The tables of `plan` with the numbers of these stages, and of those that were made before, of data that cannot be used now.
///
/// # Errors
///
/// As [`report`].
pub fn report_of(
    plan: &Plan,
    finished: &BTreeMap<StageId, Finished>,
    before: &BTreeMap<StageId, Finished>,
) -> Result<Report> {
    let all = before.iter().chain(finished);
    let all = all.map(|(id, finished)| (id.clone(), finished.clone()));
    let standing = Standing {
        plan,
        finished: &all.collect(),
        begun: BTreeMap::new(),
        failures: &BTreeMap::new(),
    };
    let mut report = tables(&standing, false)?;
    for (table, report) in plan.tables.iter().zip(&mut report.tables) {
        let cells = table.rows.iter().flat_map(|row| &row.cells);
        let is_old = |cell: &&CellPlan| matches!(&cell.stage, Ok(id) if before.contains_key(id));
        match cells.filter(is_old).count() {
            0 => {}
            count => report.notes.push(format!(
                "{} made before, of data that cannot be used now",
                were(count)
            )),
        }
    }
    Ok(report)
}

fn were(numbers: usize) -> String {
    match numbers {
        1 => "1 number was".to_owned(),
        numbers => format!("{numbers} numbers were"),
    }
}

/// The tables. A page says more around them, so that some notes below a text are none there.
fn tables(standing: &Standing<'_>, is_page: bool) -> Result<Report> {
    let plan = standing.plan;
    let tables = plan.tables.iter();
    Ok(Report {
        toy: plan.toy,
        set: plan.set.clone(),
        tables: tables
            .map(|table| table_report(standing, table, is_page))
            .collect::<Result<_>>()?,
    })
}

fn table_report(standing: &Standing<'_>, table: &TablePlan, is_page: bool) -> Result<TableReport> {
    let mut notes = Notes::default();
    let has_expected = |i: usize| {
        let mut cells = table.rows.iter().filter_map(|row| row.cells.get(i));
        cells.any(|cell| cell.expect.is_some())
    };
    let is_drawn = |i: usize| {
        let cells = table.rows.iter().filter_map(|row| row.cells.get(i));
        let mut stages = cells.filter_map(|cell| standing.plan.stage(cell.stage.as_ref().ok()?));
        stages.any(|stage| matches!(stage.work, Work::Draw(_)))
    };
    let named = table.columns.iter().enumerate();
    let mut columns: Vec<Column> = named
        .map(|(i, name)| Column {
            name: name.clone(),
            has_expected: has_expected(i),
            is_drawn: is_drawn(i),
            chosen: usage::chosen(standing.plan, table, i),
        })
        .collect();
    let mut rows = vec![];
    let labels = labels::labels(standing.plan, table);
    for ((number, row), label) in table.numbered().zip(labels) {
        let mut cells = vec![];
        for (column, cell) in columns.iter().zip(&row.cells) {
            cells.push(score_cell(standing, column, cell, &mut notes)?);
        }
        if columns.is_empty() {
            cells = pretrain_cells(standing, row, &mut notes)?;
        }
        rows.push(RowReport {
            number,
            label,
            pretrain: row.pretrain.clone(),
            cells,
        });
    }
    let mut cautions = usage::cautions(&columns);
    if columns.iter().any(|column| !column.is_drawn) {
        cautions.extend(axis::cautions(standing, table, &rows)?);
    }
    let seeds = seeds::groups(standing.plan, table, &columns, &rows);
    if columns.is_empty() {
        let plain = |name: &str| Column {
            name: name.to_owned(),
            has_expected: false,
            is_drawn: false,
            chosen: None,
        };
        columns = vec![plain("steps"), plain("loss")];
    }
    let mut notes: Vec<String> = match is_page {
        true => notes.beside_reasons(),
        false => set_line(&standing.plan.set)
            .into_iter()
            .chain(notes.in_words(standing.plan.toy))
            .collect(),
    };
    notes.extend(imported(standing, table));
    if let Some(x) = table.x.as_ref().filter(|x| overlap_axis(x).is_some())
        && !is_page
        && rows.iter().any(|row| called(&row.label, x).is_some())
    {
        notes.push(format!(
            "{x}: as the law of each row's policy has it; `crisscross report --format html` shows beside it what trainings have measured"
        ));
    }
    if !table.curves.is_empty() && !is_page {
        let curves: Vec<&str> = table.curves.iter().map(|curve| curve.name()).collect();
        notes.push(format!(
            "curves of {} stand in `{METRICS}` of the pretraining of each row; `crisscross report --format html` draws them",
            curves.join(", ")
        ));
    }
    Ok(TableReport {
        name: table.name.clone(),
        title: table.title.clone(),
        columns,
        rows,
        seeds,
        cautions,
        notes,
    })
}

/// What is said of rows whose weights were not trained here.
fn imported(standing: &Standing<'_>, table: &TablePlan) -> Vec<String> {
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (number, row) in table.numbered() {
        let finished = standing.finished.get(&row.pretrain);
        let Some(from) = finished.and_then(|finished| finished.run.imported.as_ref()) else {
            continue;
        };
        let files = from.files.iter().map(|file| format!("`{}`", file.name));
        let files = files.collect::<Vec<_>>().join(", ");
        rows.entry(files).or_default().push(number.to_string());
    }
    let note = |(files, rows): (String, Vec<String>)| {
        let word = if rows.len() == 1 { "row" } else { "rows" };
        format!(
            "the weights of {word} {} were not trained here: they were imported from {files}",
            rows.join(", ")
        )
    };
    rows.into_iter().map(note).collect()
}

/// The cell of a score.
fn score_cell(
    standing: &Standing<'_>,
    column: &Column,
    cell: &CellPlan,
    notes: &mut Notes,
) -> Result<CellReport> {
    let empty = CellReport {
        expected: cell.expect.clone(),
        has_expected: column.has_expected,
        ..CellReport::default()
    };
    let id = match &cell.stage {
        Ok(id) => id,
        Err(reason) => {
            return Ok(CellReport {
                mark: Some(notes.reason(reason)),
                note: Some(reason.clone()),
                ..empty
            });
        }
    };
    let empty = CellReport {
        stage: Some(id.clone()),
        ..empty
    };
    let Some(finished) = standing.finished.get(id) else {
        let reason = standing.reason(id);
        notes.missing(&reason);
        return Ok(CellReport {
            note: Some(reason),
            ..empty
        });
    };
    let run = Some(finished.name());
    let work = standing.plan.stage(id).map(|stage| &stage.work);
    if matches!(work, Some(Work::Draw(_))) {
        return Ok(CellReport {
            note: Some(format!("drawn in `{}`", finished.name())),
            run,
            ..empty
        });
    }
    let result: ScoreResult = finished.result()?;
    notes.seen(&finished.run.environment, &result.clips);
    let gallery = match work {
        Some(Work::Score(work)) => notes::gallery(standing.plan, work),
        Some(Work::Pretrain(_) | Work::Extract(_) | Work::Finetune(_) | Work::Draw(_)) | None => {
            None
        }
    };
    notes.scored(&column.name, gallery, &result);
    let decimals = decimals(cell.expect.as_deref());
    let measured = format!("{:.decimals$}", result.value);
    let difference = cell
        .expect
        .as_ref()
        .and_then(|expected| difference(&measured, expected, decimals));
    let values: Vec<f64> = result.folds.iter().map(|fold| fold.value).collect();
    let deviation = statistics::summary(&values).and_then(|summary| summary.deviation);
    Ok(CellReport {
        measured: Some(measured),
        difference,
        spread: deviation.map(|deviation| format!("{deviation:.decimals$}")),
        folds: result.folds.len(),
        value: Some(result.value),
        results: result.folds,
        run,
        ..empty
    })
}

/// Steps and last loss, for a table without scores.
fn pretrain_cells(
    standing: &Standing<'_>,
    row: &RowPlan,
    notes: &mut Notes,
) -> Result<Vec<CellReport>> {
    let empty = CellReport {
        stage: Some(row.pretrain.clone()),
        ..CellReport::default()
    };
    let Some(finished) = standing.finished.get(&row.pretrain) else {
        let reason = standing.reason(&row.pretrain);
        notes.missing(&reason);
        let empty = CellReport {
            note: Some(reason),
            ..empty
        };
        return Ok(vec![empty.clone(), empty]);
    };
    let result: PretrainResult = finished.result()?;
    notes.seen(&finished.run.environment, &result.clips);
    let plain = |measured: Option<String>, value: Option<f64>| CellReport {
        measured,
        value,
        run: Some(finished.name()),
        ..empty.clone()
    };
    Ok(vec![
        plain(Some(result.steps.to_string()), Some(result.steps as f64)),
        plain(result.loss.map(|loss| format!("{loss:.4}")), result.loss),
    ])
}

/// Digits behind the point of a published number; one where there is none.
fn decimals(expected: Option<&str>) -> usize {
    expected
        .and_then(|text| text.split_once('.'))
        .map_or(1, |(_, digits)| digits.len())
}

/// The difference of the two numbers as printed, so that a reader's subtraction gives the same.
fn difference(measured: &str, expected: &str, decimals: usize) -> Option<String> {
    let difference = measured.parse::<f64>().ok()? - expected.parse::<f64>().ok()?;
    Some(signed(difference, decimals))
}

/// A difference with its sign, which 0 has none of.
fn signed(difference: f64, decimals: usize) -> String {
    let text = format!("{difference:+.decimals$}");
    let is_zero = text.chars().all(|c| !('1'..='9').contains(&c));
    if is_zero { text[1..].to_owned() } else { text }
}

#[cfg(test)]
mod tests;
