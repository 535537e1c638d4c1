//! The charts of a table as data: its scores against what a figure varies, and the curves of its trainings. Pages, pictures and
//! Vega-Lite are made of them.

use super::axis::{Axis, AxisLine, AxisPoint};
use super::labels::{called, without_seed};
use super::page::{TablePage, Training};
use compiler::hir::Curve;

/// The most numbers that are marked as they are on an axis; round ones stand for more.
const MOST_MARKS: usize = 12;

/// The largest ratio of numbers that lie on an axis by their size whatever they are, and of losses that one chart shows.
const MOST_RATIO: f64 = 20.0;
/// Curves of single steps are smoothed over this part of those that are done, where that is as many steps at least.
const WINDOWS: u64 = 20;
const LEAST_WINDOW: u64 = 5;

/// The key of the scores of a figure.
pub(super) const SCORES: &str = "scores";

/// Lines across something.
pub(super) struct Chart {
    /// What it is called among those of its table: `scores`, `loss`, `terms-row2`.
    pub key: String,
    /// Its heading.
    pub title: String,
    /// How to read it, in whole sentences; empty where it needs none.
    pub caption: String,
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
    /// The same without what lines of one colour differ in.
    pub kind: String,
    /// Its colour, by the place of that among all.
    pub colour: usize,
    /// How far its training is, where it is not done.
    pub state: String,
    /// Where it goes through; a gap where there is no number.
    pub points: Vec<(f64, Option<f64>)>,
    /// The means of the points around each of them, which are drawn in their place; none where the points are.
    pub means: Vec<(f64, Option<f64>)>,
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
    /// Whether they are whole numbers.
    pub is_whole: bool,
    /// Whether equal ratios are equally far apart.
    pub is_log: bool,
}

/// An entry of a legend: the lines of one colour.
pub(super) struct Key {
    /// Their colour.
    pub colour: usize,
    /// What they are of.
    pub text: String,
    /// How far their trainings are, where one is not done.
    pub state: String,
}

impl Chart {
    /// The legend, in the order of the colours.
    pub fn legend(&self) -> Vec<Key> {
        let colours = self.lines.iter().map(|line| line.colour + 1).max();
        let key = |colour: usize| {
            let own: Vec<&Line> = self.lines_of(colour).collect();
            let states: Vec<&str> = (own.iter().map(|line| line.state.as_str()))
                .filter(|state| !state.is_empty())
                .collect();
            let seeds: Vec<&str> = (own.iter())
                .filter_map(|line| called(&line.label, "seed"))
                .collect();
            let text = match own.as_slice() {
                [] => String::new(),
                [one] => one.label.clone(),
                [one, ..] => format!("{}, seeds {}", one.kind, seeds.join(", ")),
            };
            Key {
                colour,
                text,
                state: states.join("; "),
            }
        };
        (0..colours.unwrap_or(0)).map(key).collect()
    }

    /// The lines of a colour.
    pub fn lines_of(&self, colour: usize) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.colour == colour)
    }
}

