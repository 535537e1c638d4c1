//! From decoded ticks to the views that a training step or an evaluation reads: of one sample on a loader's thread, or of a whole
//! batch on the device of the training.

use super::reading::Host;
use super::source::Ticks;
use crate::augment::{Key, REFUSED, augment_frames, augment_wave};
use compiler::hir::{self, Clip};
use tch::Tensor;

/// Views of decoded ticks, one of each sample: `[B, 3, T, H, W]` or `[B, 1, bands, columns]`, where the ticks lie; augmented where
/// a chain is given.
pub(super) fn make_views(
    clip: &Clip,
    augment: Option<&hir::Chain>,
    ticks: &[Ticks],
    keys: &[Key],
) -> Tensor {
    match (clip, augment) {
        (Clip::Video { size, .. }, Some(chain)) => {
            augment_frames(chain, &frames(ticks), *size, keys)
        }
        (Clip::Video { size, .. }, None) => crate::augment::plain_frames(&frames(ticks), *size),
        (Clip::Audio { rate, mel, .. }, Some(chain)) => {
            augment_wave(chain, &waves(ticks), mel, rate.to_f64(), keys)
        }
        (Clip::Audio { rate, mel, .. }, None) => {
            crate::augment::plain_wave(&waves(ticks), mel, rate.to_f64())
        }
        (Clip::Text { .. } | Clip::Flow { .. }, _) => unreachable!("{REFUSED}"),
    }
}

/// What is done of the chain of a view in front of the batch where the rest stands behind it.
pub(super) fn begin_views(
    modality: &hir::Modality,
    host: Host,
    ticks: &[Ticks],
    keys: &[Key],
) -> Tensor {
    let links = &modality.augment.links;
    let begun = match &modality.clip {
        Clip::Video { size, .. } => {
            crate::augment::visual::first_links(links, host.links, &frames(ticks), *size, keys)
        }
        Clip::Audio { .. } => {
            let is_wave = |at: &usize| links[*at].domain() == hir::Domain::Wave;
            (0..host.links)
                .filter(is_wave)
                .fold(waves(ticks), |waves, at| {
                    crate::augment::augment_link(modality, at, &waves, keys)
                })
        }
        Clip::Text { .. } | Clip::Flow { .. } => unreachable!("{REFUSED}"),
    };
    if !host.converts {
        return begun;
    }
    let converted = crate::augment::convert(modality, &begun);
    let is_spectrogram = |at: &usize| links[*at].domain() == hir::Domain::Spectrogram;
    (0..host.links)
        .filter(is_spectrogram)
        .fold(converted, |spectrogram, at| {
            crate::augment::augment_link(modality, at, &spectrogram, keys)
        })
}

/// The frames of each sample, `[T, H, W, 3]`.
fn frames(ticks: &[Ticks]) -> Vec<Tensor> {
    let frames = |ticks: &Ticks| match ticks {
        Ticks::Frames(frames) => frames.shallow_clone(),
        Ticks::Wave(_) => unreachable!("ClipSource: a request is answered in its own kind"),
    };
    ticks.iter().map(frames).collect()
}

/// The waves of all samples, `[B, N]`.
fn waves(ticks: &[Ticks]) -> Tensor {
    let wave = |ticks: &Ticks| match ticks {
        Ticks::Wave(wave) => wave.shallow_clone(),
        Ticks::Frames(_) => unreachable!("ClipSource: a request is answered in its own kind"),
    };
    match ticks {
        [one] => wave(one).unsqueeze(0),
        _ => Tensor::stack(&ticks.iter().map(wave).collect::<Vec<_>>(), 0),
    }
}
