//! Lays the items of a file out in lines.

use super::columns::{Cell, Line, Shape, width};
use super::flat::{self, GAP};
use super::tree::{
    Block, Body, Bracket, Comment, Entry, Part, PartKind, Piece, Row, Setting, Tree, Value,
};

/// Longer lines are broken.
const WIDEST: usize = 130;

/// Longer lines, which nothing could break, align with no other.
const WIDEST_ALIGNED: usize = 10 * WIDEST;

/// The class of lines that align as declarations do; lines of fields have the number of their fields, rows and assertions these.
const DECLARATION: usize = 1;
const ROW: usize = usize::MAX;
const ASSERT: usize = usize::MAX - 1;
const ALLOW: usize = usize::MAX - 3;
/// A line that aligns with none but those of its paragraph that have a comment.
const ALONE: usize = usize::MAX - 2;

/// The lines of a file.
pub(super) fn lines(tree: &Tree) -> Vec<Line> {
    let mut printer = Printer::default();
    printer.entries(&tree.entries, 0);
    printer.rest(&tree.rest, 0, !tree.entries.is_empty());
    printer.lines
}

#[derive(Default)]
struct Printer {
    lines: Vec<Line>,
    /// The line that is being written, and how far in it begins.
    current: String,
    indent: usize,
    paragraph: usize,
    paragraphs: usize,
}

impl Printer {
    fn new_paragraph(&mut self) {
        self.paragraphs += 1;
        self.paragraph = self.paragraphs;
    }

    fn push(&mut self, indent: usize, shape: Shape, comment: Option<&Comment>) {
        self.lines.push(Line {
            indent,
            shape,
            comment: comment.map(|c| c.text.clone()),
            paragraph: self.paragraph,
        });
    }

    fn blank(&mut self) {
        self.new_paragraph();
        self.push(0, Shape::Blank, None);
    }

    fn comment(&mut self, comment: &Comment, indent: usize) {
        self.push(indent, Shape::Blank, Some(comment));
    }

    /// Ends the line that is being written.
    fn flush(&mut self, comment: Option<&Comment>) {
        if self.current.is_empty() {
            if let Some(comment) = comment {
                self.comment(comment, self.indent);
            }
            return;
        }
        let text = std::mem::take(&mut self.current);
        let shape = Shape::Cells {
            class: ALONE,
            cells: vec![Cell::new("", text, 0)],
            expect: vec![],
        };
        self.push(self.indent, shape, comment);
    }

    /// Begins a line.
    fn start(&mut self, indent: usize) {
        self.flush(None);
        self.indent = indent;
    }

    /// Writes the comments before a token, if there are any, and begins a line for it.
    fn comments(&mut self, comments: &[Comment], indent: usize) {
        for (i, comment) in comments.iter().enumerate() {
            if i == 0 && !comment.is_alone {
                self.flush(Some(comment));
            } else {
                self.flush(None);
                self.comment(comment, indent);
            }
        }
        if !comments.is_empty() {
            self.start(indent);
        }
    }

    fn text(&mut self, text: &str, has_gap: bool) {
        if has_gap && !self.current.is_empty() {
            self.current.push(' ');
        }
        self.current += text;
    }

    fn piece(&mut self, piece: &Piece, has_gap: bool, indent: usize) {
        self.comments(&piece.comments, indent);
        self.text(piece.text, has_gap);
    }

    fn fits(&self, text: &str) -> bool {
        self.indent + width(&self.current) + 1 + width(text) <= WIDEST
    }

    /// Items of a file or block, with single blank lines where the author left some.
    fn entries(&mut self, entries: &[Entry], indent: usize) {
        self.new_paragraph();
        let mut is_first = true;
        let mut from = 0;
        while from < entries.len() {
            let mut to = from + 1;
            while to < entries.len() && !entries[to].is_on_new_line {
                to += 1;
            }
            let together = &entries[from..to];
            for comment in &together[0].above {
                if comment.is_after_blank && !is_first {
                    self.blank();
                }
                self.comment(comment, indent);
                is_first = false;
            }
            if together[0].is_after_blank && !is_first {
                self.blank();
            }
            is_first = false;
            if together.len() == 1 || !self.together(together, indent) {
                for entry in together {
                    self.entry(entry, indent);
                }
            }
            from = to;
        }
    }

