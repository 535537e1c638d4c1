//! A backbone with a linear layer on its pooled map, between two steps of their training.
//!
//! All of it is trained, BatchNorm by the statistics of each batch. It computes in the precision of the pretraining: where that is one of
//! 16 bits, so are convolutions and the layer here, forwards and backwards, in training and when it is scored.

use crate::augment::Key;
use crate::checkpoint;
use crate::data::batch::Batch;
use crate::device;
use crate::error::{Error, Result};
use crate::eval::layer::Layer;
use crate::ffi::{Autocast, Half};
use crate::loss::at_least_f32;
use crate::nn::lie::laid;
use crate::nn::parameters::{Entry, Parameters};
use crate::nn::{self, Backbone, Mode};
use crate::optim::Rate;
use crate::optim::scaler::Scaler;
use crate::optim::schedule;
use crate::ranks::Ranks;
use crate::ranks::gradients::Gradients;
use crate::train::{Group, Guard, Statistics, ends, follow, gradients_on};
use crate::watch::gauges::{Gauges, Readings};
use compiler::hir::{self, Pool};
use std::path::Path;
use tch::{Device, Kind, Reduction, Tensor, no_grad};

/// The names of the layer's tensors, behind those of the backbone.
const LAYER: [&str; 2] = ["classifier.weight", "classifier.bias"];

/// The networks and their way down a loss.
#[derive(Debug)]
pub struct Tuning {
    backbone: Backbone,
    parameters: Parameters,
    layer: Layer,
    layer_entries: Vec<Entry>,
    /// The modality whose clips it takes.
    uses: String,
    pool: Pool,
    /// The probability that a value before the layer is dropped.
    drop: f64,
    /// Below it what is dropped in each step is drawn.
    key: Key,
    groups: Vec<Group>,
    gradients: Gradients,
    /// Where it computes in float16.
    scaler: Option<Scaler>,
    statistics: Statistics,
    guard: Guard,
    kind: Kind,
    half: Option<Half>,
    device: Device,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stepped {
    /// It was taken; its loss.
    Down(f64),
    /// Loss or gradient are no numbers, and nothing has changed.
    NotFinite(f64),
}

impl Tuning {
    /// The backbone of the modality `uses` as it begins a pretraining, and a layer to so many classes with orthogonal weights and biases
    /// at zero, which `seed` draws.
    ///
    /// # Errors
    /// A modality without a backbone; what libtorch says.
    pub fn new(
        settings: &hir::Pretrain,
        uses: &str,
        recipe: &hir::Finetune,
        classes: usize,
        seed: u64,
        device: Device,
    ) -> Result<Self> {
        let (backbone, parameters) = Backbone::of_modality(settings, uses, device)?;
        let kind = nn::kind(settings.precision);
        let half = nn::half(settings.precision, device);
        let key = Key::at(seed, "finetune");
        let sizes = (backbone.width() as usize, classes);
        let layer = Layer::new(&key, sizes, (kind, device))?;
        let names = LAYER.map(str::to_owned).into_iter();
        let layer_entries: Vec<Entry> = names
            .zip(layer.parameters())
            .map(|(name, tensor)| Entry {
                name,
                tensor,
                is_learned: true,
            })
            .collect();
        let rates = schedule::rates(&recipe.lr, recipe.steps_per_epoch(), recipe.ep);
        let group =
            |name: &str, parameters, rates| Group::new(name, parameters, &recipe.optim, rates);
        let groups = vec![
            group(&format!("{uses}.f"), parameters.learned(), rates.clone())?,
            group("classifier", layer.parameters(), rates)?,
        ];
        Ok(Self {
            statistics: Statistics::of(parameters.entries())?,
            backbone,
            parameters,
            layer,
            layer_entries,
            uses: uses.to_owned(),
            pool: recipe.pool,
            drop: recipe.drp.to_f64(),
            key: key.child("dropped"),
            gradients: gradients_on(&groups, &Ranks::alone())?,
            groups,
            scaler: (half == Some(Half::Float16)).then(|| Scaler::new(device)),
            guard: Guard::new(device),
            kind,
            half,
            device,
        })
    }

    /// Gives the backbone the weights and statistics of a pretraining.
    ///
    /// # Errors
    /// A file that is damaged or of other networks.
    pub fn load(&self, weights: &Path) -> Result<()> {
        checkpoint::load(weights, self.parameters.entries())
    }

    /// Weights and running statistics: those of the backbone by the names of its checkpoint, then `classifier.weight` and
    /// `classifier.bias`.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.parameters.entries().iter().chain(&self.layer_entries)
    }

