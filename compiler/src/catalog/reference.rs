//! The catalogue as Markdown: names alone for `docs/language.md`, whole and with the codes for `docs/reference.md`.

use super::*;
use crate::codes;
use std::fmt::Write;

impl Type {
    /// What the place takes with its range: `a probability, 0 to 1`.
    pub fn describe(&self) -> String {
        match self {
            Type::Quantity(m) if m.is_whole && !m.noun.contains("whole") => {
                format!("{}, whole, {}", self.noun(), range(m))
            }
            Type::Quantity(m) | Type::Pair(m) | Type::Numbers(m) => {
                format!("{}, {}", self.noun(), range(m))
            }
            Type::Word(_)
            | Type::YesNo
            | Type::Text
            | Type::Modality
            | Type::EachOrModality
            | Type::Modalities
            | Type::Streams
            | Type::Strides
            | Type::Maps
            | Type::Clip
            | Type::Spectrogram
            | Type::Data
            | Type::Chain
            | Type::Layers
            | Type::Policy
            | Type::Within
            | Type::Loss
            | Type::Schedule
            | Type::Range
            | Type::Optimiser
            | Type::Clips
            | Type::Features
            | Type::Head
            | Type::Best
            | Type::Split
            | Type::Score
            | Type::Keep
            | Type::Fuse
            | Type::Neighbours
            | Type::Scores
            | Type::Evaluation
            | Type::Drawing
            | Type::Projection
            | Type::Highlight
            | Type::Curves
            | Type::Pretrain
            | Type::Path
            | Type::Tensor
            | Type::Function
            | Type::Later => self.noun(),
        }
    }
}

/// `1 to 10^12`, `16fps to 30fps`.
fn range(measure: &Measure) -> String {
    let short = |text: String| {
        let digits = text.trim_end_matches(char::is_alphabetic);
        let zeros = digits.len().saturating_sub(1);
        let is_power = digits.starts_with('1') && digits[1..].bytes().all(|digit| digit == b'0');
        match is_power && zeros >= 6 {
            true => format!("10^{zeros}{}", &text[digits.len()..]),
            false => text,
        }
    };
    let (least, most) = measure.range_text();
    format!("{} to {}", short(least), short(most))
}

impl Operator {
    /// How it is called, optional parameters in brackets: `cosine(range, [warmup])`.
    pub fn signature(&self) -> String {
        let mut inside: Vec<String> = vec![];
        if self.is_variadic {
            inside.push("...".into());
        }
        if let Some(Type::Word(words)) = self.per_modality {
            inside.push(format!("[MODALITY: {}]", words.join(" or ")));
        }
        inside.extend(self.parameters.iter().map(|p| match p.is_required {
            true => p.name.to_owned(),
            false => format!("[{}]", p.name),
        }));
        match inside.as_slice() {
            [] => self.name.to_owned(),
            _ => format!("{}({})", self.name, inside.join(", ")),
        }
    }
}

/// Kinds, and the names of operators by subject: what `docs/language.md` has.
pub fn kinds_and_operators() -> String {
    let mut out = String::from("| kind | declares |\n| --- | --- |\n");
    for kind in Kind::ALL {
        _ = writeln!(out, "| `{}` | {} |", kind.word(), kind_text(kind));
    }
    out += "\n| operators | |\n| --- | --- |\n";
    for subject in SUBJECTS {
        // A name that is read in two ways, as `best` is, stands once.
        let mut names: Vec<&str> = vec![];
        for operator in subject.operators {
            if !names.contains(&operator.name) {
                names.push(operator.name);
            }
        }
        _ = writeln!(out, "| {} | `{}` |", subject.title, names.join("` `"));
    }
    out
}

/// Every code with its meaning, as a table.
fn code_table() -> String {
    let mut out = String::from("| code | meaning |\n| --- | --- |\n");
    for (code, meaning) in codes::known() {
        _ = writeln!(out, "| {code} | {meaning} |");
    }
    out
}

/// The whole catalogue: every kind, field, operator, parameter, word and unit, and every code.
pub fn reference() -> String {
    let mut out = String::from("## Kinds\n\n| kind | declares |\n| --- | --- |\n");
    for kind in Kind::ALL {
        _ = writeln!(out, "| `{}` | {} |", kind.word(), kind_text(kind));
    }
    let records: [(&str, &[Parameter]); 5] = [
        ("Fields of `pretrain`", PRETRAIN),
        ("Fields of `pretrain` for each modality", PER_MODALITY),
        ("Fields of `eval`", EVAL),
        ("Fields of `table`", TABLE),
        ("Fields of `figure`", FIGURE),
    ];
    for (title, fields) in records {
        _ = write!(
            out,
            "\n## {title}\n\n| field | takes | is | from |\n| --- | --- | --- | --- |\n"
        );
        for field in fields {
            _ = writeln!(
                out,
                "| {} | {} | {}{} | {} |",
                name_of(field),
                field.takes.describe(),
                field.text,
                words_of(field),
                sources(field.source),
            );
        }
    }
    for subject in SUBJECTS {
        _ = write!(out, "\n## {}\n", subject.title);
        for operator in subject.operators {
            _ = write!(
                out,
                "\n### `{}`: {}\n\n{}{}. From: {}.\n",
                operator.signature(),
                operator.family.noun(),
                capital(operator.text),
                later_text(operator),
                sources(operator.source),
            );
            if operator.parameters.is_empty() {
                continue;
            }
            out += "\n| parameter | takes | is |\n| --- | --- | --- |\n";
            for parameter in operator.parameters {
                _ = writeln!(
                    out,
                    "| {} | {} | {}{} |",
                    name_of(parameter),
                    parameter.takes.describe(),
                    parameter.text,
                    words_of(parameter),
                );
            }
        }
    }
    let lists = [
        ("Units", "unit", UNITS),
        ("Reserved words", "word", RESERVED),
        ("Built-in names", "name", BUILT_IN),
    ];
    for (title, what, list) in lists {
        _ = write!(out, "\n## {title}\n\n| {what} | is |\n| --- | --- |\n");
        for (name, text) in list {
            _ = writeln!(out, "| `{name}` | {text} |");
        }
    }
    out += "\n## Codes\n\n`crisscross explain CODE` shows what a code means by an example, and the same mended.\n\n";
    out += &code_table();
    out
}

/// The name, with what tells those apart that may be left out.
fn name_of(parameter: &Parameter) -> String {
    match parameter.is_required {
        true => format!("`{}`", parameter.name),
        false => format!("`{}` (optional)", parameter.name),
    }
}

/// The meaning of each word that a parameter takes: `; \`skip\`: the file is left out`.
fn words_of(parameter: &Parameter) -> String {
    let Type::Word(words) = parameter.takes else {
        return String::new();
    };
    words
        .iter()
        .filter_map(|one| Some(format!("; `{one}`: {}", word(parameter.name, one)?)))
        .collect()
}

fn later_text(operator: &Operator) -> &'static str {
    if operator.is_later {
        " (this version cannot run it)"
    } else {
        ""
    }
}

/// Sources for people: `code` is the released code.
pub fn sources(written: &str) -> String {
    let one = |source: &str| match source.trim().strip_prefix("code") {
        Some(about) if about.is_empty() || about.starts_with(' ') => {
            format!("released code{about}")
        }
        Some(_) | None => source.trim().to_owned(),
    };
    written.split('|').map(one).collect::<Vec<_>>().join("; ")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
