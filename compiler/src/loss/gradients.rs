//! Who learns from a loss, and what keeps it from a constant: read off the normal form, before there is a network.
//!
//! Networks that stand in one term belong together, directly or through other terms. Such a group is held up by negatives, a
//! variance, balanced assignments or pairs that are pushed apart, wherever in the group these stand; by a prediction of a target
//! without gradient, where a layer that learns stands before the prediction and not before the target; and by a target that
//! nothing trains. A stop-gradient or a moving average alone is none of these (Chen and He 2021; Grill et al. 2020).

use super::{Embedding, EmbeddingOp, Loss, Term, TermOp};
use crate::units::Exact;
use std::collections::BTreeSet;

/// What a loss does to its networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gradients {
    /// Groups that some term trains, and the linear layers of the loss as `linear(300)`.
    pub trained: BTreeSet<String>,
    /// Groups that stand in the loss and get no gradient from any term.
    pub untrained: BTreeSet<String>,
    /// Encoders that a constant satisfies best, with what brings it about: those of one group of terms together.
    pub collapsing: Vec<Collapse>,
    /// Terms that reward what they are there to prevent.
    pub repelling: Vec<Term>,
    /// Terms whose target hands its gradient on, where a term of the same form has one that does not.
    pub leaking: Vec<Leak>,
}

/// Encoders that nothing holds up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collapse {
    /// The encoders.
    pub encoders: BTreeSet<String>,
    /// What comes closest to holding them up.
    pub lacks: Lack,
    /// The first term that pulls.
    pub term: Term,
    /// Terms with a predictor whose target hands its gradient on.
    pub open: Vec<Leak>,
}

/// What would hold encoders up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A predictor is there, and its target hands the gradient on.
    StopGradient,
    /// A target without gradient is there, and no predictor.
    Predictor,
    /// Both sides are scores of prototypes, and no target is balanced.
    Balance,
    /// Covariances are held down, and no variance up.
    Variance,
    /// None of them is there.
    Everything,
}

/// A term whose target hands its gradient on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The term.
    pub term: Term,
    /// Which of its arguments is the target.
    pub target: usize,
}

/// What one side of a term is made of.
struct Side {
    /// Parameters that its gradient reaches.
    live: BTreeSet<String>,
    /// All parameters in it, those of moving averages by the group that they follow.
    all: BTreeSet<String>,
    /// Layers behind the encoder.
    heads: BTreeSet<String>,
    /// The group of its encoder.
    encoder: String,
    /// Its scores are balanced over the batch.
    is_balanced: bool,
}

impl Side {
    /// The side without the predictors that have nothing to learn.
    fn of(embedding: &Embedding, learns: &dyn Fn(&str) -> bool) -> Side {
        let mut side = Side {
            live: BTreeSet::new(),
            all: BTreeSet::new(),
            heads: BTreeSet::new(),
            encoder: String::new(),
            is_balanced: false,
        };
        let mut is_live = true;
        for op in embedding.operators() {
            match op {
                EmbeddingOp::Predict(group) if !learns(group) => continue,
                EmbeddingOp::Ema { group, .. } if is_predictor(group) && !learns(group) => {
                    is_live = false;
                    continue;
                }
                EmbeddingOp::Encode(group) => side.encoder.clone_from(group),
                EmbeddingOp::Predict(group) => {
                    side.heads.insert(group.clone());
                }
                EmbeddingOp::Ema { group, .. } => {
                    is_live = false;
                    side.all.insert(group.clone());
                    if is_predictor(group) {
                        side.heads.insert(group.clone());
                    } else {
                        side.encoder.clone_from(group);
                    }
                }
                EmbeddingOp::Linear(width) => {
                    side.heads.insert(format!("linear({width})"));
                }
                EmbeddingOp::StopGradient | EmbeddingOp::Memory { .. } => is_live = false,
                EmbeddingOp::Sinkhorn { .. } => side.is_balanced = true,
                EmbeddingOp::L2 | EmbeddingOp::Scale(_) => {}
            }
            if let Some(own) = parameters(op) {
                side.all.insert(own.clone());
                if is_live {
                    side.live.insert(own);
                }
            }
        }
        side
    }

    fn is_stopped(&self) -> bool {
        self.live.is_empty()
    }

    /// It learns to predict `target`, which has no gradient, through a layer that the target does not have.
    fn predicts(&self, target: &Side) -> bool {
        target.is_stopped() && self.is_ahead_of(target)
    }

