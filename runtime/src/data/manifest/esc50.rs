//! ESC-50: `meta/esc50.csv` with `filename,fold,target,category,esc10,src_file,take`, and the files in `audio`.

use super::csv::Table;
use super::listing::{Ask, Listing};
use super::places::settle;
use crate::error::Result;
use std::path::{Path, PathBuf};

/// Where the list lies.
pub const LISTS: [&str; 2] = ["meta/esc50.csv", "esc50.csv"];

/// Whether the file is the list of ESC-50.
pub fn is_list(path: &Path) -> bool {
    Table::header(path).is_some_and(|header| {
        let has = |name: &str| header.iter().any(|column| column == name);
        has("filename") && has("fold") && has("category") && has("target")
    })
}

/// Reads the list; with `ten` only the rows of ESC-10.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list(ask: &Ask, ten: bool) -> Result<Listing> {
    let lists: Vec<PathBuf> = match &ask.root.csv {
        Some(csv) => vec![ask.at(csv)],
        None => ask.lists(&LISTS, &[""])?,
    };
    let mut listing = Listing {
        source: super::quoted(ask, &lists),
        ..Listing::default()
    };
    for path in &lists {
        let table = Table::read(ask, path)?;
        let (file, fold) = (table.column("filename")?, table.column("fold")?);
        // `label`, the default, is no column here.
        let class = match table.find(ask.label) {
            Some(at) => at,
            None if ask.label == "label" => table.column("category")?,
            None => table.column(ask.label)?,
        };
        let is_ten = if ten {
            Some(table.column("esc10")?)
        } else {
            None
        };
        table.for_each(|line, row| {
            let field = |at: usize| row.get(at).unwrap_or_default();
            if is_ten.is_some_and(|at| !field(at).eq_ignore_ascii_case("true")) {
                return Ok(());
            }
            let number = field(fold);
            let fold = number
                .parse::<u32>()
                .ok()
                .filter(|fold| (1..=5).contains(fold));
            let fold = fold.ok_or_else(|| {
                table.refuse(
                    line,
                    &format!("fold `{number}` is not 1 to 5"),
                    "take the list as it was published",
                )
            })?;
            // One split tests the first fold; the others train.
            let fold = if ask.splits == Some(1) {
                u32::from(fold == 1)
            } else {
                fold
            };
            let label = ask.wants_labels().then(|| field(class));
            listing.add(field(file), label, Some(fold));
            Ok(())
        })?;
    }
    listing.depends = lists;
    settle(ask, &["audio/", ""], &mut listing)?;
    Ok(listing)
}
