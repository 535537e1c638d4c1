//! Chains of augmentations as one would write them.

use super::number;
use crate::hir::{Chain, Domain, Fill, Levels, Link, Pair, Widths};

/// `per_frame(a - b)`, `a - b`: the links by what they do. One draw for a clip is what is meant without a word.
pub fn chain(chain: &Chain) -> String {
    let links: Vec<String> = chain.links.iter().map(link).collect();
    let is_of_frames = |link: &Link| match link.domain() {
        Domain::Frames | Domain::Wave | Domain::Spectrogram => true,
        Domain::Words | Domain::Flow => false,
    };
    let are_of_frames = chain.links.iter().all(is_of_frames);
    let links = links.join(" - ");
    if !are_of_frames {
        links
    } else if chain.per_frame {
        format!("per_frame({links})")
    } else {
        format!("consistent({links})")
    }
}

/// `gray_scale(p: 0.2, levels: exact)`.
pub(crate) fn link(link: &Link) -> String {
    match link {
        Link::MultiScaleCrop { min_area } => {
            format!("multi_scale_crop(min_area: {})", number(*min_area))
        }
        Link::HorizontalFlip { p } => format!("horizontal_flip(p: {})", number(*p)),
        Link::ColorJitter {
            brightness,
            contrast,
            saturation,
            hue,
        } => format!(
            "color_jitter(brightness: {}, contrast: {}, saturation: {}, hue: {})",
            number(*brightness),
            number(*contrast),
            number(*saturation),
            number(*hue)
        ),
        Link::GrayScale { p, levels: of } => {
            format!("gray_scale(p: {}, levels: {})", number(*p), levels(*of))
        }
        Link::GaussianBlur {
            p,
            sigma: (low, high),
            pair,
            levels: of,
        } => {
            let pair = match pair {
                Pair::Range => "range",
                Pair::Axes => "axes",
            };
            format!(
                "gaussian_blur(p: {}, sigma: ({}, {}), pair: {pair}, levels: {})",
                number(*p),
                number(*low),
                number(*high),
                levels(*of)
            )
        }
        Link::Cutout { max, count, fill } => {
            let fill = match fill {
                Fill::FirstFrameMean => "first_frame_mean",
                Fill::TimesFirstFrameMean => "times_first_frame_mean",
            };
            format!("cutout(max: {max}px, count: {count}, fill: {fill})")
        }
        Link::VolumeJitter { range } => format!("volume_jitter(range: {})", number(*range)),
        Link::TimeMask {
            max,
            count,
            widths: of,
        } => mask("time_mask", *max, *count, *of),
        Link::FreqMask {
            max,
            count,
            widths: of,
        } => mask("freq_mask", *max, *count, *of),
        Link::RandomCrop {
            range: (low, high),
            canvas: (frequency, time),
        } => format!(
            "random_crop(range: ({}, {}), canvas: ({}, {}))",
            number(*low),
            number(*high),
            number(*frequency),
            number(*time)
        ),
        Link::TimeWarp { window } => format!("time_warp(window: {window}bins)"),
        Link::DropWords { p } => format!("drop_words(p: {})", number(*p)),
        Link::Follow { modality } => format!("follow({modality})"),
    }
}

fn mask(name: &str, max: u32, count: u32, widths: Widths) -> String {
    let widths = match widths {
        Widths::Exclusive => "exclusive",
        Widths::Inclusive => "inclusive",
    };
    format!("{name}(max: {max}bins, count: {count}, widths: {widths})")
}

fn levels(levels: Levels) -> &'static str {
    match levels {
        Levels::Exact => "exact",
        Levels::Whole => "whole",
    }
}
