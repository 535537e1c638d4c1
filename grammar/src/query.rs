//! Questions about experiments: `deps(table1)`, `rows where loss has async and bs >= 1024`.
//!
//! ```text
//! query     = function "(" target ("," target)* ")" | kind ("where" condition)?
//! target    = name (":" row)?
//! condition = and ("or" and)*
//! and       = not ("and" not)*
//! not       = "not"* (group | has | comparison)
//! group     = "(" condition ")"
//! has       = path "has" value
//! ```
//!
//! A comparison is one of the language, `es / bs > 400`, read by its own grammar: a value is written in a question as it is in a file.
//! Which functions, kinds and names there are is for who answers.

use crate::ast::{Expr, ExprKind, Name};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::{FileId, Sources, Span, Spanned};
use crate::tokens::{Shape, Tokens};

/// Conditions inside each other, at most: a person writes a few.
const MOST_DEPTH: usize = 64;

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// `deps(table1)`.
    Call {
        /// `deps`.
        function: Name,
        /// What it is asked of.
        targets: Vec<Target>,
    },
    /// `rows where ...`.
    Select {
        /// `rows`.
        kind: Name,
        /// Which of them; all where nothing is said.
        condition: Option<Condition>,
    },
}

/// A name that a file declares, or a row of a table: `table1:3`, `table3:"comm. pred."`.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The whole target.
    pub span: Span,
    /// The name.
    pub name: Name,
    /// Number or label of a row.
    pub row: Option<Spanned<String>>,
}

/// What a row must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Both.
    And(Box<Condition>, Box<Condition>),
    /// One of the two at least.
    Or(Box<Condition>, Box<Condition>),
    /// Not so.
    Not(Box<Condition>),
    /// `loss has async`: the value of a field contains what the name stands for.
    Has(Expr, Expr),
    /// `bs >= 1024`: an [`ExprKind::Compare`].
    Compare(Expr),
}

/// Reads a question; the error says what is wrong with it and where.
pub fn parse(sources: &Sources, file: FileId) -> Result<Query, Box<Diagnostic>> {
    let text = sources.get(file).text.as_str();
    let tokens = Tokens::new(text);
    let mut parser = Parser {
        tokens: &tokens,
        file,
        at: 0,
        depth: 0,
    };
    let query = parser.query()?;
    parser.end()?;
    Ok(query)
}

type Read<T> = Result<T, Box<Diagnostic>>;

