//! The picture: the plane with its points and their density, beside it classes, similarities and numbers.

use super::{Figure, Projection, part_name};
use crate::draw::contours::contours;
use crate::draw::density::{Plane, Spread, range};
use crate::draw::svg::{Anchor, Font, Paint, Picture, SERIES, rectangle, short};
use crate::sheet::panels::marks;
use compiler::counted;
use std::fmt::Write;

/// The whole width, and the side of the plane.
const WIDTH: f64 = 1000.0;
const SIDE: f64 = 600.0;
/// Space around everything.
const MARGIN: f64 = 16.0;
/// Where the column beside the plane begins, and its width.
const ASIDE: f64 = MARGIN + SIDE + 28.0;
const COLUMN: f64 = WIDTH - MARGIN - ASIDE;
/// A line of text.
const LINE: f64 = 19.0;
/// Height of the curves, and what the numbers beside them take.
const CURVES: f64 = 170.0;
const SCALE: f64 = 30.0;
/// Places of the plane's density along each side.
const GRID: usize = 96;
/// Shares of the density that its shades hold, the palest first.
const SHARES: [f64; 5] = [0.95, 0.8, 0.6, 0.4, 0.2];

const TITLE: Font = Font::new(17.0, Paint::Ink).bold();
const HEAD: Font = Font::new(14.0, Paint::Ink).bold();
const NAME: Font = Font::new(13.0, Paint::Ink);
const NOTE: Font = Font::new(13.0, Paint::Soft);

/// Draws the figure.
pub(super) fn of(figure: &Figure<'_>) -> String {
    let mut page = Picture::new(WIDTH);
    page.text((MARGIN, 28.0), TITLE, &figure.title());
    let mut y = 28.0;
    for note in notes(figure) {
        y += LINE;
        page.text((MARGIN, y), NOTE, &note);
    }
    let top = y + 14.0;
    plane(&mut page, top, figure);
    let mut y = classes(&mut page, top, figure);
    y = curves(&mut page, y, figure);
    y = numbers(&mut page, y, figure);
    page.finish((top + SIDE).max(y) + MARGIN, &figure.title())
}

/// What stands below the title.
pub(super) fn notes(figure: &Figure<'_>) -> Vec<String> {
    let of = &figure.embedded.of;
    let shown = figure.rows.samples.len();
    let by = match figure.embedded.by {
        Projection::Tsne { perplexity } => {
            format!("t-SNE with a perplexity of {}", perplexity.decimal())
        }
        Projection::Pca => {
            let [first, second] = figure.points.shares.unwrap_or_default();
            format!(
                "principal components, with {:.1} % of the variance across and {:.1} % upwards",
                100.0 * first,
                100.0 * second
            )
        }
    };
    let mut notes = vec![format!("{shown} {}; {by}", part_name(of))];
    let drawn = figure.draws.samples.len();
    if (drawn as u64) < u64::from(of.samples) {
        notes.push(format!(
            "{} samples were asked for, {drawn} of {} drawn",
            of.samples, figure.draws.of
        ));
    }
    if shown < drawn {
        notes.push(format!(
            "{} of {drawn} samples could not be read",
            drawn - shown
        ));
    }
    notes
}

/// Points on the density of all of them.
fn plane(page: &mut Picture, top: f64, figure: &Figure<'_>) {
    let points = &figure.points.places;
    let density = Plane::around(points, GRID);
    let shades = density.map_or(vec![], |density| {
        let shade = |share| contours(&density, density.level(share));
        SHARES.into_iter().map(shade).collect()
    });
    let around = |axis: usize| {
        let shaded = shades.iter().flatten().flatten();
        range(points.iter().chain(shaded).map(|point| point[axis]))
    };
    let (xs, ys) = (around(0), around(1));
    // Both axes have one scale, and there is room around the outermost shade.
    let reach = 0.52 * (xs.1 - xs.0).max(ys.1 - ys.0).max(f64::MIN_POSITIVE);
    let place = |[x, y]: [f64; 2]| {
        let along = |value: f64, (low, high): (f64, f64)| {
            SIDE * (0.5 + (value - 0.5 * (low + high)) / (2.0 * reach))
        };
        (MARGIN + along(x, xs), top + SIDE - along(y, ys))
    };
    for shade in &shades {
        let mut shape = String::new();
        for line in shade {
            for (at, point) in line.iter().enumerate() {
                let (x, y) = place(*point);
                let to = if at == 0 { 'M' } else { 'L' };
                let _ = write!(shape, "{to}{x:.1} {y:.1}");
            }
            shape.push('z');
        }
        page.shade(&shape, Paint::Soft, 0.1);
    }
    let series = (0..figure.shown.classes.len()).map(Some);
    for series in std::iter::once(None).chain(series) {
        let own = points.iter().zip(&figure.shown.colours);
        let own = own.filter(|(_, colour)| **colour == series);
        let own: Vec<(f64, f64)> = own.map(|(point, _)| place(*point)).collect();
        let size = if points.len() > 1000 { 5.0 } else { 7.0 };
        dots(page, &own, series, size);
    }
    page.stroke(&rectangle((MARGIN, top), (SIDE, SIDE)), Paint::Line, 1.0);
}

