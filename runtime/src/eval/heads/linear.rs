//! A linear layer with softmax on frozen features (App. E.1, and the released code for DCASE), for sets too large for an SVM.
//!
//! Weights begin orthogonal, biases at zero, as in the released code. Every epoch goes through the training rows once, in an order of
//! its own, in batches of which an incomplete last one is left out; the loss is cross-entropy. A test sample's scores are the mean of the
//! softmax over its rows. What the recipe leaves open is said by [`compiler::hir::Linear`].
//!
//! Where the epoch is chosen on held-out samples, a first training on the others chooses it, by folds one for each fold, and a last one on
//! all ends with it: the rate of a step is the same in all as far as their epochs go.

use super::{Chosen, Judged, Means, Outcome, best, means as means_of, share};
use crate::augment::Key;
use crate::error::{Error, Result};
use crate::eval::feature_set::{FeatureSet, Features};
use crate::eval::layer::Layer;
use crate::eval::splits::{Split, parts, rows_of, wrong};
use crate::optim::{Optimiser, schedule};
use crate::ranks::Ranks;
use crate::ranks::gradients::Gradients;
use compiler::hir::{Choose, Keep, Linear};
use std::sync::atomic::Ordering;
use tch::{Device, Kind, Reduction, Tensor, no_grad};

/// Rows that are scored at once.
const ROWS: usize = 4096;
/// The way out of a training that diverges.
const LOWER: &str = "lower `lr` of `linear(...)`";

/// The samples of a training, those that are asked about, and what these are asked about with.
struct Round<'a> {
    train: &'a [usize],
    asked: &'a [usize],
    with: &'a Features,
    /// Epochs that are taken of the recipe's.
    epochs: u32,
    /// Whether the samples are asked after each epoch, or after the last one alone.
    is_watched: bool,
}

/// Trains a layer for each split, and judges by the epoch that the recipe keeps.
pub fn judge(
    set: &FeatureSet,
    splits: &[Split],
    recipe: &Linear,
    seed: u64,
    means: &mut Means,
) -> Result<Vec<Judged>> {
    let held = |split: (usize, &Split)| match recipe.keep() {
        Keep::Last => Ok(vec![]),
        Keep::Best(choose) => parts(set, split, choose, seed, "the epoch"),
    };
    let held: Vec<Vec<(Vec<usize>, Vec<usize>)>> =
        splits.iter().enumerate().map(held).collect::<Result<_>>()?;
    let rounds: usize = held.iter().map(|parts| parts.len() + 1).sum();
    let all = rounds as u64 * u64::from(recipe.ep);
    let mut done = 0;
    let mut judged = vec![];
    for (split, held) in splits.iter().zip(&held) {
        let mut train = |round: &Round| {
            let key = Key::at(seed, &format!("linear/{}", split.name));
            let mut count = |_: u32| {
                done += 1;
                (means.progress)(done.min(all), all, "epochs");
            };
            let stop = || means.stop.load(Ordering::Relaxed);
            fit(
                set,
                recipe,
                (&key, means.device),
                round,
                (&mut count, &stop),
            )
        };
        let whole = Round {
            train: &split.train,
            asked: &split.test,
            with: &set.test,
            epochs: recipe.ep,
            is_watched: false,
        };
        judged.push(match recipe.keep() {
            Keep::Last => {
                let found = train(&whole)?;
                Judged {
                    outcomes: found.into_iter().flatten().collect(),
                    chosen: Chosen::Epoch(recipe.ep),
                    tried: vec![],
                }
            }
            Keep::Best(Choose::Test) => {
                let mut found = train(&Round {
                    is_watched: true,
                    ..whole
                })?;
                let tried = shares(&found);
                let best = best(&tried);
                Judged {
                    outcomes: found.swap_remove(best),
                    chosen: Chosen::Epoch(best as u32 + 1),
                    tried: by_epoch(tried),
                }
            }
            Keep::Best(Choose::Val(_) | Choose::Folds(_)) => {
                let mut tried = vec![];
                for (others, held) in held {
                    tried.push(shares(&train(&Round {
                        train: others,
                        asked: held,
                        with: &set.train,
                        is_watched: true,
                        ..whole
                    })?));
                }
                let tried = means_of(&tried);
                let best = best(&tried) as u32 + 1;
                let found = train(&Round {
                    epochs: best,
                    ..whole
                })?;
                Judged {
                    outcomes: found.into_iter().flatten().collect(),
                    chosen: Chosen::Epoch(best),
                    tried: by_epoch(tried),
                }
            }
        });
    }
    Ok(judged)
}

fn shares(found: &[Vec<Outcome>]) -> Vec<f64> {
    found.iter().map(|outcomes| share(outcomes, 1)).collect()
}

/// The shares with the number of the epoch, from 1.
fn by_epoch(shares: Vec<f64>) -> Vec<(String, f64)> {
    let epochs = (1..).map(|epoch: u32| epoch.to_string());
    epochs.zip(shares).collect()
}

