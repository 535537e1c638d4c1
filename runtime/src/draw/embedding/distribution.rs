//! How features are distributed: densities of cosine similarities, uniformity and alignment. Features that are 0 altogether have no
//! direction, and take no part.

use super::Rows;
use super::pairs::{MOST, Pairs, T, alignment, pairs};
use crate::draw::density::{Spread, places};
use crate::error::Result;
use crate::eval::heads::neighbours::unit;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use tch::Tensor;

/// Places at which densities are told.
const PLACES: usize = 201;
/// From where to where a cosine lies.
const ENDS: (f64, f64) = (-1.0, 1.0);

/// What is said of the pairs of some samples.
pub(super) struct Distribution {
    /// The pairs, and what they come to.
    pub pairs: Pairs,
    /// Samples whose pairs these are, the first ones drawn that have a direction.
    pub samples: usize,
    /// Samples of which all features are 0.
    pub zeros: usize,
    /// How near positives are, and what they are.
    pub alignment: Option<(f64, &'static str)>,
    /// Similarities at which the densities are told.
    pub places: Vec<f64>,
    /// The density of all similarities; `None` where all are the same.
    pub all: Option<Vec<f64>>,
    /// Of those of one class.
    pub same: Option<Vec<f64>>,
}

impl Distribution {
    /// Of these features and their classes, if any; `None` where fewer than two samples have a direction.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::error::Error::Interrupted); what libtorch says.
    pub fn of(rows: &Rows, labels: Option<&[u32]>, stop: &AtomicBool) -> Result<Option<Self>> {
        let (mut kept, means) = directed(&rows.means)?;
        let zeros = rows.samples.len() - kept.len();
        kept.truncate(MOST);
        let samples = kept.len();
        if samples < 2 {
            return Ok(None);
        }
        let labels: Option<Vec<u32>> =
            labels.map(|labels| kept.iter().map(|at| labels[*at]).collect());
        let units = unit(&means.narrow(0, 0, samples as i64))?;
        let pairs = pairs(&units, labels.as_deref(), stop)?;
        let (kept, clips) = directed(&rows.clips)?;
        let owners: Vec<usize> = kept.iter().map(|at| rows.owners[*at]).collect();
        let of_clips = alignment(&unit(&clips)?, &owners)?;
        let of_clips = of_clips.map(|value| (value, "clips of a sample"));
        let of_classes = pairs.aligned.map(|value| (value, "samples of a class"));
        let room = |width: Option<f64>| 3.0 * width.unwrap_or(0.0);
        let widest =
            room(pairs.all.bandwidth()).max(room(pairs.same.as_ref().and_then(Spread::bandwidth)));
        let (low, high) = pairs.all.range();
        let reach = ((low - widest).max(ENDS.0), (high + widest).min(ENDS.1));
        let places = places(reach, PLACES);
        let density = |spread: &Spread| spread.density(&places, ENDS);
        Ok(Some(Self {
            samples,
            zeros,
            alignment: of_clips.or(of_classes),
            all: density(&pairs.all),
            same: pairs.same.as_ref().and_then(density),
            places,
            pairs,
        }))
    }

    /// From where to where its curves are drawn: 0 to 1 where they hold nothing below 0, else all that a cosine can be. So they are
    /// the same for rows that are alike.
    pub fn axis(&self) -> (f64, f64) {
        match self.places[0] < 0.0 {
            true => ENDS,
            false => (0.0, ENDS.1),
        }
    }

    /// The numbers of it, by name.
    pub fn numbers(&self) -> BTreeMap<String, f64> {
        let named = |name: &str, value: f64| (name.to_owned(), value);
        let mut numbers = BTreeMap::from([
            named("uniformity", self.pairs.uniformity),
            named("similarity", self.pairs.all.mean()),
        ]);
        numbers.extend(self.alignment.map(|(value, _)| named("alignment", value)));
        let same = self.pairs.same.as_ref();
        numbers.extend(same.map(|same| named("similarity_of_a_class", same.mean())));
        numbers
    }

    /// All of it.
    pub fn data(&self) -> Value {
        let same = self.pairs.same.as_ref();
        json!({
            "samples": self.samples,
            "zeros": self.zeros,
            "pairs": self.pairs.all.count(),
            "pairs_of_a_class": same.map(Spread::count),
            "at": self.places,
            "density": self.all,
            "density_of_a_class": self.same,
            "bandwidth": self.pairs.all.bandwidth(),
            "bandwidth_of_a_class": same.and_then(Spread::bandwidth),
            "uniformity_t": T,
            "alignment_alpha": 2,
            "alignment_of": self.alignment.map(|(_, what)| what),
        })
    }
}

/// Those of the rows `[n, D]` that are not 0 altogether, with their places.
fn directed(rows: &Tensor) -> Result<(Vec<usize>, Tensor)> {
    let is_directed = rows.f_ne(0.0)?.any_dim(1, false);
    let kept = is_directed.nonzero().view([-1]);
    let places: Vec<i64> = (&kept).try_into()?;
    let places = places.into_iter().map(|at| at as usize).collect();
    Ok((places, rows.f_index_select(0, &kept)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(means: &[[f64; 2]]) -> Rows {
        let means = Tensor::from_slice2(means);
        Rows {
            samples: (0..means.size()[0] as usize).collect(),
            owners: (0..means.size()[0] as usize).collect(),
            clips: means.shallow_clone(),
            means,
        }
    }

    #[test]
    fn features_of_zeros_take_no_part_and_are_counted() {
        let stop = AtomicBool::new(false);
        let all = rows(&[[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [4.0, 3.0], [1.0, 0.0]]);
        let found = Distribution::of(&all, Some(&[0, 0, 0, 1, 0]), &stop);
        let found = found.unwrap().unwrap();
        let without = rows(&[[3.0, 4.0], [4.0, 3.0], [1.0, 0.0]]);
        let expected = Distribution::of(&without, Some(&[0, 1, 0]), &stop);
        let expected = expected.unwrap().unwrap();
        assert_eq!((found.samples, found.zeros, expected.zeros), (3, 2, 0));
        assert_eq!(found.numbers(), expected.numbers());
        assert_eq!(found.all, expected.all);
        assert_eq!(found.data()["zeros"], 2);
        let alone = rows(&[[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]]);
        assert!(Distribution::of(&alone, None, &stop).unwrap().is_none());
        let against = rows(&[[1.0, 0.0], [-1.0, 0.5], [0.0, 1.0]]);
        let against = Distribution::of(&against, None, &stop).unwrap().unwrap();
        assert_eq!(against.axis(), (-1.0, 1.0));
        let near = rows(&[[4.0, 3.0], [4.1, 3.0], [4.0, 3.1]]);
        let near = Distribution::of(&near, None, &stop).unwrap().unwrap();
        assert_eq!(near.axis(), (0.0, 1.0));
    }
}
