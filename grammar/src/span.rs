//! Where something stands in a source text.

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// One source text of a compilation, by its position in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        Self {
            file,
            start: start as u32,
            end: end as u32,
        }
    }

    /// The smallest span that holds both; both lie in one file.
    pub fn to(self, other: Span) -> Span {
        Span {
            file: self.file,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// Whether `other` lies within it.
    pub fn holds(self, other: Span) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }
}

/// A stretch of a file as it was written. What is read may be a mended copy, in which every byte outside the mends keeps its
/// place.
#[derive(Clone, Copy)]
pub(crate) struct Written<'t> {
    /// The file.
    pub file: FileId,
    /// Where in the file it begins.
    pub offset: usize,
    /// Its text.
    pub text: &'t str,
}

impl Written<'_> {
    /// The bytes `start..end` of the copy, in the file: what was added at the end lies nowhere, and a mend may begin or end
    /// within a character of what it replaces, all of which is meant then.
    pub fn span(self, start: usize, end: usize) -> Span {
        let first = self.text.floor_char_boundary(start);
        let last = match start == end {
            true => first,
            false => self.text.ceil_char_boundary(end),
        };
        Span::new(self.file, self.offset + first, self.offset + last)
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value` as written at `span`.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// One source text and the name that messages give it.
#[derive(Clone, Debug)]
pub struct Source {
    /// A path as the user wrote it, or the name of a shipped module such as `paper.cc`.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Where its lines begin, found when first asked for.
    lines: OnceLock<Vec<u32>>,
    /// How many characters begin before each [`STRETCH`] of its bytes, found when first asked for.
    characters: OnceLock<Vec<u32>>,
}

/// A place in a long line is counted from the nearest of these stretches.
const STRETCH: usize = 1024;

impl Source {
    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
            let starts = ends.map(|(at, _)| at as u32 + 1);
            std::iter::once(0).chain(starts).collect()
        })
    }

    /// How many characters begin before a byte that is the first of one.
    fn characters_before(&self, byte: usize) -> u32 {
        let is_first = |byte: &&u8| (**byte as i8) >= -0x40;
        let count = |bytes: &[u8]| bytes.iter().filter(is_first).count() as u32;
        let bytes = self.text.as_bytes();
        let before = self.characters.get_or_init(|| {
            let stretches = bytes.chunks(STRETCH).scan(0, |sum, stretch| {
                *sum += count(stretch);
                Some(*sum)
            });
            std::iter::once(0).chain(stretches).collect()
        });
        let stretch = byte / STRETCH;
        before[stretch] + count(&bytes[stretch * STRETCH..byte])
    }

    /// The bytes of the lines that `span` touches, without the last line end, and the number of the first, from 1.
    pub fn lines_of(&self, span: Span) -> (std::ops::Range<usize>, usize) {
        let lines = self.lines();
        let first = lines.partition_point(|&start| start <= span.start) - 1;
        let last = lines.partition_point(|&start| start <= span.end);
        let end = lines
            .get(last)
            .map_or(self.text.len(), |&next| next as usize - 1);
        (lines[first] as usize..end, first + 1)
    }
}

/// All source texts of one compilation.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// Adds a text and returns its id.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        self.files.push(Source {
            name: name.into(),
            text: text.into(),
            lines: OnceLock::new(),
            characters: OnceLock::new(),
        });
        FileId(self.files.len() as u32 - 1)
    }

    /// The text with this id.
    pub fn get(&self, id: FileId) -> &Source {
        &self.files[id.0 as usize]
    }

    /// The bytes of `span` as text.
    pub fn text(&self, span: Span) -> &str {
        &self.get(span.file).text[span.start as usize..span.end as usize]
    }

    /// Line and column of a byte, both from 1; columns count characters.
    pub fn line_column(&self, file: FileId, byte: u32) -> (u32, u32) {
        let source = self.get(file);
        let line = source.lines().partition_point(|&start| start <= byte);
        let start = source.lines()[line - 1] as usize;
        let before = |byte: usize| source.characters_before(byte);
        (line as u32, before(byte as usize) - before(start) + 1)
    }

    /// All texts with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        self.files
            .iter()
            .enumerate()
            .map(|(i, s)| (FileId(i as u32), s))
    }
}
