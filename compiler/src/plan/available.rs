//! What a plan asks for and no run can execute yet.

use super::passes::{shared_data, states};
use super::{CellPlan, Plan, RowPlan, StageId, Step, Work};
use crate::graph::Node;
use crate::hir::{Clip, Data, Drawing, Pretrain, Words};
use crate::loss::TermOp;
use std::collections::{BTreeMap, BTreeSet};

/// A plan without what cannot be executed.
#[derive(Clone, Debug, PartialEq)]
pub struct Executable {
    /// What is left. A refused number is a cell without a stage, with the reason; a row all of whose numbers are refused is
    /// left out, so that nothing is trained for a line of dashes.
    pub plan: Plan,
    /// What is refused, and how many numbers need it: `optical flow`.
    pub refused: BTreeMap<&'static str, usize>,
    /// Rows that are left out: `table6:1`.
    pub rows: Vec<String>,
}

/// Whether a run can execute all of `plan`.
pub(super) fn is_whole(plan: &Plan) -> bool {
    plan.stages
        .iter()
        .all(|stage| refusal(&stage.work).is_none())
}

/// Takes out of `plan` what no run can execute yet.
pub fn executable(plan: &Plan) -> Executable {
    let reasons = reasons(plan);
    let (mut refused, mut rows) = (BTreeMap::new(), vec![]);
    let mut left = plan.clone();
    for table in &mut left.tables {
        let mut kept: Vec<RowPlan> = vec![];
        for (place, mut row) in (1..).zip(std::mem::take(&mut table.rows)) {
            let number = row.number.unwrap_or(place);
            if let Some(what) = reasons.get(&row.pretrain) {
                *refused.entry(*what).or_default() += row.cells.len();
                rows.push(format!("{}:{number}", table.name));
                continue;
            }
            let mut lost = 0;
            for cell in &mut row.cells {
                lost += usize::from(refuse(cell, &reasons, &mut refused));
            }
            if lost > 0 && row.cells.iter().all(|cell| cell.stage.is_err()) {
                rows.push(format!("{}:{number}", table.name));
            } else {
                row.number = (number != kept.len() + 1).then_some(number);
                kept.push(row);
            }
        }
        table.rows = kept;
    }
    left.tables.retain(|table| !table.rows.is_empty());
    let needed = needed(&left);
    left.stages.retain(|stage| needed.contains(&stage.id));
    regroup(&mut left);
    keep_what_is_read(&mut left);
    Executable {
        plan: left,
        refused,
        rows,
    }
}

/// Lets each pretraining keep the states that are still read.
fn keep_what_is_read(plan: &mut Plan) {
    let readers = plan.stages.iter().filter_map(|stage| match &stage.work {
        Work::Extract(work) => Some((&work.model, work.checkpoint?)),
        Work::Finetune(work) => Some((&work.model, work.checkpoint?)),
        Work::Draw(work) => Some((&work.from, work.checkpoint?)),
        Work::Pretrain(_) | Work::Score(_) => None,
    });
    let mut read = states(readers);
    for stage in &mut plan.stages {
        if let Work::Pretrain(work) = &mut stage.work {
            work.keep = read.remove(&stage.id).unwrap_or_default();
        }
    }
}

/// Takes the pretrainings that are left out from their groups.
fn regroup(plan: &mut Plan) {
    let settings: BTreeMap<&StageId, &Pretrain> = plan
        .stages
        .iter()
        .filter_map(|stage| match &stage.work {
            Work::Pretrain(work) => Some((&stage.id, work.settings.as_ref())),
            Work::Extract(_) | Work::Finetune(_) | Work::Score(_) | Work::Draw(_) => None,
        })
        .collect();
    for gang in &mut plan.gangs {
        let before = gang.members.len();
        gang.members.retain(|id| settings.contains_key(id));
        if (2..before).contains(&gang.members.len()) {
            let members: Vec<&Pretrain> = gang.members.iter().map(|id| settings[id]).collect();
            gang.data = shared_data(&members);
        }
    }
    plan.gangs.retain(|gang| gang.members.len() > 1);
}

/// The plan with the reason in each cell that no run can fill yet, and nothing left out: what a report prints.
pub fn with_reasons(plan: &Plan) -> Plan {
    let reasons = reasons(plan);
    let mut said = plan.clone();
    let rows = said.tables.iter_mut().flat_map(|table| &mut table.rows);
    for row in rows {
        let whole = reasons.get(&row.pretrain);
        for cell in &mut row.cells {
            match whole {
                Some(what) if cell.stage.is_ok() => cell.stage = Err(refused_as(what)),
                Some(_) | None => drop(refuse(cell, &reasons, &mut BTreeMap::new())),
            }
        }
    }
    said
}

