//! A page as HTML that stands alone: no scripts, no fonts, nothing from a network.

use super::charts::{self, Chart, SCORES};
use super::classes::Classes;
use super::compare::{Comparison, Test, TestKind};
use super::densities;
use super::figures::{Figure, Film};
use super::overlaps::Overlap;
use super::page::{Page, TablePage, VERSION};
use super::picture;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use compiler::book::{STYLE, inline};
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;

/// Up to this many classes a confusion matrix is a table of numbers; past it, a picture.
const MOST_NUMBERS: usize = 20;
/// The most pairs of classes that are named beside it.
const MOST_CONFUSED: usize = 10;
/// The most squares of all matrices of a table together: a page with these has some two megabytes.
const MOST_SQUARES: usize = 15_000;
/// The most bytes of all films of a table together.
const MOST_FILMS: usize = 12 << 20;
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
    /// Numbers and drawings that there are, all of them, and those that cannot be made.
    there: usize,
    all: usize,
    without: usize,
}

fn entry(path: &str, page: &Page) -> Entry {
    let tables = || page.tables.iter().map(|table| &table.table);
    let cells = || {
        tables()
            .flat_map(|table| &table.rows)
            .flat_map(|row| &row.cells)
    };
    let drawn = page.tables.iter().map(|table| table.figures.len());
    Entry {
        path: path.to_owned(),
        file: page.experiment.file.clone(),
        toy: page.toy,
        titles: tables()
            .map(|table| table.title.clone().unwrap_or(table.name.clone()))
            .collect(),
        there: cells().filter(|cell| cell.value.is_some()).count() + drawn.sum::<usize>(),
        all: cells().count(),
        without: cells().filter(|cell| cell.stage.is_none()).count(),
    }
}

/// What is drawn for a table, beside what it says.
#[derive(Serialize)]
struct Drawn {
    /// Scores against what a figure varies.
    axis: Option<DrawnChart>,
    /// The kinds of pairs of views whose overlap is known, those of all trainings.
    overlaps: Vec<String>,
    /// Those of each training; none where it has no such pair.
    overlaps_of: Vec<Vec<Option<Overlap>>>,
    /// Curves of trainings.
    charts: Vec<DrawnChart>,
    classes: Vec<DrawnClasses>,
    /// Matrices that were left out.
    left_out: usize,
    /// How the features of its rows are distributed.
    densities: Vec<DrawnChart>,
    /// Pictures as addresses that hold them; empty where there is none.
    figures: Vec<String>,
    /// Films of each of them.
    films: Vec<Vec<DrawnFilm>>,
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
    /// Seeds that both have; `None` of single rows.
    seeds: Option<usize>,
    /// What each of the tests says of it.
    tests: Vec<Option<Test>>,
}

#[derive(Serialize)]
struct DrawnChart {
    title: String,
    /// What its axes are.
    up: String,
    across: String,
    caption: String,
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
struct DrawnFilm {
    name: String,
    /// The address that holds it; empty where it is too large.
    address: String,
    is_video: bool,
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
    /// What the matrix and the bars are, where that is not said above them.
    of_matrix: Option<&'static str>,
    of_bars: Option<String>,
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
        *sum += if classes.has_matrix {
            classes.confusion.len()
        } else {
            0
        };
        Some(*sum)
    });
    let shown = squares.take_while(|sum| *sum <= MOST_SQUARES).count();
    let mut overlaps: Vec<String> = vec![];
    for one in table.trainings.iter().flat_map(|one| &one.overlaps) {
        if !overlaps.contains(&one.of) {
            overlaps.push(one.of.clone());
        }
    }
    let charts = charts::charts(table);
    let drawn_of = |is_axis: bool| {
        let own = charts
            .iter()
            .filter(move |chart| (chart.key == SCORES) == is_axis);
        own.filter_map(drawn_chart)
    };
    Drawn {
        axis: drawn_of(true).next(),
        charts: drawn_of(false).collect(),
        overlaps_of: (table.trainings.iter())
            .map(|training| {
                let own = |of: &String| training.overlaps.iter().find(|own| own.of == *of).cloned();
                overlaps.iter().map(own).collect()
            })
            .collect(),
        overlaps,
        left_out: table.classes.len() - shown,
        classes: (table.classes[..shown].iter())
            .map(|classes| drawn_classes(table, classes))
            .collect(),
        densities: (densities::charts(table).iter())
            .filter_map(drawn_chart)
            .collect(),
        figures: figures.collect(),
        films: films(&table.figures),
        differences: (0..table.table.columns.len())
            .filter_map(|column| differences(table, column))
            .collect(),
    }
}

/// The films of these figures, embedded until there are too many of them.
fn films(figures: &[Figure]) -> Vec<Vec<DrawnFilm>> {
    let mut sum = 0;
    let mut film = |film: &Film| {
        let kind = match film.name.rsplit('.').next() {
            Some("mp4") => "video/mp4",
            Some("webm") => "video/webm",
            Some(_) | None => "image/png",
        };
        let bytes = film.bytes.as_ref();
        sum += bytes.map_or(0, Vec::len);
        let bytes = bytes.filter(|_| sum <= MOST_FILMS);
        DrawnFilm {
            name: film.name.clone(),
            address: bytes.map_or(String::new(), |bytes| {
                format!("data:{kind};base64,{}", STANDARD.encode(bytes))
            }),
            is_video: kind.starts_with("video"),
        }
    };
    let figures = figures.iter();
    figures
        .map(|figure| figure.films.iter().map(&mut film).collect())
        .collect()
}

/// The differences of rows in one score; `None` where none of them has a test.
fn differences(table: &TablePage, column: usize) -> Option<Differences> {
    let own = table.comparisons.iter().filter(|one| one.column == column);
    let own: Vec<&Comparison> = own
        .filter(|one| !one.tests.is_empty() || one.seeds == Some(0))
        .collect();
    let has = |kind: &TestKind| {
        own.iter()
            .any(|one| one.tests.iter().any(|t| t.kind == *kind))
    };
    let kinds: Vec<TestKind> = TestKind::ALL.into_iter().filter(has).collect();
    let lines = own.iter().map(|one| Difference {
        of: one.of.clone(),
        with: one.with.clone(),
        difference: one.difference,
        seeds: one.seeds,
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

/// A chart that has a number, with its lines in words.
fn drawn_chart(chart: &Chart) -> Option<DrawnChart> {
    let labels = chart.legend().into_iter().map(|key| Label {
        style: picture::style(key.colour),
        text: key.text,
        state: key.state,
    });
    Some(DrawnChart {
        svg: picture::chart(chart)?,
        title: chart.title.clone(),
        up: chart.up.clone(),
        across: chart.across.name.clone(),
        caption: chart.caption.clone(),
        labels: labels.collect(),
        is_open: chart.is_open,
    })
}

fn drawn_classes(table: &TablePage, classes: &Classes) -> DrawnClasses {
    let count = classes.classes.len();
    let samples: u64 = classes.classes.iter().map(|class| class.samples).sum();
    let right: u64 = classes.classes.iter().map(|class| class.right).sum();
    let mut grid = vec![];
    if classes.has_matrix && count <= MOST_NUMBERS {
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
        of_matrix: classes.of_matrix(),
        of_bars: (classes.within > 1).then(|| classes.of_bars()),
        svg: match classes.has_matrix && grid.is_empty() {
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
pub fn p_value(p: f64) -> String {
    match p {
        p if p < 1e-4 => format!("{p:.1e}"),
        p if p < 0.1 => format!("{p:.4}"),
        p => format!("{p:.3}"),
    }
}
