//! The tokens of a text that parses, as items and values, with every comment at its place.
//!
//! The syntax tree has no parentheses, no commas and no comments, so the layout is made from this.

use crate::ast::Kind;
use crate::tokens::{RESERVED, Shape, Tokens};

/// A comment with its `#`.
#[derive(Clone, Debug)]
pub(super) struct Comment {
    pub text: String,
    /// Nothing else stands on its line.
    pub is_alone: bool,
    pub is_after_blank: bool,
}

impl Comment {
    /// It is a doc comment, which is about what stands below or before it.
    pub fn is_doc(&self) -> bool {
        let rest = self.text.strip_prefix("##");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    }
}

/// A token and what stands between it and the one before.
#[derive(Clone, Debug)]
pub(super) struct Piece<'t> {
    pub text: &'t str,
    pub shape: Shape,
    pub comments: Vec<Comment>,
    pub is_on_new_line: bool,
    pub is_after_blank: bool,
}

/// A value: operands, operators and brackets in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Value<'t> {
    pub parts: Vec<Part<'t>>,
}

/// A part of a value or of the head of an item.
#[derive(Clone, Debug)]
pub(super) struct Part<'t> {
    /// A blank stands before it.
    pub has_gap: bool,
    /// An operator before which a line may end.
    pub may_break: bool,
    pub kind: PartKind<'t>,
}

#[derive(Clone, Debug)]
pub(super) enum PartKind<'t> {
    Piece(Piece<'t>),
    Bracket(Bracket<'t>),
    Block(Block<'t>),
}

/// `(...)` or `[...]`.
#[derive(Clone, Debug)]
pub(super) struct Bracket<'t> {
    pub open: Piece<'t>,
    /// Behind the opening bracket.
    pub behind: Option<Comment>,
    pub members: Vec<Member<'t>>,
    /// Before the closing bracket.
    pub rest: Vec<Comment>,
    pub close: &'t str,
    /// Its first member stands on a line of its own.
    pub is_spread: bool,
    /// A comma may follow the last member.
    pub is_list: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Member<'t> {
    pub above: Vec<Comment>,
    pub value: Value<'t>,
    pub behind: Option<Comment>,
}

/// `{ ... }` with fields and rows.
#[derive(Clone, Debug)]
pub(super) struct Block<'t> {
    /// Comments before the brace.
    pub open: Piece<'t>,
    pub behind: Option<Comment>,
    pub entries: Vec<Entry<'t>>,
    pub rest: Vec<Comment>,
    /// It takes more than one line.
    pub is_spread: bool,
}

/// An item of the file or of a block.
#[derive(Clone, Debug)]
pub(super) struct Entry<'t> {
    pub above: Vec<Comment>,
    pub is_on_new_line: bool,
    pub is_after_blank: bool,
    pub body: Body<'t>,
    pub behind: Option<Comment>,
}

#[derive(Clone, Debug)]
pub(super) enum Body<'t> {
    /// `use paper`.
    Use(Value<'t>),
    /// `allow W0503 "why"`.
    Allow(Value<'t>),
    /// `assert claim, "why"`.
    Assert(Piece<'t>, Value<'t>, Option<Piece<'t>>),
    /// `kind name(params) "title"` and `= value`.
    Decl(Value<'t>, Setting<'t>),
    /// `kind name(params) "title"` and `{ ... }`.
    Record(Value<'t>, Block<'t>),
    Field(Value<'t>, Setting<'t>),
    Row(Box<Row<'t>>),
    /// `for x in values` and its rows.
    For(Value<'t>, Value<'t>, Block<'t>),
    /// The whole file is this value.
    Bare(Value<'t>),
}

/// `= value`.
#[derive(Clone, Debug)]
pub(super) struct Setting<'t> {
    pub eq: Piece<'t>,
    pub value: Value<'t>,
}

#[derive(Clone, Debug)]
pub(super) struct Row<'t> {
    pub word: Piece<'t>,
    pub label: Option<Piece<'t>>,
    /// A path and its setting; `allow W0503 "why"` has none.
    pub fields: Vec<(Value<'t>, Option<Setting<'t>>)>,
    pub expect: Option<(Piece<'t>, Vec<Piece<'t>>)>,
}

/// All items of a text and the comments behind the last one.
#[derive(Clone, Debug)]
pub(super) struct Tree<'t> {
    pub entries: Vec<Entry<'t>>,
    pub rest: Vec<Comment>,
}

/// Reads a text that follows the grammar; `is_bare` where it is a lone value.
pub(super) fn read<'t>(tokens: &Tokens<'t>, is_bare: bool) -> Tree<'t> {
    let mut reader = Reader::new(tokens);
    if is_bare {
        let above = reader.above();
        let value = reader.value(false);
        let entry = Entry {
            above,
            is_on_new_line: true,
            is_after_blank: false,
            body: Body::Bare(value),
            behind: reader.behind(),
        };
        let rest = reader.above();
        return Tree {
            entries: vec![entry],
            rest,
        };
    }
    let entries = reader.entries(true);
    let rest = reader.above();
    Tree { entries, rest }
}

