//! What the steps of a program remember from one training step to the next: copies that follow a network by a moving average, and
//! memory banks with the rows that they lend out as negatives.
//!
//! Both are read before the optimiser's step and move behind it.

use super::Outputs;
use crate::augment::draws::Key;
use crate::data::batch::{Batch, Clips};
use crate::device::sent;
use crate::error::{Error, Result};
use crate::loss;
use crate::nn::averages::{Average, Followed};
use crate::nn::banks::{Bank, MEMORY};
use crate::nn::parameters::Parameters;
use crate::nn::{self, Memories, Model};
use compiler::graph::{Node, work};
use compiler::loss::{EmbeddingOp, TermOp};
use compiler::plan::{self, Pretrain, Step};
use compiler::units::Exact;
use std::collections::{BTreeMap, BTreeSet};
use tch::{Device, Tensor};

/// By step, what it needs of what is remembered.
#[derive(Debug)]
pub(super) struct Remembers {
    averages: BTreeMap<usize, Followed>,
    banks: BTreeMap<usize, Place>,
    negatives: BTreeMap<usize, Negatives>,
    seed: u64,
}

/// A bank that a step reads.
#[derive(Debug)]
struct Place {
    name: String,
    momentum: Exact,
    width: u32,
    /// The step whose rows it takes in.
    from: usize,
}

/// The negatives of a term.
#[derive(Debug)]
struct Negatives {
    bank: String,
    count: u64,
    t: Exact,
    /// The steps between bank and term, the first one first; each works row by row.
    way: Vec<usize>,
}

impl Remembers {
    /// Of these steps, whose inputs come before them.
    pub fn new(work: &Pretrain, steps: &[Step]) -> Result<Self> {
        let widths = work::widths(&work.settings, steps);
        let (mut averages, mut banks) = (BTreeMap::new(), BTreeMap::new());
        let mut negatives = BTreeMap::new();
        for (at, step) in steps.iter().enumerate() {
            if let Node::Operator {
                operator: EmbeddingOp::Ema { group, decay },
            } = &step.node
            {
                averages.insert(at, (group.clone(), *decay));
            }
            if let Node::Operator {
                operator: EmbeddingOp::Memory { momentum },
            } = &step.node
            {
                let from = step.inputs[0];
                let place = Place {
                    name: format!("{MEMORY}{}/{}", momentum.decimal(), made_by(steps, from)),
                    momentum: *momentum,
                    width: widths[from],
                    from,
                };
                banks.insert(at, place);
            }
            if let Node::Term {
                term:
                    TermOp::InfoNce {
                        t,
                        negatives: Some(count),
                    },
            } = step.node
            {
                let lent = plan::lent(steps, at).ok_or_else(|| Error::Unsupported {
                    message: format!(
                        "`{}` takes negatives of a memory bank that reach it through a network; this version cannot run it",
                        step.name
                    ),
                })?;
                let (from, way) = lent;
                let bank: &Place = &banks[&from];
                let own = Negatives {
                    bank: bank.name.clone(),
                    count,
                    t,
                    way,
                };
                negatives.insert(at, own);
            }
        }
        Ok(Self {
            averages,
            banks,
            negatives,
            seed: work.settings.seed,
        })
    }

