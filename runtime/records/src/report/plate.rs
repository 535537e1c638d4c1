//! Figures as SVG that stands alone: with its heading, its legend, and colours of its own, light or dark as the reader's screen is set.
//! Programs that know no media queries, as those that make PNG or PDF, show the light one.

use super::charts::Chart;
use super::classes::Classes;
use super::picture::{self, shortened};
use crate::svg_text::{escape, quoted};
use std::fmt::Write;

/// The colours of lines, in their order: light, dark. Those of a page.
pub(super) const COLOURS: [(&str, &str); 8] = [
    ("#0b6fb8", "#5cb3f0"),
    ("#c9500a", "#f5935a"),
    ("#14804f", "#58c796"),
    ("#9b3d97", "#d58bd0"),
    ("#86690a", "#d9b84a"),
    ("#c0304a", "#f07c8e"),
    ("#4c5ed0", "#98a6f5"),
    ("#5b6670", "#9aa6b0"),
];
/// What was right and what was not: light, dark.
pub(super) const HIT: (&str, &str) = ("#1a8a5a", "#46be82");
pub(super) const MISS: (&str, &str) = ("#c83c3c", "#eb6e6e");

/// Sizes and strokes; colours are set apart from them.
const SHAPES: &str = "text{font-family:\"Noto Sans\",\"Helvetica Neue\",Arial,sans-serif;font-size:13px}.title{font-size:17px;font-weight:700}\
    .small{font-size:10px}.up,.aslant,.end{text-anchor:end}.across,.middle{text-anchor:middle}.grid,.axis{stroke-width:1;fill:none}\
    .line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}.dots{fill:none;stroke-width:7;stroke-linecap:round}\
    .thin{stroke-width:1.2}.raw{fill:none;stroke-width:1;opacity:.22}.bars{fill:none;stroke-width:1.2}.key{fill:none;stroke-width:3}.dashed{stroke-dasharray:7 5}.dotted{stroke-dasharray:2 5}";
/// Around everything.
const EDGE: f64 = 22.0;
/// The same above and beside what stands above another picture.
const HEAD: f64 = 16.0;
/// The height of a line of text.
const LEADING: f64 = 20.0;
/// The widths of a letter: of a heading, of text, of small text.
const LETTERS: (f64, f64, f64) = (9.6, 7.2, 5.6);
/// The most letters of a class.
const MOST_LETTERS: usize = 26;
/// Up to so many classes a matrix says its numbers, and up to so many its names.
const MOST_NUMBERS: usize = 20;
const MOST_NAMES: usize = 80;

/// A picture from the top downwards.
struct Plate {
    width: f64,
    y: f64,
    svg: String,
}

impl Plate {
    /// One with its heading.
    fn new(width: f64, title: &str, below: &str) -> Self {
        let mut plate = Self {
            width: width + 2.0 * EDGE,
            y: EDGE,
            svg: String::new(),
        };
        for (class, text, letter, leading) in [
            ("title", title, LETTERS.0, 24.0),
            ("soft", below, LETTERS.1, LEADING),
        ] {
            for line in wrapped(text, (width / letter) as usize) {
                plate.y += leading - 6.0;
                plate.text(class, EDGE, plate.y, &line);
                plate.y += 6.0;
            }
        }
        plate.y += 8.0;
        plate
    }

    fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let text = escape(&quoted(text));
        let _ = write!(
            self.svg,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        );
    }

    /// The whole picture.
    fn finished(self, label: &str) -> String {
        let (width, height) = (self.width.ceil(), (self.y + EDGE).ceil());
        let dark = colours(|colour| colour.1);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"{}\">\n<style>{SHAPES}{}@media(prefers-color-scheme:dark){{{dark}}}</style>\n<rect class=\"paper\" \
             width=\"{width}\" height=\"{height}\"/>{}\n</svg>\n",
            escape(label),
            colours(|colour| colour.0),
            self.svg
        )
    }
}

