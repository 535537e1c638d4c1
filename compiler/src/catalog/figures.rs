//! Figures: what is drawn of each row (Figures 1, 3, S1 and S2).

use super::*;

/// What a drawing shows: an evaluation says what goes through the networks.
const OF_EVALUATION: Parameter = needs(
    "of",
    Type::Evaluation,
    "the evaluation whose data, clip, test clips and features are used; its head and its score are not",
);
const PART: Parameter = needs(
    "split",
    Type::Word(&["train", "test"]),
    "the part of the data set that the samples come from",
);
const SAMPLES_DRAWN: Parameter = needs(
    "samples",
    Type::Quantity(SMALL_COUNT),
    "how many are drawn, by the seed of the pretraining: the same for every row",
);
const TARGET: Parameter = needs(
    "target",
    Type::Word(&["agreement", "activation"]),
    "what the gradient is taken of: without labels there is no class to ask for",
);

pub(super) const OPERATORS: &[Operator] = &[
    op(
        "embedding",
        Family::Drawing,
        "samples as points in a plane",
        "Fig. 1",
        &[
            OF_EVALUATION,
            PART,
            SAMPLES_DRAWN,
            needs("by", Type::Projection, "from features to the plane"),
        ],
    ),
    op(
        "saliency",
        Family::Drawing,
        "samples with a map of what the networks look at",
        "Fig. 3",
        &[
            OF_EVALUATION,
            PART,
            SAMPLES_DRAWN,
            needs("by", Type::Highlight, "how the map is made"),
        ],
    ),
    op(
        "gallery",
        Family::Drawing,
        "test samples, each with the training samples nearest to it, right and wrong",
        "Figs. S1, S2",
        &[
            needs(
                "of",
                Type::Evaluation,
                "the retrieval whose features are searched, such as `retrieval on K400`",
            ),
            needs(
                "queries",
                Type::Quantity(SMALL_COUNT),
                "how many test samples are drawn, by the seed of the pretraining",
            ),
            needs(
                "top",
                Type::Quantity(SMALL_COUNT),
                "how many neighbours are shown of each",
            ),
        ],
    ),
    op(
        "tsne",
        Family::Projection,
        "t-SNE, which keeps near samples near",
        "not reported",
        &[needs(
            "perplexity",
            Type::Quantity(POSITIVE),
            "the effective number of neighbours; three times as many samples are needed",
        )],
    ),
    op(
        "pca",
        Family::Projection,
        "the two directions of largest variance",
        "ours",
        &[],
    ),
    op(
        "gradcam",
        Family::Highlight,
        "channels of the last convolution's map, weighed by the gradient of a target",
        "Sec. 4.2",
        &[TARGET],
    ),
    op(
        "smoothgradcampp",
        Family::Highlight,
        "Smooth Grad-CAM++: the same with weights from powers of the gradient, averaged over noisy copies of the clip",
        "Sec. 4.2 (Omeiza et al. 2019)",
        &[
            TARGET,
            needs(
                "draws",
                Type::Quantity(SMALL_COUNT),
                "how many noisy copies of a clip are looked at",
            ),
            needs(
                "noise",
                Type::Quantity(SHARE),
                "the standard deviation of their noise, as a share of the range of the clip's values",
            ),
        ],
    ),
];
