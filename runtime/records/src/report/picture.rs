//! Pictures of a page as inline SVG: curves of trainings, and confusion matrices of many classes.
//!
//! They are written here and not by a plotting library for the page's sake: lines, text and ground take their colours and sizes
//! from its style sheet, by class, so that one picture is right in light and dark, and its text can be read on a phone, where the
//! picture is half as wide.

use super::charts::{Across, Chart};
use super::classes::Classes;
use crate::svg_text::{escape, quoted};
use std::fmt::Write;

/// Colours of the style sheet; lines past these are dashed.
const COLOURS: usize = 8;
/// Width of a chart in units of its own, and the height above the marks of its places.
pub(super) const WIDTH: f64 = 720.0;
const FLOOR: f64 = 258.0;
/// What axes take of it: left, top, right.
pub(super) const MARGIN: (f64, f64, f64) = (74.0, 10.0, 14.0);
/// The height of marks below it, and of a letter of names that stand aslant.
const MARKS: (f64, f64) = (42.0, 3.6);
/// The width of a letter of a mark.
const LETTER: f64 = 7.2;
/// The most letters of a place; the rest is shown where the pointer rests.
const MOST_LETTERS: usize = 36;

/// The classes of the `at`th line of a chart in the style sheet, for itself and for its mark beside its label.
pub(super) fn style(at: usize) -> String {
    let dashes = match at / COLOURS {
        0 => "",
        1 => " dashed",
        _ => " dotted",
    };
    format!("c{}{dashes}", at % COLOURS)
}

/// A chart as SVG for a page; nothing where no line has a number.
pub(super) fn chart(chart: &Chart) -> Option<String> {
    let (lines, height) = lines(chart)?;
    Some(format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{} over {}\">{lines}</svg>",
        escape(&chart.up),
        escape(&chart.across.name)
    ))
}

/// Axes and lines of a chart, [`WIDTH`] wide, with their height; nothing where no line has a number.
pub(super) fn lines(chart: &Chart) -> Option<(String, f64)> {
    let (lines, across) = (&chart.lines, &chart.across);
    let points = lines.iter().flat_map(|line| &line.points);
    let values = points.filter_map(|(_, value)| value.filter(|value| value.is_finite()));
    let bars = lines.iter().flat_map(|line| &line.bars);
    let values = values.chain(bars.flat_map(|(_, from, to)| [*from, *to]));
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low > high {
        return None;
    }
    let along = |at: f64| if across.is_log { at.ln() } else { at };
    let (first, last) = (along(across.range.0), along(across.range.1));
    let up = ticks(low, high, false);
    let (low, high) = (low.min(up.from), high.max(up.to));
    let (left, top, right) = MARGIN;
    let x = |at: f64| left + (along(at) - first) / (last - first) * (WIDTH - left - right);
    let y = |value: f64| top + (high - value) / (high - low) * (FLOOR - top);
    let mut svg = String::new();
    for (at, text) in &up.marks {
        let y = y(*at);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{left} {y:.1}H{:.1}\"/><text class=\"up\" x=\"{}\" y=\"{y:.1}\" dy=\".35em\">{text}</text>",
            WIDTH - right,
            left - 8.0
        );
    }
    let below = places(&mut svg, across, &x);
    let _ = write!(
        svg,
        "<path class=\"axis\" d=\"M{left} {FLOOR}H{}\"/>",
        WIDTH - right
    );
    for line in lines.iter().filter(|line| !line.means.is_empty()) {
        let path = path(&line.points, &x, &y);
        let colour = line.colour % COLOURS;
        let _ = write!(svg, "<path class=\"raw c{colour}\" d=\"{path}\"/>");
    }
    for line in lines {
        let shown = match line.means.is_empty() {
            true => &line.points,
            false => &line.means,
        };
        let is_alone = chart.lines_of(line.colour).nth(1).is_none();
        let _ = write!(
            svg,
            "<path class=\"line{} {}\" d=\"{}\"><title>{}</title></path>",
            if is_alone { "" } else { " thin" },
            style(line.colour),
            path(shown, &x, &y),
            escape(&line.label)
        );
        let (mut bars, mut marks) = (String::new(), String::new());
        for (place, from, to) in &line.bars {
            let _ = write!(bars, "M{:.1} {:.1}V{:.1}", x(*place), y(*from), y(*to));
        }
        let seen = line.points.iter().filter(|_| line.has_dots);
        for (place, value) in seen.filter_map(|(at, value)| Some((at, (*value)?))) {
            // A line of no length, which round ends make a dot.
            let _ = write!(marks, "M{:.1} {:.1}h0", x(*place), y(value));
        }
        for (class, path) in [("bars", bars), ("dots", marks)] {
            if !path.is_empty() {
                let _ = write!(
                    svg,
                    "<path class=\"{class} c{}\" d=\"{path}\"/>",
                    line.colour % COLOURS
                );
            }
        }
    }
    Some((svg, FLOOR + below))
}

