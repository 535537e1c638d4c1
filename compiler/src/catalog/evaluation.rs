//! Evaluation: clips, features, classifiers, choices and scores (App. E).

use super::*;

pub(super) const OPERATORS: &[Operator] = &[
    op(
        "random",
        Family::Clips,
        "clips at random times",
        "App. E.1",
        &[needs(
            "clips",
            Type::Quantity(SMALL_COUNT),
            "how many of each sample",
        )],
    ),
    op(
        "uniform",
        Family::Clips,
        "clips evenly spaced from the first possible start to the last",
        "App. E.1 | code (within)",
        &[
            needs(
                "clips",
                Type::Quantity(SMALL_COUNT),
                "how many of each sample",
            ),
            may(
                "within",
                Type::Quantity(DURATION),
                "the first seconds of a sample that they lie in; all of it where nothing is said",
            ),
        ],
    ),
    op(
        "conv5",
        Family::Feature,
        "the map behind the last convolution, with which a chain of features begins",
        "App. E.1",
        &[],
    ),
    Operator {
        is_variadic: true,
        ..op(
            "maxpool",
            Family::Feature,
            "the maximum over windows of the map; numbers along time, height, width or frequency, time",
            "App. E.1",
            &[may(
                "stride",
                Type::Later,
                "the step from one window to the next, one number or one for each axis; it has to be said",
            )],
        )
    },
    op(
        "l2",
        Family::Feature,
        "values divided by their norm along the last axis of the map, or by that of all values of a clip",
        "code",
        &[may(
            "over",
            Type::Word(&["axis", "vector"]),
            "what a norm is taken over; `axis` where nothing is said",
        )],
    ),
    op(
        "bn",
        Family::Feature,
        "a BatchNorm that was never trained: a constant factor just below 1",
        "code",
        &[],
    ),
    op(
        "mean",
        Family::Feature,
        "the mean over the clips of a sample: one vector for each sample",
        "App. E.3",
        &[needs(
            "of",
            Type::Word(&["clips"]),
            "what the mean is taken over",
        )],
    ),
    op(
        "svm",
        Family::Head,
        "a linear SVM on frozen features: one-vs-rest, squared hinge",
        "App. E.1",
        &[needs(
            "cost",
            Type::Best,
            "the costs that are tried, and how one is chosen",
        )],
    ),
    op(
        "linear",
        Family::Head,
        "a linear layer with softmax on frozen features, where these are too many to hold",
        "App. E.1",
        &[
            needs(
                "ep",
                Type::Quantity(SMALL_COUNT),
                "the epochs that it is trained for",
            ),
            needs("lr", Type::Schedule, "its learning rate"),
            may("bs", Type::Quantity(BATCH), "the samples of a batch"),
            may("optim", Type::Optimiser, "its optimiser"),
            may("drp", Type::Quantity(SHARE), "the dropout before it"),
            may("keep", Type::Keep, "the epoch whose weights are scored"),
        ],
    ),
    op(
        "fc",
        Family::Head,
        "a linear layer that is trained together with the whole backbone",
        "App. E.2",
        &[needs(
            "width",
            Type::Word(&["classes"]),
            "the values that come out",
        )],
    ),
    op(
        "knn",
        Family::Neighbours,
        "the training samples in the order of their distance to a test sample",
        "App. E.3",
        &[needs(
            "distance",
            Type::Word(&["cosine"]),
            "how distance is measured",
        )],
    ),
    op(
        "last",
        Family::Keep,
        "the weights of the last epoch are scored",
        "App. E.2 (silent)",
        &[],
    ),
    op(
        "best",
        Family::Keep,
        "the weights of the epoch with the best score are scored",
        "code",
        &[needs("split", Type::Split, "what the choice is made on")],
    ),
    Operator {
        is_variadic: true,
        ..op(
            "concat",
            Family::Fuse,
            "the features of the evaluations it names, side by side",
            "App. E.1 | Table 2",
            &[],
        )
    },
    op(
        "best",
        Family::Best,
        "each of these costs is tried, and the one with the best score is taken",
        "App. E.1 | code (split)",
        &[
            needs("costs", Type::Numbers(POSITIVE), "the costs that are tried"),
            needs("split", Type::Split, "what the choice is made on"),
        ],
    ),
    op(
        "test",
        Family::Split,
        "the test split, as the released code does; W0705 says so",
        "code",
        &[],
    ),
    op(
        "val",
        Family::Split,
        "a part of the training samples, held out class by class; then all are fitted",
        "ours",
        &[needs(
            "share",
            Type::Quantity(SHARE),
            "the part that is held out",
        )],
    ),
    op(
        "folds",
        Family::Split,
        "the training samples, by cross-validation; then all are fitted. The folds are the others of the data set, as they stand",
        "ours",
        &[may(
            "count",
            Type::Quantity(FOLDS),
            "so many folds, drawn class by class, in their place: for a set that has one split",
        )],
    ),
    op(
        "top1",
        Family::Score,
        "the share of samples whose highest score is that of their class, in percent",
        "App. E.1",
        &[needs(
            "of",
            Type::Score,
            "`mean(clips)`: the scores of a sample's clips are averaged first",
        )],
    ),
    op(
        "top5",
        Family::Score,
        "the share of samples whose class has one of the five highest scores, in percent",
        "ours",
        &[needs(
            "of",
            Type::Score,
            "`mean(clips)`: the scores of a sample's clips are averaged first",
        )],
    ),
    op(
        "recall",
        Family::Score,
        "the share of samples with one of their class among the nearest, in percent",
        "Table 7",
        &[needs(
            "k",
            Type::Quantity(SMALL_COUNT),
            "how many of the nearest are looked at",
        )],
    ),
];
