//! No work for what no term reads.

use crate::graph::Graph;

/// Removes decodes, augmentations and networks of views that no term reads; with `v1v2` alone, all of the audio.
///
/// Preserves the objective, its gradient, and the data: the sampler and the clip list stay those of the declared modalities,
/// so a row that leaves audio out sees the same clips at the same times as the others. Legal because random numbers are keyed by
/// content (`v/1/MSC`), not by the order of calls: leaving out one view's draws moves no other's. Numeric class: *exact*.
pub fn drop_unread_modalities(graph: &Graph) -> Graph {
    let read = graph.read();
    graph.retained(|id| read.contains(&id))
}
