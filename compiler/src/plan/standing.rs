//! How a plan stands on one machine: what is done, what lacks, and what the rest takes.

use super::{Executable, Plan, Stage, StageId, Work, executable};
use crate::hir::{Data, Drawing};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What whoever has looked at a machine hands to the printer of a plan.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Finished stages, each with the name of its run folder.
    pub done: BTreeMap<StageId, String>,
    /// Data sets of the plan that are not there, by name, each with the reason: `no root in crisscross.toml`.
    pub missing: BTreeMap<String, String>,
    /// Finished pretrainings that did not keep a state that the plan reads, with the epochs: they are not done.
    pub again: BTreeMap<StageId, Vec<u32>>,
    /// What the stages that are to do take; `None` where nobody has asked.
    pub estimate: Option<Estimate>,
    /// Warnings about the files in a few words: `3 warnings (W0503 W0705)`.
    pub warnings: Option<String>,
}

/// What stages take, by what earlier ones took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Seconds of all that was measured.
    pub seconds: f64,
    /// What it was measured on: `cpu`, or the name of a GPU. Empty where nothing was.
    pub device: String,
    /// Optimiser steps that were measured.
    pub steps: u64,
    /// Stages whose like was not measured, by kind: they are not in `seconds`.
    pub unmeasured: BTreeMap<&'static str, usize>,
}

/// What will become of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A run folder holds it.
    Done,
    /// A run makes it.
    ToDo,
    /// It needs a data set that is not there, or is needed by such stages alone.
    Stopped,
    /// This version cannot execute it, or what alone needs it.
    LeftOut,
}

impl State {
    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            State::Done => "done",
            State::ToDo => "to do",
            State::Stopped => "stopped",
            State::LeftOut => "left out",
        }
    }
}

/// A plan with the state of each of its stages.
pub struct Stood<'p> {
    /// The plan.
    pub plan: &'p Plan,
    /// What is known of this machine.
    pub standing: &'p Standing,
    /// What can be executed of it.
    pub executable: Executable,
    /// By id.
    pub states: BTreeMap<&'p StageId, State>,
    by_id: BTreeMap<&'p StageId, &'p Stage>,
}

impl<'p> Stood<'p> {
    /// The stage with this id.
    pub fn at(&self, id: &StageId) -> Option<&'p Stage> {
        self.by_id.get(id).copied()
    }
}

/// Says what will become of each stage of `plan`.
pub fn stood<'p>(plan: &'p Plan, standing: &'p Standing) -> Stood<'p> {
    let executable = executable(plan);
    let kept: BTreeSet<&StageId> = executable.plan.stages.iter().map(|s| &s.id).collect();
    let lost = lost(&executable.plan, &standing.missing);
    let state = |id: &StageId| {
        if standing.done.contains_key(id) {
            State::Done
        } else if !kept.contains(id) {
            State::LeftOut
        } else if lost.contains(id) {
            State::Stopped
        } else {
            State::ToDo
        }
    };
    let states = plan.stages.iter().map(|s| (&s.id, state(&s.id))).collect();
    drop((kept, lost));
    Stood {
        plan,
        standing,
        executable,
        states,
        by_id: plan.stages.iter().map(|stage| (&stage.id, stage)).collect(),
    }
}

/// The stages that cannot be made for want of the `missing` data sets, and those that are made for them alone.
pub(super) fn lost<'p>(
    plan: &'p Plan,
    missing: &BTreeMap<String, String>,
) -> BTreeSet<&'p StageId> {
    let mut lost: BTreeSet<&StageId> = BTreeSet::new();
    if missing.is_empty() {
        return lost;
    }
    for stage in &plan.stages {
        let is_without = lacks(&stage.work, missing).is_some();
        if is_without || needs(&stage.work).iter().any(|id| lost.contains(id)) {
            lost.insert(&stage.id);
        }
    }
    let mut users: BTreeMap<&StageId, (usize, usize)> = BTreeMap::new();
    for stage in plan.stages.iter().rev() {
        if let Some((all, without)) = users.get(&stage.id)
            && all == without
        {
            lost.insert(&stage.id);
        }
        for id in needs(&stage.work) {
            let (all, without) = users.entry(id).or_default();
            *all += 1;
            *without += usize::from(lost.contains(&stage.id));
        }
    }
    lost
}

/// The names of the data sets of files that `plan` reads.
pub fn data_sets(plan: &Plan) -> BTreeSet<&str> {
    let read = plan.stages.iter().filter_map(|stage| reads(&stage.work));
    read.filter(|data| is_of_files(data))
        .map(crate::written::data_name)
        .collect()
}

/// The missing data set that this work reads.
pub(super) fn lacks<'w>(work: &'w Work, missing: &BTreeMap<String, String>) -> Option<&'w str> {
    let data = reads(work).filter(|data| is_of_files(data))?;
    Some(crate::written::data_name(data)).filter(|name| missing.contains_key(*name))
}

/// The data set whose clips this work reads.
fn reads(work: &Work) -> Option<&Data> {
    match work {
        Work::Pretrain(work) => (work.settings.ep > 0).then_some(&work.settings.data),
        Work::Extract(work) => Some(&work.eval.data),
        Work::Finetune(work) => Some(&work.eval.data),
        Work::Draw(work) => match &work.drawing {
            Drawing::Embedding(embedded) => Some(&embedded.of.data),
            Drawing::Saliency(saliency) => Some(&saliency.of.data),
            Drawing::Gallery(gallery) => Some(&gallery.eval.data),
        },
        Work::Score(_) => None,
    }
}

fn is_of_files(data: &Data) -> bool {
    match data {
        Data::Videos(_) | Data::Sounds(_) => true,
        Data::Synthetic(_) => false,
    }
}

/// The stages whose outcome this work reads.
pub fn needs(work: &Work) -> Vec<&StageId> {
    match work {
        Work::Pretrain(_) => vec![],
        Work::Extract(work) => vec![&work.model],
        Work::Finetune(work) => vec![&work.model],
        Work::Draw(work) => vec![&work.from],
        Work::Score(work) => [&work.features].into_iter().chain(&work.beside).collect(),
    }
}

/// `pretrain`, `extract`, `score`, `finetune`, `draw`.
pub fn kind(work: &Work) -> &'static str {
    match work {
        Work::Pretrain(_) => "pretrain",
        Work::Extract(_) => "extract",
        Work::Score(_) => "score",
        Work::Finetune(_) => "finetune",
        Work::Draw(_) => "draw",
    }
}
