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
    let spans: BTreeMap<String, Span> = views_of(graph)
        .into_iter()
        .filter_map(|(modality, views)| Some((modality.clone(), span(pretrain, &modality, views)?)))
        .collect();
    let mut shared: BTreeMap<String, Id> = BTreeMap::new();
    graph.rewritten(|new, node, inputs| {
        if let Node::Decode { modality, .. } = node
            && let Some(Span { views, length, .. }) = spans.get(modality)
        {
            let decode = Node::Decode {
                modality: modality.clone(),
                views: views.clone(),
                length: *length,
            };
            return *shared
                .entry(modality.clone())
                .or_insert_with(|| new.add(decode, inputs));
        }
        if let Node::Slice {
            modality,
            view,
            start,
            length,
        } = node
            && let Some(Span { views, offset, .. }) = spans.get(modality)
        {
            let slice = Node::Slice {
                modality: modality.clone(),
                view: *view,
                start: start + (view - views[0]) * offset,
                length: *length,
            };
            return new.add(slice, inputs);
        }
        new.add(node.clone(), inputs)
    })
}

/// Modalities whose windows stay apart, and why.
pub(super) fn refusals(graph: &Graph, pretrain: &Pretrain) -> Vec<String> {
    let reason = |(modality, views): (String, Vec<u32>)| {
        if views.len() < 2 {
            return None;
        }
        let why = match offset(pretrain, &modality) {
            None => "the distance between two windows is drawn".to_owned(),
            Some(offset) => match offset.to_u32() {
                None => format!(
                    "two windows start {} ticks apart, no whole number",
                    offset.decimal()
                ),
                Some(_) if span(pretrain, &modality, views).is_some() => return None,
                Some(_) => "two windows do not overlap: nothing would be saved".to_owned(),
            },
        };
        Some(format!("`{modality}` is decoded for each view, for {why}"))
    };
    let apart = views_of(graph).into_iter().filter_map(reason);
    apart.collect()
}

/// The decoded views of each modality, where each has a decode of its own.
fn views_of(graph: &Graph) -> BTreeMap<String, Vec<u32>> {
    let mut views: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut shared: Vec<&String> = vec![];
    for id in graph.ids() {
        if let Node::Decode {
            modality,
            views: own,
            ..
        } = graph.node(id)
        {
            views.entry(modality.clone()).or_default().extend(own);
            if own.len() > 1 {
                shared.push(modality);
            }
        }
    }
    views.retain(|modality, _| !shared.contains(&modality));
    views
}

/// One decode for several views.
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
