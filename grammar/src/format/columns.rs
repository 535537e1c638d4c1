//! Columns: what stands side by side in consecutive lines begins in one column.

use super::flat::GAP;
use std::collections::BTreeMap;

/// A piece of a line that may begin in one column with its like in the lines around it.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// Lines align here while they agree in this key and in those before it.
    pub key: String,
    pub text: String,
    /// The least number of blanks before it.
    pub gap: usize,
}

impl Cell {
    pub fn new(key: &str, text: impl Into<String>, gap: usize) -> Self {
        Cell {
            key: key.to_owned(),
            text: text.into(),
            gap,
        }
    }
}

/// A line of the new text.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub indent: usize,
    pub shape: Shape,
    /// Behind the rest.
    pub comment: Option<String>,
    /// Lines of one paragraph align with each other.
    pub paragraph: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Nothing stands on it.
    Blank,
    /// Cells, and the published numbers of a row. Only lines of one class align: those with as many fields.
    Cells {
        class: usize,
        cells: Vec<Cell>,
        expect: Vec<String>,
    },
    /// It goes on with the line of this number, under its second cell.
    Under(usize, String),
}

/// How wide a text is.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// The lines as text, each with its line end.
pub(super) fn lay_out(lines: &[Line]) -> String {
    let mut texts: Vec<String> = lines.iter().map(|l| " ".repeat(l.indent)).collect();
    let mut seconds = vec![0; lines.len()];
    for paragraph in paragraphs(lines) {
        align_cells(lines, &paragraph, &mut texts, &mut seconds);
        align_expectations(lines, &paragraph, &mut texts);
    }
    for (i, line) in lines.iter().enumerate() {
        if let Shape::Under(first, text) = &line.shape {
            texts[i] = " ".repeat(seconds[*first]) + text;
        }
    }
    for paragraph in paragraphs(lines) {
        let is_commented = |&&i: &&usize| lines[i].comment.is_some() && !texts[i].trim().is_empty();
        let commented: Vec<usize> = paragraph.iter().filter(is_commented).copied().collect();
        let column = commented.iter().map(|&i| width(&texts[i])).max();
        for i in commented {
            pad(&mut texts[i], column.unwrap_or(0) + GAP);
        }
    }
    let mut text = String::new();
    for (line, made) in lines.iter().zip(&texts) {
        text += made;
        text += line.comment.as_deref().unwrap_or("");
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

/// The lines of each paragraph, by number.
fn paragraphs(lines: &[Line]) -> Vec<Vec<usize>> {
    let count = lines.iter().map(|l| l.paragraph + 1).max().unwrap_or(0);
    let mut paragraphs = vec![vec![]; count];
    for (i, line) in lines.iter().enumerate() {
        paragraphs[line.paragraph].push(i);
    }
    paragraphs
}

fn pad(text: &mut String, column: usize) {
    let blanks = column.saturating_sub(width(text));
    text.extend(std::iter::repeat_n(' ', blanks));
}

fn align_cells(lines: &[Line], paragraph: &[usize], texts: &mut [String], seconds: &mut [usize]) {
    let mut classes: BTreeMap<usize, Vec<(usize, &[Cell])>> = BTreeMap::new();
    for &i in paragraph {
        if let Shape::Cells { class, cells, .. } = &lines[i].shape {
            let alike = classes.entry(*class).or_default();
            if let Some(first) = cells.first() {
                texts[i] += &first.text;
            }
            alike.push((i, cells));
        }
    }
    let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
    for alike in classes.values() {
        widths.clear();
        widths.extend(alike.iter().map(|&(i, _)| (i, width(&texts[i]))));
        // Runs of lines that agree in the keys of their first cells, and how many of these are written.
        let mut runs = vec![(0, alike.len(), 0)];
        while let Some((start, end, k)) = runs.pop() {
            let key = |n: usize| alike[n].1.get(k).map(|cell| &cell.key);
            let mut from = start;
            while from < end {
                let mut to = from + 1;
                while to < end && key(from).is_some() && key(to) == key(from) {
                    to += 1;
                }
                if key(from).is_some() {
                    if k > 0 {
                        place(&alike[from..to], k, texts, &mut widths, seconds);
                    }
                    runs.push((from, to, k + 1));
                }
                from = to;
            }
        }
    }
}

/// Writes cell `k` of some lines in one column.
fn place(
    run: &[(usize, &[Cell])],
    k: usize,
    texts: &mut [String],
    widths: &mut BTreeMap<usize, usize>,
    seconds: &mut [usize],
) {
    let start = |(i, cells): &(usize, &[Cell])| widths[i] + cells[k].gap;
    let column = run.iter().map(start).max().unwrap_or(0);
    for (i, cells) in run {
        let blanks = column - widths[i];
        texts[*i].extend(std::iter::repeat_n(' ', blanks));
        texts[*i] += &cells[k].text;
        widths.insert(*i, column + width(&cells[k].text));
        if k == 1 {
            seconds[*i] = column;
        }
    }
}

fn align_expectations(lines: &[Line], paragraph: &[usize], texts: &mut [String]) {
    let rows: Vec<(usize, &[String])> = paragraph
        .iter()
        .filter_map(|&i| match &lines[i].shape {
            Shape::Cells { expect, .. } if !expect.is_empty() => Some((i, expect.as_slice())),
            Shape::Cells { .. } | Shape::Under(..) | Shape::Blank => None,
        })
        .collect();
    let column = rows.iter().map(|&(i, _)| width(&texts[i])).max();
    for &(i, _) in &rows {
        pad(&mut texts[i], column.unwrap_or(0) + GAP);
        texts[i] += "expect";
    }
    // All rows end in this column now; those with more cells go on from it, each cell behind the widest before it.
    let mut column = column.unwrap_or(0) + GAP + width("expect");
    let mut going: Vec<(usize, &[String], usize)> = rows
        .into_iter()
        .map(|(i, cells)| (i, cells, column))
        .collect();
    let mut k = 0;
    while !going.is_empty() {
        let start = column + 1;
        for (i, cells, end) in &mut going {
            texts[*i].extend(std::iter::repeat_n(' ', start - *end));
            texts[*i] += &cells[k];
            *end = start + width(&cells[k]);
            if k + 1 < cells.len() {
                texts[*i].push(',');
                *end += 1;
            }
            column = column.max(*end);
        }
        k += 1;
        going.retain(|(_, cells, _)| cells.len() > k);
    }
}
