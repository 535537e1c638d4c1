//! Pretrainings that can train side by side.

use super::Why;
use crate::graph::{Graph, Id, Node};
use crate::hash::canonical;
use crate::hir::{Modality, Network, Pretrain};
use crate::loss::{EmbeddingOp, Loss};
use crate::passes::build;
use crate::plan::steps::Steps;
use crate::plan::{Ask, Draft, Gang, Plan, StageId, Step, Work};
use crate::units::Exact;
use crate::written;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Groups pretrainings that differ in their loss alone, so that one process can decode and augment each batch once and take a
/// step of each of them on it. In Table 1 nine of eleven rows are one group: decoding, the usual bottleneck, falls to a ninth.
///
/// Legal where data set, windows, clips, augmentations, seed, batch, epochs, and everything else but the loss are the same (a
/// predictor that one loss asks for and another does not belongs to the loss). Then all members see the same views of the same
/// samples in the same order: random numbers are keyed by seed, sample, epoch and path, not by who else is there. Each member
/// has parameters, optimiser and running statistics of its own, and no member reads another's. Memory is the site's to judge:
/// it may take a group in parts, see [`Gang`]. Numeric class: *exact*.
///
/// Pretrainings that are not trained (`ep = 0`) read no batch and stay alone.
pub fn gang(mut draft: Draft<'_>) -> (Draft<'_>, Why) {
    let mut groups: Vec<Group<'_>> = vec![];
    let mut whole: HashMap<String, usize> = HashMap::new();
    let mut alike: HashMap<String, Vec<usize>> = HashMap::new();
    let mut partial = vec![];
    let mut all = 0;
    for (at, stage) in draft.asked.iter().enumerate() {
        let Ask::Pretrain { settings, .. } = &stage.work else {
            continue;
        };
        all += 1;
        if settings.ep == 0 {
            continue;
        }
        let settings: &Pretrain = settings;
        let key = all_but_the_loss(settings);
        let predictors: Vec<Option<&Network>> =
            settings.modalities.iter().map(|m| m.h.as_ref()).collect();
        if predictors.iter().any(Option::is_none) {
            partial.push((at, settings, key, predictors));
            continue;
        }
        let full = format!("{key}{}", canonical::text(&predictors, &[]));
        let group = *whole.entry(full).or_insert_with(|| {
            alike.entry(key).or_default().push(groups.len());
            groups.push(Group {
                predictors,
                members: vec![],
            });
            groups.len() - 1
        });
        groups[group].members.push((at, settings));
    }
    for (at, settings, key, predictors) in partial {
        let known = alike.entry(key).or_default();
        let fits = known
            .iter()
            .copied()
            .find(|group| groups[*group].fits(&predictors));
        let group = fits.unwrap_or_else(|| {
            known.push(groups.len());
            groups.push(Group {
                predictors: vec![None; predictors.len()],
                members: vec![],
            });
            groups.len() - 1
        });
        groups[group].add(at, settings, &predictors);
    }
    groups.retain(|group| group.members.len() > 1);
    groups
        .iter_mut()
        .for_each(|group| group.members.sort_by_key(|(at, _)| *at));
    groups.sort_by_key(|group| group.members[0].0);
    let mut steps = Steps::default();
    let gangs: Vec<Gang> = groups
        .iter()
        .map(|group| Gang {
            members: group
                .members
                .iter()
                .map(|(at, _)| draft.asked[*at].id.clone())
                .collect(),
            data: steps.data_of(&group.union()),
        })
        .collect();
    let inside: usize = gangs.iter().map(|gang| gang.members.len()).sum();
    let done = if gangs.is_empty() {
        String::new()
    } else {
        let groups = match gangs.len() {
            1 => "1 group".to_owned(),
            many => format!("{many} groups"),
        };
        format!("{inside} of {all} pretrainings in {groups}")
    };
    draft.gangs = gangs;
    (draft, Why { pass: "gang", done })
}

/// Pretrainings that differ in their loss alone.
struct Group<'p> {
    /// The predictor of each modality, as far as a member has it.
    predictors: Vec<Option<&'p Network>>,
    /// The members, each with its place among the stages.
    members: Vec<(usize, &'p Pretrain)>,
}

impl<'p> Group<'p> {
    /// Whether what both have is the same.
    fn fits(&self, predictors: &[Option<&Network>]) -> bool {
        let mut pairs = self.predictors.iter().zip(predictors);
        pairs.all(|(known, other)| known.is_none() || other.is_none() || known == other)
    }

    fn add(&mut self, at: usize, settings: &'p Pretrain, predictors: &[Option<&'p Network>]) {
        for (known, own) in self.predictors.iter_mut().zip(predictors) {
            *known = known.or(*own);
        }
        self.members.push((at, settings));
    }

    fn union(&self) -> Pretrain {
        let members: Vec<&Pretrain> = self.members.iter().map(|(_, settings)| *settings).collect();
        union(&members)
    }
}

/// A pretraining that reads every view that one of the members reads, with all their predictors.
pub(crate) fn union(members: &[&Pretrain]) -> Pretrain {
    let mut whole = members[0].clone();
    let terms: BTreeSet<_> = members
        .iter()
        .flat_map(|member| &member.loss.terms)
        .map(|(term, _)| term.clone())
        .collect();
    whole.loss = Loss {
        terms: terms
            .into_iter()
            .map(|term| (term, Exact::whole(1)))
            .collect(),
    };
    for member in members {
        for (modality, own) in whole.modalities.iter_mut().zip(&member.modalities) {
            if modality.h.is_none() {
                modality.h.clone_from(&own.h);
            }
        }
    }
    whole
}