struct Parser<'t> {
    tokens: &'t Tokens<'t>,
    file: FileId,
    /// The next token.
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn query(&mut self) -> Read<Query> {
        if self.is("row") {
            return Err(self.meant(self.at, "rows"));
        }
        let first = self.name("a question begins with what is asked")?;
        if self.is("(") {
            self.at += 1;
            let mut targets = vec![self.target()?];
            while self.is(",") {
                self.at += 1;
                targets.push(self.target()?);
            }
            self.expect(")")?;
            return Ok(Query::Call {
                function: first,
                targets,
            });
        }
        if self.is("where") {
            self.at += 1;
            let condition = self.condition()?;
            return Ok(Query::Select {
                kind: first,
                condition: Some(condition),
            });
        }
        if self.at < self.tokens.list.len() && !self.is_near(self.at, "where") {
            return Err(self.unexpected("behind its first word a question has `(` or `where`"));
        }
        if self.at < self.tokens.list.len() {
            return Err(self.meant(self.at, "where"));
        }
        Ok(Query::Select {
            kind: first,
            condition: None,
        })
    }

    /// `table1`, `table1:3`, `table3:"comm. pred."`.
    fn target(&mut self) -> Read<Target> {
        let name = self.name("a name is due here, such as `table1` or `crisscross`")?;
        let mut span = name.span;
        let mut row = None;
        if self.is(":") {
            self.at += 1;
            let here = self.span();
            let text = match self.tokens.shape(self.at) {
                Some(Shape::Number | Shape::Word) => self.tokens.at(self.at).to_owned(),
                Some(Shape::Text) => self.tokens.at(self.at).trim_matches('"').to_owned(),
                Some(Shape::OpenText | Shape::Sign | Shape::Stray) | None => {
                    return Err(self.unexpected("the number or the label of a row is due here"));
                }
            };
            self.at += 1;
            span = span.to(here);
            row = Some(Spanned::new(text, here));
        }
        Ok(Target { span, name, row })
    }

    fn condition(&mut self) -> Read<Condition> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Box::new(
                Diagnostic::error(codes::TOO_DEEP, self.span(), "this is nested too deeply")
                    .help("ask in two questions"),
            ));
        }
        let mut left = self.conjunction()?;
        while self.is("or") {
            self.at += 1;
            left = Condition::Or(Box::new(left), Box::new(self.conjunction()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn conjunction(&mut self) -> Read<Condition> {
        let mut left = self.negation()?;
        while self.is("and") {
            self.at += 1;
            left = Condition::And(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Read<Condition> {
        let mut is_negated = false;
        while self.is("not") {
            self.at += 1;
            is_negated = !is_negated;
        }
        let inner = self.primary()?;
        Ok(if is_negated {
            Condition::Not(Box::new(inner))
        } else {
            inner
        })
    }

    fn primary(&mut self) -> Read<Condition> {
        if self.is("(") && self.is_group() {
            self.at += 1;
            let inner = self.condition()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let (from, to) = (self.at, self.end_of_claim());
        if from == to {
            return Err(self.unexpected("a comparison is due here, such as `bs >= 1024`"));
        }
        if let Some(has) = (from..to).find(|i| self.tokens.at(*i) == "has") {
            let path = self.expression(from, has)?;
            self.at = has + 1;
            let part = self.expression(has + 1, to)?;
            self.at = to;
            return Ok(Condition::Has(path, part));
        }
        let claim = self.expression(from, to)?;
        self.at = to;
        if !matches!(claim.kind, ExprKind::Compare(..)) {
            let message = "this is a value, and a condition compares two";
            return Err(Box::new(
                Diagnostic::error(codes::UNEXPECTED, claim.span, message)
                    .help("write `bs >= 1024`, `relax == mild` or `loss has async`"),
            ));
        }
        Ok(Condition::Compare(claim))
    }

    /// Is the bracket at the next token one around conditions, and not one of an expression: `(es / bs) > 400`?
    fn is_group(&self) -> bool {
        let mut depth = 0usize;
        let mut has_sign = false;
        for i in self.at..self.tokens.list.len() {
            match self.tokens.at(i) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        let next = self.tokens.at(i + 1);
                        return has_sign || matches!(next, "" | "and" | "or" | ")");
                    }
                }
                "and" | "or" | "not" | "has" | "==" | ">=" | "<=" | "<" | ">" => has_sign = true,
                _ => {}
            }
        }
        true
    }

    /// The token behind the claim that begins at the next one: `and`, `or`, a bracket that closes, or the end.
    fn end_of_claim(&self) -> usize {
        let mut depth = 0usize;
        for i in self.at..self.tokens.list.len() {
            match self.tokens.at(i) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" if depth == 0 => return i,
                ")" | "]" | "}" => depth -= 1,
                "and" | "or" if depth == 0 => return i,
                _ => {}
            }
        }
        self.tokens.list.len()
    }

    /// The expression of the language that tokens `from..to` are.
    fn expression(&self, from: usize, to: usize) -> Read<Expr> {
        let list = &self.tokens.list;
        if from == to {
            return Err(self.unexpected("a value is due here"));
        }
        let (start, end) = (list[from].start, list[to - 1].end);
        let read = crate::expression_of(self.tokens.text, self.file, start, end);
        read.map_err(|wrong| self.slip(from, to).unwrap_or(wrong))
    }

    fn name(&mut self, due: &str) -> Read<Name> {
        if !self.tokens.is_name(self.at) {
            return Err(self.unexpected(due));
        }
        let name = Spanned::new(self.tokens.at(self.at).to_owned(), self.span());
        self.at += 1;
        Ok(name)
    }

    fn expect(&mut self, sign: &str) -> Read<()> {
        if !self.is(sign) {
            return Err(self.unexpected(&format!("`{sign}` is due here")));
        }
        self.at += 1;
        Ok(())
    }

    fn end(&self) -> Read<()> {
        if self.at == self.tokens.list.len() {
            return Ok(());
        }
        for word in ["and", "or"] {
            if self.is_near(self.at, word) {
                return Err(self.meant(self.at, word));
            }
        }
        Err(self.unexpected("the question is over before this"))
    }

    fn is(&self, text: &str) -> bool {
        self.at < self.tokens.list.len() && self.tokens.at(self.at) == text
    }

    /// Is token `i` the word but for one letter?
    fn is_near(&self, i: usize, word: &str) -> bool {
        strsim::osa_distance(&self.tokens.at(i).to_lowercase(), word) <= 1
    }

    /// A sign of another language, or a word that is misspelt, among the tokens of a claim that cannot be read.
    fn slip(&self, from: usize, to: usize) -> Option<Box<Diagnostic>> {
        let signs = [
            ("=", "=="),
            ("&&", "and"),
            ("&", "and"),
            ("||", "or"),
            ("|", "or"),
        ];
        for i in from..to {
            let here = self.tokens.at(i);
            if let Some((_, meant)) = signs.iter().find(|(sign, _)| *sign == here) {
                return Some(self.meant(i, meant));
            }
            if here == "!=" {
                let message = "`!=` has no place here";
                let span = self.span_of(i);
                return Some(Box::new(
                    Diagnostic::error(codes::UNEXPECTED, span, message)
                        .help("write `not` before the comparison: `not relax == mild`"),
                ));
            }
            // A word between two values.
            let is_inside = i > from && i + 1 < to && self.tokens.is_name(i);
            let is_word = |word: &&str| is_inside && here != *word && self.is_near(i, word);
            if let Some(word) = ["and", "or", "has"].into_iter().find(is_word) {
                return Some(self.meant(i, word));
            }
        }
        None
    }

    /// The message that token `i` is likely to stand for `word`.
    fn meant(&self, i: usize, word: &str) -> Box<Diagnostic> {
        let message = format!("`{}` has no place here", self.tokens.at(i));
        let span = self.span_of(i);
        Box::new(
            Diagnostic::error(codes::UNEXPECTED, span, message)
                .here(format!("did you mean `{word}`?"))
                .help(format!("replace with `{word}`"))
                .edit(span, word),
        )
    }

    fn unexpected(&self, due: &str) -> Box<Diagnostic> {
        let message = if self.at < self.tokens.list.len() {
            format!("`{}` has no place here: {due}", self.tokens.at(self.at))
        } else {
            format!("the question ends too early: {due}")
        };
        Box::new(
            Diagnostic::error(codes::UNEXPECTED, self.span(), message).help(
                "for example `deps(table1)`, `rdeps(crisscross)`, `shared(table1, fig4)` or `rows where loss has async`",
            ),
        )
    }

    /// The place of the next token; the end of the text where there is none.
    fn span(&self) -> Span {
        self.span_of(self.at)
    }

    fn span_of(&self, i: usize) -> Span {
        match self.tokens.list.get(i) {
            Some(token) => Span::new(self.file, token.start, token.end),
            None => {
                let end = self.tokens.list.last().map_or(0, |token| token.end);
                Span::new(self.file, end, end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Query, Box<Diagnostic>> {
        let mut sources = Sources::default();
        let file = sources.add("question", text);
        parse(&sources, file)
    }

    /// A condition with brackets around each of its parts.
    fn shape(condition: &Condition) -> String {
        match condition {
            Condition::And(a, b) => format!("({} and {})", shape(a), shape(b)),
            Condition::Or(a, b) => format!("({} or {})", shape(a), shape(b)),
            Condition::Not(inner) => format!("not {}", shape(inner)),
            Condition::Has(..) => "has".to_owned(),
            Condition::Compare(_) => "compare".to_owned(),
        }
    }

    fn condition(text: &str) -> String {
        match read(&format!("rows where {text}")) {
            Ok(Query::Select {
                condition: Some(condition),
                ..
            }) => shape(&condition),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn and_binds_more_than_or_and_not_more_than_both() {
        let cases = [
            (
                "bs > 1 or ep > 1 and loss has sync",
                "(compare or (compare and has))",
            ),
            (
                "(bs > 1 or ep > 1) and loss has sync",
                "((compare or compare) and has)",
            ),
            ("not bs > 1 and ep > 1", "(not compare and compare)"),
            ("not not bs > 1", "compare"),
            ("not (bs > 1 and ep > 1)", "not (compare and compare)"),
            ("(es / bs) > 400", "compare"),
            ("((es / bs) > 400)", "compare"),
            (
                "lr_b == cosine(0.0002 -> 0, warmup: 2ep) or bs > 1",
                "(compare or compare)",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(condition(text), expected, "{text}");
        }
    }

    #[test]
    fn a_target_is_a_name_or_a_row() {
        let Ok(Query::Call { function, targets }) =
            read("shared(table1:3, table3:\"comm. pred.\")")
        else {
            panic!("it is a call")
        };
        assert_eq!((function.value.as_str(), targets.len()), ("shared", 2));
        let rows: Vec<_> = targets
            .iter()
            .map(|t| t.row.as_ref().map(|row| row.value.as_str()))
            .collect();
        assert_eq!(rows, [Some("3"), Some("comm. pred.")]);
    }

    #[test]
    fn slips_are_named_where_they_stand() {
        let cases = [
            ("row where bs > 1", "row", "rows"),
            ("rows wher bs > 1", "wher", "where"),
            ("rows where bs = 1", "=", "=="),
            ("rows where bs > 1 && ep > 1", "&&", "and"),
            ("rows where bs > 1 & ep > 1", "&", "and"),
            ("rows where loss has async adn bs > 1", "adn", "and"),
            ("rows where loss hsa async", "hsa", "has"),
        ];
        for (text, wrong, meant) in cases {
            let found = read(text).expect_err(text);
            let span = found.primary.span;
            assert_eq!(
                &text[span.start as usize..span.end as usize],
                wrong,
                "{text}"
            );
            assert_eq!(
                found.edits.first().map(|edit| edit.text.as_str()),
                Some(meant),
                "{text}"
            );
        }
        for text in [
            "",
            "rows where",
            "deps(",
            "deps(a",
            "rows where (bs > 1",
            "rows where not",
            "#",
            "deps(a) b",
            "rows where bs",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let deep = format!("rows where {}bs > 1{}", "(".repeat(1000), ")".repeat(1000));
        assert!(read(&deep).is_err());
        let long = format!("rows where {} bs > 1", "not ".repeat(100_000));
        assert!(read(&long).is_ok());
    }
}
