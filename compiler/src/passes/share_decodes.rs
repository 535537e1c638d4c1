//! Overlapping windows of one modality are decoded once.

use crate::graph::{Graph, Id, Node};
use crate::hir::Pretrain;
use crate::time;
use crate::units::Exact;
use std::collections::BTreeMap;

/// Decodes views of one modality whose windows overlap once, over their span, and cuts the views out of it.
///
/// `mild` decodes 12 frames instead of 16 and 48,000 samples instead of 64,000; `none` half.
///
/// Preserves every frame and sample. Legal where the windows lie at fixed whole ticks from each other, `same` and `overlap`;
/// drawn distances (`halves`, `independent`) and those that are no whole number of ticks stay as they are, and so do different
/// windows of words, which come at no rate. Numeric class:
/// *exact*.
pub fn share_decodes(graph: &Graph, pretrain: &Pretrain) -> Graph {
    let mut views: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for id in graph.ids() {
        if let Node::Decode {
            modality,
            views: own,
            ..
        } = graph.node(id)
        {
            views.entry(modality.clone()).or_default().extend(own);
        }
    }
    let spans: BTreeMap<String, Span> = views
        .into_iter()
        .filter_map(|(modality, views)| Some((modality.clone(), span(pretrain, &modality, views)?)))
        .collect();
    let mut shared: BTreeMap<String, Id> = BTreeMap::new();
    graph.rewritten(|new, node, inputs| match node {
        Node::Decode { modality, .. } if spans.contains_key(modality) => {
            let Span { views, length, .. } = spans[modality].clone();
            let decode = Node::Decode {
                modality: modality.clone(),
                views,
                length,
            };
            *shared
                .entry(modality.clone())
                .or_insert_with(|| new.add(decode, inputs))
        }
        Node::Slice {
            modality,
            view,
            start,
            length,
        } if spans.contains_key(modality) => {
            let Span { views, offset, .. } = &spans[modality];
            let start = start + (view - views[0]) * offset;
            new.add(
                Node::Slice {
                    modality: modality.clone(),
                    view: *view,
                    start,
                    length: *length,
                },
                inputs,
            )
        }
        Node::Source
        | Node::Sample
        | Node::Decode { .. }
        | Node::Slice { .. }
        | Node::Augment { .. }
        | Node::Encode { .. }
        | Node::Predict { .. }
        | Node::StopGradient
        | Node::L2
        | Node::Scale { .. }
        | Node::Operator { .. }
        | Node::Term { .. }
        | Node::Sum { .. } => new.add(node.clone(), inputs),
    })
}

/// One decode for several views.
#[derive(Clone)]
struct Span {
    /// The views, ascending.
    views: Vec<u32>,
    /// Ticks from one view's start to the next's.
    offset: u32,
    /// Ticks from the first view's start to the last one's end.
    length: u32,
}

/// The span of `views`, if decoding them together is legal and saves anything.
fn span(pretrain: &Pretrain, modality: &str, mut views: Vec<u32>) -> Option<Span> {
    views.sort();
    let ticks = pretrain.modality(modality)?.clip.ticks();
    let offset = offset(pretrain, modality)?.to_u32()?;
    let (first, last) = (*views.first()?, *views.last()?);
    let apart = |from: u32, to: u32| (to - from).checked_mul(offset);
    let overlaps = |pair: &[u32]| apart(pair[0], pair[1]).is_some_and(|apart| apart < ticks);
    if views.len() < 2 || !views.windows(2).all(overlaps) {
        return None;
    }
    let length = apart(first, last)?.checked_add(ticks)?;
    Some(Span {
        views,
        offset,
        length,
    })
}

/// Ticks from the start of one view's window to the next one's; `None` where that is drawn.
pub(crate) fn offset(pretrain: &Pretrain, modality: &str) -> Option<Exact> {
    let step = time::step(pretrain, modality)?;
    match pretrain.modality(modality)?.clip.rate() {
        Some(rate) => step.times(rate),
        // Words lie anywhere, so only one and the same window is one decode.
        None => Some(step).filter(|step| *step == Exact::whole(0)),
    }
}
