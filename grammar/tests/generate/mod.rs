//! Programs that follow the grammar, made from a list of choices: a shorter list, or smaller numbers in it, make a simpler
//! program, so that what fails is shrunk to little. The names are those of the prelude and the catalogue.

#![allow(dead_code)] // each test uses its part

/// Where the choices come from; when they are used up, the simplest is taken.
pub struct Choices<'c> {
    list: &'c [u8],
    at: usize,
}

impl<'c> Choices<'c> {
    pub fn new(list: &'c [u8]) -> Self {
        Choices { list, at: 0 }
    }

    /// A number below `count`.
    fn pick(&mut self, count: usize) -> usize {
        let byte = self.list.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(byte) % count
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.pick(words.len())]
    }
}

/// What stands between tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// One blank or line end.
    None,
    /// Blanks, line ends, and comments that are about nothing.
    Comments,
    /// Doc comments too.
    Docs,
}

/// A program of a few declarations.
pub fn program(choices: &mut Choices, noise: Noise) -> String {
    let mut tokens = Tokens { list: vec![] };
    tokens.add("use paper");
    for _ in 0..1 + choices.pick(4) {
        declaration(choices, &mut tokens);
    }
    tokens.written(choices, noise)
}

struct Tokens {
    list: Vec<String>,
}

impl Tokens {
    fn add(&mut self, words: &str) {
        self.list
            .extend(words.split_whitespace().map(str::to_owned));
    }

    fn text(&mut self, choices: &mut Choices) {
        let text = choices.of(&["a", "Table 1", "# no comment", "", "{", "ü × 2"]);
        self.list.push(format!("\"{text}\""));
    }

    fn written(&self, choices: &mut Choices, noise: Noise) -> String {
        let mut text = String::new();
        let mut count = 0;
        for (i, token) in self.list.iter().enumerate() {
            if i > 0 {
                gap(
                    choices,
                    noise,
                    &mut text,
                    &mut count,
                    &self.list[i - 1],
                    token,
                );
            }
            text += token;
        }
        if noise != Noise::None {
            gap(choices, noise, &mut text, &mut count, "", "");
        }
        text
    }
}

fn gap(
    choices: &mut Choices,
    noise: Noise,
    text: &mut String,
    count: &mut u32,
    left: &str,
    right: &str,
) {
    let is_wordy = |c: Option<char>| {
        c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '%' | '.'))
    };
    let are_words = is_wordy(left.chars().last()) && is_wordy(right.chars().next());
    let is_joined = matches!((left, right), ("-", _) | (_, "-" | "->" | "="));
    let may_touch = !are_words && !is_joined;
    let kinds = match noise {
        Noise::None => 2,
        Noise::Comments | Noise::Docs => 12,
    };
    *count += 1;
    let mark = if noise == Noise::Docs && choices.pick(2) == 1 {
        "##"
    } else {
        "#"
    };
    match choices.pick(kinds) {
        1 => *text += "\n",
        2 if may_touch => {}
        3 => *text += "   ",
        4 => *text += "\n\n\n",
        5 => *text += &format!(" {mark} c{count}\n"),
        6 => *text += &format!("\n  {mark} c{count}\n"),
        7 => *text += &format!("\n{mark} c{count}\n\n"),
        8 => *text += &format!("{mark}\n{mark} source: c{count}\n"),
        9 => *text += "\t",
        10 => *text += "\r\n",
        _ => *text += " ",
    }
}

const NAMES: [&str; 14] = [
    "intra",
    "sync",
    "x",
    "MSC",
    "HF",
    "CJ",
    "VJ",
    "proj",
    "bn",
    "relu",
    "crisscross",
    "linear8",
    "v",
    "UCF101",
];

fn declaration(choices: &mut Choices, tokens: &mut Tokens) {
    let kinds = [
        "let",
        "loss",
        "augment",
        "layers",
        "data",
        "modality",
        "relaxation",
        "pretrain",
        "eval",
        "table",
        "figure",
    ];
    let kind = choices.of(&kinds);
    let name = choices.of(&["one", "two", "a_longer_name", "D"]);
    match choices.pick(12) {
        0 => {
            tokens.add("assert");
            sum(choices, tokens, 3);
            tokens.add(choices.of(&["==", "<=", ">", "<"]));
            sum(choices, tokens, 2);
            if choices.pick(2) == 1 {
                tokens.add(",");
                tokens.text(choices);
            }
            return;
        }
        1 => return allow(choices, tokens),
        _ => tokens.add(&format!("{kind} {name}")),
    }
    if choices.pick(4) == 1 {
        tokens.add("( x , y )");
    }
    if choices.pick(4) == 1 {
        tokens.text(choices);
    }
    if choices.pick(2) == 0 {
        tokens.add("=");
        value(choices, tokens, 4);
    } else {
        block(choices, tokens, 3);
    }
}