    /// The comments at the end of a block or file.
    fn rest(&mut self, rest: &[Comment], indent: usize, follows: bool) {
        for (i, comment) in rest.iter().enumerate() {
            if comment.is_after_blank && (follows || i > 0) {
                self.blank();
            }
            self.comment(comment, indent);
        }
    }

    /// Items that the author wrote on one line: fields stay there if they fit, and all that share a doc comment.
    fn together(&mut self, entries: &[Entry], indent: usize) -> bool {
        let behind = entries.last().and_then(|e| e.behind.as_ref());
        let above = entries[0].above.last();
        let is_documented = behind.is_some_and(Comment::is_doc)
            || above.is_some_and(|c| c.is_doc() && !entries[0].is_after_blank);
        let mut cells = vec![];
        for (i, entry) in entries.iter().enumerate() {
            let is_field = matches!(entry.body, Body::Field(..));
            let Some(mut made) = flat::body(&entry.body).filter(|_| is_field || is_documented)
            else {
                return false;
            };
            made[0].gap = GAP;
            made[0].key = i.to_string();
            if is_field {
                // Arguments are no columns here.
                let value = flat::joined(&made[1..]);
                made.truncate(2);
                made[1].text = value;
            }
            cells.extend(made);
        }
        let whole = indent + width(&flat::joined(&cells));
        if whole > WIDEST && !is_documented {
            return false;
        }
        // What nobody sees whole moves no other line.
        let is_apart = whole > WIDEST_ALIGNED;
        if is_apart {
            self.new_paragraph();
        }
        let shape = Shape::Cells {
            class: entries.len(),
            cells,
            expect: vec![],
        };
        self.push(indent, shape, behind);
        if is_apart {
            self.new_paragraph();
        }
        true
    }

    fn entry(&mut self, entry: &Entry, indent: usize) {
        if self.on_one_line(entry, indent) || self.under_its_sign(entry, indent) {
            return;
        }
        self.new_paragraph();
        self.start(indent);
        self.spread(&entry.body, indent);
        self.flush(entry.behind.as_ref());
        self.new_paragraph();
    }

    fn on_one_line(&mut self, entry: &Entry, indent: usize) -> bool {
        let Some(whole) = flat::body(&entry.body) else {
            return false;
        };
        if indent + width(&flat::joined(&whole)) > WIDEST {
            return false;
        }
        let (class, cells, expect) = match &entry.body {
            Body::Row(row) => {
                let (cells, expect) = (flat::row(row), flat::expectations(row));
                (ROW, cells.unwrap_or_default(), expect.unwrap_or_default())
            }
            Body::Assert(..) => (ASSERT, whole, vec![]),
            Body::Allow(_) => (ALLOW, whole, vec![]),
            Body::Decl(..) | Body::Record(..) | Body::Field(..) => (DECLARATION, whole, vec![]),
            Body::Use(_) | Body::For(..) | Body::Bare(_) => (ALONE, whole, vec![]),
        };
        let shape = Shape::Cells {
            class,
            cells,
            expect,
        };
        self.push(indent, shape, entry.behind.as_ref());
        true
    }

