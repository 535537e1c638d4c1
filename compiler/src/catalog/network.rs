//! Layers (Tables S5 to S8).

use super::*;

const BACKBONE_DEPTH: Parameter = needs(
    "depth",
    Type::Quantity(DEPTH),
    "10 (one block a stage), 18 or 34",
);
const BACKBONE_WIDTH: Parameter = needs(
    "width",
    Type::Quantity(WIDTH),
    "the channels of the first stage; eight times as many come out, 512 for 64",
);
const BACKBONE_STRIDES: Parameter = may(
    "strides",
    Type::Strides,
    "the stride of each stage, or of each convolution of the blocks; `(1, 2, 2, 2)` where nothing is said",
);
const BACKBONE_MAPS: Parameter = may(
    "maps",
    Type::Maps,
    "the sizes after each stage, such as `[(20, 50), (10, 25), (5, 13), (3, 7)]`: a claim that is checked",
);

pub(super) const OPERATORS: &[Operator] = &[
    op(
        "r2plus1d",
        Family::Layer,
        "the backbone for video: R(2+1)D, convolutions over space and over time in turn",
        "Table S5",
        &[
            BACKBONE_DEPTH,
            BACKBONE_WIDTH,
            BACKBONE_STRIDES,
            BACKBONE_MAPS,
        ],
    ),
    op(
        "resnet",
        Family::Layer,
        "the backbone for spectrograms: ResNet",
        "Table S6",
        &[
            BACKBONE_DEPTH,
            BACKBONE_WIDTH,
            needs(
                "channels",
                Type::Quantity(WIDTH),
                "the channels of the input, 1 for a spectrogram",
            ),
            BACKBONE_STRIDES,
            BACKBONE_MAPS,
        ],
    ),
    op(
        "fc",
        Family::Layer,
        "a linear layer with bias",
        "Tables S7, S8",
        &[needs(
            "width",
            Type::Quantity(WIDTH),
            "the values that come out",
        )],
    ),
    op(
        "bn",
        Family::Layer,
        "BatchNorm over the batch",
        "Tables S7, S8",
        &[],
    ),
    op(
        "relu",
        Family::Layer,
        "negative values set to 0",
        "Tables S7, S8",
        &[],
    ),
    op(
        "l2",
        Family::Layer,
        "each vector divided by its Euclidean norm",
        "Sec. 4.4",
        &[],
    ),
    op(
        "same",
        Family::Layer,
        "the parameters of another network of the pretraining: `a.h = same(v.h)`",
        "Sec. 4.4 (common predictor)",
        &[needs(
            "as",
            Type::Layers,
            "the network whose parameters it shares",
        )],
    ),
    op(
        "bag_of_words",
        Family::Layer,
        "the backbone for text: the mean of the vectors of its words",
        "ours",
        &[
            needs(
                "vocab",
                Type::Quantity(WIDTH),
                "the words that have a vector; others count as empty places",
            ),
            needs("width", Type::Quantity(WIDTH), "the values of a vector"),
        ],
    ),
];
