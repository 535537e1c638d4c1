//! The words and signs of a text, for splitting it into declarations and for pointing at what is wrong.
//!
//! Any text has tokens; which sequences of them are valid is the grammar's business.

/// What a token looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A name or a reserved word.
    Word,
    /// Digits and whatever letters follow them directly.
    Number,
    /// `"text"`.
    Text,
    /// A quote without its partner on the same line.
    OpenText,
    /// An operator, bracket or separator.
    Sign,
    /// A character that the language does not use.
    Stray,
}

/// One token: bytes `start..end` of the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub shape: Shape,
    pub start: usize,
    pub end: usize,
    /// The line on which all of it stands, from 0.
    pub line: u32,
    /// Nothing but blanks stands before it on its line.
    pub first_on_line: bool,
    /// It stands in the first column.
    pub at_margin: bool,
}

/// A text, its tokens and, apart, its comments.
pub(crate) struct Tokens<'t> {
    pub text: &'t str,
    pub list: Vec<Token>,
    /// Bytes of each comment, without `#` and the line end.
    pub comments: Vec<(usize, usize)>,
    /// Where the text was cut because it has too many words, signs and comments.
    pub cut: Option<usize>,
}

/// How many words, signs and comments a file may have: a table of ten thousand rows takes a third. Reading costs up to a
/// kilobyte for each.
pub(crate) const MOST: usize = 1_000_000;

/// Longer signs first. Those that the language lacks are here so that a message can name them whole.
const SIGNS: [&str; 36] = [
    "->", "==", "<=", ">=", "!=", "::", ":=", "=>", "+=", "-=", "&&", "||", "**", "//", "/*", "*/",
    "{", "}", "(", ")", "[", "]", "=", "+", "-", "*", "/", "<", ">", ",", ":", ".", "@", ";", "%",
    "'",
];

/// The reserved words.
pub(crate) const RESERVED: [&str; 8] =
    ["use", "assert", "for", "in", "row", "expect", "with", "on"];

impl<'t> Tokens<'t> {
    /// Cuts `text` into tokens.
    pub fn new(text: &'t str) -> Self {
        Self::up_to(text, usize::MAX)
    }

    /// Cuts `text` into tokens, of which there are at most `most`, comments counted.
    pub fn up_to(text: &'t str, most: usize) -> Self {
        let mut tokens = Tokens {
            text,
            list: vec![],
            comments: vec![],
            cut: None,
        };
        let mut line = 0;
        let mut line_start = 0;
        let mut is_first = true;
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            if c == '\n' {
                line += 1;
                line_start = at + 1;
                is_first = true;
            }
            if matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{feff}') {
                at += c.len_utf8();
                continue;
            }
            if tokens.list.len() + tokens.comments.len() == most {
                tokens.cut = Some(at);
                break;
            }
            if c == '#' {
                let end = at + text[at..].find('\n').unwrap_or(text.len() - at);
                tokens.comments.push((at + 1, end));
                at = end;
                continue;
            }
            let (shape, length) = shape(&text[at..], c);
            let at_margin =
                at == line_start || text[line_start..at].chars().all(|c| c == '\u{feff}');
            tokens.list.push(Token {
                shape,
                start: at,
                end: at + length,
                line,
                first_on_line: is_first,
                at_margin,
            });
            is_first = false;
            at += length;
        }
        tokens
    }

    /// The text of token `i`; empty past the end.
    pub fn at(&self, i: usize) -> &'t str {
        self.list.get(i).map_or("", |t| &self.text[t.start..t.end])
    }

    /// The shape of token `i`.
    pub fn shape(&self, i: usize) -> Option<Shape> {
        self.list.get(i).map(|t| t.shape)
    }

    /// Token `i` is a word that may be a name.
    pub fn is_name(&self, i: usize) -> bool {
        self.shape(i) == Some(Shape::Word) && !RESERVED.contains(&self.at(i))
    }

    /// The first token that ends after byte `at`.
    pub fn index_at(&self, at: usize) -> usize {
        self.list.partition_point(|t| t.end <= at)
    }

    /// Where the last token before byte `end` ends; `start` if there is none after it.
    pub fn last_end(&self, start: usize, end: usize) -> usize {
        let count = self.list.partition_point(|t| t.start < end);
        self.list[..count]
            .last()
            .map_or(start, |t| t.end.max(start))
    }

    /// Tokens `i` and `j` stand on one line.
    pub fn on_one_line(&self, i: usize, j: usize) -> bool {
        match (self.list.get(i), self.list.get(j)) {
            (Some(a), Some(b)) => a.line == b.line,
            _ => false,
        }
    }
}

/// Shape and length of the token at the start of `rest`, whose first character is `c`.
fn shape(rest: &str, c: char) -> (Shape, usize) {
    if c.is_ascii_alphabetic() || c == '_' {
        return (Shape::Word, word_length(rest));
    }
    if c.is_ascii_digit() {
        return (Shape::Number, number_length(rest));
    }
    if c == '"' {
        let end = rest[1..].find(['"', '\n']).map(|at| at + 1);
        return match end {
            Some(close) if rest[close..].starts_with('"') => (Shape::Text, close + 1),
            // A brace at the end of the line opens a block, whatever the text before it forgot.
            line => (
                Shape::OpenText,
                rest[..line.unwrap_or(rest.len())]
                    .trim_end()
                    .trim_end_matches('{')
                    .trim_end()
                    .len(),
            ),
        };
    }
    match SIGNS.iter().find(|s| rest.starts_with(**s)) {
        Some(sign) => (Shape::Sign, sign.len()),
        None => (Shape::Stray, c.len_utf8()),
    }
}

fn word_length(rest: &str) -> usize {
    rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(rest.len())
}

fn number_length(rest: &str) -> usize {
    let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if rest[end..].starts_with('.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E'])
        && rest[end + 1..].starts_with('-')
        && digits(end + 2) > 0
    {
        end += 2 + digits(end + 2);
    }
    end += word_length(&rest[end..]);
    if rest[end..].starts_with('%') {
        end += 1;
    }
    end
}
