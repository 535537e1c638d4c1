//! Rows that differ in the seed alone belong together: their mean, spread and interval.

use super::labels::without_seed;
use super::statistics::{Summary, summary};
use super::{Column, RowReport, decimals, signed};
use compiler::plan::{Plan, RowPlan, StageId, TablePlan, Work};
use serde::Serialize;
use std::collections::BTreeMap;

/// Rows that differ in the seed alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeedGroup {
    /// Their label without the seed.
    pub label: String,
    /// Their numbers.
    pub rows: Vec<usize>,
    /// Their seeds, in the order of the rows.
    pub seeds: Vec<u64>,
    /// One for each column.
    pub cells: Vec<SeedCell>,
}

/// One score of such rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeedCell {
    /// Mean, standard deviation and interval over the seeds that there are numbers of; `None` without any.
    pub summary: Option<Summary>,
    /// The value of each row, with all its digits.
    pub values: Vec<Option<f64>>,
    /// The mean, as precise as the published number.
    pub mean: Option<String>,
    /// The sample standard deviation.
    pub deviation: Option<String>,
    /// The 95 % interval of the mean.
    pub interval: Option<(String, String)>,
    /// The published number, where all rows that state one state the same.
    pub expected: Option<String>,
    /// The mean less the published number.
    pub difference: Option<String>,
    /// Whether its column has published numbers.
    pub has_expected: bool,
    /// Whether its column is drawn, and has no numbers.
    pub is_drawn: bool,
    /// The number of the note that says why there can be no number.
    pub mark: Option<usize>,
}

/// What rows that differ in the seed alone have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Likeness {
    settings: String,
    checkpoint: Option<u32>,
    /// Numbers that cannot be made differ between rows of other modalities only; a row of random weights has a pretraining of its
    /// own.
    cells: Vec<bool>,
}

/// The rows of a table in groups, in the order of their first rows; empty where each row is a group of its own, and of a table without
/// scores.
pub(super) fn groups(
    plan: &Plan,
    table: &TablePlan,
    columns: &[Column],
    rows: &[RowReport],
) -> Vec<SeedGroup> {
    if columns.iter().all(|column| column.is_drawn) {
        return vec![];
    }
    let mut order: Vec<Vec<(usize, u64)>> = vec![];
    let mut known: BTreeMap<Likeness, usize> = BTreeMap::new();
    for (at, row) in table.rows.iter().enumerate() {
        let Some((likeness, seed)) = likeness(plan, row) else {
            order.push(vec![(at, 0)]);
            continue;
        };
        let group = match known.get(&likeness) {
            // The same seed twice is the same run twice, and no second sample.
            Some(group) if order[*group].iter().all(|(_, other)| *other != seed) => *group,
            Some(_) | None => {
                order.push(vec![]);
                known.insert(likeness, order.len() - 1);
                order.len() - 1
            }
        };
        order[group].push((at, seed));
    }
    if order.iter().all(|group| group.len() < 2) {
        return vec![];
    }
    let group = |group: &Vec<(usize, u64)>| seed_group(group, columns, rows);
    order.iter().map(group).collect()
}

/// What a row has in common with those of other seeds, and its own.
fn likeness(plan: &Plan, row: &RowPlan) -> Option<(Likeness, u64)> {
    let Work::Pretrain(work) = &plan.stage(&row.pretrain)?.work else {
        return None;
    };
    let mut settings = compiler::hir::Pretrain::clone(&work.settings);
    let seed = std::mem::replace(&mut settings.seed, 0);
    let cells = row.cells.iter().map(|cell| cell.stage.is_ok());
    let stages = row.cells.iter().filter_map(|cell| cell.stage.as_ref().ok());
    let likeness = Likeness {
        settings: serde_json::to_string(&settings).expect("settings are plain data"),
        checkpoint: stages.filter_map(|id| checkpoint(plan, id)).next(),
        cells: cells.collect(),
    };
    Some((likeness, seed))
}

/// After which epoch the weights behind a number are read.
fn checkpoint(plan: &Plan, id: &StageId) -> Option<u32> {
    match &plan.stage(id)?.work {
        Work::Pretrain(_) => None,
        Work::Extract(work) => work.checkpoint,
        Work::Finetune(work) => work.checkpoint,
        Work::Draw(work) => work.checkpoint,
        Work::Score(work) => checkpoint(plan, &work.features),
    }
}

