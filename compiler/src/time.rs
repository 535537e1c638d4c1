//! Windows in time (Sec. 4.3): where the windows of the views start under a relaxation policy, how much of each other the
//! two windows of a pair cover, and what a source must have. All of it exact, nothing sampled.
//!
//! The start of a window is a constant plus independent uniform draws, so the distance between two starts has a density that
//! is piecewise polynomial with rational break points, and the share that is covered is piecewise linear in the distance:
//! means and probabilities are rational numbers ([`draws`]). The runtime draws windows of the same law.

mod draws;
mod print;
mod starts;
#[cfg(test)]
mod tests;

use crate::hir::{Clip, Data, Pretrain, Short, Within};
use crate::loss::Loss;
use crate::units::Exact;
use serde::Serialize;
use std::collections::BTreeMap;

pub use draws::Position;
pub use print::{json, percent, text};
pub use starts::{Unplaced, Windows};

/// Seconds of a source whose length is not declared: the clips of Kinetics and AudioSet last 10 s.
pub const USUAL_SOURCE: i128 = 10;

/// How much of each other two windows cover, over all draws. For windows of different length it is the shorter one, for
/// audio-visual pairs of the paper the video clip, whose share counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Overlap {
    /// The mean share of the shorter window that the other covers.
    pub mean: Exact,
    /// The probability that the shorter window lies wholly in the other.
    pub inside: Exact,
    /// The probability that the two have no moment in common.
    pub apart: Exact,
}

/// How the two views of a pair relate: the families of Eqs. 2 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Two views of one modality.
    Intra,
    /// Views of one number of two modalities.
    Sync,
    /// Views of different numbers of two modalities.
    Async,
}

/// A view: modality and number from 1.
pub type View = (String, u32);

/// A pair of views that a loss uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The family.
    pub family: Family,
    /// The views, that of the modality declared first in front.
    pub views: (View, View),
}

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((x, i), (y, j)) = &self.views;
        write!(f, "{x}{i}{y}{j}")
    }
}

/// The pairs of different views that the terms of a loss compare, by family, modality and number.
pub fn pairs(pretrain: &Pretrain, loss: &Loss) -> Vec<Pair> {
    let rank = |view: &View| {
        let position = pretrain.modalities.iter().position(|m| m.name == view.0);
        (position, view.1)
    };
    let mut found = BTreeMap::new();
    for (term, _) in &loss.terms {
        let views: Vec<View> = term
            .args
            .iter()
            .map(|arg| (arg.view().0.to_owned(), arg.view().1))
            .collect();
        let both = views
            .iter()
            .enumerate()
            .flat_map(|(at, x)| views[at + 1..].iter().map(move |y| (x, y)));
        for (x, y) in both.filter(|(x, y)| x != y) {
            let (x, y) = if rank(x) <= rank(y) { (x, y) } else { (y, x) };
            let family = match (x.0 == y.0, x.1 == y.1) {
                (true, _) => Family::Intra,
                (false, true) => Family::Sync,
                (false, false) => Family::Async,
            };
            // Within a family by the lower number first, so that `v1a2` stands before `v2a1`.
            let key = (family, rank(x).0, rank(y).0, x.1, y.1);
            let views = (x.clone(), y.clone());
            found.insert(key, Pair { family, views });
        }
    }
    found.into_values().collect()
}

/// The pairs of the loss that `which` names: a family, one pair such as `v1a2`, or all of them.
pub fn pairs_of(pretrain: &Pretrain, which: Option<&str>) -> Vec<Pair> {
    let is_meant = |pair: &Pair| match which {
        None => true,
        Some("intra") => pair.family == Family::Intra,
        Some("sync") => pair.family == Family::Sync,
        Some("async") => pair.family == Family::Async,
        Some(name) => pair.to_string() == name,
    };
    let mut found = pairs(pretrain, &pretrain.loss);
    found.retain(is_meant);
    found
}

/// The mean over these pairs of the mean share of the shorter window that the other covers, in the source that laws are worked out for.
/// `None`: no pairs, or no law.
pub fn mean_overlap(pretrain: &Pretrain, pairs: &[Pair]) -> Option<Exact> {
    let windows = Windows::new(pretrain, source(pretrain)).ok()?;
    let means = pairs.iter().map(|pair| Some(windows.overlap(pair)?.mean));
    let means: Vec<Exact> = means.collect::<Option<_>>()?;
    starts::mean(&means)
}