/// A layer in training.
#[derive(Debug)]
pub struct Learner {
    layer: Layer,
    optimiser: Optimiser,
    gradients: Gradients,
    drop: f64,
}

impl Learner {
    /// Trains `layer` on by the recipe.
    pub fn new(layer: Layer, recipe: &Linear) -> Result<Self> {
        Ok(Self {
            optimiser: Optimiser::new(&recipe.optim(), layer.parameters())?,
            gradients: Gradients::new(layer.parameters(), &Ranks::alone())?,
            drop: recipe.drp().to_f64(),
            layer,
        })
    }

    /// One step at this rate on features `[B, width]` of classes `[B]`; values are dropped as drawn under `key`. The loss before it, `[]`.
    pub fn step(
        &mut self,
        features: &Tensor,
        classes: &Tensor,
        rate: f64,
        key: &Key,
    ) -> Result<Tensor> {
        let scores = self.layer.forward(features, self.drop, key)?;
        let loss =
            scores.f_cross_entropy_loss(classes, None::<&Tensor>, Reduction::Mean, -100, 0.0)?;
        let down = self.gradients.of(&loss)?;
        self.optimiser.step(&down, rate)?;
        Ok(loss.detach())
    }

    /// Weight and bias, sharing their storage.
    pub fn parameters(&self) -> Vec<Tensor> {
        self.layer.parameters()
    }
}

/// Trains a layer; what is found for the samples asked about after each epoch, or after the last one.
fn fit(
    set: &FeatureSet,
    recipe: &Linear,
    (key, device): (&Key, Device),
    round: &Round,
    (count, stop): (&mut dyn FnMut(u32), &dyn Fn() -> bool),
) -> Result<Vec<Vec<Outcome>>> {
    let rows = rows_of(&set.train, round.train);
    let asked = rows_of(round.with, round.asked);
    let batch = (recipe.bs() as usize).min(rows.len());
    let steps = rows.len() / batch;
    let rates = schedule::rates(&recipe.lr, steps as u64, recipe.ep);
    let layer = Layer::new(key, (set.width, set.classes.len()), (Kind::Float, device))?;
    let mut learner = Learner::new(layer, recipe)?;

    let mut found = vec![];
    for epoch in 0..round.epochs {
        let key = key.child(&format!("epoch/{epoch}"));
        let mut order = rows.clone();
        key.draws("order").shuffle(&mut order);
        let mut total = Tensor::zeros([1], (Kind::Double, device));
        for (step, members) in order.chunks_exact(batch).enumerate() {
            if stop() {
                return Err(Error::Interrupted);
            }
            let inputs = set.train.matrix(members, set.width, device)?;
            let classes: Vec<i64> = members
                .iter()
                .map(|row| i64::from(set.labels[set.train.samples[*row]]))
                .collect();
            let classes = Tensor::from_slice(&classes).f_to_device(device)?;
            let rate = rates[epoch as usize * steps + step];
            let drop = key.child(&format!("drop/{step}"));
            total += learner.step(&inputs, &classes, rate, &drop)?;
        }
        let total = total.double_value(&[0]);
        if !total.is_finite() {
            return Err(wrong(
                set,
                format!(
                    "the loss of a linear layer on its features is {total} in epoch {}",
                    epoch + 1
                ),
                LOWER,
            ));
        }
        if round.is_watched || epoch + 1 == round.epochs {
            found.push(outcomes(set, &learner.layer, round, &asked, device)?);
        }
        count(epoch);
    }
    Ok(found)
}

/// What the layer finds for the samples asked about.
fn outcomes(
    set: &FeatureSet,
    layer: &Layer,
    round: &Round,
    rows: &[usize],
    device: Device,
) -> Result<Vec<Outcome>> {
    // Sums do as well as means: a sample has as many rows for each class.
    let mut sums = vec![vec![]; set.samples.len()];
    for rows in rows.chunks(ROWS) {
        let inputs = round.with.matrix(rows, set.width, device)?;
        let scores = no_grad(|| layer.scores(&inputs))?;
        let scores: Vec<f64> = scores
            .f_softmax(1, Kind::Double)?
            .flatten(0, -1)
            .try_into()?;
        // The last step of a training comes after its last loss.
        if !scores.iter().all(|score| score.is_finite()) {
            return Err(wrong(
                set,
                "the scores of a linear layer on its features are not finite".to_owned(),
                LOWER,
            ));
        }
        for (row, scores) in rows.iter().zip(scores.chunks(set.classes.len())) {
            let sum = &mut sums[round.with.samples[*row]];
            sum.resize(scores.len(), 0.0);
            sum.iter_mut()
                .zip(scores)
                .for_each(|(sum, score)| *sum += score);
        }
    }
    let asked = round.asked.iter();
    Ok(asked
        .map(|sample| Outcome::of_scores(set, *sample, &sums[*sample]))
        .collect())
}
