//! Which stages take equally long.

use super::{Pretrain, StageId, Work};
use crate::graph::Node;
use crate::hash::canonical;
use crate::hir::{Finetune, Head, Modality, Network, Precision};
use serde::Serialize;

/// What the time of a stage depends on beside the machine, as a text: stages of one likeness take equally long, pretrainings
/// for each step. `find` knows the stages that this one reads; `None` where it does not.
///
/// Nothing is scaled from one batch size, network or clip to another: what was not measured is not known.
pub fn likeness<'p>(work: &'p Work, find: &dyn Fn(&StageId) -> Option<&'p Work>) -> Option<String> {
    match work {
        Work::Pretrain(work) => Some(step(work)),
        Work::Extract(work) => {
            let (backbone, precision) = backbone(find(&work.model)?, &work.eval.uses)?;
            let eval = canonical::text(&work.eval, &["head", "score"]);
            let model = canonical::text(&(backbone, precision), &[]);
            Some(format!("extract {eval} {model}"))
        }
        Work::Score(work) => {
            let mut all = canonical::text(&(&work.head, work.score), &[]);
            for id in [&work.features].into_iter().chain(&work.beside) {
                let features = find(id)?;
                all = format!("{all} {}", likeness(features, find)?);
            }
            Some(format!("score {all}"))
        }
        Work::Finetune(work) => {
            let (backbone, precision) = backbone(find(&work.model)?, &work.eval.uses)?;
            let Head::Finetune(recipe) = &work.eval.head else {
                return None;
            };
            let Finetune {
                pool,
                drp: _,
                bs,
                es,
                ep,
                optim: _,
                lr: _,
                keep,
            } = recipe.as_ref();
            let eval = canonical::text(&work.eval, &["head", "score"]);
            let how = canonical::text(&(pool, bs, es, ep, keep), &[]);
            let model = canonical::text(&(backbone, precision), &[]);
            Some(format!("finetune {eval} {how} {model}"))
        }
        Work::Draw(_) => None,
    }
}

/// The encoder of a pretraining for this modality, and what it computes in.
fn backbone<'p>(work: &'p Work, uses: &str) -> Option<(&'p Network, Precision)> {
    let Work::Pretrain(model) = work else {
        return None;
    };
    let settings = &model.settings;
    Some((&settings.modality(uses)?.f, settings.precision))
}

/// What one step takes: its data, its networks, and the arithmetic; not the loss, whose terms cost little beside them, nor the
/// rates, the seed and the number of steps.
fn step(work: &Pretrain) -> String {
    fn of_modality(modality: &Modality) -> impl Serialize + '_ {
        let Modality {
            name,
            clip,
            augment,
            f,
            h,
            lr_b: _,
            lr_p: _,
        } = modality;
        (name, clip, augment, f, h)
    }
    let settings = &work.settings;
    let modalities: Vec<_> = settings.modalities.iter().map(of_modality).collect();
    let is_heavy = |node: &Node| {
        node.is_data() || node.network().is_some() || matches!(node, Node::Operator { .. })
    };
    let nodes: Vec<&Node> = work
        .steps
        .iter()
        .map(|step| &step.node)
        .filter(|node| is_heavy(node))
        .collect();
    let how = (
        settings.bn,
        settings.bs,
        settings.precision,
        settings.ep > 0,
    );
    canonical::text(&("pretrain", &settings.data, modalities, nodes, how), &[])
}