    /// A sum over several lines, its operators under the `=`.
    fn under_its_sign(&mut self, entry: &Entry, indent: usize) -> bool {
        let (Body::Decl(head, set) | Body::Field(head, set)) = &entry.body else {
            return false;
        };
        let Some(head) = flat::value(head).filter(|_| set.eq.comments.is_empty()) else {
            return false;
        };
        let segments = segments(&set.value);
        let mut texts = vec![];
        for (i, segment) in segments.iter().enumerate() {
            let text = match (i, &segment[0].kind) {
                (0, _) => flat::parts(segment),
                (_, PartKind::Piece(sign)) => {
                    let rest = flat::parts(&segment[1..]);
                    rest.map(|rest| format!("{} {rest}", sign.text))
                }
                (_, PartKind::Bracket(_) | PartKind::Block(_)) => None,
            };
            match text {
                Some(text) if indent + width(&head) + 3 + width(&text) <= WIDEST => {
                    texts.push(text);
                }
                Some(_) | None => return false,
            }
        }
        if texts.len() < 2 {
            return false;
        }
        let first = self.lines.len();
        let cells = vec![
            Cell::new("", head, 0),
            Cell::new("=", format!("= {}", texts[0]), 1),
        ];
        let shape = Shape::Cells {
            class: DECLARATION,
            cells,
            expect: vec![],
        };
        self.push(indent, shape, None);
        for (segment, text) in segments.iter().zip(&texts).skip(1) {
            let PartKind::Piece(sign) = &segment[0].kind else {
                continue;
            };
            for comment in &sign.comments {
                if !comment.is_alone && self.lines.last().is_some_and(|l| l.comment.is_none()) {
                    let text = Some(comment.text.clone());
                    self.lines
                        .last_mut()
                        .into_iter()
                        .for_each(|l| l.comment = text.clone());
                } else {
                    self.push(indent, Shape::Under(first, String::new()), Some(comment));
                }
            }
            self.push(indent, Shape::Under(first, text.clone()), None);
        }
        if let Some(last) = self.lines.last_mut() {
            last.comment = entry.behind.as_ref().map(|c| c.text.clone());
        }
        true
    }

    /// An item over several lines.
    fn spread(&mut self, body: &Body, indent: usize) {
        let more = indent + 4;
        match body {
            Body::Use(words) | Body::Allow(words) => self.value(words, false, more),
            Body::Bare(value) => self.value(value, false, indent + 2),
            Body::Assert(word, claim, why) => {
                self.piece(word, false, more);
                self.value(claim, true, more);
                if let Some(why) = why {
                    self.text(",", false);
                    self.comments(&why.comments, more);
                    if !self.fits(why.text) {
                        self.start(more);
                    }
                    self.text(why.text, true);
                }
            }
            Body::Decl(head, set) => {
                self.value(head, false, more);
                self.setting(set, more);
            }
            Body::Record(head, block) => {
                self.value(head, false, more);
                self.block(block, true, more);
            }
            Body::Field(path, set) => {
                self.value(path, false, more);
                self.setting(set, more);
            }
            Body::Row(row) => self.row(row, more),
            Body::For(head, values, block) => {
                self.value(head, false, more);
                self.value(values, true, more);
                self.block(block, true, more);
            }
        }
    }

    fn setting(&mut self, set: &Setting, more: usize) {
        self.piece(&set.eq, true, more);
        self.value(&set.value, true, more);
    }

    fn row(&mut self, row: &Row, more: usize) {
        self.piece(&row.word, false, more);
        if let Some(label) = &row.label {
            self.piece(label, true, more);
        }
        for (i, (path, set)) in row.fields.iter().enumerate() {
            if i > 0 {
                self.text(",", false);
                if let Some(Part {
                    kind: PartKind::Piece(name),
                    ..
                }) = path.parts.first()
                {
                    self.comments(&name.comments, more);
                }
                self.start(more);
                let mut path = path.clone();
                if let Some(Part {
                    kind: PartKind::Piece(name),
                    ..
                }) = path.parts.first_mut()
                {
                    name.comments.clear();
                }
                self.value(&path, false, more);
            } else {
                self.value(path, true, more);
            }
            if let Some(set) = set {
                self.setting(set, more);
            }
        }
        if let Some((word, cells)) = &row.expect {
            self.comments(&word.comments, more);
            self.start(more);
            self.text(word.text, false);
            for (i, cell) in cells.iter().enumerate() {
                if i > 0 {
                    self.text(",", false);
                }
                self.piece(cell, true, more);
            }
        }
    }