/// A line through these points, broken where there is no number.
fn path(points: &[(f64, Option<f64>)], x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let mut is_drawing = false;
    for (at, value) in points {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            is_drawing = false;
            continue;
        };
        let command = if is_drawing { 'L' } else { 'M' };
        let _ = write!(path, "{command}{:.1} {:.1}", x(*at), y(value));
        is_drawing = true;
    }
    // A single point is a line of no length, which round ends make a dot.
    if points.len() == 1 && is_drawing {
        path += "h0";
    }
    path
}

/// The marks below a chart; returns how high they are. Names that are wider than their places stand aslant.
fn places(svg: &mut String, across: &Across, x: &dyn Fn(f64) -> f64) -> f64 {
    let (first, last) = across.range;
    let marks = match (across.marks.is_empty(), across.is_log) {
        (false, _) => across.marks.clone(),
        (true, true) => powers(first, last),
        (true, false) => ticks(first, last, across.is_whole).marks,
    };
    let inside = marks
        .iter()
        .filter(|(at, _)| (first..=last).contains(at))
        .map(|(at, text)| (x(*at), text));
    let letters = |text: &str| text.chars().count().min(MOST_LETTERS);
    let wide = inside.clone().map(|(_, text)| letters(text)).max();
    let wide = wide.unwrap_or(0) as f64;
    let gaps = inside.clone().zip(inside.clone().skip(1));
    let gap = gaps.map(|((a, _), (b, _))| b - a).fold(WIDTH, f64::min);
    let is_aslant = across.has_names && wide * LETTER > gap;
    for (x, text) in inside {
        let _ = write!(svg, "<path class=\"axis\" d=\"M{x:.1} {FLOOR}v5\"/>");
        let shown = shortened(text, MOST_LETTERS);
        let _ = match is_aslant {
            true => write!(
                svg,
                "<text class=\"aslant\" transform=\"translate({:.1} {}) rotate(-30)\">{}<title>{}</title></text>",
                x + 4.0,
                FLOOR + 18.0,
                escape(&quoted(&shown)),
                escape(text)
            ),
            false => write!(
                svg,
                "<text class=\"across\" x=\"{x:.1}\" y=\"{}\">{}</text>",
                FLOOR + 24.0,
                escape(&quoted(&shown))
            ),
        };
    }
    match is_aslant {
        true => MARKS.0.max(24.0 + wide * MARKS.1),
        false => MARKS.0,
    }
}

/// The text, or its beginning with a sign that it goes on.
pub(super) fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(letters - 1).collect();
    kept.trim_end().to_owned() + "\u{2026}"
}

/// A confusion matrix without numbers: a square for each pair of classes that occurs, as strong as its share of the class.
pub(super) fn matrix(classes: &Classes) -> String {
    let count = classes.classes.len();
    let cell = 8;
    let side = count * cell;
    let mut svg = format!(
        "<svg class=\"matrix\" viewBox=\"-1 -1 {0} {0}\" role=\"img\" aria-label=\"confusion matrix\"><path class=\"frame\" d=\"M0 \
         0H{side}V{side}H0Z\"/>",
        side + 2
    );
    for pair in &classes.confusion {
        let class = &classes.classes[pair.class];
        let share = pair.samples as f64 / class.samples.max(1) as f64;
        let kind = match pair.class == pair.predicted {
            true => "hit",
            false => "miss",
        };
        let _ = write!(
            svg,
            "<rect class=\"{kind}\" x=\"{}\" y=\"{}\" width=\"{cell}\" height=\"{cell}\" opacity=\"{:.2}\"><title>{} taken for {}: {} of \
             {}</title></rect>",
            pair.predicted * cell,
            pair.class * cell,
            // What is rare can still be seen.
            0.15 + 0.85 * share,
            escape(&class.name),
            escape(&classes.classes[pair.predicted].name),
            pair.samples,
            class.samples
        );
    }
    svg + "</svg>"
}

/// Marks of an axis, and what they reach from and to.
struct Ticks {
    from: f64,
    to: f64,
    marks: Vec<(f64, String)>,
}

/// One, two and five of each power of ten from `low` to `high`, which are more than 0.
fn powers(low: f64, high: f64) -> Vec<(f64, String)> {
    let (from, to) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let all = (from..=to).flat_map(|power| [1.0, 2.0, 5.0].map(|times| times * 10f64.powi(power)));
    let inside = all.filter(|at| (low..=high).contains(at));
    inside.map(|at| (at, at.to_string())).collect()
}

