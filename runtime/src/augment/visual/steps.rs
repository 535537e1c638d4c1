//! What is done to one clip: the links of its chain with their parameters drawn, and the conversions between them.

use super::super::colour::Jitter;
use super::super::draws::{Draws, Key};
use super::super::stream_names;
use compiler::hir::{Fill, Levels, Link, Pair};

/// One step on a clip. Both programs follow a list of these, so what was drawn is the same in both.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// MSC on frames that are already of the final size.
    Crop(Crop),
    /// HF, if true.
    Flip(bool),
    /// CJ.
    Jitter(Jitter),
    /// GS, if true.
    Grey(bool, Levels),
    /// GB with a kernel of so many pixels (odd).
    Blur(usize, Option<Blur>, Levels),
    /// C.
    Cutout(Vec<Square>, Fill),
    /// From levels to values for a network.
    Normalise,
    /// From values for a network to levels.
    Denormalise,
}

/// The steps of the links `range` of a chain, those before done and those behind not, on frames of `size` pixels.
pub(super) fn steps(
    links: &[Link],
    range: std::ops::Range<usize>,
    size: u32,
    key: &Key,
) -> Vec<Step> {
    let names = stream_names(links);
    let mut steps = Vec::with_capacity(range.len() + 1);
    for at in range {
        match (is_normalised(links, at), is_normalised(links, at + 1)) {
            (false, true) => steps.push(Step::Normalise),
            (true, false) => steps.push(Step::Denormalise),
            (false, false) | (true, true) => {}
        }
        steps.push(draw(&links[at], size, &mut key.draws(&names[at])));
    }
    steps
}

/// Whether the first `count` links leave normalised frames: cutout works on those, all others on values in 0..=255.
pub(super) fn is_normalised(links: &[Link], count: usize) -> bool {
    let last = count.checked_sub(1).and_then(|last| links.get(last));
    matches!(last, Some(Link::Cutout { .. }))
}

fn draw(link: &Link, size: u32, draws: &mut Draws) -> Step {
    let side = i64::from(size);
    match link {
        Link::MultiScaleCrop { min_area } => {
            Step::Crop(Crop::draw(draws, min_area.to_f64(), side, side))
        }
        Link::HorizontalFlip { p } => Step::Flip(draws.flip(p.to_f64())),
        Link::ColorJitter {
            brightness,
            contrast,
            saturation,
            hue,
        } => {
            let [b, c, s, h] = [brightness, contrast, saturation, hue].map(|x| x.to_f64());
            Step::Jitter(Jitter::draw(draws, b, c, s, h))
        }
        Link::GrayScale { p, levels } => Step::Grey(draws.flip(p.to_f64()), *levels),
        Link::GaussianBlur {
            p,
            sigma,
            pair,
            levels,
        } => {
            let sigma = (sigma.0.to_f64(), sigma.1.to_f64());
            let blur = Blur::draw(draws, p.to_f64(), sigma, *pair);
            Step::Blur(size as usize / 20 * 2 + 1, blur, *levels)
        }
        Link::Cutout { max, count, fill } => {
            let squares = (0..*count).map(|_| Square::draw(draws, *max, side, side));
            Step::Cutout(squares.collect(), *fill)
        }
        Link::VolumeJitter { .. }
        | Link::TimeMask { .. }
        | Link::FreqMask { .. }
        | Link::RandomCrop { .. }
        | Link::TimeWarp { .. }
        | Link::DropWords { .. }
        | Link::Follow { .. } => {
            unreachable!("check: a chain of frames has links of frames alone")
        }
    }
}

/// The part of a frame that MSC keeps, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// First row.
    pub top: i64,
    /// First column.
    pub left: i64,
    /// Rows.
    pub height: i64,
    /// Columns.
    pub width: i64,
}

impl Crop {
    /// A share from `min_area` to 1 of the area, the aspect between 3/4 and 4/3 on a logarithmic scale. After ten draws that do
    /// not fit the frame: its centre, as large as the bounds of the aspect allow.
    pub fn draw(draws: &mut Draws, min_area: f64, height: i64, width: i64) -> Self {
        let narrowest: f64 = 3.0 / 4.0;
        let widest: f64 = 4.0 / 3.0;
        let area = (height * width) as f64;
        for _ in 0..10 {
            let area = area * draws.uniform(min_area, 1.0);
            let aspect = draws.uniform(narrowest.ln(), widest.ln()).exp();
            let w = (area * aspect).sqrt().round_ties_even() as i64;
            let h = (area / aspect).sqrt().round_ties_even() as i64;
            if (1..=height).contains(&h) && (1..=width).contains(&w) {
                let top = draws.integer(0..=height - h);
                let left = draws.integer(0..=width - w);
                return Self {
                    top,
                    left,
                    height: h,
                    width: w,
                };
            }
        }
        let aspect = width as f64 / height as f64;
        let w = if aspect > widest {
            (height as f64 * widest).round_ties_even() as i64
        } else {
            width
        };
        let h = if aspect < narrowest {
            (width as f64 / narrowest).round_ties_even() as i64
        } else {
            height
        };
        Self {
            top: (height - h) / 2,
            left: (width - w) / 2,
            height: h,
            width: w,
        }
    }
}

/// Standard deviations of a Gaussian blur in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blur {
    /// Along a row.
    pub sigma_x: f64,
    /// Along a column.
    pub sigma_y: f64,
}

impl Blur {
    /// With probability `p` a blur: the same in both directions, its sigma drawn from the range, or one sigma for each axis.
    pub fn draw(draws: &mut Draws, p: f64, sigma: (f64, f64), pair: Pair) -> Option<Self> {
        let blurs = draws.flip(p);
        let (sigma_x, sigma_y) = match pair {
            Pair::Range => {
                let sigma = draws.uniform(sigma.0, sigma.1);
                (sigma, sigma)
            }
            Pair::Axes => sigma,
        };
        blurs.then_some(Self { sigma_x, sigma_y })
    }
}

/// A square that is cut out, cut off at the borders of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Square {
    /// Rows, the second not included.
    pub rows: (i64, i64),
    /// Columns, the second not included.
    pub columns: (i64, i64),
}

impl Square {
    /// A square around a pixel: half of `length`, rounded down, to each side.
    pub fn around(length: i64, y: i64, x: i64, height: i64, width: i64) -> Self {
        let half = length / 2;
        let span = |at: i64, end: i64| ((at - half).max(0), (at + half).min(end));
        Self {
            rows: span(y, height),
            columns: span(x, width),
        }
    }

    /// A length from 1 to `max`, around any pixel.
    pub fn draw(draws: &mut Draws, max: u32, height: i64, width: i64) -> Self {
        let length = draws.integer(1..=i64::from(max));
        let y = draws.integer(0..=height - 1);
        let x = draws.integer(0..=width - 1);
        Self::around(length, y, x, height, width)
    }
}