struct Reader<'t> {
    list: Vec<Piece<'t>>,
    at: usize,
}

impl<'t> Reader<'t> {
    fn new(tokens: &Tokens<'t>) -> Self {
        let text = tokens.text;
        let mut list = vec![];
        let mut comments = tokens.comments.iter().peekable();
        let mut end = 0;
        // The end of the text is an empty token, so that the last comments have a place.
        let ends = tokens.list.iter().map(|t| (t.start, t.end, t.shape));
        for (start, stop, shape) in ends.chain([(text.len(), text.len(), Shape::Stray)]) {
            let mut before = vec![];
            let mut is_on_new_line = end == 0;
            while let Some(&(from, to)) = comments.next_if(|c| c.0 <= start) {
                let breaks = text[end..from - 1].matches('\n').count();
                before.push(Comment {
                    text: text[from - 1..to].trim_end().to_owned(),
                    is_alone: breaks > 0 || end == 0,
                    is_after_blank: breaks > 1,
                });
                is_on_new_line = true;
                end = to;
            }
            let breaks = text[end..start].matches('\n').count();
            list.push(Piece {
                text: &text[start..stop],
                shape,
                comments: before,
                is_on_new_line: is_on_new_line || breaks > 0,
                is_after_blank: breaks > 1,
            });
            end = stop;
        }
        Reader { list, at: 0 }
    }

