//! Rewrites of the graph, a file each. Each says what it preserves, when it is legal, and its numeric [`Class`].
//!
//! Those of [`Pass::is_default`] make the step that is executed. The others change where or in how many calls something is
//! done, which pays on one machine and not on another, so they are asked for by name.

mod batch_views;
mod drop_unread;
mod expand_and_fold;
mod fuse_terms;
mod merge_duplicates;
mod move_domain;
mod share_decodes;
mod share_stop_gradients;
#[cfg(test)]
mod tests;
mod why;

pub use batch_views::batch_views;
pub use drop_unread::drop_unread_modalities;
pub use expand_and_fold::expand_and_fold;
pub use fuse_terms::fuse_terms;
pub use merge_duplicates::merge_duplicates;
pub use move_domain::move_domain;
pub(crate) use share_decodes::offset;
pub use share_decodes::share_decodes;
pub use share_stop_gradients::share_stop_gradients;
pub use why::{Why, json, text};

use crate::graph::Graph;
use crate::hir::Pretrain;
use crate::loss::Written;
use crate::lower::{lower, lower_written};
use crate::validate::{validate, validate_literal};

/// A rewrite of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    /// [`expand_and_fold`].
    ExpandAndFold,
    /// [`merge_duplicates`].
    MergeDuplicates,
    /// [`share_stop_gradients`].
    ShareStopGradients,
    /// [`drop_unread_modalities`].
    DropUnreadModalities,
    /// [`share_decodes`].
    ShareDecodes,
    /// [`move_domain`].
    MoveDomain,
    /// [`batch_views`].
    BatchViews,
    /// [`fuse_terms`].
    FuseTerms,
}

/// How much a pass may change the numbers of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The same numbers, bit for bit, in float64.
    Exact,
    /// The same sums in another order.
    Reassociating,
}

impl Class {
    /// As logs print it.
    pub fn name(self) -> &'static str {
        match self {
            Class::Exact => "exact",
            Class::Reassociating => "reassociating",
        }
    }
}

impl Pass {
    /// All passes in the order in which they run.
    pub const ALL: [Pass; 8] = [
        Pass::ExpandAndFold,
        Pass::MergeDuplicates,
        Pass::ShareStopGradients,
        Pass::DropUnreadModalities,
        Pass::ShareDecodes,
        Pass::MoveDomain,
        Pass::BatchViews,
        Pass::FuseTerms,
    ];

