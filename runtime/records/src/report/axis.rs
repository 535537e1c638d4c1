//! The scores of a figure against what its rows vary, as the lines of a chart: one for each score, and for each kind of row where
//! several lie at one place.

use super::labels::{called, without};
use super::standing::Standing;
use super::{CellReport, RowReport, TableReport, overlaps};
use crate::Result;
use crate::record::PretrainResult;
use compiler::counted;
use compiler::hir::Data;
use compiler::plan::{TablePlan, Work};
use compiler::written::overlap_axis;
use serde::Serialize;
use std::collections::BTreeMap;

/// Scores against `x` of a figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Axis {
    /// What varies: `checkpoint`, `relax`.
    pub of: String,
    /// The unit of its numbers, `ep`; `None` where the places are no numbers of one unit, but names in the order of the rows.
    pub unit: Option<String>,
    /// Whether the places were measured in trainings; those of an overlap are where they have counted it, else as the law has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Basis>,
    /// The places, in order.
    pub places: Vec<Place>,
    /// The lines.
    pub lines: Vec<AxisLine>,
    /// Rows that do not lie on it, by their numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<usize>,
}

impl Axis {
    /// The place of a row, by its position among the places; `None` of one that does not lie on the axis.
    pub(super) fn place_of(&self, row: usize) -> Option<usize> {
        let mut points = self.lines.iter().flat_map(|line| &line.points);
        let point = points.find(|point| point.rows.contains(&row));
        point.map(|point| point.place)
    }
}

/// What the places of an axis rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// All were measured.
    Measured,
    /// All are worked out.
    Expected,
    /// Those of rows that were trained were measured.
    Both,
}

impl Basis {
    /// For the name of the axis.
    pub(super) fn name(self) -> &'static str {
        match self {
            Basis::Measured => "measured",
            Basis::Expected => "expected",
            Basis::Both => "measured or expected",
        }
    }
}

/// A place on the axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    /// The value, closed: `windows(within: same, across: inside)`.
    pub value: String,
    /// What the rows call it: `none`.
    pub text: String,
    /// Where it lies: its number, or its position from 0.
    pub at: f64,
}

/// One score of rows of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AxisLine {
    /// The score.
    pub score: String,
    /// What its rows have in common; empty where all rows are of one kind.
    pub rows: String,
    /// A point for each of its rows; rows that differ in the seed alone are one.
    pub points: Vec<AxisPoint>,
}

/// A point of a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AxisPoint {
    /// The place, by its position among the places.
    pub place: usize,
    /// The rows, by their numbers.
    pub rows: Vec<usize>,
    /// The score in percent, over seeds the mean; `None` where nothing was run.
    pub value: Option<f64>,
    /// The sample standard deviation over seeds.
    pub deviation: Option<f64>,
}

/// Rows that differ in the seed alone, at their place.
struct Unit {
    place: usize,
    kind: String,
    rows: Vec<usize>,
    /// Value and deviation for each column.
    cells: Vec<(Option<f64>, Option<f64>)>,
}

/// The largest share by which the clips of a training may differ from the number that its data set declares, and nothing is said.
const NEAR: f64 = 0.01;

/// What the axis of a figure does not say: rows that do not lie on it, and sizes of data sets that are not those of the trainings.
pub(super) fn cautions(
    standing: &Standing<'_>,
    table: &TablePlan,
    rows: &[RowReport],
) -> Result<Vec<String>> {
    let Some(of) = &table.x else {
        return Ok(vec![]);
    };
    let measured = overlaps::places(standing, Some(of), rows)?;
    let planned = table.rows.iter().zip(rows);
    let absent =
        planned.filter(|(plan, row)| plan.at.is_none() && !measured.contains_key(&row.number));
    let absent: Vec<String> = absent
        .map(|(_, row)| format!("{} ({})", row.number, row.label))
        .collect();
    let mut cautions = match absent.as_slice() {
        [] => vec![],
        all if all.len() == rows.len() => {
            vec![format!("no row has `{of}`, so that there is no chart")]
        }
        [one] => vec![format!("row {one} has no `{of}` and is not in the chart")],
        several => vec![format!(
            "rows {} have no `{of}` and are not in the chart",
            several.join(", ")
        )],
    };
    if of.strip_prefix("of.").unwrap_or(of) == "data.train" && !standing.plan.toy {
        cautions.extend(sizes(standing, table, of)?);
    }
    Ok(cautions)
}

