//! A page as HTML that stands alone: no scripts, no fonts, nothing from a network.

use super::axis::Axis;
use super::classes::Classes;
use super::compare::{Comparison, Test, TestKind};
use super::page::{Page, TablePage, Training, VERSION};
use super::picture::{self, Across, Line};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use compiler::book::{STYLE, inline};
use compiler::hir::Curve;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;

/// Up to this many classes a confusion matrix is a table of numbers; past it, a picture.
const MOST_NUMBERS: usize = 20;
/// The most pairs of classes that are named beside it.
const MOST_CONFUSED: usize = 10;
/// The most squares of all matrices of a table together: a page with these has some two megabytes.
const MOST_SQUARES: usize = 15_000;
/// The most numbers that are marked as they are on an axis; round ones stand for more.
const MOST_MARKS: usize = 12;
/// Seconds after which a page of a run that is going reloads itself.
const RELOAD: u32 = 5;

/// The page as HTML. With `is_watched` it reloads itself every few seconds.
pub fn html(page: &Page, is_watched: bool) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("inline", |text: String| {
        Value::from_safe_string(inline(&text))
    });
    environment.add_filter("p", p_value);
    environment.add_filter("fixed", |value: f64, digits: usize| {
        format!("{value:.digits$}")
    });
    environment.add_filter("signed", |value: f64, digits: usize| {
        super::signed(value, digits)
    });
    environment.add_filter("time", crate::spoken);
    environment.add_filter("counted", compiler::counted);
    for (name, text) in [
        ("page.html", include_str!("../../templates/page.html")),
        ("page.css", include_str!("../../templates/page.css")),
        (
            "table.html",
            include_str!("../../templates/page_table.html"),
        ),
    ] {
        environment
            .add_template(name, text)
            .expect("html: the templates are well formed");
    }
    let drawn: Vec<Drawn> = page.tables.iter().map(drawn).collect();
    let lines: Vec<&str> = page.experiment.text.lines().collect();
    let trainings = page.tables.iter().flat_map(|table| &table.trainings);
    let begun = trainings.filter(|training| !training.is_finished && training.done > 0);
    let template = environment.get_template("page.html");
    let html = template
        .expect("html: the page has a template")
        .render(context! {
            style => STYLE,
            version => VERSION,
            reload => is_watched.then_some(RELOAD),
            page => Value::from(Serde(page)),
            drawn => Value::from(Serde(&drawn)),
            lines => Value::from(Serde(&lines)),
            begun => begun.count(),
        })
        .expect("html: the template fits the page");
    let lines: Vec<&str> = html.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

/// A page that leads to these, each with its file name.
pub fn index(pages: &[(String, &Page)]) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let text = include_str!("../../templates/page_index.html");
    let entries: Vec<Entry> = pages.iter().map(|(path, page)| entry(path, page)).collect();
    environment
        .render_named_str(
            "index.html",
            text,
            context! { style => STYLE, entries => Value::from(Serde(&entries)) },
        )
        .expect("index: the template fits the pages")
}

/// A page in a list of pages.
#[derive(Serialize)]
struct Entry {
    path: String,
    file: String,
    toy: bool,
    titles: Vec<String>,
    /// Numbers that there are, and that there can be.
    there: usize,
    all: usize,
}

fn entry(path: &str, page: &Page) -> Entry {
    let tables = || page.tables.iter().map(|table| &table.table);
    let cells = || {
        tables()
            .flat_map(|table| &table.rows)
            .flat_map(|row| &row.cells)
    };
    Entry {
        path: path.to_owned(),
        file: page.experiment.file.clone(),
        toy: page.toy,
        titles: tables()
            .map(|table| table.title.clone().unwrap_or(table.name.clone()))
            .collect(),
        there: cells().filter(|cell| cell.value.is_some()).count(),
        all: cells().filter(|cell| cell.stage.is_some()).count(),
    }
}

/// What is drawn for a table, beside what it says.
#[derive(Serialize)]
struct Drawn {
    /// Scores against what a figure varies.
    axis: Option<Chart>,
    charts: Vec<Chart>,
    classes: Vec<DrawnClasses>,
    /// Matrices that were left out.
    left_out: usize,
    /// Pictures as addresses that hold them; empty where there is none.
    figures: Vec<String>,
    /// Differences of rows, for each score that has tests of them.
    differences: Vec<Differences>,
}