/// Marks of one class: round, and square where colours come again.
fn dots(page: &mut Picture, at: &[(f64, f64)], series: Option<usize>, size: f64) {
    let paint = paint(series);
    let is_square = series.is_some_and(|series| series >= SERIES);
    page.dots(at, paint, size, is_square);
}

/// An entry of the legend.
pub(super) struct Named {
    /// Its colour; `None` of all classes without one.
    pub series: Option<usize>,
    pub name: String,
    /// Samples of it.
    pub count: usize,
}

/// The colour of a series, or of the classes that have none.
pub(super) fn paint(series: Option<usize>) -> Paint {
    series.map_or(Paint::Soft, Paint::Series)
}

/// The classes that have a colour, and the others as one.
pub(super) fn named(figure: &Figure<'_>) -> Vec<Named> {
    let shown = figure.shown;
    let names = figure.source.classes();
    let mut all: Vec<Named> = (shown.classes.iter().enumerate())
        .map(|(at, (class, count))| Named {
            series: Some(at),
            name: names[*class as usize].clone(),
            count: *count,
        })
        .collect();
    if shown.others > 0 {
        let others = shown.colours.iter().filter(|colour| colour.is_none());
        all.push(Named {
            series: None,
            name: format!("{} other classes", shown.others),
            count: others.count(),
        });
    }
    all
}

/// The classes and their marks; returns the place below them.
fn classes(page: &mut Picture, top: f64, figure: &Figure<'_>) -> f64 {
    let lines = named(figure);
    let mut y = top + 12.0;
    page.text((ASIDE, y), HEAD, "Classes");
    if lines.is_empty() {
        page.text((ASIDE, y + LINE), NOTE, "the data set has none");
        return y + 3.0 * LINE;
    }
    let rows = lines.len().div_ceil(2).max(lines.len().min(4));
    for (
        at,
        Named {
            series,
            name,
            count,
        },
    ) in lines.iter().enumerate()
    {
        let x = ASIDE + (at / rows) as f64 * (COLUMN / 2.0);
        let y = y + LINE * (1 + at % rows) as f64;
        dots(page, &[(x + 5.0, y - 4.5)], *series, 9.0);
        let count = format!(" ({count})");
        let room = match lines.len() > rows {
            true => COLUMN / 2.0 - 22.0,
            false => COLUMN - 18.0,
        };
        let name = NAME.fitted(name, room - NAME.width(&count));
        page.text((x + 15.0, y), NAME, &(name + &count));
    }
    y += LINE * rows as f64;
    y + 2.0 * LINE
}