/// The rules that set colours.
fn colours(of: fn((&'static str, &'static str)) -> &'static str) -> String {
    let (ink, soft) = (of(("#1d2329", "#e3e7ea")), of(("#5b6670", "#9aa6b0")));
    let (paper, rule) = (of(("#ffffff", "#14181c")), of(("#d9dfe4", "#343d45")));
    let mut rules = format!(
        "text{{fill:{ink}}}.soft,.up,.across,.aslant{{fill:{soft}}}.paper{{fill:{paper}}}.grid{{stroke:{rule}}}\
         .axis{{stroke:{soft}}}.track{{fill:{rule}}}.hit{{fill:{}}}.miss{{fill:{}}}.share{{fill:{}}}",
        of(HIT),
        of(MISS),
        of(COLOURS[0])
    );
    for (at, colour) in COLOURS.into_iter().enumerate() {
        let _ = write!(rules, ".c{at}{{stroke:{}}}", of(colour));
    }
    rules
}

/// A chart with its legend; nothing where no line has a number. `title` is that of its table.
pub(super) fn chart(title: &str, chart: &Chart) -> Option<String> {
    let (lines, height) = picture::lines(chart)?;
    let mut plate = Plate::new(picture::WIDTH, title, &chart.title);
    let (left, ..) = picture::MARGIN;
    plate.y += LEADING - 6.0;
    plate.text("soft", EDGE, plate.y, &chart.up);
    plate.y += 2.0;
    let _ = write!(
        plate.svg,
        "<g transform=\"translate({EDGE} {})\">{lines}</g>",
        plate.y
    );
    plate.y += height;
    let middle = EDGE + (left + picture::WIDTH) / 2.0;
    plate.text("across", middle, plate.y + 4.0, &chart.across.name);
    plate.y += LEADING;
    let letters = (picture::WIDTH / LETTERS.1) as usize;
    for key in chart.legend() {
        let mut text = key.text;
        if !key.state.is_empty() {
            let _ = write!(text, " ({})", key.state);
        }
        for (part, text) in wrapped(&text, letters - 6).iter().enumerate() {
            plate.y += LEADING;
            if part == 0 {
                let _ = write!(
                    plate.svg,
                    "<path class=\"key {}\" d=\"M{EDGE} {:.1}h28\"/>",
                    picture::style(key.colour),
                    plate.y - 4.5
                );
            }
            plate.text("", EDGE + 38.0, plate.y, text);
        }
    }
    for (part, text) in wrapped(&chart.caption, letters).iter().enumerate() {
        plate.y += if part == 0 { LEADING + 6.0 } else { LEADING };
        plate.text("soft", EDGE, plate.y, text);
    }
    Some(plate.finished(&format!("{title}: {}", chart.title)))
}

/// A confusion matrix: a square for each pair of classes that occurs, as strong as its share of the class; of few classes with numbers.
pub(super) fn matrix(title: &str, below: &str, classes: &Classes) -> String {
    let count = classes.classes.len();
    let (cell, letter, class) = match count {
        0..=MOST_NUMBERS => (30.0, LETTERS.1, ""),
        _ if count <= MOST_NAMES => (13.0, LETTERS.2, "small "),
        _ => (6.0, 0.0, ""),
    };
    let names = classes.classes.iter();
    let names: Vec<String> = names
        .map(|class| shortened(&class.name, MOST_LETTERS))
        .collect();
    let widest = names.iter().map(|name| name.chars().count()).max();
    let beside = match letter > 0.0 {
        true => widest.unwrap_or(0) as f64 * letter + 12.0,
        false => 0.0,
    };
    let side = count as f64 * cell;
    // Names above stand aslant, and those of the last columns reach past the matrix.
    let width = (beside + side + 0.72 * beside).max(420.0);
    let mut plate = Plate::new(width, title, below);
    plate.text("soft", EDGE, plate.y + LEADING - 6.0, CAPTION);
    plate.y += LEADING + 0.72 * beside;
    let (left, top) = (EDGE + beside, plate.y);
    for (at, name) in names.iter().enumerate().filter(|_| letter > 0.0) {
        let middle = (at as f64 + 0.5) * cell;
        let (x, y) = (left + middle, top + middle);
        let kind = format!("{class}end");
        plate.text(&kind, left - 8.0, y + cell.min(13.0) * 0.35, name);
        let _ = write!(
            plate.svg,
            "<text class=\"{class}\" transform=\"translate({:.1} {:.1}) rotate(-45)\">{}</text>",
            x + 3.0,
            top - 6.0,
            escape(&quoted(name))
        );
    }
    for pair in &classes.confusion {
        square(&mut plate.svg, classes, *pair, (left, top, cell));
    }
    let _ = write!(
        plate.svg,
        "<path class=\"grid\" d=\"M{left:.1} {top:.1}h{side}v{side}h-{side}Z\"/>"
    );
    plate.y += side;
    plate.finished(&format!("{title}: {below}"))
}