/// The differences of one score.
#[derive(Serialize)]
struct Differences {
    score: String,
    /// The tests that there are, by name.
    tests: Vec<&'static str>,
    lines: Vec<Difference>,
}

#[derive(Serialize)]
struct Difference {
    of: String,
    with: String,
    difference: f64,
    /// What each of the tests says of it.
    tests: Vec<Option<Test>>,
}

#[derive(Serialize)]
struct Chart {
    title: String,
    svg: String,
    labels: Vec<Label>,
    /// Shown without a click.
    is_open: bool,
}

/// A line of a chart in words.
#[derive(Serialize)]
struct Label {
    style: String,
    text: String,
    /// How far the training is, where it is not done.
    state: String,
}

#[derive(Serialize)]
struct DrawnClasses {
    title: String,
    accuracy: f64,
    samples: u64,
    /// Numbers by class and prediction; empty where there are too many.
    grid: Vec<Vec<u64>>,
    /// A picture where there are.
    svg: String,
    /// The pairs that were confused most: true class, taken for, samples.
    confused: Vec<(String, String, u64)>,
    /// Of each class its accuracy, where it has samples.
    bars: Vec<Option<f64>>,
}

fn drawn(table: &TablePage) -> Drawn {
    let figures = table.figures.iter().map(|figure| {
        let svg = figure.svg.as_ref();
        svg.map_or(String::new(), |svg| {
            format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg))
        })
    });
    let squares = table.classes.iter().scan(0, |sum, classes| {
        *sum += classes.confusion.len();
        Some(*sum)
    });
    let shown = squares.take_while(|sum| *sum <= MOST_SQUARES).count();
    Drawn {
        axis: table.axis.as_ref().and_then(against),
        charts: charts(table),
        left_out: table.classes.len() - shown,
        classes: (table.classes[..shown].iter())
            .map(|classes| drawn_classes(table, classes))
            .collect(),
        figures: figures.collect(),
        differences: (0..table.table.columns.len())
            .filter_map(|column| differences(table, column))
            .collect(),
    }
}

/// The differences of rows in one score; `None` where none of them has a test.
fn differences(table: &TablePage, column: usize) -> Option<Differences> {
    let own = table.comparisons.iter().filter(|one| one.column == column);
    let own: Vec<&Comparison> = own.filter(|one| !one.tests.is_empty()).collect();
    let has = |kind: &TestKind| {
        own.iter()
            .any(|one| one.tests.iter().any(|t| t.kind == *kind))
    };
    let kinds: Vec<TestKind> = TestKind::ALL.into_iter().filter(has).collect();
    let lines = own.iter().map(|one| Difference {
        of: one.of.clone(),
        with: one.with.clone(),
        difference: one.difference,
        tests: (kinds.iter())
            .map(|kind| one.tests.iter().find(|test| test.kind == *kind).cloned())
            .collect(),
    });
    (!kinds.is_empty()).then(|| Differences {
        score: table.table.columns[column].name.clone(),
        tests: kinds.iter().map(|kind| kind.name()).collect(),
        lines: lines.collect(),
    })
}

/// The scores of a figure against its axis; nothing where none was measured.
fn against(axis: &Axis) -> Option<Chart> {
    let at = |point: &super::AxisPoint| axis.places[point.place].at;
    let line = |line: &super::AxisLine| Line {
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
    };
    let lines: Vec<Line> = axis.lines.iter().map(line).collect();
    let (first, last) = (axis.places.first()?.at, axis.places.last()?.at);
    let across = Across {
        name: axis.of.clone(),
        // Names and a single number have room to both sides.
        range: match axis.unit {
            Some(_) if first < last => (first, last),
            Some(_) | None => (first - 0.5, last + 0.5),
        },
        marks: (axis.places.iter())
            .filter(|_| axis.unit.is_none() || axis.places.len() <= MOST_MARKS)
            .map(|place| (place.at, place.text.clone()))
            .collect(),
    };
    let labels = lines.iter().enumerate().map(|(at, line)| Label {
        style: picture::style(at),
        text: line.label.clone(),
        state: String::new(),
    });
    Some(Chart {
        title: format!("Scores against `{}`", axis.of),
        svg: picture::chart("scores in percent", &lines, &across)?,
        labels: labels.collect(),
        is_open: true,
    })
}