/// The densities of similarities; returns the place below them.
fn curves(page: &mut Picture, top: f64, figure: &Figure<'_>) -> f64 {
    let found = figure.distribution;
    page.text(
        (ASIDE, top),
        HEAD,
        "Density of the cosine similarity of pairs",
    );
    let mut y = top;
    if let Some(text) = zeros(figure) {
        y += LINE;
        page.text((ASIDE, y), NOTE, &NOTE.fitted(&text, COLUMN));
    }
    let same = found.pairs.same.as_ref();
    let curves = [
        Curve {
            name: "all pairs",
            spread: Some(&found.pairs.all),
            density: found.all.as_deref(),
            is_dashed: false,
        },
        Curve {
            name: "pairs of one class",
            spread: same,
            density: found.same.as_deref(),
            is_dashed: true,
        },
    ];
    let densities = curves.iter().filter_map(|curve| curve.density);
    let most = densities.flatten().copied().fold(0.0, f64::max);
    if most == 0.0 {
        page.text((ASIDE, y + LINE), NOTE, "all pairs have the same");
        return y + 3.0 * LINE;
    }
    y += 16.0;
    let floor = y + CURVES;
    let (left, right) = (ASIDE + SCALE, ASIDE + COLUMN - 6.0);
    let (low, high) = found.axis();
    let across = |value: f64| left + (right - left) * (value - low) / (high - low);
    let up = |density: f64| floor - CURVES * density / (1.06 * most);
    let (values, decimals) = marks(0.0, most, 4);
    for at in values {
        let line = format!("M{} {}H{}", short(left), short(up(at)), short(right));
        let paint = if at == 0.0 { Paint::Soft } else { Paint::Line };
        page.stroke(&line, paint, 1.0);
        let text = number(at, decimals);
        page.text((left - 6.0, up(at) + 4.5), NOTE.at(Anchor::End), &text);
    }
    let (values, decimals) = marks(low, high, 5);
    for at in values {
        let tick = format!("M{} {}v5", short(across(at)), short(floor));
        page.stroke(&tick, Paint::Soft, 1.0);
        let text = number(at, decimals);
        page.text((across(at), floor + 19.0), NOTE.at(Anchor::Middle), &text);
    }
    for curve in &curves {
        let mut shape = String::new();
        let places = found.places.iter().zip(curve.density.into_iter().flatten());
        for (at, density) in places {
            let to = if shape.is_empty() { 'M' } else { 'L' };
            let _ = write!(shape, "{to}{:.1} {:.1}", across(*at), up(*density));
        }
        curve.line(page, &shape);
    }
    y = floor + 24.0;
    for curve in curves {
        let Some(spread) = curve.spread else { continue };
        y += LINE;
        curve.line(page, &format!("M{} {}h18", short(ASIDE), short(y - 4.5)));
        let mean = number(spread.mean(), 3);
        let text = format!("{} ({}), mean {mean}", curve.name, spread.count());
        page.text((ASIDE + 26.0, y), NAME, &text);
    }
    y + 2.0 * LINE
}

/// Which samples take no part in similarities.
pub(super) fn zeros(figure: &Figure<'_>) -> Option<String> {
    let zeros = figure.distribution.zeros;
    let text = || {
        format!(
            "without {} whose features are 0 altogether",
            counted(zeros, "sample")
        )
    };
    (zeros > 0).then(text)
}

/// A curve of similarities.
struct Curve<'a> {
    name: &'static str,
    spread: Option<&'a Spread>,
    density: Option<&'a [f64]>,
    is_dashed: bool,
}

impl Curve<'_> {
    /// A line in its manner; colours are those of classes, so it has none.
    fn line(&self, page: &mut Picture, shape: &str) {
        match (shape, self.is_dashed) {
            ("", _) => {}
            (_, true) => page.dashes(shape, Paint::Soft, 1.8),
            (_, false) => page.stroke(shape, Paint::Ink, 1.8),
        }
    }
}

/// Uniformity and alignment, and what they are; returns the place below them.
fn numbers(page: &mut Picture, top: f64, figure: &Figure<'_>) -> f64 {
    let found = figure.distribution;
    let mut y = top;
    let mut say = |font: Font, text: &str| {
        page.text((ASIDE, y), font, text);
        y += LINE;
    };
    say(
        HEAD,
        &format!("Uniformity {}", number(found.pairs.uniformity, 3)),
    );
    say(
        NOTE,
        "log of the mean of exp(\u{2212}2 |x \u{2212} y|\u{b2}) over all pairs",
    );
    if found.samples < figure.rows.samples.len() {
        say(NOTE, &format!("of the first {} samples", found.samples));
    }
    if let Some((value, positives)) = found.alignment {
        say(NOTE, "");
        say(HEAD, &format!("Alignment {}", number(value, 3)));
        say(
            NOTE,
            &format!("mean of |x \u{2212} y|\u{b2} over pairs of {positives}"),
        );
    }
    y
}

/// A number with the sign that is as wide as a plus.
pub(super) fn number(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}").replace('-', "\u{2212}")
}
