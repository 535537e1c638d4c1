//! Executes the training step of a plan on tensors: one `match` arm for each kind of node.
//!
//! The steps are taken in waves, all nodes of one depth together, and within a wave by group, modality and view. Running
//! statistics therefore move in view order whatever the order of the plan, and `bn = joint` can join the views of a modality
//! in one call.

use crate::data::batch::Batch;
use crate::error::{Error, Result};
use crate::ffi::Autocast;
use crate::loss;
use crate::nn::Model;
use compiler::graph::Node;
use compiler::hir::{BatchNorm, Precision};
use compiler::plan::{Pretrain, Step};
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
        // The depth of a step, and the modality and view that it comes from first.
        let mut depths: Vec<usize> = Vec::new();
        let mut origins: Vec<Option<(String, u32)>> = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            if step.inputs.iter().any(|&input| input >= index) {
                return Err(refuse(step, "reads what comes after it"));
            }
            if step.inputs.len() < arity(&step.node) {
                return Err(refuse(step, "has too few inputs"));
            }
            depths.push(
                step.inputs
                    .iter()
                    .map(|&input| depths[input] + 1)
                    .max()
                    .unwrap_or(0),
            );
            origins.push(if let Node::Augment { modality, view } = &step.node {
                Some((modality.clone(), *view))
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
                network(&steps[step].node),
                origins[step].clone(),
                step,
            )
        });
        let is_joint = work.settings.bn == BatchNorm::Joint;
        let call = |step: usize| {
            let group = network(&steps[step].node).filter(|_| is_joint);
            (
                depths[step],
                group,
                origins[step].as_ref().map(|(modality, _)| modality),
            )
        };
        let joins = |a: &usize, b: &usize| call(*a).1.is_some() && call(*a) == call(*b);
        let calls = order.chunk_by(joins).map(<[usize]>::to_vec).collect();
        Ok(Self {
            steps,
            calls,
            objective,
            precision: work.settings.precision,
        })
    }

    /// The parameter groups that the step uses.
    pub fn groups(&self) -> BTreeSet<&str> {
        self.steps
            .iter()
            .filter_map(|step| network(&step.node))
            .map(|(_, group)| group)
            .collect()
    }

    /// One forward pass in training mode. Batch and model are on `device`.
    pub fn forward(&self, model: &Model, batch: &Batch, device: Device) -> Result<Outputs> {
        let is_cuda = device.is_cuda();
        let half = match self.precision {
            Precision::Fp32 | Precision::Fp64 => false,
            Precision::Bf16 => true,
            Precision::Amp => is_cuda,
        };
        // One guard for the whole pass, so that weights are cast once.
        let _half = half.then(|| Autocast::new(is_cuda, true)).transpose()?;
        let mut values: Vec<Option<Tensor>> = self.steps.iter().map(|_| None).collect();
        for call in &self.calls {
            let inputs = call.iter().map(|&step| &self.steps[step].inputs[..]);
            let read = |input: usize| {
                values[input].as_ref().ok_or_else(|| Error::Unsupported {
                    message: format!(
                        "the plan reads the data of step `{}` as a tensor",
                        self.steps[input].name
                    ),
                })
            };
            let outputs = match &self.steps[call[0]].node {
                // The loader has done these.
                Node::Source | Node::Sample | Node::Decode { .. } | Node::Slice { .. } => continue,
                Node::Augment { modality, view } => {
                    let key = (modality.clone(), *view);
                    let view = batch.views.get(&key).ok_or_else(|| Error::Unsupported {
                        message: format!("the data give no view `{modality}{view}`"),
                    })?;
                    vec![view.shallow_clone()]
                }
                Node::Encode { group } | Node::Predict { group } => {
                    let views: Vec<_> = inputs
                        .map(|inputs| read(inputs[0]))
                        .collect::<Result<_>>()?;
                    forward_views(model, group, &views)
                }
                Node::StopGradient => vec![read(self.steps[call[0]].inputs[0])?.detach()],
                Node::L2 => vec![loss::l2(read(self.steps[call[0]].inputs[0])?)],
                Node::Scale { by } => vec![read(self.steps[call[0]].inputs[0])? * by.to_f64()],
                Node::Operator { operator } => {
                    return Err(Error::Unsupported {
                        message: format!("no training step can execute {operator:?} yet"),
                    });
                }
                Node::Term { term } => {
                    let _full = half.then(|| Autocast::new(is_cuda, false)).transpose()?;
                    let arguments = self.steps[call[0]].inputs.iter().map(|&input| read(input));
                    vec![loss::term(*term, &arguments.collect::<Result<Vec<_>>>()?)]
                }
                Node::Sum { weights } => {
                    let terms = weights.iter().zip(&self.steps[call[0]].inputs);
                    let weighted = terms.map(|(weight, &input)| Ok(read(input)? * weight.to_f64()));
                    vec![Tensor::stack(&weighted.collect::<Result<Vec<_>>>()?, 0).sum(None)]
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

    /// The values of the terms, by the names of their steps. One transfer from the device.
    pub fn terms(&self, outputs: &Outputs) -> BTreeMap<String, f64> {
        let is_term = |step: &&usize| matches!(self.steps[**step].node, Node::Term { .. });
        let terms: Vec<_> = self
            .calls
            .iter()
            .flatten()
            .filter(is_term)
            .copied()
            .collect();
        let scalars: Vec<_> = terms
            .iter()
            .filter_map(|&term| outputs.values[term].as_ref())
            .collect();
        if scalars.is_empty() {
            return BTreeMap::new();
        }
        let values = Tensor::stack(&scalars, 0)
            .detach()
            .to_kind(Kind::Double)
            .to_device(Device::Cpu);
        let values = Vec::<f64>::try_from(values).unwrap_or_default();
        terms
            .iter()
            .map(|&term| self.steps[term].name.clone())
            .zip(values)
            .collect()
    }

    /// The output of the step with this name, if it has one.
    pub fn value<'a>(&self, outputs: &'a Outputs, name: &str) -> Option<&'a Tensor> {
        let step = self.steps.iter().position(|step| step.name == name)?;
        outputs.values[step].as_ref()
    }
}

/// The network that a node calls: encoders before predictors, by group.
fn network(node: &Node) -> Option<(u8, &str)> {
    match node {
        Node::Encode { group } => Some((0, group)),
        Node::Predict { group } => Some((1, group)),
        Node::Source
        | Node::Sample
        | Node::Decode { .. }
        | Node::Slice { .. }
        | Node::Augment { .. }
        | Node::StopGradient
        | Node::L2
        | Node::Scale { .. }
        | Node::Operator { .. }
        | Node::Term { .. }
        | Node::Sum { .. } => None,
    }
}

/// The least number of inputs.
fn arity(node: &Node) -> usize {
    match node {
        Node::Source => 0,
        Node::Sum { weights } => weights.len().max(1),
        Node::Sample
        | Node::Decode { .. }
        | Node::Slice { .. }
        | Node::Augment { .. }
        | Node::Encode { .. }
        | Node::Predict { .. }
        | Node::StopGradient
        | Node::L2
        | Node::Scale { .. }
        | Node::Operator { .. }
        | Node::Term { .. } => 1,
    }
}

/// The network of `group` on one view, or on several joined along the batch.
fn forward_views(model: &Model, group: &str, views: &[&Tensor]) -> Vec<Tensor> {
    match views {
        [view] => vec![model.forward(group, view, true)],
        _ => {
            let sizes: Vec<_> = views.iter().map(|view| view.size()[0]).collect();
            model
                .forward(group, &Tensor::cat(views, 0), true)
                .split_sizes(sizes, 0)
        }
    }
}
