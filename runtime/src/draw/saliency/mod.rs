//! Samples with a map of what the networks look at (Figure 3).
//!
//! Samples are drawn by the seed, so that every row shows the same; one that cannot be used gives its place to the next of the draw. The
//! networks are in evaluation and learn nothing. Where two modalities are compared, both clips of a moment are read, each as long as its
//! network knows it.

pub mod cam;
mod film;
pub mod networks;
mod overlay;
mod sheet;
#[cfg(feature = "media")]
mod video;

use super::samples::{in_part, word};
use super::{Panel, Tools, drawn, names, told};
use crate::augment::Key;
use crate::augment::visual::levels_of;
use crate::data::admission::name_of;
use crate::data::moments::{Moment, Moments};
use crate::error::{Error, Result};
use crate::eval::features::Trained;
use crate::sheet::panels::values;
use cam::Highlight;
use compiler::hir::{Clip, Saliency, Target};
use compiler::{plan, written};
use networks::{Networks, Seen, copies};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use tch::Tensor;

/// Samples that are drawn and filmed; of more there are the numbers alone.
const SHOWN: usize = 24;

/// Samples of a try.
const FEW: usize = 2;

/// A sample and what its clips show.
struct Sample {
    name: String,
    class: Option<String>,
    clips: Vec<Looked>,
}

/// A clip and what it shows.
struct Looked {
    start: f64,
    /// Where the other modality's clip begins, where there is one.
    beside: Option<f64>,
    /// As the network gets it: frames u8 `[T, H, W, 3]`, or a spectrogram `[bands, columns]`.
    picture: Tensor,
    target: f64,
    map: Highlight,
}

/// Draws the maps of this saliency with the networks of `model`.
///
/// # Errors
/// Samples that cannot be read, more than may be; targets that are no numbers; [`Error::Interrupted`].
pub(super) fn panel(
    saliency: &Saliency,
    seed: u64,
    model: Trained<'_>,
    tools: &mut Tools<'_>,
) -> Result<Panel> {
    let settings = model.settings;
    let networks = Networks::load(model, saliency, tools.device)?;
    let beside = match saliency.target {
        Target::Agreement => plan::partner(settings, &saliency.of.uses).ok(),
        Target::Activation => None,
    };
    let source = tools.source.as_ref();
    let other = beside.map(|modality| &modality.clip);
    let share = tools.options.max_bad_share;
    let mut moments = Moments::new(source, &saliency.of, other, seed, share);
    let order = drawn(in_part(&saliency.of, tools), u32::MAX, seed, tools);
    let wanted = match tools.few {
        true => FEW,
        false => saliency.of.samples as usize,
    };
    let wanted = wanted.min(order.len());
    let mut samples: Vec<Sample> = vec![];
    for sample in order {
        if samples.len() == wanted {
            break;
        }
        if tools.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let Some(found) = moments.read(sample as u32)? else {
            continue;
        };
        let key = Key::new(seed, sample as u64, 0).child("noise");
        let name = source.name(sample);
        let clips = found
            .into_iter()
            .zip(0..)
            .map(|(moment, window): (_, u32)| {
                looked(
                    &networks,
                    saliency,
                    &name,
                    moment,
                    &key.child(&window.to_string()),
                )
            });
        let label = source.label(sample);
        samples.push(Sample {
            clips: clips.collect::<Result<_>>()?,
            class: label.and_then(|label| source.classes().get(label as usize).cloned()),
            name: told(source, &name),
        });
        (tools.progress)(samples.len() as u64, wanted as u64, "samples");
    }
    if samples.is_empty() {
        return Err(Error::Data {
            name: name_of(&saliency.of.data).to_owned(),
            message: format!(
                "it has no {} sample that can be drawn{}",
                word(saliency.of.split),
                first_cause(&moments)
            ),
            help: "draw the other `split`, check the `fold` or `split` column of its CSV, or take clips that fit into the samples".to_owned(),
        });
    }
    let shown = Shown {
        saliency,
        beside: beside.map(|modality| modality.name.as_str()),
        samples: &samples,
        left_out: moments
            .left_out()
            .map(|(name, why)| (told(source, name), told(source, why)))
            .collect(),
    };
    Ok(Panel {
        svg: sheet::sheet(&shown)?,
        data: shown.data(),
        lines: shown.lines(),
        numbers: shown.numbers(),
        files: film::films(&shown)?,
        clips: moments.counts(),
    })
}

/// Why the first of the samples that could not be used could not.
fn first_cause(moments: &Moments<'_>) -> String {
    let first = moments.left_out().next();
    first.map_or(String::new(), |(name, why)| format!(": `{name}`: {why}"))
}

/// What one clip shows.
fn looked(
    networks: &Networks,
    saliency: &Saliency,
    sample: &str,
    moment: Moment,
    key: &Key,
) -> Result<Looked> {
    let beside = moment.beside.as_ref();
    let view = &moment.view;
    let other = beside.map(|beside| &beside.view);
    let Seen { target, map } = match saliency.smooth {
        None => networks.look(view, other)?,
        Some(smooth) => networks.look_smoothly(view, other, copies(view, smooth, key))?,
    };
    if !target.is_finite() || !map.is_finite() {
        return Err(Error::Data {
            name: name_of(&saliency.of.data).to_owned(),
            message: format!("what the networks make of `{sample}` is not finite"),
            help: "the weights have diverged: lower `lr_b`, and train again, or draw the state of an earlier `checkpoint`".to_owned(),
        });
    }
    let picture = match &saliency.of.clip {
        Clip::Video { .. } => levels_of(&moment.view).get(0),
        Clip::Audio { .. } => moment.view.get(0).get(0),
        Clip::Text { .. } | Clip::Flow { .. } => unreachable!("{}", crate::augment::REFUSED),
    };
    Ok(Looked {
        start: moment.start,
        beside: beside.map(|beside| beside.start),
        picture,
        target,
        map,
    })
}

