//! The charts of a table as data: its scores against what a figure varies, and the curves of its trainings. Pages, pictures and
//! Vega-Lite are made of them.

use super::axis::{Axis, AxisLine, AxisPoint};
use super::page::{TablePage, Training};
use compiler::hir::Curve;

/// The most numbers that are marked as they are on an axis; round ones stand for more.
const MOST_MARKS: usize = 12;

/// The key of the scores of a figure.
pub(super) const SCORES: &str = "scores";

/// Lines across something.
pub(super) struct Chart {
    /// What it is called among those of its table: `scores`, `loss`, `terms-row2`.
    pub key: String,
    /// Its heading.
    pub title: String,
    /// What its lines go up: `loss`.
    pub up: String,
    /// The lines.
    pub lines: Vec<Line>,
    /// What they go across.
    pub across: Across,
    /// Shown without a click.
    pub is_open: bool,
}

/// One line of a chart.
#[derive(Clone, Default)]
pub(super) struct Line {
    /// What it is of.
    pub label: String,
    /// How far its training is, where it is not done.
    pub state: String,
    /// Where it goes through; a gap where there is no number.
    pub points: Vec<(f64, Option<f64>)>,
    /// Bars around points: where, from, to.
    pub bars: Vec<(f64, f64, f64)>,
    /// Whether each point is marked: there are few, and nothing is known between them.
    pub has_dots: bool,
}

/// What lines go across.
pub(super) struct Across {
    /// What it is: `step`, `relax`.
    pub name: String,
    /// From where to where.
    pub range: (f64, f64),
    /// Marks with their texts; none are round numbers.
    pub marks: Vec<(f64, String)>,
    /// Whether the places are names, all of them marked, and no numbers.
    pub has_names: bool,
}

impl Across {
    /// The steps of a training.
    pub fn steps(last: u64) -> Self {
        Self {
            name: "step".to_owned(),
            range: (0.0, last.max(1) as f64),
            marks: vec![],
            has_names: false,
        }
    }

    /// What the place is called that lies at `at`; `None` of a number.
    pub fn place(&self, at: f64) -> Option<&str> {
        let named = self.marks.iter().filter(|_| self.has_names);
        let mut here = named.filter(|(place, _)| *place == at);
        here.next().map(|(_, text)| text.as_str())
    }
}

/// All charts that a table can have, also those without a number yet.
pub(super) fn charts(table: &TablePage) -> Vec<Chart> {
    let mut charts: Vec<Chart> = table.axis.as_ref().map(against).into_iter().collect();
    if !table.trainings.is_empty() {
        charts.push(losses(table));
    }
    for curve in &table.curves {
        let (key, name) = match curve {
            Curve::Loss => continue,
            Curve::Terms => ("terms", "Terms of the loss"),
            Curve::Rates => ("rates", "Learning rates"),
        };
        charts.extend(table.trainings.iter().map(|training| Chart {
            key: format!("{key}-row{}", training.rows.first().unwrap_or(&0)),
            title: format!("{name}: {}", training.label),
            up: name.to_lowercase(),
            lines: named_lines(training, *curve),
            across: Across::steps(training.steps),
            is_open: false,
        }));
    }
    charts
}

/// The scores of a figure against its axis.
fn against(axis: &Axis) -> Chart {
    let at = |point: &AxisPoint| axis.places[point.place].at;
    let line = |line: &AxisLine| Line {
        label: [line.score.as_str(), line.rows.as_str()]
            .join(", ")
            .trim_end_matches(", ")
            .to_owned(),
        points: (line.points.iter())
            .map(|point| (at(point), point.value))
            .collect(),
        bars: (line.points.iter())
            .filter_map(|point| {
                let (value, deviation) = point.value.zip(point.deviation)?;
                Some((at(point), value - deviation, value + deviation))
            })
            .collect(),
        has_dots: true,
        state: String::new(),
    };
    let ends = axis.places.first().zip(axis.places.last());
    let (first, last) = ends.map_or((0.0, 0.0), |(first, last)| (first.at, last.at));
    let has_names = axis.unit.is_none();
    Chart {
        key: SCORES.to_owned(),
        title: format!("Scores against {}", axis.of),
        up: "score in percent".to_owned(),
        lines: axis.lines.iter().map(line).collect(),
        across: Across {
            name: name_of(axis),
            // Names and a single number have room to both sides.
            range: match has_names || first >= last {
                true => (first - 0.5, last + 0.5),
                false => (first, last),
            },
            marks: (axis.places.iter())
                .filter(|_| has_names || axis.measured.is_none() && axis.places.len() <= MOST_MARKS)
                .map(|place| (place.at, place.text.clone()))
                .collect(),
            has_names,
        },
        is_open: true,
    }
}

/// What an axis is, with its unit: `overlap.sync in %, measured`.
fn name_of(axis: &Axis) -> String {
    let unit = axis.unit.as_deref().filter(|unit| !unit.is_empty());
    let unit = unit.map_or(String::new(), |unit| format!(" in {unit}"));
    let basis = axis
        .measured
        .map_or(String::new(), |basis| format!(", {}", basis.name()));
    format!("{}{unit}{basis}", axis.of)
}

/// The losses of all trainings in one chart.
fn losses(table: &TablePage) -> Chart {
    let begun = table.trainings.iter().filter(|one| !one.points.is_empty());
    let is_alone = |training: &Training| {
        let mut alike = begun.clone().filter(|one| one.label == training.label);
        alike.nth(1).is_none()
    };
    let line = |training: &Training| Line {
        label: match training.rows.first() {
            Some(row) if !is_alone(training) => format!("{}, row {row}", training.label),
            Some(_) | None => training.label.clone(),
        },
        state: match training.is_finished {
            true => String::new(),
            false => format!("step {} of {}", training.done, training.steps),
        },
        points: (training.points.iter())
            .map(|point| (point.step as f64, point.loss))
            .collect(),
        ..Line::default()
    };
    let last = begun.clone().map(|training| training.steps).max();
    Chart {
        key: "loss".to_owned(),
        title: "Loss over the steps of pretraining".to_owned(),
        up: "loss".to_owned(),
        lines: begun.clone().map(line).collect(),
        across: Across::steps(last.unwrap_or(0)),
        is_open: true,
    }
}

/// The terms or rates of a training, a line for each name.
fn named_lines(training: &Training, curve: Curve) -> Vec<Line> {
    let of = |point: &super::Point| match curve {
        Curve::Loss => Default::default(),
        Curve::Terms => point.terms.clone(),
        Curve::Rates => point.rates.clone(),
    };
    let mut names: Vec<String> = (training.points.iter())
        .flat_map(|point| of(point).into_keys())
        .collect();
    names.sort();
    names.dedup();
    let line = |name: String| Line {
        points: (training.points.iter())
            .map(|point| (point.step as f64, of(point).get(&name).copied().flatten()))
            .collect(),
        label: name,
        ..Line::default()
    };
    names.into_iter().map(line).collect()
}
