//! Executes the training step of a plan on tensors: one `match` arm for each kind of node.
//!
//! The steps are taken in waves, all nodes of one depth together, and within a wave by group, modality and view. Running
//! statistics therefore move in view order whatever the order of the plan, and `bn = joint` can join the views of a modality
//! in one call.
//!
//! On several ranks each has a part of the batch. What looks across the batch (`Node::scope`) gets the embeddings of all samples; of
//! what is a mean over samples the mean over the ranks is taken, once, before the first sum reads it.

mod remembers;

use crate::augment;
use crate::constants;
use crate::data::batch::Batch;
use crate::device;
use crate::error::{Error, Result};
use crate::ffi::Autocast;
use crate::loss;
use crate::nn::lie::laid;
use crate::nn::{self, Mode, Model};
use crate::ranks::Ranks;
use compiler::graph::Node;
use compiler::hir::{BatchNorm, Modality, Precision};
use compiler::loss::{EmbeddingOp, Scope};
use compiler::plan::{Pretrain, Step};
use remembers::Remembers;
use std::collections::{BTreeMap, BTreeSet};
use tch::{Device, Kind, Tensor};

/// A training step, checked and in the order of its execution.
#[derive(Debug)]
pub struct Program {
    steps: Vec<Step>,
    /// Each call executes these steps: one, or several views of a modality joined.
    calls: Vec<Vec<usize>>,
    objective: usize,
    precision: Precision,
    bn: BatchNorm,
    /// Samples of a group of BatchNorm, where it takes groups.
    bn_group: Option<u32>,
    modalities: Vec<Modality>,
    remembers: Remembers,
}

/// What one forward pass gives.
#[derive(Debug)]
pub struct Outputs {
    /// The scalar to minimise.
    pub objective: Tensor,
    /// By step; steps of the data alone have no tensor.
    values: Vec<Option<Tensor>>,
}

impl Program {
    /// Orders the steps of `work`. A plan whose steps do not fit together is refused.
    pub fn new(work: &Pretrain) -> Result<Self> {
        let steps = work.steps.to_vec();
        let refuse = |step: &Step, what: &str| Error::Unsupported {
            message: format!(
                "the plan's step `{}` {what}; make the plan anew with this version",
                step.name
            ),
        };
        // The depth of a step, and the modality and view that it comes from first. The path of the data has depth 0 however long its
        // chains are, and a part of a call the depth of the call, so that neither moves a call among the others.
        let mut depths: Vec<usize> = Vec::new();
        let mut origins: Vec<Option<(String, u32)>> = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            if step.inputs.iter().any(|&input| input >= index) {
                return Err(refuse(step, "reads what comes after it"));
            }
            let addends = |&input: &usize| {
                if let Node::Cosines { pairs, .. } = &steps[input].node {
                    pairs.len()
                } else {
                    1
                }
            };
            let weighs_nothing = matches!(&step.node, Node::Sum { weights }
                if step.inputs.iter().map(addends).sum::<usize>() < weights.len());
            if step.inputs.len() < arity(&step.node) || weighs_nothing {
                return Err(refuse(step, "has too few inputs"));
            }
            let is_part = matches!(step.node, Node::Part { .. });
            let deepest = step.inputs.iter().map(|&input| depths[input]).max();
            depths.push(match deepest {
                Some(depth) if is_part => depth,
                Some(depth) if !step.node.is_data() => depth + 1,
                Some(_) | None => 0,
            });
            origins.push(if let Some((modality, view)) = step.node.view() {
                Some((modality.to_owned(), view))
            } else if let Node::Part { part } = step.node {
                let call: &Step = &steps[step.inputs[0]];
                let own = (part as usize)
                    .checked_sub(1)
                    .and_then(|own| call.inputs.get(own));
                let own = own.ok_or_else(|| refuse(step, "is a part of no call"))?;
                origins[*own].clone()
            } else {
                step.inputs.iter().find_map(|&input| origins[input].clone())
            });
        }
        let objective = match steps.last() {
            Some(Step {
                node: Node::Sum { .. },
                ..
            }) => steps.len() - 1,
            _ => {
                return Err(Error::Unsupported {
                    message: "the plan's last step is no sum of terms".to_owned(),
                });
            }
        };

