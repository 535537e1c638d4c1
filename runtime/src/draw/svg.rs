//! A picture as SVG that stands alone: it has its own ground, and colours for light and for dark pages.
//!
//! Everything is coloured by class. The plain rules are those of a light page, and whoever draws the picture on a dark one takes
//! those behind `prefers-color-scheme`; a reader that knows no such thing leaves them out. Lengths are pixels at full size.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use records::svg_text::{escape, quoted};
use std::fmt::Write;

/// What a shape or a text is coloured as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// The ground of the picture.
    Paper,
    /// Text, and what stands out.
    Ink,
    /// Text that stands back, and axes.
    Soft,
    /// Lines that stand behind everything.
    Line,
    /// What is right.
    Right,
    /// What is wrong.
    Wrong,
    /// One of several, from 0: they come again after [`SERIES`].
    Series(usize),
}

/// Colours of [`Paint::Series`].
pub const SERIES: usize = 10;

/// Each class with its colour on light and on dark pages. Text has 4.5 to 1 on its ground at least.
const COLOURS: [(&str, &str, &str); 6 + SERIES] = [
    ("paper", "#ffffff", "#15191e"),
    ("ink", "#17202a", "#e6eaee"),
    ("soft", "#59636e", "#a3adb8"),
    ("line", "#d5dbe1", "#3a424b"),
    ("right", "#147a4a", "#52c490"),
    ("wrong", "#c42f45", "#f07c8e"),
    ("c0", "#0b6fb8", "#5cb3f0"),
    ("c1", "#c9500a", "#f5935a"),
    ("c2", "#14804f", "#58c796"),
    ("c3", "#9b3d97", "#d58bd0"),
    ("c4", "#86690a", "#d9b84a"),
    ("c5", "#c0304a", "#f07c8e"),
    ("c6", "#4c5ed0", "#98a6f5"),
    ("c7", "#5b6670", "#9aa6b0"),
    ("c8", "#0a7d87", "#4fc7cf"),
    ("c9", "#7a4a21", "#c99a6b"),
];

impl Paint {
    /// Its colour on light pages, for what knows no classes: `#0b6fb8`.
    pub fn on_light(self) -> &'static str {
        COLOURS[self.place()].1
    }

    fn name(self) -> &'static str {
        COLOURS[self.place()].0
    }

    /// Its place among the colours.
    fn place(self) -> usize {
        match self {
            Paint::Paper => 0,
            Paint::Ink => 1,
            Paint::Soft => 2,
            Paint::Line => 3,
            Paint::Right => 4,
            Paint::Wrong => 5,
            Paint::Series(at) => 6 + at % SERIES,
        }
    }
}

/// Where a text stands about its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It has its middle there.
    Middle,
    /// It ends there.
    End,
}

/// How a text is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Font {
    /// Height of its letters.
    pub size: f64,
    /// Its colour.
    pub paint: Paint,
    /// Where it stands.
    pub anchor: Anchor,
    /// Whether it is a heading.
    pub is_bold: bool,
}

impl Font {
    /// Text of this size that begins at its place.
    pub const fn new(size: f64, paint: Paint) -> Self {
        Self {
            size,
            paint,
            anchor: Anchor::Start,
            is_bold: false,
        }
    }

    /// The same, standing otherwise.
    #[must_use]
    pub const fn at(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    /// The same as a heading.
    #[must_use]
    pub const fn bold(self) -> Self {
        Self {
            is_bold: true,
            ..self
        }
    }

    /// What a text takes from left to right, about: which letters a reader draws is not known.
    pub fn width(&self, text: &str) -> f64 {
        let wide = |letter: char| match letter {
            'i' | 'j' | 'l' | 't' | 'f' | 'r' | ' ' | '.' | ',' | ':' | '|' | '\'' => 0.34,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.9,
            'A'..='Z' => 0.7,
            // Letters of other scripts may be square.
            letter if letter > '\u{2fff}' => 1.0,
            _ => 0.57,
        };
        self.size * text.chars().map(wide).sum::<f64>()
    }

    /// The text, or as much of its beginning as fits.
    pub fn fitted(&self, text: &str, width: f64) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let mut short = String::new();
        for letter in text.chars() {
            short.push(letter);
            if self.width(&short) + self.size > width {
                short.pop();
                break;
            }
        }
        short.trim_end().to_owned() + "\u{2026}"
    }
}

