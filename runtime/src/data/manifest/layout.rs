//! Which layout a data set has: as the site file says, or as its files show.

use super::listing::{Ask, Listing};
use super::{audioset, csv, dcase, esc50, folders, hmdb51, kinetics, mmaction2, ucf101};
use crate::error::Result;
use records::site::Layout;

/// The layout, and whether it was recognised without being told and is none that everybody writes for this program.
///
/// # Errors
/// [`crate::error::Error::Data`] where the files are as in several layouts.
pub fn layout_of(ask: &Ask) -> Result<(Layout, bool)> {
    if let Some(layout) = ask.root.layout {
        return Ok((layout, false));
    }
    let mut found = Vec::new();
    if let Some(csv) = &ask.root.csv {
        let path = ask.at(csv);
        let has_files = csv::Table::header(&path)
            .is_none_or(|header| header.iter().any(|column| column == "file"));
        if !has_files {
            let kinds = [
                (Layout::Kinetics, kinetics::is_list(&path)),
                (Layout::Esc50, esc50::is_list(&path)),
                (Layout::Audioset, audioset::is_list(&path)),
            ];
            found.extend(
                kinds
                    .into_iter()
                    .filter(|(_, is)| *is)
                    .map(|(kind, _)| kind),
            );
        }
        return Ok(found
            .first()
            .map_or((Layout::Csv, false), |kind| (*kind, true)));
    }
    let holds = |folders: &[&str], names: &[&str]| {
        let here = folders
            .iter()
            .flat_map(|folder| names.iter().map(move |name| ask.at(folder).join(name)));
        here.filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    let lists: Vec<_> = if ask.root.lists.is_empty() {
        holds(&kinetics::FOLDERS, &kinetics::LISTS)
    } else {
        ask.root.lists.iter().map(|list| ask.at(list)).collect()
    };
    if lists.iter().any(|path| kinetics::is_list(path)) {
        found.push(Layout::Kinetics);
    }
    let segments = if ask.root.lists.is_empty() {
        holds(&audioset::FOLDERS, &audioset::LISTS)
    } else {
        lists
    };
    if segments.iter().any(|path| audioset::is_list(path)) {
        found.push(Layout::Audioset);
    }
    if !holds(&ucf101::FOLDERS, &["trainlist01.txt"]).is_empty() {
        found.push(Layout::Ucf101);
    }
    let is_hmdb = |folder: &&str| !hmdb51::lists_in(&ask.at(folder)).is_empty();
    if hmdb51::FOLDERS.iter().any(is_hmdb) {
        found.push(Layout::Hmdb51);
    }
    if holds(&[""], &esc50::LISTS)
        .iter()
        .any(|path| esc50::is_list(path))
    {
        found.push(Layout::Esc50);
    }
    if dcase::is_here(ask) {
        found.push(Layout::Dcase);
    }
    if ask.at(dcase::OF_2013[0]).is_dir() {
        found.push(Layout::Dcase2013);
    }
    match found.as_slice() {
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
