//! Test samples with the training samples nearest to each (Figures S1 and S2, App. B).
//!
//! Queries are drawn from the test samples of the first split. They are searched for among its training samples as the score of the
//! same retrieval does it, by the cosine of features; of a training sample with several rows the nearest one counts. What is shown of
//! a clip is its middle, not augmented.

use super::svg::{Font, Paint, Picture, short};
use super::tiles::{self, Seen, seen};
use super::{Panel, Tools, drawn, file_name, names, told};
use crate::error::Result;
use crate::eval::feature_set::FeatureSet;
use crate::eval::heads::Means;
use crate::eval::heads::neighbours::{Near, nearest};
use crate::eval::splits::{Split, check_values, check_varied, splits};
use compiler::hir::{Clip, Eval, Gallery};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Width of a tile.
const TILE: f64 = 150.0;
/// Space between tiles, and around all of them.
const GAP: f64 = 16.0;
/// What stands below a tile.
const LABELS: f64 = 40.0;
/// Space between a query and its neighbours.
const ASIDE: f64 = 14.0;

const TITLE: Font = Font::new(17.0, Paint::Ink).bold();
const NOTE: Font = Font::new(13.0, Paint::Soft);
const NAME: Font = Font::new(13.0, Paint::Ink);

/// A test sample and what is nearest to it.
struct Query {
    sample: usize,
    near: Vec<Near>,
}

/// Draws a gallery of these features.
///
/// # Errors
/// Features that tell no sample from another; samples without a split; what ends a run.
pub(super) fn panel(
    gallery: &Gallery,
    seed: u64,
    set: &FeatureSet,
    tools: &mut Tools<'_>,
) -> Result<Panel> {
    check_values(set)?;
    check_varied(set)?;
    let split = splits(set)?.swap_remove(0);
    let asked = drawn(split.test.clone(), gallery.queries, seed, tools);
    let mut means = Means {
        threads: tools.options.threads,
        device: tools.device,
        progress: &mut *tools.progress,
        stop: tools.stop,
    };
    let found = nearest(set, &split, &asked, gallery.top as usize, &mut means)?;
    let pairs = asked.into_iter().zip(found);
    let queries: Vec<Query> = pairs.map(|(sample, near)| Query { sample, near }).collect();
    let shown: BTreeSet<usize> = queries
        .iter()
        .flat_map(|query| std::iter::once(query.sample).chain(query.near.iter().map(|n| n.sample)))
        .collect();
    let shown: Vec<usize> = shown.into_iter().collect();
    let seen = seen(tools, &gallery.eval, &shown, seed)?;
    let wall = Wall {
        gallery,
        set,
        split: &split,
        queries: &queries,
        told: &|text| told(tools.source.as_ref(), text),
    };
    Ok(Panel {
        svg: wall.picture(&seen)?,
        data: wall.data(&seen),
        lines: wall.lines(),
        numbers: wall.numbers(),
        files: vec![],
        clips: seen.clips,
    })
}

/// The queries of a gallery, and what they were searched in.
struct Wall<'a> {
    gallery: &'a Gallery,
    set: &'a FeatureSet,
    split: &'a Split,
    queries: &'a [Query],
    /// Files as they are called on every machine.
    told: &'a dyn Fn(&str) -> String,
}

