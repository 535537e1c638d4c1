//! Sums of independent uniform draws, exactly.
//!
//! For `D = c + sum w_i U_i` with `n` draws `U_i` uniform between 0 and 1 and all `w_i > 0`
//!
//! ```text
//! E max(0, x - D)^k = k! / ((n + k)! prod w_i) * sum over subsets S of (-1)^|S| max(0, x - c - sum of w_i in S)^(n + k)
//! ```
//!
//! which for `k = 0` is the probability that D is at most x. A draw with `w < 0` is one with `-w` from `c + w` on.

use super::Overlap;
use crate::units::Exact;
use std::collections::BTreeMap;

/// One uniform draw. Two positions with the same draw move together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Draw {
    /// The view for which it is drawn, from 1; 0 for a draw that all views share.
    pub view: u32,
    /// The position of the modality that it moves.
    pub modality: usize,
}

/// A moment in seconds: a constant plus independent draws, each uniform from 0 to its width.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    at: Exact,
    draws: BTreeMap<Draw, Exact>,
}

impl Position {
    /// A fixed moment.
    pub(super) fn new(at: Exact) -> Self {
        let draws = BTreeMap::new();
        Position { at, draws }
    }

    /// Later by a fixed time. `None`: more than 30 digits, as in all of these.
    pub(super) fn later(&self, by: Exact) -> Option<Self> {
        let at = self.at.plus(by)?;
        let draws = self.draws.clone();
        Some(Position { at, draws })
    }

    /// Later by a draw from 0 to `width` that it does not hold yet.
    pub(super) fn moved(&self, draw: Draw, width: Exact) -> Self {
        let mut moved = self.clone();
        if width != Exact::whole(0) {
            moved.draws.insert(draw, width);
        }
        moved
    }

    /// The time from `other` to this; draws that both hold cancel.
    pub(super) fn after(&self, other: &Position) -> Option<Self> {
        let mut draws = self.draws.clone();
        for (draw, width) in &other.draws {
            let own = draws.remove(draw).unwrap_or(Exact::whole(0));
            let left = own.minus(*width)?;
            if left != Exact::whole(0) {
                draws.insert(*draw, left);
            }
        }
        let at = self.at.minus(other.at)?;
        Some(Position { at, draws })
    }

    /// The earliest and the latest moment.
    pub fn range(&self) -> Option<(Exact, Exact)> {
        let zero = Exact::whole(0);
        let mut range = (self.at, self.at);
        for width in self.draws.values() {
            range.0 = range.0.plus((*width).min(zero))?;
            range.1 = range.1.plus((*width).max(zero))?;
        }
        Some(range)
    }

    /// It is the same in every draw.
    pub fn is_fixed(&self) -> bool {
        self.draws.is_empty()
    }

    /// The moment, if it is the same in every draw.
    pub fn fixed(&self) -> Option<Exact> {
        self.is_fixed().then_some(self.at)
    }

    /// The probability that it is at most `time`.
    pub fn until(&self, time: Exact) -> Option<Exact> {
        self.excess(time, 0)
    }

    /// `E max(0, x - D)^k`, where `max(0, y)^0` is 1 from 0 on.
    fn excess(&self, x: Exact, k: u32) -> Option<Exact> {
        let zero = Exact::whole(0);
        let widths: Vec<Exact> = self.draws.values().map(|width| width.abs()).collect();
        let unit = widths.iter().copied().max().unwrap_or(Exact::whole(1));
        let room = x.minus(self.range()?.0)?.over(unit)?;
        let widths: Vec<Exact> = widths
            .into_iter()
            .map(|width| width.over(unit))
            .collect::<Option<_>>()?;
        let draws = u32::try_from(widths.len()).ok()?;
        let mut total = zero;
        for subset in 0..1u32.checked_shl(draws)? {
            let mut left = room;
            for (at, width) in widths.iter().enumerate() {
                if (subset >> at) & 1 == 1 {
                    left = left.minus(*width)?;
                }
            }
            if left < zero {
                continue;
            }
            let sign = if subset.count_ones() % 2 == 0 { 1 } else { -1 };
            total = total.plus(power(left, draws + k)?.times(Exact::whole(sign))?)?;
        }
        let mut divisor = Exact::whole(1);
        for width in &widths {
            divisor = divisor.times(*width)?;
        }
        for factor in k + 1..=draws + k {
            divisor = divisor.times(Exact::whole(i128::from(factor)))?;
        }
        total.over(divisor)?.times(power(unit, k)?)
    }

    /// What two windows cover of each other, where this is the time from the start of the second, `theirs` seconds long, to
    /// the start of the first, `own` seconds long.
    ///
    /// Windows are `[start, start + length)`: those that touch have no moment in common.
    pub(super) fn overlap(&self, own: Exact, theirs: Exact) -> Option<Overlap> {
        let (zero, one) = (Exact::whole(0), Exact::whole(1));
        let slack = theirs.minus(own)?;
        // The overlap rises from -own on, is the shorter window between the two middle ones, and is gone from theirs on.
        let knots = [zero.minus(own)?, slack.min(zero), slack.max(zero), theirs];
        let shorter = own.min(theirs);
        if self.is_fixed() {
            let at = self.at;
            let rise = at.minus(knots[0])?.min(knots[3].minus(at)?);
            let covered = rise.min(shorter).max(zero);
            let yes = |is: bool| if is { one } else { zero };
            return Some(Overlap {
                mean: covered.over(shorter)?,
                inside: yes(covered == shorter),
                apart: yes(covered == zero),
            });
        }
        let ramp = |knot: usize| self.excess(knots[knot], 1);
        let covered = ramp(0)?.minus(ramp(1)?)?.minus(ramp(2)?)?.plus(ramp(3)?)?;
        let until = |knot: usize| self.until(knots[knot]);
        Some(Overlap {
            mean: covered.over(shorter)?,
            inside: until(2)?.minus(until(1)?)?,
            apart: until(0)?.plus(one.minus(until(3)?)?)?,
        })
    }
}

fn power(base: Exact, exponent: u32) -> Option<Exact> {
    (0..exponent).try_fold(Exact::whole(1), |product, _| product.times(base))
}