impl Across {
    /// The steps of a training, up to the end of the last one; of few, up to its beginning, where its loss stands.
    pub fn steps(last: u64) -> Self {
        let end = if last < WINDOWS {
            last.saturating_sub(1)
        } else {
            last
        };
        Self {
            name: "step".to_owned(),
            range: (0.0, end.max(1) as f64),
            marks: vec![],
            has_names: false,
            is_whole: true,
            is_log: false,
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
        charts.extend(losses(table));
    }
    for curve in &table.curves {
        let (key, name) = match curve {
            Curve::Loss => continue,
            Curve::Terms => ("terms", "Terms of the loss"),
            Curve::Rates => ("rates", "Learning rates"),
        };
        charts.extend(table.trainings.iter().map(|training| {
            let lines = named_lines(training, *curve);
            let window = match curve {
                Curve::Terms => window(training.done),
                Curve::Loss | Curve::Rates => None,
            };
            Chart {
                key: format!("{key}-row{}", training.rows.first().unwrap_or(&0)),
                title: format!("{name}: {}", training.label),
                caption: smoothing(window),
                up: name.to_lowercase(),
                lines: smoothed(lines, window),
                across: Across::steps(training.steps),
                is_open: false,
            }
        }));
    }
    charts
}

/// The scores of a figure against its axis.
fn against(axis: &Axis) -> Chart {
    let at = |point: &AxisPoint| axis.places[point.place].at;
    let line = |(colour, line): (usize, &AxisLine)| Line {
        colour,
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
        ..Line::default()
    };
    let lines: Vec<Line> = axis.lines.iter().enumerate().map(line).collect();
    let mut caption = vec![];
    if lines.iter().any(|line| !line.bars.is_empty()) {
        let bars = "Bars are one sample standard deviation over seeds to each side.";
        caption.push(bars.to_owned());
    }
    let absent: Vec<String> = axis.absent.iter().map(usize::to_string).collect();
    match absent.as_slice() {
        [] => {}
        [row] => caption.push(format!("Row {row} has no place on the axis.")),
        rows => caption.push(format!(
            "Rows {} have no place on the axis.",
            rows.join(", ")
        )),
    }
    let ends = axis.places.first().zip(axis.places.last());
    let (first, last) = ends.map_or((0.0, 0.0), |(first, last)| (first.at, last.at));
    let has_names = axis.unit.is_none();
    let is_log = !has_names && axis.measured.is_none() && is_crowded(axis);
    Chart {
        key: SCORES.to_owned(),
        title: format!("Scores against {}", axis.of),
        caption: caption.join(" "),
        up: "score in percent".to_owned(),
        lines,
        across: Across {
            name: name_of(axis) + if is_log { ", logarithmic" } else { "" },
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
            is_whole: axis.places.iter().all(|place| place.at.fract() == 0.0),
            is_log,
        },
        is_open: true,
    }
}

/// Whether places would lie on one another at the beginning of an axis: they reach over [`MOST_RATIO`], and half of them lie within its
/// first quarter.
fn is_crowded(axis: &Axis) -> bool {
    let places: Vec<f64> = axis.places.iter().map(|place| place.at).collect();
    let (Some(first), Some(last)) = (places.first(), places.last()) else {
        return false;
    };
    let middle = places[places.len() / 2];
    *first > 0.0 && last / first > MOST_RATIO && middle - first < 0.25 * (last - first)
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

/// The losses of all trainings in one chart, or in several of one scale each; those that differ in the seed alone have one colour.
fn losses(table: &TablePage) -> Vec<Chart> {
    let begun = table.trainings.iter().filter(|one| !one.points.is_empty());
    let is_alone = |training: &Training| {
        let mut alike = begun.clone().filter(|one| one.label == training.label);
        alike.nth(1).is_none()
    };
    let line = |training: &Training| {
        let label = match training.rows.first() {
            Some(row) if !is_alone(training) => format!("{}, row {row}", training.label),
            Some(_) | None => training.label.clone(),
        };
        Line {
            kind: without_seed(&label),
            label,
            state: match training.is_finished {
                true => String::new(),
                false => format!("step {} of {}", training.done, training.steps),
            },
            points: (training.points.iter())
                .map(|point| (point.step as f64, point.loss))
                .collect(),
            ..Line::default()
        }
    };
    let lines: Vec<Line> = begun.clone().map(line).collect();
    let last = begun.clone().map(|training| training.steps).max();
    let window = window(begun.map(|training| training.done).max().unwrap_or(0));
    let scales = scales(lines);
    let count = scales.len();
    let chart = |(at, mut lines): (usize, Vec<Line>)| {
        let kinds = colour(&mut lines);
        let mut caption = vec![];
        if count > 1 && at == 0 {
            caption.push("Losses of other sizes have charts of their own.".to_owned());
        }
        if kinds < lines.len() {
            caption.push("Lines of one colour differ in the seed.".to_owned());
        }
        caption.extend(Some(smoothing(window)).filter(|said| !said.is_empty()));
        Chart {
            key: match at {
                0 => "loss".to_owned(),
                at => format!("loss-{}", at + 1),
            },
            title: match count {
                1 => "Loss over the steps of pretraining".to_owned(),
                _ => format!("Loss over the steps of pretraining, {} of {count}", at + 1),
            },
            caption: caption.join(" "),
            up: "loss".to_owned(),
            lines: smoothed(lines, window),
            across: Across::steps(last.unwrap_or(0)),
            is_open: true,
        }
    };
    scales.into_iter().enumerate().map(chart).collect()
}

/// Gives lines that differ in the seed alone one colour; returns how many colours there are.
fn colour(lines: &mut [Line]) -> usize {
    let mut kinds: Vec<String> = vec![];
    for line in lines {
        let known = kinds.iter().position(|kind| *kind == line.kind);
        line.colour = known.unwrap_or_else(|| {
            kinds.push(line.kind.clone());
            kinds.len() - 1
        });
    }
    kinds.len()
}

/// The lines in groups that one scale upwards shows, in the order of their first lines: none reaches over more than [`MOST_RATIO`] times
/// what another does.
fn scales(lines: Vec<Line>) -> Vec<Vec<Line>> {
    let size = |line: &Line| {
        let values = line.points.iter().filter_map(|(_, value)| *value);
        let sizes = values.filter(|value| value.is_finite()).map(f64::abs);
        sizes.fold(0.0, f64::max)
    };
    let mut sizes: Vec<f64> = lines.iter().map(size).filter(|size| *size > 0.0).collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    // The largest of each group.
    let mut tops: Vec<f64> = vec![];
    for size in sizes {
        if tops.last().is_none_or(|top| *top > MOST_RATIO * size) {
            tops.push(size);
        }
    }
    let mut groups: Vec<(usize, Vec<Line>)> = vec![];
    for line in lines {
        // One without a number, or of 0 alone, lies among the smallest.
        let own = tops.iter().rposition(|top| size(&line) <= *top);
        let own = own.unwrap_or_default();
        match groups.iter_mut().find(|(group, _)| *group == own) {
            Some((_, lines)) => lines.push(line),
            None => groups.push((own, vec![line])),
        }
    }
    match groups.is_empty() {
        // The chart is there before the first step.
        true => vec![vec![]],
        false => groups.into_iter().map(|(_, lines)| lines).collect(),
    }
}

/// Over how many steps curves are smoothed of which so many are done; `None` of few, which are shown as they are.
fn window(steps: u64) -> Option<u64> {
    Some(steps / WINDOWS).filter(|window| *window >= LEAST_WINDOW)
}

/// What is said of smoothed curves.
fn smoothing(window: Option<u64>) -> String {
    window.map_or(String::new(), |window| {
        format!("Lines are means of the points that are drawn within {window} steps around each; these are faint behind them.")
    })
}

/// The lines with their means.
fn smoothed(mut lines: Vec<Line>, window: Option<u64>) -> Vec<Line> {
    if let Some(window) = window {
        for line in &mut lines {
            line.means = means(&line.points, window as f64);
        }
    }
    lines
}

/// The mean of the numbers within a window around each point; a gap stays one.
fn means(points: &[(f64, Option<f64>)], window: f64) -> Vec<(f64, Option<f64>)> {
    let is_number = |value: &f64| value.is_finite();
    let mean = |(at, value): &(f64, Option<f64>)| {
        let from = points.partition_point(|(other, _)| *other < at - window / 2.0);
        let to = points.partition_point(|(other, _)| *other <= at + window / 2.0);
        let around = points[from..to].iter().filter_map(|(_, value)| *value);
        let around: Vec<f64> = around.filter(is_number).collect();
        let mean = around.iter().sum::<f64>() / around.len().max(1) as f64;
        (*at, value.filter(is_number).map(|_| mean))
    };
    points.iter().map(mean).collect()
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
    let line = |(colour, name): (usize, String)| Line {
        points: (training.points.iter())
            .map(|point| (point.step as f64, of(point).get(&name).copied().flatten()))
            .collect(),
        label: name,
        colour,
        ..Line::default()
    };
    names.into_iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_steps_around_and_gaps_stay() {
        let points = [1.0, 2.0, f64::NAN, 4.0, 9.0];
        let points: Vec<(f64, Option<f64>)> = (0..5)
            .map(|at| (f64::from(at), Some(points[at as usize])))
            .collect();
        let found = means(&points, 2.0);
        let values: Vec<Option<f64>> = found.iter().map(|(_, value)| *value).collect();
        assert_eq!(values, [Some(1.5), Some(1.5), None, Some(6.5), Some(6.5)]);
        assert_eq!((window(99), window(100)), (None, Some(5)));
    }

    #[test]
    fn losses_of_other_sizes_have_a_scale_of_their_own() {
        let groups = |sizes: &[f64]| -> Vec<Vec<usize>> {
            let line = |(at, size): (usize, &f64)| Line {
                label: at.to_string(),
                points: vec![(0.0, Some(*size)), (1.0, None), (2.0, Some(f64::NAN))],
                ..Line::default()
            };
            let groups = scales(sizes.iter().enumerate().map(line).collect()).into_iter();
            let names = |lines: Vec<Line>| lines.iter().map(|l| l.label.parse().unwrap()).collect();
            groups.map(names).collect()
        };
        assert_eq!(groups(&[-0.5, 9.0, 0.0]), [[0, 1, 2]]);
        assert_eq!(groups(&[-0.5, 1500.0, 6.0, 0.0]), [vec![0, 2, 3], vec![1]]);
        assert_eq!(groups(&[1500.0, 1.0, -1e-4]), [[0], [1], [2]]);
        assert_eq!(groups(&[0.0, f64::NAN]), [[0, 1]]);
        assert_eq!(groups(&[]), [[0; 0]]);
    }

    #[test]
    fn numbers_that_crowd_at_the_beginning_lie_by_their_ratio() {
        let crowded = |places: &[f64]| {
            let place = |at: &f64| super::super::Place {
                value: at.to_string(),
                text: at.to_string(),
                at: *at,
            };
            is_crowded(&Axis {
                of: "of.data.train".to_owned(),
                unit: Some(String::new()),
                measured: None,
                places: places.iter().map(place).collect(),
                lines: vec![],
                absent: vec![],
            })
        };
        assert!(crowded(&[22e3, 240e3, 1.8e6]));
        assert!(!crowded(&[5.0, 25.0, 50.0, 75.0, 105.0]));
        assert!(!crowded(&[0.0, 1.0, 100.0]));
        assert!(!crowded(&[22e3, 240e3]));
        assert!(!crowded(&[]));
    }

    #[test]
    fn lines_of_one_colour_are_one_entry_of_the_legend() {
        let line = |label: &str, colour: usize, state: &str| Line {
            label: label.to_owned(),
            kind: without_seed(label),
            colour,
            state: state.to_owned(),
            ..Line::default()
        };
        let chart = Chart {
            key: String::new(),
            title: String::new(),
            caption: String::new(),
            up: String::new(),
            lines: vec![
                line("loss = intra, seed = 0", 0, ""),
                line("alone", 1, ""),
                line("loss = intra, seed = 4", 0, "step 3 of 9"),
            ],
            across: Across::steps(2),
            is_open: true,
        };
        let legend = chart.legend();
        let texts: Vec<(&str, &str)> = (legend.iter())
            .map(|key| (key.text.as_str(), key.state.as_str()))
            .collect();
        assert_eq!(
            texts,
            [("loss = intra, seeds 0, 4", "step 3 of 9"), ("alone", "")]
        );
        assert_eq!(chart.across.range, (0.0, 1.0));
    }
}