/// The losses of all trainings in one chart, then the other curves that the file asks for, a chart for each training.
fn charts(table: &TablePage) -> Vec<Chart> {
    let with_points: Vec<&Training> = table
        .trainings
        .iter()
        .filter(|training| !training.points.is_empty())
        .collect();
    let last = |trainings: &[&Training]| {
        let steps = trainings.iter().map(|training| training.steps);
        steps.max().unwrap_or(0)
    };
    let line = |training: &&Training| Line {
        label: training.label.clone(),
        points: (training.points.iter())
            .map(|point| (point.step as f64, point.loss))
            .collect(),
        ..Line::default()
    };
    let lines: Vec<Line> = with_points.iter().map(line).collect();
    let labels = with_points.iter().enumerate().map(|(at, training)| Label {
        style: picture::style(at),
        text: training.label.clone(),
        state: match training.is_finished {
            true => String::new(),
            false => format!("step {} of {}", training.done, training.steps),
        },
    });
    let svg = picture::chart("loss", &lines, &Across::steps(last(&with_points)));
    let mut charts: Vec<Chart> = svg
        .into_iter()
        .map(|svg| Chart {
            title: "Loss over the steps of pretraining".to_owned(),
            svg,
            labels: labels.clone().collect(),
            is_open: true,
        })
        .collect();
    for curve in &table.curves {
        let name = match curve {
            Curve::Loss => continue,
            Curve::Terms => "Terms of the loss",
            Curve::Rates => "Learning rates",
        };
        for training in &with_points {
            let lines = named_lines(training, *curve);
            let labels = lines.iter().enumerate().map(|(at, line)| Label {
                style: picture::style(at),
                text: line.label.clone(),
                state: String::new(),
            });
            let labels = labels.collect();
            let svg = picture::chart(name, &lines, &Across::steps(training.steps));
            charts.extend(svg.map(|svg| Chart {
                title: format!("{name}: {}", training.label),
                svg,
                labels,
                is_open: false,
            }));
        }
    }
    charts
}

/// The terms or rates of a training, a line for each name.
fn named_lines(training: &Training, curve: Curve) -> Vec<Line> {
    let of = |point: &super::Point| match curve {
        Curve::Loss => Default::default(),
        Curve::Terms => point.terms.clone(),
        Curve::Rates => point.rates.clone(),
    };
    let mut names: Vec<String> = training
        .points
        .iter()
        .flat_map(|p| of(p).into_keys())
        .collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let points = training.points.iter();
            let points =
                points.map(|point| (point.step as f64, of(point).get(&name).copied().flatten()));
            let points = points.collect();
            Line {
                label: name,
                points,
                ..Line::default()
            }
        })
        .collect()
}

fn drawn_classes(table: &TablePage, classes: &Classes) -> DrawnClasses {
    let count = classes.classes.len();
    let samples: u64 = classes.classes.iter().map(|class| class.samples).sum();
    let right: u64 = classes.classes.iter().map(|class| class.right).sum();
    let mut grid = vec![];
    if count <= MOST_NUMBERS {
        grid = vec![vec![0; count]; count];
        for pair in &classes.confusion {
            grid[pair.class][pair.predicted] = pair.samples;
        }
    }
    let name = |at: usize| classes.classes[at].name.clone();
    let confused = classes.most_confused(MOST_CONFUSED).into_iter();
    DrawnClasses {
        title: format!(
            "{}: {}",
            table.table.columns[classes.column].name, classes.label
        ),
        accuracy: 100.0 * right as f64 / samples.max(1) as f64,
        samples,
        svg: match grid.is_empty() {
            true => picture::matrix(classes),
            false => String::new(),
        },
        grid,
        confused: confused
            .map(|pair| (name(pair.class), name(pair.predicted), pair.samples))
            .collect(),
        bars: classes.classes.iter().map(super::Class::accuracy).collect(),
    }
}

/// A p-value with as many digits as say something.
fn p_value(p: f64) -> String {
    match p {
        p if p < 1e-4 => format!("{p:.1e}"),
        p if p < 0.1 => format!("{p:.4}"),
        p => format!("{p:.3}"),
    }
}
