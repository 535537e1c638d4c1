//! The one table of kinds, fields, operators, links, layers and policies: names, types, units and ranges. Checks and
//! suggestions read it. It holds types and no values: those are in `prelude/`.

use crate::units::{Dimension, Exact, Quantity};
use grammar::ast::Kind;

/// A quantity that a place takes: its dimension and its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// What it is, for messages: `a probability`.
    pub noun: &'static str,
    /// The dimension.
    pub dimension: Dimension,
    /// Whole numbers only.
    pub is_whole: bool,
    /// The least value, as a fraction.
    pub least: (i64, i64),
    /// The greatest value, as a fraction.
    pub most: (i64, i64),
}

impl Measure {
    const fn new(
        noun: &'static str,
        dimension: Dimension,
        is_whole: bool,
        least: (i64, i64),
        most: (i64, i64),
    ) -> Self {
        Self {
            noun,
            dimension,
            is_whole,
            least,
            most,
        }
    }

    const fn whole(noun: &'static str, dimension: Dimension, least: i64, most: i64) -> Self {
        Self::new(noun, dimension, true, (least, 1), (most, 1))
    }

    const fn real(
        noun: &'static str,
        dimension: Dimension,
        least: (i64, i64),
        most: (i64, i64),
    ) -> Self {
        Self::new(noun, dimension, false, least, most)
    }

    /// The least and the greatest value.
    pub fn range(&self) -> (Exact, Exact) {
        let exact = |(n, d): (i64, i64)| Exact::new(n.into(), d.into());
        (exact(self.least), exact(self.most))
    }

    /// The range as people write it: `0.08`, `16fps`.
    pub fn range_text(&self) -> (String, String) {
        let text = |value| {
            Quantity {
                value,
                dimension: self.dimension,
            }
            .to_string()
        };
        let (least, most) = self.range();
        (text(least), text(most))
    }
}

const NUMBER: Dimension = Dimension::NUMBER;
const MILLION: i64 = 1_000_000;

/// A share: 0 to 1.
pub const SHARE: Measure = Measure::real("a share", NUMBER, (0, 1), (1, 1));
/// A probability.
pub const PROBABILITY: Measure = Measure::real("a probability", NUMBER, (0, 1), (1, 1));
/// A learning rate.
pub const RATE: Measure = Measure::real("a rate", NUMBER, (0, 1), (1000, 1));
/// Any number within reason.
pub const ANY_NUMBER: Measure = Measure::real("a number", NUMBER, (-MILLION, 1), (MILLION, 1));
/// A positive number.
pub const POSITIVE: Measure = Measure::real(
    "a positive number",
    NUMBER,
    (1, 1_000_000_000),
    (MILLION, 1),
);
/// A count of things.
pub const COUNT: Measure = Measure::whole("a count", NUMBER, 1, 1_000_000_000_000);
/// A count of one or a few.
pub const SMALL_COUNT: Measure = Measure::whole("a count", NUMBER, 1, MILLION);
/// Samples of a batch.
pub const BATCH: Measure = Measure::whole("a count", NUMBER, 1, 1 << 20);
/// A number of epochs, which may be 0.
pub const EPOCH_COUNT: Measure = Measure::whole("a count", NUMBER, 0, MILLION);
/// A seed of random numbers.
pub const SEED: Measure = Measure::whole("a whole number", NUMBER, 0, 1_000_000_000_000_000_000);
/// The width of a layer.
pub const WIDTH: Measure = Measure::whole("a width", NUMBER, 1, 1 << 20);
/// The depth of a backbone.
pub const DEPTH: Measure = Measure::whole("a depth", NUMBER, 10, 34);
/// Temperature or entropy weight.
pub const TEMPERATURE: Measure = Measure::real("a temperature", NUMBER, (1, MILLION), (MILLION, 1));
/// A weight decay.
pub const DECAY: Measure = Measure::real("a decay", NUMBER, (0, 1), (1, 1));
/// Seconds.
pub const DURATION: Measure = Measure::real("a duration", Dimension::TIME, (1, 1000), (86_400, 1));
/// Seconds, which may be 0.
pub const LAG: Measure = Measure::real("a duration", Dimension::TIME, (0, 1), (86_400, 1));
/// Frames per second.
pub const FRAME_RATE: Measure =
    Measure::real("a frame rate", Dimension::FRAME_RATE, (1, 1000), (1000, 1));