    /// The groups that copies follow.
    pub fn followed(&self) -> impl Iterator<Item = String> + '_ {
        self.averages.values().map(|(group, _)| group.clone())
    }

    /// `model` with what is remembered before the first step, of `clips` clips.
    pub fn begin(
        &self,
        work: &Pretrain,
        model: Model,
        device: Device,
        clips: u64,
    ) -> Result<Model> {
        let settings = &work.settings;
        let mut memories = Memories::default();
        let followed: BTreeSet<&Followed> = self.averages.values().collect();
        let mut before: BTreeMap<&str, usize> = BTreeMap::new();
        for of in followed {
            let number = before.entry(&of.0).or_default();
            *number += 1;
            let place = (*number, device);
            memories
                .averages
                .push(Average::new(settings, &model, of.clone(), place)?);
        }
        let places: BTreeMap<&str, &Place> = self
            .banks
            .values()
            .map(|place| (&*place.name, place))
            .collect();
        for (name, place) in places {
            let kind = nn::kind(settings.precision);
            let parameters = Parameters::new(settings.seed, kind, device);
            let size = (clips, place.width);
            let bank = Bank::new(parameters, name.to_owned(), place.momentum, size);
            memories.banks.push(bank);
        }
        Ok(model.with(memories))
    }

    /// The copy that the step at `at` calls.
    pub fn average<'m>(&self, model: &'m Model, at: usize) -> Result<&'m Average> {
        let wanted = self.averages.get(&at);
        let mut averages = model.memories().averages.iter();
        averages
            .find(|average| Some(average.of()) == wanted)
            .ok_or_else(|| absent("a copy that follows a network"))
    }

    /// The rows of the batch in the bank that the step at `at` reads, as they were before the step.
    pub fn rows(&self, model: &Model, at: usize, batch: &Batch) -> Result<Tensor> {
        let place = self.banks.get(&at).ok_or_else(|| absent("a memory bank"))?;
        bank(model, &place.name)?.rows(&batch.clips.own)
    }

    /// The value of the term at `at` where its negatives are rows of a bank; `None` for other terms.
    pub fn term(
        &self,
        steps: &[Step],
        at: usize,
        arguments: &[&Tensor],
        (model, batch): (&Model, &Batch),
    ) -> Result<Option<Tensor>> {
        let (Some(own), [x, y]) = (self.negatives.get(&at), arguments) else {
            return Ok(None);
        };
        let drawn = self.drawn(own, &batch.clips, batch.step)?;
        let mut rows = bank(model, &own.bank)?.rows(&drawn)?;
        for &step in &own.way {
            let node = &steps[step].node;
            if let Node::L2 = node {
                rows = loss::l2(&rows);
            } else if let Node::Scale { by } = node {
                rows *= by.to_f64();
            } else if let Node::Operator {
                operator: EmbeddingOp::Linear(width),
            } = node
            {
                rows = model.forward(&nn::linear(*width), &rows, nn::Mode::Evaluation);
            }
            // What is left of them stops a gradient, and rows of a bank have none.
        }
        let numbers = |clips: &[u32]| {
            let clips: Vec<i64> = clips.iter().map(|&clip| clip.into()).collect();
            sent(&Tensor::from_slice(&clips), x.device())
        };
        let is_own = numbers(&batch.clips.own)
            .unsqueeze(1)
            .eq_tensor(&numbers(&drawn).unsqueeze(0));
        let t = own.t.to_f64();
        Ok(Some(loss::info_nce_against(x, y, &rows, &is_own, t)))
    }

    /// The clips whose rows are negatives in this step: the same on all ranks, with replacement.
    fn drawn(&self, own: &Negatives, clips: &Clips, step: u64) -> Result<Vec<u32>> {
        let last = i64::try_from(clips.all.len()).unwrap_or(i64::MAX) - 1;
        if last < 0 {
            return Err(Error::Unsupported {
                message: format!("`{}` has rows of no clip to compare with", own.bank),
            });
        }
        let key = Key::at(self.seed, &format!("negatives/{}/{step}", own.bank));
        let mut draws = key.draws("rows");
        let clip = |_| clips.all[draws.integer(0..=last) as usize];
        Ok((0..own.count).map(clip).collect())
    }

    /// Moves copies and rows, behind the optimiser's step for `batch`, one of `steps`; not where `skip` is 1.
    pub fn follow(
        &self,
        model: &Model,
        outputs: &Outputs,
        batch: &Batch,
        steps: u64,
        skip: Option<&Tensor>,
    ) -> Result<()> {
        for average in &model.memories().averages {
            average.follow(batch.step, steps, skip)?;
        }
        for bank in &model.memories().banks {
            // Equal steps take in equal rows, each view once.
            let from: BTreeSet<usize> = self
                .banks
                .values()
                .filter(|place| place.name == bank.name())
                .map(|place| place.from)
                .collect();
            let views = from
                .iter()
                .filter_map(|&from| outputs.values[from].as_ref());
            let views: Vec<Tensor> = views.map(Tensor::shallow_clone).collect();
            bank.follow(&batch.clips.own, &views, skip, model.ranks())?;
        }
        Ok(())
    }
}

fn bank<'m>(model: &'m Model, name: &str) -> Result<&'m Bank> {
    let mut banks = model.memories().banks.iter();
    banks
        .find(|bank| bank.name() == name)
        .ok_or_else(|| absent("a memory bank"))
}

fn absent(what: &str) -> Error {
    Error::Unsupported {
        message: format!("the step reads {what}, and the model has none"),
    }
}

/// What makes the rows of the step at `at` out of a view, the outermost first: `v.f/v`. The view's number is no part of it.
fn made_by(steps: &[Step], mut at: usize) -> String {
    let mut made = vec![];
    loop {
        let step = &steps[at];
        let (node, input) = if let Node::Part { part } = step.node {
            let call = &steps[step.inputs[0]];
            let own = (part as usize).saturating_sub(1);
            (&call.node, call.inputs.get(own))
        } else {
            (&step.node, step.inputs.first())
        };
        if let Some((modality, _)) = node.view() {
            made.push(modality.to_owned());
            return made.join("/");
        }
        made.push(match node {
            Node::Encode { group } | Node::Predict { group } => group.clone(),
            Node::StopGradient => "sg".to_owned(),
            Node::L2 => "l2".to_owned(),
            Node::Scale { by } => format!("x{by}"),
            Node::Operator { operator } => operator.to_string(),
            Node::Source
            | Node::Sample
            | Node::Decode { .. }
            | Node::Slice { .. }
            | Node::Augment { .. }
            | Node::Convert { .. }
            | Node::Batch { .. }
            | Node::Part { .. }
            | Node::Term { .. }
            | Node::Cosines { .. }
            | Node::Sum { .. } => String::new(),
        });
        match input {
            Some(&input) => at = input,
            None => return made.join("/"),
        }
    }
}
