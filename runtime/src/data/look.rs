//! Single samples as the training step gets them, with all that led to them: for people to look at before they train.
//!
//! Clip, windows, spans and views are made by the loader's own code. Nothing here draws a number of its own.

use super::loader::{Made, Work};
use super::source::{ClipSource, Streams, Ticks};
use crate::augment::Key;
use crate::error::{Error, Result};
use compiler::plan;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use tch::Tensor;

/// A sample and where it comes from.
#[derive(Debug)]
pub struct Looked {
    /// Its place in the epoch, from 0.
    pub sample: u64,
    /// The clip that was read, a position in the data set.
    pub clip: usize,
    /// The file or, for a rendered clip, its name.
    pub name: String,
    /// Name of its class.
    pub class: Option<String>,
    /// Its streams.
    pub streams: Streams,
    /// The place of its random numbers.
    pub key: Key,
    /// Clips that were to be read in its place and could not be: name and cause.
    pub failed: Vec<(String, String)>,
    /// Every view of every declared modality: modalities in the order of the experiment, views from the first.
    pub views: Vec<View>,
}

/// One view of a sample.
#[derive(Debug)]
pub struct View {
    /// Its modality.
    pub modality: String,
    /// Its number, from 1.
    pub number: u32,
    /// The start of its window in seconds on the clip's clock.
    pub start: f64,
    /// What was read for it and what became of that; `None` where the loss does not read it.
    pub read: Option<ReadView>,
}

/// The tensors of a view.
#[derive(Debug)]
pub struct ReadView {
    /// As decoded.
    pub ticks: Ticks,
    /// As the training step gets it: `[1, 3, T, H, W]` or `[1, 1, bands, columns]`.
    pub tensor: Tensor,
}

/// Samples of an epoch, both counted from 0.
///
/// # Errors
/// [`Error::Unsupported`] for a sample or an epoch that the training has not; else as [`super::loader::Loader`].
pub fn look(
    source: Arc<dyn ClipSource>,
    pretrain: &plan::Pretrain,
    max_bad_share: f64,
    epoch: u64,
    samples: Range<u64>,
) -> Result<Vec<Looked>> {
    let (work, _) = Work::new(source, pretrain, max_bad_share, false)?;
    if samples.end > work.per_epoch || epoch >= u64::from(pretrain.settings.ep) {
        return Err(Error::Unsupported {
            message: format!(
                "there is no sample {} of epoch {epoch}: the training has {} epochs of {} samples, both counted from 0",
                samples.end.saturating_sub(1),
                pretrain.settings.ep,
                work.per_epoch
            ),
        });
    }
    samples
        .map(|sample| one(&work, pretrain, epoch, sample))
        .collect()
}

