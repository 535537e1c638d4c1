//! One run for all the states of it that are scored.

use super::Why;
use crate::plan::{Ask, Draft, StageId};
use std::collections::{BTreeMap, BTreeSet};

/// Tells each pretraining which epochs to keep: those that a stage behind it reads.
///
/// The left half of Figure 4 scores ten states of each of two runs. A state that is asked for is no part of what a run is, so the
/// twenty points are two pretrainings, and without this pass each would leave its end alone. After it `keep` holds the
/// epochs of all rows of all files, sorted, each once; the end is always kept and never listed. Legal always. Numeric class:
/// *exact*: keeping a state writes a file, as large as the end's, and changes no number.
pub fn reuse_checkpoints(mut draft: Draft<'_>) -> (Draft<'_>, Why) {
    let readers = draft.asked.iter().filter_map(|stage| match &stage.work {
        Ask::Extract {
            model, checkpoint, ..
        }
        | Ask::Finetune {
            model, checkpoint, ..
        } => Some((model, (*checkpoint)?)),
        Ask::Draw {
            from, checkpoint, ..
        } => Some((from, (*checkpoint)?)),
        Ask::Pretrain { .. } | Ask::Score { .. } => None,
    });
    let read = states(readers);
    let (mut runs, mut all) = (0, 0);
    for stage in &mut draft.asked {
        if let Ask::Pretrain { keep, .. } = &mut stage.work
            && let Some(epochs) = read.get(&stage.id)
            && keep != epochs
        {
            runs += 1;
            all += epochs.len();
            keep.clone_from(epochs);
        }
    }
    let done = if runs == 0 {
        String::new()
    } else {
        format!("{all} states of {runs} runs kept")
    };
    let pass = "reuse_checkpoints";
    (draft, Why { pass, done })
}

/// The epochs that are read of each run, sorted.
pub(crate) fn states<'s>(
    readers: impl Iterator<Item = (&'s StageId, u32)>,
) -> BTreeMap<StageId, Vec<u32>> {
    let mut read: BTreeMap<StageId, BTreeSet<u32>> = BTreeMap::new();
    for (model, epoch) in readers {
        read.entry(model.clone()).or_default().insert(epoch);
    }
    let sorted = |(model, epochs): (StageId, BTreeSet<u32>)| (model, epochs.into_iter().collect());
    read.into_iter().map(sorted).collect()
}