/// What the sides of a matrix are.
const CAPTION: &str = "A row is a class, a column what its samples were taken for.";

/// One square of a matrix that begins at `left` and `top`.
fn square(
    svg: &mut String,
    classes: &Classes,
    pair: super::Confused,
    (left, top, cell): (f64, f64, f64),
) {
    let class = &classes.classes[pair.class];
    let share = pair.samples as f64 / class.samples.max(1) as f64;
    let (x, y) = (
        left + pair.predicted as f64 * cell,
        top + pair.class as f64 * cell,
    );
    let has_number = classes.classes.len() <= MOST_NUMBERS;
    let kind = match pair.class == pair.predicted {
        true => "hit",
        false => "miss",
    };
    let _ = write!(
        svg,
        "<rect class=\"{kind}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{cell}\" height=\"{cell}\" opacity=\"{:.2}\"><title>{} taken for {}: {} of \
         {}</title></rect>",
        // What is rare can still be seen, and so can a number on what is not.
        0.15 + (if has_number { 0.4 } else { 0.85 }) * share,
        escape(&class.name),
        escape(&classes.classes[pair.predicted].name),
        pair.samples,
        class.samples
    );
    if has_number {
        let _ = write!(
            svg,
            "<text class=\"middle\" x=\"{:.1}\" y=\"{:.1}\" dy=\".35em\">{}</text>",
            x + cell / 2.0,
            y + cell / 2.0,
            pair.samples
        );
    }
}

/// The share of each class that is right as a bar.
pub(super) fn bars(title: &str, below: &str, classes: &Classes) -> String {
    const TRACK: f64 = 320.0;
    let names = classes.classes.iter();
    let names: Vec<String> = names
        .map(|class| shortened(&class.name, MOST_LETTERS))
        .collect();
    let widest = names.iter().map(|name| name.chars().count()).max();
    let beside = widest.unwrap_or(0) as f64 * LETTERS.1 + 12.0;
    let mut plate = Plate::new(beside + TRACK + 150.0, title, below);
    let left = EDGE + beside;
    for (name, class) in names.iter().zip(&classes.classes) {
        let accuracy = class.accuracy();
        plate.text("end", left - 8.0, plate.y + 13.0, name);
        let _ = write!(
            plate.svg,
            "<rect class=\"track\" x=\"{left:.1}\" y=\"{y:.1}\" width=\"{TRACK}\" height=\"13\" opacity=\".5\"/><rect class=\"share\" \
             x=\"{left:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"13\"/>",
            TRACK * accuracy.unwrap_or(0.0) / 100.0,
            y = plate.y + 2.0
        );
        let number = accuracy.map_or("\u{2013}".to_owned(), |accuracy| format!("{accuracy:.1} %"));
        plate.text("end", left + TRACK + 62.0, plate.y + 13.0, &number);
        let of = format!("{} of {}", class.right, class.samples);
        plate.text("soft", left + TRACK + 72.0, plate.y + 13.0, &of);
        plate.y += LEADING;
    }
    plate.finished(&format!("{title}: {below}"))
}