    /// Its name: that of its function.
    pub fn name(self) -> &'static str {
        match self {
            Pass::ExpandAndFold => "expand_and_fold",
            Pass::MergeDuplicates => "merge_duplicates",
            Pass::ShareStopGradients => "share_stop_gradients",
            Pass::DropUnreadModalities => "drop_unread_modalities",
            Pass::ShareDecodes => "share_decodes",
            Pass::MoveDomain => "move_domain",
            Pass::BatchViews => "batch_views",
            Pass::FuseTerms => "fuse_terms",
        }
    }

    /// The pass of this name.
    pub fn named(name: &str) -> Option<Pass> {
        Pass::ALL.into_iter().find(|pass| pass.name() == name)
    }

    /// Whether it makes the step that is executed unless something else is asked for.
    pub fn is_default(self) -> bool {
        match self {
            Pass::ExpandAndFold
            | Pass::MergeDuplicates
            | Pass::ShareStopGradients
            | Pass::DropUnreadModalities
            | Pass::ShareDecodes => true,
            Pass::MoveDomain | Pass::BatchViews | Pass::FuseTerms => false,
        }
    }

    /// How much it may change objective and gradients.
    pub fn class(self) -> Class {
        match self {
            Pass::ShareStopGradients
            | Pass::DropUnreadModalities
            | Pass::ShareDecodes
            | Pass::MoveDomain => Class::Exact,
            Pass::ExpandAndFold | Pass::MergeDuplicates | Pass::BatchViews | Pass::FuseTerms => {
                Class::Reassociating
            }
        }
    }

    /// What it does, in a line.
    pub fn summary(self) -> &'static str {
        match self {
            Pass::ExpandAndFold => "sums of sums to one weighted sum of terms",
            Pass::MergeDuplicates => "one call where several ask for the same",
            Pass::ShareStopGradients => "one detached tensor where several are the same",
            Pass::DropUnreadModalities => "no work for what no term reads",
            Pass::ShareDecodes => "overlapping windows decoded once",
            Pass::MoveDomain => {
                "augmentation and conversion behind the batch, where the networks are"
            }
            Pass::BatchViews => "the views of a modality through one call",
            Pass::FuseTerms => "all cosines as entries of one matrix",
        }
    }

    /// The graph after it.
    pub fn rewrite(self, graph: &Graph, pretrain: &Pretrain) -> Graph {
        match self {
            Pass::ExpandAndFold => expand_and_fold(graph),
            Pass::MergeDuplicates => merge_duplicates(graph),
            Pass::ShareStopGradients => share_stop_gradients(graph),
            Pass::DropUnreadModalities => drop_unread_modalities(graph),
            Pass::ShareDecodes => share_decodes(graph, pretrain),
            Pass::MoveDomain => move_domain(graph, pretrain),
            Pass::BatchViews => batch_views(graph),
            Pass::FuseTerms => fuse_terms(graph, pretrain),
        }
    }

    /// What it leaves as it is in `graph`, and why that is not legal or not worth it.
    pub fn refusals(self, graph: &Graph, pretrain: &Pretrain) -> Vec<String> {
        match self {
            Pass::ExpandAndFold | Pass::MergeDuplicates | Pass::DropUnreadModalities => vec![],
            Pass::ShareStopGradients => share_stop_gradients::refusals(graph),
            Pass::ShareDecodes => share_decodes::refusals(graph, pretrain),
            Pass::MoveDomain => move_domain::refusals(graph, pretrain),
            Pass::BatchViews => batch_views::refusals(graph),
            Pass::FuseTerms => fuse_terms::refusals(graph, pretrain),
        }
    }
}

/// The passes that make the step that is executed, and of the others those of `also`, in order.
pub fn selection(also: &[Pass]) -> Vec<Pass> {
    let wanted = |pass: &Pass| pass.is_default() || also.contains(pass);
    Pass::ALL.into_iter().filter(wanted).collect()
}

/// The training step of `pretrain`, lowered, optimised by the default passes and validated, and what each pass did.
pub fn build(pretrain: &Pretrain) -> (Graph, Vec<Why>) {
    build_with(pretrain, &selection(&[]))
}

/// [`build`] with these passes.
pub fn build_with(pretrain: &Pretrain, passes: &[Pass]) -> (Graph, Vec<Why>) {
    let literal = lower(pretrain);
    validate(&literal, pretrain);
    let (graph, log) = apply(&literal, pretrain, passes);
    validate(&graph, pretrain);
    (graph, log)
}

/// [`build`] with these passes from the objective as it is written.
pub fn build_written(pretrain: &Pretrain, written: &Written, passes: &[Pass]) -> (Graph, Vec<Why>) {
    let literal = lower_written(pretrain, written);
    validate_literal(&literal, pretrain);
    let (graph, log) = apply(&literal, pretrain, passes);
    if passes.contains(&Pass::ExpandAndFold) {
        validate(&graph, pretrain);
    } else {
        validate_literal(&graph, pretrain);
    }
    (graph, log)
}

/// These passes in order, and what each did.
pub fn apply(graph: &Graph, pretrain: &Pretrain, passes: &[Pass]) -> (Graph, Vec<Why>) {
    let mut graph = graph.clone();
    let mut log = vec![];
    for pass in passes {
        let after = pass.rewrite(&graph, pretrain);
        log.push(Why::of(*pass, (&graph, &after), pretrain));
        graph = after;
    }
    (graph, log)
}
