//! Cheap and shared stages first.

use super::Why;
use crate::plan::{Ask, Asked, Draft, StageId};
use std::cmp::Reverse;
use std::collections::HashMap;

/// Puts the pretraining that sees the fewest samples first, of equally cheap ones that which most rows share, then the first
/// asked for; and behind each what evaluates it.
///
/// The first numbers come early, and what many rows wait for is not the last. Legal as long as each stage stands behind those
/// that it needs: no stage depends on any other, nor on the clock. Numeric class: *exact*.
pub fn order(mut draft: Draft<'_>) -> (Draft<'_>, Why) {
    let mut rows: HashMap<StageId, usize> = HashMap::new();
    for row in draft.tables.iter().flat_map(|table| &table.rows) {
        *rows.entry(row.pretrain.clone()).or_default() += 1;
    }
    // The pretraining behind each stage, by its place among the branches.
    let mut at: HashMap<StageId, usize> = HashMap::new();
    let mut branches: Vec<Branch<'_>> = vec![];
    let before: Vec<StageId> = draft.asked.iter().map(|stage| stage.id.clone()).collect();
    for stage in draft.asked {
        let branch = match &stage.work {
            Ask::Pretrain { settings, .. } => {
                let steps = u64::from(settings.ep) * settings.steps_per_epoch();
                let cost = steps * u64::from(settings.bs);
                let shared = rows.get(&stage.id).copied().unwrap_or(0);
                branches.push(Branch {
                    rank: (cost, Reverse(shared)),
                    stages: vec![],
                });
                branches.len() - 1
            }
            Ask::Extract { .. } | Ask::Finetune { .. } | Ask::Score { .. } | Ask::Draw { .. } => {
                let needs = stage.work.needs().first();
                *needs
                    .and_then(|id| at.get(id))
                    .expect("plan: a stage stands behind those that it needs")
            }
        };
        at.insert(stage.id.clone(), branch);
        branches[branch].stages.push(stage);
    }
    branches.sort_by_key(|branch| branch.rank);
    draft.asked = branches
        .into_iter()
        .flat_map(|branch| branch.stages)
        .collect();
    let moved = draft.asked.iter().zip(&before);
    let moved = moved.filter(|(now, before)| now.id != **before).count();
    let done = if moved == 0 {
        String::new()
    } else {
        format!("{moved} of {} stages moved", before.len())
    };
    let pass = "order";
    (draft, Why { pass, done })
}

/// A pretraining and what hangs on it.
struct Branch<'p> {
    /// Samples that it trains on, and how many rows ask for it.
    rank: (u64, Reverse<usize>),
    stages: Vec<Asked<'p>>,
}
