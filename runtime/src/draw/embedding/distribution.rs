//! How features are distributed: densities of cosine similarities, uniformity and alignment.

use super::Rows;
use super::pairs::{MOST, Pairs, T, alignment, pairs};
use crate::draw::density::{Spread, places};
use crate::error::Result;
use crate::eval::heads::neighbours::unit;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

/// Places at which densities are told.
const PLACES: usize = 201;

/// What is said of the pairs of some samples.
pub(super) struct Distribution {
    /// The pairs, and what they come to.
    pub pairs: Pairs,
    /// Samples whose pairs these are, the first ones drawn.
    pub samples: usize,
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
    /// Of these features and their classes, if any.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::error::Error::Interrupted); what libtorch says.
    pub fn of(rows: &Rows, labels: Option<&[u32]>, stop: &AtomicBool) -> Result<Self> {
        let samples = rows.samples.len().min(MOST);
        let units = unit(&rows.means.narrow(0, 0, samples as i64))?;
        let pairs = pairs(&units, labels.map(|labels| &labels[..samples]), stop)?;
        let of_clips = alignment(&unit(&rows.clips)?, &rows.owners)?;
        let of_clips = of_clips.map(|value| (value, "clips of a sample"));
        let of_classes = pairs.aligned.map(|value| (value, "samples of a class"));
        let room = |width: Option<f64>| 3.0 * width.unwrap_or(0.0);
        let widest =
            room(pairs.all.bandwidth()).max(room(pairs.same.as_ref().and_then(Spread::bandwidth)));
        let (low, high) = pairs.all.range();
        let places = places(((low - widest).max(-1.0), (high + widest).min(1.0)), PLACES);
        Ok(Self {
            samples,
            alignment: of_clips.or(of_classes),
            all: pairs.all.density(&places),
            same: pairs.same.as_ref().and_then(|same| same.density(&places)),
            places,
            pairs,
        })
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