/// A picture that stands alone, and above it what it is of; `None` of one that says no width and height.
pub(super) fn headed(svg: &str, above: &str) -> Option<String> {
    let begin = svg.find("<svg")? + "<svg".len();
    let root = &svg[begin..begin + svg[begin..].find('>')?];
    let length = |name: &str| -> Option<f64> {
        let rest = root.split_once(&format!(" {name}=\""))?.1;
        rest.split('"').next()?.parse().ok()
    };
    let (width, height) = (length("width")?, length("height")?);
    let lines = wrapped(above, ((width - 2.0 * HEAD) / LETTERS.1).max(1.0) as usize);
    let band = HEAD + LEADING * lines.len() as f64;
    let mut texts = String::new();
    for (at, line) in lines.iter().enumerate() {
        let y = HEAD + LEADING * (at as f64 + 0.5);
        let line = escape(&quoted(line));
        let _ = write!(
            texts,
            "<text class=\"above\" x=\"{HEAD}\" y=\"{y}\">{line}</text>"
        );
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{0}\" viewBox=\"0 0 {width} {0}\" role=\"img\" \
         aria-label=\"{1}\"><style>.above{{font:13px \"Noto Sans\",\"Helvetica Neue\",Arial,sans-serif;fill:#1d2329}}.band{{fill:#ffffff}}\
         @media(prefers-color-scheme:dark){{.above{{fill:#e3e7ea}}.band{{fill:#15191e}}}}</style><rect class=\"band\" width=\"{width}\" \
         height=\"{band}\"/>{texts}\n<svg y=\"{band}\"{2}</svg>\n",
        height + band,
        escape(above),
        &svg[begin..]
    ))
}

/// The text in lines of at most so many letters, broken between words; a longer word has a line of its own.
fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in text.split_whitespace() {
        let fits = |line: &&mut String| line.chars().count() + 1 + word.chars().count() <= letters;
        match lines.last_mut().filter(fits) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("", 5), Vec::<String>::new());
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("seventeen a b", 3), ["seventeen", "a b"]);
    }

    #[test]
    fn a_picture_has_what_it_is_of_above_it() {
        let svg = "<svg xmlns=\"x\" width=\"200\" height=\"50.5\" viewBox=\"0 0 1 1\"><path d=\"M0 0\"/></svg>\n";
        let found = headed(svg, "A & B, row 1: this is a long label").unwrap();
        assert!(found.contains("width=\"200\" height=\"106.5\""), "{found}");
        assert!(found.contains(">A &amp; B, row 1: this is a<"), "{found}");
        assert!(
            found.contains("<svg y=\"56\" xmlns=\"x\" width=\"200\""),
            "{found}"
        );
        assert_eq!(found.matches("</svg>").count(), 2);
        for none in ["", "<svg", "<svg/>", "<svg width=\"a\" height=\"2\"/>"] {
            assert_eq!(headed(none, "a"), None);
        }
    }

    #[test]
    fn a_page_and_its_pictures_have_the_same_colours() {
        let style = include_str!("../../templates/page.css");
        for (at, (light, dark)) in COLOURS.into_iter().enumerate() {
            for colour in [light, dark] {
                assert!(style.contains(&format!("--c{at}: {colour};")), "{at}");
            }
        }
        let spoken = |colour: &str| {
            let part = |at: usize| u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
            format!("{} {} {}", part(1), part(3), part(5))
        };
        for (name, (light, dark)) in [("ok", HIT), ("bad", MISS)] {
            for colour in [light, dark] {
                assert!(
                    style.contains(&format!("--{name}: {}", spoken(colour))),
                    "{name}"
                );
            }
        }
    }
}