/// Where trainings had other numbers of clips than their data sets declare.
fn sizes(standing: &Standing<'_>, table: &TablePlan, of: &str) -> Result<Vec<String>> {
    let mut said = vec![];
    for (number, row) in table.numbered() {
        let work = standing.plan.stage(&row.pretrain).map(|stage| &stage.work);
        let (Some(Work::Pretrain(work)), Some(finished), Some(at)) =
            (work, standing.finished.get(&row.pretrain), &row.at)
        else {
            continue;
        };
        let (Data::Videos(files) | Data::Sounds(files)) = &work.settings.data else {
            continue;
        };
        let PretrainResult { steps, clips, .. } = finished.result()?;
        // Weights that are random or imported saw no clip.
        if steps == 0 || clips.asked == 0 {
            continue;
        }
        let unused = clips.skipped + clips.undecodable.len() as u64;
        let trained = clips.asked.saturating_sub(unused);
        if trained.abs_diff(files.train) as f64 > NEAR * files.train as f64 {
            let clips = counted(trained as usize, "clip");
            said.push(format!(
                "`{of}` of row {number} is declared as {at}; it trained on {clips}"
            ));
        }
    }
    Ok(said)
}

/// The lines of a figure; `None` where it has no axis, or no row lies on it. `measured` has the places of rows, by number, that are known
/// from their trainings.
pub(super) fn axis(
    table: &TablePlan,
    report: &TableReport,
    measured: &BTreeMap<usize, f64>,
) -> Option<Axis> {
    let of = table.x.clone()?;
    // Rows that are taken together have one place.
    let value = |rows: &[usize]| {
        let own = |number: usize| table.numbered().find(|(own, _)| *own == number);
        let expected = || own(*rows.first()?)?.1.at.clone();
        overlaps::place(measured, rows).or_else(expected)
    };
    let together: Vec<Vec<usize>> = match report.seeds.is_empty() {
        true => report.rows.iter().map(|row| vec![row.number]).collect(),
        false => report
            .seeds
            .iter()
            .map(|group| group.rows.clone())
            .collect(),
    };
    let mut values: Vec<(String, String)> = vec![];
    for rows in &together {
        let Some(value) = value(rows) else {
            continue;
        };
        if values.iter().all(|(known, _)| *known != value) {
            let row = report.rows.iter().find(|row| rows.contains(&row.number));
            let name = row
                .and_then(|row| called(&row.label, &of))
                .unwrap_or(&value);
            values.push((value.clone(), name.to_owned()));
        }
    }
    let (unit, places) = places(&values);
    let place = |rows: &[usize]| {
        let value = value(rows)?;
        places.iter().position(|place| place.value == value)
    };
    let units = units(report, &of, &place);
    let basis = overlap_axis(&of).map(|_| {
        let is_measured = |unit: &Unit| unit.rows.iter().any(|row| measured.contains_key(row));
        match (units.iter().any(is_measured), units.iter().all(is_measured)) {
            (_, true) => Basis::Measured,
            (true, false) => Basis::Both,
            (false, false) => Basis::Expected,
        }
    });
    let mut kinds: Vec<&str> = vec![];
    for unit in &units {
        if !kinds.contains(&unit.kind.as_str()) {
            kinds.push(&unit.kind);
        }
    }
    // Where no two rows lie at one place, they are the points of one line; measured places differ always, and labels say there what
    // belongs together.
    let is_parted = basis.is_some() && kinds.len() > 1 && kinds.len() < units.len();
    let is_one_line = !is_parted
        && (units.iter().enumerate())
            .all(|(at, unit)| units[..at].iter().all(|other| other.place != unit.place));
    let line = |column: usize, kind: Option<&str>| {
        let own = units
            .iter()
            .filter(|unit| kind.is_none_or(|kind| unit.kind == kind));
        let mut points: Vec<AxisPoint> = own
            .map(|unit| AxisPoint {
                place: unit.place,
                rows: unit.rows.clone(),
                value: unit.cells[column].0,
                deviation: unit.cells[column].1,
            })
            .collect();
        points.sort_by_key(|point| point.place);
        AxisLine {
            score: report.columns[column].name.clone(),
            rows: kind.unwrap_or_default().to_owned(),
            points,
        }
    };
    let columns = (0..report.columns.len()).filter(|column| !report.columns[*column].is_drawn);
    let lines: Vec<AxisLine> = match is_one_line {
        true => columns.map(|column| line(column, None)).collect(),
        false => columns
            .flat_map(|column| kinds.iter().map(move |kind| (column, *kind)))
            .map(|(column, kind)| line(column, Some(kind)))
            .collect(),
    };
    let shown = |row: &usize| units.iter().any(|unit| unit.rows.contains(row));
    let numbers = report.rows.iter().map(|row| row.number);
    (!units.is_empty() && !lines.is_empty()).then_some(Axis {
        absent: numbers.filter(|row| !shown(row)).collect(),
        of,
        unit,
        measured: basis,
        places,
        lines,
    })
}

