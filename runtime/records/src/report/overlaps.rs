//! How much of each other the windows of the views cover: as the law of the policy has it, and as a training has measured it.

use super::RowReport;
use super::standing::Standing;
use crate::Result;
use crate::record::PretrainResult;
use compiler::hir::Pretrain;
use compiler::plan::{StageId, Work};
use compiler::time::{Family, Pair, mean_overlap, pairs, pairs_of};
use compiler::written::{overlap_axis, percentage};
use serde::Serialize;
use std::collections::BTreeMap;

/// The overlap of pairs of views of one kind, over the pairs of the loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overlap {
    /// Which: `v` of views of one modality, `sync`, `async`.
    pub of: String,
    /// The pairs: `v1a2`.
    pub pairs: Vec<String>,
    /// The mean share of the shorter window that the other covers: by the law, in sources as long as the data set declares, else of 10 s.
    pub expected: Option<f64>,
    /// The same over the windows of all samples of the training; `None` where none has counted them.
    pub measured: Option<f64>,
}

/// The overlaps of a pretraining.
pub(super) fn overlaps(settings: &Pretrain, measured: &BTreeMap<String, f64>) -> Vec<Overlap> {
    let mut kinds: Vec<(String, Vec<Pair>)> = vec![];
    for pair in pairs(settings, &settings.loss) {
        let kind = match pair.family {
            Family::Intra => pair.views.0.0.clone(),
            Family::Sync => "sync".to_owned(),
            Family::Async => "async".to_owned(),
        };
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, pairs)) => pairs.push(pair),
            None => kinds.push((kind, vec![pair])),
        }
    }
    let overlap = |(of, pairs): (String, Vec<Pair>)| Overlap {
        of,
        expected: mean_overlap(settings, &pairs).map(|mean| mean.to_f64()),
        measured: mean(&pairs, measured),
        pairs: pairs.iter().map(Pair::to_string).collect(),
    };
    kinds.into_iter().map(overlap).collect()
}

/// The mean of what was measured of these pairs; `None` without any, or where one is not there.
fn mean(pairs: &[Pair], measured: &BTreeMap<String, f64>) -> Option<f64> {
    let values = pairs
        .iter()
        .map(|pair| measured.get(&pair.to_string()).copied());
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    let sum: f64 = values.iter().sum();
    (!values.is_empty()).then(|| sum / values.len() as f64)
}

/// What the finished pretraining of this stage has measured of each pair.
pub(super) fn measured(standing: &Standing<'_>, id: &StageId) -> Result<BTreeMap<String, f64>> {
    let Some(finished) = standing.finished.get(id) else {
        return Ok(BTreeMap::new());
    };
    Ok(finished.result::<PretrainResult>()?.overlaps)
}

/// The measured place of each row, by number, on the axis `x` where that is an overlap.
pub(super) fn places(
    standing: &Standing<'_>,
    x: Option<&str>,
    rows: &[RowReport],
) -> Result<BTreeMap<usize, f64>> {
    let mut places = BTreeMap::new();
    let Some(which) = x.and_then(overlap_axis) else {
        return Ok(places);
    };
    for row in rows {
        let Some(Work::Pretrain(work)) = standing.plan.stage(&row.pretrain).map(|s| &s.work) else {
            continue;
        };
        let pairs = pairs_of(&work.settings, which);
        if let Some(mean) = mean(&pairs, &measured(standing, &row.pretrain)?) {
            places.insert(row.number, mean);
        }
    }
    Ok(places)
}

/// The place of some rows that are taken together, as an axis writes it.
pub(super) fn place(places: &BTreeMap<usize, f64>, rows: &[usize]) -> Option<String> {
    let own: Vec<f64> = rows
        .iter()
        .filter_map(|row| places.get(row).copied())
        .collect();
    let sum: f64 = own.iter().sum();
    (!own.is_empty()).then(|| percentage(sum / own.len() as f64))
}
