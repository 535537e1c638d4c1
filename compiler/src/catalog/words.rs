//! Words and units: what each means where a place takes it.

/// A word that a place takes: the field or parameter, the word, and what it means.
pub const WORDS: &[(&str, &str, &str)] = &[
    ("short", "skip", "the file is left out, and counted"),
    ("short", "loop", "the source is repeated"),
    (
        "short",
        "pad",
        "sound is filled up with silence, the last frame is repeated",
    ),
    ("short", "error", "the run stops"),
    (
        "levels",
        "exact",
        "numbers as they are; so it is where nothing is said",
    ),
    (
        "levels",
        "whole",
        "whole levels of 8 bits, as the released code leaves them",
    ),
    (
        "widths",
        "inclusive",
        "a mask may be as wide as `max`; so it is where nothing is said",
    ),
    (
        "widths",
        "exclusive",
        "a mask is one narrower than `max` at most, as in the released code",
    ),
    (
        "pair",
        "range",
        "one sigma drawn from the range, the same across and down; so it is where nothing is said",
    ),
    (
        "pair",
        "axes",
        "the first across, the second down, never drawn, as in the released code",
    ),
    ("fill", "first_frame_mean", "the mean of the first frame"),
    (
        "fill",
        "times_first_frame_mean",
        "the picture times the mean of the first frame, as in the released code",
    ),
    (
        "across",
        "inside",
        "anywhere inside the longest window, uniformly",
    ),
    ("across", "start", "both begin at the same time"),
    ("across", "centre", "both have the same centre"),
    (
        "windows",
        "same",
        "`a: same` takes one of the windows so drawn, with equal chance, for all views of `a`",
    ),
    (
        "from",
        "captions",
        "captions or subtitles: words with their times, beside each file",
    ),
    ("method", "tvl1", "the duality-based TV-L1 method"),
    ("of", "each", "of the clip of each modality"),
    ("over", "axis", "the last axis of the map"),
    ("over", "vector", "all values of a clip"),
    ("of", "clips", "the clips of a sample"),
    ("width", "classes", "as many as the data set has classes"),
    ("split", "train", "the training samples"),
    (
        "split",
        "test",
        "the test samples, or those of the first fold",
    ),
    (
        "target",
        "agreement",
        "the cosine similarity with the embedding of the other modality at the same moment",
    ),
    (
        "target",
        "activation",
        "the length of the backbone's output",
    ),
    (
        "distance",
        "cosine",
        "1 less the cosine of the two feature vectors",
    ),
    (
        "weights",
        "unit",
        "divided by the sum of their absolute values, so that they add up to 1",
    ),
    ("weights", "exact", "as written"),
    (
        "weights",
        "per_family",
        "divided by the number of families (intra, sync, async) that have a term, as in the released code",
    ),
    (
        "bn",
        "per_view",
        "each view by itself; running statistics move once for each",
    ),
    ("bn", "joint", "all views of a modality together"),
    (
        "precision",
        "amp",
        "mixed precision where the device has it, float32 on the CPU",
    ),
    ("precision", "fp32", "float32"),
    ("precision", "bf16", "bfloat16 where it is safe"),
    (
        "precision",
        "fp16",
        "float16 where it is safe, with loss scaling",
    ),
    ("precision", "fp64", "float64"),
    ("tune", "all", "the whole backbone"),
    ("pool", "adaptive_max", "the maximum of each channel"),
    ("pool", "adaptive_mean", "the mean of each channel"),
];

/// What `word` means as the value of the field or parameter `place`.
pub fn word(place: &str, word: &str) -> Option<&'static str> {
    let found = WORDS.iter().find(|(p, w, _)| *p == place && *w == word);
    found.map(|(_, _, text)| *text)
}

/// The units: each is written directly after its number.
pub const UNITS: &[(&str, &str)] = &[
    ("s", "seconds"),
    ("ms", "thousandths of a second"),
    ("min", "minutes"),
    ("h", "hours"),
    ("Hz", "samples of sound in a second"),
    ("kHz", "thousands of samples of sound in a second"),
    ("fps", "frames of video in a second"),
    ("frames", "frames of video"),
    ("samples", "samples of sound"),
    ("bins", "columns or bands of a spectrogram"),
    ("tokens", "words of a text"),
    ("px", "pixels"),
    ("ep", "epochs, as a place on the axis of training"),
    ("GB", "billions of bytes"),
    ("K", "thousands of anything"),
    ("M", "millions of anything"),
    ("%", "hundredths: `50%` is 0.5"),
];

/// Names that are reserved everywhere.
pub const RESERVED: &[(&str, &str)] = &[
    (
        "use",
        "imports a module: `use paper`, `use \"lib/mine.cc\"`",
    ),
    ("assert", "claims that two losses or quantities are equal"),
    ("for", "repeats rows, or summands of `sum` and `mean`"),
    ("in", "stands before what `for` ranges over"),
    ("row", "a line of a table"),
    ("expect", "stands before the published numbers of a row"),
    ("with", "changes fields of what stands before it"),
    ("on", "gives an evaluation its data set"),
];

/// Names that mean something without a declaration.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("yes", "the answer to a yes-or-no field"),
    ("no", "the answer to a yes-or-no field"),
    ("_", "behind `expect`: no number was published"),
    (
        "modalities",
        "in a loss: the modalities of the pretraining that uses it",
    ),
    (
        "views",
        "in a loss: the numbers of the views of the pretraining that uses it",
    ),
    (
        "range",
        "behind `for ... in`: `range(1, 3)` is `[1, 2, 3]`, `range(10ep, 100ep, by: 10ep)` has steps of 10 epochs",
    ),
];