/// The places of these values, each with what it is called, in order: by number where all are numbers of one unit.
fn places(values: &[(String, String)]) -> (Option<String>, Vec<Place>) {
    let split = |text: &str| {
        let digits = |c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
        let (number, unit) = text.split_at(text.find(digits).unwrap_or(text.len()));
        let number = number.parse::<f64>().ok()?;
        Some(match unit {
            "K" => (1e3 * number, String::new()),
            "M" => (1e6 * number, String::new()),
            unit => (number, unit.to_owned()),
        })
    };
    let numbers: Option<Vec<(f64, String)>> =
        values.iter().map(|(value, _)| split(value)).collect();
    let numbers = numbers.filter(|numbers| numbers.windows(2).all(|pair| pair[0].1 == pair[1].1));
    let unit = numbers
        .as_ref()
        .and_then(|numbers| numbers.first())
        .map(|(_, unit)| unit.clone());
    let mut places: Vec<Place> = (values.iter().enumerate())
        .map(|(at, (value, text))| Place {
            value: value.clone(),
            // What a row asks for may be more than there is: the epochs of a short training end before its checkpoints.
            text: (if numbers.is_some() { value } else { text }).clone(),
            at: (numbers.as_ref()).map_or(at as f64, |numbers| numbers[at].0),
        })
        .collect();
    places.sort_by(|a, b| a.at.total_cmp(&b.at));
    (unit, places)
}

