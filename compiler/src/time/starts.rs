//! The joint law of the windows' starts, policy by policy: the released code's one draw, and what each policy makes of it.
//!
//! One draw: the longest window starts uniformly where it fits in the source, and the shorter ones lie in it as `across`
//! says: uniformly inside, with equal starts, or with equal centres. Of a modality that is `same` one of the windows, picked with
//! equal chance, serves all views: the released code's `v_far_a_same` and `v_same_a_far`.

use super::draws::{Draw, Position};
use super::{Family, Overlap, Pair, View, drawn_step, needed, placed_as};
use crate::hir::{Across, Modality, Pretrain, Within};
use crate::units::Exact;
use std::collections::{BTreeMap, BTreeSet};

/// Why a law is not known.
#[derive(Clone, Debug, PartialEq)]
pub enum Unplaced {
    /// The windows of this modality need more than the source has.
    TooShort {
        /// The modality.
        modality: String,
        /// Seconds asked for.
        needs: Exact,
    },
    /// A number of the law needs more than 30 digits.
    TooFine,
}

/// The windows of all views of a pretraining in a source that all streams cover from its beginning to its end.
#[derive(Clone, Debug)]
pub struct Windows {
    lengths: BTreeMap<String, Exact>,
    /// By modality, then by view from the first; of what has windows of its own.
    starts: BTreeMap<String, Vec<Position>>,
    /// Modalities of which one window, picked with equal chance, serves all views.
    same: BTreeSet<String>,
    /// The modality of video whose windows a flow has.
    placed_as: BTreeMap<String, String>,
}

impl Windows {
    /// The windows of `pretrain` in a source of so many seconds.
    ///
    /// # Errors
    /// The source is too short, or a number too fine.
    pub fn new(pretrain: &Pretrain, source: Exact) -> Result<Self, Unplaced> {
        for modality in &pretrain.modalities {
            let needs = needed(pretrain, &modality.name).ok_or(Unplaced::TooFine)?;
            if needs > source {
                let modality = modality.name.clone();
                return Err(Unplaced::TooShort { modality, needs });
            }
        }
        let drawn = drawn(pretrain);
        let starts = starts(pretrain, &drawn, source).ok_or(Unplaced::TooFine)?;
        let names = pretrain.modalities.iter().map(|m| m.name.clone());
        let lengths = pretrain.modalities.iter().map(|m| m.clip.seconds());
        let placed_as = names.clone().map(|name| {
            let own = placed_as(pretrain, &name).to_owned();
            (name, own)
        });
        Ok(Windows {
            lengths: names.clone().zip(lengths).collect(),
            starts: drawn.iter().map(|m| m.name.clone()).zip(starts).collect(),
            same: pretrain.relax.same.iter().cloned().collect(),
            placed_as: placed_as.collect(),
        })
    }

    /// The modality whose windows are drawn for this one.
    fn placed_as<'a>(&'a self, modality: &'a str) -> &'a str {
        self.placed_as
            .get(modality)
            .map_or(modality, String::as_str)
    }

    /// Where the window of a view, numbered from 1, starts: one position, or those of which one is picked with equal chance.
    /// Empty: no such view.
    pub fn starts(&self, modality: &str, view: u32) -> &[Position] {
        let modality = self.placed_as(modality);
        let Some(drawn) = self.starts.get(modality) else {
            return &[];
        };
        let at = usize::try_from(view)
            .ok()
            .and_then(|view| view.checked_sub(1));
        match at.filter(|at| *at < drawn.len()) {
            Some(_) if self.same.contains(modality) => drawn,
            Some(at) => &drawn[at..=at],
            None => &[],
        }
    }

    /// The time from the first view's window of a modality to the second one's.
    pub fn distance(&self, modality: &str) -> Option<Position> {
        let view = |view| (modality.to_owned(), view);
        match self.distances(&view(2), &view(1))?.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        }
    }

    /// The times from the start of the window of `y` to that of `x`, of which one is picked with equal chance.
    fn distances(&self, x: &View, y: &View) -> Option<Vec<Position>> {
        let placed = (self.placed_as(&x.0), self.placed_as(&y.0));
        if placed.0 == placed.1 && self.same.contains(placed.0) {
            return Some(vec![Position::new(Exact::whole(0))]);
        }
        let (xs, ys) = (self.starts(&x.0, x.1), self.starts(&y.0, y.1));
        let both = xs.iter().flat_map(|x| ys.iter().map(move |y| x.after(y)));
        both.collect()
    }

    /// The probability that the window of a view starts at `time` or before. `None`: no such view, or too fine.
    pub fn starts_until(&self, modality: &str, view: u32, time: Exact) -> Option<Exact> {
        let starts = self.starts(modality, view).iter();
        mean(
            &starts
                .map(|start| start.until(time))
                .collect::<Option<Vec<_>>>()?,
        )
    }

    /// The law of one pair. `None`: no such views, or too fine.
    pub fn overlap(&self, pair: &Pair) -> Option<Overlap> {
        let (x, y) = &pair.views;
        let (own, theirs) = (*self.lengths.get(&x.0)?, *self.lengths.get(&y.0)?);
        let laws = self.distances(x, y)?.into_iter();
        let laws: Vec<Overlap> = laws
            .map(|distance| distance.overlap(own, theirs))
            .collect::<Option<_>>()?;
        let over = |part: fn(&Overlap) -> Exact| mean(&laws.iter().map(part).collect::<Vec<_>>());
        Some(Overlap {
            mean: over(|law| law.mean)?,
            inside: over(|law| law.inside)?,
            apart: over(|law| law.apart)?,
        })
    }

    /// The distance between the two starts is the same in every draw.
    pub fn is_fixed(&self, pair: &Pair) -> bool {
        let distances = self.distances(&pair.views.0, &pair.views.1);
        distances.is_some_and(|all| matches!(all.as_slice(), [one] if one.fixed().is_some()))
    }

    /// The mean over these pairs of one family of the probability of no contact; 0 without any.
    pub fn apart(&self, pairs: &[Pair], family: Family) -> Option<Exact> {
        let of = pairs.iter().filter(|pair| pair.family == family);
        let apart = of.map(|pair| Some(self.overlap(pair)?.apart));
        let apart: Vec<Exact> = apart.collect::<Option<_>>()?;
        if apart.is_empty() {
            Some(Exact::whole(0))
        } else {
            mean(&apart)
        }
    }
}

