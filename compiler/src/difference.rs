//! How two closed experiments, protocols or files differ in meaning: the one comparison behind `diff`.
//!
//! Both sides are closed values, so that names, order, comments and units never make a difference, and losses are compared in
//! normal form. What differs is named as one would write it. `readings` compares what two texts say; this is about what they
//! come to.

mod experiment;
mod print;
mod program;

use crate::hir::{Chain, Link};
use crate::units::Exact;
use crate::written;
use serde::Serialize;

pub use experiment::{nearest, pretrains, protocols, stages, states, texts};
pub use print::{experiment_text, program_text, protocol_text};
pub use program::programs;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The field: `optim`, `v.augment`, `modality v`.
    pub path: String,
    /// Its value on the left as one would write it; `None` where the left has no such field.
    pub left: Option<String>,
    /// Its value on the right.
    pub right: Option<String>,
    /// Of a chain, the links that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkChange>,
}

impl Change {
    fn new(path: &str, left: Option<&str>, right: Option<&str>) -> Self {
        Change {
            path: path.to_owned(),
            left: left.map(str::to_owned),
            right: right.map(str::to_owned),
            links: vec![],
        }
    }
}

/// One augmentation that differs between two chains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkChange {
    /// The paper's short name: `GB`.
    pub link: String,
    /// As it is on the left; `None` where it is added.
    pub left: Option<String>,
    /// As it is on the right; `None` where it is gone.
    pub right: Option<String>,
}

/// A part of a loss whose weight differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Weighed {
    /// A pair of views, `v1a2`, or a term where a loss is no sum of pairs.
    pub what: String,
    /// Its weight on the left; `None` where it is added.
    pub left: Option<Exact>,
    /// Its weight on the right; `None` where it is gone.
    pub right: Option<Exact>,
}

/// What one training step costs in calls, after the passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Encodings, z = f(x).
    pub encode: usize,
    /// Predictions, p = h(z).
    pub predict: usize,
    /// Terms of the loss.
    pub terms: usize,
}

/// Whether the difference of two scores is paired: both trainings see the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// Same seed, same clips, same draws of each augmentation.
    Paired,
    /// Same seed and clips, other augmentations; a link that both have draws the same.
    SameClips,
    /// What makes them see different clips.
    Apart(Vec<&'static str>),
}

/// How two pretrainings differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Experiment {
    /// Weights of the loss that differ.
    pub loss: Vec<Weighed>,
    /// Other fields that differ, in the order of the prelude.
    pub fields: Vec<Change>,
    /// The parts in which nothing differs: `networks`, `optimiser`.
    pub unchanged: Vec<&'static str>,
    /// Calls of a step on the left and on the right.
    pub calls: [Calls; 2],
    /// Is a difference of scores paired?
    pub pairing: Pairing,
}

impl Experiment {
    /// Nothing differs: both are one run.
    pub fn is_same(&self) -> bool {
        self.loss.is_empty() && self.fields.is_empty()
    }

    /// In how many places they differ.
    pub fn count(&self) -> usize {
        self.loss.len() + self.fields.len()
    }
}

/// How two stages of one kind differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Stages {
    /// Pretrainings.
    Pretrain(Box<Experiment>),
    /// Extractions, finetunings or scores, by their fields.
    Other(Vec<Change>),
}

impl Stages {
    /// In how many places they differ.
    pub fn count(&self) -> usize {
        match self {
            Stages::Pretrain(difference) => difference.count(),
            Stages::Other(changes) => changes.len(),
        }
    }

    /// What differs, a line each.
    pub fn text(&self) -> String {
        match self {
            Stages::Pretrain(difference) => experiment_text(difference),
            Stages::Other(changes) => protocol_text(changes),
        }
    }
}

/// How two files differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Files {
    /// Tables that differ, those of the left file first, then what the right one alone has.
    pub tables: Vec<Table>,
    /// Pretrainings that differ and that no table of their file starts from.
    pub pretrains: Vec<Member<Experiment>>,
    /// Protocols that differ and are columns of no table.
    pub evals: Vec<Member<Vec<Change>>>,
}

impl Files {
    /// Both files ask for the same.
    pub fn is_same(&self) -> bool {
        self.tables.is_empty() && self.pretrains.is_empty() && self.evals.is_empty()
    }
}

/// A named part of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member<T> {
    /// Its name, or the label of a row.
    pub name: String,
    /// How it differs.
    #[serde(flatten)]
    pub state: State<T>,
}

/// How a part of a file differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "difference")]
pub enum State<T> {
    /// The right file alone has it.
    Added,
    /// The left file alone has it.
    Removed,
    /// It is the same run, under this name on the right.
    Renamed(String),
    /// Both have it, and it differs.
    Changed(T),
}

/// How a table differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its rows: those of the side that has it, or the larger number.
    pub rows: usize,
    /// How it differs.
    #[serde(flatten)]
    pub state: State<TableParts>,
}

/// The parts of a table that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableParts {
    /// What a figure draws and against what, and the curves.
    pub drawn: Vec<Change>,
    /// Columns.
    pub columns: Vec<Member<Vec<Change>>>,
    /// Rows.
    pub rows: Vec<Member<Experiment>>,
    /// Published numbers, `ROW, COLUMN`, that a row of both has. They are no part of any run.
    pub expect: Vec<Change>,
}

/// The links in which two chains differ, in the order of the chains; none where an order or the draws per frame differ alone.
fn links(left: &Chain, right: &Chain) -> Vec<LinkChange> {
    let (left, right) = (&left.links, &right.links);
    let common = longest_common(left, right);
    let mut found = vec![];
    let (mut i, mut j) = (0, 0);
    for (at_left, at_right) in common.into_iter().chain([(left.len(), right.len())]) {
        found.extend(
            left[i..at_left]
                .iter()
                .map(|link| changed(Some(link), None)),
        );
        found.extend(
            right[j..at_right]
                .iter()
                .map(|link| changed(None, Some(link))),
        );
        if let (Some(of_left), Some(of_right)) = (left.get(at_left), right.get(at_right))
            && of_left != of_right
        {
            found.push(changed(Some(of_left), Some(of_right)));
        }
        (i, j) = (at_left + 1, at_right + 1);
    }
    found
}

fn changed(left: Option<&Link>, right: Option<&Link>) -> LinkChange {
    let name = left.or(right).map_or("", Link::short);
    LinkChange {
        link: name.to_owned(),
        left: left.map(written::link),
        right: right.map(written::link),
    }
}

/// Positions of a longest sequence of links of the same kind that both chains have in this order.
fn longest_common(left: &[Link], right: &[Link]) -> Vec<(usize, usize)> {
    let is_alike = |i: usize, j: usize| left[i].short() == right[j].short();
    // `length[i][j]`: of the longest sequence in what follows from `i` and `j`.
    let mut length = vec![vec![0_usize; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            length[i][j] = if is_alike(i, j) {
                length[i + 1][j + 1] + 1
            } else {
                length[i + 1][j].max(length[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut found = vec![];
    while i < left.len() && j < right.len() {
        if is_alike(i, j) {
            found.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if length[i + 1][j] >= length[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}