/// The stages that no run can execute, each with what it is; a score on features that none can extract is one of them.
fn reasons(plan: &Plan) -> BTreeMap<&StageId, &'static str> {
    let mut reasons = BTreeMap::new();
    // Stages stand behind those that they need.
    for stage in &plan.stages {
        let own = refusal(&stage.work);
        let what = own.or_else(|| match &stage.work {
            Work::Score(work) => {
                let mut features = std::iter::once(&work.features).chain(&work.beside);
                features.find_map(|id| reasons.get(id).copied())
            }
            Work::Pretrain(_) | Work::Extract(_) | Work::Finetune(_) | Work::Draw(_) => None,
        });
        reasons.extend(what.map(|what| (&stage.id, what)));
    }
    reasons
}

/// The reason of a cell that is refused.
fn refused_as(what: &str) -> String {
    format!("this version cannot run {what}")
}

/// Takes the stage of a cell away if it is refused.
fn refuse(
    cell: &mut CellPlan,
    reasons: &BTreeMap<&StageId, &'static str>,
    refused: &mut BTreeMap<&'static str, usize>,
) -> bool {
    let Some(what) = cell.stage.as_ref().ok().and_then(|id| reasons.get(id)) else {
        return false;
    };
    *refused.entry(what).or_default() += 1;
    cell.stage = Err(refused_as(what));
    true
}

/// What of a stage cannot be executed.
pub fn refusal(work: &Work) -> Option<&'static str> {
    match work {
        Work::Pretrain(work) => unread(work).or_else(|| negatives(&work.steps)),
        Work::Extract(work) => clip(&work.eval.clip),
        Work::Finetune(work) => clip(&work.eval.clip),
        Work::Score(_) => None,
        Work::Draw(work) => match &work.drawing {
            Drawing::Embedding(embedded) => clip(&embedded.of.clip),
            Drawing::Saliency(saliency) => clip(&saliency.of.clip),
            Drawing::Gallery(gallery) => clip(&gallery.eval.clip),
        },
    }
}

/// A stream that a pretraining needs and no run can read. It counts for clips of which no term is too: the sampler places the
/// windows of all declared modalities.
fn unread(work: &super::Pretrain) -> Option<&'static str> {
    let modalities = work.settings.modalities.iter();
    let clips = modalities.map(|modality| &modality.clip);
    clips
        .into_iter()
        .find_map(clip)
        .or_else(|| captions(&work.settings.data))
}

/// A clip that no run can decode.
fn clip(clip: &Clip) -> Option<&'static str> {
    match clip {
        Clip::Video { .. } | Clip::Audio { .. } => None,
        Clip::Text {
            from: Words::Captions,
            ..
        } => Some("text of captions"),
        Clip::Flow { .. } => Some("optical flow"),
    }
}

/// A data set whose clips no run can choose: it does not see which of them have captions.
fn captions(data: &Data) -> Option<&'static str> {
    let is_asked = data.requires().iter().any(|stream| stream == "captions");
    is_asked.then_some("a data set that requires captions")
}

/// Rows of a memory bank that pass a network on their way to a term: no run sends those of other samples through it.
fn negatives(steps: &[Step]) -> Option<&'static str> {
    let is_lost = |(at, step): (usize, &Step)| {
        let takes = matches!(
            step.node,
            Node::Term {
                term: TermOp::InfoNce {
                    negatives: Some(_),
                    ..
                },
            }
        );
        takes && super::lent(steps, at).is_none()
    };
    let mut steps = steps.iter().enumerate();
    steps
        .any(is_lost)
        .then_some("negatives of a memory bank that pass a network")
}

/// The stages that the rows of a plan need, directly or through others.
fn needed(plan: &Plan) -> BTreeSet<StageId> {
    let mut asked = BTreeSet::new();
    for row in plan.tables.iter().flat_map(|table| &table.rows) {
        asked.insert(row.pretrain.clone());
        asked.extend(row.cells.iter().filter_map(|cell| cell.stage.clone().ok()));
    }
    with_needed(plan, asked)
}

/// These stages of a plan and all that they need.
pub(crate) fn with_needed(plan: &Plan, mut needed: BTreeSet<StageId>) -> BTreeSet<StageId> {
    // Stages stand behind those that they need.
    for stage in plan.stages.iter().rev() {
        if !needed.contains(&stage.id) {
            continue;
        }
        needed.extend(stage.work.needs().into_iter().cloned());
    }
    needed
}