    /// A value that goes on the line that is being written; what does not fit there begins lines at `more`.
    fn value(&mut self, value: &Value, has_gap: bool, more: usize) {
        if let Some(text) = flat::value(value).filter(|text| self.fits(text)) {
            self.text(&text, has_gap);
            return;
        }
        for (n, segment) in segments(value).into_iter().enumerate() {
            let is_flat = |part: &Part| flat::part(part).is_some();
            let rest = if n > 0 { &segment[1..] } else { segment };
            if n > 0
                && let PartKind::Piece(sign) = &segment[0].kind
            {
                self.comments(&sign.comments, more);
                self.start(more);
                self.text(sign.text, false);
            }
            // Nothing is broken yet and it does not fit: its last bracket is spread over lines.
            let is_too_wide = flat::parts(rest).is_some_and(|text| !self.fits(&text));
            let chosen = rest
                .iter()
                .rposition(|part| match &part.kind {
                    PartKind::Bracket(bracket) => !bracket.members.is_empty(),
                    PartKind::Block(block) => !block.entries.is_empty(),
                    PartKind::Piece(_) => false,
                })
                .filter(|_| is_too_wide);
            for (i, part) in rest.iter().enumerate() {
                let gap = if i == 0 {
                    n > 0 || has_gap
                } else {
                    part.has_gap
                };
                match &part.kind {
                    PartKind::Piece(piece) => self.piece(piece, gap, more),
                    _ if is_flat(part) && chosen != Some(i) => {
                        self.text(&flat::part(part).unwrap_or_default(), gap);
                    }
                    PartKind::Bracket(bracket) => self.bracket(bracket, gap, more),
                    PartKind::Block(block) => self.block(block, gap, more),
                }
            }
        }
    }

    fn bracket(&mut self, bracket: &Bracket, has_gap: bool, more: usize) {
        self.piece(&bracket.open, has_gap, more);
        let outer = self.indent;
        let inner = outer + 2;
        self.flush(bracket.behind.as_ref());
        let is_plain = bracket.members.iter().all(|member| {
            matches!(member.value.parts.as_slice(), [one] if matches!(one.kind, PartKind::Piece(_)))
        });
        self.start(inner);
        for (i, member) in bracket.members.iter().enumerate() {
            for comment in &member.above {
                self.flush(None);
                self.comment(comment, inner);
            }
            let is_last = i + 1 == bracket.members.len();
            let comma = if !is_last || bracket.is_list { "," } else { "" };
            let text = flat::value(&member.value).filter(|_| is_plain);
            if let Some(text) = text.filter(|text| self.fits(&format!("{text},"))) {
                self.text(&text, true);
            } else {
                self.start(inner);
                self.value(&member.value, false, inner + 2);
            }
            self.text(comma, false);
            if !is_plain || member.behind.is_some() || !member.above.is_empty() {
                self.flush(member.behind.as_ref());
                self.indent = inner;
            }
        }
        self.flush(None);
        self.rest(&bracket.rest, inner, false);
        self.start(outer);
        self.text(bracket.close, false);
    }

    fn block(&mut self, block: &Block, has_gap: bool, more: usize) {
        self.piece(&block.open, has_gap, more);
        if block.entries.is_empty() && block.rest.is_empty() && block.behind.is_none() {
            self.text("}", false);
            return;
        }
        let outer = self.indent;
        self.flush(block.behind.as_ref());
        self.entries(&block.entries, outer + 2);
        self.rest(&block.rest, outer + 2, !block.entries.is_empty());
        self.new_paragraph();
        self.start(outer);
        self.text("}", false);
    }
}

/// The parts of a value between line ends: where the author has broken it before an operator, or before every operator.
fn segments<'v, 't>(value: &'v Value<'t>) -> Vec<&'v [Part<'t>]> {
    let parts = &value.parts;
    let is_chosen = |i: usize| parts[i].may_break && flat::is_on_new_line(&parts[i]);
    let breaks = |i: usize| i > 0 && i + 1 < parts.len() && parts[i].may_break;
    let is_broken = (0..parts.len()).any(|i| breaks(i) && is_chosen(i));
    // Something in it is broken already, which may be enough.
    let is_spread = parts.iter().any(|part| flat::part(part).is_none());
    let mut found = vec![];
    let mut from = 0;
    for i in 0..parts.len() {
        if breaks(i) && (is_chosen(i) || !is_broken && !is_spread) {
            found.push(&parts[from..i]);
            from = i;
        }
    }
    found.push(&parts[from..]);
    found
}