/// Samples per second.
pub const FREQUENCY: Measure = Measure::real(
    "a sample rate",
    Dimension::FREQUENCY,
    (100, 1),
    (MILLION, 1),
);
/// Samples.
pub const SAMPLES: Measure = Measure::whole("a count of samples", Dimension::SAMPLES, 1, 1 << 24);
/// Pixels.
pub const LENGTH: Measure = Measure::whole("a length in pixels", Dimension::LENGTH, 1, 16_384);
/// Columns or bands.
pub const BINS: Measure = Measure::whole("a count of bins", Dimension::BINS, 1, 1 << 20);
/// Epochs as a place on the axis of training.
pub const EPOCHS: Measure =
    Measure::real("a count of epochs", Dimension::EPOCHS, (0, 1), (MILLION, 1));

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
    /// A list of modalities.
    Modalities,
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
            Type::Modalities => "a list of modalities".into(),
            Type::Clip => "a clip".into(),
            Type::Spectrogram => "a spectrogram".into(),
            Type::Data => "a data set".into(),
            Type::Chain => "a chain of augmentations".into(),
            Type::Layers => "a chain of layers".into(),
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
            Type::Split => "`test` or `val(10%)`".into(),
            Type::Score => "a score".into(),
            Type::Keep => "`last` or `best(split: ...)`".into(),
            Type::Fuse => "evaluations to fuse".into(),
            Type::Neighbours => "`knn(distance: cosine)`".into(),
            Type::Scores => "a list of evaluations".into(),
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
}

const fn needs(name: &'static str, takes: Type) -> Parameter {
    Parameter {
        name,
        takes,
        is_required: true,
    }
}