impl Wall<'_> {
    fn eval(&self) -> &Eval {
        &self.gallery.eval
    }

    fn name(&self, sample: usize) -> String {
        (self.told)(&self.set.samples[sample])
    }

    fn class(&self, sample: usize) -> &str {
        &self.set.classes[self.set.labels[sample] as usize]
    }

    fn is_right(&self, query: &Query, near: &Near) -> bool {
        self.set.labels[query.sample] == self.set.labels[near.sample]
    }

    /// Neighbours of the query's class, and all of them.
    fn right(&self) -> (usize, usize) {
        let pairs = self
            .queries
            .iter()
            .flat_map(|query| query.near.iter().map(move |n| (query, n)));
        let right = pairs
            .filter(|(query, near)| self.is_right(query, near))
            .count();
        (
            right,
            self.queries.iter().map(|query| query.near.len()).sum(),
        )
    }

    fn numbers(&self) -> BTreeMap<String, f64> {
        let (right, all) = self.right();
        let share = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
        let is_found = |query: &&Query| {
            query
                .near
                .first()
                .is_some_and(|near| self.is_right(query, near))
        };
        let first = self.queries.iter().filter(is_found).count();
        BTreeMap::from([
            ("right".to_owned(), share(right, all)),
            ("nearest_right".to_owned(), share(first, self.queries.len())),
        ])
    }

    /// Which split is shown.
    fn split_name(&self) -> String {
        match self.set.splits {
            1 => "test and training samples".to_owned(),
            all => format!("split {} of {all}", self.split.name),
        }
    }

    fn data(&self, seen: &Seen) -> serde_json::Value {
        let sample = |sample: usize| {
            let mut told = json!({
                "sample": self.name(sample),
                "class": self.class(sample),
            });
            if let Some(why) = seen.missing.get(&sample) {
                told["not_shown"] = json!((self.told)(why));
            }
            told
        };
        let queries = self.queries.iter().map(|query| {
            let near = query.near.iter().map(|near| {
                let mut told = sample(near.sample);
                told["similarity"] = json!(near.similarity);
                told["distance"] = json!(1.0 - near.similarity);
                told["right"] = json!(self.is_right(query, near));
                told
            });
            let mut told = sample(query.sample);
            told["neighbours"] = near.collect();
            told
        });
        json!({
            "kind": "gallery",
            "data": self.set.data,
            "modality": self.eval().uses,
            "split": self.split.name,
            "splits": self.set.splits,
            "test_samples": self.split.test.len(),
            "train_samples": self.split.train.len(),
            "distance": "cosine",
            "asked": { "queries": self.gallery.queries, "top": self.gallery.top },
            "numbers": self.numbers(),
            "queries": queries.collect::<Vec<_>>(),
        })
    }

    /// A line for each neighbour.
    fn lines(&self) -> Vec<Vec<String>> {
        let mut lines = vec![names([
            "query",
            "class",
            "rank",
            "neighbour",
            "neighbour_class",
            "distance",
            "right",
        ])];
        for query in self.queries {
            lines.extend((1..).zip(&query.near).map(|(rank, near): (usize, _)| {
                vec![
                    self.name(query.sample),
                    self.class(query.sample).to_owned(),
                    rank.to_string(),
                    self.name(near.sample),
                    self.class(near.sample).to_owned(),
                    (1.0 - near.similarity).to_string(),
                    self.is_right(query, near).to_string(),
                ]
            }));
        }
        lines
    }

    /// What stands above the tiles.
    fn notes(&self, seen: &Seen) -> Vec<String> {
        let (right, all) = self.right();
        let mut notes = vec![format!(
            "{}: {} test samples, each with the nearest of {} training samples by the cosine of their features",
            self.split_name(),
            self.queries.len(),
            self.split.train.len()
        )];
        notes.push(format!(
            "{right} of {all} neighbours are of the query's class"
        ));
        let asked = self.gallery.queries as usize;
        if self.queries.len() < asked {
            notes.push(format!(
                "{asked} queries were asked for; {} are shown",
                self.queries.len()
            ));
        }
        if self
            .queries
            .iter()
            .any(|query| query.near.len() < self.gallery.top as usize)
        {
            notes.push(format!(
                "{} neighbours were asked for, and there are no more training samples",
                self.gallery.top
            ));
        }
        if !seen.missing.is_empty() {
            notes.push(format!(
                "{} clips could not be read again",
                seen.missing.len()
            ));
        }
        notes
    }

    fn picture(&self, seen: &Seen) -> Result<String> {
        let pngs = tiles::pngs(&self.eval().clip, &seen.views)?;
        let height = tile_height(&self.eval().clip, seen);
        let columns = self
            .queries
            .iter()
            .map(|query| query.near.len())
            .max()
            .unwrap_or(0);
        let width = 2.0 * GAP + TILE + ASIDE + columns as f64 * (TILE + GAP);
        let notes = self.notes(seen);
        let widths = notes.iter().map(|note| NOTE.width(note) + 2.0 * GAP);
        let mut page = Picture::new(widths.fold(width.max(720.0), f64::max));
        let title = format!(
            "Nearest neighbours in {} ({})",
            self.set.data,
            self.eval().uses
        );
        page.text((GAP, 28.0), TITLE, &title);
        let mut y = 28.0;
        for note in &notes {
            y += 19.0;
            page.text((GAP, y), NOTE, note);
        }
        y += 26.0;
        page.text((GAP, y), NOTE, "query");
        let left = |column: usize| GAP + TILE + GAP + ASIDE + column as f64 * (TILE + GAP);
        for column in 0..columns {
            page.text((left(column), y), NOTE, &(column + 1).to_string());
        }
        y += 9.0;
        for query in self.queries {
            let mut tile = |x: f64, sample: usize, paint: Paint| {
                let title = format!(
                    "{}: {}",
                    self.class(sample),
                    file_name(&self.set.samples[sample])
                );
                let png = pngs.get(&sample).map(Vec::as_slice);
                tiles::tile(&mut page, ((x, y), (TILE, height)), png, paint, &title);
            };
            tile(GAP, query.sample, Paint::Ink);
            for (column, near) in query.near.iter().enumerate() {
                let is_right = self.is_right(query, near);
                let paint = if is_right { Paint::Right } else { Paint::Wrong };
                tile(left(column), near.sample, paint);
            }
            let below = y + height + 21.0;
            let name = NAME.bold().fitted(self.class(query.sample), TILE);
            page.text((GAP, below), NAME.bold(), &name);
            for (column, near) in query.near.iter().enumerate() {
                let (x, is_right) = (left(column), self.is_right(query, near));
                let paint = if is_right { Paint::Right } else { Paint::Wrong };
                page.stroke(&mark((x + 4.0, below - 5.0), is_right), paint, 2.2);
                let name = NAME.fitted(self.class(near.sample), TILE - 17.0);
                page.text((x + 17.0, below), NAME, &name);
                let similarity = format!("{:.3}", near.similarity);
                page.text((x + 17.0, below + 16.0), NOTE, &similarity);
            }
            y += height + LABELS + GAP;
        }
        Ok(page.finish(y, &title))
    }
}

