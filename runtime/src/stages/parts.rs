//! Whether batches can be cut: into parts for ranks, and into parts that go through the networks one after another.

use crate::error::{Error, Result};
use crate::ranks::Ranks;
use compiler::plan::{Plan, Pretrain, Work};

/// Refuses trainings whose batches cannot be cut as they are to be, before anything is begun.
///
/// # Errors
/// The first such training, why, and what can be done.
pub(super) fn check(plan: &Plan, micro_batch: Option<u32>, ranks: &Ranks) -> Result<()> {
    for stage in &plan.stages {
        let Work::Pretrain(work) = &stage.work else {
            continue;
        };
        if work.settings.ep == 0 {
            continue;
        }
        let own = ranks.part_of(work.settings.bs)?;
        let unfit = |message: String| Error::Unsupported {
            message: format!("{}: {message}", stage.label),
        };
        if let Some(group) = work.settings.bn_group
            && !own.is_multiple_of(group)
        {
            return Err(unfit(format!(
                "{own} samples of a batch go to each of {} ranks, no whole number of groups of {group} (`bn_group`); take fewer ranks or smaller groups",
                ranks.count()
            )));
        }
        if let Some(samples) = micro_batch {
            parts(work, samples, ranks.count()).map_err(unfit)?;
        }
    }
    Ok(())
}

/// Why a batch does not go through the networks in parts of so many samples, of all ranks.
fn parts(work: &Pretrain, samples: u32, ranks: usize) -> std::result::Result<(), String> {
    let bs = work.settings.bs;
    if samples >= bs {
        return Ok(());
    }
    let unit = work.divisible().map_err(|why| {
        format!("a batch cannot go through the networks in parts (`--micro-batch`): {why}")
    })?;
    let unit = unit.saturating_mul(u32::try_from(ranks).unwrap_or(u32::MAX));
    let is_right = |samples: u32| bs.is_multiple_of(samples) && samples.is_multiple_of(unit);
    if is_right(samples) {
        return Ok(());
    }
    let near = (1..samples).rev().find(|size| is_right(*size));
    let near = near.or_else(|| (samples..=bs).find(|size| is_right(*size)));
    Err(format!(
        "`--micro-batch {samples}` does not cut a batch of {bs} into equal parts of multiples of {unit}; write `--micro-batch {}`",
        near.unwrap_or(bs)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fixtures::rendered;
    use compiler::graph::Node;
    use compiler::hir::Layer;
    use compiler::plan::Step;
    use std::sync::Arc;

    #[test]
    fn what_cannot_be_cut_is_said_with_a_size_that_can() {
        let mut whole = rendered();
        let settings = Arc::make_mut(&mut whole.settings);
        settings.bs = 48;
        settings.modalities[1].f.layers.push(Layer::Bn);
        let encode = Step {
            name: "z.a1".to_owned(),
            node: Node::Encode {
                group: "a.f".to_owned(),
            },
            inputs: vec![0],
        };
        Arc::make_mut(&mut whole.steps).push(encode);
        let message = parts(&whole, 12, 1).unwrap_err();
        assert!(
            message.contains("BatchNorm of `a.f`") && message.contains("`bn_group = 24`"),
            "{message}"
        );
        let mut grouped = whole;
        Arc::make_mut(&mut grouped.settings).bn_group = Some(8);
        assert_eq!(parts(&grouped, 16, 1), Ok(()));
        assert_eq!(parts(&grouped, 48, 1), Ok(()));
        assert_eq!(parts(&grouped, 16, 2), Ok(()));
        let message = |samples, ranks| parts(&grouped, samples, ranks).unwrap_err();
        assert!(message(12, 1).ends_with("write `--micro-batch 8`"));
        assert!(message(4, 1).ends_with("write `--micro-batch 8`"));
        assert!(message(8, 2).ends_with("write `--micro-batch 16`"));
        assert!(message(32, 1).ends_with("write `--micro-batch 24`"));
    }
}
