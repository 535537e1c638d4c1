//! Schedules and optimisers (Table S10, Table S11).

use super::*;

const WEIGHT_DECAY: Parameter = needs(
    "wd",
    Type::Quantity(DECAY),
    "the weight decay, added to the gradient of every parameter",
);

pub(super) const OPERATORS: &[Operator] = &[
    op(
        "cosine",
        Family::Schedule,
        "half a cosine from one rate to another over the whole run, after a linear warm-up from 0",
        "Table S10",
        &[
            needs(
                "range",
                Type::Range,
                "the rate after the warm-up and the rate at the end: `0.0002 -> 0`",
            ),
            may(
                "warmup",
                Type::Quantity(EPOCHS),
                "the epochs of the warm-up; none where nothing is said",
            ),
        ],
    ),
    op(
        "multistep",
        Family::Schedule,
        "a rate that is multiplied by a factor at each milestone",
        "Table S11",
        &[
            needs("base", Type::Quantity(RATE), "the first rate"),
            needs("ms", Type::Numbers(EPOCHS), "the milestones"),
            needs(
                "gamma",
                Type::Quantity(FALL),
                "the factor at each milestone",
            ),
        ],
    ),
    op(
        "late",
        Family::Schedule,
        "another schedule one step late, as the released code's optimiser sees it",
        "code",
        &[
            needs(
                "schedule",
                Type::Schedule,
                "what step k has is what it has for k - 1",
            ),
            needs("first", Type::Quantity(RATE), "the rate of step 0"),
        ],
    ),
    op(
        "adam",
        Family::Optimiser,
        "Adam with weight decay in the gradient",
        "Table S10",
        &[
            needs(
                "betas",
                Type::Pair(SHARE),
                "the decay of the mean of the gradient and of that of its square",
            ),
            WEIGHT_DECAY,
        ],
    ),
    op(
        "sgd",
        Family::Optimiser,
        "stochastic gradient descent with momentum",
        "Table S11",
        &[
            needs("mtm", Type::Quantity(SHARE), "the momentum"),
            WEIGHT_DECAY,
        ],
    ),
    op(
        "larc",
        Family::Optimiser,
        "LARC in clip mode: the rate of each parameter bounded by its size, for large batches",
        "App. G.1 | code (clip mode)",
        &[
            needs(
                "inner",
                Type::Optimiser,
                "the optimiser that takes the step",
            ),
            needs(
                "trust",
                Type::Quantity(ANY_NUMBER),
                "the bound as a share of a parameter's norm over its gradient's; positive",
            ),
        ],
    ),
];
