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
                Type::Modality,
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
        "the second window later than the first by a fixed step: the code's `extreme`",
        "code",
        &[needs(
            "by",
            Type::Word(&["max"]),
            "the step from one window to the next",
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