    /// Everything that the steps to come depend on beside the batches, sharing its storage.
    pub fn state(&self) -> Vec<Entry> {
        let groups = self.groups.iter().flat_map(Group::entries);
        let scaler = self.scaler.iter();
        let scaler = scaler.flat_map(|scaler| scaler.entries("scaler"));
        let own = self.entries().map(Entry::shared);
        own.chain(groups).chain(scaler).collect()
    }

    /// The learning rate of this step.
    pub fn rate(&self, step: u64) -> f64 {
        let rates = &self.groups[0].rates;
        rates.get(step as usize).copied().unwrap_or_default()
    }

    /// One step down the cross-entropy of a batch whose samples are of these `classes`; `step` is counted over all epochs. In float16 a
    /// step whose gradient left the range is not taken, and the next one has a smaller scale.
    ///
    /// # Errors
    /// What libtorch says; a step that does not fit in memory.
    pub fn step(&mut self, step: u64, batch: &Batch, classes: &[i64]) -> Result<Stepped> {
        let read = self.try_step(step, batch, classes);
        let read = read.map_err(|error| match error.is_of_memory() {
            true => Error::Unsupported {
                message: format!(
                    "out of memory: a step of {} samples does not fit on this device; finetune on one with more memory, or set a \
                     smaller `bs`, which is another experiment",
                    classes.len()
                ),
            },
            false => error,
        })?;
        Ok(match ends(&read) {
            true => Stepped::NotFinite(read.loss),
            false => Stepped::Down(read.loss),
        })
    }

    fn try_step(&mut self, step: u64, batch: &Batch, classes: &[i64]) -> Result<Readings> {
        self.statistics.keep()?;
        let classes = device::sent(&Tensor::from_slice(classes), self.device);
        let key = self.key.child(&step.to_string());
        let clips = &batch.views[&(self.uses.clone(), 1)];
        let loss = Error::caught(|| {
            let scores = self.forward(clips, Mode::Training { parts: 1 }, Some(&key))?;
            let none = None::<&Tensor>;
            Ok(scores.f_cross_entropy_loss(&classes, none, Reduction::Mean, -100, 0.0)?)
        })?;
        let gradients = match &self.scaler {
            None => self.gradients.of(&loss)?,
            Some(scaler) => {
                let gradients = self.gradients.of(&scaler.scaled(&loss))?;
                scaler.unscale(&gradients)?;
                gradients
            }
        };
        let mut gauges = Gauges::of_loss(&loss, &self.groups, &gradients)?;
        if let Some(scaler) = &self.scaler {
            gauges = gauges.with_scale(&scaler.scale())?;
        }
        let skip = self.guard.judge(&gauges)?;
        self.statistics.restore_where(&skip)?;
        let rate = |group: &Group| Rate::Number(group.rates[step as usize]);
        follow(&gradients, &mut self.groups, Some(&skip), rate)?;
        if let Some(scaler) = &self.scaler {
            self.guard.scale(scaler, &skip)?;
        }
        gauges.read()
    }

    /// The softmax of the scores of clips `[n, ...]`, by running statistics: `[n, classes]` in float64, on the CPU.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn softmax(&self, clips: &Tensor) -> Result<Tensor> {
        let clips = clips.f_to_device(self.device)?;
        let scores = || no_grad(|| self.forward(&clips, Mode::Evaluation, None));
        let scores = Error::caught(scores)?;
        Ok(scores
            .f_softmax(1, Kind::Double)?
            .f_to_device(Device::Cpu)?)
    }

    /// The scores of clips, `[n, classes]` in float32 at least; where there is a key, values before the layer are dropped as it says.
    fn forward(&self, clips: &Tensor, mode: Mode, dropped: Option<&Key>) -> Result<Tensor> {
        let clips = laid(
            &clips.f_to_kind(self.kind)?,
            self.half.is_some(),
            device::settings().memory_format,
        );
        let half = self
            .half
            .map(|half| Autocast::new(self.device.is_cuda(), Some(half)));
        let _half = half.transpose()?;
        let map = self.backbone.last(&clips, mode).f_flatten(2, -1)?;
        let pooled = match self.pool {
            Pool::AdaptiveMax => map.f_max_dim(-1, false)?.0,
            Pool::AdaptiveMean => map.f_mean_dim(-1, false, None)?,
        };
        let scores = match dropped {
            Some(key) => self.layer.forward(&pooled, self.drop, key)?,
            None => self.layer.scores(&pooled)?,
        };
        Ok(at_least_f32(&scores))
    }
}
