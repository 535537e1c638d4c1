//! Samples as points of a plane, and how their features are distributed (Figure 1).
//!
//! A point is a sample: the mean of its clips' features. What is said of pairs is said of these vectors at length 1, and alignment, where
//! samples have several clips, of those of the clips.

mod distribution;
mod pairs;
mod picture;
mod plane;
mod vega;

use super::samples::{Draws, draws, evaluation, part_name};
use super::{Panel, Tools, names, told};
use crate::data::admission::name_of;
use crate::data::reader::Role;
use crate::data::source::ClipSource;
use crate::error::{Error, Result};
use crate::eval::feature_set::Features;
use crate::eval::features::{Asked, Frozen, Trained};
use crate::eval::values::Gathered;
use compiler::hir::{Embedded, Projection};
use distribution::Distribution;
use plane::{Hears, Points, pca, tsne};
use records::record::ClipCounts;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// Classes that are told apart by colour, at most; of more the most frequent ones are.
const CLASSES: usize = 20;
/// So many of them.
const FREQUENT: usize = 10;

/// The way out of features that tell nothing apart.
const COLLAPSED: &str = "the backbone has collapsed: look at the curves of its training, or draw the state of an earlier `checkpoint`";

/// The samples that could be read, with their features.
struct Rows {
    /// Their positions in the data set, in the order in which they were drawn.
    samples: Vec<usize>,
    /// The mean of the clips of each, `[n, D]`, float64.
    means: Tensor,
    /// The clips of all of them, `[rows, D]`, float64.
    clips: Tensor,
    /// The place among `samples` of each of the clips.
    owners: Vec<usize>,
}

/// Draws an embedding of features of this model.
///
/// # Errors
/// Features that cannot be drawn; samples that cannot be read; [`Error::Interrupted`].
pub(super) fn panel(
    embedded: &Embedded,
    seed: u64,
    model: Trained<'_>,
    tools: &mut Tools<'_>,
) -> Result<Panel> {
    let eval = evaluation(&embedded.of, &embedded.features);
    let network = Frozen::load(model, &eval, tools.device)?;
    let draws = draws(&embedded.of, &eval, seed, tools)?;
    let asked = Asked {
        role: Role::Test,
        clips: draws.samples.iter().map(|sample| *sample as u32).collect(),
        seed,
        options: tools.options,
    };
    let (mut features, mut done) = (Gathered::new(std::env::temp_dir()), 0);
    let mut each = || {
        done += 1;
        (tools.progress)(done, draws.samples.len() as u64, "samples");
    };
    let came = network.read(tools.source, asked, &mut features, &mut each, tools.stop)?;
    let features = features.finish()?;
    let clips = ClipCounts {
        asked: draws.samples.len() as u64,
        skipped: came.left_out.len().saturating_sub(came.failed.len()) as u64,
        undecodable: came
            .failed
            .iter()
            .map(|(name, why)| (name.into(), why.clone()))
            .collect(),
        ..ClipCounts::default()
    };
    let rows = rows(&features, came.width.unwrap_or(0), embedded, tools)?;
    let points = points(embedded, &rows, seed, tools)?;
    let shown = Shown::of(&rows, tools);
    let distribution = Distribution::of(&rows, shown.labels.as_deref(), tools.stop)?;
    let distribution = distribution.ok_or_else(|| {
        let message = "the features of all its samples but one are 0 altogether, so that no two of them have a similarity".to_owned();
        unfit(embedded, message, COLLAPSED)
    })?;
    let figure = Figure {
        embedded,
        draws: &draws,
        rows: &rows,
        shown: &shown,
        points: &points,
        distribution: &distribution,
        source: tools.source.as_ref(),
    };
    Ok(Panel {
        svg: picture::of(&figure),
        data: figure.data(),
        lines: figure.lines(),
        numbers: distribution.numbers(),
        files: vec![("figure.vl.json".to_owned(), vega::of(&figure))],
        clips,
    })
}

/// What is wrong with the samples of a drawing.
fn unfit(embedded: &Embedded, message: String, help: &str) -> Error {
    Error::Data {
        name: name_of(&embedded.of.data).to_owned(),
        message,
        help: help.to_owned(),
    }
}

/// The features as matrices.
///
/// # Errors
/// Fewer than three samples; features that are not finite, or the same for all.
fn rows(features: &Features, width: usize, embedded: &Embedded, tools: &Tools<'_>) -> Result<Rows> {
    let is_odd = |value: &f32| !value.is_finite();
    if let Some(at) = features.values.iter().position(is_odd) {
        let sample = tools.source.name(features.samples[at / width]);
        let message = format!("the features of `{sample}` are not finite");
        let help = "the backbone's weights have diverged: lower `lr_b`, and train again";
        return Err(unfit(embedded, message, help));
    }
    let mut samples = features.samples.clone();
    samples.dedup();
    if samples.len() < 3 {
        let message = format!(
            "{} of its samples could be read, and a plane needs three",
            samples.len()
        );
        return Err(unfit(
            embedded,
            message,
            "check its files with `crisscross data check`",
        ));
    }
    let owners = features.samples.chunk_by(|a, b| a == b).enumerate();
    let owners: Vec<usize> = owners
        .flat_map(|(at, own)| own.iter().map(move |_| at))
        .collect();
    let clips = Tensor::from_slice(&features.values).to_kind(Kind::Double);
    let clips = clips.f_view([owners.len() as i64, width as i64])?;
    let places: Vec<i64> = owners.iter().map(|at| *at as i64).collect();
    let places = Tensor::from_slice(&places);
    let zeros = Tensor::zeros(
        [samples.len() as i64, width as i64],
        (Kind::Double, Device::Cpu),
    );
    let counts = places.bincount::<Tensor>(None, 0).unsqueeze(1);
    let means = zeros.f_index_add(0, &places, &clips)?.f_div(&counts)?;
    if means
        .f_eq_tensor(&means.narrow(0, 0, 1))?
        .all()
        .int64_value(&[])
        == 1
    {
        let message = "the features of all its samples are the same".to_owned();
        return Err(unfit(embedded, message, COLLAPSED));
    }
    Ok(Rows {
        samples,
        means,
        clips,
        owners,
    })
}

