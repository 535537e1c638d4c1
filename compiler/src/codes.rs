//! The codes of mistakes in meaning and what each says. Syntax mistakes, E01xx, are in `grammar::codes`.

mod pages;

use grammar::diagnostic::Code;

pub use pages::{Page, Wrong, known, nearest, page};

macro_rules! codes {
    ($($name:ident = $code:literal: $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: Code = Code($code);)*

        /// Every code of this crate with its meaning in one line.
        pub const ALL: &[(Code, &str)] = &[$(($name, $meaning)),*];
    };
}

codes! {
    SIZE_WITHOUT_UNIT = "E0201": "the size of a picture needs a unit and is square";
    RATE_WITHOUT_UNIT = "E0202": "a rate needs a unit";
    WRONG_KIND_OF_VALUE = "E0203": "the value measures or is something else than its place takes";
    UNITS_DO_NOT_ADD = "E0204": "quantities of different units do not add";
    BROKEN_TICK = "E0205": "a clip has whole frames, samples and columns";
    OUT_OF_RANGE = "E0206": "the number lies outside the range of its place";
    COUNT_WITH_UNIT = "E0207": "the place counts already, so its number has no unit";
    TOO_LARGE = "E0208": "the number is too large, too fine, or divided by zero";
    UNKNOWN_NAME = "E0301": "nothing of this name is known here";
    UNKNOWN_FIELD = "E0302": "there is no such field or argument";
    DEFINED_TWICE = "E0303": "one name has one definition";
    RING = "E0304": "definitions refer to each other in a ring";
    MISSING_FIELD = "E0305": "a required field or argument is missing";
    NOT_SWEEPABLE = "E0306": "`for` ranges over a field or over a name that its rows use";
    SET_TWICE = "E0307": "one field or argument is set twice";
    UNKNOWN_MODULE = "E0308": "no file and no shipped module of this name";
    EXPECT_COUNT = "E0309": "a row expects one number for each score";
    WRONG_ARGUMENTS = "E0310": "a function is given too many or too few arguments";
    EMPTY_BODY = "E0311": "a declaration of this kind is written in the other form";
    NOT_A_WARNING = "E0312": "`allow` takes the code of a warning";
    NO_REASON = "E0313": "`allow` says why the warning is meant";
    ALLOWS_NOTHING = "W0314": "an `allow` silences nothing";
    NOT_AN_EMBEDDING = "E0401": "a view is not an embedding";
    NEEDS_MODALITY = "E0402": "the loss needs a modality that the run does not have";
    NO_SUCH_VIEW = "E0403": "the loss needs a view that the run does not have";
    NOT_LINEAR = "E0404": "losses can be added and scaled, nothing else";
    WIDTHS_DIFFER = "E0405": "two embeddings of one term have different widths";
    NO_PREDICTOR = "E0406": "the loss needs a predictor that is not set";
    ASSERTION_FAILED = "E0407": "the two sides of an assertion differ";
    NOTHING_TO_MINIMISE = "E0408": "the file or the loss is empty, or the experiment is too large to expand";
    COLLAPSE = "W0411": "nothing prevents collapse to a constant";
    COUNTED_TWICE = "W0412": "a term is part of two summands";
    MIXED_SCALES = "W0413": "one common scale for different operators says little";
    ONLY_THROUGH_LOSS = "W0414": "the networks of the modalities meet only through the loss";
    PUSHED_APART = "W0415": "a loss that is minimised pushes two views apart";
    LEAKING_TARGET = "W0416": "a target hands its gradient on in one direction and not in the other";
    NO_GRADIENT = "W0417": "a network of the loss gets no gradient";
    NOTHING_LEARNS = "E0418": "no network gets a gradient from the loss";
    WHOLE_BATCH = "W0419": "a statistic is over the whole batch, which several ranks have in parts";
    OWN_VIEW = "W0420": "a view is compared with itself";
    SOURCE_TOO_SHORT = "E0501": "the policy needs a longer source than the data has";
    OVERLAP_RANGE = "E0502": "an overlap lies between 0 % and 100 %";
    ONE_WINDOW = "W0503": "`async` and `sync` see the same windows";
    PAIRS_APART = "W0504": "synchronous pairs do not overlap in time";
    NO_EFFECT = "W0505": "a word of the policy has no effect on any pair";
    NOT_INSIDE = "E0506": "the video window does not fit in the audio window";
    WINDOW_TOO_LARGE = "E0601": "a window is larger than the map under it";
    NO_STRIDE = "E0602": "a pool needs a stride";
    BAD_LAYER = "E0603": "a layer does not fit its place";
    BACK_TO_WAVE = "E0604": "a chain returns to the wave after the spectrogram";
    WRONG_DOMAIN = "E0605": "an augmentation works on another modality";
    SMALL_CUTOUT = "W0606": "the squares of a cutout were set for smaller pictures";
    COLOUR_PER_FRAME = "W0607": "every frame gets a colour of its own";
    OTHER_DIMENSION = "E0608": "the stated number of values is not what the chain gives";
    OTHER_MAPS = "E0609": "the maps of a backbone are not those that are stated, or do not add up";
    NOT_ITS_FLOW = "E0610": "optical flow is that of a modality of video, and follows its views alone";
    OTHER_INPUTS = "E0611": "a shared network takes one form of input";
    ONE_ROW = "E0612": "BatchNorm needs two rows at least";
    OTHER_GROUPS = "E0614": "the groups of BatchNorm do not make up the batch";
    AS_LARGE_AS_THE_CLIP = "W0613": "a mask or square may hide all that it works on, or a warp does nothing";
    SAMPLES_DROPPED = "W0701": "an epoch is no whole number of batches, and its last samples are dropped";
    UNEQUAL_VISITS = "W0702": "an epoch visits some files more often than others";
    NOT_POSITIVE_TRUST = "E0703": "the trust coefficient is positive";
    WHOLE_SCHEDULE = "W0704": "the rate of the predictor follows the schedule of the base";
    CHOSEN_ON_TEST = "W0705": "a setting is chosen on the test split";
    NO_STREAM = "E0706": "the data set lacks a stream that is needed";
    SEEN_BEFORE = "W0707": "the data that are scored were seen in pretraining";
    BEHIND_THE_END = "E0708": "a checkpoint lies behind the end of the run";
    NO_WHOLE_BATCH = "E0709": "an epoch is smaller than one batch";
    WARM_UP_TOO_LONG = "E0710": "the warm-up is longer than the run";
    LATE_STEP = "W0711": "a step of a schedule lies behind the end of the run";
    NO_CLASSES = "E0712": "what is scored has classes";
    SAME_RUN = "W0801": "two rows of a table are the same run";
    SAME_NUMBERS = "W0802": "two rows of a table expect the same numbers";
    SAME_COLUMN = "W0803": "two columns of a table are the same evaluation";
    NOT_AVAILABLE = "E0901": "the language has it, this version cannot run it";
}
