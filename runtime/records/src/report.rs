//! Tables of results: measured, expected, difference. Where nothing was run there is a dash, never a published number.

mod render;

pub use render::Format;

use crate::Result;
use crate::folder::{Finished, METRICS, Runs};
use crate::record::{ClipCounts, Environment, PretrainResult, ScoreResult};
use compiler::plan::{CellPlan, Plan, RowPlan, StageId, TablePlan, set_line};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

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
}

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowReport {
    /// Its position in the table, from 1.
    pub number: usize,
    /// Its label.
    pub label: String,
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
    /// Whether its column has published numbers.
    pub has_expected: bool,
    /// The number of the note that says why there is no number.
    pub mark: Option<usize>,
    /// That note without its number.
    pub note: Option<String>,
    /// Folds that the measured number is the mean of; 0 without one.
    pub folds: usize,
}

/// The tables of `plan` with what `runs` holds. The data themselves are not looked at: where a stage was made for several
/// versions of them, the newest counts, and a note says so.
///
/// # Errors
///
/// A run folder that cannot be read, or whose result is damaged.
pub fn report(plan: &Plan, runs: &Runs) -> Result<Report> {
    let mut report = report_of(plan, &runs.index()?)?;
    let repeated = runs.repeated()?;
    for (table, report) in plan.tables.iter().zip(&mut report.tables) {
        let mut cells = table.rows.iter().flat_map(|row| &row.cells);
        if cells.any(|cell| matches!(&cell.stage, Ok(id) if repeated.contains(id))) {
            report.notes.push(
                "some numbers were measured on several versions of the data: the newest are shown; `crisscross run` shows \
                 those of the files as they are"
                    .to_owned(),
            );
        }
    }
    Ok(report)
}

/// The tables of `plan` with the numbers of these stages.
///
/// # Errors
///
/// As [`report`].
pub fn report_of(plan: &Plan, finished: &BTreeMap<StageId, Finished>) -> Result<Report> {
    let tables = plan
        .tables
        .iter()
        .map(|table| table_report(plan, table, finished))
        .collect::<Result<_>>()?;
    Ok(Report {
        toy: plan.toy,
        set: plan.set.clone(),
        tables,
    })
}

fn table_report(
    plan: &Plan,
    table: &TablePlan,
    index: &BTreeMap<StageId, Finished>,
) -> Result<TableReport> {
    let mut notes = Notes::default();
    let has_expected = |i: usize| {
        table
            .rows
            .iter()
            .any(|row| row.cells.get(i).is_some_and(|cell| cell.expect.is_some()))
    };
    let mut columns: Vec<Column> = table
        .columns
        .iter()
        .enumerate()
        .map(|(i, name)| Column {
            name: name.clone(),
            has_expected: has_expected(i),
        })
        .collect();
    let mut rows = vec![];
    for (number, row) in table.numbered() {
        let mut cells = vec![];
        for (column, cell) in columns.iter().zip(&row.cells) {
            cells.push(score_cell(column, cell, index, &mut notes)?);
        }
        if columns.is_empty() {
            cells = pretrain_cells(row, index, &mut notes)?;
        }
        rows.push(RowReport {
            number,
            label: row.label.clone(),
            cells,
        });
    }
    if columns.is_empty() {
        let plain = |name: &str| Column {
            name: name.to_owned(),
            has_expected: false,
        };
        columns = vec![plain("steps"), plain("loss")];
    }
    let mut notes: Vec<String> = set_line(&plan.set)
        .into_iter()
        .chain(notes.in_words(plan.toy))
        .collect();
    if !table.curves.is_empty() {
        let curves: Vec<&str> = table.curves.iter().map(|curve| curve.name()).collect();
        notes.push(format!(
            "curves of {} are not drawn: they stand in `{METRICS}` of the pretraining of each row",
            curves.join(", ")
        ));
    }
    Ok(TableReport {
        name: table.name.clone(),
        title: table.title.clone(),
        columns,
        rows,
        notes,
    })
}

/// The cell of a score.
fn score_cell(
    column: &Column,
    cell: &CellPlan,
    index: &BTreeMap<StageId, Finished>,
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
    let Some(finished) = index.get(id) else {
        return Ok(empty);
    };
    let result: ScoreResult = finished.result()?;
    notes.seen(&finished.run.environment, &result.clips);
    notes
        .folds
        .entry(column.name.clone())
        .or_default()
        .insert(result.folds.len());
    let decimals = cell
        .expect
        .as_ref()
        .and_then(|text| text.split_once('.'))
        .map_or(1, |(_, digits)| digits.len());
    let measured = format!("{:.decimals$}", result.value);
    let difference = cell
        .expect
        .as_ref()
        .and_then(|expected| difference(&measured, expected, decimals));
    Ok(CellReport {
        measured: Some(measured),
        difference,
        folds: result.folds.len(),
        ..empty
    })
}