    /// A layer that learns stands behind its encoder, and not behind the other's.
    fn is_ahead_of(&self, other: &Side) -> bool {
        let mut own = self.heads.difference(&other.heads);
        own.any(|head| self.live.contains(head))
    }
}

/// The parameters of an operator itself.
fn parameters(op: &EmbeddingOp) -> Option<String> {
    match op {
        EmbeddingOp::Encode(group) | EmbeddingOp::Predict(group) => Some(group.clone()),
        EmbeddingOp::Linear(width) => Some(format!("linear({width})")),
        EmbeddingOp::StopGradient
        | EmbeddingOp::L2
        | EmbeddingOp::Scale(_)
        | EmbeddingOp::Sinkhorn { .. }
        | EmbeddingOp::Ema { .. }
        | EmbeddingOp::Memory { .. } => None,
    }
}

fn is_predictor(group: &str) -> bool {
    group.ends_with(".h")
}

/// A term with its sides.
struct Read<'l> {
    term: &'l Term,
    /// It is larger where it should be smaller.
    is_reversed: bool,
    sides: Vec<Side>,
}

impl Read<'_> {
    fn is_about(&self, encoders: &BTreeSet<String>) -> bool {
        self.sides
            .iter()
            .any(|side| encoders.contains(&side.encoder))
    }

    /// It pulls what learns towards a constant, unless something stands against that.
    fn pulls(&self) -> bool {
        let is_pull = match self.term.op {
            TermOp::Cos | TermOp::Dot | TermOp::Mse | TermOp::Xent | TermOp::Cov => true,
            TermOp::InfoNce { .. } | TermOp::HingeStd => false,
        };
        is_pull && !self.is_reversed && self.sides.iter().any(|side| !side.is_stopped())
    }

    /// It stands against a constant: by what it is, or by who predicts whom.
    fn holds_up(&self, trained: &BTreeSet<String>) -> bool {
        let is_contrast = match self.term.op {
            TermOp::InfoNce { .. } | TermOp::HingeStd => !self.is_reversed,
            TermOp::Cos | TermOp::Dot | TermOp::Mse | TermOp::Xent => self.is_reversed,
            TermOp::Cov => false,
        };
        let one_way = |x: &Side, y: &Side| {
            let is_fixed = y.is_stopped() && !y.all.iter().any(|group| trained.contains(group));
            !x.is_stopped() && (x.predicts(y) || is_fixed || y.is_balanced)
        };
        is_contrast
            || match self.sides.as_slice() {
                [x, y] => one_way(x, y) || one_way(y, x),
                _ => false,
            }
    }
}

/// Whether more of a term is worse: a similarity is to be large, everything else small.
fn is_reversed(term: &Term, weight: Exact) -> bool {
    let is_positive = weight > Exact::whole(0);
    match term.op {
        TermOp::Cos | TermOp::Dot => is_positive,
        TermOp::Mse | TermOp::Xent | TermOp::InfoNce { .. } | TermOp::HingeStd | TermOp::Cov => {
            !is_positive
        }
    }
}

/// Works out who learns from `loss` and what holds it up. `learns` tells of each predictor whether it has a layer that can: one
/// that only normalises predicts nothing.
pub fn gradients(loss: &Loss, learns: &dyn Fn(&str) -> bool) -> Gradients {
    let read: Vec<Read<'_>> = loss
        .terms
        .iter()
        .map(|(term, weight)| Read {
            term,
            is_reversed: is_reversed(term, *weight),
            sides: term.args.iter().map(|arg| Side::of(arg, learns)).collect(),
        })
        .collect();
    let sides = || read.iter().flat_map(|read| &read.sides);
    let trained: BTreeSet<String> = sides().flat_map(|side| side.live.clone()).collect();
    let all: BTreeSet<String> = sides().flat_map(|side| side.all.clone()).collect();
    let untrained = all.difference(&trained).cloned().collect();
    let collapsing: Vec<Collapse> = together(&read)
        .into_iter()
        .filter_map(|encoders| collapse(&read, encoders, &trained))
        .collect();
    let has_collapsed = |read: &Read<'_>| collapsing.iter().any(|c| read.is_about(&c.encoders));
    let leaking = read
        .iter()
        .filter(|one| !has_collapsed(one))
        .filter_map(|one| leak(one, &read))
        .collect();
    let reversed = read.iter().filter(|read| read.is_reversed);
    Gradients {
        trained,
        untrained,
        repelling: reversed.map(|read| read.term.clone()).collect(),
        leaking,
        collapsing,
    }
}