        let mut order: Vec<_> = (0..steps.len()).collect();
        order.sort_by_key(|&step| {
            (
                depths[step],
                matches!(steps[step].node, Node::Part { .. }),
                steps[step].node.call(),
                origins[step].clone(),
                step,
            )
        });
        let is_joint = work.settings.bn == BatchNorm::Joint;
        let call = |step: usize| {
            let group = steps[step].node.call().filter(|_| is_joint);
            (
                depths[step],
                group,
                origins[step].as_ref().map(|(modality, _)| modality),
            )
        };
        let joins = |a: &usize, b: &usize| call(*a).1.is_some() && call(*a) == call(*b);
        let calls = order.chunk_by(joins).map(<[usize]>::to_vec).collect();
        Ok(Self {
            remembers: Remembers::new(work, &steps)?,
            steps,
            calls,
            objective,
            precision: work.settings.precision,
            bn: work.settings.bn,
            bn_group: work.settings.bn_group,
            modalities: work.settings.modalities.clone(),
        })
    }

    /// The parameter groups that the step uses: those of the modalities, and linear layers of the loss.
    pub fn groups(&self) -> BTreeSet<String> {
        let own = self.steps.iter().filter_map(|step| {
            if let Node::Operator {
                operator: EmbeddingOp::Linear(width),
            } = step.node
            {
                return Some(nn::linear(width));
            }
            step.node.network().map(|(_, group)| group.to_owned())
        });
        own.chain(self.remembers.followed()).collect()
    }

    /// The model before the first step: the networks of `work`, and what its loss remembers of so many `clips`.
    pub fn model(&self, work: &Pretrain, place: (Device, &Ranks), clips: u64) -> Result<Model> {
        let (device, ranks) = place;
        let model = Model::on_ranks(&work.settings, self.groups(), device, ranks)?;
        self.remembers.begin(work, model, device, clips)
    }

    /// Moves what the loss remembers, behind the optimiser's step for this batch, one of `steps`; not where `skip`, float32 `[1]`, is 1.
    pub fn follow(
        &self,
        model: &Model,
        outputs: &Outputs,
        batch: &Batch,
        steps: u64,
        skip: Option<&Tensor>,
    ) -> Result<()> {
        self.remembers.follow(model, outputs, batch, steps, skip)
    }

    /// One forward pass in training mode. Batch and model are on `device`.
    ///
    /// On several ranks the batch is this rank's part of it; objective and terms are those of the whole batch on each of them.
    pub fn forward(&self, model: &Model, batch: &Batch, device: Device) -> Result<Outputs> {
        let is_cuda = device.is_cuda();
        let half = nn::half(self.precision, device);
        // One guard for the whole pass, so that weights are cast once.
        let _half = half
            .map(|half| Autocast::new(is_cuda, Some(half)))
            .transpose()?;
        let mut values: Vec<Option<Tensor>> = self.steps.iter().map(|_| None).collect();
        let ranks = model.ranks();
        // Terms of this rank's samples alone, whose mean over the ranks is still to be taken, and embeddings with the rows of all.
        let mut apart: Vec<usize> = Vec::new();
        let mut whole: BTreeMap<usize, Tensor> = BTreeMap::new();
        for call in &self.calls {
            let inputs = call.iter().map(|&step| &self.steps[step].inputs[..]);
            if let (Node::Sum { .. }, false) = (&self.steps[call[0]].node, apart.is_empty()) {
                self.take_means(&mut values, &std::mem::take(&mut apart), ranks)?;
            }
            if self.steps[call[0]].node.scope() == Scope::Batch && !ranks.is_alone() {
                for &input in &self.steps[call[0]].inputs {
                    if let (Some(own), false) = (&values[input], whole.contains_key(&input)) {
                        whole.insert(input, ranks.rows(own)?);
                    }
                }
            }
            let read = |input: usize| {
                values[input].as_ref().ok_or_else(|| Error::Unsupported {
                    message: format!(
                        "the plan reads the data of step `{}` as a tensor",
                        self.steps[input].name
                    ),
                })
            };
            let node = &self.steps[call[0]].node;
            let first = self.steps[call[0]].inputs.first();
            let outputs = match node {
                // The loader has done these, and of a chain what stands in front of its batch.
                Node::Source | Node::Sample | Node::Decode { .. } | Node::Slice { .. } => continue,
                Node::Augment { .. } | Node::Convert { .. }
                    if first.is_none_or(|&input| values[input].is_none()) =>
                {
                    continue;
                }
                Node::Augment {
                    modality,
                    view,
                    link,
                    ..
                } => {
                    let _full = half.map(|_| Autocast::new(is_cuda, None)).transpose()?;
                    let at = format!("{modality}/{view}");
                    let keys: Vec<_> = batch.keys.iter().map(|key| key.child(&at)).collect();
                    let batch = read(self.steps[call[0]].inputs[0])?;
                    let modality = self.modality(modality)?;
                    vec![augment::augment_link(
                        modality,
                        *link as usize,
                        batch,
                        &keys,
                    )]
                }
                Node::Convert { modality, .. } => {
                    let _full = half.map(|_| Autocast::new(is_cuda, None)).transpose()?;
                    let batch = read(self.steps[call[0]].inputs[0])?;
                    vec![augment::convert(self.modality(modality)?, batch)]
                }
                Node::Batch { modality, view } => {
                    let key = (modality.clone(), *view);
                    let view = batch.views.get(&key).ok_or_else(|| Error::Unsupported {
                        message: format!("the data give no view `{modality}{view}`"),
                    })?;
                    vec![view.shallow_clone()]
                }
                Node::Encode { group } | Node::Predict { group } => {
                    let views = self.views(inputs.clone().flatten(), read, half.is_some())?;
                    let counts: Vec<_> = inputs.map(<[usize]>::len).collect();
                    let network = |x: &Tensor, mode| model.forward(group, x, mode);
                    self.forward_views(network, &views, &counts)
                }
                Node::Operator {
                    operator: EmbeddingOp::Ema { .. },
                } => {
                    let average = self.remembers.average(model, call[0])?;
                    let views = self.views(inputs.clone().flatten(), read, half.is_some())?;
                    let counts: Vec<_> = inputs.map(<[usize]>::len).collect();
                    self.forward_views(|x: &Tensor, mode| average.forward(x, mode), &views, &counts)
                }
                Node::Part { part } => {
                    let whole = read(self.steps[call[0]].inputs[0])?;
                    let parts = self.steps[self.steps[call[0]].inputs[0]].inputs.len();
                    let rows = whole.size()[0] / parts as i64;
                    vec![whole.narrow(0, i64::from(part - 1) * rows, rows)]
                }
                Node::StopGradient => vec![read(self.steps[call[0]].inputs[0])?.detach()],
                Node::L2 => vec![loss::l2(read(self.steps[call[0]].inputs[0])?)],
                Node::Scale { by } => vec![read(self.steps[call[0]].inputs[0])? * by.to_f64()],
                Node::Operator {
                    operator: EmbeddingOp::Linear(width),
                } => {
                    let group = nn::linear(*width);
                    let x = read(self.steps[call[0]].inputs[0])?;
                    vec![model.forward(&group, x, Mode::Training { parts: 1 })]
                }
                Node::Operator {
                    operator: EmbeddingOp::Memory { .. },
                } => vec![self.remembers.rows(model, call[0], batch)?],
                Node::Operator {
                    operator: EmbeddingOp::Sinkhorn { eps },
                } => {
                    let _full = half.map(|_| Autocast::new(is_cuda, None)).transpose()?;
                    let input = self.steps[call[0]].inputs[0];
                    vec![match whole.get(&input) {
                        Some(of_all) => ranks.own_rows(&loss::sinkhorn(of_all, eps.to_f64())),
                        None => loss::sinkhorn(read(input)?, eps.to_f64()),
                    }]
                }
                Node::Operator { operator } => {
                    return Err(Error::Unsupported {
                        message: format!(
                            "the plan has {operator:?} as an operator of the loss; make it anew with this version"
                        ),
                    });
                }
                Node::Term { term } => {
                    let _full = half.map(|_| Autocast::new(is_cuda, None)).transpose()?;
                    let looks_across = term.scope() == Scope::Batch;
                    let argument = |&input: &usize| match whole.get(&input) {
                        Some(of_all) if looks_across => Ok(of_all),
                        Some(_) | None => read(input),
                    };
                    let arguments = self.steps[call[0]].inputs.iter().map(argument);
                    if !looks_across && !ranks.is_alone() {
                        apart.push(call[0]);
                    }
                    let arguments = arguments.collect::<Result<Vec<_>>>()?;
                    let memory = (model, batch);
                    let against = self
                        .remembers
                        .term(&self.steps, call[0], &arguments, memory)?;
                    vec![against.unwrap_or_else(|| loss::term(*term, &arguments))]
                }
                Node::Cosines { firsts, pairs } => {
                    let _full = half.map(|_| Autocast::new(is_cuda, None)).transpose()?;
                    let arguments = self.steps[call[0]].inputs.iter().map(|&input| read(input));
                    let arguments = arguments.collect::<Result<Vec<_>>>()?;
                    let (firsts, seconds) = arguments.split_at(*firsts as usize);
                    if !ranks.is_alone() {
                        apart.push(call[0]);
                    }
                    vec![loss::cosines(firsts, seconds, pairs)]
                }
                Node::Sum { weights } => {
                    let mut rest = weights.iter().map(|weight| weight.to_f64());
                    let mut weighted = Vec::new();
                    for &input in &self.steps[call[0]].inputs {
                        let term = read(input)?;
                        if let Node::Cosines { pairs, .. } = &self.steps[input].node {
                            let own: Vec<f64> = rest.by_ref().take(pairs.len()).collect();
                            let own = constants::numbers(&own, term.kind(), term.device());
                            weighted.push(term.dot(&own));
                        } else {
                            weighted.extend(rest.next().map(|weight| term * weight));
                        }
                    }
                    vec![Tensor::stack(&weighted, 0).sum(None)]
                }
            };
            for (&step, output) in call.iter().zip(outputs) {
                values[step] = Some(output);
            }
        }
        let objective = values[self.objective]
            .as_ref()
            .expect("the loop has filled every sum")
            .shallow_clone();
        Ok(Outputs { objective, values })
    }

    /// The outputs for a batch whose equal parts, in order, gave these, at least one: means of terms, rows one after another, without
    /// gradients and without the views.
    pub fn joined(&self, parts: &[Outputs]) -> Outputs {
        let value = |(at, step): (usize, &Step)| {
            let parts = parts.iter().map(|part| part.values[at].as_ref());
            let parts: Vec<Tensor> = parts.map(|of| Some(of?.detach())).collect::<Option<_>>()?;
            if step.node.is_data() {
                return None;
            }
            let is_value = step.node.is_scalar();
            Some(match is_value {
                true => Tensor::stack(&parts, 0).mean_dim(0, false, None),
                false => Tensor::cat(&parts, 0),
            })
        };
        let values: Vec<_> = self.steps.iter().enumerate().map(value).collect();
        let objective = values[self.objective].as_ref();
        let objective = objective.expect("each part has its objective");
        Outputs {
            objective: objective.shallow_clone(),
            values,
        }
    }

    /// Puts the means over the ranks in the place of the values of these steps. They travel together.
    fn take_means(
        &self,
        values: &mut [Option<Tensor>],
        steps: &[usize],
        ranks: &Ranks,
    ) -> Result<()> {
        let own: Vec<Tensor> = steps
            .iter()
            .filter_map(|&step| values[step].as_ref().map(|value| value.view(-1)))
            .collect();
        let sizes: Vec<i64> = own.iter().map(|value| value.size()[0]).collect();
        let means = ranks
            .mean(&Tensor::cat(&own, 0))?
            .split_with_sizes(&sizes, 0);
        for (&step, mean) in steps.iter().zip(means) {
            let is_scalar = matches!(self.steps[step].node, Node::Term { .. });
            values[step] = Some(if is_scalar { mean.squeeze() } else { mean });
        }
        Ok(())
    }

    /// The values of the terms, by the names of their steps. One transfer from the device.
    pub fn terms(&self, outputs: &Outputs) -> BTreeMap<String, f64> {
        let (names, values): (Vec<_>, Vec<_>) = self.term_values(outputs).into_iter().unzip();
        if values.is_empty() {
            return BTreeMap::new();
        }
        let values = Tensor::cat(&values, 0)
            .detach()
            .to_kind(Kind::Double)
            .to_device(Device::Cpu);
        let values = Vec::<f64>::try_from(values).unwrap_or_default();
        names.into_iter().flatten().zip(values).collect()
    }

    /// The values of the terms on the device, `[n]` with n names each: several where cosines are the entries of one matrix.
    pub fn term_values(&self, outputs: &Outputs) -> Vec<(Vec<String>, Tensor)> {
        let mut found = Vec::new();
        for &step in self.calls.iter().flatten() {
            let Some(value) = outputs.values[step].as_ref() else {
                continue;
            };
            let own = &self.steps[step];
            if let Node::Term { .. } = own.node {
                found.push((vec![own.name.clone()], value.view(1)));
            } else if let Node::Cosines { firsts, pairs } = &own.node {
                let argument = |at: u32| &self.steps[own.inputs[at as usize]].name;
                let names = pairs.iter().map(|(row, column)| {
                    format!("cos({},{})", argument(*row), argument(firsts + column))
                });
                found.push((names.collect(), value.shallow_clone()));
            }
        }
        found
    }

    /// What the encoders make of the views of each modality, `[B, D]` for a view or as many rows for several.
    pub fn embeddings<'a>(&self, outputs: &'a Outputs) -> BTreeMap<String, Vec<&'a Tensor>> {
        let mut found: BTreeMap<String, Vec<&Tensor>> = BTreeMap::new();
        for (step, value) in self.steps.iter().zip(&outputs.values) {
            if let (Node::Encode { .. }, Some(value)) = (&step.node, value)
                && let Some(modality) = self.origin(step)
            {
                found.entry(modality.to_owned()).or_default().push(value);
            }
        }
        found
    }

    /// The modality that a step comes from first.
    fn origin(&self, step: &Step) -> Option<&str> {
        let mut at = self.steps.get(*step.inputs.first()?)?;
        loop {
            if let Some((modality, _)) = at.node.view() {
                return Some(modality);
            }
            at = self.steps.get(*at.inputs.first()?)?;
        }
    }

    /// The output of the step with this name, if it has one.
    pub fn value<'a>(&self, outputs: &'a Outputs, name: &str) -> Option<&'a Tensor> {
        let step = self.steps.iter().position(|step| step.name == name)?;
        outputs.values[step].as_ref()
    }

    /// The steps that have an output, in the order in which they were executed.
    pub fn executed<'a>(
        &'a self,
        outputs: &'a Outputs,
    ) -> impl Iterator<Item = (&'a Step, &'a Tensor)> {
        let steps = self.calls.iter().flatten();
        steps.filter_map(|&step| Some((&self.steps[step], outputs.values[step].as_ref()?)))
    }

    /// What a step reads: the names of those steps, with their outputs.
    pub fn inputs<'a>(
        &'a self,
        outputs: &'a Outputs,
        step: &'a Step,
    ) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
        let inputs = step.inputs.iter();
        inputs.filter_map(|&input| {
            let value = outputs.values[input].as_ref()?;
            Some((self.steps[input].name.as_str(), value))
        })
    }

    fn modality(&self, name: &str) -> Result<&Modality> {
        let found = self.modalities.iter().find(|m| m.name == name);
        found.ok_or_else(|| Error::Unsupported {
            message: format!("the plan has links of `{name}`, which is no modality of it"),
        })
    }

    /// What a network takes of these steps. Views come as float32, whatever the networks compute in.
    fn views<'v>(
        &self,
        inputs: impl Iterator<Item = &'v usize>,
        read: impl Fn(usize) -> Result<&'v Tensor>,
        is_half: bool,
    ) -> Result<Vec<Tensor>> {
        let kind = nn::kind(self.precision);
        let format = device::settings().memory_format;
        let as_is = |&input: &usize| {
            let x = read(input)?;
            Ok(match self.steps[input].node.is_data() {
                true => laid(&x.to_kind(kind), is_half, format),
                false => x.shallow_clone(),
            })
        };
        inputs.map(as_is).collect()
    }

    /// A network on one view, or on several joined along the batch: what it makes of those of each step, `counts` of them.
    fn forward_views(
        &self,
        network: impl Fn(&Tensor, Mode) -> Tensor,
        views: &[Tensor],
        counts: &[usize],
    ) -> Vec<Tensor> {
        let parts = match self.bn {
            BatchNorm::PerView => views.len() as i64,
            BatchNorm::Joint => 1,
        };
        let mode = match self.bn_group {
            Some(rows) => Mode::Grouped { rows: rows.into() },
            None => Mode::Training { parts },
        };
        if let [view] = views {
            return vec![network(view, mode)];
        }
        let rows = views[0].size()[0];
        let sizes: Vec<_> = counts.iter().map(|&count| count as i64 * rows).collect();
        network(&Tensor::cat(views, 0), mode).split_sizes(sizes, 0)
    }
}

/// The least number of inputs.
fn arity(node: &Node) -> usize {
    match node {
        Node::Source => 0,
        Node::Cosines { firsts, pairs } => {
            let seconds = pairs.iter().map(|(_, column)| column + 1).max();
            (firsts + seconds.unwrap_or(1)) as usize
        }
        Node::Sample
        | Node::Decode { .. }
        | Node::Slice { .. }
        | Node::Augment { .. }
        | Node::Convert { .. }
        | Node::Batch { .. }
        | Node::Encode { .. }
        | Node::Predict { .. }
        | Node::Part { .. }
        | Node::StopGradient
        | Node::L2
        | Node::Scale { .. }
        | Node::Operator { .. }
        | Node::Term { .. }
        | Node::Sum { .. } => 1,
    }
}