fn block(choices: &mut Choices, tokens: &mut Tokens, depth: usize) {
    tokens.add("{");
    for _ in 0..choices.pick(5) {
        match choices.pick(7) {
            6 => allow(choices, tokens),
            0..=2 => field(choices, tokens, depth),
            3 | 4 => row(choices, tokens, depth),
            _ => sweep(choices, tokens, depth),
        }
    }
    tokens.add("}");
}

fn allow(choices: &mut Choices, tokens: &mut Tokens) {
    tokens.add(choices.of(&["allow W0503", "allow W0801"]));
    tokens.text(choices);
}

fn path(choices: &mut Choices, tokens: &mut Tokens) {
    tokens.add(choices.of(&["bs", "lr_b", "v.f", "a.augment", "loss", "scores", "relax"]));
}

fn field(choices: &mut Choices, tokens: &mut Tokens, depth: usize) {
    path(choices, tokens);
    tokens.add("=");
    value(choices, tokens, depth);
}

fn row(choices: &mut Choices, tokens: &mut Tokens, depth: usize) {
    tokens.add("row");
    if choices.pick(3) == 1 {
        tokens.text(choices);
    }
    for i in 0..choices.pick(3) {
        if i > 0 {
            tokens.add(",");
            if choices.pick(4) == 1 {
                allow(choices, tokens);
                continue;
            }
        }
        field(choices, tokens, depth.min(2));
    }
    if choices.pick(2) == 1 {
        tokens.add("expect");
        for i in 0..1 + choices.pick(3) {
            if i > 0 {
                tokens.add(",");
            }
            tokens.add(choices.of(&["69.1", "_", "96"]));
        }
    }
}

fn sweep(choices: &mut Choices, tokens: &mut Tokens, depth: usize) {
    tokens.add("for");
    if choices.pick(3) == 1 {
        tokens.add("( bs , v.lr_b )");
    } else {
        path(choices, tokens);
    }
    tokens.add("in");
    value(choices, tokens, depth.min(2));
    match choices.pick(3) {
        0 if depth > 0 => block(choices, tokens, depth - 1),
        1 if depth > 0 => sweep(choices, tokens, depth - 1),
        _ => row(choices, tokens, 1),
    }
}

fn sum(choices: &mut Choices, tokens: &mut Tokens, depth: usize) {
    operand(choices, tokens, depth);
    for _ in 0..choices.pick(4) {
        tokens.add(choices.of(&["-", "+", "*", "/", "-"]));
        operand(choices, tokens, depth);
    }
}

fn value(choices: &mut Choices, tokens: &mut Tokens, depth: usize) {
    sum(choices, tokens, depth);
    if choices.pick(8) == 1 {
        tokens.add("->");
        operand(choices, tokens, 0);
    }
}

fn operand(choices: &mut Choices, tokens: &mut Tokens, depth: usize) {
    if choices.pick(8) == 1 {
        tokens.add("-");
    }
    if depth == 0 {
        return atom(choices, tokens);
    }
    match choices.pick(9) {
        0..=2 => atom(choices, tokens),
        3 => {
            tokens.add("[");
            let count = choices.pick(4);
            for i in 0..count {
                value(choices, tokens, depth - 1);
                if i + 1 < count || choices.pick(3) == 1 {
                    tokens.add(",");
                }
            }
            tokens.add("]");
        }
        4 => {
            tokens.add("(");
            value(choices, tokens, depth - 1);
            if choices.pick(2) == 1 {
                tokens.add(",");
                value(choices, tokens, depth - 1);
            }
            tokens.add(")");
        }
        5 | 6 => call(choices, tokens, depth),
        7 => {
            atom_name(choices, tokens);
            tokens.add(choices.of(&["@", "on"]));
            atom(choices, tokens);
        }
        _ => {
            atom_name(choices, tokens);
            tokens.add("with");
            block(choices, tokens, depth - 1);
        }
    }
}

fn call(choices: &mut Choices, tokens: &mut Tokens, depth: usize) {
    tokens.add(choices.of(&["mean", "fc", "cosine", "windows", "adam", "pair", "v . f"]));
    if choices.pick(5) == 1 {
        tokens.add("[");
        value(choices, tokens, 0);
        tokens.add("]");
    }
    tokens.add("(");
    if choices.pick(5) == 1 {
        value(choices, tokens, depth - 1);
        tokens.add("for m < n in modalities , i != j in views )");
        return;
    }
    for i in 0..choices.pick(4) {
        if i > 0 {
            tokens.add(",");
        }
        if choices.pick(2) == 1 {
            tokens.add(choices.of(&["wd :", "warmup :", "of :", "width :"]));
        }
        value(choices, tokens, depth - 1);
    }
    tokens.add(")");
}

fn atom_name(choices: &mut Choices, tokens: &mut Tokens) {
    tokens.add(choices.of(&NAMES));
}

fn atom(choices: &mut Choices, tokens: &mut Tokens) {
    match choices.pick(4) {
        0 | 1 => atom_name(choices, tokens),
        2 => tokens.add(choices.of(&[
            "1", "2", "0.5", "1e-4", "2E-3", "50%", "16fps", "2s", "220K", "8x112px",
        ])),
        _ => tokens.text(choices),
    }
}