/// The mean; `None` of nothing, or too fine.
pub(super) fn mean(numbers: &[Exact]) -> Option<Exact> {
    let mut numbers_left = numbers.iter();
    let first = *numbers_left.next()?;
    let total = numbers_left.try_fold(first, |total, number| total.plus(*number))?;
    total.over(Exact::whole(numbers.len() as i128))
}

/// The modalities that have windows of their own.
fn drawn(pretrain: &Pretrain) -> Vec<&Modality> {
    let modalities = pretrain.modalities.iter();
    modalities
        .filter(|m| placed_as(pretrain, &m.name) == m.name)
        .collect()
}

/// By modality with windows of its own, then by view. `None`: too fine.
fn starts(
    pretrain: &Pretrain,
    modalities: &[&Modality],
    source: Exact,
) -> Option<Vec<Vec<Position>>> {
    let lengths: Vec<Exact> = modalities.iter().map(|m| m.clip.seconds()).collect();
    let across = pretrain.relax.across;
    let zero = Exact::whole(0);
    let views = i128::from(pretrain.views);
    let mut drawn: Vec<Vec<Position>> = vec![];
    match &pretrain.relax.within {
        Within::Same | Within::Overlap { .. } | Within::Offset(_) => {
            let spans: Vec<Exact> = modalities
                .iter()
                .map(|m| needed(pretrain, &m.name))
                .collect::<Option<_>>()?;
            let firsts = one_draw(&spans, (zero, source), across, 0)?;
            for view in 0..views {
                let start = |(first, modality): (&Position, &&Modality)| {
                    first.later(drawn_step(pretrain, &modality.name)?.times(Exact::whole(view))?)
                };
                let starts = firsts.iter().zip(modalities).map(start);
                drawn.push(starts.collect::<Option<_>>()?);
            }
        }
        Within::Halves => {
            let part = source.over(Exact::whole(views))?;
            for view in 0..pretrain.views {
                let from = part.times(Exact::whole(i128::from(view)))?;
                let limits = (from, from.plus(part)?);
                drawn.push(one_draw(&lengths, limits, across, view + 1)?);
            }
        }
        Within::OffsetMax => {
            // The first start is drawn up to `room`, what is left of its part of the source; each next one is `room` later.
            let longest = longest(&lengths);
            let room = source.over(Exact::whole(views))?.minus(lengths[longest])?;
            let draw = Draw {
                view: 0,
                modality: longest,
            };
            for view in 0..pretrain.views {
                let later = room.times(Exact::whole(i128::from(view)))?;
                let start = Position::new(later).moved(draw, room);
                drawn.push(around(&lengths, longest, &start, across, view + 1)?);
            }
        }
        Within::Independent => {
            for view in 0..pretrain.views {
                drawn.push(one_draw(&lengths, (zero, source), across, view + 1)?);
            }
        }
    }
    let of = |modality: usize| drawn.iter().map(|view| view[modality].clone()).collect();
    Some((0..lengths.len()).map(of).collect())
}

/// A start for each modality, its windows of these lengths between the limits. `view` tells its draws from others.
fn one_draw(
    lengths: &[Exact],
    limits: (Exact, Exact),
    across: Across,
    view: u32,
) -> Option<Vec<Position>> {
    let longest = longest(lengths);
    let room = limits.1.minus(limits.0)?.minus(lengths[longest])?;
    let draw = Draw {
        view,
        modality: longest,
    };
    let start = Position::new(limits.0).moved(draw, room);
    around(lengths, longest, &start, across, view)
}

/// The starts of all modalities, given that of the longest.
fn around(
    lengths: &[Exact],
    longest: usize,
    start: &Position,
    across: Across,
    view: u32,
) -> Option<Vec<Position>> {
    let place = |(modality, length): (usize, &Exact)| {
        if modality == longest {
            return Some(start.clone());
        }
        let room = lengths[longest].minus(*length)?;
        match across {
            Across::Inside => Some(start.moved(Draw { view, modality }, room)),
            Across::Start => Some(start.clone()),
            Across::Centre => start.later(room.over(Exact::whole(2))?),
        }
    };
    lengths.iter().enumerate().map(place).collect()
}

/// The position of the longest window, the first of equals.
fn longest(lengths: &[Exact]) -> usize {
    let longer = |best: usize, at: usize| {
        if lengths[at] > lengths[best] {
            at
        } else {
            best
        }
    };
    (0..lengths.len()).reduce(longer).unwrap_or(0)
}