fn one(work: &Work, pretrain: &plan::Pretrain, epoch: u64, sample: u64) -> Result<Looked> {
    let made = work.sample(epoch * work.per_epoch + sample)?;
    let Made::Ticks(spans) = made.made else {
        unreachable!("look: its work does not augment")
    };
    let clip = made.tried.last().map_or(0, |clip| *clip as usize);
    let streams = work.source.streams(clip)?;
    let windows = work
        .sampler
        .draw(&streams, &made.key)
        .map_err(|unfit| Error::Decode {
            path: work.source.name(clip).into(),
            cause: unfit.to_string(),
        })?;
    let mut ticks = work.reading.ticks(&spans);
    let spans: Vec<Vec<Ticks>> = spans.into_iter().map(|span| vec![span]).collect();
    let mut tensors: BTreeMap<(String, u32), Tensor> =
        work.reading.views(&spans, std::slice::from_ref(&made.key));
    let mut views = Vec::new();
    for (modality, starts) in pretrain.settings.modalities.iter().zip(&windows.starts) {
        for (number, start) in (1..).zip(starts) {
            let place = (modality.name.clone(), number);
            let read = ticks.remove(&place).zip(tensors.remove(&place));
            views.push(View {
                modality: modality.name.clone(),
                number,
                start: *start,
                read: read.map(|(ticks, tensor)| ReadView { ticks, tensor }),
            });
        }
    }
    let label = work.source.label(clip);
    Ok(Looked {
        sample,
        clip,
        name: work.source.name(clip),
        class: label.and_then(|label| work.source.classes().get(label as usize).cloned()),
        streams,
        key: made.key,
        failed: made.failed,
        views,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::batch::Batches;
    use crate::data::fixtures::mild;
    use crate::data::loader::{Loader, Options, Part};
    use compiler::hir::{Data, Synthetic};
    use compiler::units::Exact;

    fn rendered() -> Data {
        Data::Synthetic(Synthetic {
            clips: 7,
            classes: 3,
            length: Exact::new(33, 10),
            lag: Exact::new(3, 10),
            seed: 4,
            streams: vec!["v".to_owned(), "a".to_owned()],
            splits: 2,
        })
    }

    /// What is looked at is, to the bit, what the loader puts into the batch of that step.
    #[test]
    fn what_is_shown_is_what_the_step_gets() {
        let pretrain = mild(rendered(), 3, 7, 2);
        let source = crate::data::open(&pretrain.settings.data, &Default::default(), 1).unwrap();
        let options = Options {
            threads: 2,
            ahead: 1,
            max_bad_share: 0.0,
            first_step: 0,
            part: Part::WHOLE,
            augment_on: None,
        };
        let mut loader = Loader::new(Arc::clone(&source), &pretrain, &options).unwrap();
        let batches: Vec<_> = (0..4).map(|step| loader.next(step).unwrap()).collect();
        for epoch in 0..2 {
            let looked = look(Arc::clone(&source), &pretrain, 0.0, epoch, 0..6).unwrap();
            for looked in looked {
                let batch = &batches[(epoch * 2 + looked.sample / 3) as usize];
                let row = (looked.sample % 3) as i64;
                assert_eq!(batch.keys[row as usize], looked.key);
                assert_eq!(looked.views.len(), batch.views.len());
                for view in looked.views {
                    let read = view.read.unwrap();
                    let given = batch.views[&(view.modality, view.number)].narrow(0, row, 1);
                    assert_eq!(given, read.tensor);
                }
            }
        }
    }

    #[test]
    fn a_view_that_the_loss_does_not_read_has_a_window_and_no_tensor() {
        let mut pretrain = mild(rendered(), 3, 6, 1);
        let steps: Vec<_> = pretrain.steps.iter().take(3).cloned().collect();
        pretrain.steps = steps.into();
        let source = crate::data::open(&pretrain.settings.data, &Default::default(), 1).unwrap();
        let looked = look(source, &pretrain, 0.0, 0, 2..3).unwrap();
        let views: Vec<(&str, u32, bool)> = looked[0]
            .views
            .iter()
            .map(|view| (view.modality.as_str(), view.number, view.read.is_some()))
            .collect();
        assert_eq!(
            views,
            [
                ("v", 1, true),
                ("v", 2, true),
                ("a", 1, false),
                ("a", 2, false)
            ]
        );
        // `mild`: the second window begins half a window after the first, in both modalities.
        let start = |at: usize| looked[0].views[at].start;
        assert!(
            (start(1) - start(0) - 0.125).abs() < 1e-9 && (start(3) - start(2) - 0.5).abs() < 1e-9
        );
    }

    #[test]
    fn beyond_the_training_there_is_nothing_to_look_at() {
        let pretrain = mild(rendered(), 3, 7, 2);
        let source = crate::data::open(&pretrain.settings.data, &Default::default(), 1).unwrap();
        for (epoch, samples) in [(0, 6..7), (2, 0..1)] {
            let error = look(Arc::clone(&source), &pretrain, 0.0, epoch, samples).unwrap_err();
            assert!(
                error.to_string().contains("2 epochs of 6 samples"),
                "{error}"
            );
        }
    }
}
