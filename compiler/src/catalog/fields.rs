//! The fields of pretrainings, evaluations, tables and figures.

use super::*;

/// Fields of a pretraining (Table S10).
pub const PRETRAIN: &[Parameter] = &[
    needs("data", Type::Data, "what it is trained on").from("Table S10"),
    needs(
        "modalities",
        Type::Modalities,
        "the modalities that are sampled; a loss may leave some unread",
    )
    .from("Sec. 3.1"),
    needs(
        "views",
        Type::Quantity(Measure::whole("a count", NUMBER, 1, 16)),
        "the views of each modality, numbered from 1",
    )
    .from("Sec. 3.1"),
    needs("loss", Type::Loss, "what is minimised").from("Eq. 5"),
    needs(
        "weights",
        Type::Word(&["unit", "exact", "per_family"]),
        "how the weights of the loss are scaled",
    )
    .from("Eq. 5"),
    needs(
        "relax",
        Type::Policy,
        "how the windows of the views lie in time",
    )
    .from("Sec. 4.3"),
    needs(
        "bn",
        Type::Word(&["per_view", "joint"]),
        "what the statistics of BatchNorm are taken over",
    )
    .from("code"),
    may(
        "bn_group",
        Type::Quantity(BATCH),
        "the samples of a group that BatchNorm takes its statistics over, in the place of the whole batch; running statistics move once a step",
    )
    .from("ours"),
    needs("bs", Type::Quantity(BATCH), "the samples of a batch").from("Table S10"),
    needs(
        "es",
        Type::Quantity(COUNT),
        "the samples of an epoch; the last incomplete batch is dropped",
    )
    .from("Table S10"),
    needs(
        "ep",
        Type::Quantity(EPOCH_COUNT),
        "the epochs; 0 leaves the weights random",
    )
    .from("Table S10"),
    needs("optim", Type::Optimiser, "the optimiser of all networks").from("Table S10"),
    needs(
        "lr_b",
        Type::Schedule,
        "the learning rate of backbones and projectors",
    )
    .from("Table S10"),
    needs("lr_p", Type::Schedule, "the learning rate of predictors").from("Table S10"),
    needs(
        "precision",
        Type::Word(&["amp", "fp32", "bf16", "fp16", "fp64"]),
        "the arithmetic of the networks",
    )
    .from("App. G.1"),
    needs(
        "seed",
        Type::Quantity(SEED),
        "the seed of all random numbers",
    )
    .from("not reported"),
];

/// Fields of a pretraining that each modality has: `v.augment`. `v.lr_b` stands before `lr_b` where both are set.
pub const PER_MODALITY: &[Parameter] = &[
    needs("augment", Type::Chain, "the augmentation of each view").from("Tables S1, S2"),
    needs("f", Type::Layers, "the encoder: backbone, then projector").from("Tables S5 to S7"),
    may(
        "h",
        Type::Layers,
        "the predictor; a loss without `p` needs none",
    )
    .from("Table S8"),
    may(
        "lr_b",
        Type::Schedule,
        "the learning rate of this `f`, in the place of the common one",
    )
    .from("Table S10"),
    may(
        "lr_p",
        Type::Schedule,
        "the learning rate of this `h`, in the place of the common one",
    )
    .from("Table S10"),
];

/// Fields of an evaluation (App. E).
pub const EVAL: &[Parameter] = &[
    may(
        "data",
        Type::Data,
        "what it is evaluated on; `eval on data` sets it",
    )
    .from("App. E"),
    needs(
        "uses",
        Type::Modality,
        "the modality whose backbone is used; a list for a fusion",
    )
    .from("App. E"),
    may("clip", Type::Clip, "what the backbone sees").from("App. E"),
    may(
        "train",
        Type::Clips,
        "the clips of each training sample, which are augmented",
    )
    .from("App. E"),
    may(
        "test",
        Type::Clips,
        "the clips of each test sample, which are not augmented",
    )
    .from("App. E"),
    may(
        "augment",
        Type::Chain,
        "the augmentation of training clips; none where nothing is said",
    )
    .from("Tables S3, S4"),
    may(
        "features",
        Type::Features,
        "from the last convolution's map to a vector",
    )
    .from("App. E.1"),
    may(
        "dim",
        Type::Quantity(COUNT),
        "the number of values that the features have, as a claim that is checked",
    )
    .from("App. E.1"),
    may("head", Type::Head, "the classifier").from("App. E"),
    needs(
        "score",
        Type::Score,
        "what is reported; a list gives a column for each",
    )
    .from("App. E"),
    may(
        "tune",
        Type::Word(&["all"]),
        "what is trained beside the head",
    )
    .from("App. E.2"),
    may(
        "pool",
        Type::Word(&["adaptive_max", "adaptive_mean"]),
        "how finetuning gets from the map to a vector",
    )
    .from("App. E.2 | code"),
    may(
        "bs",
        Type::Quantity(BATCH),
        "the samples of a batch of finetuning",
    )
    .from("Table S11"),
    may(
        "es",
        Type::Quantity(COUNT),
        "the samples of an epoch of finetuning",
    )
    .from("Table S11"),
    may(
        "ep",
        Type::Quantity(SMALL_COUNT),
        "the epochs of finetuning",
    )
    .from("Table S11"),
    may("optim", Type::Optimiser, "the optimiser of finetuning").from("Table S11"),
    may("lr", Type::Schedule, "the learning rate of finetuning").from("Table S11"),
    may("drp", Type::Quantity(SHARE), "the dropout before the head").from("Table S11"),
    may("keep", Type::Keep, "the epoch whose weights are scored").from("App. E.2 | code"),
    may(
        "fuse",
        Type::Fuse,
        "the evaluations whose features stand side by side",
    )
    .from("Table 2"),
    may("neighbours", Type::Neighbours, "how neighbours are found").from("App. E.3"),
];

const OF: Parameter = may(
    "of",
    Type::Pretrain,
    "the pretraining that each row starts from; a row may set it",
)
.from("the paper's tables");
const CHECKPOINT_OF: Parameter = may(
    "checkpoint",
    Type::Quantity(CHECKPOINT),
    "the state of each run that is scored, its end where nothing is said; a row may set it",
)
.from("Fig. 4");
const SCORES: Parameter = may(
    "scores",
    Type::Scores,
    "the columns: a list of `eval on data`",
)
.from("the paper's tables");
const CURVES: Parameter = may(
    "curves",
    Type::Curves,
    "curves over the steps of each training: `train.loss`, `train.terms`, `train.rates`",
)
.from("Fig. 5");

/// Fields of a table.
pub const TABLE: &[Parameter] = &[OF, CHECKPOINT_OF, SCORES, CURVES];

/// Fields of a figure.
pub const FIGURE: &[Parameter] = &[
    OF,
    CHECKPOINT_OF,
    SCORES,
    CURVES,
    may(
        "draw",
        Type::Drawing,
        "what is drawn of each row, one or a list: `gallery(...)`",
    )
    .from("Figs. 1, 3, S1, S2"),
    may(
        "x",
        Type::Path,
        "what scores are drawn against: a value of the rows, such as `relax` or `checkpoint`, or how much of each other the windows of a \
         row's views cover, `overlap`: of `overlap.intra`, `overlap.sync`, `overlap.async`, or of one pair, `overlap.v1a2`",
    )
    .from("the paper's figures"),
];

/// What a row says beside the fields of its pretraining: which one it starts from, and the state of it that is scored.
pub const OF_ROWS: &[&str] = &["of", "checkpoint"];
