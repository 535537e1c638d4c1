//! A loss as it is written: sums of sums, before they are expanded and their weights folded.

use super::Term;
use crate::units::Exact;
use std::sync::Arc;

/// A loss as it is written, each sum behind what it adds; the last part is the whole. Two ways to write one loss differ here
/// and have one normal form, so nothing of this enters a hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The parts; empty where nothing is known of how the loss is written.
    pub parts: Vec<Part>,
    /// What `weights` multiplies the whole by, the last part included; `None` where the loss is part of another.
    pub factor: Option<Exact>,
}

/// A part of a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A term.
    Term(Term),
    /// A weighted sum of earlier parts, by their places.
    Sum(Vec<(Exact, usize)>),
    /// What a name stands for.
    Name(Arc<Written>),
}

impl Written {
    /// The part at `root` of `parts` with what it is made of, and nothing else.
    pub fn of(parts: &[Part], root: usize) -> Self {
        let mut is_read = vec![false; parts.len()];
        if let Some(last) = is_read.get_mut(root) {
            *last = true;
        }
        for (place, part) in parts.iter().enumerate().rev() {
            if let Part::Sum(addends) = part
                && is_read[place]
            {
                for (_, addend) in addends {
                    is_read[*addend] = true;
                }
            }
        }
        let mut moved = vec![0; parts.len()];
        let mut kept = vec![];
        for (place, part) in parts.iter().enumerate() {
            if !is_read[place] {
                continue;
            }
            moved[place] = kept.len();
            kept.push(match part {
                Part::Term(term) => Part::Term(term.clone()),
                Part::Name(written) => Part::Name(Arc::clone(written)),
                Part::Sum(addends) => {
                    Part::Sum(addends.iter().map(|(by, at)| (*by, moved[*at])).collect())
                }
            });
        }
        Written {
            parts: kept,
            factor: None,
        }
    }
}
