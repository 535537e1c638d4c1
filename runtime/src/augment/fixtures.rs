//! The chains of the tests: all links of the paper's strong augmentation, with its parameters.

use compiler::hir::{Fill, Levels, Link, Pair, Widths};
use compiler::units::Exact;

/// `n` hundredths.
pub(super) fn hundredths(n: i128) -> Exact {
    Exact::new(n, 100)
}

/// Of frames.
pub(super) fn strong_frames(pair: Pair, levels: Levels, fill: Fill) -> Vec<Link> {
    vec![
        Link::MultiScaleCrop {
            min_area: hundredths(8),
        },
        Link::HorizontalFlip { p: hundredths(50) },
        Link::ColorJitter {
            brightness: hundredths(40),
            contrast: hundredths(40),
            saturation: hundredths(40),
            hue: hundredths(20),
        },
        Link::GrayScale {
            p: hundredths(20),
            levels,
        },
        Link::GaussianBlur {
            p: hundredths(50),
            sigma: (hundredths(10), hundredths(200)),
            pair,
            levels,
        },
        Link::Cutout {
            max: 20,
            count: 1,
            fill,
        },
    ]
}

/// Of sound; the widths of masks over bands and over columns.
pub(super) fn strong_sound([bands, columns]: [Widths; 2]) -> Vec<Link> {
    vec![
        Link::VolumeJitter {
            range: hundredths(20),
        },
        Link::TimeWarp { window: 20 },
        Link::FreqMask {
            max: 10,
            count: 2,
            widths: bands,
        },
        Link::TimeMask {
            max: 20,
            count: 2,
            widths: columns,
        },
        Link::RandomCrop {
            range: (hundredths(60), hundredths(150)),
            canvas: (hundredths(100), hundredths(150)),
        },
    ]
}
