//! Modalities, spectrograms and data sets (Sec. 4.1, App. C).

use super::*;

const SHORT: Type = Type::Word(&["skip", "loop", "pad", "error"]);
const SPLITS: Parameter = may(
    "splits",
    Type::Quantity(SMALL_COUNT),
    "the folds or splits that scores are averaged over; one where nothing is said",
);
const LABEL: Parameter = may(
    "label",
    Type::Text,
    "the CSV column that holds the class; `label` where nothing is said",
);
const PART_OF: Parameter = may(
    "part_of",
    Type::Data,
    "the larger set that its files come from, so that scoring on seen data is noticed",
);
const LENGTH_OF_FILES: Parameter = may(
    "length",
    Type::Quantity(DURATION),
    "what every file lasts at least, so that windows are checked before anything is read",
);
const LONGER_FILES: Parameter = may(
    "longer",
    Type::Quantity(DURATION),
    "files whose streams do not all last longer are left out, as the released code leaves out those up to 1.1 s",
);
const TRAIN: Parameter = needs(
    "train",
    Type::Quantity(COUNT),
    "the training clips as published, for estimates; the files themselves are counted by `run`",
);
const CLASSES: Parameter = may(
    "classes",
    Type::Quantity(SMALL_COUNT),
    "the number of different labels; without it the files have none, and can be trained on but not scored",
);
const SHORT_SOURCES: Parameter = needs(
    "short",
    SHORT,
    "what happens to a source that is shorter than its window",
);

pub(super) const OPERATORS: &[Operator] = &[
    op(
        "video",
        Family::Modality,
        "pictures: the frames of a clip, square and in colour",
        "Sec. 4.1",
        &[needs(
            "clip",
            Type::Clip,
            "frames, their size and their rate, such as `8x112px @ 16fps`",
        )],
    ),
    op(
        "audio",
        Family::Modality,
        "sound: a mono wave that becomes a spectrogram before the network",
        "Sec. 4.1",
        &[
            needs(
                "clip",
                Type::Clip,
                "duration and sample rate, such as `2s @ 16kHz`",
            ),
            needs("spectrogram", Type::Spectrogram, "what the wave becomes"),
        ],
    ),
    op(
        "text",
        Family::Modality,
        "the words that fall into a window, numbered; checked and planned, not decoded yet",
        "App. H (future work)",
        &[
            needs(
                "clip",
                Type::Quantity(DURATION),
                "the length of the window, such as `2s`: words come at no rate",
            ),
            needs(
                "tokens",
                Type::Quantity(TOKENS),
                "the places for words, such as `16tokens`; more words are left out, places left over are empty",
            ),
            needs(
                "from",
                Type::Word(&["captions"]),
                "the stream of the data set that has the words",
            ),
        ],
    ),
    op(
        "flow",
        Family::Modality,
        "the optical flow in the views of a video: two channels, as many frames; checked and planned, not computed yet",
        "App. H (future work)",
        &[
            needs(
                "of",
                Type::Modality,
                "the modality of video; its windows are those of the flow",
            ),
            needs(
                "method",
                Type::Word(&["tvl1"]),
                "how the motion from a frame to the next is found",
            ),
        ],
    ),
    op(
        "logmel",
        Family::Spectrogram,
        "the logarithm of a mel spectrogram, shifted and scaled as the released code does",
        "Sec. 4.1 | code (normalisation)",
        &[
            needs(
                "bands",
                Type::Quantity(SMALL_COUNT),
                "the mel bands, which are its rows",
            ),
            needs(
                "hop",
                Type::Quantity(DURATION),
                "the time from one column to the next",
            ),
            needs(
                "fft",
                Type::Quantity(SAMPLES),
                "the samples of the window and of the transform",
            ),
            needs(
                "centre",
                Type::YesNo,
                "`no`: each column is centred on its own hop, 200 for 2 s; `yes`: as librosa, 201",
            ),
        ],
    ),
    op(
        "videos",
        Family::Data,
        "video files on this machine, most with sound; their place stands in `crisscross.toml`",
        "App. C",
        &[
            TRAIN,
            CLASSES,
            needs(
                "requires",
                Type::Streams,
                "the streams that a file must have to be used, by the modalities that read them; `captions` for timed words",
            ),
            SPLITS,
            SHORT_SOURCES,
            LABEL,
            PART_OF,
            LENGTH_OF_FILES,
            LONGER_FILES,
        ],
    ),
    op(
        "sounds",
        Family::Data,
        "sound files on this machine; their place stands in `crisscross.toml`",
        "App. C",
        &[
            TRAIN,
            CLASSES,
            SPLITS,
            SHORT_SOURCES,
            LABEL,
            PART_OF,
            LENGTH_OF_FILES,
            LONGER_FILES,
        ],
    ),
    op(
        "synthetic",
        Family::Data,
        "clips made on the fly: a shape moves and a tone follows it; the class is the pair of both",
        "ours",
        &[
            needs("clips", Type::Quantity(SMALL_COUNT), "how many there are"),
            needs(
                "classes",
                Type::Quantity(SMALL_COUNT),
                "the number of different labels",
            ),
            needs("length", Type::Quantity(DURATION), "how long each clip is"),
            needs(
                "lag",
                Type::Quantity(LAG),
                "by how much the sound follows the picture",
            ),
            needs(
                "seed",
                Type::Quantity(SEED),
                "the seed that they are made from",
            ),
            SPLITS,
        ],
    ),
];