/// Encoders that terms join, directly or through others.
fn together(read: &[Read<'_>]) -> Vec<BTreeSet<String>> {
    let mut groups: Vec<BTreeSet<String>> = vec![];
    for one in read {
        let mut joined: BTreeSet<String> = one.sides.iter().map(|s| s.encoder.clone()).collect();
        groups.retain(|group| {
            let is_apart = group.is_disjoint(&joined);
            if !is_apart {
                joined.extend(group.iter().cloned());
            }
            is_apart
        });
        groups.push(joined);
    }
    groups.sort();
    groups
}

/// What is missing where nothing holds `encoders` up.
fn collapse(
    read: &[Read<'_>],
    encoders: BTreeSet<String>,
    trained: &BTreeSet<String>,
) -> Option<Collapse> {
    let own: Vec<&Read<'_>> = read.iter().filter(|r| r.is_about(&encoders)).collect();
    if own.iter().any(|read| read.holds_up(trained)) {
        return None;
    }
    let first = own.iter().find(|read| read.pulls())?;
    let is_any = |test: &dyn Fn(&Side, &Side) -> bool| {
        own.iter().any(|read| match read.sides.as_slice() {
            [x, y] => test(x, y) || test(y, x),
            _ => false,
        })
    };
    let lacks = if own.iter().any(|read| read.term.op == TermOp::Cov) {
        Lack::Variance
    } else if own.iter().any(|read| read.term.op == TermOp::Xent) {
        Lack::Balance
    } else if is_any(&|x, y| x.is_ahead_of(y)) {
        Lack::StopGradient
    } else if is_any(&|_, y| y.is_stopped()) {
        Lack::Predictor
    } else {
        Lack::Everything
    };
    let open = |read: &&Read<'_>| match read.sides.as_slice() {
        [x, y] if x.is_ahead_of(y) || y.is_ahead_of(x) => Some(Leak {
            term: read.term.clone(),
            target: usize::from(x.is_ahead_of(y)),
        }),
        _ => None,
    };
    Some(Collapse {
        lacks,
        term: first.term.clone(),
        open: own.iter().filter_map(open).collect(),
        encoders,
    })
}

/// The target of `one` where it hands its gradient on, and that of another term of the same form does not.
fn leak(one: &Read<'_>, all: &[Read<'_>]) -> Option<Leak> {
    let is_open = |read: &Read<'_>| read.sides.iter().all(|side| !side.is_stopped());
    if one.sides.len() != 2 || !one.pulls() || !is_open(one) {
        return None;
    }
    let form = form(one.term);
    let is_like = |other: &Read<'_>| !other.is_reversed && self::form(other.term) == form;
    if !all.iter().any(|other| is_like(other) && !is_open(other)) {
        return None;
    }
    let is_first = one.sides[1].is_ahead_of(&one.sides[0]);
    Some(Leak {
        term: one.term.clone(),
        target: usize::from(!is_first),
    })
}

/// A term without views, modalities, averages and stop-gradients, its arguments in order: equal for the two directions of a pair.
fn form(term: &Term) -> (std::mem::Discriminant<TermOp>, Vec<Vec<EmbeddingOp>>) {
    let mut sides: Vec<Vec<EmbeddingOp>> = term.args.iter().map(plain).collect();
    sides.sort();
    (std::mem::discriminant(&term.op), sides)
}

fn plain(embedding: &Embedding) -> Vec<EmbeddingOp> {
    let ops = embedding.operators().filter_map(|op| match op {
        EmbeddingOp::StopGradient | EmbeddingOp::Memory { .. } => None,
        EmbeddingOp::Ema { group, .. } if is_predictor(group) => {
            Some(EmbeddingOp::Predict(String::new()))
        }
        EmbeddingOp::Encode(_) | EmbeddingOp::Ema { .. } => {
            Some(EmbeddingOp::Encode(String::new()))
        }
        EmbeddingOp::Predict(_) => Some(EmbeddingOp::Predict(String::new())),
        EmbeddingOp::L2
        | EmbeddingOp::Scale(_)
        | EmbeddingOp::Linear(_)
        | EmbeddingOp::Sinkhorn { .. } => Some(op.clone()),
    });
    ops.collect()
}