/// From the start of one view's window to the next one's, in seconds; `None` where that is drawn or there is no such modality.
pub fn step(pretrain: &Pretrain, modality: &str) -> Option<Exact> {
    let placed = placed_as(pretrain, modality);
    if pretrain.relax.same.iter().any(|same| same == placed) {
        Some(Exact::whole(0))
    } else {
        drawn_step(pretrain, modality)
    }
}

/// The modality whose windows are drawn: optical flow has those of its video.
pub fn placed_as<'a>(pretrain: &'a Pretrain, modality: &'a str) -> &'a str {
    let clip = pretrain.modality(modality).map(|m| &m.clip);
    clip.and_then(Clip::derived_from).unwrap_or(modality)
}

/// The seconds from the start of the first view's window to the end of the last one's; `None` where that is drawn.
pub fn span(pretrain: &Pretrain, modality: &str) -> Option<Exact> {
    let steps = Exact::whole(i128::from(pretrain.views) - 1);
    let length = pretrain.modality(modality)?.clip.seconds();
    length.plus(step(pretrain, modality)?.times(steps)?)
}

/// The step between the windows as they are drawn, before one of them serves all views of a modality.
fn drawn_step(pretrain: &Pretrain, modality: &str) -> Option<Exact> {
    let own = pretrain.modality(modality)?;
    match &pretrain.relax.within {
        Within::Same => Some(Exact::whole(0)),
        Within::Offset(by) => Some(*by),
        Within::Overlap { share, of } => {
            let of = match of {
                None => own,
                Some(name) => pretrain.modality(name)?,
            };
            Exact::whole(1).minus(*share)?.times(of.clip.seconds())
        }
        Within::Halves | Within::OffsetMax | Within::Independent => None,
    }
}

/// The seconds that the windows of one modality need of its stream, those of all views together.
pub fn needed(pretrain: &Pretrain, modality: &str) -> Option<Exact> {
    let length = pretrain.modality(modality)?.clip.seconds();
    let views = i128::from(pretrain.views);
    match &pretrain.relax.within {
        Within::Independent => Some(length),
        Within::Halves | Within::OffsetMax => length.times(Exact::whole(views)),
        Within::Same | Within::Overlap { .. } | Within::Offset(_) => {
            length.plus(drawn_step(pretrain, modality)?.times(Exact::whole(views - 1))?)
        }
    }
}

/// The seconds that a source must have for all windows to find their place.
pub fn shortest_source(pretrain: &Pretrain) -> Option<Exact> {
    let needs = pretrain.modalities.iter();
    let needs: Vec<Exact> = needs
        .map(|m| needed(pretrain, &m.name))
        .collect::<Option<_>>()?;
    needs.into_iter().max()
}

/// The length of the sources in seconds where the data set declares it.
pub fn declared_source(data: &Data) -> Option<Exact> {
    match data {
        Data::Synthetic(data) => Some(data.length),
        Data::Videos(files) | Data::Sounds(files) => files.length,
    }
}

/// The source that laws are worked out for: the declared length, or 10 s, and never less than the windows need.
pub fn source(pretrain: &Pretrain) -> Exact {
    let length = declared_source(&pretrain.data).unwrap_or(Exact::whole(USUAL_SOURCE));
    shortest_source(pretrain).map_or(length, |needed| needed.max(length))
}

/// Whether a source that is too short has windows all the same: it is repeated or filled up.
pub fn stretches(data: &Data) -> bool {
    match data {
        Data::Synthetic(_) => false,
        Data::Videos(files) | Data::Sounds(files) => {
            matches!(files.short, Short::Loop | Short::Pad)
        }
    }
}

/// What the clip of a modality is made of, for messages.
pub fn medium(clip: &Clip) -> &'static str {
    match clip {
        Clip::Video { .. } => "video",
        Clip::Audio { .. } => "audio",
        Clip::Text { .. } => "text",
        Clip::Flow { .. } => "flow",
    }
}
