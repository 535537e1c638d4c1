//! Where the files of published lists lie: as the lists say, below a usual folder, or anywhere below the root by their names.

use super::listing::{Ask, Listing, tree};
use crate::error::Result;
use std::collections::{BTreeSet, HashMap};

/// Gives each listed file the path below the root at which it lies: below the first of the `usual` folders that holds one, else
/// where the tree has a path that ends as listed, else the only file of its name, where no other is listed under it and it does
/// not lie in the folder of another class. What is found nowhere stays in the usual folder.
///
/// # Errors
/// Those of [`tree`].
pub fn settle(ask: &Ask, usual: &[&str], listing: &mut Listing) -> Result<()> {
    let place = prefix(ask, usual, listing);
    let is_there = |file: &str| ask.at(format!("{place}{file}")).is_file();
    let lost: Vec<usize> = (0..listing.rows.len())
        .filter(|&row| !is_there(&listing.rows[row].file))
        .collect();
    let found = if lost.is_empty() {
        Vec::new()
    } else {
        search(ask, &lost, listing)?
    };
    for row in &mut listing.rows {
        row.file.insert_str(0, place);
    }
    for (row, file) in found {
        listing.rows[row].file = file;
    }
    Ok(())
}

/// The first of the folders below which one of the files lies; the first where none does.
fn prefix<'p>(ask: &Ask, usual: &[&'p str], listing: &Listing) -> &'p str {
    let holds = |place: &&&str| {
        let mut first = listing.rows.iter().take(50);
        first.any(|row| ask.at(format!("{place}{}", row.file)).is_file())
    };
    usual
        .iter()
        .find(holds)
        .or(usual.first())
        .copied()
        .unwrap_or("")
}

/// Looks for rows anywhere below the root; those that were found, with their paths.
fn search(ask: &Ask, lost: &[usize], listing: &mut Listing) -> Result<Vec<(usize, String)>> {
    let tree = tree(ask, &ask.root.root)?;
    let mut by_name: HashMap<&str, Vec<&str>> = HashMap::new();
    for file in &tree.files {
        by_name.entry(name(file)).or_default().push(file);
    }
    let mut listed: HashMap<&str, u32> = HashMap::new();
    for row in &listing.rows {
        *listed.entry(name(&row.file)).or_default() += 1;
    }
    let folders = listing.rows.iter().filter_map(|row| folder(&row.file));
    let folders: BTreeSet<&str> = folders.collect();
    let find = |file: &str| -> Option<&str> {
        let found = by_name.get(name(file))?;
        let ends = |path: &&&str| {
            let before = path.strip_suffix(file);
            before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        if let Some(path) = found.iter().find(ends) {
            return Some(path);
        }
        let [only] = found.as_slice() else {
            return None;
        };
        let is_free = listed.get(name(file)) == Some(&1);
        let is_of_another =
            folder(only).is_some_and(|own| folder(file) != Some(own) && folders.contains(own));
        (is_free && !is_of_another).then_some(*only)
    };
    let found = lost
        .iter()
        .filter_map(|&row| Some((row, find(&listing.rows[row].file)?.to_owned())))
        .collect();
    listing.depends.extend(tree.folders);
    Ok(found)
}

fn name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// The name of the folder that a file lies in.
fn folder(file: &str) -> Option<&str> {
    file.rsplit('/').nth(1)
}
