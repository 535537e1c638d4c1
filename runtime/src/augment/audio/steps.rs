//! What is done to one wave or spectrogram: the links of its chain with their parameters drawn.

use super::super::draws::Draws;
use compiler::hir::Link;

/// One link with what was drawn for it. Both programs follow these, so what was drawn is the same in both.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// VJ: the factor of a wave; nothing is cut off.
    Gain(f64),
    /// FM: the bands that are filled with the mean of the spectrogram.
    FreqMask(Vec<Mask>),
    /// TM: the columns that are filled with the mean of the spectrogram.
    TimeMask(Vec<Mask>),
    /// RC.
    RandomCrop(CanvasCrop),
    /// TW, where the spectrogram is long enough.
    TimeWarp(Option<Warp>),
}

impl Step {
    /// Draws the parameters of a link on a spectrogram of this size; of a wave, on any size.
    pub(in super::super) fn draw(link: &Link, draws: &mut Draws, bands: i64, columns: i64) -> Self {
        match link {
            Link::VolumeJitter { range } => {
                Step::Gain(draws.uniform(1.0 - range.to_f64(), 1.0 + range.to_f64()))
            }
            Link::FreqMask { max, count, widths } => {
                Step::FreqMask(Mask::draw(draws, widths.widest(*max), *count, bands))
            }
            Link::TimeMask { max, count, widths } => {
                Step::TimeMask(Mask::draw(draws, widths.widest(*max), *count, columns))
            }
            Link::RandomCrop { range, canvas } => {
                let range = (range.0.to_f64(), range.1.to_f64());
                let canvas = (canvas.0.to_f64(), canvas.1.to_f64());
                Step::RandomCrop(CanvasCrop::draw(draws, range, canvas, bands, columns))
            }
            Link::TimeWarp { window } => Step::TimeWarp(Warp::draw(draws, *window, columns)),
            Link::MultiScaleCrop { .. }
            | Link::HorizontalFlip { .. }
            | Link::ColorJitter { .. }
            | Link::GrayScale { .. }
            | Link::GaussianBlur { .. }
            | Link::Cutout { .. }
            | Link::DropWords { .. }
            | Link::Follow { .. } => {
                unreachable!("check: a chain of sound has links of sound alone")
            }
        }
    }
}

/// One mask along the frequency or the time axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    /// First band or column.
    pub start: i64,
    /// Bands or columns; 0 masks nothing.
    pub width: i64,
}

impl Mask {
    /// `count` masks on an axis of `length`, each from 0 to `widest`. First all widths are drawn, then all starts, which the
    /// widest mask bounds.
    pub fn draw(draws: &mut Draws, widest: u32, count: u32, length: i64) -> Vec<Self> {
        let widths: Vec<i64> = (0..count)
            .map(|_| draws.integer(0..=i64::from(widest).min(length)))
            .collect();
        let widest = widths.iter().copied().max().unwrap_or(0);
        let last = (length - widest).max(1) - 1;
        widths
            .into_iter()
            .map(|width| Self {
                start: draws.integer(0..=last),
                width,
            })
            .collect()
    }
}

/// A crop out of a canvas of zeros with the spectrogram in its middle; bands and columns are those of the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanvasCrop {
    /// Bands and columns of the canvas.
    pub canvas: (i64, i64),
    /// First band.
    pub top: i64,
    /// First column.
    pub left: i64,
    /// Bands.
    pub height: i64,
    /// Columns.
    pub width: i64,
}

impl CanvasCrop {
    /// A canvas of `canvas` times the size of the spectrogram, a crop of `range` times that size in each direction, at least 1
    /// and at most the canvas.
    pub fn draw(
        draws: &mut Draws,
        range: (f64, f64),
        canvas: (f64, f64),
        bands: i64,
        columns: i64,
    ) -> Self {
        let times = |factor: f64, length: i64| (factor * length as f64) as i64;
        // A canvas is never smaller than what lies on it.
        let canvas = (
            times(canvas.0, bands).max(bands),
            times(canvas.1, columns).max(columns),
        );
        let height = times(draws.uniform(range.0, range.1), bands).clamp(1, canvas.0);
        let width = times(draws.uniform(range.0, range.1), columns).clamp(1, canvas.1);
        let top = draws.integer(0..=canvas.0 - height);
        let left = draws.integer(0..=canvas.1 - width);
        Self {
            canvas,
            top,
            left,
            height,
            width,
        }
    }
}

/// Moves column `from` to column `to`, and stretches or squeezes what is left and right of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warp {
    /// Columns left of the point before.
    pub from: i64,
    /// Columns left of the point after.
    pub to: i64,
}

impl Warp {
    /// A point at least `window` from both ends, moved by less than `window` to the left and up to `window` to the right.
    /// `None` where the spectrogram has no such point.
    pub fn draw(draws: &mut Draws, window: u32, columns: i64) -> Option<Self> {
        let window = i64::from(window);
        (window > 0 && columns - window > window).then(|| {
            let from = draws.integer(window..=columns - window - 1);
            let to = draws.integer(from - window..=from + window - 1) + 1;
            Self { from, to }
        })
    }
}
