//! Pictures of the views of a batch: frames and spectrograms as the training step gets them.

use crate::augment::{self, visual::levels_of};
use crate::data::batch::Batch;
use crate::sheet::canvas::{Canvas, Font, GREY, LINE};
use crate::sheet::panels::{self, Axes, GAP, Scale};
use compiler::hir::{Clip, Modality};
use tch::{Device, Kind, Tensor};

/// Samples of a batch that are drawn.
const SAMPLES: i64 = 4;
/// Frames of a view that are drawn, spread evenly.
const FRAMES: i64 = 8;
/// Pictures are drawn no larger than this.
const TILE: i64 = 112;

/// A picture for each view: its name, `v1`, and the page with the first samples of the batch one below the other.
///
/// A view that the step augments itself is drawn as it is before.
pub fn of_batch(modalities: &[Modality], batch: &Batch) -> Vec<(String, Canvas)> {
    let mut pages = vec![];
    for ((name, number), view) in &batch.views {
        let Some(modality) = modalities.iter().find(|modality| modality.name == *name) else {
            continue;
        };
        let rows = view.size().first().map_or(0, |rows| SAMPLES.min(*rows));
        let view = view.narrow(0, 0, rows).detach().to_device(Device::Cpu);
        let page = match &modality.clip {
            _ if rows == 0 => None,
            Clip::Video { .. } => frames(&view),
            Clip::Audio { .. } => spectrograms(&view, &modality.clip),
            Clip::Text { .. } | Clip::Flow { .. } => None,
        };
        pages.extend(page.map(|page| (format!("{name}{number}"), page)));
    }
    pages
}

/// Frames `[B, 3, T, H, W]`, normalised, or `[B, T, H, W, 3]` as decoded, a line for each sample.
fn frames(view: &Tensor) -> Option<Canvas> {
    let levels = match (view.kind(), view.size().as_slice()) {
        (Kind::Uint8, [_, _, _, _, 3]) => view.shallow_clone(),
        (_, [_, 3, _, _, _]) => levels_of(&view.to_kind(Kind::Float)),
        (_, _) => return None,
    };
    let [samples, count, rows, columns, _] = levels.size()[..] else {
        return None;
    };
    let shown = FRAMES.min(count);
    let (height, width) = if columns > TILE {
        ((rows * TILE / columns).max(1), TILE)
    } else {
        (rows, columns)
    };
    let mut page = Canvas::new(shown * (width + GAP) - GAP);
    for sample in 0..samples {
        for at in 0..shown {
            let frame = levels.get(sample).get(at * count / shown);
            let place = (at * (width + GAP), sample * (height + GAP));
            let frame = panels::resized(&frame, height, width);
            page.picture(place, (width, height), &panels::rgb(&frame));
        }
    }
    Some(page)
}

/// Spectrograms `[B, 1, bands, columns]`, or those of waves `[B, N]`, one below the other in the colours of one scale.
fn spectrograms(view: &Tensor, clip: &Clip) -> Option<Canvas> {
    let Clip::Audio { rate, mel, .. } = clip else {
        return None;
    };
    let rate_hz = rate.to_f64();
    let view = view.to_kind(Kind::Float);
    let view = match view.dim() {
        2 => augment::plain_wave(&view, mel, rate_hz),
        _ => view,
    };
    let [samples, _, bands, columns] = view.size()[..] else {
        return None;
    };
    let spectrograms: Vec<Tensor> = (0..samples).map(|sample| view.get(sample).get(0)).collect();
    let scale = Scale::of(spectrograms.iter());
    let (width, height) = panels::spectrogram_size(bands, columns);
    let mut page = Canvas::new(width + 3 * GAP);
    for (at, spectrogram) in (0..).zip(&spectrograms) {
        let top = LINE / 2 + at * (height + LINE);
        let axes = Axes {
            mel,
            rate_hz,
            time: (0.0, clip.seconds().to_f64()),
        };
        panels::spectrogram(&mut page, (0, top), spectrogram, &axes, scale);
    }
    let low = format!("{:.1} to {:.1}", scale.low, scale.high);
    page.text((0, page.height()), &low, Font::Text, GREY);
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use compiler::hir::{Chain, LogMel, Network, Schedule};
    use compiler::units::Exact;
    use std::time::Duration;

    fn modality(name: &str, clip: Clip) -> Modality {
        let network = Network {
            layers: vec![],
            same: None,
        };
        Modality {
            name: name.to_owned(),
            clip,
            augment: Chain {
                per_frame: false,
                links: vec![],
            },
            f: network,
            h: None,
            lr_b: Schedule::Constant(Exact::whole(0)),
            lr_p: Schedule::Constant(Exact::whole(0)),
        }
    }

    #[test]
    fn views_are_drawn_as_the_step_gets_them_and_before_their_links() {
        let video = Clip::Video {
            frames: 4,
            size: 16,
            fps: Exact::whole(16),
        };
        let audio = Clip::Audio {
            samples: 6_400,
            rate: Exact::whole(16_000),
            mel: LogMel {
                bands: 32,
                hop: 160,
                fft: 1024,
                centre: false,
            },
        };
        let zeros = |shape: &[i64], kind| Tensor::zeros(shape, (kind, Device::Cpu));
        let views = [
            (("v".to_owned(), 1), zeros(&[6, 3, 4, 16, 16], Kind::Half)),
            (("v".to_owned(), 2), zeros(&[2, 4, 16, 16, 3], Kind::Uint8)),
            (("a".to_owned(), 1), zeros(&[2, 1, 32, 40], Kind::Float)),
            (("a".to_owned(), 2), zeros(&[2, 6_400], Kind::Float)),
        ];
        let batch = Batch {
            views: views.into(),
            keys: vec![],
            clips: crate::data::batch::Clips::default(),
            overlaps: crate::data::overlaps::Overlaps::default(),
            step: 0,
            waited: Duration::ZERO,
            queued: 0,
        };
        let pages = of_batch(&[modality("v", video), modality("a", audio)], &batch);
        let names: Vec<&str> = pages.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(names, ["a1", "a2", "v1", "v2"]);
        let size = |at: usize| (pages[at].1.width(), pages[at].1.height());
        assert_eq!(size(0), size(1));
        assert_eq!((size(2), size(3)), ((88, 88), (88, 40)));
        // Zero is the mean of the data, a grey; as decoded it is black.
        assert_eq!(pages[3].1.at(0, 0), [0, 0, 0]);
        assert!(
            pages[2]
                .1
                .at(0, 0)
                .iter()
                .all(|level| (90..130).contains(level))
        );
    }
}
