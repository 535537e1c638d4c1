//! How a plan stands on one machine: what is done, what lacks, and what the rest takes.

use super::available::is_whole;
use super::{Executable, Plan, Stage, StageId, Work, executable};
use crate::hir::Data;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What whoever has looked at a machine hands to the printer of a plan.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Finished stages, each with the name of its run folder.
    pub done: BTreeMap<StageId, String>,
    /// Data sets of the plan that are not there, by name, each with the reason: `no root in crisscross.toml`.
    pub missing: BTreeMap<String, String>,
    /// Finished pretrainings that did not keep a state that the plan reads, with the epochs: they are not done.
    pub again: BTreeMap<StageId, Vec<u32>>,
    /// Finished pretrainings whose weights were imported: they need no data.
    pub imported: BTreeSet<StageId>,
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
    /// What the stages that are to do take; `None` where nobody has asked.
    pub estimate: Option<Estimate>,
    /// By id.
    pub states: HashMap<&'p StageId, State>,
    by_id: HashMap<&'p StageId, &'p Stage>,
    /// What can be executed of it; `None` where that is all.
    executable: Option<Executable>,
}

impl<'p> Stood<'p> {
    /// The stage with this id.
    pub fn at(&self, id: &StageId) -> Option<&'p Stage> {
        self.by_id.get(id).copied()
    }

    /// What of the plan a run makes.
    pub fn runs(&self) -> &Plan {
        self.executable
            .as_ref()
            .map_or(self.plan, |left| &left.plan)
    }

    /// What a run cannot make, with how many numbers need it, and the rows that are left out for it.
    pub fn left_out(&self) -> (BTreeMap<&'static str, usize>, Vec<String>) {
        let left = self.executable.as_ref();
        left.map_or_else(Default::default, |left| {
            (left.refused.clone(), left.rows.clone())
        })
    }
}

/// Says what will become of each stage of `plan`.
pub fn stood<'p>(plan: &'p Plan, standing: &'p Standing) -> Stood<'p> {
    let executable = (!is_whole(plan)).then(|| executable(plan));
    let left = executable.as_ref().map(|left| &left.plan);
    let kept: Option<HashSet<&StageId>> =
        left.map(|left| left.stages.iter().map(|stage| &stage.id).collect());
    let lost = Links::of(left.unwrap_or(plan)).lost(&standing.missing, &standing.imported);
    let state = |id: &StageId| {
        if standing.done.contains_key(id) {
            State::Done
        } else if kept.as_ref().is_some_and(|kept| !kept.contains(id)) {
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
        estimate: None,
        executable,
        states,
        by_id: plan.stages.iter().map(|stage| (&stage.id, stage)).collect(),
    }
}

/// Which stages read which, by their places in a plan: a plan is asked for each missing data set what it stops.
pub(super) struct Links<'p> {
    plan: &'p Plan,
    needs: Vec<Vec<usize>>,
}

impl<'p> Links<'p> {
    /// The links of the stages of `plan`.
    pub fn of(plan: &'p Plan) -> Self {
        let mut places: HashMap<&StageId, usize> = HashMap::with_capacity(plan.stages.len());
        let mut all = vec![];
        for (place, stage) in plan.stages.iter().enumerate() {
            let needs = stage.work.needs().into_iter();
            all.push(needs.filter_map(|id| places.get(id).copied()).collect());
            places.insert(&stage.id, place);
        }
        Links { plan, needs: all }
    }

    /// The stages that cannot be made for want of the `missing` data sets, and those that are made for them alone. Those that were
    /// `imported` need none.
    pub fn lost(
        &self,
        missing: &BTreeMap<String, String>,
        imported: &BTreeSet<StageId>,
    ) -> HashSet<&'p StageId> {
        let stages = &self.plan.stages;
        if missing.is_empty() {
            return HashSet::new();
        }
        let mut lost = vec![false; stages.len()];
        for (place, stage) in stages.iter().enumerate() {
            let is_without = lacks(&stage.work, missing).is_some() && !imported.contains(&stage.id);
            lost[place] = is_without || self.needs[place].iter().any(|need| lost[*need]);
        }
        // How many read a stage, and how many of them are lost.
        let mut users = vec![(0u32, 0u32); stages.len()];
        for place in (0..stages.len()).rev() {
            let (all, without) = users[place];
            lost[place] |= all > 0 && all == without;
            for need in &self.needs[place] {
                users[*need].0 += 1;
                users[*need].1 += u32::from(lost[place]);
            }
        }
        let places = stages.iter().zip(lost);
        places
            .filter_map(|(stage, lost)| lost.then_some(&stage.id))
            .collect()
    }
}

/// The names of the data sets of files that `plan` reads, where these pretrainings were `imported`.
pub fn data_sets<'p>(plan: &'p Plan, imported: &BTreeSet<StageId>) -> BTreeSet<&'p str> {
    let stages = plan.stages.iter();
    let read = stages
        .filter(|stage| !imported.contains(&stage.id))
        .filter_map(|stage| stage.work.reads());
    read.filter(|data| is_of_files(data))
        .map(crate::written::data_name)
        .collect()
}

/// The missing data set that this work reads.
pub(super) fn lacks<'w>(work: &'w Work, missing: &BTreeMap<String, String>) -> Option<&'w str> {
    let data = work.reads().filter(|data| is_of_files(data))?;
    Some(crate::written::data_name(data)).filter(|name| missing.contains_key(*name))
}

fn is_of_files(data: &Data) -> bool {
    match data {
        Data::Videos(_) | Data::Sounds(_) => true,
        Data::Synthetic(_) => false,
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