const fn may(name: &'static str, takes: Type) -> Parameter {
    Parameter {
        name,
        takes,
        is_required: false,
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
    /// Its parameters in the order of positional arguments.
    pub parameters: &'static [Parameter],
    /// Takes any number of positional arguments, read apart from the named ones: `maxpool(1, 4, 4, stride: 1)`.
    pub is_variadic: bool,
    /// The language has it, this version cannot run it.
    pub is_later: bool,
    /// What a named argument takes that is called as a modality: `windows(a: same, ...)`.
    pub per_modality: Option<Type>,
}

const fn op(name: &'static str, family: Family, parameters: &'static [Parameter]) -> Operator {
    Operator {
        name,
        family,
        parameters,
        is_variadic: false,
        is_later: false,
        per_modality: None,
    }
}

const fn later(name: &'static str, family: Family) -> Operator {
    Operator {
        name,
        family,
        parameters: &[],
        is_variadic: true,
        is_later: true,
        per_modality: None,
    }
}

const SHORT: Type = Type::Word(&["skip", "loop", "pad", "error"]);
/// What an operation on pictures leaves; `exact` where nothing is said.
const LEVELS: Type = Type::Word(&["exact", "whole"]);
/// Whether a mask may be as wide as its `max`; `inclusive` where nothing is said.
const WIDTHS: Type = Type::Word(&["inclusive", "exclusive"]);
const X: Parameter = needs("x", Type::Tensor);
const Y: Parameter = needs("y", Type::Tensor);

/// All operators. Sources: App. C (data), Tables S1 and S2 (augmentations), S5 to S8 (layers), Sec. 4.3 (policies), Sec. 3
/// (loss), App. E (features, heads); SimSiam, BYOL, VICReg, SwAV and AVID for the remaining losses.
pub const OPERATORS: &[Operator] = &[
    op("video", Family::Modality, &[needs("clip", Type::Clip)]),
    op(
        "audio",
        Family::Modality,
        &[
            needs("clip", Type::Clip),
            needs("spectrogram", Type::Spectrogram),
        ],
    ),
    later("text", Family::Modality),
    later("flow", Family::Modality),
    op(
        "logmel",
        Family::Spectrogram,
        &[
            needs("bands", Type::Quantity(SMALL_COUNT)),
            needs("hop", Type::Quantity(DURATION)),
            needs("fft", Type::Quantity(SAMPLES)),
            needs("centre", Type::YesNo),
        ],
    ),
    op(
        "videos",
        Family::Data,
        &[
            needs("train", Type::Quantity(COUNT)),
            needs("classes", Type::Quantity(SMALL_COUNT)),
            needs("requires", Type::Modalities),
            may("splits", Type::Quantity(SMALL_COUNT)),
            needs("short", SHORT),
            may("label", Type::Text),
            may("part_of", Type::Data),
            may("length", Type::Quantity(DURATION)),
        ],
    ),
    op(
        "sounds",
        Family::Data,
        &[
            needs("train", Type::Quantity(COUNT)),
            needs("classes", Type::Quantity(SMALL_COUNT)),
            may("splits", Type::Quantity(SMALL_COUNT)),
            needs("short", SHORT),
            may("label", Type::Text),
            may("part_of", Type::Data),
            may("length", Type::Quantity(DURATION)),
        ],
    ),
    op(
        "synthetic",
        Family::Data,
        &[
            needs("clips", Type::Quantity(SMALL_COUNT)),
            needs("classes", Type::Quantity(SMALL_COUNT)),
            needs("length", Type::Quantity(DURATION)),
            needs("lag", Type::Quantity(LAG)),
            needs("seed", Type::Quantity(SEED)),
            may("splits", Type::Quantity(SMALL_COUNT)),
        ],
    ),
    op(
        "multi_scale_crop",
        Family::Augment,
        &[needs("min_area", Type::Quantity(SHARE))],
    ),
    op(
        "horizontal_flip",
        Family::Augment,
        &[needs("p", Type::Quantity(PROBABILITY))],
    ),
    op(
        "color_jitter",
        Family::Augment,
        &[
            needs("brightness", Type::Quantity(SHARE)),
            needs("contrast", Type::Quantity(SHARE)),
            needs("saturation", Type::Quantity(SHARE)),
            needs(
                "hue",
                Type::Quantity(Measure::real("a share of a turn", NUMBER, (0, 1), (1, 2))),
            ),
        ],
    ),
    op(
        "gray_scale",
        Family::Augment,
        &[
            needs("p", Type::Quantity(PROBABILITY)),
            may("levels", LEVELS),
        ],
    ),
    op(
        "gaussian_blur",
        Family::Augment,
        &[
            needs("p", Type::Quantity(PROBABILITY)),
            needs("sigma", Type::Pair(POSITIVE)),
            may("pair", Type::Word(&["range", "axes"])),
            may("levels", LEVELS),
        ],
    ),
    op(
        "cutout",
        Family::Augment,
        &[
            needs("max", Type::Quantity(LENGTH)),
            needs("count", Type::Quantity(SMALL_COUNT)),
            needs(
                "fill",
                Type::Word(&["first_frame_mean", "times_first_frame_mean"]),
            ),
        ],
    ),
    op(
        "volume_jitter",
        Family::Augment,
        &[needs("range", Type::Quantity(SHARE))],
    ),
    op(
        "time_mask",
        Family::Augment,
        &[
            needs("max", Type::Quantity(BINS)),
            needs("count", Type::Quantity(SMALL_COUNT)),
            may("widths", WIDTHS),
        ],
    ),
    op(
        "freq_mask",
        Family::Augment,
        &[
            needs("max", Type::Quantity(BINS)),
            needs("count", Type::Quantity(SMALL_COUNT)),
            may("widths", WIDTHS),
        ],
    ),
    op(
        "random_crop",
        Family::Augment,
        &[
            needs("range", Type::Pair(POSITIVE)),
            needs("canvas", Type::Pair(POSITIVE)),
        ],
    ),
    op(
        "time_warp",
        Family::Augment,
        &[needs("window", Type::Quantity(BINS))],
    ),
    later("drop_words", Family::Augment),
    later("follow", Family::Augment),
    op("consistent", Family::Timing, &[needs("chain", Type::Chain)]),
    op("per_frame", Family::Timing, &[needs("chain", Type::Chain)]),
    op(
        "r2plus1d",
        Family::Layer,
        &[
            needs("depth", Type::Quantity(DEPTH)),
            needs("width", Type::Quantity(WIDTH)),
        ],
    ),
    op(
        "resnet",
        Family::Layer,
        &[
            needs("depth", Type::Quantity(DEPTH)),
            needs("width", Type::Quantity(WIDTH)),
            needs("channels", Type::Quantity(WIDTH)),
        ],
    ),
    op(
        "fc",
        Family::Layer,
        &[needs("width", Type::Quantity(WIDTH))],
    ),
    op("bn", Family::Layer, &[]),
    op("relu", Family::Layer, &[]),
    op("l2", Family::Layer, &[]),
    op("same", Family::Layer, &[needs("as", Type::Layers)]),
    later("bag_of_words", Family::Layer),
    Operator {
        per_modality: Some(Type::Word(&["same"])),
        ..op(
            "windows",
            Family::Policy,
            &[
                needs("within", Type::Within),
                needs("across", Type::Word(&["inside", "start", "centre"])),
            ],
        )
    },
    op("same", Family::Within, &[]),
    op(
        "overlap",
        Family::Within,
        &[
            needs("share", Type::Quantity(SHARE)),
            needs("of", Type::Modality),
        ],
    ),
    op("halves", Family::Within, &[]),
    op(
        "offset",
        Family::Within,
        &[needs("by", Type::Word(&["max"]))],
    ),
    op("independent", Family::Within, &[]),
    op(
        "cosine",
        Family::Schedule,
        &[
            needs("range", Type::Range),
            may("warmup", Type::Quantity(EPOCHS)),
        ],
    ),
    op(
        "multistep",
        Family::Schedule,
        &[
            needs("base", Type::Quantity(RATE)),
            needs("ms", Type::Numbers(EPOCHS)),
            needs("gamma", Type::Quantity(SHARE)),
        ],
    ),
    op(
        "late",
        Family::Schedule,
        &[
            needs("schedule", Type::Schedule),
            needs("first", Type::Quantity(RATE)),
        ],
    ),
    op(
        "adam",
        Family::Optimiser,
        &[
            needs("betas", Type::Pair(SHARE)),
            needs("wd", Type::Quantity(DECAY)),
        ],
    ),
    op(
        "sgd",
        Family::Optimiser,
        &[
            needs("mtm", Type::Quantity(SHARE)),
            needs("wd", Type::Quantity(DECAY)),
        ],
    ),
    op(
        "larc",
        Family::Optimiser,
        &[
            needs("inner", Type::Optimiser),
            needs("trust", Type::Quantity(ANY_NUMBER)),
        ],
    ),
    op(
        "random",
        Family::Clips,
        &[needs("clips", Type::Quantity(SMALL_COUNT))],
    ),
    op(
        "uniform",
        Family::Clips,
        &[needs("clips", Type::Quantity(SMALL_COUNT))],
    ),
    op("conv5", Family::Feature, &[]),
    Operator {
        name: "maxpool",
        family: Family::Feature,
        parameters: &[may("stride", Type::Later)],
        is_variadic: true,
        is_later: false,
        per_modality: None,
    },
    op("l2", Family::Feature, &[]),
    op("bn", Family::Feature, &[]),
    op(
        "mean",
        Family::Feature,
        &[needs("of", Type::Word(&["clips"]))],
    ),
    op("svm", Family::Head, &[needs("cost", Type::Best)]),
    op(
        "linear",
        Family::Head,
        &[
            needs("ep", Type::Quantity(SMALL_COUNT)),
            needs("lr", Type::Schedule),
        ],
    ),
    op(
        "fc",
        Family::Head,
        &[needs("width", Type::Word(&["classes"]))],
    ),
    op(
        "knn",
        Family::Neighbours,
        &[needs("distance", Type::Word(&["cosine"]))],
    ),
    op("last", Family::Keep, &[]),
    op("best", Family::Keep, &[needs("split", Type::Split)]),
    Operator {
        name: "concat",
        family: Family::Fuse,
        parameters: &[],
        is_variadic: true,
        is_later: false,
        per_modality: None,
    },
    op(
        "best",
        Family::Best,
        &[
            needs("costs", Type::Numbers(POSITIVE)),
            needs("split", Type::Split),
        ],
    ),
    op("test", Family::Split, &[]),
    op(
        "val",
        Family::Split,
        &[needs("share", Type::Quantity(SHARE))],
    ),
    op("top1", Family::Score, &[needs("of", Type::Score)]),
    op(
        "recall",
        Family::Score,
        &[needs("k", Type::Quantity(SMALL_COUNT))],
    ),
    op("cos", Family::Term, &[X, Y]),
    op("mse", Family::Term, &[X, Y]),
    op("dot", Family::Term, &[X, Y]),
    op("xent", Family::Term, &[X, Y]),
    op(
        "info_nce",
        Family::Term,
        &[
            X,
            Y,
            needs("t", Type::Quantity(TEMPERATURE)),
            may("negatives", Type::Quantity(COUNT)),
        ],
    ),
    op("hinge_std", Family::Term, &[X]),
    op("cov", Family::Term, &[X]),
    op("f", Family::Tensor, &[X]),
    op("h", Family::Tensor, &[X]),
    op("sg", Family::Tensor, &[X]),
    op("l2", Family::Tensor, &[X]),
    op(
        "sinkhorn",
        Family::Tensor,
        &[X, needs("eps", Type::Quantity(TEMPERATURE))],
    ),
    op(
        "linear",
        Family::Tensor,
        &[needs("width", Type::Quantity(WIDTH))],
    ),
    op(
        "ema",
        Family::Tensor,
        &[needs("of", Type::Function), needs("decay", Type::Schedule)],
    ),
    op(
        "memory",
        Family::Tensor,
        &[
            needs("of", Type::Function),
            needs("momentum", Type::Quantity(SHARE)),
        ],
    ),
    later("queue", Family::Tensor),
    later("kmeans", Family::Tensor),
    op("sum", Family::Sum, &[needs("of", Type::Loss)]),
    op("mean", Family::Sum, &[needs("of", Type::Loss)]),
    op("unit", Family::Sum, &[needs("of", Type::Loss)]),
];

/// The operator of this name in this family.
pub fn operator(family: Family, name: &str) -> Option<&'static Operator> {
    OPERATORS
        .iter()
        .find(|o| o.family == family && o.name == name)
}

