//! The one table of kinds, fields, operators, links, layers, policies and units: names, types, units and ranges, with what each is
//! and where it comes from. Checks, suggestions, the reference of `docs/language.md` and `crisscross doc` read it. It holds types
//! and texts and no values: those are in `prelude/`.

mod augment;
mod evaluation;
mod fields;
mod figures;
mod habits;
mod loss;
mod measure;
mod media;
mod network;
mod reference;
#[cfg(test)]
mod tests;
mod time;
mod training;
mod words;

use crate::loss::Scope;
use grammar::ast::Kind;

pub use fields::{EVAL, FIGURE, OF_ROWS, PER_MODALITY, PRETRAIN, TABLE};
pub use habits::{CLOSE, ELSEWHERE, ENDS, HABITS, IN_OTHER_WORDS, PARTS_OF_A_CLIP};
pub use measure::*;
pub use reference::{kinds_and_operators, reference, sources};
pub use words::{BUILT_IN, RESERVED, UNITS, WORDS, word};

/// What a field or parameter takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    /// A number with or without a unit.
    Quantity(Measure),
    /// Two numbers in parentheses.
    Pair(Measure),
    /// One of these words.
    Word(&'static [&'static str]),
    /// `yes` or `no`.
    YesNo,
    /// A list of numbers.
    Numbers(Measure),
    /// A name of the user's, such as a CSV column.
    Text,
    /// One of the declared modalities.
    Modality,
    /// `each`, or one of the declared modalities.
    EachOrModality,
    /// A list of modalities.
    Modalities,
    /// Streams of a data set: a list of modalities that read them, or `captions`.
    Streams,
    /// `8x112px @ 16fps` or `2s @ 16kHz`.
    Clip,
    /// `logmel(...)`.
    Spectrogram,
    /// A data set.
    Data,
    /// A chain of augmentations.
    Chain,
    /// A chain of layers.
    Layers,
    /// A stride for each stage of a backbone, or for each convolution of its blocks.
    Strides,
    /// The sizes of a backbone's maps, stage by stage: a claim that is checked.
    Maps,
    /// A relaxation policy.
    Policy,
    /// How the two windows of a modality relate.
    Within,
    /// A loss.
    Loss,
    /// A learning rate over time.
    Schedule,
    /// `from -> to`.
    Range,
    /// An optimiser.
    Optimiser,
    /// `random(n)` or `uniform(n)`.
    Clips,
    /// `conv5 - maxpool(...)`.
    Features,
    /// A classifier.
    Head,
    /// `best(costs, split: ...)`.
    Best,
    /// `test` or `val(10%)`.
    Split,
    /// `top1(mean(clips))`.
    Score,
    /// `best(split: test)` or `last`.
    Keep,
    /// `concat(a, b)`.
    Fuse,
    /// `knn(distance: cosine)`.
    Neighbours,
    /// A list of `eval on data`.
    Scores,
    /// `eval on data`.
    Evaluation,
    /// What a figure draws, or a list of it: `gallery(...)`.
    Drawing,
    /// `tsne(...)` or `pca`.
    Projection,
    /// `gradcam(...)` or `smoothgradcampp(...)`.
    Highlight,
    /// A list of curves of a training: `[train.loss]`.
    Curves,
    /// A pretraining.
    Pretrain,
    /// A path to a value of the rows: `relax`, `of.data.train`.
    Path,
    /// A view or embedding inside a loss.
    Tensor,
    /// A function of a view inside a loss.
    Function,
    /// A field that the language has and this version cannot run.
    Later,
}

impl Type {
    /// A value as one may write it, for messages; `None` where none is likelier than others.
    pub fn example(&self) -> Option<String> {
        let text = match self {
            Type::Word(words) => return words.first().map(|word| (*word).to_owned()),
            Type::Modalities | Type::Streams => "[v, a]",
            Type::Clip => "8x112px @ 16fps",
            Type::Spectrogram => "logmel(bands: 80, hop: 10ms, fft: 1024samples, centre: no)",
            Type::YesNo => "no",
            Type::EachOrModality => "each",
            Type::Within => "overlap(50%, of: each)",
            Type::Best => "best(costs, split: val(10%))",
            Type::Split => "val(10%)",
            Type::Range => "0.0002 -> 0",
            Type::Evaluation => "linear8 on UCF101",
            Type::Drawing => "gallery(retrieval on K400, queries: 6, top: 5)",
            Type::Projection => "tsne(perplexity: 30)",
            Type::Highlight => "gradcam(target: agreement)",
            Type::Curves => "[train.loss]",
            Type::Quantity(_)
            | Type::Pair(_)
            | Type::Numbers(_)
            | Type::Text
            | Type::Modality
            | Type::Data
            | Type::Chain
            | Type::Layers
            | Type::Policy
            | Type::Loss
            | Type::Schedule
            | Type::Optimiser
            | Type::Clips
            | Type::Features
            | Type::Head
            | Type::Score
            | Type::Keep
            | Type::Fuse
            | Type::Neighbours
            | Type::Scores
            | Type::Pretrain
            | Type::Path
            | Type::Tensor
            | Type::Function
            | Type::Strides
            | Type::Maps
            | Type::Later => return None,
        };
        Some(text.to_owned())
    }

