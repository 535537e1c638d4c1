//! Rewrites of a plan, a function each, from what every row asks for by itself to what has to be done.
//!
//! All are *exact*: an id is a hash of everything that a stage's outcome depends on, so a stage that is made once instead of
//! several times, earlier or beside others has the outcome that it would have had. Their tests hold them to it: what each
//! cell of each table comes to, written out down to the settings, is the same before and after.

mod checkpoints;
mod gang;
mod order;
mod share;

pub use checkpoints::reuse_checkpoints;
pub(crate) use checkpoints::states;
pub use gang::{gang, joined, outside};
pub(crate) use gang::{shared_data, union};
pub use order::order;
pub use share::{extract_once, score_once, share_pretrainings};

use super::Draft;

/// What one pass did to a plan.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Why {
    /// The pass.
    pub pass: &'static str,
    /// What it did: `49 asked for, 31 left`; empty where it found nothing to do.
    pub done: String,
}

/// All passes in order.
pub fn optimise(draft: Draft<'_>) -> (Draft<'_>, Vec<Why>) {
    let (draft, shared) = share_pretrainings(draft);
    let (draft, extracted) = extract_once(draft);
    let (draft, scored) = score_once(draft);
    let (draft, kept) = reuse_checkpoints(draft);
    let (draft, ordered) = order(draft);
    let (draft, ganged) = gang(draft);
    (
        draft,
        vec![shared, extracted, scored, kept, ordered, ganged],
    )
}