/// The first operator of this name in any family.
pub fn any_operator(name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().find(|o| o.name == name)
}

/// Names of the operators of a family that this version can run.
pub fn operators_of(family: Family) -> impl Iterator<Item = &'static str> {
    OPERATORS
        .iter()
        .filter(move |o| o.family == family && !o.is_later)
        .map(|o| o.name)
}

/// Fields of a pretraining (Table S10).
pub const PRETRAIN: &[Parameter] = &[
    needs("data", Type::Data),
    needs("modalities", Type::Modalities),
    needs(
        "views",
        Type::Quantity(Measure::whole("a count", NUMBER, 1, 16)),
    ),
    needs("loss", Type::Loss),
    needs("weights", Type::Word(&["unit", "exact", "per_family"])),
    needs("relax", Type::Policy),
    needs("bn", Type::Word(&["per_view", "joint"])),
    needs("bs", Type::Quantity(BATCH)),
    needs("es", Type::Quantity(COUNT)),
    needs("ep", Type::Quantity(EPOCH_COUNT)),
    needs("optim", Type::Optimiser),
    needs("lr_b", Type::Schedule),
    needs("lr_p", Type::Schedule),
    needs("precision", Type::Word(&["amp", "fp32", "bf16", "fp64"])),
    needs("seed", Type::Quantity(SEED)),
];