/// The height of a tile: frames are as they are cut, spectrograms lie.
fn tile_height(clip: &Clip, seen: &Seen) -> f64 {
    let size = seen.views.values().next().map(|view| view.size());
    match (clip, size.as_deref()) {
        (Clip::Video { .. }, Some([.., rows, columns])) => TILE * *rows as f64 / *columns as f64,
        _ => 0.64 * TILE,
    }
}

/// A tick or a cross around a place.
fn mark((x, y): (f64, f64), is_right: bool) -> String {
    match is_right {
        true => format!("M{} {}l3.4 3.6l6 -8", short(x - 4.0), short(y + 0.5)),
        false => format!("M{0} {1}l8 8m0 -8l-8 8", short(x - 3.0), short(y - 4.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fixtures::{audio, finetuning};
    use compiler::hir::{Clips, Head};

    /// Three clips that could be read once, and not again: what is left of a gallery without pictures.
    #[test]
    fn a_clip_that_is_gone_leaves_its_place() {
        let (mut eval, _) = finetuning(Clips::Uniform(1), 4, 8, 1);
        (eval.head, eval.clip) = (Head::Neighbours, audio(16_000));
        eval.uses = "a".to_owned();
        let gallery = Gallery {
            eval,
            queries: 4,
            top: 2,
        };
        let set = FeatureSet {
            data: "toy".to_owned(),
            splits: 2,
            classes: vec!["dog <bark>".to_owned(), "rain".to_owned()],
            samples: (0..3).map(|at| format!("/data/{at}.wav")).collect(),
            labels: vec![0, 1, 0],
            folds: vec![1, 2, 2],
            ..FeatureSet::default()
        };
        let split = Split {
            name: "1".to_owned(),
            train: vec![1, 2],
            test: vec![0],
        };
        let near = [(1, 0.75), (2, -0.125)];
        let near = near.map(|(sample, similarity)| Near { sample, similarity });
        let queries = [Query {
            sample: 0,
            near: near.to_vec(),
        }];
        let wall = Wall {
            gallery: &gallery,
            set: &set,
            split: &split,
            queries: &queries,
            told: &|text| text.replace("/data/", ""),
        };
        let mut seen = Seen::default();
        seen.missing
            .extend((0..3).map(|at| (at, format!("/data/{at}.wav: it is gone"))));
        let svg = wall.picture(&seen).unwrap().replace("><", ">\n<");
        insta::assert_snapshot!("gallery", svg);
        let data = wall.data(&seen);
        assert_eq!(data["queries"][0]["sample"], "0.wav");
        assert_eq!(data["queries"][0]["not_shown"], "0.wav: it is gone");
        assert_eq!(
            wall.lines()[1],
            ["0.wav", "dog <bark>", "1", "1.wav", "rain", "0.25", "false"]
        );
        assert_eq!(wall.numbers()["right"], 50.0);
        assert_eq!(wall.numbers()["nearest_right"], 0.0);
    }
}
