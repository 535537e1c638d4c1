//! Acoustic scenes of DCASE.
//!
//! - From 2016 on: `meta.txt` with `audio/FILE.wav`, the scene and more behind tabs, and in `evaluation_setup` for each fold
//!   `fold1_train.txt`, and `fold1_test.txt` or `fold1_evaluate.txt`.
//! - 2013, whose recordings are also known as those of 2014: `scenes_stereo/bus01.wav` to train on, ten of each scene, and
//!   `scenes_stereo_testset/bus01.wav` to test on; the scene is the name without its number.

use super::listing::{Ask, Listing, lines, tree};
use super::splits::{MOST, Part};
use crate::error::Result;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The folders of 2013: to train on, and to test on.
pub const OF_2013: [&str; 2] = ["scenes_stereo", "scenes_stereo_testset"];

/// Reads `meta.txt` and the lists of as many folds as are asked for.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list(ask: &Ask) -> Result<Listing> {
    let meta = ask.at("meta.txt");
    let mut listing = Listing {
        source: format!("`{}`", meta.display()),
        depends: vec![meta.clone()],
        ..Listing::default()
    };
    let mut files: BTreeMap<String, (Option<String>, Vec<Part>)> = BTreeMap::new();
    let setups = setups(ask)?;
    for (number, line) in lines(ask, &meta)? {
        let mut fields = line.split('\t').map(str::trim);
        let (file, scene) = (fields.next().unwrap_or(""), fields.next());
        let Some(scene) = scene.filter(|scene| !scene.is_empty()) else {
            return Err(ask.refuse(
                format!("line {number} of `{}` names no scene", meta.display()),
                "lines are the file and the scene, separated by a tab",
            ));
        };
        let label = ask.wants_labels().then(|| scene.to_owned());
        let parts = vec![Part::Neither; setups.len()];
        if files.insert(file.to_owned(), (label, parts)).is_some() {
            return Err(ask.refuse(
                format!("`{file}` is listed twice in `{}`", meta.display()),
                "keep one of the two lines",
            ));
        }
    }
    for (at, setup) in setups.iter().enumerate() {
        for (path, part) in setup {
            for (number, line) in lines(ask, path)? {
                let file = line.split('\t').next().unwrap_or("").trim();
                let entry = files.get_mut(file).ok_or_else(|| {
                    ask.refuse(
                        format!(
                            "`{file}` in line {number} of `{}` is not in `meta.txt`",
                            path.display()
                        ),
                        "take the lists and `meta.txt` of one edition",
                    )
                })?;
                if !matches!(entry.1[at], Part::Neither) && entry.1[at] != *part {
                    return Err(ask.refuse(
                        format!("`{file}` both trains and is tested in fold {}", at + 1),
                        "keep it in one of the lists",
                    ));
                }
                entry.1[at] = *part;
            }
            listing.depends.push(path.clone());
        }
    }
    if setups.is_empty() {
        for (file, (label, _)) in files {
            listing.add(file, label.as_deref(), None);
        }
    } else {
        listing.add_splits(files);
    }
    Ok(listing)
}

/// The lists of each fold and what their files are in it.
fn setups(ask: &Ask) -> Result<Vec<[(PathBuf, Part); 2]>> {
    let folder = ask.at("evaluation_setup");
    let mut setups = Vec::new();
    if !folder.is_dir() {
        return Ok(setups);
    }
    for fold in 1..=ask.splits.unwrap_or(MOST).min(MOST) {
        let train = folder.join(format!("fold{fold}_train.txt"));
        let tested = ["test", "evaluate"]
            .map(|kind| folder.join(format!("fold{fold}_{kind}.txt")))
            .into_iter()
            .find(|path| path.is_file());
        match (train.is_file(), tested) {
            (true, Some(test)) => setups.push([(train, Part::Train), (test, Part::Test)]),
            (false, None) if ask.splits.is_none() => break,
            (has_train, _) => {
                let lacks = if has_train { "test" } else { "train" };
                return Err(ask.refuse(
                    format!(
                        "there is no `fold{fold}_{lacks}.txt` in `{}`",
                        folder.display()
                    ),
                    "take all lists as they were published, or correct `splits`",
                ));
            }
        }
    }
    Ok(setups)
}

/// Reads the two folders of 2013.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list_2013(ask: &Ask) -> Result<Listing> {
    let [train, test] = OF_2013.map(|folder| ask.at(folder));
    let places = match (train.is_dir(), test.is_dir()) {
        (true, has_test) => {
            let tested = has_test.then_some((test, format!("{}/", OF_2013[1]), Some(1)));
            let trained = (train, format!("{}/", OF_2013[0]), Some(0));
            [Some(trained), tested].into_iter().flatten().collect()
        }
        (false, _) => vec![(ask.root.root.clone(), String::new(), None)],
    };
    let mut listing = Listing {
        source: format!("the scenes of `{}`", ask.root.root.display()),
        ..Listing::default()
    };
    for (folder, below, fold) in places {
        let tree = tree(ask, &folder)?;
        for file in tree.files {
            let name = file.rsplit('/').next().unwrap_or(&file);
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            let scene = stem.trim_end_matches(|c: char| c.is_ascii_digit());
            if scene.is_empty() || scene == stem {
                return Err(ask.refuse(
                    format!(
                        "`{}` is not named as a scene and a number",
                        folder.join(&file).display()
                    ),
                    "files are `bus01.wav`: move others away, or list the files in a CSV",
                ));
            }
            let label = ask.wants_labels().then_some(scene);
            listing.add(format!("{below}{file}"), label, fold);
        }
        listing.depends.extend(tree.folders);
    }
    Ok(listing)
}