/// A picture that is being drawn, from the back to the front.
#[derive(Debug)]
pub struct Picture {
    width: f64,
    body: String,
}

impl Picture {
    /// An empty picture.
    pub fn new(width: f64) -> Self {
        Self {
            width,
            body: String::new(),
        }
    }

    /// A line of text, its letters standing on `y`.
    pub fn text(&mut self, (x, y): (f64, f64), font: Font, text: &str) {
        let anchor = match font.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let weight = if font.is_bold {
            " font-weight=\"600\""
        } else {
            ""
        };
        let _ = write!(
            self.body,
            "<text class=\"f-{}\" x=\"{}\" y=\"{}\" font-size=\"{}\"{anchor}{weight}>{}</text>",
            font.paint.name(),
            short(x),
            short(y),
            short(font.size),
            escape(&quoted(text))
        );
    }

    /// A filled shape, as the `d` of a path; `title` is said where a pointer rests on it.
    pub fn fill(&mut self, shape: &str, paint: Paint, title: &str) {
        self.path(&format!("class=\"f-{}\"", paint.name()), shape, title);
    }

    /// A line along a path.
    pub fn stroke(&mut self, shape: &str, paint: Paint, width: f64) {
        self.line(shape, paint, width, "stroke-linejoin=\"round\"");
    }

    /// A line of dashes along a path.
    pub fn dashes(&mut self, shape: &str, paint: Paint, width: f64) {
        self.line(shape, paint, width, "stroke-dasharray=\"5 3.5\"");
    }

    fn line(&mut self, shape: &str, paint: Paint, width: f64, manner: &str) {
        let (paint, width) = (paint.name(), short(width));
        let how = format!("class=\"s-{paint}\" fill=\"none\" stroke-width=\"{width}\" {manner}");
        self.path(&how, shape, "");
    }

    /// A filled shape that lets through what is behind it; where it goes around twice it is empty.
    pub fn shade(&mut self, shape: &str, paint: Paint, opacity: f64) {
        let how = format!(
            "class=\"f-{}\" fill-opacity=\"{}\" fill-rule=\"evenodd\"",
            paint.name(),
            short(opacity)
        );
        self.path(&how, shape, "");
    }

    /// Marks of one kind, round or square, `size` wide.
    pub fn dots(&mut self, at: &[(f64, f64)], paint: Paint, size: f64, is_square: bool) {
        if at.is_empty() {
            return;
        }
        let cap = if is_square { "square" } else { "round" };
        let how = format!(
            "class=\"s-{}\" fill=\"none\" stroke-width=\"{}\" stroke-linecap=\"{cap}\" stroke-opacity=\"0.8\"",
            paint.name(),
            short(size)
        );
        // A line of no length is its two ends.
        let mut shape = String::new();
        for (x, y) in at {
            let _ = write!(shape, "M{x:.1} {y:.1}h0");
        }
        self.path(&how, &shape, "");
    }

    fn path(&mut self, how: &str, shape: &str, title: &str) {
        let _ = match title {
            "" => write!(self.body, "<path {how} d=\"{shape}\"/>"),
            _ => write!(
                self.body,
                "<path {how} d=\"{shape}\"><title>{}</title></path>",
                escape(title)
            ),
        };
    }

