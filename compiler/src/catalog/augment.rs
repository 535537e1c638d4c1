//! Augmentations and how often they are drawn (Tables S1 and S2).

use super::*;

/// What an operation on pictures leaves; `exact` where nothing is said.
const LEVELS: Parameter = may(
    "levels",
    Type::Word(&["exact", "whole"]),
    "what the operation leaves of the 8 bits of a picture",
);
/// Whether a mask may be as wide as its `max`; `inclusive` where nothing is said.
const WIDTHS: Parameter = may(
    "widths",
    Type::Word(&["inclusive", "exclusive"]),
    "whether a mask may be as wide as `max`",
);
const MASKS: Parameter = needs(
    "count",
    Type::Quantity(SMALL_COUNT),
    "how many masks are drawn",
);

pub(super) const OPERATORS: &[Operator] = &[
    op(
        "multi_scale_crop",
        Family::Augment,
        "MSC: a random part of the picture, of aspect 3/4 to 4/3, resized to the clip's size",
        "Table S1",
        &[needs(
            "min_area",
            Type::Quantity(SHARE),
            "the least share of the area that is kept",
        )],
    ),
    op(
        "horizontal_flip",
        Family::Augment,
        "HF: left and right exchanged",
        "Table S1",
        &[needs(
            "p",
            Type::Quantity(PROBABILITY),
            "how likely it happens",
        )],
    ),
    op(
        "color_jitter",
        Family::Augment,
        "CJ: brightness, contrast, saturation and hue changed at random, in random order",
        "Table S1",
        &[
            needs(
                "brightness",
                Type::Quantity(SHARE),
                "the factor lies within 1 - b and 1 + b",
            ),
            needs(
                "contrast",
                Type::Quantity(SHARE),
                "the factor lies within 1 - c and 1 + c",
            ),
            needs(
                "saturation",
                Type::Quantity(SHARE),
                "the factor lies within 1 - s and 1 + s",
            ),
            needs(
                "hue",
                Type::Quantity(Measure::real("a share of a turn", NUMBER, (0, 1), (1, 2))),
                "colours turn by up to this share of the circle either way",
            ),
        ],
    ),
    op(
        "gray_scale",
        Family::Augment,
        "GS: the clip without its colours",
        "Table S1",
        &[
            needs("p", Type::Quantity(PROBABILITY), "how likely it happens"),
            LEVELS,
        ],
    ),
    op(
        "gaussian_blur",
        Family::Augment,
        "GB: pictures blurred by a Gaussian",
        "Table S1 | App. D.1",
        &[
            needs("p", Type::Quantity(PROBABILITY), "how likely it happens"),
            needs(
                "sigma",
                Type::Pair(POSITIVE),
                "two widths of the Gaussian in pixels, read as `pair` says",
            ),
            may(
                "pair",
                Type::Word(&["range", "axes"]),
                "what the two sigmas are",
            ),
            LEVELS,
        ],
    ),
    op(
        "cutout",
        Family::Augment,
        "C: squares of the picture covered",
        "Table S1",
        &[
            needs(
                "max",
                Type::Quantity(LENGTH),
                "the longest side of a square",
            ),
            needs(
                "count",
                Type::Quantity(SMALL_COUNT),
                "how many squares are drawn",
            ),
            needs(
                "fill",
                Type::Word(&["first_frame_mean", "times_first_frame_mean"]),
                "what stands in a square",
            ),
        ],
    ),
    op(
        "volume_jitter",
        Family::Augment,
        "VJ: the wave times a random factor",
        "Table S2",
        &[needs(
            "range",
            Type::Quantity(SHARE),
            "the factor lies within 1 - r and 1 + r",
        )],
    ),
    op(
        "time_mask",
        Family::Augment,
        "TM: columns of the spectrogram replaced by its mean",
        "Table S2",
        &[
            needs("max", Type::Quantity(BINS), "the most columns of one mask"),
            MASKS,
            WIDTHS,
        ],
    ),
    op(
        "freq_mask",
        Family::Augment,
        "FM: bands of the spectrogram replaced by its mean",
        "Table S2",
        &[
            needs("max", Type::Quantity(BINS), "the most bands of one mask"),
            MASKS,
            WIDTHS,
        ],
    ),
    op(
        "random_crop",
        Family::Augment,
        "RC: a random part of the spectrogram, laid on a larger canvas of zeros, resized back",
        "Table S2",
        &[
            needs(
                "range",
                Type::Pair(POSITIVE),
                "the least and the greatest size of the part, as shares of the spectrogram's",
            ),
            needs(
                "canvas",
                Type::Pair(POSITIVE),
                "the size of the canvas along frequency and time, as shares of the spectrogram's",
            ),
        ],
    ),
    op(
        "time_warp",
        Family::Augment,
        "TW: one column of the spectrogram moved, and both sides stretched to fit",
        "Table S2 | App. E.1",
        &[needs(
            "window",
            Type::Quantity(BINS),
            "the most columns by which it moves",
        )],
    ),
    op(
        "drop_words",
        Family::Augment,
        "words of a text left out at random, each by itself",
        "ours",
        &[needs(
            "p",
            Type::Quantity(PROBABILITY),
            "the probability that a word is left out",
        )],
    ),
    op(
        "follow",
        Family::Augment,
        "the crops and flips of the view that a flow is computed from, with the same draws",
        "ours",
        &[needs("view", Type::Modality, "the modality of that view")],
    ),
    op(
        "consistent",
        Family::Timing,
        "one draw for all frames of a clip",
        "Sec. 4.5",
        &[needs(
            "chain",
            Type::Chain,
            "the augmentations of the pictures",
        )],
    ),
    op(
        "per_frame",
        Family::Timing,
        "a new draw for each frame",
        "Sec. 4.5",
        &[needs(
            "chain",
            Type::Chain,
            "the augmentations of the pictures",
        )],
    ),
];