/// Four to nine round numbers that hold `low` and `high` between them; fewer where whole ones are asked for, and are that few.
fn ticks(low: f64, high: f64, is_whole: bool) -> Ticks {
    // Around a single value there is room to both sides.
    let width = match high - low {
        width if width > 1e-9 * low.abs().max(high.abs()).max(1e-9) => width,
        _ => low.abs().max(1.0),
    };
    let rough = width / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * power)
        .find(|step| *step >= rough * (1.0 - 1e-9))
        .unwrap_or(10.0 * power);
    let step = if is_whole { step.max(1.0) } else { step };
    let first = (low / step + 1e-9).floor();
    let last = (high / step - 1e-9).ceil().max(first + 1.0);
    let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    let print = |value: f64| {
        let is_extreme = value != 0.0 && (value.abs() < 1e-4 || value.abs() >= 1e7);
        if is_extreme {
            return format!("{value:.1e}");
        }
        let text = format!("{value:.decimals$}");
        match text.strip_prefix('-') {
            Some(number) if number.chars().all(|c| matches!(c, '0' | '.')) => number.to_owned(),
            Some(number) => format!("\u{2212}{number}"),
            None => text,
        }
    };
    let count = (last - first) as i32;
    let marks = (0..=count).map(|at| (first + f64::from(at)) * step);
    Ticks {
        from: first * step,
        to: last * step,
        marks: marks.map(|value| (value, print(value))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::charts::Line;

    #[test]
    fn marks_are_round_and_hold_what_there_is() {
        let texts = |low, high| -> Vec<String> {
            let marks = ticks(low, high, false).marks.into_iter();
            marks.map(|(_, text)| text).collect()
        };
        assert_eq!(texts(0.0, 128.0), ["0", "50", "100", "150"]);
        assert_eq!(
            texts(-0.96, 0.03),
            [
                "\u{2212}1.0",
                "\u{2212}0.8",
                "\u{2212}0.6",
                "\u{2212}0.4",
                "\u{2212}0.2",
                "0.0",
                "0.2"
            ]
        );
        assert_eq!(texts(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        for (low, high) in [
            (0.0, 0.0),
            (-3.2, -3.2),
            (1e-7, 3e-7),
            (0.0, 1e9),
            (5.0, 5.1),
        ] {
            let found = ticks(low, high, false);
            assert!(found.from <= low + 1e-12 && found.to >= high && found.to > found.from);
            assert!((2..=12).contains(&found.marks.len()), "{low} {high}");
        }
        let whole = |last: f64| -> Vec<f64> {
            let marks = ticks(0.0, last, true).marks.into_iter();
            marks.map(|(at, _)| at).collect()
        };
        assert_eq!(whole(1.0), [0.0, 1.0]);
        assert_eq!(whole(3.0), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(whole(10.0).len(), 6);
        let powers: Vec<f64> = powers(15.0, 1200.0).into_iter().map(|(at, _)| at).collect();
        assert_eq!(powers, [20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]);
    }

    #[test]
    fn what_is_no_number_is_a_gap_and_names_are_escaped() {
        let line = |points: &[(u64, Option<f64>)]| Line {
            label: "a < b".to_owned(),
            points: points
                .iter()
                .map(|(step, value)| (*step as f64, *value))
                .collect(),
            ..Line::default()
        };
        let chart = |lines: &[Line], last| {
            chart(&Chart {
                key: String::new(),
                title: String::new(),
                caption: String::new(),
                up: "loss".to_owned(),
                lines: lines.to_vec(),
                across: Across::steps(last),
                is_open: true,
            })
        };
        let gap = line(&[
            (0, Some(1.0)),
            (1, None),
            (2, Some(f64::NAN)),
            (3, Some(2.0)),
            (4, Some(1.5)),
        ]);
        let svg = chart(&[gap], 4).unwrap();
        assert!(svg.contains("<title>a &lt; b</title>"), "{svg}");
        let path = svg.split("class=\"line c0\" d=\"").nth(1).unwrap();
        let path = path.split('"').next().unwrap();
        assert_eq!(
            (path.matches('M').count(), path.matches('L').count()),
            (2, 1)
        );
        assert!(!svg.contains("NaN"), "{svg}");
        assert_eq!(chart(&[line(&[(0, None)])], 4), None);
        assert_eq!(chart(&[], 0), None);
        let one = chart(&[line(&[(0, Some(1.0))])], 0).unwrap();
        assert!(one.contains("h0"), "{one}");
    }

    #[test]
    fn names_that_do_not_fit_beside_one_another_stand_aslant() {
        let named = |names: &[&str]| {
            let place = |(at, name): (usize, &&str)| (at as f64, (*name).to_owned());
            let line = Line {
                points: (0..names.len()).map(|at| (at as f64, Some(1.0))).collect(),
                ..Line::default()
            };
            let (svg, height) = lines(&Chart {
                key: String::new(),
                title: String::new(),
                caption: String::new(),
                up: String::new(),
                lines: vec![line],
                across: Across {
                    name: "relax".to_owned(),
                    range: (-0.5, names.len() as f64 - 0.5),
                    marks: names.iter().enumerate().map(place).collect(),
                    has_names: true,
                    is_whole: false,
                    is_log: false,
                },
                is_open: true,
            })
            .unwrap();
            (svg.matches("rotate(").count(), height, svg)
        };
        let (aslant, height, _) = named(&["none", "mild", "medium"]);
        assert_eq!((aslant, height), (0, FLOOR + MARKS.0));
        let long = "windows(within: overlap(75%, of: each), across: inside)";
        let (aslant, height, svg) = named(&[long; 5]);
        assert_eq!(aslant, 5);
        assert!(height > FLOOR + 100.0, "{height}");
        assert!(
            svg.contains("windows(within: overlap(75%, of: ea\u{2026}<title>"),
            "{svg}"
        );
    }
}
