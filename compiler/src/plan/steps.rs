//! Training steps, each distinct one made once.

use super::Step;
use crate::graph::{Graph, Node};
use crate::hir::{Modality, Pretrain};
use crate::passes::{build, offset};
use crate::units::Exact;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The steps made so far.
#[derive(Default)]
pub(crate) struct Steps {
    forms: HashMap<String, Form>,
    /// The row that asked last: the next one often differs in its seed or rates alone.
    last: Option<(Arc<Pretrain>, Arc<Made>)>,
    data: HashMap<String, Arc<Vec<Step>>>,
}

/// The steps of one objective, whatever the weights of its terms.
struct Form {
    /// That of the weights 1, 2, 3, ...: those of other weights are copies with theirs in place.
    numbered: Made,
    /// By their weights.
    weighed: HashMap<Vec<Exact>, Arc<Made>>,
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
        let form = self.forms.entry(key(pretrain)).or_insert_with(|| Form {
            numbered: built(&numbered(pretrain)),
            weighed: HashMap::new(),
        });
        let made = form.weighed.entry(weights(pretrain).collect());
        let made = made.or_insert_with(|| {
            let made = weighed(&form.numbered, pretrain);
            Arc::new(made.unwrap_or_else(|| built(pretrain)))
        });
        Arc::clone(made)
    }

    /// The step of a row.
    pub fn of_row(&mut self, pretrain: &Arc<Pretrain>) -> Arc<Made> {
        if let Some((last, made)) = &self.last
            && weights(last).eq(weights(pretrain))
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

/// `pretrain` with the weights 1, 2, 3, ...
fn numbered(pretrain: &Pretrain) -> Pretrain {
    let mut numbered = pretrain.clone();
    for (number, (_, weight)) in (1..).zip(&mut numbered.loss.terms) {
        *weight = Exact::whole(number);
    }
    numbered
}

fn weights(pretrain: &Pretrain) -> impl Iterator<Item = Exact> {
    pretrain.loss.terms.iter().map(|(_, weight)| *weight)
}

/// The step of `pretrain`, built, optimised and validated.
fn built(pretrain: &Pretrain) -> Made {
    let (graph, _) = build(pretrain);
    Made {
        steps: Arc::new(graph.steps()),
        encoders: encoders(&graph),
    }
}

/// A form with the weights of `pretrain`, each in the place of its number. `None` where a pass has made something of the weights.
fn weighed(form: &Made, pretrain: &Pretrain) -> Option<Made> {
    let terms = &pretrain.loss.terms;
    let mut steps = form.steps.as_ref().clone();
    let mut placed = 0;
    for step in &mut steps {
        let Node::Sum { weights } = &mut step.node else {
            continue;
        };
        for weight in weights {
            let place = weight.to_u32()?.checked_sub(1)?;
            *weight = terms.get(place as usize)?.1;
            placed += 1;
        }
    }
    (placed == terms.len()).then(|| Made {
        steps: Arc::new(steps),
        encoders: form.encoders.clone(),
    })
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

/// The same for all pretrainings of one step but for the weights of its terms.
fn key(pretrain: &Pretrain) -> String {
    crate::hash::canonical::text(&parts(pretrain), &[])
}

/// What a step may depend on, but for the weights of its terms: all settings but the seed, the number of steps, and how
/// parameters are moved. A policy reaches it
/// through the ticks between the windows of a modality alone; where these are drawn it is the step of any other such policy.
fn parts<'p>(pretrain: &'p Pretrain) -> impl Serialize + PartialEq + 'p {
    let Pretrain {
        data,
        modalities,
        views,
        loss,
        relax: _,
        bn,
        bn_group,
        bs,
        es: _,
        ep: _,
        optim: _,
        precision,
        seed: _,
    } = pretrain;
    let of_modality = |modality: &'p Modality| {
        let Modality {
            name,
            clip,
            augment,
            f,
            h,
            lr_b: _,
            lr_p: _,
        } = modality;
        let apart = offset(pretrain, name).and_then(Exact::to_u32);
        (name, clip, apart, augment, f, h)
    };
    let modalities: Vec<_> = modalities.iter().map(of_modality).collect();
    let terms: Vec<_> = loss.terms.iter().map(|(term, _)| term).collect();
    (
        data,
        modalities,
        views,
        terms,
        (bn, bn_group),
        bs,
        precision,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{ALL, crisscross, pairs, weighted};
    use crate::hir::{Across, Relaxation, Within};

    /// A step that was made of another one's form is the one that would have been built.
    #[test]
    fn steps_of_other_weights_are_those_that_are_built() {
        let mut steps = Steps::default();
        for scale in 1..6 {
            let losses = [pairs(&ALL), pairs(&["v1v2", "v1a2"]), pairs(&["a1a2"])];
            for (at, loss) in losses.into_iter().enumerate() {
                let terms = loss.terms.into_iter().enumerate();
                let scaled = terms.map(|(i, (term, weight))| {
                    let factor = Exact::new(1 + (i as i128 * scale) % 7, scale);
                    (term, weight.times(factor).unwrap())
                });
                let pretrain = crisscross(weighted(scaled));
                let wanted = build(&pretrain).0.steps();
                let made = steps.of(&pretrain);
                assert_eq!(*made.steps, wanted, "loss {at}, scale {scale}");
                assert_eq!(*steps.of_row(&Arc::new(pretrain)).steps, wanted);
            }
        }
        assert_eq!(steps.forms.len(), 3);
        let weighed = steps.forms.values().map(|form| form.weighed.len());
        assert_eq!(weighed.sum::<usize>(), 15);
    }

    /// Policies that cut the same ticks out of a source, or draw them, share a step, and it is the one that would be built.
    #[test]
    fn steps_of_other_policies_are_those_that_are_built() {
        let mut steps = Steps::default();
        let overlap = |percent| Within::Overlap {
            share: Exact::new(percent, 100),
            of: None,
        };
        let within = (0..=100).map(overlap);
        let all = within.chain([Within::Same, Within::Halves, Within::Independent]);
        for within in all {
            for across in [Across::Inside, Across::Start] {
                let mut pretrain = crisscross(pairs(&ALL));
                pretrain.relax = Relaxation {
                    within: within.clone(),
                    across,
                    ..pretrain.relax
                };
                let wanted = build(&pretrain).0.steps();
                assert_eq!(*steps.of(&pretrain).steps, wanted, "{within:?}");
            }
        }
        // 8 frames and 32,000 samples: 1 % of the sound is 320 samples, 12.5 % of the video a frame.
        assert_eq!(steps.forms.len(), 102);
    }
}