    /// A PNG or JPEG in a rectangle; `title` is said where a pointer rests on it.
    pub fn image(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        file: &[u8],
        title: &str,
    ) {
        let form = match file {
            [0xff, 0xd8, ..] => "jpeg",
            _ => "png",
        };
        let _ = write!(
            self.body,
            "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
             href=\"data:image/{form};base64,{}\"><title>{}</title></image>",
            short(x),
            short(y),
            short(width),
            short(height),
            STANDARD.encode(file),
            escape(title)
        );
    }

    /// The finished picture, with what it is for those who hear it.
    pub fn finish(self, height: f64, title: &str) -> String {
        let (mut light, mut dark) = (String::new(), String::new());
        for (name, on_light, on_dark) in COLOURS {
            for (rules, colour) in [(&mut light, on_light), (&mut dark, on_dark)] {
                for (kind, property) in [("f", "fill"), ("s", "stroke")] {
                    let class = format!("{kind}-{name}");
                    // The ground is named further below.
                    if name == "paper" || self.body.contains(&format!("\"{class}\"")) {
                        let _ = write!(rules, ".{class}{{{property}:{colour}}}");
                    }
                }
            }
        }
        let (width, height) = (short(self.width), short(height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             font-family=\"system-ui, 'Noto Sans', 'DejaVu Sans', sans-serif\"><title>{}</title><style>{light}@media \
             (prefers-color-scheme: dark){{{dark}}}</style><path class=\"f-paper\" d=\"M0 0H{width}V{height}H0Z\"/>{}</svg>\n",
            escape(title),
            self.body
        )
    }
}

/// The `d` of a rectangle.
pub fn rectangle((x, y): (f64, f64), (width, height): (f64, f64)) -> String {
    format!(
        "M{} {}h{}v{}h{}z",
        short(x),
        short(y),
        short(width),
        short(height),
        short(-width)
    )
}

/// A length with as many decimals as can be seen, and no more than it needs.
pub fn short(length: f64) -> String {
    let text = format!("{length:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_the_colours_that_it_uses_in_light_and_dark() {
        let mut picture = Picture::new(40.0);
        let font = Font::new(12.0, Paint::Soft);
        picture.text((1.0, 12.5), font.at(Anchor::End), "a < b & \"c\"\u{1}");
        picture.stroke(&rectangle((0.0, 1.0), (2.125, 3.0)), Paint::Series(11), 1.5);
        let svg = picture.finish(20.0, "what it is");
        assert!(svg.contains("<title>what it is</title>"), "{svg}");
        assert!(
            svg.contains(">a &lt; b &amp; &quot;c&quot; </text>"),
            "{svg}"
        );
        assert!(svg.contains("d=\"M0 1h2.12v3h-2.12z\""), "{svg}");
        for rule in [
            ".f-soft{fill:#59636e}",
            ".f-soft{fill:#a3adb8}",
            ".s-c1{stroke:#c9500a}",
        ] {
            assert!(svg.contains(rule), "{svg}");
        }
        assert!(!svg.contains("f-ink"), "{svg}");
    }

    #[test]
    fn no_letter_gets_an_accent_of_a_backtick() {
        let mut picture = Picture::new(40.0);
        picture.text((1.0, 12.5), Font::new(12.0, Paint::Ink), "`v` of `a`, `");
        let svg = picture.finish(20.0, "");
        assert!(
            svg.contains(">\u{201c}v\u{201d} of \u{201c}a\u{201d}, \u{201c}</text>"),
            "{svg}"
        );
    }

    #[test]
    fn texts_are_cut_to_what_fits() {
        let font = Font::new(10.0, Paint::Ink);
        assert_eq!(font.fitted("playing violin", 100.0), "playing violin");
        let cut = font.fitted("playing violin", 50.0);
        assert!(
            cut.starts_with("playing") && cut.ends_with('\u{2026}'),
            "{cut}"
        );
        assert!(font.width(&cut) <= 52.0, "{cut}");
        assert_eq!(font.fitted("\u{97f3}\u{58f0}", 5.0), "\u{2026}");
        assert_eq!(short(-0.001), "0");
    }
}