/// The rows that lie on the axis, those of several seeds taken together.
fn units(report: &TableReport, of: &str, place: &dyn Fn(&[usize]) -> Option<usize>) -> Vec<Unit> {
    if !report.seeds.is_empty() {
        let groups = report.seeds.iter().filter_map(|group| {
            let cells = group.cells.iter().map(|cell| {
                let summary = cell.summary;
                (
                    summary.map(|summary| summary.mean),
                    summary.and_then(|summary| summary.deviation),
                )
            });
            Some(Unit {
                place: place(&group.rows)?,
                kind: without(&group.label, of),
                rows: group.rows.clone(),
                cells: cells.collect(),
            })
        });
        return groups.collect();
    }
    let rows = report.rows.iter().filter_map(|row| {
        let value = |cell: &CellReport| (cell.value, None);
        Some(Unit {
            place: place(&[row.number])?,
            kind: without(&row.label, of),
            rows: vec![row.number],
            cells: row.cells.iter().map(value).collect(),
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::folder::Runs;
    use crate::record::ClipCounts;
    use crate::report::report;
    use compiler::plan::Plan;

    fn axis_of(body: &str, values: &[f64]) -> Option<Axis> {
        let text = format!(
            "use paper\nfigure t {{\n  of = crisscross\n  scores = [linear8 on UCF101]\n{body}\n}}\n"
        );
        let plan = fixture::planned(&text);
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        for (row, value) in plan.tables[0].rows.iter().zip(values) {
            let id = row.cells[0].stage.as_ref().unwrap();
            let attempt = runs
                .begin(plan.stage(id).unwrap(), &fixture::context())
                .unwrap();
            attempt.finish(&fixture::result(&[*value])).unwrap();
        }
        let report = report(&plan, &runs).unwrap();
        axis(&plan.tables[0], &report.tables[0], &BTreeMap::new())
    }

    #[test]
    fn rows_at_one_place_are_points_of_several_lines() {
        let body = "  x = checkpoint\n  for loss in [intra, intra + sync] { for checkpoint in [20ep, 100ep, 60ep] { row } }";
        let found = axis_of(body, &[50.0, 70.0, 60.0, 55.0]).unwrap();
        assert_eq!(
            (found.of.as_str(), found.unit.as_deref()),
            ("checkpoint", Some("ep"))
        );
        let places: Vec<f64> = found.places.iter().map(|place| place.at).collect();
        assert_eq!(places, [20.0, 60.0, 100.0]);
        let kinds: Vec<&str> = found.lines.iter().map(|line| line.rows.as_str()).collect();
        assert_eq!(kinds, ["loss = intra", "loss = intra + sync"]);
        let values = |at: usize| -> Vec<Option<f64>> {
            found.lines[at]
                .points
                .iter()
                .map(|point| point.value)
                .collect()
        };
        assert_eq!(values(0), [Some(50.0), Some(60.0), Some(70.0)]);
        // What was not run is a gap.
        assert_eq!(values(1), [Some(55.0), None, None]);
        assert!(found.absent.is_empty());
    }

    #[test]
    fn names_lie_in_the_order_of_the_rows_and_seeds_are_one_point() {
        let body = "  x = relax\n  for relax in [none, mild] { allow W0503 \"wanted\"\n for seed in range(1, 2) { row } }";
        let found = axis_of(body, &[50.0, 52.0, 61.0, 61.0]).unwrap();
        assert_eq!(found.unit, None);
        let places: Vec<&str> = found
            .places
            .iter()
            .map(|place| place.text.as_str())
            .collect();
        assert_eq!(places, ["none", "mild"]);
        let [line] = found.lines.as_slice() else {
            panic!("{:?}", found.lines)
        };
        assert_eq!((line.rows.as_str(), line.points.len()), ("", 2));
        assert_eq!(line.points[0].rows, [1, 2]);
        assert_eq!(line.points[0].value, Some(51.0));
        assert!((line.points[0].deviation.unwrap() - 2f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn rows_that_have_no_place_and_sizes_that_are_not_so_are_said() {
        let text = "use paper\n\
            data mine = videos(train: 160, classes: 4, requires: [v, a], short: skip)\n\
            data toy = synthetic(clips: 64, classes: 4, length: 4s, lag: 0.3s, seed: 1)\n\
            figure f {\n  of = crisscross\n  scores = [linear8 on UCF101]\n  x = of.data.train\n\
            row data = mine\n  row data = toy\n}\n";
        let plan = fixture::planned(text);
        // The cautions of this plan where the first training met clips, and could not use some of them.
        let said = |plan: &Plan, clips: Option<(u64, u64)>| {
            let folder = tempfile::tempdir().unwrap();
            let runs = Runs::open(folder.path()).unwrap();
            if let Some((asked, skipped)) = clips {
                let pretrain = plan.stage(&plan.tables[0].rows[0].pretrain).unwrap();
                let attempt = runs.begin(pretrain, &fixture::context()).unwrap();
                let clips = ClipCounts {
                    asked,
                    skipped,
                    ..ClipCounts::default()
                };
                attempt.finish(&fixture::trained(7, clips)).unwrap();
            }
            let mut cautions = report(plan, &runs).unwrap().tables.remove(0).cautions;
            cautions.retain(|said| !said.contains("chosen"));
            cautions
        };
        let absent = "row 2 (data = toy) has no `of.data.train` and is not in the chart";
        let size = "`of.data.train` of row 1 is declared as 160; it trained on 16 clips";
        assert_eq!(said(&plan, None), [absent]);
        assert_eq!(said(&plan, Some((161, 0))), [absent]);
        assert_eq!(said(&plan, Some((24, 8))), [absent, size]);
        let folder = tempfile::tempdir().unwrap();
        let whole = report(&plan, &Runs::open(folder.path()).unwrap()).unwrap();
        let found = axis(&plan.tables[0], &whole.tables[0], &BTreeMap::new()).unwrap();
        assert_eq!(found.absent, [2]);
        let toy = Plan { toy: true, ..plan };
        assert_eq!(said(&toy, Some((24, 8))), [absent]);
    }

    #[test]
    fn units_and_numbers_are_told_apart_from_names() {
        let of = |texts: &[&str]| {
            let own = |text: &&str| ((*text).to_owned(), (*text).to_owned());
            places(&texts.iter().map(own).collect::<Vec<_>>()).0
        };
        assert_eq!(of(&["0.5", "1"]).as_deref(), Some(""));
        assert_eq!(of(&["1.8M", "240K", "512"]).as_deref(), Some(""));
        assert_eq!(of(&["50%", "5%"]).as_deref(), Some("%"));
        assert_eq!(of(&["1s", "5ms"]), None);
        assert_eq!(of(&["mild", "none"]), None);
    }
}
