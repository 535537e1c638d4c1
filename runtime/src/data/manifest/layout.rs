//! Which layout a data set has: as the site file says, or as its files show.

use super::listing::{Ask, Listing};
use super::{audioset, csv, dcase, esc50, folders, hmdb51, kinetics, mmaction2, ucf101};
use crate::error::Result;
use records::site::Layout;
use std::path::{Path, PathBuf};

/// The layout, and whether it was recognised without being told and is none that everybody writes for this program.
///
/// # Errors
/// [`crate::error::Error::Data`] where the files are as in several layouts.
pub fn layout_of(ask: &Ask) -> Result<(Layout, bool)> {
    if let Some(layout) = ask.root.layout {
        return Ok((layout, false));
    }
    if let Some(csv) = &ask.root.csv {
        let kind = of_csv(&ask.at(csv));
        return Ok((kind.unwrap_or(Layout::Csv), kind.is_some()));
    }
    match fitting(ask).as_slice() {
        [] if !ask.root.lists.is_empty() => Err(ask.refuse(
            "its lists are of no layout that can be told from them",
            format!(
                "say which under `[data.{}]`: `layout = \"mmaction2\"` for lines `path label`",
                ask.name
            ),
        )),
        [] => Ok((Layout::Folders, false)),
        [only] => Ok((*only, true)),
        several => {
            let names: Vec<&str> = several.iter().map(|layout| layout.name()).collect();
            Err(ask.refuse(
                format!(
                    "`{}` may be of the layouts {}",
                    ask.root.root.display(),
                    names.join(" and ")
                ),
                format!(
                    "say which under `[data.{}]`: `layout = \"{}\"`",
                    ask.name, names[0]
                ),
            ))
        }
    }
}

/// The published list that a CSV is, if it has no column `file`.
fn of_csv(path: &Path) -> Option<Layout> {
    let header = csv::Table::header(path)?;
    if header.iter().any(|column| column == "file") {
        return None;
    }
    let kinds = [
        (Layout::Kinetics, kinetics::is_list(path)),
        (Layout::Esc50, esc50::is_list(path)),
        (Layout::Audioset, audioset::is_list(path)),
    ];
    kinds
        .into_iter()
        .find_map(|(kind, is_it)| is_it.then_some(kind))
}

/// The layouts whose lists or folders are there. Lists of mmaction2 are often made beside those of the set, which go before.
fn fitting(ask: &Ask) -> Vec<Layout> {
    let named: Vec<PathBuf> = ask.root.lists.iter().map(|list| ask.at(list)).collect();
    let holds = |folders: &[&str], names: &[&str]| -> Vec<PathBuf> {
        let here = folders
            .iter()
            .flat_map(|folder| names.iter().map(move |name| ask.at(folder).join(name)));
        here.filter(|path| path.is_file()).collect()
    };
    let lists = |folders: &[&str], names: &[&str]| {
        if named.is_empty() {
            holds(folders, names)
        } else {
            named.clone()
        }
    };
    let is_ucf = |path: &PathBuf| path.file_name().is_some_and(|own| own == ucf101::FIRST);
    let is_hmdb = |folder: &&str| !hmdb51::lists_in(&ask.at(folder)).is_empty();
    let kinds = [
        (
            Layout::Kinetics,
            lists(&kinetics::FOLDERS, &kinetics::LISTS)
                .iter()
                .any(|path| kinetics::is_list(path)),
        ),
        (
            Layout::Audioset,
            lists(&audioset::FOLDERS, &audioset::LISTS)
                .iter()
                .any(|path| audioset::is_list(path)),
        ),
        (
            Layout::Ucf101,
            named.iter().any(is_ucf) || !holds(&ucf101::FOLDERS, &[ucf101::FIRST]).is_empty(),
        ),
        (Layout::Hmdb51, hmdb51::FOLDERS.iter().any(is_hmdb)),
        (
            Layout::Esc50,
            holds(&[""], &esc50::LISTS)
                .iter()
                .any(|path| esc50::is_list(path)),
        ),
        (Layout::Dcase, dcase::is_here(ask)),
        (Layout::Dcase2013, ask.at(dcase::OF_2013[0]).is_dir()),
    ];
    let found: Vec<Layout> = kinds
        .into_iter()
        .filter_map(|(kind, is_it)| is_it.then_some(kind))
        .collect();
    let lists = mmaction2::lists_of(ask);
    if found.is_empty() && !lists.is_empty() && lists.iter().all(|path| mmaction2::is_list(path)) {
        return vec![Layout::Mmaction2];
    }
    found
}

/// The share of the listed files that may be missing: clips of the web get lost, of other published sets single files, and what
/// is listed for this program is there.
pub fn may_lack(layout: Layout) -> f64 {
    match layout {
        Layout::Kinetics | Layout::Audioset => 1.0,
        Layout::Ucf101
        | Layout::Hmdb51
        | Layout::Esc50
        | Layout::Esc10
        | Layout::Dcase
        | Layout::Mmaction2 => 0.05,
        Layout::Folders | Layout::Csv | Layout::Dcase2013 => 0.0,
    }
}

/// The files as the layout lists them.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list(ask: &Ask, layout: Layout) -> Result<Listing> {
    match layout {
        Layout::Folders => folders::list(ask),
        Layout::Csv => match &ask.root.csv {
            Some(csv) => csv::list(ask, &ask.at(csv)),
            None => Err(ask.refuse(
                "its CSV is not named",
                format!("write `csv = \"files.csv\"` under `[data.{}]`", ask.name),
            )),
        },
        Layout::Kinetics => kinetics::list(ask),
        Layout::Ucf101 => ucf101::list(ask),
        Layout::Hmdb51 => hmdb51::list(ask),
        Layout::Esc50 => esc50::list(ask, false),
        Layout::Esc10 => esc50::list(ask, true),
        Layout::Dcase => dcase::list(ask),
        Layout::Dcase2013 => dcase::list_2013(ask),
        Layout::Audioset => audioset::list(ask),
        Layout::Mmaction2 => mmaction2::list(ask),
    }
}