fn seed_group(group: &[(usize, u64)], columns: &[Column], rows: &[RowReport]) -> SeedGroup {
    let members: Vec<&RowReport> = group.iter().map(|(at, _)| &rows[*at]).collect();
    let first = members[0];
    let cells = columns.iter().enumerate();
    SeedGroup {
        label: match group.len() {
            1 => first.label.clone(),
            _ => without_seed(&first.label),
        },
        rows: members.iter().map(|row| row.number).collect(),
        seeds: group.iter().map(|(_, seed)| *seed).collect(),
        cells: cells
            .map(|(at, column)| seed_cell(at, column, &members))
            .collect(),
    }
}

fn seed_cell(at: usize, column: &Column, members: &[&RowReport]) -> SeedCell {
    let cells: Vec<_> = members.iter().map(|row| &row.cells[at]).collect();
    let mut stated: Vec<&String> = cells.iter().filter_map(|c| c.expected.as_ref()).collect();
    stated.dedup();
    let expected = match stated.as_slice() {
        [one] => Some((*one).clone()),
        _ => None,
    };
    let decimals = decimals(stated.first().map(|text| text.as_str()));
    let values: Vec<Option<f64>> = cells.iter().map(|cell| cell.value).collect();
    let summary = summary(&values.iter().flatten().copied().collect::<Vec<_>>());
    let print = |value: f64| format!("{value:.decimals$}");
    let mean = summary.map(|summary| print(summary.mean));
    let difference = mean.as_ref().zip(expected.as_ref());
    let difference = difference.and_then(|(mean, expected)| {
        Some(signed(
            mean.parse::<f64>().ok()? - expected.parse::<f64>().ok()?,
            decimals,
        ))
    });
    SeedCell {
        summary,
        values,
        mean,
        deviation: summary.and_then(|summary| summary.deviation).map(print),
        interval: summary
            .and_then(|summary| summary.interval)
            // No share is below 0 or above 100, where an interval by Student's t may end.
            .map(|(low, high)| (print(low.max(0.0)), print(high.min(100.0)))),
        expected,
        difference,
        has_expected: column.has_expected,
        is_drawn: column.is_drawn,
        mark: cells.iter().find_map(|cell| cell.mark),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::folder::Runs;
    use crate::report::report;

    /// A table of two losses and three seeds, and a row by itself.
    fn plan() -> Plan {
        let text = "use paper\n\
            table t {\n  of = crisscross\n  scores = [linear8 on UCF101]\n\
            for loss in [intra, intra + sync] { for seed in range(1, 3) { row } }\n\
            row \"alone\" ep = 7\n}\n";
        fixture::planned(text)
    }

    #[test]
    fn rows_of_several_seeds_are_taken_together_and_others_stay_alone() {
        let plan = plan();
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let values = [70.1, 71.3, 69.4, 75.0];
        for (row, value) in plan.tables[0].rows.iter().zip(values) {
            let id = row.cells[0].stage.as_ref().unwrap();
            let attempt = runs
                .begin(plan.stage(id).unwrap(), &fixture::context())
                .unwrap();
            attempt.finish(&fixture::result(&[value])).unwrap();
        }
        let report = report(&plan, &runs).unwrap();
        let groups = &report.tables[0].seeds;
        let labels: Vec<&str> = groups.iter().map(|group| group.label.as_str()).collect();
        assert_eq!(labels, ["loss = intra", "loss = intra + sync", "alone"]);
        assert_eq!(groups[0].rows, [1, 2, 3]);
        assert_eq!(groups[0].seeds, [1, 2, 3]);
        let cell = &groups[0].cells[0];
        assert_eq!(
            (cell.mean.as_deref(), cell.deviation.as_deref()),
            (Some("70.3"), Some("1.0"))
        );
        assert_eq!(cell.interval, Some(("67.9".to_owned(), "72.7".to_owned())));
        // One seed of three has no spread, and is not called three.
        let cell = &groups[1].cells[0];
        assert_eq!(cell.summary.map(|summary| summary.n), Some(1));
        assert_eq!(
            (cell.mean.as_deref(), &cell.deviation),
            (Some("75.0"), &None)
        );
        assert_eq!(groups[2].cells[0].mean, None);
    }
}