/// Fields of a pretraining that each modality has: `v.augment`. `v.lr_b` stands before `lr_b` where both are set.
pub const PER_MODALITY: &[Parameter] = &[
    needs("augment", Type::Chain),
    needs("f", Type::Layers),
    may("h", Type::Layers),
    may("lr_b", Type::Schedule),
    may("lr_p", Type::Schedule),
];

/// Names that other tools have for fields and arguments, and ours.
pub const HABITS: &[(&str, &[&str])] = &[
    ("lr", &["lr_b", "lr_p"]),
    ("learning_rate", &["lr_b", "lr_p"]),
    ("batch", &["bs"]),
    ("batch_size", &["bs"]),
    ("epoch", &["ep"]),
    ("epochs", &["ep"]),
    ("num_epochs", &["ep"]),
    ("max_epochs", &["ep"]),
    ("epoch_size", &["es"]),
    ("samples", &["es"]),
    ("optimizer", &["optim"]),
    ("optimiser", &["optim"]),
    ("dataset", &["data"]),
    ("weight_decay", &["wd"]),
    ("momentum", &["mtm"]),
    ("temperature", &["t"]),
    ("dtype", &["precision"]),
    ("amp", &["precision"]),
    ("random_seed", &["seed"]),
    ("augmentation", &["augment"]),
    ("augmentations", &["augment"]),
    ("transform", &["augment"]),
    ("transforms", &["augment"]),
    ("n_views", &["views"]),
    ("num_views", &["views"]),
    ("relaxation", &["relax"]),
    ("policy", &["relax"]),
    ("batchnorm", &["bn"]),
    ("num_classes", &["classes"]),
];

