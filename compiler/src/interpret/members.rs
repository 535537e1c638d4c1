//! Whose a parameter is, where several pretrainings train side by side: the groups of member 2 are named `2/v.f`.

use super::Interpreter;
use crate::graph::{Id, Node};
use crate::loss::{Embedding, EmbeddingOp};

/// A member of a group of pretrainings; 0 where there is only one, whose names have no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member(u32);

impl Member {
    /// The member that `2/v.f` names, and what it is called by itself: `v.f`.
    pub fn of_group(name: &str) -> (Member, &str) {
        let prefixed = name
            .split_once('/')
            .and_then(|(number, own)| Some((Member(number.parse().ok()?), own)));
        prefixed.unwrap_or((Member(0), name))
    }

    /// `name`, as this member's.
    pub fn named(self, name: &str) -> String {
        match self {
            Member(0) => name.to_owned(),
            Member(number) => format!("{number}/{name}"),
        }
    }

    /// The name without its prefix, if it is this member's.
    pub fn own(self, name: &str) -> Option<&str> {
        let (member, own) = Member::of_group(name);
        (member == self).then_some(own)
    }
}

impl Interpreter<'_> {
    /// The member whose networks made the embedding at `id`.
    pub(super) fn member(&self, id: Id) -> Member {
        let groups = self.embeddings[&id].operators().filter_map(group);
        groups
            .map(|group| Member::of_group(group).0)
            .next()
            .unwrap_or(Member(0))
    }

    /// The member whose objective a sum is.
    pub(super) fn member_of_sum(&self, sum: Id) -> Member {
        // The first term of the first sum, or the first of its cosines.
        let mut here = sum;
        while let Node::Sum { .. } = self.graph.node(here) {
            let Some(first) = self.graph.inputs(here).first().copied() else {
                return Member(0);
            };
            here = first;
        }
        let first = self.graph.inputs(here).first().copied();
        first.map_or(Member(0), |embedding| self.member(embedding))
    }
}

/// The parameter group that an operator applies.
fn group(op: &EmbeddingOp) -> Option<&str> {
    match op {
        EmbeddingOp::Encode(group)
        | EmbeddingOp::Predict(group)
        | EmbeddingOp::Ema { group, .. } => Some(group),
        EmbeddingOp::StopGradient
        | EmbeddingOp::L2
        | EmbeddingOp::Scale(_)
        | EmbeddingOp::Linear(_)
        | EmbeddingOp::Sinkhorn { .. }
        | EmbeddingOp::Memory { .. } => None,
    }
}

/// The embedding as its member has it by itself.
pub(super) fn without_member(embedding: &Embedding) -> Embedding {
    let Embedding::Apply(op, inner) = embedding else {
        return embedding.clone();
    };
    let mut op = op.clone();
    if let EmbeddingOp::Encode(group)
    | EmbeddingOp::Predict(group)
    | EmbeddingOp::Ema { group, .. } = &mut op
    {
        *group = Member::of_group(group).1.to_owned();
    }
    Embedding::Apply(op, Box::new(without_member(inner)))
}