/// The settings without the loss and the predictors.
fn all_but_the_loss(settings: &Pretrain) -> String {
    let Pretrain {
        data,
        modalities,
        views,
        loss: _,
        relax,
        bn,
        bn_group,
        bs,
        es,
        ep,
        optim,
        precision,
        seed,
    } = settings;
    fn of_modality(modality: &Modality) -> impl Serialize + '_ {
        let Modality {
            name,
            clip,
            augment,
            f,
            h: _,
            lr_b,
            lr_p,
        } = modality;
        (name, clip, augment, f, lr_b, lr_p)
    }
    let modalities: Vec<_> = modalities.iter().map(of_modality).collect();
    let first = (data, modalities, views, relax, (bn, bn_group), bs);
    canonical::text(&(first, es, ep, optim, precision, seed), &[])
}

/// What `members` share: the part of a step that makes every view that one of them reads.
pub(crate) fn shared_data(members: &[&Pretrain]) -> Arc<Vec<Step>> {
    Steps::default().data_of(&union(members))
}

/// The training steps of `members` as one graph: clips, windows and views once, and behind them each member's own networks,
/// terms and objective. The groups of member `k`, from 1, are named `k/v.f`.
///
/// # Panics
///
/// If the members do not share their data: [`gang`] puts only those together that do.
pub fn joined(members: &[&Pretrain]) -> (Graph, Pretrain) {
    let whole = union(members);
    let (shared, _) = build(&whole);
    let mut views: BTreeMap<Node, Id> = BTreeMap::new();
    let mut graph = shared.retained(|id| shared.node(id).is_data());
    for id in graph.ids() {
        views.insert(graph.node(id).clone(), id);
    }
    for (number, member) in (1..).zip(members) {
        let (own, _) = build(member);
        let mut moved: BTreeMap<Id, Id> = BTreeMap::new();
        for id in own.ids() {
            let node = own.node(id);
            if own.ends_chain(id) {
                let view = views.get(node);
                moved.insert(
                    id,
                    *view.expect("gang: members read the views of the group"),
                );
            } else if !node.is_data() {
                let inputs: Vec<Id> = own.inputs(id).iter().map(|input| moved[input]).collect();
                moved.insert(id, graph.add(owned(node, number), &inputs));
            }
        }
    }
    (graph, whole)
}

/// `node` with the parameter group of member `number`.
fn owned(node: &Node, number: usize) -> Node {
    let mut node = node.clone();
    if let Node::Encode { group }
    | Node::Predict { group }
    | Node::Operator {
        operator: EmbeddingOp::Ema { group, .. },
    } = &mut node
    {
        *group = format!("{number}/{group}");
    }
    node
}

/// The pretrainings of `plan` that are in no group, each with the reason: what it differs in from the group that is nearest.
pub fn outside(plan: &Plan) -> Vec<(StageId, String)> {
    let inside: BTreeSet<&StageId> = plan.gangs.iter().flat_map(|gang| &gang.members).collect();
    let pretrains: BTreeMap<&StageId, &Arc<Pretrain>> = plan
        .stages
        .iter()
        .filter_map(|stage| match &stage.work {
            Work::Pretrain(work) => Some((&stage.id, &work.settings)),
            Work::Extract(_) | Work::Finetune(_) | Work::Score(_) | Work::Draw(_) => None,
        })
        .collect();
    let first = |gang: &Gang| Some(fields(pretrains.get(gang.members.first()?)?));
    let groups: Vec<BTreeMap<String, String>> = plan.gangs.iter().filter_map(first).collect();
    let mut reasons = vec![];
    for stage in &plan.stages {
        let Some(settings) = pretrains
            .get(&stage.id)
            .filter(|_| !inside.contains(&stage.id))
        else {
            continue;
        };
        let own = fields(settings);
        let nearest = groups
            .iter()
            .enumerate()
            .map(|(at, group)| (differing(group, &own), at))
            .min_by_key(|(differing, at)| (differing.len(), *at));
        let reason = match nearest {
            _ if settings.ep == 0 => "it is not trained, so it reads no batch".to_owned(),
            None => "no other pretraining differs from it in its loss alone".to_owned(),
            Some((differing, group)) => {
                let list = differing.join(", ");
                format!("group {} has another {list}", group + 1)
            }
        };
        reasons.push((stage.id.clone(), reason));
    }
    reasons
}

/// The fields that a member of a group must have in common with the others, as written.
fn fields(settings: &Pretrain) -> BTreeMap<String, String> {
    let is_common = |path: &str| !matches!(path, "loss" | "weights" | "lr_b" | "lr_p");
    let all = written::pretrain(settings).into_iter();
    all.filter(|(path, _)| is_common(path)).collect()
}

/// The fields in which two pretrainings differ, with both values; a predictor that one of them does not have is no difference.
fn differing(group: &BTreeMap<String, String>, own: &BTreeMap<String, String>) -> Vec<String> {
    let paths: BTreeSet<&String> = group.keys().chain(own.keys()).collect();
    let mut found = vec![];
    for path in paths {
        let (theirs, ours) = (group.get(path), own.get(path));
        if theirs == ours || path.ends_with(".h") && (theirs.is_none() || ours.is_none()) {
            continue;
        }
        let shown = |value: Option<&String>| value.map_or("none", String::as_str).to_owned();
        found.push(format!("{path} ({}, not {})", shown(theirs), shown(ours)));
    }
    found
}
