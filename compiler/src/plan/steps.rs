//! Training steps, each distinct one made once.

use super::Step;
use crate::graph::{Graph, Node};
use crate::hir::{Modality, Pretrain};
use crate::passes::build;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The steps made so far.
#[derive(Default)]
pub(crate) struct Steps {
    known: HashMap<String, Arc<Made>>,
    /// The row that asked last: the next one often differs in its seed or rates alone.
    last: Option<(Arc<Pretrain>, Arc<Made>)>,
    data: HashMap<String, Arc<Vec<Step>>>,
}

/// A step of one or many pretrainings.
pub struct Made {
    /// The nodes as a plan lists them.
    pub steps: Arc<Vec<Step>>,
    /// Groups of the networks that encode a view.
    pub encoders: BTreeSet<String>,
}

impl Steps {
    /// The step of `pretrain`, built, optimised and validated unless an equal one was.
    pub fn of(&mut self, pretrain: &Pretrain) -> Arc<Made> {
        let key = key(pretrain);
        if let Some(made) = self.known.get(&key) {
            return Arc::clone(made);
        }
        let (graph, _) = build(pretrain);
        let made = Arc::new(Made {
            steps: Arc::new(graph.steps()),
            encoders: encoders(&graph),
        });
        self.known.insert(key, Arc::clone(&made));
        made
    }

    /// The step of a row.
    pub fn of_row(&mut self, pretrain: &Arc<Pretrain>) -> Arc<Made> {
        if let Some((last, made)) = &self.last
            && parts(last) == parts(pretrain)
        {
            return Arc::clone(made);
        }
        let made = self.of(pretrain);
        self.last = Some((Arc::clone(pretrain), Arc::clone(&made)));
        made
    }

    /// The part of the step of `pretrain` that makes its views.
    pub fn data_of(&mut self, pretrain: &Pretrain) -> Arc<Vec<Step>> {
        let made = self.of(pretrain);
        let data = self.data.entry(key(pretrain)).or_insert_with(|| {
            // Steps stand level by level, those that make data first.
            let data = made.steps.iter().take_while(|step| step.node.is_data());
            Arc::new(data.cloned().collect())
        });
        Arc::clone(data)
    }
}

fn encoders(graph: &Graph) -> BTreeSet<String> {
    let group = |id| {
        if let Node::Encode { group } = graph.node(id) {
            Some(group.clone())
        } else {
            None
        }
    };
    graph.ids().filter_map(group).collect()
}

/// The same for all pretrainings of one step.
fn key(pretrain: &Pretrain) -> String {
    crate::hash::canonical::text(&parts(pretrain), &[])
}

/// What a step may depend on: all settings but the seed, the number of steps, and how parameters are moved.
fn parts(pretrain: &Pretrain) -> impl Serialize + PartialEq + '_ {
    let Pretrain {
        data,
        modalities,
        views,
        loss,
        relax,
        bn,
        bs,
        es: _,
        ep: _,
        optim: _,
        precision,
        seed: _,
    } = pretrain;
    fn of_modality(modality: &Modality) -> impl Serialize + PartialEq + '_ {
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
    let modalities: Vec<_> = modalities.iter().map(of_modality).collect();
    (data, modalities, views, loss, relax, bn, bs, precision)
}