/// Steps and last loss, for a table without scores.
fn pretrain_cells(
    row: &RowPlan,
    index: &BTreeMap<StageId, Finished>,
    notes: &mut Notes,
) -> Result<Vec<CellReport>> {
    let Some(finished) = index.get(&row.pretrain) else {
        return Ok(vec![CellReport::default(), CellReport::default()]);
    };
    let result: PretrainResult = finished.result()?;
    notes.seen(&finished.run.environment, &result.clips);
    let plain = |measured: Option<String>| CellReport {
        measured,
        ..CellReport::default()
    };
    Ok(vec![
        plain(Some(result.steps.to_string())),
        plain(result.loss.map(|loss| format!("{loss:.4}"))),
    ])
}

/// The difference of the two numbers as printed, so that a reader's subtraction gives the same.
fn difference(measured: &str, expected: &str, decimals: usize) -> Option<String> {
    let difference = measured.parse::<f64>().ok()? - expected.parse::<f64>().ok()?;
    let text = format!("{difference:+.decimals$}");
    let is_zero = text.chars().all(|c| !('1'..='9').contains(&c));
    Some(if is_zero { text[1..].to_owned() } else { text })
}

/// What is worth saying under a table.
#[derive(Default)]
struct Notes {
    reasons: Vec<String>,
    folds: BTreeMap<String, BTreeSet<usize>>,
    environments: BTreeSet<String>,
    /// How many files were left out, of each result.
    skipped: BTreeSet<u64>,
    undecodable: BTreeSet<String>,
}

impl Notes {
    /// The number of this reason, from 1.
    fn reason(&mut self, reason: &str) -> usize {
        let known = self.reasons.iter().position(|other| other == reason);
        known.unwrap_or_else(|| {
            self.reasons.push(reason.to_owned());
            self.reasons.len() - 1
        }) + 1
    }

    fn seen(&mut self, environment: &Environment, clips: &ClipCounts) {
        self.environments.insert(environment.numeric());
        self.skipped.insert(clips.skipped);
        self.undecodable.extend(
            clips
                .undecodable
                .iter()
                .map(|(path, _)| path.display().to_string()),
        );
    }