/// Where the samples lie.
///
/// # Errors
/// Too few samples for the perplexity.
fn points(embedded: &Embedded, rows: &Rows, seed: u64, tools: &mut Tools<'_>) -> Result<Points> {
    let Projection::Tsne { perplexity } = embedded.by else {
        return pca(&rows.means);
    };
    let others = rows.samples.len() - 1;
    let most = others as f64 / 3.0;
    let asked = perplexity.to_f64();
    if asked > most && !tools.few {
        let message = format!(
            "a perplexity of {} looks at {} neighbours of each sample, and of the samples drawn {} could be read",
            perplexity.decimal(),
            (3.0 * asked) as u64,
            rows.samples.len()
        );
        let help = format!(
            "lower `perplexity` to {:.0} at most, or draw more `samples`",
            most.floor()
        );
        return Err(unfit(embedded, message, &help));
    }
    let mut hears = Hears {
        progress: &mut *tools.progress,
        stop: tools.stop,
    };
    tsne(&rows.means, asked.min(most), seed, &mut hears)
}

/// The classes of the samples.
struct Shown {
    /// The class of each sample; `None` where some have none, or all the same.
    labels: Option<Vec<u32>>,
    /// The classes that have a colour, with their samples.
    classes: Vec<(u32, usize)>,
    /// The colour of each sample.
    colours: Vec<Option<usize>>,
    /// Classes without a colour.
    others: usize,
}

impl Shown {
    fn of(rows: &Rows, tools: &Tools<'_>) -> Self {
        let labels = rows
            .samples
            .iter()
            .map(|sample| tools.source.label(*sample));
        let labels: Option<Vec<u32>> = labels.collect();
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for label in labels.iter().flatten() {
            *counts.entry(*label).or_default() += 1;
        }
        let mut classes: Vec<(u32, usize)> = counts.into_iter().collect();
        let all = classes.len();
        if all > CLASSES {
            classes.sort_by_key(|(class, count)| (std::cmp::Reverse(*count), *class));
            classes.truncate(FREQUENT);
        }
        let colour = |label: &u32| classes.iter().position(|(class, _)| class == label);
        let colours = match &labels {
            Some(labels) => labels.iter().map(colour).collect(),
            None => vec![None; rows.samples.len()],
        };
        Self {
            labels: labels.filter(|_| all > 1),
            others: all - classes.len(),
            classes,
            colours,
        }
    }
}

/// All that a figure shows.
struct Figure<'a> {
    embedded: &'a Embedded,
    draws: &'a Draws,
    rows: &'a Rows,
    shown: &'a Shown,
    points: &'a Points,
    distribution: &'a Distribution,
    source: &'a dyn ClipSource,
}

impl Figure<'_> {
    fn title(&self) -> String {
        format!(
            "Features of {} ({})",
            name_of(&self.embedded.of.data),
            self.embedded.of.uses
        )
    }

    fn name(&self, sample: usize) -> String {
        told(self.source, &self.source.name(sample))
    }

    /// The samples one by one: `sample`, `class`, `x`, `y`.
    fn points(&self) -> Vec<Value> {
        let places = self.rows.samples.iter().zip(&self.points.places);
        let one = |(sample, [x, y]): (&usize, &[f64; 2])| {
            let class = self.source.label(*sample);
            json!({
                "sample": self.name(*sample),
                "class": class.map(|class| &self.source.classes()[class as usize]),
                "x": x,
                "y": y,
            })
        };
        places.map(one).collect()
    }

    /// The same as lines.
    fn lines(&self) -> Vec<Vec<String>> {
        let mut lines = vec![names(["sample", "class", "x", "y"])];
        let places = self.rows.samples.iter().zip(&self.points.places);
        lines.extend(places.map(|(sample, [x, y])| {
            let class = self.source.label(*sample);
            let class = class.map(|class| self.source.classes()[class as usize].clone());
            vec![
                self.name(*sample),
                class.unwrap_or_default(),
                x.to_string(),
                y.to_string(),
            ]
        }));
        lines
    }

    fn data(&self) -> Value {
        let of = &self.embedded.of;
        let projection = match self.embedded.by {
            Projection::Pca => json!({ "method": "pca", "variance": self.points.shares }),
            Projection::Tsne { perplexity } => json!({
                "method": "tsne",
                "perplexity": perplexity.to_f64(),
                "theta": plane::THETA,
                "steps": plane::STEPS,
                "start": "pca",
                "divergence": self.points.divergence,
            }),
        };
        json!({
            "kind": "embedding",
            "data": name_of(&of.data),
            "modality": of.uses,
            "part": part_name(of),
            "asked": of.samples,
            "drawn": self.draws.samples.len(),
            "drawn_from": self.draws.of,
            "clips_of_a_sample": self.rows.owners.len() / self.rows.samples.len(),
            "width": self.rows.means.size()[1],
            "projection": projection,
            "similarity": self.distribution.data(),
            "numbers": self.distribution.numbers(),
            "points": self.points(),
        })
    }
}
