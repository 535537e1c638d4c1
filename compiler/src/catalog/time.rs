//! Relaxation policies: how the windows of the views lie in time (Sec. 4.3).

use super::*;

pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        per_modality: Some(Type::Word(&["same"])),
        ..op(
            "windows",
            Family::Policy,
            "the joint law of the starts of all windows",
            "Sec. 4.3 | code (across)",
            &[
                needs(
                    "within",
                    Type::Within,
                    "how the windows of one modality relate",
                ),
                needs(
                    "across",
                    Type::Word(&["inside", "start", "centre"]),
                    "how a shorter window lies in the longest one of its view",
                ),
            ],
        )
    },
    op(
        "same",
        Family::Within,
        "one window for all views: `none`",
        "Sec. 4.3",
        &[],
    ),
    op(
        "overlap",
        Family::Within,
        "windows one after the other, neighbours with a part in common: `mild` and `medium`",
        "Sec. 4.3",
        &[
            needs(
                "share",
                Type::Quantity(SHARE),
                "the common part of a clip; 50 % is `mild`, 0 % is `medium`",
            ),
            needs(
                "of",
                Type::EachOrModality,
                "`each`: of the clip of each modality; or a modality whose step all take",
            ),
        ],
    ),
    op(
        "halves",
        Family::Within,
        "one window from each half of the source: `extreme`",
        "Sec. 4.3",
        &[],
    ),
    op(
        "offset",
        Family::Within,
        "each window later than the one before by one step for all modalities; `offset(max)` is the code's `extreme`",
        "code | ours (a duration)",
        &[needs(
            "by",
            Type::Quantity(DURATION),
            "the step from one window to the next; or `max`, the most that the first start could have been",
        )],
    ),
    op(
        "independent",
        Family::Within,
        "each window drawn by itself: `mixed`",
        "Sec. 4.3",
        &[],
    ),
];
