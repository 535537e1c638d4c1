//! What a reader should know of a listing that is no mistake.

use super::listing::{Ask, Listed, Listing};
use super::splits::{MOST, Part, part};
use super::{NAMED, few};
use records::site::Layout;
use std::collections::BTreeSet;

/// All that is worth a word before files are looked for.
pub fn of(ask: &Ask, layout: Layout, listing: &Listing) -> Vec<String> {
    [
        one_class(ask, layout, listing),
        no_class(ask, layout, listing),
        no_split(listing),
    ]
    .into_iter()
    .flatten()
    .chain(untrained(ask, listing))
    .collect()
}

/// That all files are of one class where nobody declared it: mostly the lists of a published set are not there.
fn one_class(ask: &Ask, layout: Layout, listing: &Listing) -> Option<String> {
    let [class] = listing.labels.as_slice() else {
        return None;
    };
    let all = listing.rows.iter().all(|row| row.label.is_some());
    if ask.classes.is_some() || !all || listing.rows.len() < 2 {
        return None;
    }
    let said = format!("all files are of one class, `{class}`");
    Some(if layout == Layout::Folders {
        format!(
            "read in the layout `folders`, {said}: are the lists that came with the set missing?"
        )
    } else {
        said
    })
}

/// How many files have no class where others have.
fn no_class(ask: &Ask, layout: Layout, listing: &Listing) -> Option<String> {
    // There a clip of several classes has none here, and how many there are is said where one is needed.
    if layout == Layout::Audioset || !ask.wants_labels() || listing.labels.is_empty() {
        return None;
    }
    without(listing, "have no class", |row| row.label.is_none())
}

/// How many files are in no split where others are.
fn no_split(listing: &Listing) -> Option<String> {
    let has_splits = listing.rows.iter().any(|row| row.fold.is_some());
    has_splits
        .then(|| without(listing, "are in no split", |row| row.fold.is_none()))
        .flatten()
}

fn without(listing: &Listing, what: &str, is_one: impl Fn(&Listed) -> bool) -> Option<String> {
    let all = listing.rows.iter().filter(|row| is_one(row));
    let count = all.clone().count();
    let names: Vec<String> = all.take(NAMED + 1).map(|row| row.file.clone()).collect();
    (count > 0).then(|| {
        format!(
            "{count} of {} files of {} {what}: {}",
            listing.rows.len(),
            listing.source,
            few(&names)
        )
    })
}

/// The splits that have test files and no file to train on.
fn untrained(ask: &Ask, listing: &Listing) -> Vec<String> {
    let folds: BTreeSet<u32> = listing.rows.iter().filter_map(|row| row.fold).collect();
    let splits = 1..=ask.splits.unwrap_or(MOST).min(MOST);
    let has = |split: u32, wanted: Part| folds.iter().any(|fold| part(*fold, split) == wanted);
    let tested: Vec<u32> = splits.filter(|split| has(*split, Part::Test)).collect();
    let untrained = tested.iter().filter(|split| !has(**split, Part::Train));
    untrained
        .map(|split| match tested.len() {
            1 => format!("no file of {} is for training", listing.source),
            _ => format!(
                "no file of {} is for training in split {split}",
                listing.source
            ),
        })
        .collect()
}

/// How many of the listed files are missing, `found` being there.
pub fn lost(listing: &Listing, source: &str, found: usize) -> Option<String> {
    (!listing.missing.is_empty()).then(|| {
        format!(
            "{} of {} files of {source} are missing: {}",
            listing.missing.len(),
            found + listing.missing.len(),
            few(&listing.missing)
        )
    })
}
