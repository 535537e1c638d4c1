//! What other tools call things, for suggestions.

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
    ("C", &["cost"]),
    ("float16", &["fp16"]),
    ("half", &["fp16"]),
    ("bfloat16", &["bf16"]),
    ("float32", &["fp32"]),
    ("float64", &["fp64"]),
    ("adamw", &["adam"]),
    ("AdamW", &["adam"]),
    ("detach", &["sg"]),
    ("stopgrad", &["sg"]),
    ("stop_grad", &["sg"]),
    ("stop_gradient", &["sg"]),
    ("no_grad", &["sg"]),
    ("normalize", &["l2"]),
    ("normalise", &["l2"]),
    ("backbone", &["f"]),
    ("encoder", &["f"]),
    ("network", &["f"]),
    ("predictor", &["h"]),
    ("video", &["v"]),
    ("audio", &["a"]),
    ("linear", &["fc"]),
    ("Linear", &["fc"]),
    ("size", &["max"]),
    ("Kinetics400", &["K400"]),
    ("kinetics400", &["K400"]),
    ("KineticsSound", &["KS"]),
    ("KineticsSounds", &["KS"]),
    ("kinetics_sound", &["KS"]),
    ("AudioSet", &["AS"]),
    ("audioset", &["AS"]),
];

/// Words of other tools that mean something close to a word of this language, and not the same: it is named, never put in.
pub const CLOSE: &[&str] = &["adamw", "AdamW"];

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
    (
        "draw",
        "what is drawn of each row is said in a figure: write `figure` in place of `table`",
    ),
    (
        "checkpoint",
        "a state of a training is named where it is scored, in a row: `row checkpoint = 40ep`",
    ),
    ("root", "where data lie stands in `crisscross.toml`"),
    ("path", "where data lie stands in `crisscross.toml`"),
    (
        "lr",
        "rates are fields of the pretraining: `lr_b` and `lr_p`",
    ),
    ("weight_decay", OF_ADAM),
    ("wd", OF_ADAM),
    ("betas", OF_ADAM),
    ("momentum", OF_SGD),
    ("mtm", OF_SGD),
    ("temperature", OF_INFO_NCE),
    ("tau", OF_INFO_NCE),
    ("projector", END_OF_F),
    ("projection", END_OF_F),
    ("projection_head", END_OF_F),
];

const OF_ADAM: &str =
    "it is an argument of the optimiser: `optim = adam(betas: (0.9, 0.999), wd: 0.0001)`";
const OF_SGD: &str = "it is an argument of the optimiser: `optim = sgd(mtm: 0.9, wd: 0.0001)`";
const OF_INFO_NCE: &str =
    "it is an argument of the operator: `loss = info_nce(z(v[1]), z(a[1]), t: 0.1)`";
const END_OF_F: &str =
    "the projector is the end of a modality's network: `v.f = r2plus1d18 - proj`";

/// Names of other tools that no single name of this language stands for, and what to write.
pub const IN_OTHER_WORDS: &[(&str, &str)] = &[
    ("Compose", CHAIN),
    ("compose", CHAIN),
    ("Sequential", CHAIN),
    ("sequential", CHAIN),
    ("RandomResizedCrop", CROP),
    ("random_resized_crop", CROP),
];

const CHAIN: &str = "what comes one after the other is a chain: `MSC-HF-CJ`, `fc(512)-bn-relu`";
const CROP: &str = "`multi_scale_crop(min_area: 0.08)` keeps 8 % of the area at least";

/// The pairs of names that other tools have for the two ends of a range.
pub const ENDS: &[(&str, &str)] = &[("from", "to"), ("start", "end"), ("base", "final")];

/// Arguments that other tools have for a clip; here `clip: 8x112px @ 16fps` says all of them.
pub const PARTS_OF_A_CLIP: &[&str] = &[
    "rate",
    "fps",
    "frame_rate",
    "sample_rate",
    "sampling_rate",
    "sr",
    "frames",
    "num_frames",
    "size",
    "image_size",
    "duration",
    "length",
    "seconds",
];
