//! What losses are made of (Sec. 3; SimSiam, BYOL, VICReg, SwAV and AVID for what CrissCross does without).

use super::*;

const X: Parameter = needs("x", Type::Tensor, "the embedding");
const FIRST: Parameter = needs("x", Type::Tensor, "the first embedding");
const SECOND: Parameter = needs("y", Type::Tensor, "the second embedding");
const SUMMAND: Parameter = needs(
    "of",
    Type::Loss,
    "the summand, with `for` and what it ranges over",
);

pub(super) const OPERATORS: &[Operator] = &[
    op(
        "cos",
        Family::Term,
        "the cosine of two embeddings, averaged over the batch",
        "Eq. 1",
        &[FIRST, SECOND],
    ),
    op(
        "mse",
        Family::Term,
        "the squared distance of two embeddings, averaged over the batch",
        "VICReg",
        &[FIRST, SECOND],
    ),
    op(
        "dot",
        Family::Term,
        "the inner product of two embeddings, averaged over the batch",
        "ours",
        &[FIRST, SECOND],
    ),
    op(
        "xent",
        Family::Term,
        "the cross-entropy of the softmax of the first with the second as target distribution",
        "SwAV",
        &[
            needs("x", Type::Tensor, "the scores"),
            needs("y", Type::Tensor, "the target distribution"),
        ],
    ),
    op(
        "info_nce",
        Family::Term,
        "the cross-entropy of a sample's own pair among the pairs with other samples",
        "AVID",
        &[
            FIRST,
            SECOND,
            needs(
                "t",
                Type::Quantity(TEMPERATURE),
                "the temperature by which similarities are divided",
            ),
            may(
                "negatives",
                Type::Quantity(COUNT),
                "the rows of a memory bank to compare with; the rest of the batch where nothing is said",
            ),
        ],
    )
    .over_batch(),
    op(
        "hinge_std",
        Family::Term,
        "how far the standard deviation of each dimension falls short of 1",
        "VICReg",
        &[X],
    )
    .over_batch(),
    op(
        "cov",
        Family::Term,
        "the squared covariances of different dimensions, divided by the width",
        "VICReg",
        &[X],
    )
    .over_batch(),
    op(
        "f",
        Family::Tensor,
        "the network `f` of the view's modality: backbone, then projector",
        "Sec. 3.2",
        &[needs("x", Type::Tensor, "a view, such as `v[1]`")],
    ),
    op(
        "h",
        Family::Tensor,
        "the predictor `h` of the view's modality",
        "Sec. 3.2",
        &[needs("x", Type::Tensor, "an embedding, such as `f(v[1])`")],
    ),
    op(
        "sg",
        Family::Tensor,
        "the same value, through which no gradient flows",
        "Sec. 3.2",
        &[X],
    ),
    op(
        "l2",
        Family::Tensor,
        "each row divided by its Euclidean norm",
        "BYOL",
        &[X],
    ),
    op(
        "sinkhorn",
        Family::Tensor,
        "scores turned into balanced assignments by three rounds of Sinkhorn and Knopp",
        "SwAV",
        &[
            X,
            needs(
                "eps",
                Type::Quantity(TEMPERATURE),
                "the weight of the entropy: less is sharper",
            ),
        ],
    )
    .over_batch(),
    op(
        "linear",
        Family::Tensor,
        "a linear layer without bias that belongs to the loss, such as prototypes, and learns at the rate of the `f` that it takes from",
        "SwAV",
        &[needs(
            "width",
            Type::Quantity(WIDTH),
            "the values that come out",
        )],
    ),
    op(
        "ema",
        Family::Tensor,
        "a copy of a network, without gradient, that follows it by a moving average",
        "BYOL",
        &[
            needs("of", Type::Function, "the function that is followed"),
            needs(
                "decay",
                Type::Schedule,
                "the share of the copy that each step keeps: `cosine(0.99 -> 1)`",
            ),
        ],
    ),
    op(
        "memory",
        Family::Tensor,
        "a bank with one row for each clip, moved towards the mean of its newest embeddings",
        "AVID",
        &[
            needs("of", Type::Function, "the function whose values it holds"),
            needs(
                "momentum",
                Type::Quantity(SHARE),
                "the share of a row that each visit keeps",
            ),
        ],
    ),
    later(
        "queue",
        Family::Tensor,
        "the embeddings of the last batches, as negatives",
        "MoCo",
    ),
    later(
        "kmeans",
        Family::Tensor,
        "the clusters of all embeddings, as targets",
        "XDC",
    ),
    op(
        "sum",
        Family::Sum,
        "the sum over all members of what `for` names",
        "Eqs. 2 to 4",
        &[SUMMAND],
    ),
    op(
        "mean",
        Family::Sum,
        "the mean over all members of what `for` names",
        "Eqs. 2 to 4",
        &[SUMMAND],
    ),
    op(
        "unit",
        Family::Sum,
        "the loss divided by the sum of its absolute weights",
        "Eq. 5",
        &[needs("of", Type::Loss, "the loss that is scaled")],
    ),
];
