//! Augmentation and conversion where the networks are.

use crate::graph::{Graph, Id, Node};
use crate::hir::{Domain, Pretrain};
use std::collections::BTreeMap;

/// Moves links and conversions behind the batch, so that they are done for all samples at once on the device of the networks
/// instead of one by one on the host.
///
/// Sound moves whole: the waves of a batch are equally long, and wave links, conversion and spectrogram links are each one
/// program for all of them. Frames move from the second link on: they come in the size of their source, which no batch has, and
/// the first link (the cut of `MSC`, or the plain resizing of a chain without it) gives them that of the clip.
///
/// Preserves every view, for a link draws at the path of its sample whether it is alone or not. Legal where the operation is
/// batchable and its random numbers are keyed per sample; `per_frame(...)` draws for each frame and stays, and so do words and
/// optical flow. Numeric class:
/// *exact*. Kernels of another device round differently, which no pass can know.
pub fn move_domain(graph: &Graph, pretrain: &Pretrain) -> Graph {
    let stay: BTreeMap<String, usize> = pretrain
        .modalities
        .iter()
        .map(|m| (m.name.clone(), staying(pretrain, &m.name).0))
        .collect();
    // Operations of each chain that are done, and whether its batch stands already.
    let mut done: BTreeMap<(String, u32), (usize, bool)> = BTreeMap::new();
    graph.rewritten(|new, node, inputs| {
        let Some((modality, view)) = node.view().filter(|_| node.is_chain()) else {
            return new.add(node.clone(), inputs);
        };
        let batch = Node::Batch {
            modality: modality.to_owned(),
            view,
        };
        let (done, is_batched) = done.entry((modality.to_owned(), view)).or_default();
        if *node == batch {
            let stands = std::mem::replace(is_batched, true);
            return if stands {
                inputs[0]
            } else {
                new.add(batch, inputs)
            };
        }
        let stay = stay.get(modality).copied().unwrap_or(usize::MAX);
        let input = if *done == stay && !std::mem::replace(is_batched, true) {
            new.add(batch, inputs)
        } else {
            inputs[0]
        };
        *done += 1;
        new.add(node.clone(), &[input])
    })
}

/// How many of the operations of a chain stay on the host, and why those do.
fn staying(pretrain: &Pretrain, modality: &str) -> (usize, Option<String>) {
    let Some(m) = pretrain.modality(modality) else {
        return (usize::MAX, None);
    };
    if m.augment.per_frame {
        let why = "`per_frame` draws for each frame, not for each sample";
        return (
            usize::MAX,
            Some(format!("all of `{modality}` stays on the host: {why}")),
        );
    }
    match m.clip.domain() {
        Domain::Frames => {
            let first = m.augment.links.first();
            let first = first.map_or("the conversion", |link| link.short());
            let why = "frames come in the size of their source, and a batch has one size";
            (
                1,
                Some(format!(
                    "`{first}` of `{modality}` stays on the host: {why}"
                )),
            )
        }
        Domain::Wave | Domain::Spectrogram => (0, None),
        Domain::Words => {
            let why = "what is left out leaves views of different length";
            (
                usize::MAX,
                Some(format!("all of `{modality}` stays on the host: {why}")),
            )
        }
        Domain::Flow => {
            let why = "motion is computed from frames of the size of their source";
            (
                usize::MAX,
                Some(format!("all of `{modality}` stays on the host: {why}")),
            )
        }
    }
}

/// What stays on the host in `graph`, and why.
pub(super) fn refusals(graph: &Graph, pretrain: &Pretrain) -> Vec<String> {
    let reason = |modality: &String| staying(pretrain, modality).1;
    let names = pretrain.modalities.iter().map(|m| &m.name);
    let used = names.filter(|name| chains(graph).keys().any(|(modality, _)| modality == *name));
    used.filter_map(reason).collect()
}

/// What has moved: `a: VJ, convert, FM behind the batch`.
pub(super) fn moved(before: &Graph, after: &Graph) -> String {
    let (before, after) = (chains(before), chains(after));
    let mut lines: BTreeMap<&str, String> = BTreeMap::new();
    for ((modality, view), chain) in &after {
        let old = before.get(&(modality.clone(), *view));
        if old.is_some_and(|old| old.0.len() > chain.0.len()) {
            let line = format!("{modality}: {} behind the batch", chain.1.join(", "));
            lines.insert(modality, line);
        }
    }
    lines.into_values().collect::<Vec<_>>().join("; ")
}

/// The operations of a chain in front of the batch and behind it.
type Sides = (Vec<String>, Vec<String>);

/// Both sides of the batch of each view.
fn chains(graph: &Graph) -> BTreeMap<(String, u32), Sides> {
    let mut chains = BTreeMap::new();
    let ends: Vec<Id> = graph.ids().filter(|id| graph.ends_chain(*id)).collect();
    for end in ends {
        let Some((modality, view)) = graph.node(end).view() else {
            continue;
        };
        let (mut host, mut device) = (vec![], vec![]);
        let mut is_behind = false;
        for id in graph.chain(end) {
            is_behind |= matches!(graph.node(id), Node::Batch { .. });
            let name = if let Node::Augment { name, .. } = graph.node(id) {
                name.clone()
            } else if let Node::Convert { .. } = graph.node(id) {
                "convert".to_owned()
            } else {
                continue;
            };
            if is_behind {
                device.push(name);
            } else {
                host.push(name);
            }
        }
        chains.insert((modality.to_owned(), view), (host, device));
    }
    chains
}