    fn peek(&self, ahead: usize) -> &'t str {
        self.list.get(self.at + ahead).map_or("", |p| p.text)
    }

    fn is_name(&self, ahead: usize) -> bool {
        let piece = self.list.get(self.at + ahead);
        piece.is_some_and(|p| p.shape == Shape::Word && !RESERVED.contains(&p.text))
    }

    fn here(&mut self) -> &mut Piece<'t> {
        &mut self.list[self.at]
    }

    fn next(&mut self) -> Piece<'t> {
        let last = self.list.len() - 1;
        let piece = self.here().clone();
        self.here().comments.clear();
        self.at = (self.at + 1).min(last);
        piece
    }

    /// Drops the next token; its comments go to the one after it.
    fn skip(&mut self) {
        let mut comments = self.next().comments;
        comments.append(&mut self.here().comments);
        self.here().comments = comments;
    }

    /// Takes the comments before the next token.
    fn above(&mut self) -> Vec<Comment> {
        std::mem::take(&mut self.here().comments)
    }

    /// Takes the comment that stands on the line of what was read last.
    fn behind(&mut self) -> Option<Comment> {
        let comments = &mut self.here().comments;
        let is_behind = comments.first().is_some_and(|c| !c.is_alone);
        is_behind.then(|| comments.remove(0))
    }

    fn is_over(&self) -> bool {
        self.at + 1 >= self.list.len()
    }

    fn entries(&mut self, is_top: bool) -> Vec<Entry<'t>> {
        let mut entries = vec![];
        while !self.is_over() && self.peek(0) != "}" {
            entries.push(self.entry(is_top));
        }
        entries
    }

    fn entry(&mut self, is_top: bool) -> Entry<'t> {
        let above = self.above();
        let (is_on_new_line, is_after_blank) =
            (self.here().is_on_new_line, self.here().is_after_blank);
        let body = match self.peek(0) {
            "use" => Body::Use(self.head(2)),
            "allow" if self.is_name(1) => Body::Allow(self.allow()),
            "assert" => self.assert_(),
            "for" if !is_top => self.for_(),
            "row" if !is_top => self.row(),
            _ if is_top => self.decl(),
            _ => {
                let path = self.path();
                Body::Field(path, self.setting())
            }
        };
        Entry {
            above,
            is_on_new_line,
            is_after_blank,
            body,
            behind: self.behind(),
        }
    }

    /// The next `count` tokens, side by side.
    fn head(&mut self, count: usize) -> Value<'t> {
        let parts = (0..count).map(|i| plain(self.next(), i > 0));
        Value {
            parts: parts.collect(),
        }
    }

    fn allow(&mut self) -> Value<'t> {
        let mut words = self.head(2);
        if !self.is_over() && self.here().shape == Shape::Text {
            words.parts.push(plain(self.next(), true));
        }
        words
    }

    fn path(&mut self) -> Value<'t> {
        let mut path = self.head(1);
        while self.peek(0) == "." {
            path.parts.push(plain(self.next(), false));
            path.parts.push(plain(self.next(), false));
        }
        path
    }

    fn setting(&mut self) -> Setting<'t> {
        Setting {
            eq: self.next(),
            value: self.value(false),
        }
    }

    fn assert_(&mut self) -> Body<'t> {
        let word = self.next();
        let claim = self.value(false);
        let is_said = self.peek(0) == ",";
        if is_said {
            self.skip();
        }
        Body::Assert(word, claim, is_said.then(|| self.next()))
    }

    fn decl(&mut self) -> Body<'t> {
        debug_assert!(Kind::from_word(self.peek(0)).is_some());
        let mut head = self.head(2);
        if self.peek(0) == "(" {
            head.parts.push(bracket(self.bracket(false), false));
        }
        if !self.is_over() && self.here().shape == Shape::Text {
            head.parts.push(plain(self.next(), true));
        }
        if self.peek(0) == "{" {
            Body::Record(head, self.block())
        } else {
            Body::Decl(head, self.setting())
        }
    }

    fn for_(&mut self) -> Body<'t> {
        let mut head = self.head(1);
        if self.peek(0) == "(" {
            head.parts.push(bracket(self.bracket(false), true));
        } else {
            let mut path = self.path().parts;
            path[0].has_gap = true;
            head.parts.append(&mut path);
        }
        head.parts.push(plain(self.next(), true)); // `in`
        let values = self.value(false);
        if self.peek(0) == "{" {
            return Body::For(head, values, self.block());
        }
        // One row needs no braces; it is given some.
        let entry = self.entry(false);
        let open = Piece {
            text: "{",
            shape: Shape::Sign,
            comments: vec![],
            is_on_new_line: false,
            is_after_blank: false,
        };
        let mut block = Block {
            open,
            behind: None,
            is_spread: entry.is_on_new_line,
            entries: vec![],
            rest: vec![],
        };
        block.entries.push(entry);
        // What stands behind the row stands behind the whole.
        if let Some(behind) = block.entries[0].behind.take() {
            self.here().comments.insert(0, behind);
        }
        Body::For(head, values, block)
    }

    fn row(&mut self) -> Body<'t> {
        let word = self.next();
        let is_text = !self.is_over() && self.here().shape == Shape::Text;
        let label = is_text.then(|| self.next());
        let mut fields = vec![];
        let is_field = |r: &Self| r.is_name(0) && matches!(r.peek(1), "=" | ".");
        while is_field(self) || !fields.is_empty() {
            if is_field(self) {
                let path = self.path();
                fields.push((path, Some(self.setting())));
            } else {
                fields.push((self.allow(), None));
            }
            // Without a comma the next field is one of the block.
            if self.peek(0) != "," {
                break;
            }
            self.skip();
        }
        let expect = (self.peek(0) == "expect").then(|| {
            let word = self.next();
            let mut cells = vec![self.next()];
            while self.peek(0) == "," {
                self.skip();
                cells.push(self.next());
            }
            (word, cells)
        });
        Body::Row(Box::new(Row {
            word,
            label,
            fields,
            expect,
        }))
    }

    fn block(&mut self) -> Block<'t> {
        let open = self.next();
        let mut behind = self.behind();
        let mut entries = self.entries(false);
        let rest = self.above();
        let is_broken = self.here().is_on_new_line && !entries.is_empty() || !rest.is_empty();
        self.next();
        let is_spread = is_broken || behind.is_some() || entries.iter().any(|e| e.is_on_new_line);
        // A doc comment behind a field on the line of the brace is about what the line begins with.
        if is_spread && behind.is_none() {
            let mut last = 0;
            while last < entries.len() && !entries[last].is_on_new_line {
                last += 1;
            }
            let on_line = last.checked_sub(1).map(|i| &mut entries[i]);
            behind = on_line
                .filter(|e| e.behind.as_ref().is_some_and(Comment::is_doc))
                .and_then(|e| e.behind.take());
        }
        Block {
            open,
            behind,
            entries,
            rest,
            is_spread,
        }
    }

    fn bracket(&mut self, is_list: bool) -> Bracket<'t> {
        let open = self.next();
        let behind = self.behind();
        let is_spread = self.here().is_on_new_line && !matches!(self.peek(0), ")" | "]");
        let mut members = vec![];
        let mut rest = vec![];
        loop {
            let above = self.above();
            if matches!(self.peek(0), ")" | "]") {
                rest.extend(above);
                break;
            }
            let value = self.value(true);
            if self.peek(0) == "," {
                self.skip();
            }
            members.push(Member {
                above,
                value,
                behind: self.behind(),
            });
        }
        let close = self.next().text;
        Bracket {
            open,
            behind,
            members,
            rest,
            close,
            is_spread,
            is_list,
        }
    }

    /// A value up to what cannot go on with it; as a member, up to its comma or bracket.
    fn value(&mut self, is_member: bool) -> Value<'t> {
        let mut value = Value::default();
        // What was read so far is a whole operand.
        let mut is_operand = false;
        // No blank stands behind the sign read last.
        let mut is_tight = true;
        while !self.is_over() {
            let text = self.peek(0);
            let gap = !is_tight;
            is_tight = false;
            let part = match text {
                "," | ")" | "]" | "}" | "=" => break,
                "{" if value.ends_with("with") => {
                    is_operand = true;
                    Part {
                        has_gap: true,
                        may_break: false,
                        kind: PartKind::Block(self.block()),
                    }
                }
                "{" => break,
                "(" | "[" => {
                    let is_list = text == "[" && !is_operand;
                    let part = bracket(self.bracket(is_list), gap && !is_operand);
                    is_operand = true;
                    part
                }
                "." | ":" => {
                    is_tight = text == ".";
                    is_operand = false;
                    plain(self.next(), false)
                }
                "-" if !is_operand => {
                    is_tight = true;
                    plain(self.next(), gap)
                }
                "use" | "assert" | "row" | "expect" => break,
                "for" | "in" if !is_member => break,
                "with" | "on" | "for" | "in" | "@" | "<" | "!=" | "*" | "/" => {
                    is_operand = false;
                    plain(self.next(), true)
                }
                "+" | "-" | "->" | "==" | "<=" | ">=" | ">" => {
                    is_operand = false;
                    Part {
                        may_break: true,
                        ..plain(self.next(), true)
                    }
                }
                _ if is_operand => break,
                _ => {
                    is_operand = true;
                    plain(self.next(), gap)
                }
            };
            value.parts.push(part);
        }
        value
    }
}

impl Value<'_> {
    fn ends_with(&self, word: &str) -> bool {
        let last = self.parts.last();
        last.is_some_and(|part| matches!(&part.kind, PartKind::Piece(p) if p.text == word))
    }
}

fn plain(piece: Piece<'_>, has_gap: bool) -> Part<'_> {
    Part {
        has_gap,
        may_break: false,
        kind: PartKind::Piece(piece),
    }
}

fn bracket(bracket: Bracket<'_>, has_gap: bool) -> Part<'_> {
    Part {
        has_gap,
        may_break: false,
        kind: PartKind::Bracket(bracket),
    }
}
