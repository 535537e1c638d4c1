//! Clips as tiles of a picture: a frame of what is seen, the spectrogram of what is heard, as the network gets them.

use super::Tools;
use super::svg::{Anchor, Font, Paint, Picture, rectangle};
use crate::augment::visual::levels_of;
use crate::data::loader::Options;
use crate::data::reader::{Read, Reader, Role};
use crate::error::{Error, Result};
use crate::sheet::canvas::Canvas;
use crate::sheet::enlarged;
use crate::sheet::panels::{Scale, resized, rgb, values};
use compiler::hir::{Clip, Clips, Eval};
use records::record::ClipCounts;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tch::Tensor;

/// Rows or columns of pixels that a tile has at most. Pictures of fewer than half are enlarged by whole numbers, so that their
/// pixels stay squares.
const MOST: i64 = 160;
/// Width of the border around a tile.
const BORDER: f64 = 4.0;

/// What was read of some samples.
#[derive(Default)]
pub(super) struct Seen {
    /// The window in the middle of each, not augmented, by its position: `[1, 3, T, H, W]` or `[1, 1, bands, columns]`.
    pub views: BTreeMap<usize, Tensor>,
    /// Why others have none.
    pub missing: BTreeMap<usize, String>,
    /// All of them, counted.
    pub clips: ClipCounts,
}

/// Reads the samples `clips` as `eval` tests them. One that cannot be read is said to be missing.
///
/// # Errors
/// [`Error::Interrupted`]; what ends a run.
pub(super) fn seen(tools: &mut Tools<'_>, eval: &Eval, clips: &[usize], seed: u64) -> Result<Seen> {
    let eval = Eval {
        test: middle(eval.test),
        ..eval.clone()
    };
    // What was read for the features has been judged there.
    let options = Options {
        max_bad_share: 1.0,
        ..*tools.options
    };
    let wanted = clips.iter().map(|clip| *clip as u32).collect();
    let source = Arc::clone(tools.source);
    let mut reader = Reader::new(source, &eval, Role::Test, wanted, seed, &options);
    let mut seen = Seen::default();
    for (read, done) in reader.by_ref().zip(1..) {
        if tools.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        match read? {
            Read::LeftOut { clip, note } => drop(seen.missing.insert(clip, note)),
            Read::Views { clip, views } => {
                // The first of the last half is the middle of an odd number.
                let view = views.narrow(0, views.size()[0] / 2, 1).copy();
                seen.views.insert(clip, view);
            }
        }
        (tools.progress)(done, clips.len() as u64, "tiles");
    }
    let failed = reader.failed();
    seen.clips = ClipCounts {
        asked: clips.len() as u64,
        skipped: seen.missing.len().saturating_sub(failed.len()) as u64,
        undecodable: failed
            .iter()
            .map(|(name, cause)| (name.into(), cause.clone()))
            .collect(),
        ..ClipCounts::default()
    };
    Ok(seen)
}

/// Three windows of what these see, the second of which is its middle.
fn middle(clips: Clips) -> Clips {
    match clips {
        Clips::Random(_) | Clips::Uniform(_) => Clips::Uniform(3),
        Clips::UniformWithin(_, seconds) => Clips::UniformWithin(3, seconds),
    }
}

/// A tile with a border around it; one without a picture says that it could not be read. `title` is said where a pointer rests on it.
pub(super) fn tile(
    page: &mut Picture,
    ((x, y), (width, height)): ((f64, f64), (f64, f64)),
    png: Option<&[u8]>,
    border: Paint,
    title: &str,
) {
    let whole = (width + 2.0 * BORDER, height + 2.0 * BORDER);
    page.fill(&rectangle((x - BORDER, y - BORDER), whole), border, "");
    let Some(png) = png else {
        page.fill(&rectangle((x, y), (width, height)), Paint::Paper, title);
        let font = Font::new(13.0, Paint::Soft).at(Anchor::Middle);
        page.text(
            (x + width / 2.0, y + height / 2.0 + 4.0),
            font,
            "not readable",
        );
        return;
    };
    page.image((x, y), (width, height), png, title);
}

/// Views of one clip as PNG files. Spectrograms share one scale.
///
/// # Errors
/// A picture that cannot be encoded.
pub(super) fn pngs(
    clip: &Clip,
    views: &BTreeMap<usize, Tensor>,
) -> Result<BTreeMap<usize, Vec<u8>>> {
    let scale = Scale::of(views.values());
    let each = views.iter().map(|(at, view)| {
        let page = match clip {
            Clip::Video { .. } => frame(view),
            Clip::Audio { .. } => spectrogram(view, scale),
            Clip::Text { .. } | Clip::Flow { .. } => unreachable!("{}", crate::augment::REFUSED),
        };
        Ok((*at, page.quick_png()?))
    });
    each.collect()
}

/// The frame in the middle of a view `[1, 3, T, H, W]`.
fn frame(view: &Tensor) -> Canvas {
    let frames = levels_of(view).get(0);
    picture(&frames.get(frames.size()[0] / 2))
}

/// A picture u8 `[H, W, 3]` of about the size of a tile.
pub(super) fn picture(pixels: &Tensor) -> Canvas {
    let (rows, columns) = (pixels.size()[0], pixels.size()[1]);
    let most = rows.max(columns).max(1);
    let shown = match most > MOST {
        true => resized(
            pixels,
            (rows * MOST / most).max(1),
            (columns * MOST / most).max(1),
        ),
        false => enlarged(pixels, MOST / most),
    };
    let (height, width) = (shown.size()[0], shown.size()[1]);
    let mut page = Canvas::new(width);
    page.picture((0, 0), (width, height), &rgb(&shown));
    page
}

/// A view `[1, 1, bands, columns]`, low bands at the bottom.
pub(super) fn spectrogram(view: &Tensor, scale: Scale) -> Canvas {
    let (bands, columns) = (view.size()[2], view.size()[3]);
    let cell = (MOST / bands.max(columns).max(1)).max(1);
    let mut page = Canvas::new(columns * cell);
    page.grow(bands * cell);
    let rows = values(view);
    for (band, row) in (0..bands).zip(rows.chunks_exact(columns.max(1) as usize)) {
        for (column, value) in (0..columns).zip(row) {
            let at = (column * cell, (bands - 1 - band) * cell);
            page.fill(at, (cell, cell), scale.colour(*value));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn tiles_are_as_large_as_they_are_drawn() {
        let size = |height, width| {
            let pixels = Tensor::zeros([height, width, 3], (Kind::Uint8, Device::Cpu));
            let page = picture(&pixels);
            (page.height(), page.width())
        };
        assert_eq!(size(32, 32), (160, 160));
        assert_eq!(size(112, 112), (112, 112));
        assert_eq!(size(240, 320), (120, 160));
        let loud = Tensor::from_slice(&[0.0f32, 0.0, 0.0, 1.0]).view([1, 1, 2, 2]);
        let page = spectrogram(
            &loud,
            Scale {
                low: 0.0,
                high: 1.0,
            },
        );
        // The last column of the upper band.
        assert_eq!((page.height(), page.width()), (160, 160));
        assert_eq!(
            page.at(81, 79),
            Scale {
                low: 0.0,
                high: 1.0
            }
            .colour(1.0)
        );
        assert_eq!(page.at(81, 81), page.at(0, 0));
    }
}