/// What there is to show.
struct Shown<'a> {
    saliency: &'a Saliency,
    /// The modality that is compared with.
    beside: Option<&'a str>,
    samples: &'a [Sample],
    /// Samples that could not be used, and why.
    left_out: Vec<(String, String)>,
}

impl Shown<'_> {
    /// The samples that are drawn and filmed.
    fn drawn(&self) -> &[Sample] {
        &self.samples[..self.samples.len().min(SHOWN)]
    }

    /// What the gradient is taken of, in a word.
    fn target(&self) -> &'static str {
        match self.saliency.target {
            Target::Agreement => "agreement",
            Target::Activation => "activation",
        }
    }

    /// How the maps are made, as a file writes it.
    fn method(&self) -> String {
        written::highlight(self.saliency)
    }

    fn clips(&self) -> impl Iterator<Item = &Looked> {
        self.samples.iter().flat_map(|sample| &sample.clips)
    }

    fn numbers(&self) -> BTreeMap<String, f64> {
        let count = self.clips().count().max(1) as f64;
        let sum: f64 = self.clips().map(|clip| clip.target).sum();
        BTreeMap::from([(self.target().to_owned(), sum / count)])
    }

    fn data(&self) -> Value {
        let grid = self.clips().next().map(|clip| clip.map.cells.size());
        let samples = self.samples.iter().zip(1..).map(|(sample, number)| {
            let clips = sample.clips.iter().map(|clip| self.clip(clip));
            let mut told = json!({
                "sample": sample.name,
                "class": sample.class,
                "clips": clips.collect::<Vec<_>>(),
            });
            if number <= self.drawn().len() {
                told["film"] = json!(film::name(&self.saliency.of.clip, number));
            }
            told
        });
        let left_out = self.left_out.iter();
        json!({
            "kind": "saliency",
            "data": name_of(&self.saliency.of.data),
            "modality": self.saliency.of.uses,
            "compared_with": self.beside,
            "by": self.method(),
            "split": self.saliency.of.split,
            "asked": self.saliency.of.samples,
            "grid": grid,
            "numbers": self.numbers(),
            "samples": samples.collect::<Vec<_>>(),
            "left_out": left_out.map(|(name, why)| json!({ "sample": name, "why": why })).collect::<Vec<_>>(),
        })
    }

    /// A line for each clip.
    fn lines(&self) -> Vec<Vec<String>> {
        let mut lines = vec![names([
            "sample",
            "class",
            "start",
            self.target(),
            "peak",
            "flat",
            "film",
        ])];
        for (number, sample) in (1..).zip(self.samples) {
            let film = match number <= self.drawn().len() {
                true => film::name(&self.saliency.of.clip, number),
                false => String::new(),
            };
            lines.extend(sample.clips.iter().map(|clip| {
                vec![
                    sample.name.clone(),
                    sample.class.clone().unwrap_or_default(),
                    clip.start.to_string(),
                    clip.target.to_string(),
                    clip.map.peak().to_string(),
                    flat(&clip.map).unwrap_or_default().to_owned(),
                    film.clone(),
                ]
            }));
        }
        lines
    }

    /// A clip with its map, of which `peak` is the largest cell and `cells` are the shares of it.
    fn clip(&self, clip: &Looked) -> Value {
        let peak = clip.map.peak();
        let share = |cell: &f64| match peak > 0.0 {
            true => (cell / peak * 1e4).round() / 1e4,
            false => 0.0,
        };
        let cells: Vec<f64> = values(&clip.map.cells).iter().map(share).collect();
        let mut told = json!({
            "start": clip.start,
            self.target(): clip.target,
            "peak": peak,
            "cells": nested(&cells, &clip.map.cells.size()),
        });
        if let Some(start) = clip.beside {
            told["compared_start"] = json!(start);
        }
        if let Some(why) = flat(&clip.map) {
            told["flat"] = json!(why);
        }
        told
    }
}

/// Why a map shows nothing; `None` where it does.
fn flat(map: &Highlight) -> Option<&'static str> {
    match (map.is_flat(), map.peak() > 0.0) {
        (false, _) => None,
        (true, true) if map.cells.numel() == 1 => Some("the map has one cell"),
        (true, true) => Some("all cells of the map are the same"),
        (true, false) => Some("nothing speaks for the target: the map is 0 everywhere"),
    }
}

/// Values in lists of lists of this size.
fn nested(values: &[f64], size: &[i64]) -> Value {
    match size {
        [] | [_] => json!(values),
        [first, rest @ ..] => {
            let each = values.len() / (*first).max(1) as usize;
            values
                .chunks(each.max(1))
                .map(|part| nested(part, rest))
                .collect()
        }
    }
}