    fn in_words(self, toy: bool) -> Vec<String> {
        let mut notes: Vec<String> = (1..)
            .zip(self.reasons)
            .map(|(i, reason)| format!("[{i}] {reason}"))
            .collect();
        if toy {
            notes.push(
                "toy: synthetic data and small networks, not comparable with published numbers"
                    .to_owned(),
            );
        }
        for (column, counts) in self.folds {
            if let Some(most) = counts.last().filter(|count| **count > 1) {
                notes.push(format!("{column}: mean of {most} folds"));
            }
        }
        if let Some(most) = self.skipped.last().filter(|most| **most > 0) {
            let (up_to, of_each) = match self.skipped.len() {
                1 => ("", ""),
                _ => ("up to ", " in one number or another"),
            };
            notes.push(format!(
                "{up_to}{most} files were left out{of_each} as too short or for want of a stream; result.json counts them"
            ));
        }
        if !self.undecodable.is_empty() {
            notes.push(format!(
                "{} files could not be decoded; result.json names them",
                self.undecodable.len()
            ));
        }
        if self.environments.len() > 1 {
            let all: Vec<String> = self.environments.into_iter().collect();
            notes.push(format!(
                "the numbers come from {} environments: {}",
                all.len(),
                all.join("; ")
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use compiler::hir::Curve;

    /// The report of the fixture after these stages were run.
    fn report_of(plan: &Plan, done: &[(StageId, &[f64])]) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        for (id, folds) in done {
            let attempt = runs
                .begin(plan.stage(id).unwrap(), &fixture::context())
                .unwrap();
            attempt.finish(&fixture::result(folds)).unwrap();
        }
        report(plan, &runs).unwrap()
    }

    #[test]
    fn nothing_run_is_dashes_and_never_the_published_number() {
        let plan = fixture::plan();
        let report = report_of(&plan, &[]);
        for cell in report.tables[0].rows.iter().flat_map(|row| &row.cells) {
            assert_eq!((&cell.measured, &cell.difference), (&None, &None));
        }
        let text = report.render(Format::Text);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("loss")).collect();
        let words = |line: &str| {
            line.split_whitespace()
                .rev()
                .take(4)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(lines[0]), ["-", "-", "69.7", "-"]);
        assert_eq!(words(lines[1]), ["[1]", "-", "-", "69.10"]);
        assert!(
            text.contains("[1] `a` is not trained by this row"),
            "{text}"
        );
    }

    #[test]
    fn measured_numbers_are_means_as_precise_as_the_published_ones() {
        let plan = fixture::plan();
        let done: [(StageId, &[f64]); 2] = [
            (fixture::id(1, 1), &[70.0, 71.0]),
            (fixture::id(2, 1), &[69.097]),
        ];
        let table = &report_of(&plan, &done).tables[0];
        let first = &table.rows[0].cells[0];
        assert_eq!(first.measured.as_deref(), Some("70.5"));
        assert_eq!(first.difference.as_deref(), Some("+0.8"));
        assert_eq!(first.folds, 2);
        let second = &table.rows[1].cells[0];
        assert_eq!(
            (second.measured.as_deref(), second.difference.as_deref()),
            (Some("69.10"), Some("0.00"))
        );
        assert_eq!(
            table.notes,
            [
                "[1] `a` is not trained by this row",
                "linear8 on UCF101: mean of 2 folds"
            ]
        );
    }

    #[test]
    fn curves_that_are_not_drawn_are_said_to_be_somewhere() {
        let mut plan = fixture::plan();
        plan.tables[0].curves = vec![Curve::Loss, Curve::Rates];
        let notes = report_of(&plan, &[]).tables.remove(0).notes;
        assert_eq!(
            notes.last().map(String::as_str),
            Some(
                "curves of train.loss, train.rates are not drawn: they stand in `metrics.jsonl` of the pretraining of each row"
            )
        );
    }

    #[test]
    fn what_the_command_line_set_is_said_first_below_each_table() {
        let plan = Plan {
            set: vec!["bs = 64".to_owned(), "seed = 3".to_owned()],
            ..fixture::plan()
        };
        let report = report_of(&plan, &[]);
        let line = "set on the command line: bs = 64, seed = 3";
        assert_eq!(report.tables[0].notes[0], line);
        let csv = report.render(Format::Csv);
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[0].ends_with(",toy,note,set"), "{csv}");
        assert_eq!(
            lines[1],
            "t1,1,loss = intra,linear8 on UCF101,,69.7,,0,no,,bs = 64; seed = 3"
        );
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn each_format_escapes_its_own_signs() {
        let plan = Plan {
            toy: true,
            ..fixture::plan()
        };
        let report = report_of(&plan, &[(fixture::id(1, 2), &[12.5])]);
        let markdown = report.render(Format::Markdown);
        let expected = "### t1: A, \"B\" (toy)\n\n\
            | row | linear8 on UCF101 | expected | difference | see\\_on\\|toy |\n\
            |---|---:|---:|---:|---:|\n\
            | loss = intra | – | 69.7 | – | 12.5 |\n\
            | loss = v1v2 & 50% | – | 69.10 | – | – [1] |\n\n\
            [1] \\`a\\` is not trained by this row\n\n\
            toy: synthetic data and small networks, not comparable with published numbers\n";
        assert_eq!(markdown, expected);
        let tex = report.render(Format::Tex);
        assert!(
            tex.contains("loss = v1v2 \\& 50\\% & -- & 69.10 & -- & --\\textsuperscript{1} \\\\"),
            "{tex}"
        );
        assert!(tex.contains("\\caption{A, \"B\" (toy)}"), "{tex}");
        assert!(tex.contains("\\begin{tabular}{lrrrr}"), "{tex}");
        let csv = report.render(Format::Csv);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(
            lines[0],
            "table,row,label,score,measured,expected,difference,folds,toy,note"
        );
        assert_eq!(
            lines[1],
            "t1,1,loss = intra,linear8 on UCF101,,69.7,,0,yes,"
        );
        assert_eq!(lines[2], "t1,1,loss = intra,see_on|toy,12.5,,,1,yes,");
        assert_eq!(
            lines[4],
            "t1,2,loss = v1v2 & 50%,see_on|toy,,,,0,yes,`a` is not trained by this row"
        );
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn a_damaged_result_is_named() {
        let plan = fixture::plan();
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let attempt = runs.begin(&plan.stages[0], &fixture::context()).unwrap();
        let finished = attempt.finish(&fixture::result(&[1.0])).unwrap();
        std::fs::write(finished.path.join(crate::folder::RESULT), "{").unwrap();
        let error = report(&plan, &runs).unwrap_err();
        assert!(
            error.to_string().contains("result.json`: not readable"),
            "{error}"
        );
        assert!(
            error.help().contains("the stage is then run again"),
            "{}",
            error.help()
        );
    }

    #[test]
    fn files_that_were_left_out_are_counted_and_a_bound_is_called_one() {
        let said = |counts: &[u64]| {
            let mut notes = Notes::default();
            for &skipped in counts {
                let clips = ClipCounts {
                    skipped,
                    ..ClipCounts::default()
                };
                notes.seen(&fixture::context().environment, &clips);
            }
            notes.in_words(false)
        };
        assert_eq!(said(&[0, 0]), Vec::<String>::new());
        let end = "as too short or for want of a stream; result.json counts them";
        assert_eq!(said(&[2, 2]), [format!("2 files were left out {end}")]);
        assert_eq!(
            said(&[0, 2]),
            [format!(
                "up to 2 files were left out in one number or another {end}"
            )]
        );
    }
}
