//! Equal stages, made once.

use super::Why;
use crate::plan::{Ask, Draft, StageId};
use std::collections::HashSet;

/// Trains what several rows ask for once, over all tables and files.
///
/// The paper's tables and figures ask for 59 pretrainings, of which 31 are distinct. Legal always: pretrainings of one id have
/// the same settings, seed included. What differs in any field stays two. Numeric class: *exact*.
pub fn share_pretrainings(draft: Draft<'_>) -> (Draft<'_>, Why) {
    once("share_pretrainings", "pretrainings", draft, |work| {
        matches!(work, Ask::Pretrain { .. })
    })
}

/// Extracts the features of one run, data set, clip and chain once.
///
/// The eight costs of an SVM, the ranks of a retrieval, several tables and a late fusion then read the same features. Legal
/// where the id is the same: head and score are not in it, the seed of clip times and augmentations is. Numeric class: *exact*.
pub fn extract_once(draft: Draft<'_>) -> (Draft<'_>, Why) {
    once("extract_once", "extractions", draft, |work| {
        matches!(work, Ask::Extract { .. })
    })
}

/// Scores the same features by the same head once, finetunes the same backbone once, and draws the same panel once.
///
/// Two tables that show one number fit it once. Legal where the id is the same. Numeric class: *exact*.
pub fn score_once(draft: Draft<'_>) -> (Draft<'_>, Why) {
    once("score_once", "scores and finetunings", draft, |work| {
        matches!(
            work,
            Ask::Score { .. } | Ask::Finetune { .. } | Ask::Draw { .. }
        )
    })
}

/// Keeps, of the stages of a kind, the first of each id: it stands before all that need it.
fn once<'p>(
    pass: &'static str,
    noun: &str,
    mut draft: Draft<'p>,
    is_kind: impl Fn(&Ask<'p>) -> bool,
) -> (Draft<'p>, Why) {
    let mut known: HashSet<StageId> = HashSet::new();
    let mut asked = 0;
    draft.asked.retain(|stage| {
        if !is_kind(&stage.work) {
            return true;
        }
        asked += 1;
        known.insert(stage.id.clone())
    });
    let done = if asked == known.len() {
        String::new()
    } else {
        format!("{noun} {asked} -> {}", known.len())
    };
    (draft, Why { pass, done })
}