    /// What the place takes, for messages.
    pub fn noun(&self) -> String {
        match self {
            Type::Quantity(m) => m.noun.into(),
            Type::Pair(m) => format!("two numbers in parentheses, each {}", m.noun),
            Type::Word(words) => words
                .iter()
                .map(|w| format!("`{w}`"))
                .collect::<Vec<_>>()
                .join(" or "),
            Type::YesNo => "`yes` or `no`".into(),
            Type::Numbers(m) => format!("a list, each {}", m.noun),
            Type::Text => "a name".into(),
            Type::Modality => "a modality".into(),
            Type::EachOrModality => "`each` or a modality".into(),
            Type::Modalities | Type::Streams => "a list of modalities".into(),
            Type::Clip => "a clip".into(),
            Type::Spectrogram => "a spectrogram".into(),
            Type::Data => "a data set".into(),
            Type::Chain => "a chain of augmentations".into(),
            Type::Layers => "a chain of layers".into(),
            Type::Strides => "strides in parentheses, one for each stage".into(),
            Type::Maps => "a list of sizes in parentheses, one for each stage".into(),
            Type::Policy => "a relaxation policy".into(),
            Type::Within => "`same`, `overlap(...)`, `halves` or `independent`".into(),
            Type::Loss => "a loss".into(),
            Type::Schedule => "a rate".into(),
            Type::Range => "two rates `from -> to`".into(),
            Type::Optimiser => "an optimiser".into(),
            Type::Clips => "`random(n)` or `uniform(n)`".into(),
            Type::Features => "a chain of features".into(),
            Type::Head => "a classifier".into(),
            Type::Best => "`best(costs, split: ...)`".into(),
            Type::Split => "`test`, `val(10%)` or `folds`".into(),
            Type::Score => "a score".into(),
            Type::Keep => "`last` or `best(split: ...)`".into(),
            Type::Fuse => "evaluations to fuse".into(),
            Type::Neighbours => "`knn(distance: cosine)`".into(),
            Type::Scores => "a list of evaluations".into(),
            Type::Evaluation => "an evaluation on a data set".into(),
            Type::Drawing => "what is drawn".into(),
            Type::Projection => "`tsne(...)` or `pca`".into(),
            Type::Highlight => "`gradcam(...)` or `smoothgradcampp(...)`".into(),
            Type::Curves => "a list of curves".into(),
            Type::Pretrain => "a pretraining".into(),
            Type::Path => "a path to a value of the rows".into(),
            Type::Tensor => "an embedding".into(),
            Type::Function => "a function of a view".into(),
            Type::Later => "a value".into(),
        }
    }
}

/// A parameter of an operator or a field of a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub takes: Type,
    /// It must be given.
    pub is_required: bool,
    /// What it is, as the rest of a sentence that begins with its name.
    pub text: &'static str,
    /// Where it comes from; empty for a parameter, which comes from where its operator does.
    pub source: &'static str,
}

impl Parameter {
    const fn from(self, source: &'static str) -> Self {
        Parameter { source, ..self }
    }
}

const fn needs(name: &'static str, takes: Type, text: &'static str) -> Parameter {
    Parameter {
        name,
        takes,
        is_required: true,
        text,
        source: "",
    }
}

const fn may(name: &'static str, takes: Type, text: &'static str) -> Parameter {
    Parameter {
        is_required: false,
        ..needs(name, takes, text)
    }
}

/// What an operator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Family {
    Modality,
    Spectrogram,
    Data,
    Augment,
    Timing,
    Layer,
    Policy,
    Within,
    Schedule,
    Optimiser,
    Clips,
    Feature,
    Head,
    Best,
    Neighbours,
    Keep,
    Fuse,
    Split,
    Score,
    Drawing,
    Projection,
    Highlight,
    Term,
    Tensor,
    Sum,
}

impl Family {
    /// What a value of the family is, for messages.
    pub fn noun(self) -> &'static str {
        match self {
            Family::Modality => "a modality",
            Family::Spectrogram => "a spectrogram",
            Family::Data => "a data set",
            Family::Augment => "an augmentation",
            Family::Timing => "a chain of augmentations",
            Family::Layer => "a layer",
            Family::Policy => "a relaxation policy",
            Family::Within => "a relation of windows",
            Family::Schedule => "a schedule",
            Family::Optimiser => "an optimiser",
            Family::Clips => "a choice of clips",
            Family::Feature => "a step of a feature chain",
            Family::Head => "a classifier",
            Family::Best => "a choice of the best",
            Family::Neighbours => "a search for neighbours",
            Family::Keep => "a choice of an epoch",
            Family::Fuse => "a fusion",
            Family::Split => "a split",
            Family::Score => "a score",
            Family::Drawing => "a drawing",
            Family::Projection => "a projection",
            Family::Highlight => "a method of saliency",
            Family::Term => "a loss",
            Family::Tensor => "an embedding",
            Family::Sum => "a loss",
        }
    }
}