/// Fields that other tools have and this language says in another way.
pub const ELSEWHERE: &[(&str, &str)] = &[
    (
        "warmup",
        "the warm-up is an argument of the schedule: `cosine(0.0002 -> 0, warmup: 2ep)`",
    ),
    (
        "warmup_epochs",
        "the warm-up is an argument of the schedule: `cosine(0.0002 -> 0, warmup: 2ep)`",
    ),
    (
        "scheduler",
        "a schedule is the value of a rate: `lr_b = cosine(0.0002 -> 0)`",
    ),
    (
        "schedule",
        "a schedule is the value of a rate: `lr_b = cosine(0.0002 -> 0)`",
    ),
    (
        "clip",
        "the clip is that of the modality: `modality w = video(clip: 8x112px @ 16fps)`",
    ),
    (
        "name",
        "the name stands behind the kind: `pretrain mine = crisscross with { ... }`",
    ),
    (
        "defaults",
        "what a file starts from stands before `with`: `pretrain mine = crisscross with { ... }`",
    ),
    (
        "device",
        "what is local stands on the command line or in `crisscross.toml`: `run --device cuda`",
    ),
    (
        "gpus",
        "what is local stands on the command line or in `crisscross.toml`: `run --device cuda`",
    ),
    (
        "workers",
        "what is local stands on the command line or in `crisscross.toml`: `run --loader-threads 4`",
    ),
    (
        "num_workers",
        "what is local stands on the command line or in `crisscross.toml`: `run --loader-threads 4`",
    ),
    ("root", "where data lie stands in `crisscross.toml`"),
    ("path", "where data lie stands in `crisscross.toml`"),
    (
        "lr",
        "rates are fields of the pretraining: `lr_b` and `lr_p`",
    ),
];

/// Fields of an evaluation (App. E).
pub const EVAL: &[Parameter] = &[
    may("data", Type::Data),
    needs("uses", Type::Modality),
    may("clip", Type::Clip),
    may("train", Type::Clips),
    may("test", Type::Clips),
    may("augment", Type::Chain),
    may("features", Type::Features),
    may("dim", Type::Quantity(COUNT)),
    may("head", Type::Head),
    needs("score", Type::Score),
    may("tune", Type::Word(&["all"])),
    may("pool", Type::Word(&["adaptive_max", "adaptive_mean"])),
    may("bs", Type::Quantity(BATCH)),
    may("es", Type::Quantity(COUNT)),
    may("ep", Type::Quantity(SMALL_COUNT)),
    may("optim", Type::Optimiser),
    may("lr", Type::Schedule),
    may("drp", Type::Quantity(SHARE)),
    may("keep", Type::Keep),
    may("fuse", Type::Fuse),
    may("neighbours", Type::Neighbours),
];

/// Fields of a table.
pub const TABLE: &[Parameter] = &[
    may("of", Type::Pretrain),
    may("scores", Type::Scores),
    may("curves", Type::Later),
];

/// Fields of a figure.
pub const FIGURE: &[Parameter] = &[
    may("of", Type::Pretrain),
    may("scores", Type::Scores),
    may("curves", Type::Later),
    needs("x", Type::Path),
];

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