/// An operator: a word, or a word with arguments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operator {
    /// Its name.
    pub name: &'static str,
    /// What it makes.
    pub family: Family,
    /// What it is, as the rest of a sentence that begins with its name.
    pub text: &'static str,
    /// Where it comes from: a place in the paper, a method, `code` or `ours`; several with ` | `.
    pub source: &'static str,
    /// Its parameters in the order of positional arguments.
    pub parameters: &'static [Parameter],
    /// Takes any number of positional arguments, read apart from the named ones: `maxpool(1, 4, 4, stride: 1)`.
    pub is_variadic: bool,
    /// The language has it, this version cannot run it.
    pub is_later: bool,
    /// What a named argument takes that is called as a modality: `windows(a: same, ...)`.
    pub per_modality: Option<Type>,
    /// Which samples a loss operator compares. `info_nce` with negatives of a memory bank does with its own alone.
    pub scope: Scope,
}

impl Operator {
    const fn over_batch(self) -> Self {
        Operator {
            scope: Scope::Batch,
            ..self
        }
    }
}

const fn op(
    name: &'static str,
    family: Family,
    text: &'static str,
    source: &'static str,
    parameters: &'static [Parameter],
) -> Operator {
    Operator {
        name,
        family,
        text,
        source,
        parameters,
        is_variadic: false,
        is_later: false,
        per_modality: None,
        scope: Scope::Sample,
    }
}

const fn later(
    name: &'static str,
    family: Family,
    text: &'static str,
    source: &'static str,
) -> Operator {
    Operator {
        is_variadic: true,
        is_later: true,
        ..op(name, family, text, source, &[])
    }
}

/// Operators that belong together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Subject {
    /// What they are about.
    pub title: &'static str,
    /// The operators.
    pub operators: &'static [Operator],
}

/// All operators by subject, in the order of the paper's parts.
pub const SUBJECTS: &[Subject] = &[
    Subject {
        title: "Modalities and data",
        operators: media::OPERATORS,
    },
    Subject {
        title: "Augmentations",
        operators: augment::OPERATORS,
    },
    Subject {
        title: "Layers",
        operators: network::OPERATORS,
    },
    Subject {
        title: "Views in time",
        operators: time::OPERATORS,
    },
    Subject {
        title: "Schedules and optimisers",
        operators: training::OPERATORS,
    },
    Subject {
        title: "Evaluation",
        operators: evaluation::OPERATORS,
    },
    Subject {
        title: "Figures",
        operators: figures::OPERATORS,
    },
    Subject {
        title: "Losses",
        operators: loss::OPERATORS,
    },
];

/// All operators.
pub fn operators() -> impl Iterator<Item = &'static Operator> {
    SUBJECTS.iter().flat_map(|subject| subject.operators)
}

/// The operator of this name in this family.
pub fn operator(family: Family, name: &str) -> Option<&'static Operator> {
    operators().find(|o| o.family == family && o.name == name)
}

/// The first operator of this name in any family.
pub fn any_operator(name: &str) -> Option<&'static Operator> {
    operators().find(|o| o.name == name)
}

/// Names of the operators of a family that this version can run.
pub fn operators_of(family: Family) -> impl Iterator<Item = &'static str> {
    operators()
        .filter(move |o| o.family == family && !o.is_later)
        .map(|o| o.name)
}

/// The fields of a kind that is written as a block; empty for the others.
pub fn fields(kind: Kind) -> &'static [Parameter] {
    match kind {
        Kind::Pretrain => PRETRAIN,
        Kind::Eval => EVAL,
        Kind::Table => TABLE,
        Kind::Figure => FIGURE,
        Kind::Modality
        | Kind::Data
        | Kind::Augment
        | Kind::Layers
        | Kind::Relaxation
        | Kind::Loss
        | Kind::Let => &[],
    }
}

/// What a declaration of this kind is, for messages.
pub fn kind_noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Modality => "a modality",
        Kind::Data => "a data set",
        Kind::Augment => "a chain of augmentations",
        Kind::Layers => "a chain of layers",
        Kind::Relaxation => "a relaxation policy",
        Kind::Loss => "a loss",
        Kind::Let => "a value",
        Kind::Pretrain => "a pretraining",
        Kind::Eval => "an evaluation",
        Kind::Table => "a table",
        Kind::Figure => "a figure",
    }
}

/// What a declaration of this kind is for, as the rest of a sentence that begins with the kind's word.
pub fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::Modality => "what a view is: pictures or sound, how long and how fine",
        Kind::Data => "a data set; where it lies stands in `crisscross.toml`",
        Kind::Augment => "an augmentation, or a chain of them",
        Kind::Layers => "a network, or a part of one",
        Kind::Relaxation => "how the windows of the views relate in time",
        Kind::Loss => "a loss, or with parameters a function that makes one",
        Kind::Let => "any other value, or a function of views",
        Kind::Pretrain => "a pretraining: everything that its result depends on",
        Kind::Eval => "an evaluation: from a backbone to a number",
        Kind::Table => "rows and columns: pretrainings and what they score",
        Kind::Figure => "a table that is drawn against one value of its rows",
    }
}
